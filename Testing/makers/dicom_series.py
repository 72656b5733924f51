"""Small synthetic CT series on disk, with everything that real ones get wrong on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_ROOT = "1.2.826.0.1.3680043.8.498."


def one_value(hu: float) -> Any:
    """Return a field with the same value everywhere."""
    return lambda points_ras: np.full(points_ras.shape[:-1], hu)


@dataclass(frozen=True)
class SeriesRecipe:
    """What a synthetic series looks like.

    Parameters
    ----------
    table_mm
        Table position (LPS z of the first pixel) of each slice.
    tilt_degrees
        Gantry tilt: slice planes turn about x while the table still moves along z, so the stack is sheared.
    sheared
        False stacks tilted slices along their normal instead.
    flips
        Sign of the direction in which columns (i) and rows (j) run.
    size, spacing_mm
        (rows, columns) and (row, column) spacing.
    thickness_mm
        One for all, or one per slice.
    tags
        Elements to set (``None`` deletes one); ``slice_tags`` the same for one slice, by index.
    """

    table_mm: tuple[float, ...] = (0.0, 5.0, 10.0, 15.0)
    tilt_degrees: float = 0.0
    sheared: bool = True
    flips: tuple[int, int] = (1, 1)
    size: tuple[int, int] = (16, 12)
    spacing_mm: tuple[float, float] = (0.8, 0.6)
    corner_lps: tuple[float, float] = (-3.0, -5.0)
    thickness_mm: float | tuple[float, ...] = 5.0
    slope: float = 1.0
    intercept: float = -1024.0
    signed: bool = False
    number: int = 1
    name: str = "slice"
    tags: Mapping[str, Any] = field(default_factory=dict)
    slice_tags: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def axes_lps(self) -> NDArray[np.float64]:
        """Return rows: along columns (i), along rows (j), slice normal."""
        angle = np.radians(self.tilt_degrees)
        i = np.array([1.0, 0.0, 0.0]) * self.flips[0]
        j = np.array([0.0, np.cos(angle), -np.sin(angle)]) * self.flips[1]
        return np.array([i, j, np.cross(i, j)])

    def corner(self, n: int) -> NDArray[np.float64]:
        """Return the centre of the first pixel of slice ``n``, LPS."""
        start = np.array([*self.corner_lps, 0.0])
        step = np.array([0.0, 0.0, 1.0]) if self.sheared else self.axes_lps()[2]
        return start + self.table_mm[n] * step

    def thickness(self, n: int) -> float:
        """Return the thickness of slice ``n`` in mm."""
        return self.thickness_mm[n] if isinstance(self.thickness_mm, tuple) else self.thickness_mm


def write_series(folder: Path, recipe: SeriesRecipe, value: Any = None, oversampling: int = 1) -> list[Path]:
    """Write a series and return its files.

    ``value`` maps points (..., 3) in RAS (mm) to HU; each voxel is the mean of ``oversampling`` samples per
    in-plane axis, and twice as many through the slice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for n in range(len(recipe.table_mm)):
        stored = slice_values(recipe, n, value or one_value(40.0), oversampling)
        dataset = slice_dataset(recipe, n, stored)
        paths.append(folder / f"{recipe.name}{n:03d}.dcm")
        save(dataset, paths[-1])
    return paths


def slice_values(recipe: SeriesRecipe, n: int, value: Any, oversampling: int) -> NDArray[Any]:
    """Sample a field on slice ``n`` and turn HU into stored values."""
    rows, columns = recipe.size
    offsets = (np.arange(oversampling) + 0.5) / oversampling - 0.5
    axes, total = recipe.axes_lps(), np.zeros(recipe.size)
    j, i = np.mgrid[0:rows, 0:columns].astype(float)
    for dk in (np.arange(2 * oversampling) + 0.5) / (2 * oversampling) - 0.5:
        for dj in offsets:
            for di in offsets:
                lps = (
                    recipe.corner(n)
                    + ((i + di) * recipe.spacing_mm[1])[..., None] * axes[0]
                    + ((j + dj) * recipe.spacing_mm[0])[..., None] * axes[1]
                    + dk * recipe.thickness(n) * axes[2]
                )
                total += value(lps * (-1, -1, 1))
    hu = total / (2 * oversampling**3)
    stored = np.rint((hu - recipe.intercept) / recipe.slope)
    return stored.astype(np.int16 if recipe.signed else np.uint16)


