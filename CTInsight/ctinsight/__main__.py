"""``python -m ctinsight``: the same jobs for people without 3D Slicer, and the door of the worker.

Exit codes: 0 done, 2 wrong use, 3 input refused, 4 weights missing, 5 failed. Every exit that is not 0 says
what was found, what was expected and what to do.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

from ctinsight.errors import Cancelled, CTInsightError, DependencyMissingError, ProcessingFailedError


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        code = _dispatch(sys.argv[1:])
    except CTInsightError as error:
        code = _complain(error)
    except KeyboardInterrupt:
        code = _complain(
            Cancelled(
                found="the run was stopped from the keyboard",
                expected="a finished run",
                remedy="Start it again; files of finished cases are kept.",
            )
        )
    except MemoryError:
        code = _complain(
            ProcessingFailedError(
                found="the machine ran out of memory",
                expected="enough free memory for this image",
                remedy="Check its voxel spacing (ctinsight info CASE), close other programs, or crop it.",
            )
        )
    except Exception as error:  # noqa: BLE001 - the outermost boundary: nobody above can say it better
        code = _complain(_unexpected(error))
    sys.exit(code)


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["worker"]:
        from ctinsight.worker import main as worker

        return worker(arguments[1:])
    if find_spec("typer") is None:
        raise DependencyMissingError(
            found="the Python package typer is not installed",
            expected="typer 0.12 or newer for the command line (the worker and 3D Slicer do without it)",
            remedy='Install it with: python -m pip install "ctinsight[cli]"',
        )
    from ctinsight.cli import run_command_line

    return run_command_line(arguments)


def _unexpected(error: Exception) -> CTInsightError:
    import traceback

    sys.stderr.write(traceback.format_exc())
    return CTInsightError(
        found=f"an error that nobody foresaw: {type(error).__name__}: {error}",
        expected="a result, or an error with a remedy",
        remedy="Please report it with the lines above; they hold no patient data beyond file names.",
    )


def _complain(error: CTInsightError) -> int:
    sys.stderr.write(f"{error}\n")
    return error.exit_code


if __name__ == "__main__":
    main()
