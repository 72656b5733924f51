"""Put the shape of a known bleed into a real head CT: a semi-synthetic case, and always called so.

The lesion is a labelmap on a grid of its own. It is mirrored, turned, scaled and moved in patient space, then
sampled inside every voxel of the host, so that its edge is blurred by the host's slice profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage

from ctinsight.phantoms.placement import (
    Host,
    ImplantRecipe,
    Lesion,
    Placement,
    place,
    refuse_deep,
    refuse_other_side,
    refuse_shape,
    wrong_recipe,
)
from ctinsight.phantoms.texture import NoiseLevel, correlated_noise, measure_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.phantoms.shapes import Vector
    from ctinsight.volume import Grid, Volume

STATEMENT: Final = (
    "Semi-synthetic: a real head CT with a drawn bleed. The truth is the drawn shape. "
    "Research use only. Not a medical device."
)
#: Samples within a host voxel are at most this far apart, in mm; lesion masks are about 1 mm fine.
SAMPLE_MM: Final = 1.0
#: Oedema never darkens a voxel below this, in HU: it is wet tissue, not water.
OEDEMA_FLOOR_HU: Final = 12.0


@dataclass(frozen=True, eq=False)
class Implanted:
    """A semi-synthetic case.

    ``truth_kji`` (bool) holds the voxels of the brain mask that are at least half filled with blood;
    ``truth_ml`` is the volume of blood itself, partial voxels by their share. ``clipped_ml`` was cut off at
    the brain mask and is not in ``truth_ml``. ``noise`` is what was measured in the host around the lesion.
    """

    volume: Volume
    truth_kji: NDArray[np.bool_]
    truth_ml: float
    clipped_ml: float
    centroid_ras: Vector
    noise: NoiseLevel
    recipe: ImplantRecipe
    statement: str = STATEMENT


def implant_lesion(
    volume: Volume,
    brain_mask: NDArray[np.bool_],
    lesion_labels: NDArray[np.integer],
    lesion_grid: Grid,
    *,
    recipe: ImplantRecipe,
) -> Implanted:
    """Implant a lesion into a head CT.

    Parameters
    ----------
    volume
        The host, HU, any spacing and obliquity.
    brain_mask
        (slices, rows, columns) of the host: intracranial content; blood stays inside.
    lesion_labels, lesion_grid
        The lesion's labelmap, array in KJI order, and its grid.
    recipe
        What to draw where.

    Raises
    ------
    WrongUseError
        No blood in the labelmap, a position on the other side than asked for, too much blood outside the
        brain, or extra-axial blood away from the brain surface; the remedy says what to change.
    GeometryError
        A mask whose shape is not its grid's.
    """
    refuse_shape(brain_mask, volume.grid, "brain mask")
    refuse_shape(lesion_labels, lesion_grid, "lesion labelmap")
    host, lesion = Host(volume.grid, brain_mask), Lesion(lesion_labels, lesion_grid)
    placement = place(host, lesion, recipe)
    box = _box(host, lesion, placement, recipe)
    inside = brain_mask[box]
    drawn = _occupancy(host, box, placement, lesion, labels=recipe.blood_labels)
    filled = np.where(inside, drawn, 0)
    clipped_ml = _clipped_ml(host, lesion, placement, recipe, cut=drawn - filled)
    truth_ml = float(filled.sum(dtype=np.float64)) * volume.grid.voxel_volume_ml
    _refuse_clipped(clipped_ml, truth_ml, recipe)
    refuse_deep(host, lesion, placement, recipe)
    oedema = np.zeros_like(filled)
    if recipe.oedema_label is not None:
        oedema = np.where(inside, _occupancy(host, box, placement, lesion, labels=(recipe.oedema_label,)), 0)
    before = np.asarray(volume.array_kji[box], dtype=np.float32)
    noise = measure_noise(before, inside & (drawn < 0.01))
    array = np.array(volume.array_kji)
    array[box] = _cast(_compose(before, filled, oedema, noise, recipe=recipe), array.dtype)
    truth = np.zeros(volume.grid.shape_kji, dtype=np.bool_)
    truth[box] = filled >= 0.5
    centroid = _weighted_centroid(host, box, filled)
    refuse_other_side(centroid, host, recipe)
    return Implanted(volume.with_array(array), truth, truth_ml, clipped_ml, centroid, noise, recipe)


def _box(
    host: Host, lesion: Lesion, placement: Placement, recipe: ImplantRecipe
) -> tuple[slice, slice, slice]:
    """Find the part of the host array that holds the lesion, with three voxels of margin."""
    used = (*recipe.blood_labels, *(() if recipe.oedema_label is None else (recipe.oedema_label,)))
    ijk = host.grid.ijk_from_ras(placement.to_host(lesion.points(used)))
    reach = 3 + np.ceil(max(lesion.grid.spacing_ijk_mm) * recipe.scale / np.array(host.grid.spacing_ijk_mm))
    shape = np.array(host.grid.shape_kji[::-1])
    low = np.clip(np.floor(ijk.min(axis=0) - reach), 0, shape - 1).astype(int)
    high = np.clip(np.ceil(ijk.max(axis=0) + reach), 0, shape - 1).astype(int) + 1
    i, j, k = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return k, j, i


def _occupancy(
    host: Host,
    box: tuple[slice, slice, slice],
    placement: Placement,
    lesion: Lesion,
    *,
    labels: tuple[int, ...],
) -> NDArray[np.float32]:
    """Find the share (0 to 1) of every voxel of the box that some labels fill: a mean of regular samples."""
    mask = np.isin(lesion.labels_kji, labels).astype(np.float32)
    from_host = _index_matrix(host.grid, placement, lesion.grid)
    start = np.array([s.start for s in box[::-1]], dtype=np.float64)
    shape = tuple(s.stop - s.start for s in box)
    counts = [max(1, int(np.ceil(mm / SAMPLE_MM))) for mm in host.grid.spacing_ijk_mm]
    ticks = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    offsets = np.stack([a.ravel() for a in np.meshgrid(*ticks, indexing="ij")], axis=1)
    total = np.zeros(shape, dtype=np.float32)
    for offset in offsets:
        shift = from_host[:3, :3] @ (start + offset) + from_host[:3, 3]
        total += ndimage.affine_transform(
            mask,
            from_host[:3, :3][::-1, ::-1],
            shift[::-1],
            output_shape=shape,
            order=1,
            mode="grid-constant",
        )
    return np.asarray(np.clip(total / len(offsets), 0, 1), dtype=np.float32)


def _index_matrix(host: Grid, placement: Placement, lesion: Grid) -> NDArray[np.float64]:
    """Make the 4 x 4 matrix from host (i, j, k) to lesion (i, j, k)."""
    corners = np.vstack([np.zeros(3), np.eye(3)])
    mapped = lesion.ijk_from_ras(placement.to_lesion(host.ras_from_ijk(corners)))
    matrix = np.eye(4)
    matrix[:3, :3] = (mapped[1:] - mapped[0]).T
    matrix[:3, 3] = mapped[0]
    return matrix


def _compose(
    before: NDArray[np.float32],
    blood: NDArray[np.float32],
    oedema: NDArray[np.float32],
    noise: NoiseLevel,
    *,
    recipe: ImplantRecipe,
) -> NDArray[np.float32]:
    """Darken by oedema, then mix in blood by its share of each voxel, with the host's noise."""
    darker = np.maximum(before - recipe.oedema_drop_hu, np.minimum(before, OEDEMA_FLOOR_HU))
    base = before + oedema * (1 - blood) * (darker - before)
    rng = np.random.default_rng([recipe.seed, 3])
    grain = correlated_noise(rng, before.shape, noise)
    return np.asarray(base * (1 - blood) + blood * (recipe.mean_hu + grain), dtype=np.float32)


