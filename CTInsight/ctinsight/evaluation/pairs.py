"""Which mask belongs to which reference: by number or name, every fault listed at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import UnreadableFileError, WrongUseError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ctinsight.volume import Grid

_VOLUMES = (".nii", ".nii.gz", ".nrrd", ".seg.nrrd", ".mha", ".mhd")
_PICTURES = (".png", ".jpg", ".jpeg")
#: White of an 8-bit mask begins above it, as in the program of DR-UNet.
_WHITE = 128
_MOST_FAULTS = 20


@dataclass(frozen=True)
class Pair:
    """One case: what it is called, its mask and its reference."""

    name: str
    mask: Path
    reference: Path


def pair_up(masks: Path, references: Path) -> tuple[Pair, ...]:
    """Pair two files, or the files of two folders.

    Files belong together when their names are equal but for the ending, or stand for the same whole number
    (``7.png`` and ``007.nii.gz``).

    Raises
    ------
    WrongUseError
        A file without a partner, or with several: all of them are named.
    """
    if masks.is_file() and references.is_file():
        return (Pair(stem_of(references), masks, references),)
    found, there = _by_name(masks), _by_name(references)
    faults = [
        f"{path.name} has no reference" for key, paths in found.items() if key not in there for path in paths
    ]
    faults += [
        f"{path.name} has no mask" for key, paths in there.items() if key not in found for path in paths
    ]
    faults += [
        f"{', '.join(path.name for path in paths)} are called alike"
        for paths in [*found.values(), *there.values()]
        if len(paths) > 1
    ]
    if faults or not there:
        more = f"; and {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else ""
        raise WrongUseError(
            found=("; ".join(faults[:_MOST_FAULTS]) or f"no image in {references}") + more,
            expected="one mask for each reference, of the same name or number",
            remedy="Complete or clear the folders; nothing was evaluated.",
        )
    return tuple(Pair(stem_of(there[key][0]), found[key][0], there[key][0]) for key in sorted(there))


def read_pair(pair: Pair, label: int | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Grid | None]:
    """Read both masks of a case.

    Parameters
    ----------
    label
        The label of a labelmap that counts; None takes everything above 0 (pictures: above 128).

    Returns
    -------
    tuple
        Mask and reference (slices, rows, columns), and their grid; None for pictures, which have no
        millimetres.

    Raises
    ------
    WrongUseError
        Other shape or place than the reference.
    """
    mask, grid = _read(pair.mask, label)
    reference, other = _read(pair.reference, label)
    same_place = (grid is None) == (other is None) and (
        grid is None or other is None or np.allclose(grid.ijk_to_ras, other.ijk_to_ras, atol=1e-3)
    )
    if mask.shape != reference.shape or not same_place:
        raise WrongUseError(
            found=f"{pair.name}: {pair.mask.name} of {mask.shape} voxels, {pair.reference.name} of "
            f"{reference.shape}" + ("" if same_place else ", at another place or spacing"),
            expected="one grid for both",
            remedy="Resample the mask onto the reference's grid, nearest neighbour, and say so.",
        )
    return mask, reference, grid


def read_picture(path: Path) -> NDArray[Any]:
    """Read an 8-bit grey picture, (rows, columns).

    Raises
    ------
    UnreadableFileError
        No picture, or more than one channel of 8 bits.
    """
    import SimpleITK as sitk  # noqa: N813 - the field's name for it

    try:
        array = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as error:
        raise UnreadableFileError(
            found=f"{path.name}: {error}", expected="a PNG or JPEG", remedy="Export it again."
        ) from error
    if array.ndim != 2 or array.dtype != np.uint8:
        raise UnreadableFileError(
            found=f"{path.name}: {array.shape} of {array.dtype}",
            expected="one channel of 8 bits",
            remedy="Save the mask as 8-bit grey.",
        )
    return np.asarray(array)


def is_picture(path: Path) -> bool:
    """Tell whether a file is a PNG or JPEG by its ending."""
    return path.name.lower().endswith(_PICTURES)


def stem_of(path: Path) -> str:
    """Return a file's name without its ending, ``.nii.gz`` and ``.seg.nrrd`` included."""
    name = path.name
    for ending in sorted((*_VOLUMES, *_PICTURES), key=len, reverse=True):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return path.stem


def _by_name(folder: Path) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise WrongUseError(
            found=f"{folder}: {'one file beside a folder' if folder.exists() else 'not there'}",
            expected="two files, or two folders",
            remedy="Check both paths.",
        )
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.lower().endswith((*_VOLUMES, *_PICTURES)):
            stem = stem_of(path)
            key = f"{int(stem):012d}" if re.fullmatch(r"[0-9]{1,12}", stem) else stem
            found.setdefault(key, []).append(path)
    return found


def _read(path: Path, label: int | None) -> tuple[NDArray[np.bool_], Grid | None]:
    from ctinsight.files import read_labelmap

    if is_picture(path):
        return read_picture(path)[np.newaxis] > _WHITE, None
    array, grid = read_labelmap(path)
    return (array > 0) if label is None else (array == label), grid
