"""Which of the series in a folder is the CT to measure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.dicom.headers import CT_CLASSES, Frame, SeriesFacts
from ctinsight.errors import NotCTError, WrongUseError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Words in ImageType that mark a picture whose values are not the HU of one place.
_NO_VOLUME = {
    "LOCALIZER", "MIP", "MINIP", "SSD", "VRT", "PROJECTION IMAGE", "SCREEN SAVE", "PROTOCOL", "DOSE_INFO",
    "PERFUSION", "SUBTRACTION", "RCBF", "RCBV", "RMTT", "TTP",
}  # fmt: skip
#: Two slices lie in one stack when their axes differ by less than this (0.25 degrees).
_SAME_DIRECTION = float(np.cos(np.radians(0.25)))


@dataclass(frozen=True)
class Series:
    """Slices of one series that share matrix, pixel spacing and orientation.

    ``notes`` say what was left out; ``left_out_parallel`` counts slices of the same plane but another matrix
    or pixel spacing, without which the volume may be a part only.
    """

    facts: SeriesFacts
    frames: tuple[Frame, ...]
    notes: tuple[str, ...] = ()
    left_out_parallel: int = 0

    @property
    def label(self) -> str:
        """Number, description and size, without anything that names a patient."""
        number = "without number" if self.facts.number is None else str(self.facts.number)
        name = f" {self.facts.description!r}" if self.facts.description else ""
        return f"series {number}{name} ({self.facts.modality}, {len(self.frames)} slices)"

    @property
    def obstacle(self) -> str | None:
        """Why this is not a CT volume; ``None`` when it may be one."""
        facts = self.facts
        if facts.modality != "CT":
            return f"{facts.modality}, not CT"
        if facts.sop_class and facts.sop_class not in CT_CLASSES:
            return "a picture made from a CT, not CT slices"
        marks = sorted(_NO_VOLUME.intersection(facts.image_type))
        if marks:
            return f"image type {' '.join(marks)}"
        return None

    @property
    def axial(self) -> bool:
        """Whether the slices lie within 45 degrees of the axial plane."""
        normal = _normal(self.frames[0])
        return normal is not None and abs(float(normal[2])) > np.cos(np.radians(45))

    @property
    def original(self) -> bool:
        """Whether the slices came from the scanner directly, not from a reformat."""
        kinds = self.facts.image_type
        return not ({"REFORMATTED", "MPR"} & set(kinds)) and kinds[:1] != ("DERIVED",)


def _normal(frame: Frame) -> np.ndarray | None:
    if frame.orientation_lps is None:
        return None
    cross = np.cross(frame.orientation_lps[:3], frame.orientation_lps[3:])
    length = float(np.linalg.norm(cross))
    return cross / length if length > 0.5 else None


def group_series(frames: Sequence[Frame]) -> list[Series]:
    """Gather slices by series UID; localizers and slices of another geometry are left out of each.

    A UID that is empty, or that several patients or examinations were given by mistake, joins nothing.
    """
    together: dict[tuple[str, str, int, int], list[Frame]] = defaultdict(list)
    for frame in frames:
        facts = frame.series
        together[facts.uid, facts.modality, facts.patient_key, facts.study_key].append(frame)
    return [_largest_stack(members) for members in together.values()]


def _largest_stack(frames: list[Frame]) -> Series:
    slices = [frame for frame in frames if "LOCALIZER" not in frame.series.image_type]
    stacks: list[list[Frame]] = []
    for frame in slices or frames:
        match = next((stack for stack in stacks if _same_geometry(stack[0], frame)), None)
        if match is None:
            stacks.append([frame])
        else:
            match.append(frame)
    largest = max(stacks, key=len)
    notes = []
    if slices and len(slices) < len(frames):
        notes.append(f"{len(frames) - len(slices)} localizer images of the series were left out.")
    others = [frame for stack in stacks if stack is not largest for frame in stack]
    if others:
        notes.append(f"{len(others)} slices of another orientation, matrix or pixel spacing were left out.")
    parallel = sum(_parallel(largest[0], frame) for frame in others)
    return Series(largest[0].series, tuple(largest), tuple(notes), parallel)


def _parallel(a: Frame, b: Frame) -> bool:
    normal_a, normal_b = _normal(a), _normal(b)
    if normal_a is None or normal_b is None or b.position_lps is None:
        return False
    return abs(float(normal_a @ normal_b)) > _SAME_DIRECTION


def _same_geometry(a: Frame, b: Frame) -> bool:
    if (a.rows, a.columns, a.series.sop_class) != (b.rows, b.columns, b.series.sop_class):
        return False
    if a.spacing_mm is None or b.spacing_mm is None or a.orientation_lps is None or b.orientation_lps is None:
        return (a.spacing_mm, a.orientation_lps) == (b.spacing_mm, b.orientation_lps)
    if not np.allclose(a.spacing_mm, b.spacing_mm, rtol=1e-3):
        return False
    axes_a, axes_b = np.reshape(a.orientation_lps, (2, 3)), np.reshape(b.orientation_lps, (2, 3))
    return bool(np.all(np.sum(axes_a * axes_b, axis=1) > _SAME_DIRECTION))


def choose_series(series: Sequence[Series], wanted: str | None) -> tuple[Series, tuple[str, ...]]:
    """Choose the series to read, and say what else was there.

    Parameters
    ----------
    series
        Everything found.
    wanted
        A UID, a series number or a part of a description; ``None`` takes the largest axial CT.

    Raises
    ------
    WrongUseError
        ``wanted`` fits none or several; or nothing is wanted and there are several patients.
    NotCTError
        No CT volume among them, or the wanted one is none.
    """
    if wanted is not None:
        return _wanted(series, wanted), ()
    usable = [one for one in series if one.obstacle is None]
    if not usable:
        raise NotCTError(
            found="; ".join(f"{one.label}: {one.obstacle}" for one in series),
            expected="a CT series in Hounsfield units",
            remedy="Choose the folder of the CT series.",
        )
    _refuse_several_patients(usable)
    _refuse_torn_series(usable)
    ranked = sorted(usable, key=_rank)
    chosen, others = ranked[0], [one for one in series if one is not ranked[0]]
    notes = [] if chosen.original else ["The series is a reformat (derived), not the scanner's own slices."]
    studies = len({one.facts.study_key for one in usable})
    if studies > 1:
        notes.append(f"There are CTs of {studies} examinations of the patient; one was read.")
    if others:
        names = "; ".join(one.label for one in others[:20]) + ("; ..." if len(others) > 20 else "")
        notes.append(
            f"Of {len(series)} series the largest axial CT was taken: {chosen.label}. Not read: {names}."
        )
    return chosen, tuple(notes)


def _refuse_several_patients(usable: Sequence[Series]) -> None:
    patients = len({one.facts.patient_key for one in usable})
    if patients > 1:
        raise WrongUseError(
            found=f"CT series of {patients} patients",
            expected="one patient",
            remedy="Choose the folder of one patient, or name the series by its UID: "
            + "; ".join(f"{one.label}, UID {one.facts.uid}" for one in usable[:20]),
        )


def _refuse_torn_series(usable: Sequence[Series]) -> None:
    """Refuse a series whose slices name several examinations: its largest part is not the whole."""
    uids = [one.facts.uid for one in usable if one.facts.uid]
    torn = next((one for one in usable if uids.count(one.facts.uid) > 1), None)
    if torn is not None:
        raise WrongUseError(
            found=f"{torn.label}, and other slices of the same series UID in another examination",
            expected="one examination per series",
            remedy="Put the slices of each examination into a folder of their own.",
        )


def _rank(one: Series) -> tuple[bool, bool, int, int, str]:
    number = one.facts.number if one.facts.number is not None else 10**9
    return not one.axial, not one.original, -len(one.frames), number, one.facts.uid


def _wanted(series: Sequence[Series], wanted: str) -> Series:
    word = wanted.strip()
    matches = [one for one in series if one.facts.uid == word]
    matches = matches or [one for one in series if str(one.facts.number) == word]
    matches = matches or [one for one in series if word.lower() in (one.facts.description or "").lower()]
    if len(matches) != 1 or not word:
        names = "; ".join(f"{one.label}, UID {one.facts.uid}" for one in matches or series)
        raise WrongUseError(
            found=f"--series {wanted!r} fits {len(matches)} series",
            expected="a UID, a number or a part of a description that fits one series",
            remedy=f"Choose one of: {names}",
        )
    if matches[0].obstacle is not None:
        raise NotCTError(
            found=f"{matches[0].label}: {matches[0].obstacle}",
            expected="a CT series in Hounsfield units",
            remedy="Choose the CT series.",
        )
    return matches[0]
