"""From the pixel data of a file to Hounsfield units: decoding, rescale per slice, padding."""

from __future__ import annotations

import importlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.dicom.values import PYDICOM_FAULTS, read_dataset, whole, without_warnings
from ctinsight.errors import DependencyMissingError, NotCTError, UnreadableFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from ctinsight.dicom.headers import Frame

#: HU of air outside the field of view, and the top of the usual 12-bit CT scale (IEC 61223-2-6; DICOM PS3.3
#: C.8.2.1: -1024 to 3071).
AIR_HU, TOP_HU = -1024, 3071
_RESCALE_TYPES = {None, "HU", "US"}
_AGAIN = "Export the series again from the scanner or the archive."


@dataclass
class HounsfieldReader:
    """Read slices in HU and remember what had to be replaced."""

    padded_voxels: int = 0
    clamped_voxels: int = 0
    kept_padding_hu: set[float] = field(default_factory=set)
    unspecified: bool = False
    _path: Path | None = None
    _stored: NDArray[Any] | None = None
    _padding: tuple[int, int] | None = None

    def read(self, frame: Frame) -> NDArray[Any]:
        """Read one slice (rows, columns) in HU: int16 or int32 where exact, else float32.

        Raises
        ------
        NotCTError
            No rescale to Hounsfield units, or colours.
        UnreadableFileError, DependencyMissingError
            Pixels that cannot be decoded.
        """
        slope, intercept = _rescale(frame)
        self.unspecified |= frame.rescale_type == "US"
        stored = self._frame(frame)
        array = _to_hu(stored, slope, intercept)
        if self._padding is not None:
            low, high = sorted(value * slope + intercept for value in self._padding)
            mask = (stored >= self._padding[0]) & (stored <= self._padding[1])
            if high < AIR_HU or low > TOP_HU:
                self.padded_voxels += int(mask.sum())
                array[mask] = AIR_HU
            elif mask.any() and high > AIR_HU:
                self.kept_padding_hu.add(high)
        below = array < AIR_HU
        self.clamped_voxels += int(below.sum())
        array[below] = AIR_HU
        return array

    def notes(self) -> tuple[str, ...]:
        """Say what was replaced."""
        notes = []
        if self.padded_voxels:
            notes.append(f"{self.padded_voxels} padding voxels were set to {AIR_HU} HU.")
        if self.clamped_voxels:
            notes.append(f"{self.clamped_voxels} voxels below {AIR_HU} HU were set to {AIR_HU} HU.")
        if self.kept_padding_hu:
            values = ", ".join(f"{value:g}" for value in sorted(self.kept_padding_hu))
            notes.append(f"The padding value is {values} HU, a plausible tissue value, and was kept.")
        if self.unspecified:
            notes.append("The header calls the unit of the values unspecified (US); HU was taken.")
        return tuple(notes)

    def _frame(self, frame: Frame) -> NDArray[Any]:
        if self._path != frame.path or self._stored is None:
            dataset = read_dataset(frame.path, pixels=True)
            if dataset is None:
                raise _unreadable(frame.path, "a damaged file")
            self._stored = _stored_values(dataset, frame.path)
            self._padding = _padding_range(dataset)
            self._path = frame.path
        frames = self._stored if self._stored.ndim == 3 else self._stored[np.newaxis]
        if frame.index >= len(frames) or frames.shape[1:] != (frame.rows, frame.columns):
            raise _unreadable(
                frame.path, f"pixels of shape {frames.shape}, frame {frame.index + 1} asked for"
            )
        return np.asarray(frames[frame.index])


def _unreadable(path: Path, found: str) -> UnreadableFileError:
    return UnreadableFileError(
        found=f"{path.name}: {found}", expected="complete DICOM pixel data", remedy=_AGAIN
    )


def _rescale(frame: Frame) -> tuple[float, float]:
    if frame.slope is None or frame.intercept is None or frame.slope == 0:
        raise NotCTError(
            found=f"{frame.path.name}: rescale slope {frame.slope}, intercept {frame.intercept}",
            expected="the rescale from stored values to Hounsfield units",
            remedy="Choose the scanner's own CT series; maps and pictures have no Hounsfield units.",
        )
    if frame.rescale_type not in _RESCALE_TYPES:
        raise NotCTError(
            found=f"{frame.path.name}: values in {frame.rescale_type!r}",
            expected="Hounsfield units (HU)",
            remedy="Choose the CT series in HU, not a map of another quantity.",
        )
    return frame.slope, frame.intercept


