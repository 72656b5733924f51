"""Is there a bleed? A quick look on 2 mm cubes, before anything that a bleed would forbid or falsify.

It finds what is bright, compact and inside the brain. Thin blood along the skull, in sulci or on the
tentorium is not found: this is a guard, no measurement; HematomaVolume measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.regions.worksheet import WORK_MM, worksheet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Volume

#: Acute blood is 50-80 HU, brain below 45; clotted blood stays below about 90 HU (New and Aronow, Radiology
#: 1976, doi 10.1148/121.3.635).
BLOOD_HU = (48.0, 92.0)
#: Brighter than this brain's own tissue by so much.
CONTRAST_HU = 14.0
#: A ball of this radius must fit: vessels, falx, tentorium and the band along the skull are thinner.
INNER_RADIUS_MM = 3.5
#: This near to the skull its glow and partial bone look like blood.
EDGE_MM = 4.0
LEAST_ML = 0.5


@dataclass(frozen=True)
class BleedCandidate:
    """One bright compact region: volume in mL, mean in HU, centre in RAS (mm)."""

    volume_ml: float
    mean_hu: float
    center_ras: tuple[float, float, float]


def find_bleeds(volume: Volume, brain_kji: NDArray[np.bool_]) -> tuple[BleedCandidate, ...]:
    """Find bright compact regions inside the brain, the largest first."""
    sheet = worksheet(volume)
    brain = sheet.downsampled(brain_kji)
    if not brain.any():
        return ()
    smooth = ndimage.gaussian_filter(np.clip(sheet.array_zyx, -40, 130), 0.5)
    deep = ndimage.distance_transform_edt(brain, sampling=WORK_MM) > EDGE_MM
    lowest = max(BLOOD_HU[0], float(np.median(smooth[deep])) + CONTRAST_HU) if deep.any() else BLOOD_HU[0]
    bright = deep & (smooth >= lowest)
    heart = ndimage.distance_transform_edt(bright, sampling=WORK_MM) >= INNER_RADIUS_MM
    near = ndimage.distance_transform_edt(~heart, sampling=WORK_MM) <= INNER_RADIUS_MM + WORK_MM
    labels, _count = ndimage.label(bright & near, np.ones((3, 3, 3)))
    found = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        part = labels[box] == label
        mean_hu = float(smooth[box][part].mean())
        volume_ml = float(part.sum()) * WORK_MM**3 / 1000
        if volume_ml < LEAST_ML or mean_hu > BLOOD_HU[1] or not heart[box][part].any():
            continue
        zyx = np.argwhere(part).mean(axis=0) + [s.start for s in box]
        r, a, s = (float(v) for v in sheet.ras_from_zyx[:3, :3] @ zyx + sheet.ras_from_zyx[:3, 3])
        found.append(BleedCandidate(volume_ml, mean_hu, (r, a, s)))
    return tuple(sorted(found, key=lambda candidate: -candidate.volume_ml))
