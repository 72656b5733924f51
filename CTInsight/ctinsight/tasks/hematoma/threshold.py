"""Seeded threshold: a click, or bright cores found by themselves, grown in a range that fits each bleed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.errors import WrongUseError
from ctinsight.measure import opened
from ctinsight.tasks.hematoma.intensity import grow_box, voxels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.hematoma.intensity import Head

#: A core is brighter than brain tissue by this many standard deviations, kept between these HU: acute blood
#: is 50-80 HU, brain below 45 (guide values of any CT textbook; the limits keep noise from moving them far).
CORE_DEVIATIONS = 3.0
CORE_LIMITS_HU = (45.0, 50.0)

#: No core starts this close to the edge of the brain, where bone shares the voxel (mm).
EDGE_MARGIN_MM = 1.5

#: Thinnest core: a ball of this radius (mm) must fit, so that noise, falx and the bright rim along the skull
#: start nothing and bleeds beside the skull are not joined by it.
CORE_RADIUS_MM = 1.5

#: How far a region may grow beyond its core, mm; the rim of a bleed is a matter of blur, not of centimetres.
GROWTH_MM = 6.0

#: The highest HU of clotted blood; what is brighter is calcification, bone or metal.
UPPER_HU = 95.0

#: Share of the skull's glow that is taken off where a border is drawn: all of it where beam hardening
#: brightens blood and brain alike, half where only the brain beside the blood holds bone in part; real heads
#: have both.
GLOW_SHARE = 0.75

#: Radius in mm over which a click is averaged.
CLICK_RADIUS_MM = 2.0

#: A click must be brighter than brain tissue by this much (HU), and below ``UPPER_HU``.
CLICK_CONTRAST_HU = 12.0

#: What hangs on a clicked region by a bridge thinner than twice this (mm) is cut off.
BRIDGE_RADIUS_MM = 1.5

#: Ring around a core, mm, in which the tissue beside the bleed is read.
RING_MM = (3.0, 8.0)

_NEIGHBOURS = np.ones((3, 3, 3), dtype=np.bool_)


@dataclass(frozen=True)
class RegionRange:
    """The HU range of one bleed: from half-way between it and its surroundings upwards."""

    blood_hu: float
    beside_hu: float

    @property
    def lower_hu(self) -> float:
        """The middle between blood and what lies beside it: there a blurred straight edge keeps its place."""
        return (self.blood_hu + self.beside_hu) / 2


def core_threshold_hu(head: Head) -> float:
    """Return the HU above which a voxel may start a bleed, from the brain's own values."""
    wanted = head.tissue.mode_hu + CORE_DEVIATIONS * head.tissue.spread_hu
    return float(np.clip(wanted, *CORE_LIMITS_HU))


def candidate_cores(head: Head) -> NDArray[np.bool_]:
    """Find bright cores, (slices, rows, columns) bool: brighter than tissue, off the edge, not hair-thin."""
    bright = (head.smooth_kji - head.glow_kji >= core_threshold_hu(head)) & interior(head)
    return opened(bright, head.grid, CORE_RADIUS_MM)


def interior(head: Head) -> NDArray[np.bool_]:
    """Return the brain without the voxels that share their place with the skull.

    Those are a rim of ``EDGE_MARGIN_MM`` and, where slices are thicker than that, the voxel next to the
    outside along the slice axis too: a thick slice under the vertex or above the skull base is half bone.
    """
    inner = head.depth_mm > EDGE_MARGIN_MM
    for axis, spacing in enumerate(head.spacing_kji_mm):
        if spacing > EDGE_MARGIN_MM:
            line = np.zeros((3, 3, 3), dtype=np.bool_)
            line[tuple(slice(None) if a == axis else 1 for a in range(3))] = True
            inner &= ndimage.binary_erosion(head.brain_kji, line)
    return np.asarray(inner)


