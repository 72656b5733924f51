"""A folder of slices with their masks, ready for training: what ``ctinsight dataset hematoma`` writes.

::

    OUT/images.npy   (slices, side, side) uint8, windowed grey
    OUT/masks.npy    (slices, side, side) uint8, 0 to 255; grey at edges is kept
    OUT/slices.csv   a line for each slice: case, split (train or validation), source
    OUT/dataset.json what it was made of and how
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import UnreadableFileError, WrongUseError
from ctinsight.evaluation.table_file import read_columns, write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

TRAIN, VALIDATION = "train", "validation"
IMAGES, MASKS, SLICES, FACTS = "images.npy", "masks.npy", "slices.csv", "dataset.json"
#: Side of the network's input in the paper.
SIDE = 256


@dataclass(frozen=True, eq=False)
class TrainingSlice:
    """One slice: (side, side) uint8 image and mask, whose it is, in which split, and from where."""

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    case: str
    split: str
    source: str


@dataclass(frozen=True, eq=False)
class SliceSet:
    """Slices on disk, mapped into memory.

    Parameters
    ----------
    images, masks
        (slices, side, side) uint8.
    cases, splits
        Of each slice.
    facts
        What ``dataset.json`` says.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    cases: tuple[str, ...]
    splits: tuple[str, ...]
    facts: Mapping[str, Any]

    def indices(self, split: str) -> NDArray[np.intp]:
        """Return the slices of a split."""
        return np.flatnonzero(np.array(self.splits) == split)

    @property
    def sha256(self) -> str:
        """Checksum of images and masks: it names the training data in a run's card."""
        digest = hashlib.sha256()
        for array in (self.images, self.masks):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def split_of(case: str, validation: float, seed: int) -> str:
    """Assign a case to a split by its name alone: all slices of a patient go the same way, every time.

    Examples
    --------
    >>> split_of("patient 1", 0.0, 0), split_of("patient 1", 1.0, 0)
    ('train', 'validation')
    """
    number = int.from_bytes(hashlib.sha256(f"{seed}:{case}".encode()).digest()[:8], "big")
    return VALIDATION if number / 2**64 < validation else TRAIN


def write_slice_set(slices: Iterable[TrainingSlice], folder: Path, facts: Mapping[str, Any]) -> int:
    """Write a data set; returns the number of slices.

    Raises
    ------
    WrongUseError
        No slice, or the folder holds a data set.
    """
    if (folder / IMAGES).exists():
        raise WrongUseError(
            found=f"{folder} holds a data set", expected="a new folder", remedy="Choose another name."
        )
    folder.mkdir(parents=True, exist_ok=True)
    images, masks, rows = [], [], []
    for item in slices:
        images.append(item.image)
        masks.append(item.mask)
        rows.append([item.case, item.split, item.source])
    if not images:
        raise WrongUseError(found="no slice", expected="one or more", remedy="Check the folder of images.")
    np.save(folder / MASKS, np.stack(masks))
    write_rows(folder / SLICES, ["case", "split", "source"], rows, RESEARCH_USE_ONLY)
    (folder / FACTS).write_text(json.dumps(dict(facts) | {"slices": len(rows)}, indent=1), encoding="utf-8")
    # Last: a folder with images is a whole data set.
    part = folder / f"{IMAGES}.part.npy"
    np.save(part, np.stack(images))
    part.replace(folder / IMAGES)
    return len(rows)


def read_slice_set(folder: Path) -> SliceSet:
    """Open a data set and check it: every fault is named before the first step of a training.

    Raises
    ------
    UnreadableFileError
        Files are missing or damaged.
    WrongUseError
        Arrays of other shape than the table says, a patient in both splits, an empty split.
    """
    try:
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        masks = np.load(folder / MASKS, mmap_mode="r", allow_pickle=False)
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableFileError(
            found=f"{folder}: {error}",
            expected=f"{IMAGES}, {MASKS}, {SLICES} and {FACTS}, as ctinsight dataset hematoma writes them",
            remedy="Make the data set again.",
        ) from error
    columns = read_columns(folder / SLICES)
    found = SliceSet(images, masks, tuple(columns.get("case", ())), tuple(columns.get("split", ())), facts)
    faults = _faults(found)
    if faults:
        raise WrongUseError(
            found="; ".join(faults), expected="a sound data set", remedy="Make the data set again."
        )
    return found


def _faults(found: SliceSet) -> list[str]:
    faults = []
    if found.images.dtype != np.uint8 or found.images.ndim != 3 or found.images.shape[1] % 32:
        faults.append(f"images of {found.images.dtype} and shape {found.images.shape}")
    if found.masks.shape != found.images.shape or found.masks.dtype != np.uint8:
        faults.append(f"masks of {found.masks.dtype} and shape {found.masks.shape}")
    if not len(found.cases) == len(found.splits) == len(found.images):
        faults.append(f"{len(found.cases)} lines for {len(found.images)} images")
    by_split = {
        split: {case for case, s in zip(found.cases, found.splits, strict=False) if s == split}
        for split in (TRAIN, VALIDATION)
    }
    faults += [f"no slice in the split {split}" for split, cases in by_split.items() if not cases]
    both = sorted(by_split[TRAIN] & by_split[VALIDATION])
    if both:
        faults.append(f"in both splits: {', '.join(both[:20])}")
    return faults
