"""Is this input suitable? Pass, warn or refuse, each with the value that was measured.

The checks read how the image was made and its voxels, never who the patient is. Limits are data
(:class:`InputLimits`): each task brings its own record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctinsight.checks.header import (
    check_age,
    check_gaps,
    check_orientation,
    check_slice_spacing,
    check_tilt,
)
from ctinsight.checks.limits import HEMATOMA_LIMITS, LVO_LIMITS, NODULE_LIMITS, InputLimits
from ctinsight.checks.voxels import (
    check_contrast,
    check_field_of_view,
    check_kernel,
    check_metal,
    check_modality_hu,
    check_noise,
)
from ctinsight.errors import GeometryError, InputRefusedError
from ctinsight.finding import Check, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from ctinsight.volume import Scan

__all__ = [
    "HEMATOMA_LIMITS",
    "LVO_LIMITS",
    "NODULE_LIMITS",
    "InputLimits",
    "check_age",
    "check_contrast",
    "check_field_of_view",
    "check_gaps",
    "check_head_ct",
    "check_kernel",
    "check_metal",
    "check_modality_hu",
    "check_noise",
    "check_orientation",
    "check_slice_spacing",
    "check_tilt",
    "refuse_if_unsuitable",
]


def check_head_ct(
    scan: Scan, brain_mask: NDArray[np.bool_] | None = None, *, limits: InputLimits = HEMATOMA_LIMITS
) -> tuple[Check, ...]:
    """Check a head CT.

    Parameters
    ----------
    scan
        The CT as it was read.
    brain_mask
        Intracranial content (slices, rows, columns) on the same grid. Without it, brain attenuation, noise,
        vessels and the cuts of the brain cannot be measured, and the checks say so.
    limits
        What the task asks for.

    Returns
    -------
    tuple of Check
        Keys ``modality_hu``, ``slice_spacing``, ``gaps``, ``tilt``, ``field_of_view``, ``orientation``,
        ``contrast``, ``kernel``, ``noise``, ``age``, ``metal``, in this order.

    Raises
    ------
    GeometryError
        The mask has another shape than the CT; resample it first.
    """
    if brain_mask is not None and brain_mask.shape != scan.volume.grid.shape_kji:
        raise GeometryError(
            found=f"a brain mask of shape {brain_mask.shape} for a CT of {scan.volume.grid.shape_kji}",
            expected="the same shape",
            remedy="Resample the mask to the CT's grid first.",
        )
    return (
        check_modality_hu(scan, brain_mask),
        check_slice_spacing(scan, limits),
        check_gaps(scan),
        check_tilt(scan, limits),
        check_field_of_view(scan, brain_mask),
        check_orientation(scan),
        check_contrast(scan, brain_mask, limits),
        check_kernel(scan, brain_mask, limits),
        check_noise(scan, brain_mask, limits),
        check_age(scan, limits),
        check_metal(scan, brain_mask, limits),
    )


def refuse_if_unsuitable(checks: Iterable[Check]) -> None:
    """Stop when a check refuses.

    Raises
    ------
    InputRefusedError
        Names every refusal with its measured value, what was expected and what to do.
    """
    refused = [check for check in checks if check.outcome is Outcome.REFUSE]
    if refused:
        raise InputRefusedError(
            found="; ".join(f"{check.name}: {check.measured}" for check in refused),
            expected="; ".join(dict.fromkeys(check.expected for check in refused)),
            remedy=" ".join(dict.fromkeys(check.remedy for check in refused if check.remedy)),
        )
