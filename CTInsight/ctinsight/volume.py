"""Geometry as a value: a grid of voxels in patient space, and a CT volume on it.

Axes: ``array_kji[k, j, i]`` is (slice, row, column) as in 3D Slicer. Patient space is RAS: +x to the
patient's right, +y anterior, +z superior, in millimetres. Only :mod:`ctinsight.files` and
:mod:`ctinsight.dicom` meet LPS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import GeometryError, InputRefusedError

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import ArrayLike, NDArray

#: Largest cosine between two grid axes that is still called a right angle (0.06 degrees): the rounding of
#: direction cosines in real headers stays below it, a gantry tilt of half a degree does not.
RIGHT_ANGLE_TOLERANCE = 1e-3

_REEXPORT = "Export the image again from its source, or resample it to a right-angled grid."


@dataclass(frozen=True, eq=False)
class Grid:
    """A right-angled voxel grid in patient space.

    Parameters
    ----------
    shape_kji
        Number of voxels along slice, row and column axis.
    ijk_to_ras
        4 x 4 matrix from voxel index (i, j, k) at voxel centres to RAS in mm.

    Raises
    ------
    GeometryError
        Sheared, singular or non-finite matrix, or an empty shape.

    Examples
    --------
    >>> Grid((2, 3, 4), np.diag([0.5, 0.5, 5.0, 1.0])).voxel_volume_mm3
    1.25
    """

    shape_kji: tuple[int, int, int]
    ijk_to_ras: NDArray[np.float64]

    def __post_init__(self) -> None:
        matrix = np.array(self.ijk_to_ras, dtype=np.float64)
        matrix.setflags(write=False)
        shape = tuple(int(n) for n in self.shape_kji)
        object.__setattr__(self, "ijk_to_ras", matrix)
        object.__setattr__(self, "shape_kji", shape)
        if len(shape) != 3 or min(shape) < 1:
            raise GeometryError(
                found=f"a grid of shape {shape}",
                expected="three axes (slice, row, column) with at least one voxel each",
                remedy="Choose a three-dimensional image.",
            )
        _refuse_bad_matrix(matrix)

    @cached_property
    def spacing_ijk_mm(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxel centres along i, j and k, in mm."""
        i_mm, j_mm, k_mm = np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)
        return float(i_mm), float(j_mm), float(k_mm)

    @property
    def spacing_kji_mm(self) -> tuple[float, float, float]:
        """The same in array order, as ``scipy.ndimage`` wants its ``sampling``."""
        i_mm, j_mm, k_mm = self.spacing_ijk_mm
        return k_mm, j_mm, i_mm

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel in mm³."""
        return float(abs(np.linalg.det(self.ijk_to_ras[:3, :3])))

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in mL (1 mL = 1000 mm³)."""
        return self.voxel_volume_mm3 / 1000.0

    @cached_property
    def ras_to_ijk(self) -> NDArray[np.float64]:
        """4 x 4 matrix from RAS in mm to (i, j, k)."""
        return np.asarray(np.linalg.inv(self.ijk_to_ras), dtype=np.float64)

    @property
    def directions(self) -> NDArray[np.float64]:
        """3 x 3, columns are the unit vectors of the i, j and k axis in RAS."""
        return np.asarray(self.ijk_to_ras[:3, :3] / np.array(self.spacing_ijk_mm), dtype=np.float64)

    def ras_from_ijk(self, points_ijk: ArrayLike) -> NDArray[np.float64]:
        """Map points (..., 3) in (i, j, k) to RAS in mm."""
        points = np.asarray(points_ijk, dtype=np.float64)
        return np.asarray(points @ self.ijk_to_ras[:3, :3].T + self.ijk_to_ras[:3, 3], dtype=np.float64)

    def ijk_from_ras(self, points_ras: ArrayLike) -> NDArray[np.float64]:
        """Map points (..., 3) in RAS (mm) to continuous (i, j, k)."""
        points = np.asarray(points_ras, dtype=np.float64)
        return np.asarray(points @ self.ras_to_ijk[:3, :3].T + self.ras_to_ijk[:3, 3], dtype=np.float64)

    def contains_ijk(self, point_ijk: ArrayLike) -> bool:
        """Whether a point (3,) lies inside the box of voxels, their outer halves included."""
        point = np.asarray(point_ijk, dtype=np.float64)
        return bool(np.all(point >= -0.5) and np.all(point <= np.array(self.shape_kji[::-1]) - 0.5))

    def ras_axis(self, axis_kji: int) -> tuple[int, int]:
        """Find the patient axis that an array axis follows most.

        Parameters
        ----------
        axis_kji
            0, 1 or 2: an axis of ``array_kji``.

        Returns
        -------
        tuple
            (0, 1 or 2 for R, A or S; +1 or -1 for its direction). Each patient axis is given once.
        """
        return self._ras_axes[axis_kji]

    def array_axis(self, ras_axis: int) -> tuple[int, int]:
        """Find the array axis that follows a patient axis (0 R, 1 A, 2 S), and its direction."""
        for axis_kji in range(3):
            found, sign = self.ras_axis(axis_kji)
            if found == ras_axis:
                return axis_kji, sign
        msg = f"ras_axis must be 0, 1 or 2, not {ras_axis}"
        raise ValueError(msg)

    @cached_property
    def _ras_axes(self) -> tuple[tuple[int, int], ...]:
        # The best of the six one-to-one assignments, so that a 45-degree oblique still gets each axis once.
        from itertools import permutations

        kji_columns = self.directions[:, ::-1]
        best = max(permutations(range(3)), key=lambda p: sum(abs(kji_columns[p[a], a]) for a in range(3)))
        return tuple((best[a], 1 if kji_columns[best[a], a] >= 0 else -1) for a in range(3))

    def same_as(self, other: Grid, *, tolerance_mm: float = 1e-3) -> bool:
        """Whether the corner voxels of both grids coincide within a tolerance in mm."""
        if self.shape_kji != other.shape_kji:
            return False
        last = np.array(self.shape_kji[::-1]) - 1
        corners = np.array(np.meshgrid(*[(0, n) for n in last])).reshape(3, -1).T
        distance = np.linalg.norm(self.ras_from_ijk(corners) - other.ras_from_ijk(corners), axis=1)
        return bool(distance.max() <= tolerance_mm)


