"""Every error this project raises on purpose, one class per remedy.

::

    CTInsightError                  found, expected, what to do
     ├── WrongUseError              an option or argument is off              exit 2
     ├── InputRefusedError          the data must not be measured as it is    exit 3
     │    ├── GeometryError         the grid is sheared, singular, not finite
     │    ├── UnreadableFileError   the bytes are not what the name promises
     │    ├── NotCTError            MR, an 8-bit picture, a localizer
     │    └── SliceGapError         slices are missing, or two lie at one place
     ├── WeightsMissingError        a method needs weights that are not here  exit 4
     ├── WrongWeightsError          the file holds another network            exit 4
     ├── DependencyMissingError     a Python package is not installed         exit 5
     ├── Cancelled                  the user stopped the run                  exit 5
     └── ProcessingFailedError      a step could not finish                   exit 5
"""

from __future__ import annotations

from typing import ClassVar


class CTInsightError(Exception):
    """An error that finishes its sentence.

    Parameters
    ----------
    found
        What was met, with the measured value or the user's own words.
    expected
        What would have been right.
    remedy
        What the user can do now.
    """

    exit_code: ClassVar[int] = 5

    def __init__(self, *, found: str, expected: str, remedy: str) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        return f"Found: {self.found}\nExpected: {self.expected}\nWhat to do: {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.found, self.expected, self.remedy)


def _rebuild(kind: type[CTInsightError], found: str, expected: str, remedy: str) -> CTInsightError:
    return kind(found=found, expected=expected, remedy=remedy)


class WrongUseError(CTInsightError):
    """An option or argument does not fit; correct the call."""

    exit_code = 2


class InputRefusedError(CTInsightError):
    """The input would give a wrong number; choose or repair the input."""

    exit_code = 3


class GeometryError(InputRefusedError):
    """The voxel grid is not a right-angled, finite, invertible one; export the image again."""


class UnreadableFileError(InputRefusedError):
    """The file is damaged, truncated or of another format; get it again."""


class NotCTError(InputRefusedError):
    """The image is not a CT volume in Hounsfield units; choose the CT series."""


class SliceGapError(InputRefusedError):
    """Slices are missing or doubled; complete the series, or allow gaps knowingly."""


class WeightsMissingError(CTInsightError):
    """The chosen method needs weights that are not installed; import them or choose another."""

    exit_code = 4


class WrongWeightsError(CTInsightError):
    """The weight file belongs to another network or is damaged; get the right one."""

    exit_code = 4


class DependencyMissingError(CTInsightError):
    """A Python package is missing; install it as the remedy says."""


class Cancelled(CTInsightError):  # noqa: N818 - it is the user's wish, not a fault
    """The user stopped the run; start it again when wanted."""


class ProcessingFailedError(CTInsightError):
    """A step could not finish on this input; look at the picture and choose another method."""
