"""``python -m CTInsightLib RESULT_FOLDER``: add a MRML scene and an overview picture to a result folder.

Research use only. Not a medical device.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import CTInsightError, DependencyMissingError, WrongUseError
from ctinsight.report import RESULT_FILES, read_result

#: The version that the scene writer is tested with.
_SLICER_CORE = "slicer-core>=5.12.4.0,<5.13"


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code (see ``ctinsight.errors``)."""
    options = _parser().parse_args(arguments)
    try:
        notes = addScene(options.folder, overwrite=options.overwrite)
    except CTInsightError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    for line in (*_listing(options.folder), *notes, RESEARCH_USE_ONLY):
        sys.stdout.write(f"{line}\n")
    return 0


def addScene(folder: Path, *, overwrite: bool = False) -> tuple[str, ...]:
    """Write ``scene.mrb`` and ``overview.png`` beside the files of a result.

    Parameters
    ----------
    folder
        What ``ctinsight.report.write_result`` filled; only its files are read.
    overwrite
        Whether a scene and a picture that are already there may be replaced.

    Returns
    -------
    tuple
        Sentences about anything that was left out.

    Raises
    ------
    WrongUseError
        The folder is no result folder, or already holds a scene.
    DependencyMissingError
        slicer-core is not installed.
    """
    stored = read_result(folder)
    _refuseExisting(folder, overwrite=overwrite)
    if find_spec("slicer") is None:
        raise DependencyMissingError(
            found="the Python package slicer-core is not installed",
            expected=f"{_SLICER_CORE}, which writes MRML scenes without 3D Slicer",
            remedy="Run: pip install 'ctinsight[mrml]'. Without it, open ct.nrrd and segmentation.seg.nrrd "
            "in 3D Slicer.",
        )
    from CTInsightLib.ResultScene import writeResultScene

    return writeResultScene(stored)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m CTInsightLib",
        description="Add scene.mrb, which opens in 3D Slicer, and overview.png to a result folder.",
        epilog=RESEARCH_USE_ONLY,
    )
    parser.add_argument("folder", type=Path, metavar="RESULT_FOLDER", help="what was given to -o before")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier scene and overview")
    return parser


def _refuseExisting(folder: Path, *, overwrite: bool) -> None:
    present = [name for name in (RESULT_FILES["scene"], RESULT_FILES["overview"]) if (folder / name).exists()]
    if present and not overwrite:
        raise WrongUseError(
            found=f"{folder} already holds {' and '.join(present)}",
            expected="a result folder without them",
            remedy="Move them away, or add --overwrite.",
        )


def _listing(folder: Path) -> list[str]:
    names = (RESULT_FILES["scene"], RESULT_FILES["overview"])
    return [str((folder / name).resolve()) for name in names if (folder / name).is_file()]


if __name__ == "__main__":
    raise SystemExit(main())
