"""Bring arrays from one grid to another: exact flips and permutes, and interpolation in patient space.

Turning an image into radiological order (:func:`radiological`) never interpolates. Everything else
maps every target voxel centre to RAS and from there into the source grid, so that oblique and
anisotropic grids need no special case. A voxel is a box: positions in its outer half still belong to
the image, positions beyond get the ``outside`` value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from ctinsight.errors import GeometryError, WrongUseError
from ctinsight.volume import Grid, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: For the array axes k, j and i: the patient axis (0 R, 1 A, 2 S) and its direction.
RasAxes = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

#: First slice lowest, first row anterior, first column at the patient's right: the picture on the screen.
RADIOLOGICAL: RasAxes = ((2, 1), (1, -1), (0, -1))

#: HU of air, and what CT scanners write where they did not measure.
AIR_HU = -1024.0

#: FWHM of a Gaussian in units of its standard deviation.
_FWHM_PER_SIGMA = float(2.0 * np.sqrt(2.0 * np.log(2.0)))

#: Slack in voxels when a position is compared with the edge of the box of voxels.
_EDGE_TOLERANCE_VOXELS = 1e-6


@dataclass(frozen=True, eq=False)
class Reorientation:
    """Flips and permutes that turn arrays of one grid into another order, and back, without loss.

    Parameters
    ----------
    source, grid
        The grid before and after; every voxel keeps its place in the patient.
    axes_kji
        For each new array axis the old one.
    flipped_kji
        Whether a new array axis runs against the old one.
    """

    source: Grid
    grid: Grid
    axes_kji: tuple[int, int, int]
    flipped_kji: tuple[bool, bool, bool]

    def apply(self, array_kji: NDArray[Any]) -> NDArray[Any]:
        """Turn an array of the source grid; a view, not a copy."""
        return np.transpose(array_kji, self.axes_kji)[self._slices]

    def undo(self, array_kji: NDArray[Any]) -> NDArray[Any]:
        """Turn an array of the new grid back to the source grid; a view, not a copy."""
        return np.transpose(array_kji[self._slices], tuple(int(a) for a in np.argsort(self.axes_kji)))

    @property
    def _slices(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flipped else 1) for flipped in self.flipped_kji)


def reorientation(grid: Grid, *, ras_axes: RasAxes = RADIOLOGICAL) -> Reorientation:
    """Find the flips and permutes that let the array axes follow given patient axes.

    An oblique grid stays oblique: each array axis is named after the patient axis it follows most,
    each patient axis once, and nothing is interpolated.

    Raises
    ------
    WrongUseError
        ``ras_axes`` does not name each of R, A and S once.
    """
    if sorted(axis for axis, _ in ras_axes) != [0, 1, 2] or any(abs(sign) != 1 for _, sign in ras_axes):
        raise WrongUseError(
            found=f"ras_axes = {ras_axes}",
            expected="each of the patient axes 0, 1 and 2 once, with the direction +1 or -1",
            remedy="Correct the call.",
        )
    places = [grid.array_axis(axis) for axis, _ in ras_axes]
    old = tuple(place for place, _ in places)
    flipped = tuple(sign != wanted for (_, sign), (_, wanted) in zip(places, ras_axes, strict=True))
    old_from_new = np.zeros((4, 4))
    old_from_new[3, 3] = 1.0
    for new_axis in range(3):
        row, column = 2 - old[new_axis], 2 - new_axis
        old_from_new[row, column] = -1.0 if flipped[new_axis] else 1.0
        old_from_new[row, 3] = grid.shape_kji[old[new_axis]] - 1 if flipped[new_axis] else 0.0
    k, j, i = (grid.shape_kji[axis] for axis in old)
    turned = Grid((k, j, i), grid.ijk_to_ras @ old_from_new)
    return Reorientation(grid, turned, (old[0], old[1], old[2]), (flipped[0], flipped[1], flipped[2]))


def reorient(
    array_kji: NDArray[Any], grid: Grid, *, ras_axes: RasAxes = RADIOLOGICAL
) -> tuple[NDArray[Any], Grid]:
    """Turn an array and its grid by flips and permutes only (see :func:`reorientation`)."""
    _refuse_other_shape(array_kji, grid)
    turn = reorientation(grid, ras_axes=ras_axes)
    return turn.apply(array_kji), turn.grid


def radiological(volume: Volume) -> Volume:
    """Turn a volume as radiologists look at it, without interpolation.

    Afterwards k runs up to superior, j from anterior to posterior and i from the patient's right to the
    left, or as near to that as an oblique grid allows: an axial slice shown with row 0 on top and
    column 0 at the left has the patient's right at the left of the picture.
    """
    array, grid = reorient(volume.array_kji, volume.grid)
    return Volume(np.ascontiguousarray(array), grid.ijk_to_ras)


def grid_with_spacing(grid: Grid, spacing_ijk_mm: tuple[float, float, float]) -> Grid:
    """Lay another spacing over the same box, with the same centre and directions.

    The new box is the smallest one of whole voxels that covers the old, so nothing is cut off.
    """
    wanted = np.asarray(spacing_ijk_mm, dtype=np.float64)
    if wanted.shape != (3,) or not np.all(np.isfinite(wanted)) or wanted.min() <= 0:
        raise WrongUseError(
            found=f"a spacing of {spacing_ijk_mm} mm",
            expected="three positive numbers in mm",
            remedy="Correct the call.",
        )
    shape_ijk = np.array(grid.shape_kji[::-1])
    voxels = shape_ijk * np.array(grid.spacing_ijk_mm) / wanted
    new_shape_ijk = np.maximum(1, np.ceil(voxels - 1e-6)).astype(int)
    matrix = np.eye(4)
    matrix[:3, :3] = grid.directions * wanted
    centre_ras = grid.ras_from_ijk((shape_ijk - 1) / 2.0)
    matrix[:3, 3] = centre_ras - matrix[:3, :3] @ ((new_shape_ijk - 1) / 2.0)
    i, j, k = (int(n) for n in new_shape_ijk)
    return Grid((k, j, i), matrix)


def isotropic_grid(grid: Grid, spacing_mm: float) -> Grid:
    """Lay cubic voxels over the same box (see :func:`grid_with_spacing`)."""
    return grid_with_spacing(grid, (spacing_mm, spacing_mm, spacing_mm))


def resample(volume: Volume, grid: Grid, *, order: int = 1, outside: float = AIR_HU) -> Volume:
    """Interpolate a volume on another grid in patient space.

    Parameters
    ----------
    volume
        HU on its own grid.
    grid
        Where values are wanted.
    order
        0 nearest, 1 linear, 3 cubic spline (may overshoot at bone edges).
    outside
        Value in HU beyond the box of voxels.

    Returns
    -------
    Volume
        float64 when the input is, else float32; order 0 keeps an integer type that can hold ``outside``.

    Notes
    -----
    Point sampling: a target more than about twice as coarse skips voxels and aliases noise. Pass
    ``low_pass(volume, grid)`` instead of ``volume`` then.
    """
    _refuse_order(order)
    dtype = _value_type(volume.array_kji.dtype, order=order, outside=outside)
    step = _Step(volume.grid, grid, order, outside)
    return Volume(_sample(volume.array_kji, step, dtype), grid.ijk_to_ras)


def low_pass(volume: Volume, grid: Grid) -> Volume:
    """Blur a volume so that a coarser grid samples it without aliasing.

    Along each array axis a Gaussian widens the voxel (taken as a Gaussian whose full width at half
    maximum is the spacing) to the width of the target voxel seen along that axis. Axes along which the
    target is not coarser stay as they are.

    References
    ----------
    Cardoso et al., "Scale factor point spread function matching: beyond aliasing in image resampling",
    MICCAI 2015, https://doi.org/10.1007/978-3-319-24571-3_81
    """
    source_from_target = volume.grid.ras_to_ijk[:3, :3] @ grid.ijk_to_ras[:3, :3]
    widths_kji = np.linalg.norm(source_from_target, axis=1)[::-1]
    sigmas = np.sqrt(np.maximum(widths_kji**2 - 1.0, 0.0)) / _FWHM_PER_SIGMA
    if sigmas.max() < 0.05:
        return volume
    dtype = _value_type(volume.array_kji.dtype, order=1, outside=0.0)
    blurred = ndimage.gaussian_filter(volume.array_kji, sigmas, mode="nearest", output=dtype)
    return volume.with_array(blurred)


def resample_mask(
    mask_kji: NDArray[np.bool_], grid: Grid, target_grid: Grid, *, nearest: bool = False
) -> NDArray[np.bool_]:
    """Bring a mask to another grid.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns) on ``grid``.
    grid, target_grid
        From where to where.
    nearest
        Take the nearest voxel; else interpolate linearly and keep what reaches one half, which follows
        slanted surfaces better. Beyond the box is False in both.
    """
    _refuse_other_shape(mask_kji, grid)
    if nearest:
        step = _Step(grid, target_grid, 0, 0.0)
        return _sample(np.asarray(mask_kji, dtype=np.uint8), step, np.dtype(np.uint8)).astype(np.bool_)
    step = _Step(grid, target_grid, 1, 0.0)
    fraction = _sample(np.asarray(mask_kji, dtype=np.float32), step, np.dtype(np.float32))
    return np.asarray(fraction >= 0.5 - 1e-6)


def resample_labels(labels_kji: NDArray[Any], grid: Grid, target_grid: Grid) -> NDArray[Any]:
    """Bring a labelmap (integers, kept in type) to another grid by the nearest voxel; 0 beyond the box."""
    _refuse_other_shape(labels_kji, grid)
    return _sample(labels_kji, _Step(grid, target_grid, 0, 0.0), labels_kji.dtype)


def resample_probability(probability_kji: NDArray[Any], grid: Grid, target_grid: Grid) -> NDArray[np.float32]:
    """Bring a probability (0 to 1) to another grid, linearly; 0 beyond the box. Threshold it afterwards."""
    _refuse_other_shape(probability_kji, grid)
    values = np.asarray(probability_kji, dtype=np.float32)
    sampled = _sample(values, _Step(grid, target_grid, 1, 0.0), np.dtype(np.float32))
    return np.asarray(np.clip(sampled, 0.0, 1.0), dtype=np.float32)


def resize_slices(
    array_kji: NDArray[Any], rows: int, columns: int, *, antialias: bool = False
) -> NDArray[np.float32]:
    """Resize every slice by bilinear interpolation with half-pixel centres.

    The outer edges of old and new picture coincide: new pixel ``n`` samples the old position
    ``(n + 0.5) * old / new - 0.5``, clamped at the border. This is what OpenCV (INTER_LINEAR) and
    TensorFlow 2 (bilinear) do.

    Parameters
    ----------
    array_kji
        (slices, rows, columns), any real type.
    rows, columns
        New size of each slice.
    antialias
        When shrinking, widen the triangle to the new pixel, as TensorFlow does with ``antialias=True``;
        False skips pixels, as the two named functions do by default.

    Examples
    --------
    >>> resize_slices(np.array([[[0.0, 1.0]]]), 1, 4).tolist()
    [[[0.0, 0.25, 0.75, 1.0]]]
    """
    values = np.asarray(array_kji, dtype=np.float32)
    down = _triangle_weights(values.shape[1], rows, antialias=antialias)
    across = _triangle_weights(values.shape[2], columns, antialias=antialias)
    return np.asarray(np.matmul(np.matmul(down, values), across.T), dtype=np.float32)


def _triangle_weights(old: int, new: int, *, antialias: bool) -> NDArray[np.float32]:
    scale = old / new
    support = max(scale, 1.0) if antialias else 1.0
    centres = (np.arange(new)[:, None] + 0.5) * scale - 0.5
    if not antialias:
        centres = np.clip(centres, 0.0, old - 1.0)
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(old)[None, :] - centres) / support)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class _Step:
    """From which grid to which, by which spline order, with which value beyond."""

    source: Grid
    target: Grid
    order: int
    outside: float

    def source_from_target_kji(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        # Rounded so that centres that coincide do so exactly, and the nearest voxel is not a coin toss.
        matrix = np.round(self.source.ras_to_ijk @ self.target.ijk_to_ras, 9)
        return matrix[:3, :3][::-1, ::-1].copy(), matrix[:3, 3][::-1].copy()


def _sample(array_kji: NDArray[Any], step: _Step, dtype: np.dtype[Any]) -> NDArray[Any]:
    if step.source.same_as(step.target, tolerance_mm=1e-6):
        return np.array(array_kji, dtype=dtype)
    matrix, offset = step.source_from_target_kji()
    sampled = ndimage.affine_transform(
        array_kji,
        matrix,
        offset,
        output_shape=step.target.shape_kji,
        output=dtype,
        order=step.order,
        mode="nearest",
    )
    _fill_beyond(sampled, matrix, offset, step)
    return np.asarray(sampled)


def _fill_beyond(
    sampled: NDArray[Any], matrix: NDArray[np.float64], offset: NDArray[np.float64], step: _Step
) -> None:
    low = -0.5 - _EDGE_TOLERANCE_VOXELS
    high = np.array(step.source.shape_kji) - 0.5 + _EDGE_TOLERANCE_VOXELS
    last = np.array(sampled.shape) - 1
    corners = np.array(np.meshgrid(*[(0, n) for n in last], indexing="ij")).reshape(3, -1)
    reached = matrix @ corners + offset[:, None]
    if np.all(reached >= low) and np.all(reached <= high[:, None]):
        return
    j, i = np.ogrid[: sampled.shape[1], : sampled.shape[2]]
    for k in range(sampled.shape[0]):
        beyond = np.zeros(sampled.shape[1:], dtype=np.bool_)
        for axis in range(3):
            row = matrix[axis]
            position = (row[0] * k + offset[axis]) + row[1] * j + row[2] * i
            beyond |= (position < low) | (position > high[axis])
        sampled[k][beyond] = step.outside


def _value_type(dtype: np.dtype[Any], *, order: int, outside: float) -> np.dtype[Any]:
    if dtype == np.float64:
        return np.dtype(np.float64)
    if order == 0 and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if float(outside).is_integer() and limits.min <= outside <= limits.max:
            return dtype
    return np.dtype(np.float32)


def _refuse_order(order: int) -> None:
    if order not in (0, 1, 3):
        raise WrongUseError(
            found=f"interpolation order {order}",
            expected="0 (nearest), 1 (linear) or 3 (cubic)",
            remedy="Correct the call.",
        )


def _refuse_other_shape(array_kji: NDArray[Any], grid: Grid) -> None:
    if np.shape(array_kji) != grid.shape_kji:
        raise GeometryError(
            found=f"an array of shape {np.shape(array_kji)} on a grid of {grid.shape_kji}",
            expected="the same shape",
            remedy="Pass the grid that belongs to the array.",
        )