def threshold_automatic(head: Head, range_hu: tuple[float, float] | None = None) -> NDArray[np.bool_]:
    """Outline every bright region of a head.

    Each core is grown in its own range (:class:`RegionRange`), or in a fixed one.

    Parameters
    ----------
    head
        The CT cut to its brain.
    range_hu
        (lower, upper) for all; ``None`` adapts.

    Returns
    -------
    NDArray
        (slices, rows, columns) bool; nothing where nothing is bright. Not yet cleaned of calcification, falx
        and sinus: see :mod:`ctinsight.tasks.hematoma.cleanup`.
    """
    cores = candidate_cores(head)
    labels, _count = ndimage.label(cores, _NEIGHBOURS)
    found = np.zeros(cores.shape, dtype=np.bool_)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            wide = grow_box(box, voxels_of(GROWTH_MM + RING_MM[1], head.spacing_kji_mm), labels.shape)
            found[wide] |= _grow(head, wide, labels[wide] == label, cores[wide], range_hu=range_hu)
    return found


def threshold_from_point(
    head: Head, point_ras: tuple[float, float, float], range_hu: tuple[float, float] | None = None
) -> NDArray[np.bool_]:
    """Grow the one bright region that was clicked.

    Parameters
    ----------
    head
        The CT cut to its brain.
    point_ras
        The click, RAS in mm.
    range_hu
        (lower, upper); ``None`` adapts to what was clicked and what lies beside it.

    Raises
    ------
    WrongUseError
        The click lies outside the brain, or on tissue that is not bright like blood.
    """
    seed = clicked_voxel(head, point_ras)
    ball = _ball(head, seed, CLICK_RADIUS_MM)
    clicked_hu = float(np.mean(np.clip(head.hu_kji[ball], -100.0, 300.0)))
    _refuse_unlike_blood(head, clicked_hu, range_hu, point_ras)
    region = ball
    blood_hu = clicked_hu
    for _round in range(4):
        limits = range_hu or (RegionRange(blood_hu, head.tissue.mode_hu).lower_hu, UPPER_HU)
        allowed = (head.smooth_kji >= limits[0]) & (head.smooth_kji <= limits[1]) & head.brain_kji
        region = connected_to(ball, allowed)
        new_hu = core_value_hu(head.hu_kji, region, head.spacing_kji_mm)
        if abs(new_hu - blood_hu) < 0.25 or range_hu is not None:
            break
        blood_hu = new_hu
    return _without_bridges(head, region, seed)


def clicked_voxel(head: Head, point_ras: tuple[float, float, float]) -> tuple[int, int, int]:
    """Return the voxel (k, j, i) of the box under a click.

    Raises
    ------
    WrongUseError
        The click lies outside the image or outside the brain.
    """
    ijk = head.grid.ijk_from_ras(point_ras)
    k, j, i = (round(float(x)) for x in ijk[::-1])
    inside = all(0 <= x < n for x, n in zip((k, j, i), head.hu_kji.shape, strict=True))
    if inside and head.brain_kji[k, j, i]:
        return k, j, i
    center = head.grid.ras_from_ijk(np.argwhere(head.brain_kji).mean(axis=0)[::-1])
    where = f"{head.hu_kji[k, j, i]:.0f} HU there" if inside else "outside the box of the brain"
    raise WrongUseError(
        found=f"a point at R,A,S = {_text(point_ras)} that lies outside the brain ({where})",
        expected=f"a point inside the brain, whose center is at R,A,S = {_text(center)}",
        remedy="Click inside the blood. The point is given in RAS (right, anterior, superior), in mm.",
    )


def core_value_hu(
    hu_kji: NDArray[np.float32], mask_kji: NDArray[np.bool_], spacing_kji_mm: tuple[float, float, float]
) -> float:
    """Return the median HU of the inner part of a region, away from its blurred rim."""
    depth = ndimage.distance_transform_edt(np.pad(mask_kji, 1), sampling=spacing_kji_mm)[1:-1, 1:-1, 1:-1]
    inner = depth >= min(2.0, 0.6 * float(depth.max()))
    return float(np.median(hu_kji[inner & mask_kji])) if mask_kji.any() else float("nan")


