"""What every manifest says: the software that computed, and the input without whose it is."""

from __future__ import annotations

import hashlib
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.version import VERSION

if TYPE_CHECKING:
    from ctinsight.volume import Scan

#: What every task computes with.
STOCK_PACKAGES = ("numpy", "scipy", "SimpleITK", "pydicom")


def software_versions(*more: str) -> dict[str, str]:
    """Return the versions of everything that computed: the stock packages and those named in ``more``."""
    found = {"ctinsight": VERSION, "python": platform.python_version(), "system": platform.system()}
    for package in (*STOCK_PACKAGES, *more):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            # In 3D Slicer some packages come without metadata, but the imported module knows.
            found[package] = str(getattr(sys.modules.get(package), "__version__", "unknown"))
    return found


def input_facts(scan: Scan) -> dict[str, Any]:
    """Describe the input without saying whose it is: geometry and a checksum of the voxels."""
    array = np.ascontiguousarray(scan.volume.array_kji)
    grid = scan.volume.grid
    return {
        "file_format": scan.acquisition.file_format,
        "shape_kji": list(grid.shape_kji),
        "spacing_ijk_mm": list(grid.spacing_ijk_mm),
        "ijk_to_ras": grid.ijk_to_ras.tolist(),
        "voxel_type": str(array.dtype),
        "voxels_sha256": hashlib.sha256(array.view(np.uint8).data).hexdigest(),
        "resampled": scan.acquisition.resampled,
        "gaps": [list(gap) for gap in scan.acquisition.gaps],
    }
