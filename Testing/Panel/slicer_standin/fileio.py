# ruff: noqa: N801, N802 - the names are Slicer's
"""``slicer.app.coreIOManager()``: reads and writes nodes with slicer-core's storage nodes."""

from __future__ import annotations

from pathlib import Path

import slicer
import vtk
from PySide6 import QtCore

#: File name ending -> file type, the longer endings first.
_TYPES = {
    ".seg.nrrd": "SegmentationFile",
    ".seg.nhdr": "SegmentationFile",
    ".mrk.json": "MarkupsFile",
    ".nii.gz": "VolumeFile",
    ".nii": "VolumeFile",
    ".nrrd": "VolumeFile",
    ".mha": "VolumeFile",
    ".mhd": "VolumeFile",
    ".dcm": "VolumeFile",
    ".mrb": "SceneFile",
    ".mrml": "SceneFile",
    ".csv": "TableFile",
    ".tsv": "TableFile",
    ".vtk": "ModelFile",
    ".vtp": "ModelFile",
    ".stl": "ModelFile",
    ".txt": "TextFile",
}
_STORED_CLASSES = {"TableFile": "vtkMRMLTableNode", "TextFile": "vtkMRMLTextNode"}


class qSlicerIOManager(QtCore.QObject):
    """Reads and writes files; drag and drop and dialogs are left out."""

    def __init__(self, scene):
        super().__init__()
        self._scene = scene

    def fileType(self, name):
        """Return the type of a file by its name."""
        lower = str(name).lower()
        return next((kind for ending, kind in _TYPES.items() if lower.endswith(ending)), "NoFile")

    def fileWriterFileType(self, node, _name=""):
        """Return the type of the file that a node is written to."""
        return node.GetClassName()

    def loadNodes(self, kind, properties, loaded, messages=None):
        """Read a file into the scene; say whether that went well."""
        messages = messages or slicer.vtkMRMLMessageCollection()
        path = Path(properties["fileName"])
        if not path.exists():
            messages.AddMessage(vtk.vtkCommand.ErrorEvent, f"file not found: {path}")
            return False
        if kind == "SceneFile":
            return self._load_scene(path, properties, messages)
        node = self._load_node(kind, path, properties)
        if node is None:
            return False
        loaded.AddItem(node)
        return True

    def _load_scene(self, path, properties, messages):
        clear = bool(properties.get("clear", False))
        if path.suffix == ".mrb":
            return bool(self._scene.ReadFromMRB(str(path.resolve()), clear, messages))
        self._scene.SetURL(str(path))
        return bool(self._scene.Connect(messages) if clear else self._scene.Import(messages))

    def _load_node(self, kind, path, properties):
        name = properties.get("name") or path.name.partition(".")[0]
        logic = {
            module: slicer.app.moduleManager().module(module).logic()
            for module in ("Volumes", "Segmentations")
        }
        if kind == "VolumeFile":
            return logic["Volumes"].AddArchetypeVolume(
                str(path), name, 1 if properties.get("labelmap") else 0
            )
        if kind == "SegmentationFile":
            return logic["Segmentations"].LoadSegmentationFromFile(str(path), True, name)
        if kind == "MarkupsFile":
            found = slicer.app.moduleManager().module("Markups").logic().LoadMarkups(str(path), name)
            return self._scene.GetNodeByID(found or "")
        if kind == "ModelFile":
            return slicer.app.moduleManager().module("Models").logic().AddModel(str(path))
        return self._load_stored(kind, path, name)

    def _load_stored(self, kind, path, name):
        if kind not in _STORED_CLASSES:
            msg = f"the stand-in does not read {kind}"
            raise NotImplementedError(msg)
        node = self._scene.AddNewNodeByClass(_STORED_CLASSES[kind], name)
        node.AddDefaultStorageNode(str(path))
        if node.GetStorageNode().ReadData(node):
            return node
        self._scene.RemoveNode(node)
        return None

    def saveNodes(self, kind, properties, messages=None):
        """Write the scene or one node; say whether that went well."""
        messages = messages or slicer.vtkMRMLMessageCollection()
        path = str(Path(properties["fileName"]).resolve())
        if kind == "SceneFile":
            if path.endswith(".mrb"):
                return bool(self._scene.WriteToMRB(path, None, messages))
            return bool(self._scene.Commit(path, messages))
        node = self._scene.GetNodeByID(properties["nodeID"])
        node.AddDefaultStorageNode(path)
        node.GetStorageNode().SetFileName(path)
        return bool(node.GetStorageNode().WriteData(node))
