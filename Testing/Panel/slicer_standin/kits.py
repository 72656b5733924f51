"""The top-level modules that Slicer's Python has beside ``slicer``: vtkITK, vtkSegmentationCore, ..."""

from __future__ import annotations

import importlib
import sys

_KITS = (
    "vtkITK",
    "vtkTeem",
    "vtkSegmentationCore",
    "MRMLCore",
    "MRMLLogic",
    "MRMLDisplayableManager",
    "MRMLCLI",
)


def install() -> None:
    """Make the C++ libraries of slicer-core importable by the names that Slicer gives them."""
    for name in _KITS:
        kit = importlib.import_module(f"slicer_core.{name}")
        sys.modules.setdefault(name, kit)
        sys.modules.setdefault(f"{name}Python", kit)
    addon = importlib.import_module("slicer_core.vtkAddonPython")
    for name in ("vtkAddon", "vtkAddonPython"):
        sys.modules.setdefault(name, addon)
