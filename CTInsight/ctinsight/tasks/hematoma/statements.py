"""What must be read with every number, and how the numbers were made."""

from __future__ import annotations

import hashlib
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.tasks.hematoma.parameters import Method
from ctinsight.version import VERSION

if TYPE_CHECKING:
    from ctinsight.tasks.hematoma.parameters import Parameters
    from ctinsight.volume import Scan

ONE_CLASS = (
    "One class only: blood in the tissue, in the ventricles (IVH) and outside the brain (subdural, "
    "epidural, subarachnoid) is not told apart."
)
SOURCES_OF_ERROR = (
    "Sources of uncertainty: partial volume at the surface (the interval), the choice of HU range or "
    "network, noise, beam hardening beside the skull, blood of low attenuation (anaemia, hyperacute or "
    "subacute bleeds), calcification."
)
ABC_SCOPE = (
    "A, B and C are drawn on the largest component; the table of formulas also gives the sum over "
    "components, each with its own A, B and C. Slices are those of the measured grid, which is "
    "finer than the scan where uneven slices were resampled; C counts them by their "
    "spacing. A slice weighs 1 above 75 % of the largest area, 0.5 from 25 to 75 %, 0 below. ABC/2 is 4.5"
    " % low even on a perfect ellipsoid."
)
AUTOMATIC = (
    "Found automatically: bleeds below {min_ml:g} mL, thinner than {thin_mm:g} mm, or in a narrow band "
    "along the skull are missed; a click measures them. The table of refused regions names every bright "
    "region that was not counted."
)
EDITED = "The outline was edited or drawn by a person; the numbers follow that outline."
FIRST_OUTLINE = (
    "The outline before editing was made by DR-UNet with {weights}, whose output is an uncalibrated score."
)

METHOD_NAMES = {
    Method.THRESHOLD: "seeded threshold",
    Method.FUZZY_C_MEANS: "fuzzy c-means",
    Method.ACTIVE_CONTOUR: "geodesic active contour",
    Method.DRUNET: "DR-UNet",
}


def statements_of(parameters: Parameters, *, edited: bool) -> tuple[str, ...]:
    """Return the limits of one run, in words."""
    found: tuple[str, ...] = (RESEARCH_USE_ONLY, ONE_CLASS)
    if edited:
        found += (EDITED,)
    elif parameters.method is not Method.DRUNET and parameters.point_ras is None:
        rules = parameters.clean_up
        thin_mm = 2 * rules.min_inner_radius_mm
        found += (AUTOMATIC.format(min_ml=rules.min_component_ml, thin_mm=thin_mm),)
    return (*found, ABC_SCOPE, SOURCES_OF_ERROR)


def software_versions(method: Method) -> dict[str, str]:
    """Return the versions of everything that computed."""
    packages = ["numpy", "scipy", "SimpleITK"] + (["torch"] if method is Method.DRUNET else [])
    found = {"ctinsight": VERSION, "python": platform.python_version(), "system": platform.system()}
    for package in packages:
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
