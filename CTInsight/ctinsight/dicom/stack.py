"""Where slices lie: order, doubles, holes, shear. Positions decide, not tags."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import GeometryError, SliceGapError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ctinsight.dicom.headers import Frame

#: A step this much larger than the slice thickness and than its neighbours is a hole (guide of this project).
HOLE_FACTOR = 1.5
#: Slices closer than this lie at one place: below the smallest increment of CT scanners (0.1 mm), above the
#: rounding of positions in headers.
ONE_PLACE_MM = 0.02
#: Steps alike within this fraction are one run.
_ALIKE = 0.1
_COMPLETE = "Send the whole series again; if the gap is wanted, read with --allow-gaps."


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices in order along their normal.

    Parameters
    ----------
    frames
        The slices, lowest position first.
    axes_lps
        3 x 3, rows are the unit vectors along columns (i), along rows (j), and the slice normal.
    positions_mm
        (n, 3): centre of each slice's first pixel along these three axes.
    spacing_mm
        (row, column) distance of neighbouring pixels: along j and along i.
    """

    frames: tuple[Frame, ...]
    axes_lps: NDArray[np.float64]
    positions_mm: NDArray[np.float64]
    spacing_mm: tuple[float, float]

    @property
    def along_normal_mm(self) -> NDArray[np.float64]:
        """Position of each slice along the normal."""
        return np.asarray(self.positions_mm[:, 2])

    @property
    def steps_mm(self) -> NDArray[np.float64]:
        """Distance of neighbouring slices along the normal."""
        return np.diff(self.along_normal_mm)

    @property
    def sideways_mm(self) -> float:
        """How far the slices shift in their own plane, at most."""
        return float(np.ptp(self.positions_mm[:, :2], axis=0).max())

    @property
    def shear_degrees(self) -> float:
        """Angle between the direction in which slices are stacked and their normal (gantry tilt)."""
        s = self.along_normal_mm - self.along_normal_mm.mean()
        if len(s) < 2:
            return 0.0
        sideways = (s @ self.positions_mm[:, :2]) / (s @ s)
        return float(np.degrees(np.arctan(np.linalg.norm(sideways))))

    def without(self, indices: Sequence[int]) -> Stack:
        """Leave out slices."""
        keep = [n for n in range(len(self.frames)) if n not in set(indices)]
        frames = tuple(self.frames[n] for n in keep)
        return Stack(frames, self.axes_lps, self.positions_mm[keep], self.spacing_mm)


def build_stack(frames: Sequence[Frame]) -> Stack:
    """Order slices of one orientation by their position along the normal.

    Raises
    ------
    GeometryError
        A slice without position, orientation or pixel spacing, or with an impossible one.
    """
    for frame in frames:
        _refuse_unplaced(frame)
    first = frames[0]
    axes = _axes(first)
    positions = np.array([frame.position_lps for frame in frames]) @ axes.T
    order = np.argsort(positions[:, 2], kind="stable")
    spacing = first.spacing_mm or (0.0, 0.0)
    return Stack(tuple(frames[n] for n in order), axes, positions[order], (spacing[0], spacing[1]))


def _refuse_unplaced(frame: Frame) -> None:
    missing = [
        name
        for name, value in (
            ("ImagePositionPatient", frame.position_lps),
            ("ImageOrientationPatient", frame.orientation_lps),
            ("PixelSpacing", frame.spacing_mm),
        )
        if value is None
    ]
    if frame.odd or missing or not frame.spacing_mm or min(frame.spacing_mm) <= 0:
        raise GeometryError(
            found=f"{frame.path.name}: "
            + (frame.odd or (f"no {', '.join(missing)}" if missing else f"PixelSpacing {frame.spacing_mm}")),
            expected="a position, an orientation and a pixel spacing for every slice",
            remedy="Export the series again from the scanner or the archive; nothing is guessed here.",
        )


