"""From folders of images and masks to a set of slices: every fault is listed, none repaired silently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import GeometryError, WrongUseError
from ctinsight.evaluation.pairs import is_picture, pair_up, read_picture, stem_of
from ctinsight.training.slice_set import SIDE, TRAIN, VALIDATION, TrainingSlice, split_of
from ctinsight.training.tfrecord import read_tfrecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from ctinsight.evaluation.pairs import Pair


@dataclass(frozen=True)
class CollectOptions:
    """How slices are made.

    Parameters
    ----------
    window_hu
        (center, width) for CTs in HU; the authors name none, see ``inference/slicewise.py``.
    validation
        Part of the cases that is kept from training.
    seed
        Of the assignment.
    keep_empty
        Keep slices of CTs without blood; False leaves them out.
    """

    window_hu: tuple[float, float] = (40.0, 80.0)
    validation: float = 0.15
    seed: int = 0
    keep_empty: bool = True


def collect_slices(source: Path, options: CollectOptions) -> Iterator[TrainingSlice]:
    """Read a folder in one of the forms that people have.

    - ``images/`` and ``masks/`` (or ``labels/``) with pictures or CTs of the same names or numbers; with
      pictures in a sub-folder for each patient the split follows the patient, without it each picture
      counts as a case of its own, and leakage between neighbouring slices cannot be ruled out;
    - the authors' TFRecord files: ``train*`` for training, others for validation.

    Raises
    ------
    WrongUseError
        No such form, or files without a partner: all are named.
    """
    records = sorted(p for p in source.glob("*") if p.is_file() and "record" in p.name.lower())
    if records:
        for path in records:
            yield from _of_records(path)
        return
    images = source / "images"
    masks = next((source / name for name in ("masks", "labels") if (source / name).is_dir()), None)
    if not images.is_dir() or masks is None:
        raise WrongUseError(
            found=f"{source} without images/ and masks/ (or labels/), and without TFRecord files",
            expected="one of these",
            remedy="See ctinsight dataset hematoma --help.",
        )
    patients = sorted(p.name for p in images.iterdir() if p.is_dir())
    if patients:
        for patient in patients:
            for pair in pair_up(masks / patient, images / patient):
                yield from _of_pair(pair, patient, options)
        return
    for pair in pair_up(masks, images):
        yield from _of_pair(pair, pair.name, options)


def _of_records(path: Path) -> Iterator[TrainingSlice]:
    split = TRAIN if path.name.lower().startswith("train") else VALIDATION
    for index, (image, mask) in enumerate(read_tfrecord(path)):
        sized = _sized(image), _sized(mask)
        yield TrainingSlice(*sized, f"{stem_of(path)} {index}", split, f"{path.name}, record {index}")


def _of_pair(pair: Pair, case: str, options: CollectOptions) -> Iterator[TrainingSlice]:
    # The image is the reference of the pair: its name stands for the case.
    split = split_of(case, options.validation, options.seed)
    if is_picture(pair.reference) and is_picture(pair.mask):
        image, mask = read_picture(pair.reference), read_picture(pair.mask)
        if image.shape != mask.shape:
            raise _other_grid(pair, image.shape, mask.shape)
        yield TrainingSlice(_sized(image), _sized(mask), case, split, pair.reference.name)
        return
    yield from _of_ct(pair, case, split, options)


def _of_ct(pair: Pair, case: str, split: str, options: CollectOptions) -> Iterator[TrainingSlice]:
    from ctinsight.files import read_labelmap, read_scan
    from ctinsight.resample import reorientation
    from ctinsight.window import apply_window

    volume = read_scan(pair.reference).volume
    labels, grid = read_labelmap(pair.mask)
    same = labels.shape == volume.grid.shape_kji and np.allclose(
        grid.ijk_to_ras, volume.grid.ijk_to_ras, atol=1e-3
    )
    if not same:
        raise _other_grid(pair, volume.grid.shape_kji, labels.shape)
    turn = reorientation(volume.grid)
    grey = apply_window(turn.apply(volume.array_kji), *options.window_hu)
    white = turn.apply(labels) > 0
    for k in range(len(grey)):
        if white[k].any() or options.keep_empty:
            image = square_slice(np.rint(grey[k] * 255), turn.grid.spacing_ijk_mm)
            mask = square_slice(white[k] * 255.0, turn.grid.spacing_ijk_mm)
            yield TrainingSlice(image, mask, case, split, f"{pair.reference.name}, slice {k}")


def square_slice(picture: NDArray[Any], spacing_ijk_mm: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Pad a slice with air until it is square in mm, as at inference, and resize it."""
    rows, columns = picture.shape
    column_mm, row_mm, _ = spacing_ijk_mm
    side_mm = max(rows * row_mm, columns * column_mm)
    full = np.zeros((round(side_mm / row_mm), round(side_mm / column_mm)), dtype=np.float32)
    top, left = (full.shape[0] - rows) // 2, (full.shape[1] - columns) // 2
    full[top : top + rows, left : left + columns] = picture
    return _sized(full)


def _sized(picture: NDArray[Any]) -> NDArray[np.uint8]:
    from ctinsight.resample import resize_slices

    if picture.shape == (SIDE, SIDE):
        return np.asarray(picture, dtype=np.uint8)
    resized = resize_slices(np.asarray(picture)[np.newaxis], SIDE, SIDE, antialias=True)[0]
    return np.asarray(np.rint(np.clip(resized, 0, 255)), dtype=np.uint8)


def _other_grid(pair: Pair, image: tuple[int, ...], mask: tuple[int, ...]) -> GeometryError:
    return GeometryError(
        found=f"{pair.name}: image of {image} voxels, mask of {mask}, or at another place",
        expected="one grid for both",
        remedy="Export both from one series.",
    )
