"""What a user can choose for one LVO case, with defaults and their sources."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctinsight.errors import WrongUseError
from ctinsight.regions.corridors import RADIUS_MM
from ctinsight.regions.hemispheres import DifferenceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping


class TemplateChoice(StrEnum):
    """Which head a patient is brought to; ``PHANTOM`` is for phantoms only and needs no download."""

    MNI = "mni"
    PHANTOM = "phantom"


@dataclass(frozen=True)
class EvidenceRules:
    """What makes a stretch of artery a candidate.

    Parameters
    ----------
    least_hu, least_ratio
        More than 43 HU and 1.2 times the other side (Koo et al. 2000, doi 10.1159/000016101).
    least_excess_hu
        Denser than every place about the mirror image by so much. Chosen on phantoms: 10 HU loses clots of
        56 HU.
    least_length_mm
        Shorter pieces are noise, or vessels that cross the slices.
    corridor_radius_mm
        How far from our centrelines.
    calcification_hu, calcified_share
        A core of which this share is at or above this attenuation is called calcified: clot stays below 90
        HU.
    tissue_hu
        Half-way between a dense piece and this lies its border.
    """

    least_hu: float = 43.0
    least_ratio: float = 1.2
    least_excess_hu: float = 5.0
    least_length_mm: float = 5.0
    corridor_radius_mm: float = RADIUS_MM
    calcification_hu: float = 100.0
    calcified_share: float = 0.2
    tissue_hu: float = 32.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            _refuse_unless(_is_number(value) and value >= 0, name, value, "a number that is not negative")
            object.__setattr__(self, name, float(value))


@dataclass(frozen=True)
class Parameters:
    """Everything that decides one LVO case.

    Parameters
    ----------
    template
        See :class:`TemplateChoice`.
    deformable
        Deform the template after the affine step: slower by seconds, closer to this brain.
    as_published
        Give the published system's one-sided difference map and its swapped names of the halves. For
        comparison with it; the table and the candidates keep the patient's sides.
    despite_bleed
        Go on although a bleed was seen; said in the result.
    least_registration_score
        Below it everything that depends on the template is withheld. Measured: 0.85 and more when right,
        0.67 and less after a false shift of 10 mm or nod of 20 degrees.
    difference, evidence
        Filters and limits.
    vessels
        A labelmap of vessels (1 terminal ICA, 2 M1, 3 M2, 4 other), on the CT's grid or another; its
        projection is shown, and the network needs it.
    vessel_model, culprit_model
        Installed names or stored folders of the nnU-Net models of stages 1 and 3; the first stands in for
        ``vessels``.
    fast
        Leave mirroring out in both: about four to eight times as fast, borders differ from as published.
    weights
        File of McResNet weights, or the name of an installed variant; None leaves the network out.
    counterfactual
        Also score with each prior channel withheld; three times the network's seconds more.
    sensitivity, specificity, prevalence
        Of the network for your patients, 0 to 1, as you know them; all three give PPV and NPV.
    """

    template: TemplateChoice = TemplateChoice.MNI
    deformable: bool = False
    as_published: bool = False
    despite_bleed: bool = False
    least_registration_score: float = 0.7
    difference: DifferenceOptions = field(default_factory=DifferenceOptions)
    evidence: EvidenceRules = field(default_factory=EvidenceRules)
    vessels: Path | None = None
    vessel_model: str | None = None
    culprit_model: str | None = None
    fast: bool = False
    weights: Path | None = None
    counterfactual: bool = False
    sensitivity: float | None = None
    specificity: float | None = None
    prevalence: float | None = None

    def __post_init__(self) -> None:
        choices = [choice.value for choice in TemplateChoice]
        _refuse_unless(self.template in choices, "template", self.template, "one of " + ", ".join(choices))
        object.__setattr__(self, "template", TemplateChoice(self.template))
        for name in ("deformable", "as_published", "despite_bleed", "counterfactual", "fast"):
            value = getattr(self, name)
            _refuse_unless(isinstance(value, bool), name, value, "true or false")
        score = self.least_registration_score
        _refuse_unless(_is_number(score) and 0 <= score <= 1, "least_registration_score", score, "0 to 1")
        for name, kind in _GROUPS.items():
            value = getattr(self, name)
            _refuse_unless(isinstance(value, kind), name, value, "values by name")
        for name in ("sensitivity", "specificity", "prevalence"):
            value = getattr(self, name)
            fits = value is None or (_is_number(value) and 0 <= value <= 1)
            _refuse_unless(fits, name, value, "a number from 0 to 1")
        for name in ("vessels", "weights"):
            value = getattr(self, name)
            _refuse_unless(value is None or isinstance(value, Path), name, value, "a file name")

        for name in ("vessel_model", "culprit_model"):
            value = getattr(self, name)
            _refuse_unless(value is None or isinstance(value, str), name, value, "a name or folder")
        both = self.vessels is not None and self.vessel_model is not None
        _refuse_unless(not both, "vessels and vessel_model", "both", "one of them")
        drawn = self.vessels is not None or self.vessel_model is not None
        needs = "vessels (a labelmap, or vessel_model), whose projection it reads"
        _refuse_unless(drawn or self.culprit_model is None, "culprit_model", self.culprit_model, needs)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Parameters:
        """Make parameters from plain values such as :meth:`as_dict` gives; what is left out is the default.

        Raises
        ------
        WrongUseError
            A name that is no parameter, or a value that does not fit.
        """
        given = dict(values)
        _refuse_unknown(given, cls)
        for name, kind in _GROUPS.items():
            if isinstance(given.get(name), dict):
                _refuse_unknown(given[name], kind)
                given[name] = kind(**given[name])
        for name in ("vessels", "weights"):
            if isinstance(given.get(name), str):
                given[name] = Path(given[name])
        return cls(**given)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the manifest; of files only the names, never the folders."""
        values = asdict(self)
        values["template"] = self.template.value
        for name in ("vessels", "weights"):
            values[name] = None if values[name] is None else Path(values[name]).name
        for name in ("vessel_model", "culprit_model"):
            values[name] = None if values[name] is None else Path(values[name]).name
        return values


_GROUPS: dict[str, type[Any]] = {"difference": DifferenceOptions, "evidence": EvidenceRules}


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def _refuse_unknown(given: Mapping[str, Any], kind: type[Any]) -> None:
    known = [f.name for f in fields(kind)]
    unknown = sorted(str(name) for name in given if name not in known)
    _refuse_unless(not unknown, "parameters", ", ".join(unknown), "only " + ", ".join(known))


def _refuse_unless(good: bool, name: str, value: object, expected: str) -> None:
    if not good:
        raise WrongUseError(
            found=f"{name} = {str(value)[:120]}", expected=expected, remedy="Correct this option."
        )