def _to_hu(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    if slope == int(slope) and intercept == int(intercept) and stored.dtype.kind in "iu":
        wide = stored.astype(np.int64) * int(slope) + int(intercept)
        low, high = int(wide.min()), int(wide.max())
        if low < -(2**31) or high >= 2**31:
            return wide.astype(np.float32)
        return wide.astype(np.int16 if low >= -(2**15) and high < 2**15 else np.int32)
    return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def _padding_range(dataset: Dataset) -> tuple[int, int] | None:
    """Find the stored values (lowest, highest) that mean "nothing was measured here"."""
    signed = whole(dataset, "PixelRepresentation") == 1
    value = _padding(dataset, "PixelPaddingValue", signed=signed)
    if value is None:
        return None
    limit = _padding(dataset, "PixelPaddingRangeLimit", signed=signed)
    low, high = sorted((value, value if limit is None else limit))
    return low, high


def _padding(dataset: Dataset, keyword: str, *, signed: bool) -> int | None:
    # The VR of padding (US or SS) follows the sign of the pixels; files exist with the other one (63536 for
    # -2000), so that only the 16 bits count.
    value = whole(dataset, keyword)
    if value is None:
        return None
    bits = value & 0xFFFF
    return bits - 0x10000 if signed and bits >= 0x8000 else bits


def _stored_values(dataset: Dataset, path: Path) -> NDArray[Any]:
    if (whole(dataset, "SamplesPerPixel") or 1) != 1:
        raise NotCTError(
            found=f"{path.name}: a colour picture",
            expected="one Hounsfield value per pixel",
            remedy="Choose the CT series, not a screen capture.",
        )
    try:
        with without_warnings():
            return np.asarray(dataset.pixel_array)
    except PYDICOM_FAULTS as error:
        syntax = _syntax(dataset)
        if syntax is None:
            raise _unreadable(path, f"pixel data that cannot be read ({error})") from error
        decoded = _decode_with_itk(dataset)
        if decoded is None:
            raise _not_decoded(path, syntax, error) from error
        return decoded


def _syntax(dataset: Dataset) -> Any:
    """Find the transfer syntax when it is a compressed one."""
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is None or syntax.is_private or not syntax.is_transfer_syntax:
        return None
    return syntax if syntax.is_encapsulated else None


def _not_decoded(
    path: Path, syntax: Any, error: BaseException
) -> DependencyMissingError | UnreadableFileError:
    if _pydicom_has_decoder(syntax):
        return _unreadable(path, f"damaged {syntax.name} pixel data ({error})")
    return DependencyMissingError(
        found=f"{path.name}: pixels compressed as {syntax.name} ({syntax})",
        expected="a decoder for this transfer syntax",
        remedy="Install pylibjpeg, pylibjpeg-openjpeg, pyjpegls and python-gdcm (the extra 'decoders'), "
        "or export the series uncompressed.",
    )


def _pydicom_has_decoder(syntax: Any) -> bool:
    try:
        pixels = importlib.import_module("pydicom.pixels")  # pydicom 3
        return bool(pixels.get_decoder(syntax).is_available)
    except ImportError:
        handlers = importlib.import_module("pydicom.config").pixel_data_handlers
        return any(one.is_available() and one.supports_transfer_syntax(syntax) for one in handlers)
    except NotImplementedError:
        return False


def _decode_with_itk(dataset: Dataset) -> NDArray[Any] | None:
    """Decode with the GDCM inside SimpleITK, which 3D Slicer ships; ``None`` when it cannot.

    ITK applies the rescale by itself, so it is given a copy of the pixels alone, without one.
    """
    import SimpleITK as sitk  # noqa: N813

    with tempfile.TemporaryDirectory(prefix="ctinsight-") as folder:
        path = Path(folder, "pixels.dcm")
        try:
            with without_warnings():
                _pixels_alone(dataset).save_as(path)
            image = sitk.ReadImage(str(path), imageIO="GDCMImageIO")
        except PYDICOM_FAULTS:
            return None
    array = sitk.GetArrayFromImage(image)
    return array if array.ndim == 3 else None


def _pixels_alone(dataset: Dataset) -> Dataset:
    import copy

    from pydicom.dataset import Dataset as NewDataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import MultiFrameGrayscaleWordSecondaryCaptureImageStorage

    bare = NewDataset()
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
                    "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames"):  # fmt: skip
        if keyword in dataset:
            setattr(bare, keyword, dataset.get(keyword))
    bare.SOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    bare.SOPInstanceUID = "1.2.3"
    bare["PixelData"] = copy.copy(dataset["PixelData"])
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    bare.file_meta.MediaStorageSOPClassUID = bare.SOPClassUID
    bare.file_meta.MediaStorageSOPInstanceUID = bare.SOPInstanceUID
    bare.preamble = b"\0" * 128
    bare.is_little_endian, bare.is_implicit_VR = True, False
    return bare