def _axes(frame: Frame) -> NDArray[np.float64]:
    along_i, along_j = np.reshape(np.array(frame.orientation_lps), (2, 3))
    lengths = np.linalg.norm(along_i), np.linalg.norm(along_j)
    if not np.allclose(lengths, 1.0, atol=1e-2) or abs(along_i @ along_j) > 1e-3:
        raise GeometryError(
            found=f"{frame.path.name}: ImageOrientationPatient {frame.orientation_lps}",
            expected="two unit vectors at a right angle",
            remedy="Export the series again from the scanner or the archive.",
        )
    along_i = along_i / lengths[0]
    along_j = along_j - (along_j @ along_i) * along_i
    along_j = along_j / np.linalg.norm(along_j)
    return np.array([along_i, along_j, np.cross(along_i, along_j)])


def drop_doubles(stack: Stack, read: Callable[[Frame], NDArray[Any]]) -> tuple[Stack, tuple[str, ...]]:
    """Leave out slices that repeat another one voxel by voxel.

    Raises
    ------
    SliceGapError
        Two different slices at one place.
    """
    doubles: list[int] = []
    kept = 0
    for n in range(1, len(stack.frames)):
        if stack.positions_mm[n, 2] - stack.positions_mm[kept, 2] >= ONE_PLACE_MM:
            kept = n
            continue
        apart = float(np.abs(stack.positions_mm[n] - stack.positions_mm[kept]).max())
        if apart > ONE_PLACE_MM or not np.array_equal(read(stack.frames[n]), read(stack.frames[kept])):
            raise _two_at_one_place(stack, kept, n)
        doubles.append(n)
    if not doubles:
        return stack, ()
    return stack.without(doubles), (f"{len(doubles)} slices that repeat another one exactly were left out.",)


def _two_at_one_place(stack: Stack, a: int, b: int) -> SliceGapError:
    names = ", ".join(stack.frames[n].path.name for n in (a, b))
    place = stack.along_normal_mm[a]
    return SliceGapError(
        found=f"two different slices at one place, {place:.2f} mm along the slice normal ({names})",
        expected="one slice per position",
        remedy="Separate the phases, time points or reconstructions of the series, and read one of them.",
    )


def find_holes(stack: Stack) -> tuple[int, ...]:
    """Find the steps (by index) where slices are missing.

    A run of like steps is a hole when each is larger than 1.5 times the slice thickness and 1.5 times the
    steps beside the run, and when the run is a single step or has smaller steps on both sides. So 5, 5, 10, 5
    and 5, 10, 10, 5 are holes; 4, 4, 7, 7 is a change of increment.
    """
    steps = stack.steps_mm
    holes: list[int] = []
    for start, stop in _runs(steps):
        beside = [float(steps[n]) for n in (start - 1, stop) if 0 <= n < len(steps)]
        if stop - start > 1 and len(beside) < 2:
            continue
        limits = [limit for limit in (_thickness_mm(stack, start, stop), *beside) if limit is not None]
        if limits and steps[start:stop].min() > HOLE_FACTOR * max(limits):
            holes.extend(range(start, stop))
    return tuple(holes)


def _runs(steps: NDArray[np.float64]) -> list[tuple[int, int]]:
    edges = [n for n in range(1, len(steps)) if abs(steps[n] / steps[n - 1] - 1) > _ALIKE]
    bounds = [0, *edges, len(steps)]
    return [(a, b) for a, b in pairwise(bounds) if b > a]


def _thickness_mm(stack: Stack, start: int, stop: int) -> float | None:
    known = [f.thickness_mm for f in stack.frames[start : stop + 1] if f.thickness_mm is not None]
    return max(known, default=None)


def gap_error(stack: Stack, holes: Sequence[int]) -> SliceGapError:
    """Make the error that names where slices are missing."""
    s, steps = stack.along_normal_mm, stack.steps_mm
    places = "; ".join(f"{s[n]:.2f} and {s[n + 1]:.2f} mm (a step of {steps[n]:.2f} mm)" for n in holes[:10])
    thickness = _thickness_mm(stack, 0, len(steps))
    known = "not stated" if thickness is None else f"{thickness:g} mm"
    return SliceGapError(
        found=f"slices missing between {places}; usual step {np.median(steps):.2f} mm, thickness {known}",
        expected="steps of at most 1.5 times the slice thickness or the neighbouring steps",
        remedy=_COMPLETE,
    )
