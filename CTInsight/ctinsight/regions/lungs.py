"""The lungs in a chest CT, and the pleural surface near a point, also where a nodule hides it.

The field of both lungs is found on 2 mm cubes. Near a point a finer patch is cut out, in which the lung is
closed over vessels and nodules; the pleura behind a nodule is a smooth surface through what is seen of it
around the nodule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.errors import ProcessingFailedError
from ctinsight.measure import closed, distance_mm
from ctinsight.regions.worksheet import Worksheet, worksheet
from ctinsight.resample import resample
from ctinsight.volume import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Volume

    Point = tuple[float, float, float]

#: Half-way between lung (-850 HU) and wall (muscle 50, fat -100): there a blurred pleura keeps its place.
EDGE_HU = -420.0
#: A piece of air darker than this is outside air, trachea or bowel gas: even emphysema holds some tissue.
DARKEST_LUNG_HU = -960.0
#: Smaller pieces are gas in the oesophagus, folds of skin, noise.
LEAST_PIECE_ML = 2.0
#: The lung is closed by a ball of this radius, mm: a nodule up to 30 mm wide at the wall stays inside.
CLOSING_MM = 25.0
#: Edge of the cubes of a patch, and half its size, mm.
PATCH_MM, PATCH_HALF_MM = 1.0, 58.0
#: A lung with at least this much air is called in view, mL.
LUNG_IN_VIEW_ML = 300.0

#: The pleura is sought this far beyond and within the closed lung, mm.
_SEARCH_MM = (6.0, 45.0)
#: The surface is fitted this far beyond the edge of the nodule, mm; closer than the gap it may be the nodule.
_FIT_REACH_MM, _FIT_GAP_MM = 14.0, 1.5
_FIRST_REACH_MM = 30.0
_LEAST_POINTS = 40


@dataclass(frozen=True, eq=False)
class LungField:
    """Air of the lungs on 2 mm cubes, (up, posterior, left) bool, with the working copy it lies on."""

    air_zyx: NDArray[np.bool_]
    sheet: Worksheet

    def hits_ras(self, point_ras: Point, direction_ras: Point, *, reach_mm: float = 250.0) -> bool:
        """Whether a ray from a point meets lung."""
        steps = np.arange(0.0, reach_mm, 2.0)[:, None]
        return bool(self._at(np.array(point_ras) + steps * np.array(direction_ras)).any())

    def sides_in_view(self) -> tuple[bool, bool]:
        """Whether the patient's right and left lung are in view, by two large pieces or halves of air."""
        x_ras = self.ras_x()
        half = (x_ras.min() + x_ras.max()) / 2
        share = [float(self.air_zyx[:, :, chosen].sum()) * 8e-3 for chosen in (x_ras > half, x_ras <= half)]
        return share[0] >= LUNG_IN_VIEW_ML, share[1] >= LUNG_IN_VIEW_ML

    def ras_x(self) -> NDArray[np.float64]:
        """R in mm of every working column."""
        matrix = self.sheet.ras_from_zyx
        return np.asarray(matrix[0, 3] + matrix[0, 2] * np.arange(self.air_zyx.shape[2]))

    def _at(self, points_ras: NDArray[np.float64]) -> NDArray[np.bool_]:
        inverse = np.linalg.inv(self.sheet.ras_from_zyx)
        zyx = np.round(points_ras @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
        inside = np.all((zyx >= 0) & (zyx < self.air_zyx.shape), axis=1)
        found = np.zeros(len(zyx), dtype=np.bool_)
        found[inside] = self.air_zyx[tuple(zyx[inside].T)]
        return found


@dataclass(frozen=True, eq=False)
class LungPatch:
    """A part of the chest on 1 mm cubes along R, A and S.

    Parameters
    ----------
    grid
        Axes along S, A, R (array order KJI).
    hu_kji
        float32, interpolated.
    air_kji
        Lung that holds air.
    depth_kji
        Distance to the surface of the lung closed over its vessels and nodules by a ball of
        :data:`CLOSING_MM`; mm, positive inside, float32.
    """

    grid: Grid
    hu_kji: NDArray[np.float32]
    air_kji: NDArray[np.bool_]
    depth_kji: NDArray[np.float32]

    @property
    def closed_kji(self) -> NDArray[np.bool_]:
        """The closed lung."""
        return np.asarray(self.depth_kji > 0)

    def depth_mm(self, point_ras: Point) -> float:
        """How deep a point lies in the closed lung, mm; negative outside."""
        ijk = self.grid.ijk_from_ras(point_ras)
        return float(ndimage.map_coordinates(self.depth_kji, ijk[::-1, None], order=1, mode="nearest")[0])


@dataclass(frozen=True, eq=False)
class Pleura:
    """The pleural surface near a nodule: a quadratic height over a plane, outwards.

    Parameters
    ----------
    origin_ras
        A point inside the lung.
    frame
        3 x 3, rows: two unit vectors along the wall, then the one that points out of the lung.
    coefficients
        Of 1, u, v, u², uv, v²: height in mm.
    rms_mm
        How far the seen pleura strays from the surface.
    reach_mm
        The surface holds within this distance of the origin along the wall.
    """

    origin_ras: NDArray[np.float64]
    frame: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    rms_mm: float
    reach_mm: float

    def gap_mm(self, points_ras: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of points (..., 3) to the surface, mm, positive inside the lung (to first order)."""
        local = (points_ras - self.origin_ras) @ self.frame.T
        u, v, height = local[..., 0], local[..., 1], local[..., 2]
        c = self.coefficients
        surface = c[0] + c[1] * u + c[2] * v + c[3] * u * u + c[4] * u * v + c[5] * v * v
        slope = np.hypot(c[1] + 2 * c[3] * u + c[4] * v, c[2] + c[4] * u + 2 * c[5] * v)
        return np.asarray((surface - height) / np.sqrt(1 + slope**2))


def find_lungs(volume: Volume) -> LungField:
    """Find the lungs, or the part of a lung that a cut-out shows.

    Raises
    ------
    ProcessingFailedError
        There is no lung in the image.
    """
    sheet = worksheet(volume)
    dark = sheet.array_zyx < EDGE_HU
    labels, count = ndimage.label(ndimage.binary_opening(dark))
    numbers = np.arange(1, count + 1)
    sizes_ml = ndimage.sum_labels(np.ones_like(labels), labels, numbers) * 8e-3 if count else np.zeros(0)
    means = np.asarray(ndimage.median(sheet.array_zyx, labels, numbers)) if count else np.zeros(0)
    keep = np.zeros(count + 1, dtype=np.bool_)
    keep[1:] = (sizes_ml >= LEAST_PIECE_ML) & (means > DARKEST_LUNG_HU)
    if not keep.any():
        raise ProcessingFailedError(
            found=f"no lung: the darkest large part has {means.min() if count else float('nan'):.0f} HU",
            expected="lung tissue of -950 to -500 HU",
            remedy="Choose the chest CT series, in Hounsfield units.",
        )
    return LungField(keep[labels], sheet)


def lung_patch(volume: Volume, field: LungField, centre_ras: Point) -> LungPatch:
    """Cut out a patch about a point, with the lung closed over vessels and nodules.

    Parameters
    ----------
    volume
        The CT.
    field
        From :func:`find_lungs`.
    centre_ras
        Middle of the patch, mm.
    """
    grid = cube_grid(centre_ras, PATCH_HALF_MM, PATCH_MM)
    hu = np.asarray(resample(crop_to(volume, grid), grid, order=1).array_kji, dtype=np.float32)
    matrix = np.linalg.inv(field.sheet.ras_from_zyx) @ grid.ijk_to_ras
    wide = ndimage.affine_transform(
        ndimage.binary_dilation(field.air_zyx).astype(np.uint8),
        matrix[:3, :3][:, ::-1],
        matrix[:3, 3],
        output_shape=grid.shape_kji,
        order=0,
    )
    air = (wide > 0) & (hu < EDGE_HU)
    return LungPatch(grid, hu, air, _closed_depth(air, grid))


def _closed_depth(air: NDArray[np.bool_], grid: Grid) -> NDArray[np.float32]:
    """Close the lung on every other cube, which costs an eighth, and read the depth between them."""
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, :3] *= 2
    half = air[::2, ::2, ::2]
    coarse = Grid((half.shape[0], half.shape[1], half.shape[2]), matrix)
    depth = -distance_mm(closed(half, coarse, CLOSING_MM), coarse)
    depth = np.clip(depth, -PATCH_HALF_MM, PATCH_HALF_MM)
    return np.asarray(
        ndimage.affine_transform(depth, np.full(3, 0.5), output_shape=air.shape, order=1), dtype=np.float32
    )


def cube_grid(centre_ras: Point, half_mm: float, spacing_mm: float) -> Grid:
    """Make a cube of cubic voxels along R, A and S about a point."""
    half = int(np.ceil(half_mm / spacing_mm))
    matrix = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    matrix[:3, 3] = np.array(centre_ras) - half * spacing_mm
    return Grid((2 * half + 1,) * 3, matrix)


def crop_to(volume: Volume, grid: Grid) -> Volume:
    """Cut the volume down to what a grid needs, with four voxels of margin for interpolation."""
    last = np.array(grid.shape_kji[::-1]) - 1
    corners = np.array(np.meshgrid(*[(0, n) for n in last])).reshape(3, -1).T
    ijk = volume.grid.ijk_from_ras(grid.ras_from_ijk(corners))
    shape = np.array(volume.grid.shape_kji[::-1])
    low = np.clip(np.floor(ijk.min(axis=0)) - 4, 0, shape - 1).astype(int)
    high = np.clip(np.ceil(ijk.max(axis=0)) + 5, low + 1, shape).astype(int)
    matrix = volume.ijk_to_ras.copy()
    matrix[:3, 3] = volume.grid.ras_from_ijk(low)
    return type(volume)(
        volume.array_kji[low[2] : high[2], low[1] : high[1], low[0] : high[0]], np.asarray(matrix)
    )


def pleura_near(patch: LungPatch, centre_ras: Point, radius_mm: float | None = None) -> Pleura | None:
    """Fit the pleura behind or beside a nodule.

    Parameters
    ----------
    patch
        About the nodule.
    centre_ras, radius_mm
        The nodule as a ball; pleura under it is not seen and is bridged. While its size is unknown, the
        surface goes through the outermost of what is seen within 30 mm.

    Returns
    -------
    Pleura or None
        ``None`` where no wall is near, or too little of it is seen.
    """
    out = _outward(patch, centre_ras)
    reach = _FIRST_REACH_MM if radius_mm is None else radius_mm + _FIT_REACH_MM
    if out is None or patch.depth_mm(centre_ras) > reach:
        return None
    frame = _frame(out)
    u, v, height = _wall_heights(patch, np.array(centre_ras), frame, reach)
    free = np.ones(len(u), dtype=np.bool_) if radius_mm is None else np.hypot(u, v) > radius_mm + _FIT_GAP_MM
    if free.sum() < _LEAST_POINTS:
        return None
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)
    coefficients, rms = _robust_fit(terms[free], height[free])
    return Pleura(np.array(centre_ras), frame, coefficients, rms, reach)


def _outward(patch: LungPatch, centre_ras: Point) -> NDArray[np.float64] | None:
    """Mean direction from a point to the nearest surface of the closed lung; unit vector in RAS."""
    depth = patch.depth_kji
    j = patch.grid.ijk_from_ras(centre_ras)[::-1]
    here = patch.depth_mm(centre_ras)
    surface = np.argwhere((depth > 0) & (depth <= 1.01))
    if len(surface) == 0:
        return None
    away = (surface - j) * patch.grid.spacing_kji_mm
    distance = np.linalg.norm(away, axis=1)
    inner = np.all((surface > 0) & (surface < np.array(depth.shape) - 1), axis=1)
    near = inner & (distance <= max(here, 0.0) + 8.0)
    if not near.any():
        return None
    gradient = np.array(np.gradient(ndimage.gaussian_filter(depth, 3.0)))
    normals = -gradient[(slice(None), *surface[near].T)].mean(axis=1)
    length = float(np.linalg.norm(normals))
    return None if length < 1e-3 else np.asarray(normals[::-1] / length)


def _frame(out: NDArray[np.float64]) -> NDArray[np.float64]:
    helper = np.eye(3)[int(np.argmin(np.abs(out)))]
    u = np.cross(out, helper)
    u /= np.linalg.norm(u)
    return np.stack([u, np.cross(out, u), out])


def _wall_heights(
    patch: LungPatch,
    origin: NDArray[np.float64],
    frame: NDArray[np.float64],
    reach_mm: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Find where air begins along parallel rays from the wall inwards."""
    depth = patch.depth_kji
    ticks = np.arange(-reach_mm, reach_mm + 0.1, 1.0)
    u, v = (a.ravel() for a in np.meshgrid(ticks, ticks))
    disc = np.hypot(u, v) <= reach_mm
    u, v = u[disc], v[disc]
    steps = np.arange(-_SEARCH_MM[1], _SEARCH_MM[1] + 0.1, 0.5)
    points = origin + u[:, None, None] * frame[0] + v[:, None, None] * frame[1] + steps[:, None] * frame[2]
    kji = np.moveaxis(patch.grid.ijk_from_ras(points)[..., ::-1], -1, 0)
    inside = np.all((kji >= 0) & (kji <= np.array(depth.shape)[:, None, None] - 1), axis=0)
    hu = ndimage.map_coordinates(patch.hu_kji, kji, order=1, mode="nearest")
    deep = ndimage.map_coordinates(depth, kji, order=1, mode="nearest")
    # The last sample that is lung, seen from inside, and the first that is wall behind it.
    lung = (hu < EDGE_HU) & (deep > -1.0) & (deep < 40.0) & inside
    last = lung.shape[1] - 1 - np.argmax(lung[:, ::-1], axis=1)
    rows = np.arange(len(u))
    usable = lung.any(axis=1) & (last < len(steps) - 1)
    following = np.minimum(last + 1, len(steps) - 1)
    usable &= inside[rows, following] & (hu[rows, following] >= EDGE_HU)
    usable &= deep[rows, last] < 4.0
    rise = np.maximum(hu[rows, following] - hu[rows, last], 1.0)
    height = steps[last] + 0.5 * (EDGE_HU - hu[rows, last]) / rise
    return u[usable], v[usable], height[usable]


def _robust_fit(terms: NDArray[np.float64], height: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Least squares with Tukey's weights; what lies inwards of the surface is more likely not pleura."""
    weights: NDArray[np.floating] = np.ones(len(height))
    coefficients = np.zeros(terms.shape[1])
    for scale in (None, None, None, None, 6.0, 4.0, 3.0, 2.0, 1.5, 1.5, 1.5):
        root = np.sqrt(weights)[:, None]
        coefficients = np.linalg.lstsq(terms * root, height * root[:, 0], rcond=None)[0]
        miss = height - terms @ coefficients
        if scale is None:
            weights = np.where(miss < 0, 0.03, 1.0)
            continue
        limit = np.where(miss < 0, 0.7 * scale, scale)
        weights = np.clip(1 - (miss / limit) ** 2, 0.0, 1.0) ** 2
        if weights.sum() < terms.shape[1] + 4:
            weights = np.ones(len(height))
    rms = float(np.sqrt(np.average((height - terms @ coefficients) ** 2, weights=weights)))
    return np.asarray(coefficients), rms
