"""What must be read with every number, and how the numbers were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.tasks.hematoma.parameters import Method

if TYPE_CHECKING:
    from ctinsight.tasks.hematoma.parameters import Parameters

ONE_CLASS = (
    "One class only: blood in the tissue, in the ventricles (IVH) and outside the brain (subdural, "
    "epidural, subarachnoid) is not told apart."
)
SOURCES_OF_ERROR = (
    "Sources of uncertainty: partial volume at the surface (the interval), the choice of HU range or "
    "network, noise, beam hardening beside the skull, thin blood along the skull in thick slices (too little "
    "is found), blood of low attenuation (anaemia, hyperacute or subacute bleeds), calcification. The volume "
    "counts voxels; a second reading weighs the voxels of the border by their attenuation."
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
