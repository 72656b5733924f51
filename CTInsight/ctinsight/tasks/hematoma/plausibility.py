"""Could this be a bleed at all? A warning where size, place or attenuation speak against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctinsight.finding import Check, Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.hematoma.findings import MeasuredMask
    from ctinsight.volume import Volume

KEY = "plausible"

#: Proposals of this project. 15 % of an adult's 1400 mL are 210 mL; bleeds that are treated and studied lie
#: below (ABC/2 is validated up to 150 mL or so), and what a method outlines above is nearly always its error.
MOST_SHARE = 0.15
MOST_ML = 210.0
#: Blood lies inside the skull; a little of its border may not.
MOST_OUTSIDE = 0.2
#: Mean attenuation of blood on CT: about 30 HU where it is subacute or the patient anaemic, below 95 HU when
#: it is clotted (haematocrit limit; New and Aronow, Radiology 1976, doi 10.1148/121.3.635).
MEAN_HU = (30.0, 95.0)


def plausibility_check(
    measured: MeasuredMask, mask_kji: NDArray[np.bool_], volume: Volume, brain_kji: NDArray[np.bool_] | None
) -> Check:
    """Judge a measured mask by its size, its place and its mean attenuation.

    Parameters
    ----------
    measured
        The mask, measured.
    mask_kji
        (slices, rows, columns) bool.
    volume
        The CT.
    brain_kji
        The inside of the skull; ``None`` leaves out what it is needed for, and the line says so.
    """
    reasons = []
    shown = f"{measured.volume_ml:.1f} mL"
    limit_ml, of_what = MOST_ML, f"{MOST_ML:g} mL"
    if brain_kji is not None and brain_kji.any():
        inside_ml = float(np.count_nonzero(brain_kji)) * volume.grid.voxel_volume_ml
        shown += f", {100 * measured.volume_ml / inside_ml:.1f} % of the {inside_ml:.0f} mL inside the skull"
        limit_ml, of_what = MOST_SHARE * inside_ml, f"{100 * MOST_SHARE:g} % of the inside of the skull"
        outside = float(np.count_nonzero(mask_kji & ~brain_kji)) / max(int(np.count_nonzero(mask_kji)), 1)
        if outside > MOST_OUTSIDE:
            reasons.append(f"{100 * outside:.0f} % of it lies outside the brain that was found")
    else:
        shown += "; place not checked: brain not outlined"
    if measured.volume_ml > limit_ml:
        reasons.append(f"more than {of_what}")
    mean_hu = measured.mean_hu
    if mean_hu is not None and not MEAN_HU[0] <= mean_hu <= MEAN_HU[1]:
        reasons.append(f"a mean of {mean_hu:.0f} HU is not that of blood")
    expected = f"at most {of_what}, inside the skull, {MEAN_HU[0]:g} to {MEAN_HU[1]:g} HU on average"
    return Check(
        KEY,
        "Plausible bleed",
        Outcome.WARN if reasons else Outcome.PASS,
        "; ".join([shown, *reasons]),
        expected,
        "Look at every slice of the outline before using a number; try another method." if reasons else "",
    )