def _cast(hu: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return hu.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(hu), limits.min, limits.max).astype(dtype)


def _weighted_centroid(host: Host, box: tuple[slice, slice, slice], filled: NDArray[np.float32]) -> Vector:
    kji = np.array(ndimage.center_of_mass(filled)) + [s.start for s in box]
    x, y, z = (float(v) for v in host.grid.ras_from_ijk(kji[::-1]))
    return x, y, z


def _clipped_ml(
    host: Host,
    lesion: Lesion,
    placement: Placement,
    recipe: ImplantRecipe,
    *,
    cut: NDArray[np.float32],
) -> float:
    """Blood cut off at the brain mask, and blood outside the field of view."""
    points = placement.to_host(lesion.points(recipe.blood_labels))
    ijk = host.grid.ijk_from_ras(points)
    beyond = np.any((ijk < -0.5) | (ijk > np.array(host.grid.shape_kji[::-1]) - 0.5), axis=1)
    lost_ml = float(beyond.sum()) * lesion.grid.voxel_volume_ml * recipe.scale**3
    return float(cut.sum(dtype=np.float64)) * host.grid.voxel_volume_ml + lost_ml


def _refuse_clipped(clipped_ml: float, truth_ml: float, recipe: ImplantRecipe) -> None:
    share = clipped_ml / max(clipped_ml + truth_ml, 1e-9)
    if share > recipe.max_clipped_fraction:
        raise wrong_recipe(
            found=f"{clipped_ml:.2f} mL of {clipped_ml + truth_ml:.2f} mL of blood outside the brain mask",
            expected=f"at most {100 * recipe.max_clipped_fraction:g} %",
            change="position_ras, scale or max_clipped_fraction",
        )
