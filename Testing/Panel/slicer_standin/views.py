# ruff: noqa: N801, N802, N815 - the names are Slicer's
"""``slicer.app.layoutManager()``: real slice and 3-D views, drawn only when somebody asks for a picture."""

from __future__ import annotations

import atexit

import numpy as np
import slicer
import vtk
from PySide6 import QtCore, QtGui
from PySide6.QtCore import Property, Signal
from vtk.util.numpy_support import vtk_to_numpy

#: Width and height of a view when nobody asks for others.
VIEW_PX = (520, 428)
_SLICES = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}
_SLICE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
)
_THREED_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
)


#: The views that were drawn.
_OPEN: list[_View] = []


def close_views() -> None:
    """Empty the scene and close every view that was drawn; called when the process ends."""
    slicer.mrmlScene.Clear(1)
    while _OPEN:
        _OPEN.pop().close()


class _View:
    """A renderer with MRML's displayable managers, made at the first picture."""

    def __init__(self, node, managers, factory, application, backdrop=None):
        self.node, self._names, self._factory, self._application = node, managers, factory, application
        self._backdrop = backdrop
        self._window = self.renderer = self._group = None
        self._managers = []

    def open(self):
        """Make the window, once."""
        if self._window is not None:
            return
        self._factory.GetInstance().SetMRMLApplicationLogic(self._application)
        self._window, self.renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
        self._window.SetOffScreenRendering(1)
        self._window.SetSize(*VIEW_PX)
        self._window.AddRenderer(self.renderer)
        if self._backdrop is not None:
            # Before all managers: what is added first is drawn first, and fills are blended over it.
            self.renderer.AddViewProp(self._backdrop)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._interactor.Initialize()
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.SetRenderer(self.renderer)
        for name in self._names:
            manager = getattr(slicer, name)()
            manager.SetMRMLApplicationLogic(self._application)
            self._group.AddDisplayableManager(manager)
            self._managers.append(manager)
        self._group.SetMRMLDisplayableNode(self.node)
        if not _OPEN:
            atexit.register(close_views)
        _OPEN.append(self)

    def close(self):
        """Let go of node, managers and window, in this order; left to the interpreter's end it crashes."""
        self._group.SetMRMLDisplayableNode(None)
        self._managers.clear()
        self._group = None
        self._window.Finalize()

    def picture(self, width: int, height: int) -> QtGui.QImage:
        """Draw and return the picture."""
        self._window.SetSize(width, height)
        self._window.Render()
        grabber = vtk.vtkWindowToImageFilter()
        grabber.SetInput(self._window)
        grabber.ReadFrontBufferOff()
        grabber.Update()
        image = grabber.GetOutput()
        columns, rows, _one = image.GetDimensions()
        pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, 3)[::-1]
        data = np.ascontiguousarray(pixels).tobytes()
        return QtGui.QImage(data, columns, rows, 3 * columns, QtGui.QImage.Format_RGB888).copy()


class qMRMLSliceWidget(QtCore.QObject):
    """One slice view."""

    def __init__(self, scene, application, name, orientation):
        super().__init__()
        self._application = application
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application)
        application.GetSliceLogics().AddItem(self._logic)
        self._logic.SetMRMLScene(scene)
        self._node = self._logic.AddSliceNode(name)
        self._node.SetOrientation(orientation)
        self._node.SetMappedInLayout(1)
        self._logic.ResizeSliceNode(*VIEW_PX)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self._mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory
        self._view = _View(self._node, _SLICE_MANAGERS, factory, application, actor)

    def mrmlSliceNode(self):
        """Return the slice node."""
        return self._node

    def sliceLogic(self):
        """Return the slice logic."""
        return self._logic

    def mrmlSliceCompositeNode(self):
        """Return the node that says which volumes are shown."""
        return self._logic.GetSliceCompositeNode()

    def fitSliceToBackground(self):
        """Show the whole volume."""
        self._logic.FitSliceToBackground()

    def _picture(self, width, height):
        self._logic.ResizeSliceNode(width, height)
        self._logic.UpdatePipeline()
        self._mapper.SetInputConnection(self._logic.GetImageDataConnection())
        self._view.open()
        self._view.renderer.GetActiveCamera().ParallelProjectionOn()
        return self._view.picture(width, height)


class qMRMLThreeDView(QtCore.QObject):
    """What is drawn in the 3-D view."""

    def __init__(self, view):
        super().__init__()
        self._view = view

    def mrmlViewNode(self):
        """Return the view node."""
        return self._view.node

    def resetFocalPoint(self):
        """Look at everything; done when a picture is asked for."""


class qMRMLThreeDWidget(QtCore.QObject):
    """The 3-D view."""

    def __init__(self, scene, application):
        super().__init__()
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(application)
        self._logic.SetMRMLScene(scene)
        application.GetViewLogics().AddItem(self._logic)
        node = self._logic.AddViewNode("1")
        node.SetMappedInLayout(1)
        self._view = _View(
            node, _THREED_MANAGERS, slicer.vtkMRMLThreeDViewDisplayableManagerFactory, application
        )
        self._threed = qMRMLThreeDView(self._view)

    def threeDView(self):
        """Return the view."""
        return self._threed

    def mrmlViewNode(self):
        """Return the view node."""
        return self._view.node

    def viewLogic(self):
        """Return the view logic."""
        return self._logic

    def _picture(self, width, height):
        self._view.open()
        renderer = self._view.renderer
        camera = renderer.GetActiveCamera()
        # From the front, a little from the left of the patient and from above.
        camera.SetFocalPoint(0, 0, 0)
        camera.SetPosition(-40, 140, 60)
        camera.SetViewUp(0, 0, 1)
        renderer.ResetCamera()
        camera.Zoom(1.2)
        renderer.ResetCameraClippingRange()
        return self._view.picture(width, height)


class qSlicerLayoutManager(QtCore.QObject):
    """The views: Red, Yellow, Green and one in 3-D, in every layout."""

    layoutChanged = Signal(int)

    def __init__(self, scene, application):
        super().__init__()
        self._application = application
        self._slices = {
            name: qMRMLSliceWidget(scene, application, name, kind) for name, kind in _SLICES.items()
        }
        self._threed = qMRMLThreeDWidget(scene, application)
        self._layout = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView

    def setLayout(self, layout):
        """Take the number of a layout."""
        changed, self._layout = layout != self._layout, layout
        if changed:
            self.layoutChanged.emit(layout)

    layout = Property(int, lambda self: self._layout, setLayout)
    threeDViewCount = Property(int, lambda _self: 1)
    tableViewCount = Property(int, lambda _self: 0)
    plotViewCount = Property(int, lambda _self: 0)

    def sliceViewNames(self):
        """Return the names of the slice views."""
        return list(self._slices)

    def sliceWidget(self, name):
        """Return a slice view, or ``None``."""
        return self._slices.get(name)

    def threeDWidget(self, _index):
        """Return the 3-D view."""
        return self._threed

    def mrmlSliceLogics(self):
        """Return the slice logics."""
        return self._application.GetSliceLogics()

    def resetSliceViews(self):
        """Show the whole volume in each slice view."""
        for view in self._slices.values():
            view.fitSliceToBackground()

    def resetThreeDViews(self):
        """Look at everything; done when a picture is asked for."""

    def pauseRender(self):
        """Hold back drawing; the stand-in draws when asked."""

    def resumeRender(self):
        """Draw again."""
