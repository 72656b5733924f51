"""Longest lines through a mask, in 3-D and on a slice, as lines that can be drawn in the patient.

Where a line ends
-----------------
A mask is a set of boxes, and a line ends half a box beyond the centre of the last voxel, measured along
the grid axes: at the centre of a voxel face. A rod of ``n`` voxels of ``s`` mm is ``n * s`` mm long. These
are the points between which the Image Biomarker Standardisation Initiative measures (mesh vertices).
Centre to centre would read one voxel short, corner to corner long on every slanted surface.

In 3-D the half box is half the *finest* spacing on every axis. On cubic voxels that changes nothing; on
thick slices the line ends in the middle of the last slice and not at its far face, because a ball on
slices of 5 mm would otherwise read 4 mm too long. A rod of ``n`` thick slices along their normal reads
``(n - 1) * thickness + finest spacing``.

References
----------
Zwanenburg et al., Radiology 2020;295:328-338, https://doi.org/10.1148/radiol.2020191145
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull

from ctinsight.errors import WrongUseError
from ctinsight.finding import MeasuredLine
from ctinsight.measure.box import bounding_box, check_mask, check_not_empty
from ctinsight.measure.volumes import slice_areas_cm2, slice_axis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid

#: Lines whose lengths differ by less than this (mm) count as equally long.
_TIE_MM = 1e-6

#: Offsets (k, j, i) in voxels from the centre of a voxel to the centres of its six faces.
_FACES_KJI = 0.5 * np.array([(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)])


@dataclass(frozen=True)
class InPlaneDiameters:
    """A and B of one slice.

    ``slice_index`` counts along the slice axis in array order. ``a`` is the longest line on the slice,
    ``b`` the longest line perpendicular to it.
    """

    slice_index: int
    a: MeasuredLine
    b: MeasuredLine


def max_diameter(mask_kji: NDArray[np.bool_], grid: Grid) -> MeasuredLine:
    """Find the longest straight line between two points of the surface, in 3-D.

    It may leave the mask on its way (a crescent), and it bridges separate pieces: pass one component.

    Raises
    ------
    WrongUseError
        The mask is empty.
    """
    check_mask(mask_kji, grid)
    box = check_not_empty(bounding_box(mask_kji))
    start = np.array([s.start for s in box])
    reach = _FACES_KJI * (min(grid.spacing_kji_mm) / np.array(grid.spacing_kji_mm))
    points_kji = (_row_ends(mask_kji[box])[:, None, :] + reach).reshape(-1, 3)
    hull = points_kji[ConvexHull(points_kji).vertices] + start
    points_ras = grid.ras_from_ijk(hull[:, ::-1])
    first, second = _farthest_pairs(points_ras)[0]
    return _line("max_diameter", "Longest diameter", points_ras[first], points_ras[second])


def in_plane_diameters(
    mask_kji: NDArray[np.bool_], grid: Grid, *, slice_index: int | None = None
) -> InPlaneDiameters:
    """Measure A and B on one slice, as a radiologist reads them for ABC/2.

    A is the longest line between two points of the outline. B is the longest line perpendicular to A
    whose two ends lie on the outline, wherever along A it stands; where the lesion is not convex it may
    cross a gap, as a calliper does. B is a line that can be drawn, not the projected width, which for a
    slanted lesion is wider than any line. Of several equally long A the one with the longest B counts.
    Separate pieces are bridged: pass one component to measure one.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns).
    grid
        The slice axis is its array axis closest to superior; lengths are in the plane of the slice.
    slice_index
        Which slice along that axis; the default is the one with the largest area (of equal ones the most
        inferior).

    Raises
    ------
    WrongUseError
        The mask, or the chosen slice, is empty.
    """
    check_mask(mask_kji, grid)
    check_not_empty(bounding_box(mask_kji))
    axis, _ = slice_axis(grid)
    index = largest_slice(mask_kji, grid) if slice_index is None else slice_index
    plane = np.take(mask_kji, index, axis=axis)
    if not plane.any():
        raise WrongUseError(
            found=f"no voxel on slice {index}",
            expected="a slice that the mask reaches",
            remedy="Choose another slice, or none for the one with the largest area.",
        )
    segments_ras = _outline_ras(plane, grid, axis, index)
    corner, across, along = _plane_axes(grid, axis)
    segments_mm = (segments_ras - corner) @ np.stack([across, along], axis=1)
    a_mm, b_mm = _longest_and_perpendicular(segments_mm)
    level = (segments_ras[0, 0] - corner) - segments_mm[0, 0] @ np.stack([across, along])
    ends = np.stack([a_mm, b_mm]) @ np.stack([across, along]) + corner + level
    return InPlaneDiameters(
        slice_index=int(index),
        a=_line("a", "A, longest diameter on the slice", ends[0, 0], ends[0, 1]),
        b=_line("b", "B, longest perpendicular to A", ends[1, 0], ends[1, 1]),
    )


def largest_slice(mask_kji: NDArray[np.bool_], grid: Grid) -> int:
    """Return the slice with the largest area, in array order; of equal ones the most inferior."""
    areas = slice_areas_cm2(mask_kji, grid)
    largest = np.flatnonzero(areas == areas.max())
    return int(largest[0] if slice_axis(grid)[1] > 0 else largest[-1])


def _row_ends(mask_kji: NDArray[np.bool_]) -> NDArray[np.float64]:
    # Of each row of voxels only the two ends can be corners of the convex hull, whichever face is meant.
    k, j = np.nonzero(mask_kji.any(axis=2))
    rows = mask_kji[k, j]
    first = rows.argmax(axis=1)
    last = rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)
    ends = [np.stack([k, j, i], axis=1) for i in (first, last)]
    return np.concatenate(ends).astype(np.float64)


def _farthest_pairs(points_mm: NDArray[np.float64]) -> list[tuple[int, int]]:
    # All pairs as far apart as the farthest, in an order that does not depend on the order of the array.
    order = np.lexsort(np.round(points_mm, 4).T)
    points = points_mm[order]
    chunks = [slice(n, n + 512) for n in range(0, len(points), 512)]
    best = max(float(_squared_distances(points[chunk], points).max()) for chunk in chunks)
    limit = (np.sqrt(best) - _TIE_MM) ** 2 if best > _TIE_MM**2 else 0.0
    pairs = []
    for chunk in chunks:
        rows, columns = np.nonzero(_squared_distances(points[chunk], points) >= limit)
        rows += chunk.start
        pairs += [(int(order[r]), int(order[c])) for r, c in zip(rows, columns, strict=True) if r < c]
    return pairs


def _squared_distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    squares = np.zeros((len(a), len(b)))
    for axis in range(a.shape[1]):
        squares += np.subtract.outer(a[:, axis], b[:, axis]) ** 2
    return squares


#: Edges of a cell of four neighbouring pixel centres, as (row, column) of their middle from its first.
_TOP, _RIGHT, _BOTTOM, _LEFT = (0.0, 0.5), (0.5, 1.0), (1.0, 0.5), (0.5, 0.0)

#: Which edges the outline joins, by the corners that are True: 1 first, 2 right of it, 4 opposite, 8 below.
_CELL_SEGMENTS = {
    1: ((_TOP, _LEFT),),
    2: ((_TOP, _RIGHT),),
    3: ((_LEFT, _RIGHT),),
    4: ((_RIGHT, _BOTTOM),),
    5: ((_TOP, _LEFT), (_RIGHT, _BOTTOM)),
    6: ((_TOP, _BOTTOM),),
    7: ((_LEFT, _BOTTOM),),
    8: ((_LEFT, _BOTTOM),),
    9: ((_TOP, _BOTTOM),),
    10: ((_TOP, _RIGHT), (_LEFT, _BOTTOM)),
    11: ((_RIGHT, _BOTTOM),),
    12: ((_LEFT, _RIGHT),),
    13: ((_TOP, _RIGHT),),
    14: ((_TOP, _LEFT),),
}


def outline_segments(plane: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Trace the half-way outline of a 2-D mask (marching squares).

    Parameters
    ----------
    plane
        (rows, columns).

    Returns
    -------
    array
        (segments, 2 ends, 2) in (row, column) of pixel centres, in no particular order.
    """
    padded = np.pad(plane, 1).astype(np.uint8)
    code = padded[:-1, :-1] + 2 * padded[:-1, 1:] + 4 * padded[1:, 1:] + 8 * padded[1:, :-1]
    rows, columns = np.nonzero((code > 0) & (code < 15))
    codes = code[rows, columns]
    first = np.stack([rows, columns], axis=1)[:, None, :] - 1.0
    parts = [
        first[codes == value] + np.array(segment)[None]
        for value, segments in _CELL_SEGMENTS.items()
        for segment in segments
    ]
    return np.concatenate(parts)


