"""How a number, a unit and a task are put in words for people; files keep the exact number beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctinsight.window import WINDOWS, Window

if TYPE_CHECKING:
    from ctinsight.finding import Finding

#: UCUM code -> what a radiologist reads. Source: The Unified Code for Units of Measure, version 2.2.
DISPLAY_UNITS = {
    "[hnsf'U]": "HU",
    "cm2": "cm²",
    "mm2": "mm²",
    "mm3": "mm³",
    "cm3": "cm³",
    "deg": "°",
    "1": "",
}


@dataclass(frozen=True)
class TaskLook:
    """How a task's pictures look: its title, its window, zoomed to each finding or cropped to all of them.

    ``sided`` tells that segments come in pairs of one colour, which the legend names once.
    """

    title: str
    window: Window
    zoomed: bool = False
    sided: bool = False


#: Task -> title of its module, and the key of its window.
_TASKS = {
    "hematoma": ("HematomaVolume", "brain"),
    "lvo": ("LVODetect", "brain"),
    "nodule": ("LungNoduleRisk", "lung"),
    "dcr": ("DeepDCR", "bone"),
}

#: Tasks whose findings are small: each is shown by itself, enlarged.
_ZOOMED = frozenset({"nodule"})
#: Tasks whose segments lie close together, in pairs of left and right: pictures are cropped to them.
_SIDED = frozenset({"lvo"})


def task_look(task: str) -> TaskLook:
    """Return the look of a task; an unknown one is shown in the brain window under its own name."""
    title, window = _TASKS.get(task, (task, "brain"))
    return TaskLook(title, WINDOWS[window], task in _ZOOMED, task in _SIDED)


def display_unit(ucum: str) -> str:
    """Return the unit as people write it.

    Examples
    --------
    >>> display_unit("[hnsf'U]"), display_unit("mL")
    ('HU', 'mL')
    """
    return DISPLAY_UNITS.get(ucum, ucum)


def with_unit(text: str, ucum: str) -> str:
    """Put a unit behind a text, or nothing behind it when the number is pure."""
    unit = display_unit(ucum)
    separator = "" if unit in {"%", "°", ""} else " "
    return f"{text}{separator}{unit}"


def display_number(value: float | int | str | None) -> str:
    """Round a number for people to about three figures, two decimals at most.

    Examples
    --------
    >>> display_number(27.3487), display_number(0.4219), display_number(132.4), display_number(0.0)
    ('27.3', '0.42', '132', '0')
    """
    if value is None:
        return "n/a"
    if not isinstance(value, float):
        return str(value)
    if value == 0:
        return "0"
    size = abs(value)
    decimals = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{value:.{decimals}f}"


def display_finding(finding: Finding) -> str:
    """Put value and unit of a finding in words: ``27.3 mL``."""
    if finding.value is None:
        return "n/a"
    return with_unit(display_number(finding.value), finding.unit)


def display_interval(finding: Finding) -> str:
    """Put the interval of a finding in words with what it means; empty when it has none."""
    if finding.interval is None:
        return ""
    low, high = display_number(finding.interval.low), display_number(finding.interval.high)
    return f"{with_unit(f'{low} – {high}', finding.unit)} ({finding.interval.meaning})"
