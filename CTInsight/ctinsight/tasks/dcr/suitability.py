"""Whether a CT suits measuring before a dacryocystorhinostomy."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.checks import (
    InputLimits,
    check_age,
    check_gaps,
    check_metal,
    check_modality_hu,
    check_orientation,
    check_slice_spacing,
    check_tilt,
)
from ctinsight.finding import Check, Outcome, Side
from ctinsight.tasks.dcr.anatomy import sac_sides

if TYPE_CHECKING:
    from ctinsight.tasks.dcr.anatomy import Anatomy
    from ctinsight.volume import Scan

#: As this project's table of input checks asks: slices over 1 mm are warned of, a corrected tilt and bone
#: kernels are fine, metal and patients under 18 years are warned of.
DCR_LIMITS = InputLimits(
    task="dcr",
    spacing_warn_mm=1.0,
    contrast=Outcome.PASS,
    tilt=Outcome.PASS,
    bone_kernel=Outcome.PASS,
    source="project proposal, to be tuned on data",
)
#: Contrast medium in a sac is denser than this; tears and mucus stay below 60 HU, so 150 HU parts them
#: safely.
CONTRAST_HU = 150.0
_CONE_BEAM = re.compile(r"\bCBCT\b|CONE[ -]?BEAM|DVT", re.IGNORECASE)


def check_midface_ct(scan: Scan) -> tuple[Check, ...]:
    """Check how the CT was made; masks can be measured where the HU scale cannot be trusted."""
    return (
        _modality(scan),
        _kind(scan),
        check_slice_spacing(scan, DCR_LIMITS),
        check_gaps(scan),
        check_tilt(scan, DCR_LIMITS),
        check_orientation(scan),
        check_metal(scan, None, DCR_LIMITS),
        check_age(scan, DCR_LIMITS),
    )


def check_anatomy(scan: Scan, anatomy: Anatomy, side: Side) -> tuple[Check, ...]:
    """Check what is drawn: contrast in the sac, the stated side, and what is missing."""
    return _contrast(scan, anatomy.on(side)), _side(anatomy, side), _parts(anatomy.on(side))


def _modality(scan: Scan) -> Check:
    check = check_modality_hu(scan, None)
    if check.outcome is not Outcome.REFUSE or scan.acquisition.modality not in (None, "CT"):
        return check
    return replace(
        check,
        outcome=Outcome.WARN,
        remedy="Lengths and volumes of drawn masks hold; nothing that reads HU does. Is it a cone-beam CT, or"
        " a cut-out without air?",
    )


def _kind(scan: Scan) -> Check:
    text = " ".join(filter(None, (scan.acquisition.series_description, scan.acquisition.kernel)))
    cone = _CONE_BEAM.search(text)
    measured = f"cone-beam CT ({cone.group(0)!r} in the description)" if cone else "no sign of cone-beam CT"
    remedy = "Cone-beam CT has no fixed HU scale: contrast medium and bone cannot be told by density."
    return Check(
        "kind",
        "Kind of CT",
        Outcome.WARN if cone else Outcome.PASS,
        measured,
        "multi-detector CT, with contrast medium in the sac",
        remedy if cone else "",
    )


def _contrast(scan: Scan, own: Anatomy) -> Check:
    name, key = "Contrast medium in the sac", "sac_contrast"
    expected = f"a median of {CONTRAST_HU:.0f} HU or more (CT dacryocystography)"
    if not own.sac_kji.any():
        remedy = "Draw the sac, or click on it; what needs a sac is not applicable."
        return Check(key, name, Outcome.WARN, "no sac is drawn on the operated side", expected, remedy)
    core = ndimage.binary_erosion(own.sac_kji)
    values = scan.volume.array_kji[core if core.any() else own.sac_kji]
    median = float(np.median(values))
    if median >= CONTRAST_HU:
        return Check(key, name, Outcome.PASS, f"median {median:.0f} HU", expected)
    what = "air" if median < -200 else "no contrast medium: a plain CT, or the sac did not fill"
    remedy = "The published model was made for filled sacs: look whether the mask is the sac."
    return Check(key, name, Outcome.WARN, f"median {median:.0f} HU, {what}", expected, remedy)


def _side(anatomy: Anatomy, side: Side) -> Check:
    seen = sac_sides(anatomy)
    name, expected = "Operated side", "the side stated, confirmed by the place of the sac in the patient"
    if seen:
        words = "sacs on both sides" if len(seen) > 1 else f"sac on the patient's {seen[0].value}"
        return Check("side", name, Outcome.PASS, f"{side.value}; {words}", expected)
    why = "no sac" if not anatomy.sac_kji.any() else "too little of the face in view, or a sac at the midline"
    remedy = "Make sure of the side by yourself: it could not be confirmed from the image."
    return Check("side", name, Outcome.WARN, f"{side.value} as stated; {why}", expected, remedy)


def _parts(own: Anatomy) -> Check:
    masks = {"sac": own.sac_kji, "maxilla": own.maxilla_kji, "nasal cavity": own.nasal_kji}
    missing = [name for name, mask in masks.items() if not mask.any()]
    edge = [name for name, mask in masks.items() if _touches_border(mask)]
    words = [f"no {name}" for name in missing] + [f"{name} cut by the image border" for name in edge]
    remedy = "What needs them is not applicable, or too small." if words else ""
    outcome = Outcome.WARN if words else Outcome.PASS
    measured = "; ".join(words) or "sac, maxilla and nasal cavity"
    return Check("masks", "Masks on the operated side", outcome, measured, "all three, whole", remedy)


def _touches_border(mask: np.ndarray) -> bool:
    return any(bool(mask.take([0, -1], axis=axis).any()) for axis in range(3))