def _refuse_bad_matrix(matrix: NDArray[np.float64]) -> None:
    expected = "a finite 4 x 4 matrix with three right-angled, non-zero axes"
    if matrix.shape != (4, 4) or not np.all(np.isfinite(matrix)):
        raise GeometryError(found=f"ijk_to_ras = {matrix.tolist()}", expected=expected, remedy=_REEXPORT)
    if not np.allclose(matrix[3], (0, 0, 0, 1), atol=1e-9):
        raise GeometryError(
            found=f"a last matrix row of {matrix[3].tolist()}", expected=expected, remedy=_REEXPORT
        )
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if lengths.min() < 1e-6 or lengths.max() > 1e4:
        raise GeometryError(
            found=f"voxel spacings of {np.round(lengths, 7).tolist()} mm", expected=expected, remedy=_REEXPORT
        )
    units = matrix[:3, :3] / lengths
    cosines = np.abs(units.T @ units)[np.triu_indices(3, 1)]
    if cosines.max() > RIGHT_ANGLE_TOLERANCE:
        degrees = float(np.degrees(np.arcsin(min(1.0, cosines.max()))))
        raise GeometryError(
            found=f"grid axes that miss the right angle by {degrees:.2f} degrees (shear)",
            expected=expected,
            remedy="Read the DICOM series itself, which is corrected for gantry tilt, or "
            + _REEXPORT.lower(),
        )


@dataclass(frozen=True, eq=False)
class Volume:
    """A CT image in Hounsfield units on a right-angled grid.

    Parameters
    ----------
    array_kji
        (slices, rows, columns), HU, any real number type; kept read-only and not copied when possible.
    ijk_to_ras
        4 x 4 matrix from voxel index (i, j, k) to RAS in mm.

    Raises
    ------
    GeometryError
        See :class:`Grid`; also when the array has not three axes.
    InputRefusedError
        Complex or non-numeric values, NaN or infinity among the voxels.
    """

    array_kji: NDArray[Any]
    ijk_to_ras: NDArray[np.float64]

    def __post_init__(self) -> None:
        array = np.asarray(self.array_kji).view()
        array.setflags(write=False)
        object.__setattr__(self, "array_kji", array)
        object.__setattr__(self, "ijk_to_ras", self.grid.ijk_to_ras)
        if array.dtype.kind not in "iuf":
            raise InputRefusedError(
                found=f"voxels of type {array.dtype}",
                expected="real numbers in Hounsfield units",
                remedy="Choose the CT series, not a colour picture or a complex image.",
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            count = int(array.size - np.isfinite(array).sum())
            raise InputRefusedError(
                found=f"{count} of {array.size} voxels are NaN or infinite",
                expected="a finite Hounsfield value in every voxel",
                remedy="Repair or re-export the image; padding should be a number such as -1024.",
            )

    @cached_property
    def grid(self) -> Grid:
        """The geometry without the voxels."""
        shape = tuple(np.shape(self.array_kji))
        return Grid(shape, self.ijk_to_ras)

    def with_array(self, array_kji: NDArray[Any]) -> Volume:
        """Return other voxels (same shape) on the same grid."""
        return Volume(array_kji, self.ijk_to_ras)


@dataclass(frozen=True)
class Acquisition:
    """What is known of how an image was made and read; never who the patient is.

    ``None`` means that the file does not say. Positions are along the slice normal.
    """

    file_format: str
    modality: str | None = None
    series_description: str | None = None
    kernel: str | None = None
    contrast_agent: str | None = None
    age_years: float | None = None
    slice_thickness_mm: float | None = None
    slice_positions_mm: tuple[float, ...] = ()
    gantry_tilt_degrees: float = 0.0
    gaps: tuple[tuple[float, float], ...] = ()
    resampled: bool = False
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, eq=False)
class Scan:
    """One CT as it was read: the volume, and how it came about.

    ``acquired_on`` and ``patient_key`` are only for comparing two CTs of one process (how long apart, and
    whether their headers name one patient) and are never written; ``None`` is "not known".
    """

    volume: Volume
    acquisition: Acquisition
    acquired_on: date | None = field(default=None, repr=False)
    patient_key: int | None = field(default=None, repr=False)
