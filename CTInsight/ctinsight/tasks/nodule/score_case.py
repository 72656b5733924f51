"""What the published scores look at: one nodule, what was measured of it, stated and compared, by origin."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ctinsight.finding import Check, Outcome
from ctinsight.scores.guideline import Applicability, PriorCt
from ctinsight.scores.lung_rads import Change
from ctinsight.scores.nodule_inputs import NoduleType
from ctinsight.tasks.nodule.inputs import NODULE_QUESTIONS, PATIENT_QUESTIONS
from ctinsight.tasks.nodule.type import NoduleType as MeasuredType

if TYPE_CHECKING:
    from ctinsight.tasks.nodule.inputs import NoduleInputs, PatientInputs
    from ctinsight.tasks.nodule.measures import NoduleMeasures

#: A stated age this far from the file's is said, years.
AGE_ROOM_YEARS = 1.5

_SCORE_TYPES = {
    MeasuredType.SOLID: NoduleType.SOLID,
    MeasuredType.PART_SOLID: NoduleType.PART_SOLID,
    MeasuredType.GROUND_GLASS: NoduleType.NON_SOLID,
}


class Origin(StrEnum):
    """Where a value comes from."""

    MEASURED = "measured"
    COMPARED = "measured against the earlier CT"
    COUNTED = "counted in this request"
    STATED = "stated by the user"
    OVERRULED = "stated by the user, against the measurement"
    MISSING = "not stated"


@dataclass(frozen=True)
class Fact:
    """One input of the scores; ``value`` is ``None`` where it is missing; the option ``flag`` gives it."""

    key: str
    name: str
    value: Any
    origin: Origin
    flag: str = ""


@dataclass(frozen=True)
class MeasuredChange:
    """How a nodule stands against the earlier CT by measurement; ``None`` where two CTs cannot tell."""

    change: Change | None
    solid_change: Change | None
    interval_days: float


@dataclass(frozen=True)
class ScoreCase:
    """One nodule as the scores see it.

    Parameters
    ----------
    number
        Of its point, from 1.
    measures
        What was measured.
    stated, patient
        What the user said.
    measured_count
        Nodules measured in this request.
    change
        From a comparison with an earlier CT, when there was one.
    prior_compared
        Whether any nodule of this CT was compared with an earlier CT.
    """

    number: int
    measures: NoduleMeasures
    stated: NoduleInputs
    patient: PatientInputs
    measured_count: int
    change: MeasuredChange | None = None
    prior_compared: bool = False

    @property
    def measured_type(self) -> NoduleType:
        """The measured type in the words of the scores."""
        return _SCORE_TYPES[self.measures.kind]

    @property
    def nodule_type(self) -> NoduleType:
        """The type that is used: the stated one, else the measured one."""
        return self.stated.nodule_type or self.measured_type

    @property
    def solid_diameter_mm(self) -> float | None:
        """Mean diameter of the solid part to 0.1 mm; known where one was measured."""
        solid = self.measures.solid
        return None if solid is None else round(solid.diameter_mm, 1)

    @property
    def miscounted(self) -> bool:
        """Whether fewer nodules were stated than measured."""
        stated = self.patient.nodule_count
        return stated is not None and stated < self.measured_count

    @property
    def multiple(self) -> bool | None:
        """Whether there are several nodules; ``None`` when only one was measured and no count stated."""
        if self.measured_count > 1:
            return True
        return None if self.patient.nodule_count is None else self.patient.nodule_count > 1

    @property
    def context(self) -> Applicability:
        """The answers to the guidelines' questions of applicability."""
        said = self.patient
        prior = PriorCt.COMPARED if self.prior_compared else said.prior_ct
        return Applicability(said.screening, said.age_years, said.cancer, said.immunosuppressed, prior)

    @property
    def used_change(self) -> Change | None:
        """Change of the whole nodule: stated, else measured."""
        return self.stated.change or (self.change.change if self.change else None)

    @property
    def used_solid_change(self) -> Change | None:
        """Change of the solid part: stated, else measured."""
        return self.stated.solid_change or (self.change.solid_change if self.change else None)

    @property
    def months_since_prior(self) -> float | None:
        """Months since the earlier CT: stated, else from the interval."""
        if self.stated.months_since_prior is not None or self.change is None:
            return self.stated.months_since_prior
        return self.change.interval_days / 30.4375


def flag_of(name: str) -> str:
    """Return the option that answers an item which a score asks for, by the score's own name of it."""
    aliases = {
        "extrathoracic_cancer_over_5_years_ago": "old_extrathoracic_cancer",
        "multiple": "nodule_count",
    }
    name = aliases.get(name, name)
    question = PATIENT_QUESTIONS.get(name) or NODULE_QUESTIONS.get(name)
    if question is not None:
        return question.flag
    if name.startswith("solid_"):
        return "the size of the solid part (none was measured in this nodule)"
    return name.replace("_", " ")


