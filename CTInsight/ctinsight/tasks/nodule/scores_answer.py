"""Brock, Mayo, Lung-RADS and Fleischner for one nodule: a result, or what is missing; never a guess.

Each score has its own inputs and stands alone; nothing is averaged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ctinsight.errors import NotApplicableError, UnansweredError, WrongUseError
from ctinsight.scores import brock as brock_models
from ctinsight.scores import fleischner as fleischner_rules
from ctinsight.scores import lung_rads as lung_rads_rules
from ctinsight.scores import mayo as mayo_model
from ctinsight.scores.brock import BrockItems, BrockModel
from ctinsight.scores.fleischner import FleischnerNodule
from ctinsight.scores.lung_rads import LungRadsNodule, ReaderStatements
from ctinsight.scores.mayo import MayoItems
from ctinsight.tasks.nodule.score_case import flag_of, word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ctinsight.scores.guideline import Lookup
    from ctinsight.scores.logistic import LogisticEstimate, Term
    from ctinsight.tasks.nodule.score_case import ScoreCase

#: Known and left out, with the reason; said with every result that holds scores.
NOT_IMPLEMENTED = (
    "Not implemented: Brock 1a and 1b, and Brock 2a for ground-glass nodules (their coefficients could not be"
    " read in the publication or in two independent sources); models that need PET, such as Herder's, and"
    " other published models (no verified source was read)."
)
#: Why a measured change can be missing.
UNDECIDED = "CTs more than 12 months apart leave the growth rule open"
#: Said with Brock and Mayo.
SIZE_USED = "size: mean diameter {size:.1f} mm, measured on the {plane} plane"


class Status(StrEnum):
    """What became of a score."""

    COMPUTED = "computed"
    MISSING = "not computed"
    NOT_APPLICABLE = "not applicable"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True)
class ScoreAnswer:
    """One score of one nodule.

    Parameters
    ----------
    key, name
        Machine name ("brock_2b"), and what readers call it.
    value, unit
        % for the models, category or recommendation for the guidelines; ``None`` unless computed.
    reason
        Why there is none, in a sentence that names the options to give.
    basis
        By which size it was made.
    notes
        What must be read with it.
    terms
        Summands of a model.
    lookup
        Of a guideline: its row.
    """

    key: str
    name: str
    status: Status
    value: float | str | None = None
    unit: str = ""
    reason: str = ""
    basis: str = ""
    notes: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    lookup: Lookup | None = None


@dataclass(frozen=True)
class _Model:
    """A logistic model: its items for a size in mm, its estimate from them, and the items it misses."""

    items_of: Callable[[float], Any]
    estimate: Callable[[Any], LogisticEstimate]
    missing_of: Callable[[Any], Iterable[str]]


def all_scores(case: ScoreCase) -> tuple[ScoreAnswer, ...]:
    """Answer every score that is implemented, in the order in which they are listed.

    Where the stated type overrules the measured one, what the measured one would give is said too.
    """
    found = _scores(case)
    if case.nodule_type == case.measured_type:
        return found
    measured = _scores(replace(case, stated=replace(case.stated, nodule_type=None)))
    return tuple(
        replace(one, notes=(*one.notes, f"With the measured type, {case.measured_type}: {in_words(other)}."))
        if in_words(one) != in_words(other)
        else one
        for one, other in zip(found, measured, strict=True)
    )


def _scores(case: ScoreCase) -> tuple[ScoreAnswer, ...]:
    return (
        brock_answer(case, BrockModel.FULL_WITHOUT_SPICULATION),
        brock_answer(case, BrockModel.FULL_WITH_SPICULATION),
        mayo_answer(case),
        lung_rads_answer(case),
        fleischner_answer(case),
    )


def in_words(answer: ScoreAnswer) -> str:
    """Put a score, or why there is none, in words."""
    if isinstance(answer.value, float):
        return f"{answer.value:.1f} %"
    return answer.value if answer.value is not None else f"{answer.status}: {answer.reason}"


def brock_answer(case: ScoreCase, model: BrockModel) -> ScoreAnswer:
    """Estimate with one Brock model."""
    blank = ScoreAnswer(f"brock_{model.value}", f"Brock {model.value}", Status.MISSING, unit="%")
    if case.miscounted:
        return replace(blank, status=Status.CONTRADICTION, reason=_miscount(case))

    return _estimated(
        case,
        blank,
        _Model(
            lambda size_mm: brock_items(case, size_mm),
            lambda items: brock_models.brock(items, model),
            lambda items: brock_models.missing_items(items, model),
        ),
    )


def brock_items(case: ScoreCase, size_mm: float) -> BrockItems:
    """Gather what the Brock models ask for."""
    said, nodule = case.patient, case.stated
    return BrockItems(
        age_years=said.age_years,
        sex=said.sex,
        family_history=said.family_history,
        emphysema=said.emphysema,
        diameter_mm=size_mm,
        nodule_type=case.nodule_type,
        upper_lobe=nodule.upper_lobe,
        nodule_count=said.nodule_count,
        spiculation=nodule.spiculation,
    )


def mayo_answer(case: ScoreCase) -> ScoreAnswer:
    """Estimate with the Mayo model."""
    blank = ScoreAnswer("mayo", "Mayo", Status.MISSING, unit="%")

    def items(size_mm: float) -> MayoItems:
        said = case.patient
        return MayoItems(
            age_years=said.age_years,
            ever_smoked=said.ever_smoked,
            cancer_within_5_years=said.cancer_within_5_years,
            extrathoracic_cancer_over_5_years_ago=said.old_extrathoracic_cancer,
            diameter_mm=size_mm,
            spiculation=case.stated.spiculation,
            upper_lobe=case.stated.upper_lobe,
        )

    found = _estimated(case, blank, _Model(items, mayo_model.mayo, mayo_model.missing_items))
    if found.status is Status.COMPUTED and case.multiple:
        return replace(
            found, notes=(*found.notes, "There are several nodules; the model knows solitary ones.")
        )
    return found


def _estimated(case: ScoreCase, blank: ScoreAnswer, model: _Model) -> ScoreAnswer:
    size = case.measures.mean_diameter_mm
    basis = SIZE_USED.format(size=size, plane=case.measures.best_plane.plane.value)
    try:
        items = model.items_of(size)
        names = tuple(model.missing_of(items))
        if names:
            return replace(blank, reason=_missing(names), basis=basis)
        found = model.estimate(items)
    except (NotApplicableError, WrongUseError) as error:
        reason = f"{error.found}; made for: {error.expected}"
        return replace(blank, status=Status.NOT_APPLICABLE, reason=reason, basis=basis)
    notes = (f"Cohort: {found.cohort}.", f"Source: {found.source}.", *found.statements)
    return replace(
        blank,
        status=Status.COMPUTED,
        value=found.probability_percent,
        basis=basis,
        notes=(*notes, *_other_size(case, model)),
        terms=found.terms,
    )


def _other_size(case: ScoreCase, model: _Model) -> tuple[str, ...]:
    """Say what the longest diameter would give in place of the mean one, as publications differ."""
    longest = round(case.measures.best_plane.long_axis.length_mm, 1)
    try:
        percent = model.estimate(model.items_of(longest)).probability_percent
    except (NotApplicableError, WrongUseError):
        return (f"With the longest diameter, {longest:.1f} mm, the model does not apply.",)
    return (f"With the longest diameter, {longest:.1f} mm, it would be {percent:.1f} %.",)


def fleischner_answer(case: ScoreCase) -> ScoreAnswer:
    """Look the nodule up in Fleischner 2017."""
    blank = ScoreAnswer("fleischner", "Fleischner 2017", Status.MISSING)
    if case.miscounted:
        return replace(blank, status=Status.CONTRADICTION, reason=_miscount(case))
    nodule = FleischnerNodule(
        nodule_type=case.nodule_type,
        multiple=case.multiple,
        risk=case.patient.risk,
        diameter_mm=case.measures.mean_diameter_mm,
        volume_mm3=case.measures.volume_mm3,
        solid_diameter_mm=_solid_mm(case),
        suspicious=case.stated.suspicious,
    )
    return _looked_up(
        blank,
        lambda: fleischner_rules.fleischner(case.context, nodule),
        lambda: fleischner_rules.open_questions(case.context, nodule),
    )


def lung_rads_answer(case: ScoreCase) -> ScoreAnswer:
    """Look the nodule up in Lung-RADS v2022."""
    blank = ScoreAnswer("lung_rads", "Lung-RADS v2022", Status.MISSING)
    said, nodule = case.stated, _lung_rads_nodule(case)
    reader = ReaderStatements(
        incomplete=case.patient.incomplete,
        suspicious_features=said.suspicious_features or (),
        significant_other_finding=bool(case.patient.significant_other_finding),
    )

    def missing() -> tuple[str, ...]:
        names = lung_rads_rules.open_questions(case.context, nodule, reader)
        late = ("prior_category", "months_since_prior")  # asked of a nodule that has not changed
        return names or tuple(name for name in late if getattr(nodule, name) is None)

    found = _looked_up(blank, lambda: lung_rads_rules.lung_rads(case.context, nodule, reader), missing)
    open_rule = case.change is not None and case.change.change is None
    if found.status is Status.MISSING and open_rule and case.used_change is None:
        return replace(found, reason=f"{found.reason} ({UNDECIDED})")
    return found


def _lung_rads_nodule(case: ScoreCase) -> LungRadsNodule:
    m, said, solid = case.measures, case.stated, case.measures.solid
    part = case.nodule_type == "part-solid" and solid is not None
    return LungRadsNodule(
        nodule_type=case.nodule_type,
        change=case.used_change,
        diameter_mm=m.mean_diameter_mm,
        volume_mm3=m.volume_mm3,
        solid_diameter_mm=_solid_mm(case),
        solid_volume_mm3=min(solid.volume_mm3, m.volume_mm3) if part and solid else None,
        solid_change=case.used_solid_change,
        juxtapleural_benign_shape=said.juxtapleural_benign_shape,
        airway=said.airway,
        benign_calcification=said.benign_calcification,
        fat=said.fat,
        prior_category=said.prior_category,
        months_since_prior=case.months_since_prior,
    )


def _solid_mm(case: ScoreCase) -> float | None:
    """Diameter of the solid part, where the used type has one; its rounding may not exceed the whole."""
    solid = case.solid_diameter_mm
    if case.nodule_type != "part-solid" or solid is None:
        return None
    return min(solid, case.measures.mean_diameter_mm)


def _looked_up(
    blank: ScoreAnswer, look: Callable[[], Lookup], missing: Callable[[], Iterable[str]]
) -> ScoreAnswer:
    try:
        found = look()
    except UnansweredError:
        return replace(blank, reason=_missing(missing()))
    except NotApplicableError as error:
        reason = f"{error.found}; covered: {error.expected}"
        return replace(blank, status=Status.NOT_APPLICABLE, reason=reason)
    except WrongUseError as error:
        return replace(blank, status=Status.CONTRADICTION, reason=f"{error.found}; {error.expected}")
    return replace(
        blank,
        status=Status.COMPUTED,
        value=found.result,
        basis=found.basis,
        notes=found.statements,
        lookup=found,
    )


def _missing(names: Iterable[str]) -> str:
    return "missing " + ", ".join(dict.fromkeys(flag_of(name) for name in names))


def _miscount(case: ScoreCase) -> str:
    stated = word(case.patient.nodule_count)
    return f"--nodule-count {stated}, and {case.measured_count} nodules are measured here"
