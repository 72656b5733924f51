"""Masks of one or several methods against references: a row for each case, and a summary for each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.evaluation.overlap import MEASURES, Overlap, published_overlap
from ctinsight.evaluation.pairs import is_picture, pair_up, read_pair, read_picture
from ctinsight.evaluation.statistics import Estimate, bootstrapped
from ctinsight.measure import surface_distances_mm, volume_ml

if TYPE_CHECKING:
    from pathlib import Path

    from ctinsight.evaluation.pairs import Pair
    from ctinsight.progress import Progress

#: In mm or mL: None for pictures, which have neither.
DISTANCES = ("hd95_mm", "assd_mm", "volume_ml", "reference_ml")
#: The size to which the program of DR-UNet resizes both pictures in its test.
PUBLISHED_SIDE = 1400

Row = Mapping[str, float | str | None]


@dataclass(frozen=True)
class MaskOptions:
    """How masks are compared.

    Parameters
    ----------
    label
        The label that counts; None takes everything above 0.
    resize
        Rows and columns to which both pictures are resized first, as published; None leaves them.
    as_published
        Slice by slice, with the published sums, in which a slice without blood in both counts as Dice 0.
    """

    label: int | None = None
    resize: int | None = None
    as_published: bool = False


def compare_masks(
    methods: Mapping[str, Path], references: Path, options: MaskOptions, progress: Progress
) -> dict[str, list[Row]]:
    """Compare the masks of each method, case by case.

    Parameters
    ----------
    methods
        Name to file or folder of masks.
    references
        The reference, file or folder.

    Returns
    -------
    dict
        For each method a row for each case, or for each slice as published.

    Raises
    ------
    WrongUseError
        Files without a partner; resizing of volumes.
    """
    paired = {name: pair_up(masks, references) for name, masks in methods.items()}
    total, done = sum(map(len, paired.values())), 0
    rows: dict[str, list[Row]] = {name: [] for name in methods}
    for name, pairs in paired.items():
        for pair in pairs:
            rows[name] += _rows(pair, options)
            done += 1
            progress.report(f"comparing {name}", done / total)
    return rows


def summarise(
    rows: Sequence[Row], *, names: Sequence[str] = (*MEASURES, *DISTANCES[:2])
) -> dict[str, Estimate]:
    """Average every measure over the rows that define it, with a bootstrap interval."""
    found = {}
    for name in names:
        values = np.array([row[name] for row in rows if isinstance(row.get(name), float)], dtype=np.float64)
        found[name] = bootstrapped([values], lambda v: float(np.mean(v)))
    return found


def _rows(pair: Pair, options: MaskOptions) -> list[Row]:
    if options.as_published:
        return _published_rows(pair, options)
    if options.resize is not None:
        raise WrongUseError(
            found="--resize without --as-published",
            expected="masks compared on their own grid, or the published way as a whole",
            remedy="Add --as-published, or leave --resize out.",
        )
    mask, reference, grid = read_pair(pair, options.label)
    row: dict[str, float | str | None] = {"case": pair.name, **Overlap.of(mask, reference).measures()}
    distances = None if grid is None else surface_distances_mm(mask, reference, grid)
    row["hd95_mm"] = distances.hd95_mm if distances else None
    row["assd_mm"] = distances.assd_mm if distances else None
    row["volume_ml"] = None if grid is None else volume_ml(mask, grid)
    row["reference_ml"] = None if grid is None else volume_ml(reference, grid)
    return [row]


def _published_rows(pair: Pair, options: MaskOptions) -> list[Row]:
    side = options.resize or PUBLISHED_SIDE
    if is_picture(pair.mask) and is_picture(pair.reference):
        overlap = published_overlap(read_picture(pair.mask), read_picture(pair.reference), side)
        return [{"case": pair.name, **overlap.as_published()}]
    mask, reference, _ = read_pair(pair, options.label)
    rows: list[Row] = []
    for index, (mine, true) in enumerate(zip(mask, reference, strict=True)):
        overlap = published_overlap(mine * np.uint8(255), true * np.uint8(255), side)
        rows.append({"case": f"{pair.name}, slice {index}", **overlap.as_published()})
    return rows
