"""Folders of PNG or JPG slices, which hold grey levels and nothing else: every missing fact must be given."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import NotCTError, SliceGapError, WrongUseError
from ctinsight.files.rawdata import unreadable
from ctinsight.volume import Acquisition, Scan, Volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ctinsight.dicom import ReadOptions

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
#: The usual brain window, (center, width) in HU, of which exported head CT slices are made.
_BRAIN_WINDOW = (40.0, 80.0)


def read_pictures(paths: list[Path], options: ReadOptions) -> Scan:
    """Read 8-bit slices, first file lowest, as if anterior were up and the patient's right on the left.

    Raises
    ------
    WrongUseError
        Spacing or thickness not given, or names that are not numbers.
    SliceGapError
        Numbers missing among the names.
    NotCTError
        Colours, more than 8 bits, or pictures of different size.
    """
    if options.spacing_mm is None or options.thickness_mm is None:
        raise WrongUseError(
            found=f"a folder of {len(paths)} pictures, which carry no size in mm",
            expected="the spacing of pixels and of slices in mm",
            remedy="Give --spacing ROW,COLUMN and --thickness-mm, or better the DICOM series itself.",
        )
    sizes = (*options.spacing_mm, options.thickness_mm)
    center, width = options.window or _BRAIN_WINDOW
    if not (np.all(np.isfinite((*sizes, center, width))) and min(sizes) > 0 and width > 0):
        raise WrongUseError(
            found=f"spacing {options.spacing_mm}, thickness {options.thickness_mm}, window {center}/{width}",
            expected="positive, finite numbers",
            remedy="Correct --spacing, --thickness-mm or --window.",
        )
    ordered = _in_order(paths)
    grey = _stack([_read_grey(path) for path in ordered])
    array = (center - width / 2 + grey.astype(np.float32) * (width / 255.0)).astype(np.float32)
    matrix = np.diag([-options.spacing_mm[1], -options.spacing_mm[0], options.thickness_mm, 1.0])
    return Scan(Volume(array, matrix), _acquisition(options, (center, width), ordered))


def _acquisition(options: ReadOptions, window: tuple[float, float], ordered: list[Path]) -> Acquisition:
    how = "given" if options.window else "assumed"
    center, width = window
    notes = (
        f"Grey levels were turned into HU by the {how} window, center {center:g}, width {width:g}.",
        f"Values outside {center - width / 2:g} to {center + width / 2:g} HU are lost.",
        "Spacing and slice thickness are the user's; the thickness was taken as the distance of slices.",
        "Assumed orientation: anterior up, patient right on the left, the first file lowest.",
    )
    positions = tuple(n * float(options.thickness_mm or 0.0) for n in range(len(ordered)))
    return Acquisition(
        file_format="PNG/JPG folder",
        slice_thickness_mm=options.thickness_mm,
        slice_positions_mm=positions,
        notes=notes,
    )


def _in_order(paths: list[Path]) -> list[Path]:
    odd = [path.name for path in paths if not (path.stem.isascii() and path.stem.isdigit())]
    numbers = {} if odd else {int(path.stem): path for path in paths}
    if odd or len(numbers) != len(paths) or len({path.parent for path in paths}) != 1:
        raise WrongUseError(
            found=f"pictures named {', '.join(odd[:5])}" if odd else "pictures with the same number",
            expected="one folder with slices named 1.png, 2.png, ... from the lowest up",
            remedy="Rename the pictures by their slice number, or give the DICOM series itself.",
        )
    _refuse_holes(sorted(numbers))
    return [numbers[n] for n in sorted(numbers)]


def _refuse_holes(numbers: list[int]) -> None:
    """Refuse numbers that do not rise by one even step: the one given distance of slices would be false."""
    steps = [after - before for before, after in pairwise(numbers)]
    usual = min(steps, default=1)
    holes = [f"{n}-{n + step}" for n, step in zip(numbers, steps, strict=False) if step != usual]
    if holes:
        raise SliceGapError(
            found=f"picture numbers that jump ({', '.join(holes[:5])}) where others rise by {usual}",
            expected="numbers without holes, so that one distance holds for all slices",
            remedy="Add the missing slices, or give the DICOM series itself.",
        )


def _read_grey(path: Path) -> NDArray[np.uint8]:
    import SimpleITK as sitk  # noqa: N813

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise unreadable(path, "a picture that cannot be decoded") from error
    array: NDArray[Any] = sitk.GetArrayFromImage(image)
    if array.ndim == 3 and array.shape[2] in (3, 4) and (np.ptp(array[..., :3], axis=2) == 0).all():
        array = array[..., 0]
    if array.ndim != 2 or array.dtype != np.uint8:
        raise NotCTError(
            found=f"{path.name}: a picture of shape {array.shape} and type {array.dtype}",
            expected="an 8-bit grey picture",
            remedy="Export the slices in grey, 8 bits, or give the DICOM series itself.",
        )
    return array


def _stack(planes: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    sizes = {plane.shape for plane in planes}
    if len(sizes) != 1:
        raise NotCTError(
            found=f"pictures of different sizes: {sorted(sizes)}",
            expected="one size",
            remedy="Choose the slices of one series.",
        )
    return np.stack(planes)
