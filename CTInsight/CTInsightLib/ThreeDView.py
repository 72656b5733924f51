"""A 3-D view drawn off screen by Slicer's displayable managers, with the patient's directions lettered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

BACKGROUND_RGB = (13 / 255, 16 / 255, 20 / 255)
_TEXT_RGB = (0.93, 0.945, 0.957)
_MUTED_RGB = (0.59, 0.63, 0.67)

_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
)


@dataclass(frozen=True)
class _Direction:
    title: str
    origin: tuple[float, float, float]
    left: str
    right: str


@dataclass(frozen=True)
class Caption:
    """A text in a view; ``place`` is a fraction of width and height from the lower left corner."""

    text: str
    place: tuple[float, float]
    pixels: int = 24
    bold: bool = True
    rgb: tuple[float, float, float] = _TEXT_RGB


class ViewFrom(Enum):
    """From where the patient is seen; the letters are what lies at the left and right edge of the picture."""

    FRONT = _Direction("seen from the front", (0.0, 1.0, 0.0), "R", "L")
    LEFT = _Direction("seen from the patient's left", (-1.0, 0.0, 0.0), "A", "P")
    RIGHT = _Direction("seen from the patient's right", (1.0, 0.0, 0.0), "P", "A")


class ThreeDView:
    """One 3-D view on a headless scene."""

    def __init__(self, headless, name: str, size: tuple[int, int]):
        self._scene = headless.scene
        self._kept = []
        self._captions = []
        self._size = size
        self._renderer = vtk.vtkRenderer()
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.SetSize(*size)
        self._window.AddRenderer(self._renderer)
        self._window.SetAlphaBitPlanes(1)
        self._renderer.SetUseDepthPeeling(True)
        self._renderer.SetMaximumNumberOfPeels(8)
        self._lights = _studioLights()
        self._lights.AddLightsToRenderer(self._renderer)
        interactor = vtk.vtkRenderWindowInteractor()
        interactor.SetRenderWindow(self._window)
        interactor.Initialize()
        self._kept.append(interactor)
        self._connect(headless.applicationLogic, name)

    def _connect(self, applicationLogic, name: str) -> None:
        logic = slicer.vtkMRMLViewLogic()
        logic.SetMRMLApplicationLogic(applicationLogic)
        logic.SetMRMLScene(self._scene)
        applicationLogic.GetViewLogics().AddItem(logic)
        node = logic.AddViewNode(name)
        node.SetMappedInLayout(1)
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        node.SetBackgroundColor(*BACKGROUND_RGB)
        node.SetBackgroundColor2(*BACKGROUND_RGB)
        node.SetRenderMode(slicer.vtkMRMLViewNode.Orthographic)
        self._kept += [logic, node]
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(applicationLogic)
        group = slicer.vtkMRMLDisplayableManagerGroup()
        group.SetRenderer(self._renderer)
        for className in _MANAGERS:
            manager = getattr(slicer, className)()
            manager.SetMRMLApplicationLogic(applicationLogic)
            group.AddDisplayableManager(manager)
            self._kept.append(manager)
        group.SetMRMLDisplayableNode(node)
        self._group = group

    def picture(
        self, viewFrom: ViewFrom, bounds: tuple[float, ...], captions: tuple[Caption, ...] = ()
    ) -> np.ndarray:
        """Draw the scene and return its pixels.

        Parameters
        ----------
        viewFrom
            The patient's head is up in every view.
        bounds
            (R, R, A, A, S, S) in mm: the box that fills the picture.
        captions
            Texts beside the directions' letters.

        Returns
        -------
        array
            (rows, columns, 3) uint8, row 0 on top.
        """
        self._aim(viewFrom, np.array(bounds).reshape(3, 2))
        self._write((*_letters(viewFrom.value), *captions))
        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.SetInputBufferTypeToRGB()
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        columns, rows, _ = image.GetDimensions()
        pixels = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
        return pixels.reshape(rows, columns, 3)[::-1].copy()

    def close(self) -> None:
        """Give the window's graphics memory back."""
        # The managers must let go of the view node and of the renderer first, or VTK crashes. One of them
        # (vtkMRMLViewDisplayableManager) complains of the missing node, without consequence.
        vtk.vtkObject.GlobalWarningDisplayOff()
        self._group.SetMRMLDisplayableNode(None)
        self._group.SetRenderer(None)
        vtk.vtkObject.GlobalWarningDisplayOn()
        self._window.Finalize()
        self._kept.clear()

    def _aim(self, viewFrom: ViewFrom, box: np.ndarray) -> None:
        center, size = box.mean(axis=1), box[:, 1] - box[:, 0]
        direction = np.array(viewFrom.value.origin)
        across = size[1] if direction[0] else size[0]
        aspect = self._size[0] / self._size[1]
        camera = self._renderer.GetActiveCamera()
        camera.ParallelProjectionOn()
        camera.SetFocalPoint(*center)
        camera.SetPosition(*(center + direction * 4 * size.max()))
        camera.SetViewUp(0.0, 0.0, 1.0)
        # Half of the height that is shown, with a rim of a sixth for the letters.
        camera.SetParallelScale(1.17 * max(size[2], across / aspect) / 2)
        self._renderer.ResetCameraClippingRange()

    def _write(self, texts: tuple[Caption, ...]) -> None:
        for actor in self._captions:
            self._renderer.RemoveViewProp(actor)
        self._captions = [_captionActor(caption) for caption in texts]
        for actor in self._captions:
            self._renderer.AddViewProp(actor)


def _studioLights():
    """Return lights that move with the camera: a lamp above, weaker ones that lift the shadows."""
    lights = vtk.vtkLightKit()
    lights.SetKeyLightIntensity(0.85)
    lights.SetKeyLightAngle(35.0, -30.0)
    lights.SetKeyToFillRatio(3.0)
    lights.SetKeyToHeadRatio(2.2)
    lights.SetKeyToBackRatio(8.0)
    lights.SetKeyLightWarmth(0.5)
    lights.SetFillLightWarmth(0.5)
    return lights


def _letters(direction: _Direction) -> tuple[Caption, ...]:
    return (
        Caption(direction.left, (0.02, 0.5)),
        Caption(direction.right, (0.98, 0.5)),
        Caption("S", (0.5, 0.985)),
        Caption("I", (0.5, 0.015)),
        Caption(direction.title, (0.02, 0.985), pixels=19, bold=False, rgb=_MUTED_RGB),
    )


def _captionActor(caption: Caption):
    actor = vtk.vtkTextActor()
    actor.SetInput(caption.text)
    look = actor.GetTextProperty()
    look.SetFontSize(caption.pixels)
    look.SetBold(caption.bold)
    look.SetColor(*caption.rgb)
    # VTK counts 0 left or bottom, 1 middle, 2 right or top: a caption leans away from the edge it lies at.
    x, y = caption.place
    look.SetJustification(_third(x))
    look.SetVerticalJustification(_third(y))
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    actor.SetPosition(x, y)
    return actor


def _third(fraction: float) -> int:
    return min(int(3 * fraction), 2)
