"""Solid, part-solid or ground-glass, with the numbers that say so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.nodule.cube import Cube

#: Smaller pieces of dense tissue in ground glass are not called a solid part: a ball of 2 mm has 4.2 mm3.
LEAST_SOLID_MM3 = 4.0


class NoduleType(StrEnum):
    """The three types that guidelines tell apart."""

    SOLID = "solid"
    PART_SOLID = "part-solid"
    GROUND_GLASS = "ground-glass"


@dataclass(frozen=True, eq=False)
class TypeReading:
    """The type, its solid part, and what speaks for it.

    ``solid_kji`` is the whole nodule when it is solid throughout.
    """

    kind: NoduleType
    solid_kji: NDArray[np.bool_]
    evidence: str


def read_type(cube: Cube, mask_kji: NDArray[np.bool_], rim_hu: float, threshold_hu: float) -> TypeReading:
    """Tell the type of a nodule.

    Parameters
    ----------
    cube, mask_kji
        The nodule.
    rim_hu
        Density of its outer part.
    threshold_hu
        From here on tissue is called solid.

    Notes
    -----
    A nodule whose outer part is solid is solid, whatever lies inside; blur at its border is not ground glass.
    One with a ground-glass rim is part-solid when at least 4 mm³ inside are solid.
    """
    solid = solid_part(cube, mask_kji, threshold_hu)
    share = 100.0 * float(solid.sum()) / max(int(mask_kji.sum()), 1)
    volume = float(solid.sum()) * cube.spacing_mm**3
    facts = f"outer part {rim_hu:.0f} HU; {share:.0f} % ({volume:.0f} mm³) at or above {threshold_hu:.0f} HU"
    if rim_hu >= threshold_hu:
        return TypeReading(NoduleType.SOLID, mask_kji, facts + ": solid up to its border")
    if solid.any():
        return TypeReading(NoduleType.PART_SOLID, solid, facts + ": ground glass around a solid part")
    return TypeReading(NoduleType.GROUND_GLASS, solid, facts + ": no solid part of 4 mm³ or more")


def solid_part(cube: Cube, mask_kji: NDArray[np.bool_], threshold_hu: float) -> NDArray[np.bool_]:
    """Dense tissue in a nodule, without pieces under 4 mm³; vessels that run through it count."""
    labels, count = ndimage.label(mask_kji & (cube.hu_kji >= threshold_hu))
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * cube.spacing_mm**3
    keep = sizes >= LEAST_SOLID_MM3
    keep[0] = False
    return np.asarray(keep[labels])
