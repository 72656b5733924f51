"""A coarse, axial, isotropic working copy of a volume, and the way back to the native grid.

Morphology costs with the cube of the resolution and needs none finer than a skull is thick, so the regions
are found on 2 mm cubes and only their border is decided on the native voxels.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from ctinsight.errors import InputRefusedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid, Volume

#: Edge of a working cube in mm: half the thickness of a thin temporal squama would be better, but partial
#: volume still lifts such bone far above brain, and 2 mm keeps a head under 1.5 million cubes.
WORK_MM = 2.0

_CLIP_HU = (-1024.0, 2000.0)
#: Longest sides in mm, up, back and across: a tall patient from head to feet, and more than the widest
#: reconstruction of a CT (0.85 m). A larger image has a false voxel spacing.
_LONGEST_MM = (2200.0, 1000.0, 1000.0)
#: A trunk of 0.5 x 0.5 x 2 m has 63 million cubes; a region needs about 40 bytes for each.
_MOST_CUBES = 70_000_000


@dataclass(frozen=True, eq=False)
class Worksheet:
    """Working copy of a volume.

    Parameters
    ----------
    array_zyx
        float32 HU; axis 0 runs up, axis 1 to posterior, axis 2 to the patient's left, nearest array axes
        only (an oblique volume stays oblique), cubes of ``WORK_MM``.
    grid
        The native grid.
    order
        Native array axis that became axis 0, 1, 2.
    flips
        For each of them, whether it runs against the native axis.
    step, offset
        Axial native index = working index * step + offset, per axis.
    """

    array_zyx: NDArray[np.float32]
    grid: Grid
    order: tuple[int, ...]
    flips: tuple[bool, ...]
    step: NDArray[np.float64]
    offset: NDArray[np.float64]

    def axial_view(self, array_kji: NDArray[np.generic]) -> NDArray[np.generic]:
        """View a native array (slices, rows, columns) as (up, posterior, left); nothing is copied."""
        return _axial_view(array_kji, self.order, self.flips)

    @property
    def spacing_zyx_mm(self) -> NDArray[np.float64]:
        """Native spacing in the order of the axial view, in mm."""
        return np.array(self.grid.spacing_kji_mm)[list(self.order)]

    @property
    def ras_from_zyx(self) -> NDArray[np.float64]:
        """4 x 4 matrix from working index (z, y, x) to RAS in mm."""
        shape = np.array(self.grid.shape_kji)[list(self.order)]
        to_kji = np.zeros((4, 4))
        to_kji[3, 3] = 1.0
        for axis, (native, flip) in enumerate(zip(self.order, self.flips, strict=True)):
            to_kji[native, axis] = -self.step[axis] if flip else self.step[axis]
            to_kji[native, 3] = shape[axis] - 1 - self.offset[axis] if flip else self.offset[axis]
        to_ijk = to_kji[[2, 1, 0, 3]]
        return np.asarray(self.grid.ijk_to_ras @ to_ijk, dtype=np.float64)

    def upsampled(self, field_zyx: NDArray[np.floating], box: tuple[slice, ...]) -> NDArray[np.float32]:
        """Interpolate a working field linearly on a box of the axial native view; its rim goes on outside."""
        start = np.array([part.start for part in box], dtype=np.float64)
        shape = tuple(part.stop - part.start for part in box)
        return np.asarray(
            _scaled(
                field_zyx,
                1.0 / self.step,
                offset=(start - self.offset) / self.step,
                output_shape=shape,
                output=np.float32,
                order=1,
                mode="nearest",
            )
        )

    def downsampled(self, mask_kji: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Look a native mask up at the centre of every working cube."""
        axial = self.axial_view(mask_kji)
        index = [
            np.clip(np.round(np.arange(n) * step + offset).astype(int), 0, size - 1)
            for n, step, offset, size in zip(
                self.array_zyx.shape, self.step, self.offset, axial.shape, strict=True
            )
        ]
        return np.asarray(axial[np.ix_(*index)], dtype=bool)

    def native_box(self, mask_zyx: NDArray[np.bool_], margin_mm: float) -> tuple[slice, ...]:
        """Bounding box of a working mask, with a margin, in the axial native view."""
        shape = np.array(self.grid.shape_kji)[list(self.order)]
        found = ndimage.find_objects(mask_zyx.astype(np.uint8))[0]
        margin = margin_mm / self.spacing_zyx_mm
        low = [part.start for part in found] * self.step + self.offset - margin - self.step
        high = [part.stop for part in found] * self.step + self.offset + margin + self.step
        return tuple(
            slice(int(a), int(b))
            for a, b in zip(np.clip(low, 0, shape - 1), np.clip(np.ceil(high), 1, shape), strict=True)
        )


