"""Put drawn nodules into a real chest CT: a semi-synthetic case, and always called so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from ctinsight.errors import WrongUseError
from ctinsight.phantoms.nodules import NoduleKind
from ctinsight.phantoms.shapes import Points
from ctinsight.phantoms.texture import NoiseLevel, correlated_noise, measure_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.phantoms.nodules import Nodule
    from ctinsight.volume import Grid, Volume

STATEMENT: Final = (
    "Semi-synthetic: a real chest CT with a drawn nodule. The truth is the drawn shape. "
    "Research use only. Not a medical device."
)
#: Samples within a voxel are at most this share of the smallest half-axis apart.
SAMPLE_SHARE: Final = 0.1
#: Blur of the scanner besides voxel size, as in the phantom: standard deviation in mm.
BLUR_MM: Final = 0.4


@dataclass(frozen=True, eq=False)
class Lung:
    """Where there is lung: a bool mask on a grid of its own; it cuts off what lies beyond the pleura."""

    mask_kji: NDArray[np.bool_]
    grid: Grid


@dataclass(frozen=True, eq=False)
class ImplantedNodule:
    """A real CT with one drawn nodule.

    ``truth_kji`` (bool) holds the voxels filled by half or more, ``volume_mm3`` the drawn volume inside the
    lung.
    """

    volume: Volume
    nodule: Nodule
    truth_kji: NDArray[np.bool_]
    volume_mm3: float
    noise: NoiseLevel
    statement: str = STATEMENT


def implant_nodule(volume: Volume, nodule: Nodule, lung: Lung, *, seed: int = 0) -> ImplantedNodule:
    """Implant a nodule; a juxtapleural one is cut off where the lung ends.

    Parameters
    ----------
    volume
        The host, HU.
    nodule
        In patient space. Vessels and threads of its kind are not drawn: a host has vessels of its own.
    lung
        The host's lung about the nodule, vessels included.
    seed
        Chooses the noise. The same call gives the same bytes.

    Raises
    ------
    WrongUseError
        The nodule lies outside the image.
    """
    box = _box(volume.grid, nodule)
    share, hu = _drawn(volume.grid, box, nodule, lung)
    volume_mm3 = float(share.sum(dtype=np.float64)) * volume.grid.voxel_volume_mm3
    noise = measure_noise(*_tissue_near(volume, box))
    grain = correlated_noise(np.random.default_rng([seed, 3]), share.shape, noise)
    sigma = BLUR_MM / np.array(volume.grid.spacing_kji_mm)
    # Density and share are blurred alike, so that the mixture keeps the nodule's mass.
    soft = ndimage.gaussian_filter(share, sigma)
    inner = ndimage.gaussian_filter(share * hu, sigma) / np.maximum(soft, 1e-6)
    before = np.asarray(volume.array_kji[box], dtype=np.float32)
    after = before * (1 - soft) + soft * (inner + grain)
    array = np.array(volume.array_kji)
    array[box] = np.rint(after).astype(array.dtype) if array.dtype.kind in "iu" else after
    truth = np.zeros(volume.grid.shape_kji, dtype=np.bool_)
    truth[box] = share >= 0.5
    return ImplantedNodule(volume.with_array(array), nodule, truth, volume_mm3, noise)


def _box(grid: Grid, nodule: Nodule) -> tuple[slice, slice, slice]:
    reach = nodule.reach_ras + 2.0
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * reach
    ijk = grid.ijk_from_ras(corners + nodule.centre_ras)
    shape = np.array(grid.shape_kji[::-1])
    low = np.floor(ijk.min(axis=0)).astype(int) - 2
    high = np.ceil(ijk.max(axis=0)).astype(int) + 3
    if np.any(low < 0) or np.any(high > shape):
        raise WrongUseError(
            found=f"a nodule at {nodule.centre_ras} that reaches out of the image",
            expected="a nodule inside the image",
            remedy="Move the nodule.",
        )
    i, j, k = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return k, j, i


def _drawn(
    grid: Grid, box: tuple[slice, slice, slice], nodule: Nodule, lung: Lung
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Share of every voxel that the nodule fills, and its mean density there."""
    step = max(0.12, SAMPLE_SHARE * min(nodule.radii_mm))
    counts = [max(1, int(np.ceil(mm / step))) for mm in grid.spacing_ijk_mm]
    ticks = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    offsets = np.stack([a.ravel() for a in np.meshgrid(*ticks, indexing="ij")], axis=1)
    k, j, i = np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij")
    centres = np.stack([i, j, k], axis=-1)
    share = np.zeros(k.shape, dtype=np.float32)
    total = np.zeros(k.shape, dtype=np.float32)
    cut = nodule.kind is NoduleKind.JUXTAPLEURAL
    for offset in offsets:
        points = grid.ras_from_ijk(centres + offset)
        norm = nodule.norm(Points(*np.moveaxis(points, -1, 0).reshape(3, -1))).reshape(k.shape)
        inside = norm < 1
        if cut:
            inside &= _in_lung(lung, points)
        share += inside
        total += inside * nodule.hu(norm).astype(np.float32)
    filled = np.maximum(share, 1)
    return (share / len(offsets)).astype(np.float32), (total / filled).astype(np.float32)


def _in_lung(lung: Lung, points_ras: NDArray[np.float64]) -> NDArray[np.bool_]:
    kji = np.moveaxis(lung.grid.ijk_from_ras(points_ras)[..., ::-1], -1, 0)
    return np.asarray(ndimage.map_coordinates(lung.mask_kji.astype(np.float32), kji, order=1) >= 0.5)


def _tissue_near(
    volume: Volume, box: tuple[slice, slice, slice]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the slices of the nodule and everything in them: noise is measured in muscle and heart."""
    part = np.asarray(volume.array_kji[box[0]], dtype=np.float32)
    return part, np.ones(part.shape, dtype=np.bool_)
