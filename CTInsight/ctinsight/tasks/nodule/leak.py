"""Did the outline leak, or was it cut? What touches the nodule, and how firmly its border stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.finding import Check, Interval, Outcome
from ctinsight.tasks.nodule.cube import connected, slices_across
from ctinsight.tasks.nodule.layers import LEAST_SLICES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.nodule.segment import Outline

#: The level of the border is moved by this share of the contrast, both ways.
LEVEL_STEP = 0.1
#: The outline may move by this much then, as a share of the volume, before it counts as unsure.
UNSURE_SHARE = 0.35
#: What goes on through this shell about the nodule was cut off, mm.
SHELL_MM = (0.9, 1.5)
#: Share of the surface that may have been cut from vessels and the like before it is said as a warning.
CUT_SHARE = 0.15
#: A pleura seen less evenly than this is no good guide behind a nodule, mm.
ROUGH_PLEURA_MM = 1.0
#: Above this the finding is called a mass, and the method is not made for it.
LARGEST_MM = 30.0


@dataclass(frozen=True)
class Attachment:
    """What touches the nodule.

    Parameters
    ----------
    cut_share
        Share of its surface along which it was cut from vessels or other dense tissue.
    wall_share
        Share of its surface that lies on the pleura.
    pleura_rms_mm
        How far the pleura seen around strays from the surface fitted behind the nodule; ``None`` when there
        is no such surface.
    at_edge
        Whether the nodule reaches the edge of the image.
    """

    cut_share: float
    wall_share: float
    pleura_rms_mm: float | None
    at_edge: bool


def attachment(outline: Outline) -> Attachment:
    """Read what touches a nodule."""
    cube, mask = outline.cube, outline.mask_kji
    away = cube.distance_to(mask)
    shell = (away > SHELL_MM[0]) & (away <= SHELL_MM[1])
    count = max(int(shell.sum()), 1)
    cut = shell & outline.body.region_kji
    wall = shell & (cube.wall_gap_kji <= 0)
    rms = None if outline.pleura is None else outline.pleura.rms_mm
    return Attachment(float(cut.sum()) / count, float(wall.sum()) / count, rms, _at_edge(outline))


def level_interval(outline: Outline) -> Interval:
    """Volume in mm³ when the level of the border is moved by a tenth of the contrast both ways."""
    cube, balance = outline.cube, outline.balance
    near = cube.distance_to(outline.mask_kji) <= 2.0
    near &= ~(outline.body.region_kji & ~outline.mask_kji) & cube.lung_kji
    volumes = []
    for step in (LEVEL_STEP, -LEVEL_STEP):
        threshold = balance.lung_hu + (balance.level + step) * (balance.rim_hu - balance.lung_hu)
        moved = connected(outline.mask_kji, near & (cube.hu_kji >= threshold))
        volumes.append(float(moved.sum()) * cube.spacing_mm**3)
    return Interval(volumes[0], volumes[1], "border moved by a tenth of the contrast both ways")


def leak_check(number: int, outline: Outline, diameter_mm: float, interval: Interval) -> Check:
    """Say whether the outline can be trusted, with what was measured; never silent."""
    touch = attachment(outline)
    volume = float(outline.mask_kji.sum()) * outline.cube.spacing_mm**3
    spread = (interval.high - interval.low) / 2 / max(volume, 1e-6)
    slices = slices_across(outline.cube, outline.mask_kji)
    facts = [
        f"{100 * touch.cut_share:.0f} % of the surface cut from vessels",
        f"{100 * touch.wall_share:.0f} % on the pleura",
        f"volume ± {100 * spread:.0f} % when the border level moves by a tenth",
    ]
    faults = [
        "may have leaked into or been cut off a vessel" if touch.cut_share > CUT_SHARE else "",
        "the pleura behind it could not be fitted well" if _bad_wall(touch) else "",
        "its border is unsure" if spread > UNSURE_SHARE else "",
        f"only {slices:.1f} slices thick" if slices < LEAST_SLICES else "",
        "it reaches the edge of the image" if touch.at_edge else "",
        f"larger than {LARGEST_MM:.0f} mm" if diameter_mm > LARGEST_MM else "",
    ]
    said = "; ".join(fault for fault in faults if fault)
    outcome = Outcome.WARN if said else Outcome.PASS
    measured = ", ".join(facts) + (f": {said}" if said else "")
    return Check(
        f"nodule_{number}_leak",
        f"Nodule {number}: outline",
        outcome,
        measured,
        f"at most {100 * CUT_SHARE:.0f} % cut, ± {100 * UNSURE_SHARE:.0f} %, up to {LARGEST_MM:.0f} mm,"
        f" {LEAST_SLICES:.0f} slices or more",
        "Look at the outline and edit it; the numbers follow the edit." if said else "",
    )


def _bad_wall(touch: Attachment) -> bool:
    touches = touch.wall_share > 0.05
    return touches and (touch.pleura_rms_mm is None or touch.pleura_rms_mm > ROUGH_PLEURA_MM)


def _at_edge(outline: Outline) -> bool:
    # Interpolation goes on beyond the image with its last value; a nodule there is cut off by the scan.
    part = outline.cube.volume.grid
    ijk = part.ijk_from_ras(outline.cube.grid.ras_from_ijk(_voxels(outline.mask_kji)))
    return bool(np.any(ijk < 0) or np.any(ijk > np.array(part.shape_kji[::-1]) - 1))


def _voxels(mask_kji: NDArray[np.bool_]) -> NDArray[np.int_]:
    return np.argwhere(mask_kji)[:, ::-1]
