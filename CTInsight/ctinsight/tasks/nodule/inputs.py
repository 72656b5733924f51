"""What the user asserts of patient and nodule for the published scores; the only default is "not stated"."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ctinsight.errors import WrongUseError
from ctinsight.scores.brock import BrockItems
from ctinsight.scores.fleischner import Risk
from ctinsight.scores.guideline import CancerHistory, PriorCt
from ctinsight.scores.lung_rads import Airway, Change, Incomplete
from ctinsight.scores.lung_rads_nodule import PriorCategory
from ctinsight.scores.nodule_inputs import (
    NoduleType,
    Sex,
    refuse_outside,
    refuse_unless_member,
    refuse_unless_yes_or_no,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

#: Another word for non-solid, the one that measured types use.
GROUND_GLASS = "ground-glass"
#: Longest text that is taken over from a request.
MOST_LETTERS = 80


@dataclass(frozen=True)
class Question:
    """An item that is asked for: the option that answers it, what it means, and the words it takes.

    ``kind`` is ``yes-no``, ``number``, ``whole-number``, or the enumeration of its words.
    """

    flag: str
    meaning: str
    kind: str | type[StrEnum] = "yes-no"


#: Items of the patient, in the order in which they are listed.
PATIENT_QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        "age_years": Question("--age", "age of the patient in years", "number"),
        "sex": Question("--sex", "sex of the patient", Sex),
        "family_history": Question("--family-history", "lung cancer in the family"),
        "emphysema": Question("--emphysema", "emphysema on the CT"),
        "nodule_count": Question(
            "--nodule-count", "nodules in the whole CT, also those not clicked", "whole-number"
        ),
        "ever_smoked": Question("--smoker", "smokes or ever smoked"),
        "cancer_within_5_years": Question("--cancer-within-5-years", "any cancer within the last 5 years"),
        "old_extrathoracic_cancer": Question(
            "--old-cancer", "a cancer outside the chest more than 5 years ago"
        ),
        "screening": Question(
            "--screening", "a lung cancer screening CT (yes), or the nodule was found incidentally (no)"
        ),
        "cancer": Question("--cancer", "a known or suspected cancer", CancerHistory),
        "immunosuppressed": Question("--immunosuppressed", "the patient is immunosuppressed"),
        "prior_ct": Question("--prior-ct", "an earlier chest CT; compared is implied by --prior", PriorCt),
        "risk": Question("--risk", "the reader's estimate of lung cancer risk (Fleischner)", Risk),
        "incomplete": Question("--incomplete", "why the examination is incomplete (Lung-RADS 0)", Incomplete),
        "significant_other_finding": Question(
            "--other-finding", "a significant finding other than lung cancer (Lung-RADS S)"
        ),
    }
)

#: Items of each nodule.
NODULE_QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        "nodule_type": Question(
            "--type", "type as the reader sees it; overrules the measured one", NoduleType
        ),
        "upper_lobe": Question("--upper-lobe", "in an upper lobe"),
        "spiculation": Question("--spiculation", "spiculated"),
        "suspicious": Question(
            "--suspicious", "particularly suspicious morphology or a growing solid part (Fleischner)"
        ),
        "suspicious_features": Question(
            "--suspicious-feature",
            "a feature that makes a Lung-RADS 3 or 4 a 4X, in words",
            "words",
        ),
        "juxtapleural_benign_shape": Question(
            "--juxtapleural-benign", "touches the pleura, smooth, oval, lentiform or triangular"
        ),
        "airway": Question("--airway", "lies in an airway", Airway),
        "benign_calcification": Question(
            "--benign-calcification", "calcified completely, centrally, like popcorn or in rings"
        ),
        "fat": Question("--fat", "contains fat"),
        "change": Question("--change", "change since the earlier CT, where --prior does not tell", Change),
        "solid_change": Question("--solid-change", "change of the solid part, likewise", Change),
        "prior_category": Question("--prior-category", "its earlier Lung-RADS category", PriorCategory),
        "months_since_prior": Question(
            "--months-since-prior", "months since the earlier CT, when --prior does not say", "number"
        ),
    }
)


@dataclass(frozen=True)
class PatientInputs:
    """What the user says of the patient and the examination; ``None`` is "not stated".

    Attributes are explained in :data:`PATIENT_QUESTIONS`.

    Raises
    ------
    WrongUseError
        A value of the wrong kind or outside its range.
    """

    age_years: float | None = None
    sex: Sex | None = None
    family_history: bool | None = None
    emphysema: bool | None = None
    nodule_count: int | None = None
    ever_smoked: bool | None = None
    cancer_within_5_years: bool | None = None
    old_extrathoracic_cancer: bool | None = None
    screening: bool | None = None
    cancer: CancerHistory | None = None
    immunosuppressed: bool | None = None
    prior_ct: PriorCt | None = None
    risk: Risk | None = None
    incomplete: Incomplete | None = None
    significant_other_finding: bool | None = None

    def __post_init__(self) -> None:
        _refuse_misfits(self, PATIENT_QUESTIONS)
        # Children pass here, to be refused by each guideline with its reason.
        refuse_outside("age", self.age_years, (0.0, 120.0), "years")
        refuse_outside("number of nodules", self.nodule_count, (1, 1000), "")
        if self.nodule_count is not None:
            BrockItems(nodule_count=self.nodule_count)
        if self.cancer_within_5_years and self.cancer is CancerHistory.NONE:
            raise WrongUseError(
                found="a cancer within 5 years, and no known cancer",
                expected="answers that do not contradict each other",
                remedy="Correct --cancer-within-5-years or --cancer.",
            )


@dataclass(frozen=True)
class NoduleInputs:
    """What the user says of one nodule; ``None`` is "not stated".

    Attributes are explained in :data:`NODULE_QUESTIONS`.
    """

    nodule_type: NoduleType | None = None
    upper_lobe: bool | None = None
    spiculation: bool | None = None
    suspicious: bool | None = None
    suspicious_features: tuple[str, ...] | None = None
    juxtapleural_benign_shape: bool | None = None
    airway: Airway | None = None
    benign_calcification: bool | None = None
    fat: bool | None = None
    change: Change | None = None
    solid_change: Change | None = None
    prior_category: PriorCategory | None = None
    months_since_prior: float | None = None

    def __post_init__(self) -> None:
        features: Any = self.suspicious_features  # a list when it came as JSON
        if isinstance(features, list):
            object.__setattr__(self, "suspicious_features", tuple(features))
        if self.nodule_type == GROUND_GLASS:
            object.__setattr__(self, "nodule_type", NoduleType.NON_SOLID)
        _refuse_misfits(self, NODULE_QUESTIONS)
        refuse_outside("months since the earlier CT", self.months_since_prior, (0.0, 600.0), "months")


def from_plain(kind: type[Any], values: object, where: str) -> Any:
    """Make one of the classes above from plain values, as JSON holds them; null is "not stated".

    Raises
    ------
    WrongUseError
        No object, a name that is not known, or a value that does not fit.
    """
    known = [field.name for field in fields(kind)]
    if not isinstance(values, dict):
        raise WrongUseError(
            found=f"{where} = {str(values)[:80]!r}",
            expected="an object with named values",
            remedy="See docs/nodule-request.md.",
        )
    unknown = sorted(repr(name)[:40] for name in values.keys() - set(known))
    if unknown:
        raise WrongUseError(
            found=f"{where}: {', '.join(unknown)}",
            expected=f"only {', '.join(known)}",
            remedy="Correct or remove these names; nothing is passed over silently.",
        )
    return kind(**values)


def plain(items: Any) -> dict[str, Any]:
    """Return what was stated as plain values; what was not stated is left out."""
    stated = {name: value for name, value in asdict(items).items() if value is not None}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in stated.items()}


def _refuse_misfits(items: Any, questions: Mapping[str, Question]) -> None:
    for name, question in questions.items():
        value = getattr(items, name)
        if value is None:
            continue
        if question.kind == "yes-no":
            refuse_unless_yes_or_no(items, (name,))
        elif question.kind == "words":
            _refuse_unless_words(question.flag, value)
        elif isinstance(question.kind, str):
            _refuse_unless_number(question, value)
        else:
            _refuse_unless_choice(items, name, question)


def _refuse_unless_choice(items: Any, name: str, question: Question) -> None:
    """Take the text of a choice for it, or refuse it in the words of the option."""
    given = getattr(items, name)
    kind: Any = question.kind
    try:
        refuse_unless_member(items, name, kind)
    except WrongUseError as refusal:
        raise WrongUseError(
            found=f"{question.flag} {str(given)[:MOST_LETTERS]!r}",
            expected=", ".join(GROUND_GLASS if choice is NoduleType.NON_SOLID else choice for choice in kind),
            remedy=refusal.remedy,
        ) from None


def _refuse_unless_number(question: Question, value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    number = number and abs(value) < 1e6 and math.isfinite(value)
    if not number or (question.kind == "whole-number" and value != int(value)):
        raise WrongUseError(
            found=f"{question.flag} {str(value)[:MOST_LETTERS]!r}",
            expected=f"a {question.kind.replace('-', ' ') if isinstance(question.kind, str) else ''}"
            f": {question.meaning}",
            remedy="Correct the value.",
        )


def _refuse_unless_words(flag: str, value: Any) -> None:
    good = isinstance(value, tuple) and all(
        isinstance(word, str) and len(word.strip()) > 0 and len(word) <= MOST_LETTERS and word.isprintable()
        for word in value
    )
    if not good:
        raise WrongUseError(
            found=f"{flag} {str(value)[:MOST_LETTERS]!r}",
            expected=f"words of at most {MOST_LETTERS} letters",
            remedy="Name the features briefly, without anything that tells who the patient is.",
        )
