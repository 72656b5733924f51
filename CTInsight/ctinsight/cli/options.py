"""Options that several commands share, and what they mean."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from ctinsight.files import ReadOptions

CasePath = Annotated[
    Path,
    typer.Argument(
        metavar="CASE", help="NIfTI, NRRD, MHA; DICOM file, folder or zip; folder of PNG or JPG slices."
    ),
]
OutPath = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made when absent.")]
Series = Annotated[
    str | None, typer.Option(help="Which DICOM series: its number, UID or part of its description.")
]
AllowGaps = Annotated[
    bool, typer.Option("--allow-gaps", help="Measure although slices are missing; said in the result.")
]
Spacing = Annotated[
    str | None, typer.Option(metavar="ROW,COL", help="PNG or JPG slices only: pixel spacing in mm.")
]
Thickness = Annotated[float | None, typer.Option(help="PNG or JPG slices only: distance of slices in mm.")]
Window = Annotated[
    str | None, typer.Option(metavar="CENTER,WIDTH", help="HU window: of PNG or JPG slices, and of DR-UNet.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace earlier results in the folder.")]


def read_options(
    series: str | None,
    allow_gaps: bool,
    *,
    spacing: str | None,
    thickness_mm: float | None,
    window: str | None,
) -> ReadOptions:
    """Turn the words of a command into options of the reader."""
    from ctinsight.files import ReadOptions

    spacing_mm = None if spacing is None else numbers("--spacing", spacing, 2)
    return ReadOptions(
        series=series,
        allow_gaps=allow_gaps,
        spacing_mm=None if spacing_mm is None else (spacing_mm[0], spacing_mm[1]),
        thickness_mm=thickness_mm,
        window=window_hu(window),
    )


def refuse_current_folder(out: Path) -> None:
    """Refuse an empty ``--out``, which would be the current folder."""
    if str(out) == ".":
        raise WrongUseError(
            found="an empty --out, or the current folder itself",
            expected="a folder for the results",
            remedy="Name a folder, such as -o results.",
        )


def refuse_own_input(case: Path, out: Path) -> None:
    """Refuse to write over, or among, the images that are read: they may be the only copy."""
    from ctinsight.report import RESULT_FILES

    source, target = case.resolve(), out.resolve()
    if target == source or (source.parent == target and source.name in RESULT_FILES.values()):
        raise WrongUseError(
            found=f"results would be written over or among the images of {case}",
            expected="another folder for the results than that of the images",
            remedy="Name another folder with -o.",
        )


def window_hu(text: str | None) -> tuple[float, float] | None:
    """Read ``CENTER,WIDTH``."""
    if text is None:
        return None
    center, width = numbers("--window", text, 2)
    return center, width


def point_ras(text: str) -> tuple[float, float, float]:
    """Read ``R,A,S`` in mm."""
    right, anterior, superior = numbers("--point", text, 3)
    return right, anterior, superior


def numbers(option: str, text: str, count: int) -> tuple[float, ...]:
    """Read numbers with commas between them.

    Raises
    ------
    WrongUseError
        Another count, no numbers, or numbers that are not finite.
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != count or not all(map(math.isfinite, found)):
        raise WrongUseError(
            found=f"{option} {text}",
            expected=f"{count} numbers with commas between them and a decimal point, such as "
            + ",".join(["12.5", "-30", "40"][:count]),
            remedy=f"Write the option as {option}=" + ",".join(["12.5", "-30", "40"][:count]),
        )
    return found
