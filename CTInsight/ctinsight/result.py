"""What one run of a task hands over: labelmap, findings, tables, checks, lines and the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import GeometryError, InputRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ctinsight.finding import Check, Finding, MeasuredLine, Segment, Table
    from ctinsight.volume import Grid, Volume

#: Up to so many labels are looked for one by one.
_FEW_LABELS = 8


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A labelmap with its names.

    Parameters
    ----------
    labelmap_kji
        (slices, rows, columns), uint8; 0 is background, other values are the labels of ``segments``.
    grid
        The grid of the labelmap, the same as the CT's.
    segments
        Every label that may occur; a segment without voxels is an explicit "nothing found".
    """

    labelmap_kji: NDArray[np.uint8]
    grid: Grid
    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        if self.labelmap_kji.shape != self.grid.shape_kji:
            raise GeometryError(
                found=f"a labelmap of shape {self.labelmap_kji.shape} on a grid of {self.grid.shape_kji}",
                expected="the same shape",
                remedy="Resample the labelmap to the CT's grid first.",
            )
        unknown = _labels_of(self.labelmap_kji) - {0, *(s.label for s in self.segments)}
        if unknown:
            msg = f"labels without a segment: {sorted(unknown)}"
            raise ValueError(msg)

    def mask_kji(self, key: str) -> NDArray[np.bool_]:
        """Return the voxels of one segment, by its key."""
        label = next(s.label for s in self.segments if s.key == key)
        return np.asarray(self.labelmap_kji == label)


@dataclass(frozen=True, eq=False)
class Layer:
    """A further segmentation of a result, such as territories, which overlap its findings.

    ``key`` is also the name of its file; ``pictured`` wants a picture of its own.
    """

    key: str
    segmentation: Segmentation
    pictured: bool = False


@dataclass(frozen=True, eq=False)
class ImageLayer:
    """A further image of a result, such as a map in HU or percent; ``key`` is also the name of its file."""

    key: str
    volume: Volume
    meaning: str


@dataclass(frozen=True, eq=False)
class Surface:
    """A surface with a value at each vertex, such as bone coloured by its thickness.

    Parameters
    ----------
    key, name
        Machine name, and what a radiologist calls it.
    vertices_ras
        (n, 3) in mm.
    triangles
        (m, 3) indices of vertices.
    values
        (n,) of each vertex.
    value_name, unit
        What the values are, and their UCUM unit.
    segment
        Key of the segment whose surface it is; 3-D views show one of them.
    """

    key: str
    name: str
    vertices_ras: NDArray[np.float64]
    triangles: NDArray[np.intp]
    values: NDArray[np.float64]
    value_name: str
    unit: str
    segment: str = ""


def as_labelmap(array_kji: NDArray[Any], shape_kji: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return an array that a person's edit left as labels.

    Parameters
    ----------
    array_kji
        (slices, rows, columns) whole numbers from 0 to 255, of any integer type, or bool.
    shape_kji
        That of the CT.

    Raises
    ------
    GeometryError
        Another shape.
    InputRefusedError
        Fractions, or numbers outside 0 to 255: rounding them would draw another mask, silently.
    """
    if array_kji.shape != shape_kji:
        raise GeometryError(
            found=f"a labelmap of shape {array_kji.shape} on a grid of {shape_kji}",
            expected="the same shape",
            remedy="Resample the labelmap to the CT's grid first.",
        )
    whole = array_kji.dtype.kind in "iub"
    if not whole or int(array_kji.min()) < 0 or int(array_kji.max()) > np.iinfo(np.uint8).max:
        numbers = f"{array_kji.min()} to {array_kji.max()}" if whole else "not whole numbers"
        raise InputRefusedError(
            found=f"a labelmap of type {array_kji.dtype}, {numbers}",
            expected="whole numbers from 0 to 255",
            remedy="Export the segments as a binary labelmap.",
        )
    return np.asarray(array_kji, dtype=np.uint8)


def _labels_of(labelmap_kji: NDArray[np.uint8]) -> set[int]:
    """Return the values that occur; for the usual few labels ten times as fast as sorting all voxels."""
    top = int(labelmap_kji.max(initial=0))
    if top > _FEW_LABELS:
        return set(np.unique(labelmap_kji).tolist())
    return {value for value in range(1, top + 1) if (labelmap_kji == value).any()}


@dataclass(frozen=True, eq=False)
class CaseResult:
    """Everything a task found in one case, ready to be written, shown or recomputed.

    ``statements`` are limits that must be read with the numbers; ``manifest`` says how they were made and
    holds no patient identity. ``layers`` and ``images`` are written beside the segmentation.
    """

    task: str
    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]
    checks: tuple[Check, ...]
    segmentation: Segmentation
    lines: tuple[MeasuredLine, ...] = ()
    statements: tuple[str, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)
    surface: Surface | None = None
    layers: tuple[Layer, ...] = ()
    images: tuple[ImageLayer, ...] = ()

    def finding(self, key: str) -> Finding:
        """Return one finding by its key."""
        return next(f for f in self.findings if f.key == key)

    def table(self, key: str) -> Table:
        """Return one table by its key."""
        return next(t for t in self.tables if t.key == key)