def _outline_ras(plane: NDArray[np.bool_], grid: Grid, axis: int, index: int) -> NDArray[np.float64]:
    segments = outline_segments(plane)
    kji = np.insert(segments, axis, float(index), axis=2)
    return grid.ras_from_ijk(kji[..., ::-1])


def _plane_axes(
    grid: Grid, axis: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    # A point and two perpendicular unit vectors in RAS that span the slices; the patient decides their order
    # and sign, not the array, so that of equally long lines the same one is found.
    in_plane = sorted((a for a in range(3) if a != axis), key=lambda a: grid.ras_axis(a)[0])
    first, second = (grid.directions[:, 2 - a] * grid.ras_axis(a)[1] for a in in_plane)
    second = second - first * (first @ second)
    return grid.ijk_to_ras[:3, 3], first, second / np.linalg.norm(second)


def _longest_and_perpendicular(
    segments_mm: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # (2 ends, 2) for A and for B, from an outline of (n, 2 ends, 2) in mm.
    vertices = np.unique(np.round(segments_mm.reshape(-1, 2), 9), axis=0)
    hull = vertices[ConvexHull(vertices).vertices]
    choices = []
    for first, second in _farthest_pairs(hull)[:16]:
        a_mm = hull[[first, second]]
        choices.append((a_mm, _longest_perpendicular(segments_mm, a_mm)))
    lengths = [float(np.linalg.norm(b[1] - b[0])) for _, b in choices]
    return choices[int(np.argmax(np.round(lengths, 6)))]


def _longest_perpendicular(
    segments_mm: NDArray[np.float64], a_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    # Along A the distance of the outermost outline points is linear between outline vertices, so the
    # longest perpendicular stands at a vertex.
    along = (a_mm[1] - a_mm[0]) / np.linalg.norm(a_mm[1] - a_mm[0])
    across = np.array([-along[1], along[0]])
    t, h = _left_to_right(segments_mm @ along, segments_mm @ across)
    stations = t.ravel()[np.unique(np.round(t, 6), return_index=True)[1]]
    low, high = _extent_at(stations, t, h)
    # Of several equally wide places the one nearest to the middle of A, so that B does not wander with the
    # order of the array's axes.
    widths = high - low
    wide = np.flatnonzero(widths > widths.max() - _TIE_MM)
    from_middle = np.abs(stations[wide] - a_mm.mean(axis=0) @ along)
    widest = int(wide[np.argmin(np.round(from_middle, 6))])
    start, end = stations[widest] * along + np.outer((low[widest], high[widest]), across)
    return np.stack([start, end])


def _left_to_right(
    t: NDArray[np.float64], h: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # (segments, 2 ends) with the smaller t first, sorted by it.
    swap = t[:, 0] > t[:, 1]
    t, h = (np.where(swap[:, None], x[:, ::-1], x) for x in (t, h))
    order = np.argsort(t[:, 0])
    return t[order], h[order]


def _extent_at(
    stations: NDArray[np.float64], t: NDArray[np.float64], h: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # Lowest and highest outline point at each of the sorted stations. Segments are at most a pixel long,
    # so a group of neighbouring stations meets only the few segments that start near it.
    reach = float((t[:, 1] - t[:, 0]).max()) + 1e-6
    group = np.floor((stations - stations[0]) / reach)
    parts = np.split(stations, np.flatnonzero(np.diff(group)) + 1)
    low, high = [], []
    for part in parts:
        first = int(np.searchsorted(t[:, 0], part[0] - reach))
        last = int(np.searchsorted(t[:, 0], part[-1] + 1e-6, side="right"))
        lowest, highest = _extent_among(part, t[first:last], h[first:last])
        low.append(lowest)
        high.append(highest)
    return np.concatenate(low), np.concatenate(high)


def _extent_among(
    stations: NDArray[np.float64], t: NDArray[np.float64], h: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    length = t[:, 1] - t[:, 0]
    steep = length < 2e-6
    at = stations[:, None]
    share = np.clip((at - t[:, 0]) / np.where(steep, 1.0, length), 0.0, 1.0)
    level = h[:, 0] + share * (h[:, 1] - h[:, 0])
    reached = (at >= t[:, 0] - 1e-6) & (at <= t[:, 1] + 1e-6)
    low = np.where(reached, np.where(steep, h.min(axis=1), level), np.inf).min(axis=1)
    high = np.where(reached, np.where(steep, h.max(axis=1), level), -np.inf).max(axis=1)
    return low, high


def _line(key: str, name: str, start: NDArray[np.float64], end: NDArray[np.float64]) -> MeasuredLine:
    # The same line whichever way the array runs: the first end is the one more to the patient's left.
    ends = sorted(tuple(float(x) for x in np.round(point, 9)) for point in (start, end))
    first, second = ((r, a, s) for r, a, s in ends)
    return MeasuredLine(key, name, first, second)