def slice_dataset(recipe: SeriesRecipe, n: int, stored: NDArray[Any]) -> Dataset:
    """Build the DICOM object of slice ``n`` from its stored values."""
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = f"{_ROOT}{recipe.number}.{n + 1}"
    dataset.SeriesInstanceUID = f"{_ROOT}{recipe.number}"
    dataset.SeriesNumber, dataset.InstanceNumber = recipe.number, n + 1
    dataset.SeriesDescription = f"Head {recipe.number}"
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.PatientName, dataset.PatientID, dataset.PatientAge = "Nobody^Known", "ID-SECRET", "064Y"
    dataset.ConvolutionKernel = "H30s"
    dataset.SliceThickness = f"{recipe.thickness(n):.6g}"
    dataset.ImagePositionPatient = [f"{x:.8g}" for x in recipe.corner(n)]
    dataset.ImageOrientationPatient = [f"{x:.10f}" for x in recipe.axes_lps()[:2].ravel()]
    dataset.PixelSpacing = [f"{x:.8g}" for x in recipe.spacing_mm]
    dataset.RescaleSlope, dataset.RescaleIntercept = f"{recipe.slope:g}", f"{recipe.intercept:g}"
    set_pixels(dataset, stored)
    for keyword, element in {**recipe.tags, **recipe.slice_tags.get(n, {})}.items():
        if element is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, element)
    return dataset


def set_pixels(dataset: Dataset, stored: NDArray[Any]) -> None:
    """Put 16-bit pixels of shape (rows, columns) or (frames, rows, columns) into a dataset."""
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.add_new(
        "PixelData", "OW", np.ascontiguousarray(stored).astype("<" + stored.dtype.str[1:]).tobytes()
    )


def save(dataset: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> None:
    """Write a dataset as a DICOM file, with pydicom 2.4 and 3.0 alike."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.preamble = b"\0" * 128
    if int(pydicom.__version__.split(".")[0]) < 3:
        dataset.is_little_endian, dataset.is_implicit_VR = True, False
        dataset.save_as(path, write_like_original=False)
    else:
        dataset.save_as(path, enforce_file_format=True)


def write_enhanced(path: Path, recipe: SeriesRecipe, value: Any = None, rescale_type: str = "HU") -> None:
    """Write a series as one enhanced multi-frame file, with position and rescale per frame."""
    frames = [slice_values(recipe, n, value or one_value(40.0), 1) for n in range(len(recipe.table_mm))]
    dataset = slice_dataset(recipe, 0, np.stack(frames))
    dataset.SOPClassUID, dataset.NumberOfFrames = EnhancedCTImageStorage, len(frames)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
                    "RescaleSlope", "RescaleIntercept"):  # fmt: skip
        delattr(dataset, keyword)
    shared = Dataset()
    shared.PixelMeasuresSequence = [_item(
        PixelSpacing=[f"{x:g}" for x in recipe.spacing_mm], SliceThickness=f"{recipe.thickness(0):g}"
    )]  # fmt: skip
    axes = [f"{x:.10f}" for x in recipe.axes_lps()[:2].ravel()]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=axes)]
    dataset.SharedFunctionalGroupsSequence = [shared]
    rescale = {"RescaleSlope": f"{recipe.slope:g}", "RescaleIntercept": f"{recipe.intercept:g}"}
    transformation = _item(**rescale, RescaleType=rescale_type)
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=[f"{x:.8g}" for x in recipe.corner(n)])],
            PixelValueTransformationSequence=[transformation],
        )
        for n in range(len(frames))
    ]
    save(dataset, path)


def _item(**elements: Any) -> Dataset:
    item = Dataset()
    for keyword, element in elements.items():
        setattr(item, keyword, element)
    return item