def facts_of(case: ScoreCase) -> tuple[Fact, ...]:
    """List every input of the scores that belongs to the nodule, with its value and origin."""
    m = case.measures
    found = [
        Fact("diameter_mm", "mean diameter, mm", m.mean_diameter_mm, Origin.MEASURED),
        Fact("volume_mm3", "volume, mm³", round(m.volume_mm3), Origin.MEASURED),
        _chosen("nodule_type", case.stated.nodule_type, case.measured_type, Origin.MEASURED),
    ]
    if case.solid_diameter_mm is not None:
        name = "mean diameter of the solid part, mm"
        found.append(Fact("solid_diameter_mm", name, case.solid_diameter_mm, Origin.MEASURED))
    for key, question in NODULE_QUESTIONS.items():
        if key not in {"nodule_type", "change", "solid_change"}:
            found.append(_stated(key, question.meaning, getattr(case.stated, key), question.flag))
    change = case.change
    for key in ("change", "solid_change"):
        measured = getattr(change, key) if change else None
        found.append(_chosen(key, getattr(case.stated, key), measured, Origin.COMPARED))
    if case.measured_count > 1 and case.patient.nodule_count is None:
        found.append(Fact("multiple", "several nodules", True, Origin.COUNTED))
    return tuple(found)


def patient_facts(patient: PatientInputs) -> tuple[Fact, ...]:
    """List what was asked of the patient, once for all nodules."""
    return tuple(
        _stated(key, question.meaning, getattr(patient, key), question.flag)
        for key, question in PATIENT_QUESTIONS.items()
    )


def _stated(key: str, name: str, value: Any, flag: str) -> Fact:
    return Fact(key, name, value, Origin.MISSING if value is None else Origin.STATED, flag)


_CHOSEN = {
    "nodule_type": "type",
    "change": "change since the earlier CT",
    "solid_change": "change of the solid part since the earlier CT",
}


def _chosen(key: str, stated: Any, measured: Any, origin: Origin) -> Fact:
    question, name = NODULE_QUESTIONS[key], _CHOSEN[key]
    if stated is not None:
        against = measured is not None and measured != stated
        return Fact(key, name, stated, Origin.OVERRULED if against else Origin.STATED, question.flag)
    return Fact(key, name, measured, Origin.MISSING if measured is None else origin, question.flag)


def contradictions(case: ScoreCase) -> tuple[Check, ...]:
    """Say where the user's word and the measurement differ; the user's word is used."""
    m, said = case.measures, case.stated
    found = [
        ("type", "type", said.nodule_type, case.measured_type, m.evidence),
        ("change", "change", said.change, case.change.change if case.change else None, "two CTs compared"),
        (
            "solid_change",
            "change of the solid part",
            said.solid_change,
            case.change.solid_change if case.change else None,
            "two CTs compared",
        ),
        ("fat", "fat", said.fat, m.fat.found if m.fat else None, "voxels of the density of fat"),
        (
            "benign_calcification",
            "calcification",
            said.benign_calcification or None,
            m.calcium.found,
            "dense voxels",
        ),
        (
            "juxtapleural_benign_shape",
            "contact with the pleura",
            said.juxtapleural_benign_shape or None,
            m.pleura_mm == 0.0,
            "distance to the pleura",
        ),
    ]
    return tuple(
        _contradiction(case.number, key, name, (stated, measured, why))
        for key, name, stated, measured, why in found
        if stated is not None and measured is not None and stated != measured and not _slow(stated, measured)
    )


def _slow(stated: Any, measured: Any) -> bool:
    # Slow growth is seen over several examinations, which two CTs cannot show.
    return stated is Change.SLOWLY_GROWING and measured in {Change.STABLE, Change.CROSSED}


def _contradiction(number: int, key: str, name: str, values: tuple[Any, Any, str]) -> Check:
    stated, measured, why = values
    return Check(
        f"nodule_{number}_stated_{key}",
        f"Nodule {number}: {name}",
        Outcome.WARN,
        f"stated by the user: {word(stated)}; measured: {word(measured)} ({why})",
        "the same",
        "The scores use what was stated. Look at the nodule again, and correct the statement or the outline.",
    )


def check_count(patient: PatientInputs, measured_count: int) -> tuple[Check, ...]:
    """Warn when fewer nodules were stated than are measured here."""
    if patient.nodule_count is None or patient.nodule_count >= measured_count:
        return ()
    return (
        Check(
            "stated_nodule_count",
            "Number of nodules",
            Outcome.WARN,
            f"stated by the user: {patient.nodule_count}; measured in this request: {measured_count}",
            "at least as many as measured",
            "Scores that ask for the count are not computed. Correct --nodule-count.",
        ),
    )


def check_stated_age(patient: PatientInputs, file_age_years: float | None) -> tuple[Check, ...]:
    """Warn when the stated age is not that of the file."""
    stated = patient.age_years
    if stated is None or file_age_years is None or abs(stated - file_age_years) <= AGE_ROOM_YEARS:
        return ()
    return (
        Check(
            "stated_age",
            "Age of the patient",
            Outcome.WARN,
            f"stated by the user: {stated:g} years; in the file: {file_age_years:.0f} years",
            "the same",
            "The scores use what was stated. Is this the CT of this patient?",
        ),
    )


def word(value: Any) -> str:
    """Put a value in words."""
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def anything_stated(patient: PatientInputs, nodules: tuple[NoduleInputs, ...]) -> bool:
    """Whether the user stated anything at all for the scores."""
    everything: tuple[PatientInputs | NoduleInputs, ...] = (patient, *nodules)
    return any(getattr(items, f.name) is not None for items in everything for f in fields(items))