def _grow(
    head: Head,
    box: tuple[slice, slice, slice],
    core: NDArray[np.bool_],
    every_core: NDArray[np.bool_],
    *,
    range_hu: tuple[float, float] | None,
) -> NDArray[np.bool_]:
    brain = head.brain_kji[box]
    smooth = head.smooth_kji[box] - GLOW_SHARE * head.glow_kji[box]
    distance = ndimage.distance_transform_edt(~core, sampling=head.spacing_kji_mm)
    ring = (distance > RING_MM[0]) & (distance <= RING_MM[1]) & brain & ~every_core
    blood_hu = core_value_hu(head.hu_kji[box], core, head.spacing_kji_mm)
    limits = range_hu or (RegionRange(blood_hu, tissue_beside_hu(head, smooth[ring])).lower_hu, np.inf)
    allowed = (smooth >= limits[0]) & (smooth <= limits[1]) & brain & (distance <= GROWTH_MM)
    allowed &= belongs_at_the_skull(head, box, distance)
    return connected_to(core, allowed)


def belongs_at_the_skull(
    head: Head, box: tuple[slice, slice, slice], core_distance_mm: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Say where bright voxels count: beside the skull only straight outside a core, or like blood."""
    rim = head.depth_mm[box] <= EDGE_MARGIN_MM
    like_blood = head.smooth_kji[box] <= UPPER_HU
    return np.asarray(~rim | like_blood | (core_distance_mm <= EDGE_MARGIN_MM + 1.0))


def connected_to(start_kji: NDArray[np.bool_], allowed_kji: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the parts of a mask that a start region touches."""
    labels, _count = ndimage.label(allowed_kji, _NEIGHBOURS)
    touched = np.unique(labels[start_kji & allowed_kji])
    return np.isin(labels, touched[touched > 0])


def tissue_beside_hu(head: Head, ring_hu: NDArray[np.float32]) -> float:
    """Return the median HU of the tissue beside a bleed, kept near that of brain; brain's own for too few."""
    mode = head.tissue.mode_hu
    if ring_hu.size < 20:
        return mode
    return float(np.clip(np.median(ring_hu), mode - 20.0, mode + 5.0))


def _without_bridges(head: Head, region: NDArray[np.bool_], seed: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Cut off what hangs on the clicked region by a bridge thinner than 3 mm, such as falx or tentorium."""
    body = opened(region, head.grid, BRIDGE_RADIUS_MM)
    labels, count = ndimage.label(body, _NEIGHBOURS)
    if count == 0:
        return region
    near = ndimage.distance_transform_edt(labels == 0, sampling=head.spacing_kji_mm, return_indices=True)[1]
    own = labels[tuple(near[:, seed[0], seed[1], seed[2]])]
    close = ndimage.distance_transform_edt(labels != own, sampling=head.spacing_kji_mm) <= BRIDGE_RADIUS_MM
    return np.asarray(region & close)


def _refuse_unlike_blood(
    head: Head, clicked_hu: float, range_hu: tuple[float, float] | None, point_ras: tuple[float, float, float]
) -> None:
    low, high = range_hu or (head.tissue.mode_hu + CLICK_CONTRAST_HU, UPPER_HU)
    if not low <= clicked_hu <= high:
        raise WrongUseError(
            found=f"{clicked_hu:.0f} HU around the point R,A,S = {_text(point_ras)}"
            f" (brain tissue here: {head.tissue.mode_hu:.0f} HU)",
            expected=f"{low:.0f} to {high:.0f} HU, the range of blood in this head",
            remedy="Click into the bright part of the bleed.",
        )


def _ball(head: Head, center_kji: tuple[int, int, int], radius_mm: float) -> NDArray[np.bool_]:
    axes = [
        (np.arange(n) - c) * s
        for n, c, s in zip(head.hu_kji.shape, center_kji, head.spacing_kji_mm, strict=True)
    ]
    squared = axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2
    return np.asarray((squared <= radius_mm**2) & head.brain_kji)


def _text(point: object) -> str:
    return ", ".join(f"{float(v):.1f}" for v in np.asarray(point))
