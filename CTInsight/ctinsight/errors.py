"""Every error this project raises on purpose, one class per remedy.

::

    CTInsightError                  found, expected, what to do
     ├── WrongUseError              an option or argument is off              exit 2
     │    ├── TermsNotAcceptedError a model's terms must be accepted first
     │    └── UnansweredError       a score or guideline asks what was not stated
     ├── InputRefusedError          the data must not be measured as it is    exit 3
     │    ├── GeometryError         the grid is sheared, singular, not finite
     │    ├── UnreadableFileError   the bytes are not what the name promises
     │    ├── NotCTError            MR, an 8-bit picture, a localizer
     │    ├── SliceGapError         slices are missing, or two lie at one place
     │    ├── NotApplicableError    a score or guideline does not cover this case
     │    └── UnsafeArchiveError    an archive names places outside, or would grow without end
     ├── WeightsMissingError        a method needs weights that are not here  exit 4
     ├── WrongWeightsError          the file holds another network            exit 4
     ├── DependencyMissingError     a Python package is not installed         exit 5
     ├── DownloadFailedError        no source gave the file whole and right   exit 5
     ├── OfflineError               a download was asked for while offline    exit 5
     ├── NotEnoughSpaceError        the disk has no room                      exit 5
     ├── StoreUnusableError         the model folder cannot be used           exit 5
     ├── CatalogueError             the list of models does not hold together exit 5
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


class TermsNotAcceptedError(WrongUseError):
    """The model may be used only by who accepts its terms; read them, then accept or leave it."""


class UnansweredError(WrongUseError):
    """A published score or guideline needs answers that were not given; state the items named."""


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


class NotApplicableError(InputRefusedError):
    """A published score or guideline does not cover this person or finding; go on without it."""


class UnsafeArchiveError(InputRefusedError):
    """The archive names places outside its folder, or would grow without end; get it from another source."""


class WeightsMissingError(CTInsightError):
    """The chosen method needs weights that are not installed; import them or choose another."""

    exit_code = 4


class WrongWeightsError(CTInsightError):
    """The weight file belongs to another network or is damaged; get the right one."""

    exit_code = 4


class DependencyMissingError(CTInsightError):
    """A Python package is missing; install it as the remedy says."""


class DownloadFailedError(CTInsightError):
    """No source gave the file whole and unchanged; mend the connection, or import the file by hand."""


class OfflineError(CTInsightError):
    """The network was wanted while the offline switch is on; switch it off, or import a file or kit."""


class NotEnoughSpaceError(CTInsightError):
    """The disk is too full; free some space or choose another folder."""


class StoreUnusableError(CTInsightError):
    """The model folder cannot be read, written or locked; choose another one."""


class CatalogueError(CTInsightError):
    """The list of models does not hold together; the entry and key are named."""


class Cancelled(CTInsightError):  # noqa: N818 - it is the user's wish, not a fault
    """The user stopped the run; start it again when wanted."""


class ProcessingFailedError(CTInsightError):
    """A step could not finish on this input; look at the picture and choose another method."""
