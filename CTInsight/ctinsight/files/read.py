"""One door for every format: find out what a path holds, and read it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.dicom import ReadOptions, looks_like_dicom, read_dicom
from ctinsight.dicom.headers import files_below
from ctinsight.dicom.values import read_dataset, text
from ctinsight.errors import InputRefusedError, NotCTError, UnreadableFileError, WrongUseError
from ctinsight.files.archive import extract_zip
from ctinsight.files.metaimage import read_metaimage
from ctinsight.files.nifti import read_nifti
from ctinsight.files.nrrd import read_nrrd
from ctinsight.files.pictures import PICTURE_SUFFIXES, read_pictures
from ctinsight.volume import Acquisition, Grid, Scan, Volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ctinsight.files.rawdata import StoredImage

_READERS: dict[str, Callable[[Path], StoredImage]] = {
    ".nii": read_nifti, ".nii.gz": read_nifti, ".hdr": read_nifti, ".hdr.gz": read_nifti,
    ".nrrd": read_nrrd, ".nhdr": read_nrrd, ".mha": read_metaimage, ".mhd": read_metaimage,
}  # fmt: skip
_KNOWN = "NIfTI (.nii, .nii.gz), NRRD, MetaImage (.mha, .mhd), DICOM files or folders, or a zip of them"
_DEFAULT = ReadOptions()


def read_scan(path: Path, options: ReadOptions = _DEFAULT) -> Scan:
    """Read a CT from whatever a path holds.

    Parameters
    ----------
    path
        A NIfTI, NRRD or MetaImage file, a DICOM file (its whole series in that folder is read), a folder of
        DICOM files (with its sub-folders), a zip of any of these, or a folder of PNG or JPG slices.
    options
        See :class:`ReadOptions`.

    Returns
    -------
    Scan
        The volume in HU, and how it was made and read.

    Raises
    ------
    UnreadableFileError
        Missing, damaged, truncated, or of an unknown format.
    GeometryError
        Orientation unknown or contradictory, shear, zero or non-finite spacing.
    NotCTError
        Not a CT volume in Hounsfield units.
    SliceGapError
        Slices missing, or two different ones at one place.
    WrongUseError
        Options that do not fit what is there.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path, options)
    if not path.is_file():
        raise UnreadableFileError(
            found=f"no file or folder {path.name!r}",
            expected=_KNOWN,
            remedy="Check the path and its spelling.",
        )
    return _read_file(path, options)


def _read_file(path: Path, options: ReadOptions) -> Scan:
    if _suffix(path) in _READERS:
        return _read_image(path, options)
    with path.open("rb") as stream:
        if stream.read(4) == b"PK\x03\x04":
            return _read_zip(path, options)
    if looks_like_dicom(path):
        _refuse_picture_options(options)
        return read_dicom(_series_of(path), options)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        raise WrongUseError(
            found=f"one picture, {path.name}", expected="the folder of its slices", remedy="Name the folder."
        )
    raise UnreadableFileError(
        found=f"{path.name}: no format that is known here",
        expected=_KNOWN,
        remedy="Convert it or choose another.",
    )


def read_labelmap(path: Path) -> tuple[NDArray[Any], Grid]:
    """Read a labelmap (NIfTI, NRRD, MetaImage): whole numbers (slices, rows, columns), and its grid.

    Raises
    ------
    InputRefusedError
        Values that are not whole numbers; and everything that :func:`read_scan` refuses.
    """
    path = Path(path)
    reader = _READERS.get(_suffix(path))
    if reader is None or not path.is_file():
        raise UnreadableFileError(
            found=f"{path.name}: {'no labelmap format' if path.is_file() else 'no such file'}",
            expected="NIfTI, NRRD or MetaImage",
            remedy="Choose a labelmap file.",
        )
    stored = reader(path)
    array = stored.array_kji
    if array.dtype.kind == "f":
        whole = np.isfinite(array).all() and np.array_equal(array, np.rint(array))
        if not whole or np.abs(array).max() > 2**31 - 1:
            raise InputRefusedError(
                found=f"{path.name}: values that are not whole numbers",
                expected="a labelmap",
                remedy="Choose a labelmap; turn a probability map into labels with a named threshold first.",
            )
        array = array.astype(np.int32)
    return array, Grid(array.shape, stored.ijk_to_ras)


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return (
        "." + name.rsplit(".", 2)[-2] + ".gz"
        if name.endswith(".gz") and name.count(".") > 1
        else path.suffix.lower()
    )


def _refuse_picture_options(options: ReadOptions) -> None:
    if (options.spacing_mm, options.thickness_mm, options.window) != (None, None, None):
        raise WrongUseError(
            found="a spacing, slice thickness or window for an image that carries its own",
            expected="these only for folders of PNG or JPG slices",
            remedy="Leave --spacing, --thickness-mm and --window away.",
        )


def _refuse_series(options: ReadOptions, kind: str) -> None:
    if options.series is not None:
        raise WrongUseError(
            found=f"--series for {kind}", expected="--series only for DICOM", remedy="Leave --series away."
        )


def _read_image(path: Path, options: ReadOptions) -> Scan:
    _refuse_picture_options(options)
    _refuse_series(options, f"the single image {path.name}")
    stored = _READERS[_suffix(path)](path)
    if stored.content != "image":
        raise NotCTError(
            found=f"{path.name}: its header says that the voxels are {stored.content}",
            expected="a CT volume in Hounsfield units",
            remedy="Choose the CT, not a segmentation or map made from it.",
        )
    volume = Volume(stored.array_kji, stored.ijk_to_ras)
    return Scan(volume, Acquisition(file_format=stored.file_format, notes=stored.notes))


def _series_of(path: Path) -> list[Path]:
    """List the files beside a DICOM file that belong to its series."""

    def uid(file: Path) -> str | None:
        dataset = read_dataset(file, tags=["SeriesInstanceUID"])
        return None if dataset is None else text(dataset, "SeriesInstanceUID")

    wanted = uid(path)
    if wanted is None:
        return [path]
    beside = [
        file for file in sorted(path.parent.iterdir()) if file.is_file() and not file.name.startswith(".")
    ]
    return [file for file in beside if file == path or uid(file) == wanted]


def _read_zip(path: Path, options: ReadOptions) -> Scan:
    with tempfile.TemporaryDirectory(prefix="ctinsight-") as folder:
        extract_zip(path, Path(folder))
        return _read_folder(Path(folder), options, name=path.name)


def _read_folder(folder: Path, options: ReadOptions, name: str | None = None) -> Scan:
    name = name or folder.name
    files = list(files_below(folder))
    if any(looks_like_dicom(file) for file in files):
        _refuse_picture_options(options)
        return read_dicom(files, options)
    pictures = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
    images = [file for file in files if _suffix(file) in _READERS]
    if pictures and not images:
        _refuse_series(options, f"{len(pictures)} pictures")
        return read_pictures(pictures, options)
    if len(images) == 1:
        return _read_image(images[0], options)
    if images:
        raise WrongUseError(
            found=f"{len(images)} images in {name}: {', '.join(file.name for file in images[:8])}",
            expected="one image, or one DICOM study",
            remedy="Name the file.",
        )
    raise UnreadableFileError(
        found=f"{name}: {len(files)} files, none of them an image that is known here",
        expected=_KNOWN,
        remedy="Choose the folder that holds the CT.",
    )