def worksheet(volume: Volume) -> Worksheet:
    """Average a volume down to cubes of ``WORK_MM``, turned to (up, posterior, left) by nearest axes.

    Raises
    ------
    InputRefusedError
        The image is larger than a person, so its voxel spacing is false; nothing was copied yet.
    """
    grid = volume.grid
    axes = [grid.array_axis(ras) for ras in (2, 1, 0)]
    order = tuple(axis for axis, _ in axes)
    flips = (axes[0][1] < 0, axes[1][1] > 0, axes[2][1] > 0)
    _refuse_impossible_extent(grid, order)
    native = _axial_view(volume.array_kji, order, flips)
    spacing = np.array(grid.spacing_kji_mm)[list(order)]
    # A quarter voxel of tolerance, so that 0.9 mm slices are paired and 1.2 mm slices are not.
    block = np.minimum(np.maximum(1, np.floor(WORK_MM / spacing + 0.25).astype(int)), native.shape)
    means = _block_means(native, block)
    scale = WORK_MM / (spacing * block)
    shape = np.maximum(1, np.floor((np.array(means.shape) - 1) / scale).astype(int) + 1)
    cubes = _scaled(means, scale, output_shape=tuple(shape), order=1, mode="nearest")
    return Worksheet(cubes, grid, order, flips, scale * block, (block - 1) / 2.0)


def _scaled(field: NDArray[Any], scale: NDArray[np.float64], **options: Any) -> Any:
    # One factor per axis takes SciPy's fast way; before 1.14 it warns that its meaning changed in 2016.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The behavior of affine_transform with a 1-D array", UserWarning)
        return ndimage.affine_transform(field, scale, **options)


def _refuse_impossible_extent(grid: Grid, order: tuple[int, ...]) -> None:
    sides_mm = (np.array(grid.spacing_kji_mm) * grid.shape_kji)[list(order)]
    if (sides_mm <= _LONGEST_MM).all() and float(np.prod(sides_mm / WORK_MM)) <= _MOST_CUBES:
        return
    up, back, across = sides_mm / 1000
    voxels = " x ".join(f"{mm:.3g}" for mm in grid.spacing_ijk_mm)
    raise InputRefusedError(
        found=f"an image of {across:.2f} x {back:.2f} x {up:.2f} m, voxels of {voxels} mm",
        expected="an image no larger than a person: at most 1 m wide and deep, 2.2 m long, not all at once",
        remedy="Check the voxel spacing that the file states, and export the series again from its source.",
    )


def _axial_view(
    array: NDArray[np.generic], order: tuple[int, ...], flips: tuple[bool, ...]
) -> NDArray[np.generic]:
    steps = tuple(slice(None, None, -1 if flip else 1) for flip in flips)
    return np.transpose(array, order)[steps]


def _block_means(native: NDArray[np.generic], block: NDArray[np.int_]) -> NDArray[np.float32]:
    """Average blocks of voxels, one layer of blocks at a time so that memory stays small."""
    deep, high, wide = (int(n) for n in np.array(native.shape) // block)
    dz, dy, dx = (int(n) for n in block)
    means = np.empty((deep, high, wide), dtype=np.float32)
    for k in range(deep):
        layer = native[k * dz : (k + 1) * dz, : high * dy, : wide * dx]
        layer = np.clip(layer, *_CLIP_HU).astype(np.float32)
        means[k] = layer.reshape(dz, high, dy, wide, dx).mean(axis=(0, 2, 4))
    return means
