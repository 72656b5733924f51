"""Which axial slices a picture shows, and how they are turned: patient right on the left, anterior up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from ctinsight.resample import reorient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.result import Segmentation
    from ctinsight.volume import Grid, Volume

#: Below this the body ends: half-way between air (-1000 HU) and fat (-100 HU).
SKIN_HU = -500.0

#: Columns and rows of a montage, smallest first; with slices taller than wide each fills the page.
LAYOUTS = ((3, 2), (4, 2), (5, 2), (5, 3))


@dataclass(frozen=True, eq=False)
class AxialStack:
    """A CT and its labels, slice 0 lowest, row 0 anterior, column 0 at the patient's right.

    ``array_kji`` in HU, ``labelmap_kji`` uint8, both (slices, rows, columns) on ``grid``.
    """

    array_kji: NDArray[Any]
    labelmap_kji: NDArray[np.uint8]
    grid: Grid

    def slice_area_cm2(self, k: int, label: int) -> float:
        """Area of a label in one slice, in cm²."""
        i_mm, j_mm, _ = self.grid.spacing_ijk_mm
        return float(np.count_nonzero(self.labelmap_kji[k] == label) * i_mm * j_mm / 100.0)

    def slice_position_mm(self, k: int) -> float:
        """Superior coordinate of the centre of a slice, in mm."""
        _, rows, columns = self.grid.shape_kji
        return float(self.grid.ras_from_ijk(((columns - 1) / 2, (rows - 1) / 2, k))[2])

    @property
    def tilt_degrees(self) -> float:
        """Angle between the slices' normal and the patient's superior axis."""
        return float(np.degrees(np.arccos(np.clip(self.grid.directions[2, 2], -1.0, 1.0))))


@dataclass(frozen=True)
class Frame:
    """One panel: a slice, the rows and columns shown of it, and a name to write into it."""

    k: int
    rows: slice
    columns: slice
    name: str = ""


def axial_stack(volume: Volume, segmentation: Segmentation) -> AxialStack:
    """Turn a CT and its labels to the radiological view by flips and permutations alone."""
    array_kji, grid = reorient(volume.array_kji, volume.grid)
    labelmap_kji, _ = reorient(segmentation.labelmap_kji, segmentation.grid)
    return AxialStack(array_kji, labelmap_kji, grid)


def choose_layout(count: int) -> tuple[int, int]:
    """Return (columns, rows) of the smallest montage that holds ``count`` slices, or the largest there is."""
    return next((layout for layout in LAYOUTS if layout[0] * layout[1] >= count), LAYOUTS[-1])


def choose_slices(labelmap_kji: NDArray[np.uint8], body: tuple[int, int]) -> list[int]:
    """Choose the slices that show the findings, or the whole body part when nothing was found.

    Parameters
    ----------
    labelmap_kji
        (slices, rows, columns); non-zero is a finding.
    body
        First and last slice in which there is a patient.

    Returns
    -------
    list
        Slice numbers from below upwards: the findings' extent and one slice beyond, widened to fill the
        montage; evenly spread over it when it is longer. The slice with most finding is always among them.

    Examples
    --------
    >>> labels = np.zeros((20, 2, 2), np.uint8); labels[8:11] = 1
    >>> choose_slices(labels, (0, 19))
    [7, 8, 9, 10, 11, 12]
    """
    areas = np.count_nonzero(labelmap_kji, axis=(1, 2))
    if not areas.any():
        return _spread(*body)
    found = np.flatnonzero(areas)
    first, last = max(int(found[0]) - 1, 0), min(int(found[-1]) + 1, len(areas) - 1)
    slices = _spread(*_widen(first, last, len(areas)))
    largest = int(np.argmax(areas))
    nearest = min(range(len(slices)), key=lambda n: abs(slices[n] - largest))
    return sorted({*slices[:nearest], largest, *slices[nearest + 1 :]})


def _widen(first: int, last: int, available: int) -> tuple[int, int]:
    columns, rows = choose_layout(last - first + 1)
    wanted = min(columns * rows, available)
    while last - first + 1 < wanted:
        if last < available - 1:
            last += 1
        if last - first + 1 < wanted and first > 0:
            first -= 1
    return first, last


def _spread(first: int, last: int) -> list[int]:
    columns, rows = LAYOUTS[-1]
    count = min(last - first + 1, columns * rows)
    return [int(k) for k in np.unique(np.linspace(first, last, count).round().astype(int))]


def body_slices(array_kji: NDArray[Any]) -> tuple[int, int]:
    """Find the first and last slice with at least a sixth of the largest cross-section of the body."""
    areas = np.count_nonzero(array_kji > SKIN_HU, axis=(1, 2))
    filled = np.flatnonzero(areas * 6 >= max(int(areas.max()), 1))
    return (int(filled[0]), int(filled[-1])) if len(filled) else (0, len(areas) - 1)


def shown_region(stack: AxialStack, margin_mm: float) -> tuple[slice, slice]:
    """Return the rows and columns that hold the body and every finding, with a margin, as slices."""
    i_mm, j_mm, _ = stack.grid.spacing_ijk_mm
    body_rows, body_columns = _body_box(stack.array_kji)
    marked = np.any(stack.labelmap_kji > 0, axis=0)
    rows = _span(body_rows, np.flatnonzero(marked.any(axis=1)), round(margin_mm / j_mm), marked.shape[0])
    columns = _span(
        body_columns, np.flatnonzero(marked.any(axis=0)), round(margin_mm / i_mm), marked.shape[1]
    )
    return rows, columns


def findings_region(stack: AxialStack, margin_mm: float) -> tuple[slice, slice]:
    """Return the rows and columns that hold every finding, with a margin, as slices."""
    i_mm, j_mm, _ = stack.grid.spacing_ijk_mm
    marked = np.any(stack.labelmap_kji > 0, axis=0)
    found = []
    for axis, spacing_mm in ((1, j_mm), (0, i_mm)):
        where = np.flatnonzero(marked.any(axis=axis))
        inner = slice(int(where[0]), int(where[-1]) + 1)
        found.append(_span(inner, where, round(margin_mm / spacing_mm), marked.shape[1 - axis]))
    return found[0], found[1]


def _span(body: slice, marked: NDArray[np.intp], margin: int, available: int) -> slice:
    first = min([body.start, *marked[:1].tolist()]) - margin
    stop = max([body.stop, *(marked[-1:] + 1).tolist()]) + margin
    return slice(max(first, 0), min(stop, available))


def _body_box(array_kji: NDArray[Any]) -> tuple[slice, slice]:
    # The largest connected thing that is not air, on a coarse grid; opened once, so that a head holder
    # which touches the patient in a voxel or two stays outside. No air or no body: the whole slice.
    step = [max(1, n // 128) for n in array_kji.shape]
    coarse = array_kji[:: step[0], :: step[1], :: step[2]] > SKIN_HU
    labels, count = ndimage.label(ndimage.binary_opening(coarse))
    if count == 0:
        return slice(0, array_kji.shape[1]), slice(0, array_kji.shape[2])
    largest = int(np.argmax(np.bincount(labels.ravel())[1:])) + 1
    _, rows, columns = ndimage.find_objects(labels)[largest - 1]
    return (
        slice(rows.start * step[1], min(rows.stop * step[1], array_kji.shape[1])),
        slice(columns.start * step[2], min(columns.stop * step[2], array_kji.shape[2])),
    )
