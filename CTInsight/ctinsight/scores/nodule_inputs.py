"""What the nodule calculators share: words for sex and type, and how a value is refused or asked for."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar

from ctinsight.errors import UnansweredError, WrongUseError

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

#: Ages that are taken for a typing error; the calculators are for adults.
YOUNGEST_YEARS, OLDEST_YEARS = 18.0, 120.0

#: Largest length in a chest that is not taken for a typing error.
LARGEST_MM = 200.0


class Sex(StrEnum):
    """The sex a model was made with; never guessed."""

    FEMALE = "female"
    MALE = "male"


class NoduleType(StrEnum):
    """How a nodule attenuates; ``NON_SOLID`` is a pure ground-glass nodule."""

    SOLID = "solid"
    PART_SOLID = "part-solid"
    NON_SOLID = "non-solid"


def refuse_outside(name: str, value: float | None, limits: tuple[float, float], unit: str) -> None:
    """Refuse a stated number outside its range; ``None`` is "not stated" and passes.

    Raises
    ------
    WrongUseError
        The number is not finite, not a number, or outside.
    """
    if value is None:
        return
    low, high = limits
    given: Any = value
    number = isinstance(given, Real) and not isinstance(given, bool)
    if not number or not math.isfinite(given) or not low <= given <= high:
        raise WrongUseError(
            found=f"{name}: {value} {unit}".rstrip(),
            expected=f"{low:g} to {high:g} {unit}".rstrip(),
            remedy="Correct the value.",
        )


def refuse_unless_yes_or_no(items: Any, names: Iterable[str]) -> None:
    """Refuse an answer that is neither yes, no nor "not stated": the word "no" would count as yes.

    Raises
    ------
    WrongUseError
        An attribute of ``items`` is not ``True``, ``False`` or ``None``.
    """
    for name in names:
        answer = getattr(items, name)
        if answer is not None and not isinstance(answer, bool):
            raise WrongUseError(
                found=f"{name.replace('_', ' ')}: {answer!r}",
                expected="true, false, or nothing when it is not known",
                remedy="Answer with true or false.",
            )


def refuse_unless_member(items: Any, name: str, kind: type[StrEnum]) -> None:
    """Refuse a stated word that is not one of an enumeration; its text is taken for its member.

    Raises
    ------
    WrongUseError
        The attribute is neither ``None`` nor a value of ``kind``.
    """
    value = getattr(items, name)
    if value is None:
        return
    try:
        object.__setattr__(items, name, kind(value))
    except ValueError:
        raise WrongUseError(
            found=f"{name.replace('_', ' ')}: {value!r}",
            expected=", ".join(kind),
            remedy="Choose one of these.",
        ) from None


def unstated(items: Any, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the attributes that are not stated."""
    return tuple(name for name in names if getattr(items, name) is None)


def refuse_unstated(what: str, missing: Iterable[str]) -> None:
    """Refuse to go on while items are missing; nothing that is not stated counts as 0 or no.

    Raises
    ------
    UnansweredError
        At least one item is missing; all are named.
    """
    names = [name.replace("_", " ") for name in missing]
    if names:
        raise UnansweredError(
            found=f"{what}: not stated: {', '.join(names)}",
            expected="every item stated; one that is not known is not taken for 0 or no",
            remedy="State the items named, or go on without this score.",
        )


def stated(value: T | None) -> T:
    """Return a value that was checked to be stated; nothing stands in for one that is not.

    Raises
    ------
    ValueError
        The value is ``None``: the caller forgot to ask.
    """
    if value is None:
        msg = "an item that is not stated was used"
        raise ValueError(msg)
    return value


def round_half_up(value: float, places: int = 0) -> float:
    """Round as a person does: 5.95 to one place is 6.0, 8.5 to none is 9.

    Examples
    --------
    >>> round_half_up(5.95, 1), round_half_up(8.5), round_half_up(5.49)
    (6.0, 9.0, 5.0)
    """
    return float(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP))
