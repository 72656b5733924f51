"""A MRML scene without the Slicer application, with the managers and logics it would add."""

from __future__ import annotations

import tempfile
from pathlib import Path

import slicer
import vtk

from ctinsight.errors import ProcessingFailedError, UnreadableFileError

#: Logics by the name under which the application logic finds them. A segment is refused by a scene on which
#: no segmentations logic lives.
_LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
}


class HeadlessScene:
    """A scene with what the application would have given it; use it in a ``with`` statement.

    ``scene`` and ``applicationLogic`` are for reading; the temporary folder goes with it.
    """

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="ctinsight-scene-")
        self.scene = slicer.vtkMRMLScene()
        self.applicationLogic = slicer.vtkSlicerApplicationLogic()
        # The scene keeps plain pointers to its managers: these references keep them alive.
        self._kept = []
        self._prepareApplication()
        self._prepareFileAccess()
        self._prepareLogics()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Empty the scene and remove its temporary folder."""
        self.scene.Clear(True)
        self._kept.clear()
        self._folder.cleanup()

    def _prepareApplication(self):
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.scene.AddNode(crosshair)
        logic = self.applicationLogic
        logic.SetMRMLScene(self.scene)
        logic.SetTemporaryPath(self._folder.name)
        logic.GetColorLogic().SetMRMLScene(self.scene)
        logic.GetColorLogic().AddDefaultColorNodes()
        logic.SetSliceLogics(vtk.vtkCollection())
        logic.SetViewLogics(vtk.vtkCollection())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)

    def _prepareFileAccess(self):
        cache = slicer.vtkCacheManager()
        cacheFolder = Path(self._folder.name) / "cache"
        cacheFolder.mkdir()
        cache.SetRemoteCacheDirectory(str(cacheFolder))
        manager = slicer.vtkDataIOManager()
        manager.SetCacheManager(cache)
        handlers = vtk.vtkCollection()
        self.scene.SetCacheManager(cache)
        self.scene.SetDataIOManager(manager)
        self.scene.SetURIHandlerCollection(handlers)
        self._kept += [cache, manager, handlers]

    def _prepareLogics(self):
        for name, className in _LOGICS.items():
            logic = getattr(slicer, className)()
            logic.SetMRMLApplicationLogic(self.applicationLogic)
            logic.SetMRMLScene(self.scene)
            self.applicationLogic.SetModuleLogic(name, logic)
            self._kept.append(logic)

    def save(self, path: Path) -> None:
        """Write the scene with all its data as a ``.mrb`` file.

        Raises
        ------
        ProcessingFailedError
            The scene library could not write; its messages are quoted.
        """
        path = Path(path).resolve()
        messages = slicer.vtkMRMLMessageCollection()
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=path.parent) as folder:
            unfinished = Path(folder) / path.name
            if not self.scene.WriteToMRB(str(unfinished), None, messages) or not unfinished.is_file():
                raise ProcessingFailedError(
                    found=f"{path} was not written: {_messageText(messages)}",
                    expected="a folder that can be written to, with enough space",
                    remedy="Free some space or name another folder, then run it again.",
                )
            unfinished.replace(path)

    def load(self, path: Path) -> None:
        """Replace the scene by the content of a ``.mrb`` file.

        Raises
        ------
        UnreadableFileError
            The file is damaged or no scene; the scene library's messages are quoted.
        """
        messages = slicer.vtkMRMLMessageCollection()
        if not self.scene.ReadFromMRB(str(Path(path).resolve()), True, messages):
            raise UnreadableFileError(
                found=f"{path} was not read: {_messageText(messages)}",
                expected="a scene bundle (.mrb)",
                remedy="Write the scene again with: python -m CTInsightLib RESULT_FOLDER",
            )

    def nodes(self, className: str) -> list:
        """Return all nodes of a class, in the order of the scene."""
        count = self.scene.GetNumberOfNodesByClass(className)
        return [self.scene.GetNthNodeByClass(index, className) for index in range(count)]


def _messageText(messages) -> str:
    texts = [messages.GetNthMessageText(index).strip() for index in range(messages.GetNumberOfMessages())]
    return "; ".join(filter(None, texts)) or "no reason was given"
