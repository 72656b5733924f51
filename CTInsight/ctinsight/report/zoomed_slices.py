"""Frames for small findings: each by itself, enlarged, on a row of slices through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctinsight.report.axial_slices import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ctinsight.finding import MeasuredLine, Segment
    from ctinsight.report.axial_slices import AxialStack

#: Slices of each finding; with more findings than rows only the slice with most of it is shown.
SLICES, ROWS = 5, 6
#: Surroundings that are shown, and the smallest half width of a frame, mm.
AROUND_MM, LEAST_HALF_MM = 11.0, 19.0


def zoomed_frames(
    stack: AxialStack, segments: Sequence[Segment], lines: Sequence[MeasuredLine]
) -> list[Frame]:
    """Choose frames for every finding that has voxels.

    Parameters
    ----------
    stack
        The turned CT and labels.
    segments
        A finding and its part belong together when the part's key is the finding's key and ``_solid``.
    lines
        The slice of a line that lies in one is among the frames.

    Returns
    -------
    list of Frame
        All of one size; a row of :data:`SLICES` for each finding; empty when nothing was found.
    """
    groups: dict[str, list[Segment]] = {}
    for segment in segments:
        groups.setdefault(segment.key.removesuffix("_solid"), []).append(segment)
    masks = {
        members[0].name: np.isin(stack.labelmap_kji, [s.label for s in members])
        for members in groups.values()
    }
    boxes = {name: _box(mask) for name, mask in masks.items() if mask.any()}
    if not boxes:
        return []
    half = _half_size(stack, list(boxes.values()))
    count = SLICES if len(boxes) <= ROWS else 1
    frames: list[Frame] = []
    for name, box in boxes.items():
        rows = _window(box[1], half[0], stack.labelmap_kji.shape[1])
        columns = _window(box[2], half[1], stack.labelmap_kji.shape[2])
        wanted = _line_slices(stack, lines, box)
        frames += [Frame(k, rows, columns, name) for k in _slices(masks[name], wanted, count)]
    return frames


def _box(mask_kji: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    found = [np.flatnonzero(mask_kji.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    k, j, i = (slice(int(f[0]), int(f[-1]) + 1) for f in found)
    return k, j, i


def _half_size(stack: AxialStack, boxes: Sequence[tuple[slice, slice, slice]]) -> tuple[int, int]:
    i_mm, j_mm, _ = stack.grid.spacing_ijk_mm
    largest = max(max((b[1].stop - b[1].start) * j_mm, (b[2].stop - b[2].start) * i_mm) for b in boxes)
    half_mm = max(LEAST_HALF_MM, largest / 2 + AROUND_MM)
    _, rows, columns = stack.labelmap_kji.shape
    return min(round(half_mm / j_mm), rows // 2), min(round(half_mm / i_mm), columns // 2)


def _window(part: slice, half: int, available: int) -> slice:
    """Place a window of 2 * half voxels about the middle of a part, within the image."""
    start = (part.start + part.stop) // 2 - half
    start = int(np.clip(start, 0, max(0, available - 2 * half)))
    return slice(start, start + 2 * half)


def _line_slices(
    stack: AxialStack, lines: Sequence[MeasuredLine], box: tuple[slice, slice, slice]
) -> set[int]:
    """Slices in which a line of this finding lies."""
    found = set()
    for line in lines:
        ends = stack.grid.ijk_from_ras((line.start_ras, line.end_ras))
        k = np.round(ends[:, 2]).astype(int)
        inside = np.all((ends[:, 0] >= box[2].start - 1) & (ends[:, 0] <= box[2].stop))
        inside &= np.all((ends[:, 1] >= box[1].start - 1) & (ends[:, 1] <= box[1].stop))
        if k[0] == k[1] and inside and box[0].start <= k[0] < box[0].stop:
            found.add(int(k[0]))
    return found


def _slices(mask_kji: NDArray[np.bool_], wanted: set[int], count: int) -> list[int]:
    areas = np.count_nonzero(mask_kji, axis=(1, 2))
    if count == 1:
        return [int(np.argmax(areas))]
    found = np.flatnonzero(areas)
    first, last = int(found[0]), int(found[-1])
    while last - first + 1 < min(count, len(areas)):
        first, last = max(first - 1, 0), min(last + 1, len(areas) - 1)
    slices = np.round(np.linspace(first, last, min(count, last - first + 1))).astype(int).tolist()
    for k in sorted(wanted)[:1] or [int(np.argmax(areas))]:
        nearest = min(range(len(slices)), key=lambda n: abs(slices[n] - k))
        slices[nearest] = k
    return sorted(set(slices))
