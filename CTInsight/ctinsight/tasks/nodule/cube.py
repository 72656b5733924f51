"""A cube of fine voxels along the patient's axes, cut out about a nodule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.measure import bounding_box, distance_to_mm
from ctinsight.regions.lungs import crop_to
from ctinsight.resample import resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.regions.lungs import LungPatch, Pleura
    from ctinsight.volume import Grid, Volume

    Point = tuple[float, float, float]

#: Lung tissue without vessels, HU: denser than this is vessel, wall or nodule.
PLAIN_LUNG_HU = (-1000.0, -650.0)
#: What stands for the lung where none is seen, HU.
USUAL_LUNG_HU = -860.0

#: Blurs that are tried against noise, mm, and how far from its median lung is called plain, HU.
BLURS_MM, NOISE_ROOM_HU = (0.0, 0.35, 0.5, 0.7, 0.9), 60.0


@dataclass(frozen=True, eq=False)
class Cube:
    """A part of a CT, interpolated by cubic splines.

    Parameters
    ----------
    grid
        Cubic voxels; axes along S, A, R (array order KJI).
    hu_kji
        float32.
    lung_kji
        Inside the closed lung and on this side of the pleura.
    native_mm
        Voxel size of the CT along S, A, R (as seen along them when it is oblique).
    wall_gap_kji
        Distance to the pleura or the surface of the closed lung, mm, positive inside.
    volume
        The part of the CT that was interpolated.
    """

    grid: Grid
    hu_kji: NDArray[np.float32]
    lung_kji: NDArray[np.bool_]
    native_mm: tuple[float, float, float]
    wall_gap_kji: NDArray[np.float32]
    volume: Volume

    @property
    def spacing_mm(self) -> float:
        """Edge of a voxel."""
        return self.grid.spacing_ijk_mm[0]

    @cached_property
    def background_hu(self) -> float:
        """Median of plain lung in the cube."""
        plain = self.hu_kji[self.lung_kji]
        plain = plain[(plain > PLAIN_LUNG_HU[0]) & (plain < PLAIN_LUNG_HU[1])]
        return float(np.median(plain)) if plain.size > 50 else USUAL_LUNG_HU

    def smoothed(self, sigma_mm: float) -> NDArray[np.float32]:
        """Blur by a Gaussian, mm."""
        return np.asarray(ndimage.gaussian_filter(self.hu_kji, sigma_mm / self.spacing_mm, mode="nearest"))

    def quieted(self, contrast_hu: float) -> Cube:
        """Blur just so much that noise stays below a tenth of a contrast; no blur where it does already."""
        plain = self.lung_kji & (np.abs(self.smoothed(1.5) - self.background_hu) < NOISE_ROOM_HU)
        if plain.sum() < 500:
            return self
        for sigma in BLURS_MM:
            quiet = self.smoothed(sigma) if sigma else self.hu_kji
            rough = quiet - ndimage.gaussian_filter(quiet, 1.5 / self.spacing_mm)
            noise = 1.4826 * float(np.median(np.abs(rough[plain])))
            if noise <= 0.1 * abs(contrast_hu):
                break
        return replace(self, hu_kji=quiet)

    def depth_mm(self, mask_kji: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Distance to the outside of a mask, mm; 0 outside."""
        return _distance_to(~mask_kji, self.grid)

    def distance_to(self, mask_kji: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Distance to the nearest voxel of a mask, mm; 0 inside."""
        return _distance_to(mask_kji, self.grid)

    def _native_box(self, mask_kji: NDArray[np.bool_]) -> tuple[slice, slice, slice] | None:
        """Find the part of the CT's voxels that holds a mask of this cube, with a voxel of margin."""
        box = bounding_box(mask_kji)
        if box is None:
            return None
        ends = np.array([[s.start for s in box], [s.stop - 1 for s in box]], dtype=np.float64)
        corners = np.array(np.meshgrid(*ends.T)).reshape(3, -1).T[:, ::-1]
        ijk = self.volume.grid.ijk_from_ras(self.grid.ras_from_ijk(corners))
        shape = np.array(self.volume.grid.shape_kji[::-1])
        low = np.clip(np.floor(ijk.min(axis=0)) - 1, 0, shape - 1).astype(int)
        high = np.clip(np.ceil(ijk.max(axis=0)) + 2, low + 1, shape).astype(int)
        i, j, k = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        return k, j, i

    def _native_kji(self, box: tuple[slice, slice, slice]) -> NDArray[np.float64]:
        """Voxel centres of a box of the CT in this cube's (k, j, i); shape (3, k, j, i)."""
        k, j, i = np.meshgrid(*(np.arange(s.start, s.stop) for s in box), indexing="ij")
        points = self.volume.grid.ras_from_ijk(np.stack([i, j, k], axis=-1))
        return np.moveaxis(self.grid.ijk_from_ras(points)[..., ::-1], -1, 0)

    def native_values(self, mask_kji: NDArray[np.bool_]) -> NDArray[np.float64]:
        """HU of the CT's own voxels whose centres lie in a mask of this cube."""
        box = self._native_box(mask_kji)
        if box is None:
            return np.zeros(0)
        chosen = ndimage.map_coordinates(mask_kji.astype(np.uint8), self._native_kji(box), order=0) > 0
        return np.asarray(self.volume.array_kji[box][chosen], dtype=np.float64)

    def native_points(self, mask_kji: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find the CT's voxels in a mask: their (k, j, i) in this cube, (3, n), and their HU, (n,)."""
        box = self._native_box(mask_kji)
        if box is None:
            return np.zeros((3, 0)), np.zeros(0)
        places = self._native_kji(box)
        chosen = ndimage.map_coordinates(mask_kji.astype(np.uint8), places, order=0) > 0
        return places[:, chosen], np.asarray(self.volume.array_kji[box][chosen], dtype=np.float64)

    def index_of(self, point_ras: Point) -> tuple[int, int, int]:
        """Voxel (k, j, i) nearest to a point, within the cube."""
        kji = np.round(self.grid.ijk_from_ras(point_ras)[::-1]).astype(int)
        k, j, i = (int(v) for v in np.clip(kji, 0, np.array(self.grid.shape_kji) - 1))
        return k, j, i

    def point_of(self, index_kji: tuple[int, ...]) -> Point:
        """Place of a voxel, RAS in mm."""
        r, a, s = (float(v) for v in self.grid.ras_from_ijk(index_kji[::-1]))
        return r, a, s

    def point_of_mass(self, mask_kji: NDArray[np.bool_]) -> Point:
        """Centre of mass of a mask, RAS in mm."""
        r, a, s = (float(v) for v in self.grid.ras_from_ijk(np.argwhere(mask_kji).mean(axis=0)[::-1]))
        return r, a, s

    def distance_from(self, point_ras: Point) -> NDArray[np.float32]:
        """Distance of every voxel from a point, mm."""
        ijk = self.grid.ijk_from_ras(point_ras)
        k, j, i = (
            ((np.arange(n) - c) * self.spacing_mm).astype(np.float32) ** 2
            for n, c in zip(self.grid.shape_kji, ijk[::-1], strict=True)
        )
        return np.asarray(np.sqrt(k[:, None, None] + j[:, None] + i), dtype=np.float32)


def _distance_to(targets_kji: NDArray[np.bool_], grid: Grid) -> NDArray[np.float32]:
    if not targets_kji.any():
        return np.full(targets_kji.shape, np.inf, dtype=np.float32)
    return distance_to_mm(targets_kji, grid)


def cut_cube(volume: Volume, patch: LungPatch, pleura: Pleura | None, grid: Grid) -> Cube:
    """Interpolate a CT on a cube, and say what of it is lung.

    Parameters
    ----------
    volume
        The CT.
    patch
        The lung about the cube.
    pleura
        When given, what lies beyond it is not lung, and what lies on this side of it near the wall is.
    grid
        From :func:`ctinsight.regions.lungs.cube_grid`.
    """
    part = crop_to(volume, grid)
    hu = resample(part, grid, order=3).array_kji
    to_patch = np.round(np.linalg.inv(patch.grid.ijk_to_ras) @ grid.ijk_to_ras, 9)
    gap = ndimage.affine_transform(
        patch.depth_kji,
        to_patch[:3, :3][::-1, ::-1],
        to_patch[:3, 3][::-1],
        output_shape=grid.shape_kji,
        order=1,
        mode="nearest",
    )
    if pleura is not None:
        gap = _gap_to_pleura(pleura, grid, gap)
    axes = np.abs(volume.grid.directions) @ np.array(volume.grid.spacing_ijk_mm)
    native_mm = (float(axes[2]), float(axes[1]), float(axes[0]))
    return Cube(grid, np.asarray(hu, dtype=np.float32), gap > 0, native_mm, gap, part)


def _gap_to_pleura(pleura: Pleura, grid: Grid, closed_gap: NDArray[np.float32]) -> NDArray[np.float32]:
    k, j, i = np.indices(grid.shape_kji, dtype=np.float32)
    points = grid.ras_from_ijk(np.stack([i, j, k], axis=-1))
    gap = pleura.gap_mm(points).astype(np.float32)
    along = (points - pleura.origin_ras) @ pleura.frame[:2].T
    near = (np.hypot(along[..., 0], along[..., 1]) <= pleura.reach_mm) & (gap < pleura.reach_mm)
    # Within its reach the fitted surface decides; elsewhere the closed lung does.
    return np.asarray(np.where(near, gap, closed_gap), dtype=np.float32)


def connected(start_kji: NDArray[np.bool_], allowed_kji: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the parts of a mask that a start touches, faces only."""
    labels, _ = ndimage.label(allowed_kji)
    touched = np.unique(labels[start_kji & allowed_kji])
    return np.isin(labels, touched[touched > 0])


def box_weights(width: float) -> NDArray[np.float32]:
    """Weights of a box of any width in voxels."""
    half = max(int(np.ceil((width - 1) / 2)), 0)
    weights = np.ones(2 * half + 1)
    if half > 0:
        weights[[0, -1]] = (width - (2 * half - 1)) / 2
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def slices_across(cube: Cube, mask_kji: NDArray[np.bool_]) -> float:
    """Extent of a mask across the thickest voxel axis of the CT, in voxels of the CT."""
    axis = int(np.argmax(cube.native_mm))
    rows = mask_kji.any(axis=tuple(n for n in range(3) if n != axis))
    return float(rows.sum()) * cube.spacing_mm / cube.native_mm[axis]
