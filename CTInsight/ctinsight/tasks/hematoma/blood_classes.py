"""Fuzzy c-means on a head: which class is blood, and when none is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.tasks.hematoma.fuzzy_cmeans import fuzzy_c_means
from ctinsight.tasks.hematoma.intensity import grow_box, voxels_of
from ctinsight.tasks.hematoma.threshold import (
    GLOW_SHARE,
    GROWTH_MM,
    UPPER_HU,
    belongs_at_the_skull,
    candidate_cores,
    connected_to,
    core_threshold_hu,
    core_value_hu,
    interior,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.hematoma.intensity import Head

#: First guess of the three classes fluid, brain and bright, HU.
START_HU = (5.0, 33.0, 65.0)

#: Bins of the histogram: half a Hounsfield unit from fluid and fat up to calcification.
BIN_EDGES_HU = np.arange(-20.0, UPPER_HU + 5.25, 0.5)
_BIN_CENTERS_HU = (BIN_EDGES_HU[:-1] + BIN_EDGES_HU[1:]) / 2

#: How often the brightest class may be split in two: blood is often below one voxel in a hundred, and a class
#: so small is swallowed by the brain until the bright tail is clustered by itself.
MAX_SPLITS = 4

#: Fewer bright voxels than this volume cannot be told from noise, mL.
SMALLEST_CLASS_ML = 0.1

#: Surroundings of a bright core that are clustered with it, mm.
SURROUNDINGS_MM = 10.0


@dataclass(frozen=True)
class BloodClass:
    """The classes of the whole brain, and whether the brightest is blood.

    ``centers_hu`` holds fluid, brain and bright; ``splits`` how often the bright tail was split; ``found``
    is false where the bright center stays below ``required_hu``.
    """

    centers_hu: tuple[float, float, float]
    splits: int
    found: bool
    required_hu: float


def blood_class(head: Head) -> BloodClass:
    """Cluster the brain's Hounsfield values and say whether one class is blood.

    Rule: three classes (fluid, brain, bright) by fuzzy c-means with m = 2 on the smoothed values inside the
    brain, away from the skull. While the center of the bright class lies below the value from which a bleed
    may start in this head (:func:`core_threshold_hu`), the voxels of that class alone are split in two and
    the brighter one is looked at, at most four times. If it never reaches that value, or holds less than 0.1
    mL, there is no blood class.
    """
    inner = interior(head)
    counts = _histogram(head.smooth_kji[inner] - head.glow_kji[inner])
    required = core_threshold_hu(head)
    fluid, brain, bright = fuzzy_c_means(_BIN_CENTERS_HU, counts, START_HU).centers_hu
    lower, splits = brain, 0
    while bright < required and splits < MAX_SPLITS:
        counts = np.where((lower + bright) / 2 < _BIN_CENTERS_HU, counts, 0.0)
        if counts.sum() * head.grid.voxel_volume_ml < SMALLEST_CLASS_ML:
            break
        lower, bright = fuzzy_c_means(_BIN_CENTERS_HU, counts, (bright, UPPER_HU)).centers_hu
        splits += 1
    return BloodClass((fluid, brain, bright), splits, bright >= required, required)


def fuzzy_mask(head: Head) -> tuple[NDArray[np.bool_], BloodClass]:
    """Outline the blood class.

    Where the whole brain has a blood class, each bright core is clustered once more together with what lies
    within 10 mm of it, because a small bleed is no cluster of a whole head. A voxel near the core is blood
    where its membership in the bright class is the largest. A core whose bright center misses
    ``required_hu`` gives nothing.

    Returns
    -------
    tuple
        Mask (slices, rows, columns) bool, empty where there is no blood class; and the classes of the whole
        brain.
    """
    classes = blood_class(head)
    found = np.zeros(head.hu_kji.shape, dtype=np.bool_)
    if not classes.found:
        return found, classes
    cores = candidate_cores(head)
    labels, _count = ndimage.label(cores, np.ones((3, 3, 3), dtype=np.bool_))
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            wide = grow_box(box, voxels_of(SURROUNDINGS_MM, head.spacing_kji_mm), labels.shape)
            found[wide] |= _local_blood(head, wide, labels[wide] == label, classes)
    return found, classes


def _local_blood(
    head: Head, box: tuple[slice, slice, slice], core: NDArray[np.bool_], classes: BloodClass
) -> NDArray[np.bool_]:
    smooth = head.smooth_kji[box] - GLOW_SHARE * head.glow_kji[box]
    distance = ndimage.distance_transform_edt(~core, sampling=head.spacing_kji_mm)
    counted = (distance <= SURROUNDINGS_MM) & interior(head)[box]
    start = (
        *classes.centers_hu[:2],
        max(core_value_hu(smooth, core, head.spacing_kji_mm), classes.required_hu),
    )
    centers = fuzzy_c_means(_BIN_CENTERS_HU, _histogram(smooth[counted]), start).centers_hu
    if centers[-1] < classes.required_hu:
        return np.zeros(core.shape, dtype=np.bool_)
    # With m = 2 the membership in the bright class is the largest exactly above the middle to the next
    # center.
    bright = (smooth >= (centers[-1] + centers[-2]) / 2) & head.brain_kji[box] & (distance <= GROWTH_MM)
    return connected_to(core, bright & belongs_at_the_skull(head, box, distance))


def _histogram(values_hu: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.histogram(values_hu, BIN_EDGES_HU)[0].astype(np.float64)
