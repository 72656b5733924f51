"""What Lung-RADS asks of a nodule and of the reader, and how it becomes the facts a row is chosen by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ctinsight.errors import WrongUseError
from ctinsight.scores.guideline import PriorCt, SizeBy
from ctinsight.scores.nodule_inputs import (
    LARGEST_MM,
    NoduleType,
    refuse_outside,
    refuse_unless_member,
    refuse_unless_yes_or_no,
    round_half_up,
    unstated,
)

_LARGEST_MM3 = 4.2e6  # a sphere of 200 mm
_SIZES = ("diameter_mm", "volume_mm3", "solid_diameter_mm", "solid_volume_mm3")
#: Items with rows of their own; not asked for, and named in the result where they are not stated.
UNASKED = ("juxtapleural_benign_shape", "airway", "benign_calcification", "fat")
_FLAGS = ("juxtapleural_benign_shape", "benign_calcification", "fat")


class Change(StrEnum):
    """How a nodule, or its solid component, stands against the earlier CT.

    ``STABLE`` is unchanged, smaller, or larger by no more than the growth rule without reaching a size
    threshold; ``CROSSED`` has reached a threshold without meeting the growth rule; ``SLOWLY_GROWING`` grows
    over several examinations and never meets it.
    """

    BASELINE = "baseline"
    NEW = "new"
    STABLE = "stable"
    GROWING = "growing"
    SLOWLY_GROWING = "slowly growing"
    CROSSED = "crossed"


class Airway(StrEnum):
    """Whether a nodule lies in an airway, and where."""

    NONE = "none"
    SUBSEGMENTAL = "subsegmental"
    SEGMENTAL = "segmental or more proximal"


class Incomplete(StrEnum):
    """Why the reader gives category 0; an earlier CT that is being located is asked for elsewhere."""

    NOT_EVALUABLE = "not evaluable"
    LIKELY_INFECTION = "likely infection"


class PriorCategory(StrEnum):
    """The category a nodule had in the earlier CT."""

    TWO = "2"
    THREE = "3"
    FOUR_A = "4A"
    FOUR_B = "4B"
    FOUR_X = "4X"


@dataclass(frozen=True)
class ReaderStatements:
    """What only the reader can say of the examination; it is never computed.

    Parameters
    ----------
    incomplete
        A reason for category 0.
    suspicious_features
        Features that turn a category 3 or 4 into 4X, in the reader's words (spiculation, lymphadenopathy).
    significant_other_finding
        The modifier S: a significant finding unrelated to lung cancer.
    """

    incomplete: Incomplete | None = None
    suspicious_features: tuple[str, ...] = ()
    significant_other_finding: bool = False

    def __post_init__(self) -> None:
        refuse_unless_member(self, "incomplete", Incomplete)
        refuse_unless_yes_or_no(self, ("significant_other_finding",))
        features: Any = self.suspicious_features
        if not isinstance(features, tuple):
            raise WrongUseError(
                found=f"suspicious features: {features!r}",
                expected="a tuple of words",
                remedy="Give the features one by one.",
            )


@dataclass(frozen=True)
class LungRadsNodule:
    """What the table asks of the nodule; ``None`` is "not stated".

    Parameters
    ----------
    nodule_type
        Solid, part-solid or non-solid.
    change
        Against the earlier CT; without one it is baseline and need not be stated.
    diameter_mm, volume_mm3
        Mean diameter (read to 0.1 mm) and volume (to 1 mm³) of the whole nodule.
    solid_diameter_mm, solid_volume_mm3
        The same of the solid component; asked for part-solid nodules of 6 mm (113 mm³) or more.
    solid_change
        How the solid component stands against the earlier CT; asked for part-solid nodules.
    juxtapleural_benign_shape
        Whether it touches the pleura, has smooth margins and is oval, lentiform or triangular.
    airway
        Whether it lies in an airway, and where.
    benign_calcification, fat
        Calcification that is complete, central, popcorn or in rings; fat. Like the two before, these give
        rows of their own; where they are not stated the size chooses the row, and the result says so.
    prior_category, months_since_prior
        Asked for a nodule that has not changed.
    size_by
        Whether diameter or volume chooses the row; the other is compared where it is stated.

    Raises
    ------
    WrongUseError
        A value outside its range, or a solid component larger than its nodule.
    """

    nodule_type: NoduleType | None = None
    change: Change | None = None
    diameter_mm: float | None = None
    volume_mm3: float | None = None
    solid_diameter_mm: float | None = None
    solid_volume_mm3: float | None = None
    solid_change: Change | None = None
    juxtapleural_benign_shape: bool | None = None
    airway: Airway | None = None
    benign_calcification: bool | None = None
    fat: bool | None = None
    prior_category: PriorCategory | None = None
    months_since_prior: float | None = None
    size_by: SizeBy = SizeBy.DIAMETER

    def __post_init__(self) -> None:
        members = {
            "nodule_type": NoduleType,
            "change": Change,
            "solid_change": Change,
            "airway": Airway,
            "prior_category": PriorCategory,
            "size_by": SizeBy,
        }
        for name, kind in members.items():
            refuse_unless_member(self, name, kind)
        refuse_unless_yes_or_no(self, _FLAGS)
        refuse_outside("mean diameter", self.diameter_mm, (0.1, LARGEST_MM), "mm")
        refuse_outside("volume", self.volume_mm3, (0.1, _LARGEST_MM3), "mm³")
        refuse_outside("solid component", self.solid_diameter_mm, (0.0, LARGEST_MM), "mm")
        refuse_outside("solid component", self.solid_volume_mm3, (0.0, _LARGEST_MM3), "mm³")
        refuse_outside("months since the earlier CT", self.months_since_prior, (0.0, 600.0), "months")
        _refuse_larger_part(self.diameter_mm, self.solid_diameter_mm, "mm")
        _refuse_larger_part(self.volume_mm3, self.solid_volume_mm3, "mm³")


def other_size(size_by: SizeBy) -> SizeBy:
    """Return the size that does not choose the row."""
    return SizeBy.VOLUME if size_by is SizeBy.DIAMETER else SizeBy.DIAMETER


def nodule_questions(nodule: LungRadsNodule, prior_ct: PriorCt | None) -> tuple[str, ...]:
    """Return the names of what the table still asks of a nodule."""
    asked = ["nodule_type"]
    if prior_ct is PriorCt.COMPARED:
        asked.append("change")
    if nodule.airway in (Airway.SUBSEGMENTAL, Airway.SEGMENTAL):
        return unstated(nodule, asked)
    asked.append("volume_mm3" if nodule.size_by is SizeBy.VOLUME else "diameter_mm")
    if nodule.nodule_type is NoduleType.PART_SOLID:
        asked += _asked_of_part_solid(nodule)
    return unstated(nodule, asked)


def _asked_of_part_solid(nodule: LungRadsNodule) -> list[str]:
    facts = nodule_facts(nodule)
    volume = nodule.size_by is SizeBy.VOLUME
    size, threshold = (facts["volume_mm3"], 113.0) if volume else (facts["diameter_mm"], 6.0)
    compared = nodule.change not in (None, Change.BASELINE, Change.NEW, Change.SLOWLY_GROWING)
    asked = ["solid_change"] if compared else []
    if size is not None and (size >= threshold or nodule.solid_change in (Change.NEW, Change.GROWING)):
        asked.append("solid_volume_mm3" if volume else "solid_diameter_mm")
    return asked


def nodule_facts(nodule: LungRadsNodule) -> dict[str, Any]:
    """Return the facts that rows are compared with: sizes rounded as the guideline reports them."""
    change = nodule.change or Change.BASELINE
    solid_change = nodule.solid_change
    if change in (Change.BASELINE, Change.NEW):
        solid_change = change
    if solid_change is Change.SLOWLY_GROWING:
        change = Change.SLOWLY_GROWING
    facts: dict[str, Any] = {"type": nodule.nodule_type, "change": change, "solid_change": solid_change}
    for name in _SIZES:
        value = getattr(nodule, name)
        facts[name] = None if value is None else round_half_up(value, 1 if name.endswith("_mm") else 0)
    months = nodule.months_since_prior
    facts["months_since_prior"] = None if months is None else round_half_up(months)
    return facts | {"airway": nodule.airway, "prior_category": nodule.prior_category}


def basis(nodule: LungRadsNodule) -> str:
    """Say by which size the row is chosen, as it was rounded."""
    facts = nodule_facts(nodule)
    volume = nodule.size_by is SizeBy.VOLUME
    whole, part, unit = (
        ("volume_mm3", "solid_volume_mm3", "mm³")
        if volume
        else ("diameter_mm", "solid_diameter_mm", "mm mean diameter")
    )
    if facts[whole] is None:
        return "no size asked"
    number = ".0f" if volume else ".1f"
    text = f"{facts[whole]:{number}} {unit}"
    if nodule.nodule_type is NoduleType.PART_SOLID and facts[part] is not None:
        text += f", solid component {facts[part]:{number}} {unit}"
    return text


def _refuse_larger_part(whole: float | None, part: float | None, unit: str) -> None:
    if whole is not None and part is not None and part > whole:
        raise WrongUseError(
            found=f"a solid component of {part} {unit} in {whole} {unit}",
            expected="a component no larger than its nodule",
            remedy="Correct the sizes.",
        )
