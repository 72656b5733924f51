"""Options of ``ctinsight nodule``, and how they become a request (docs/nodule-request.md)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctinsight.cli.options import numbers
from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Mapping

_YES_NO = "yes|no"
_EACH = "yes|no for each nodule in order, or N=yes|no"

Points = Annotated[
    list[str] | None,
    typer.Option("--point", metavar="R,A,S", help="A point in a nodule, RAS in mm; once for each nodule."),
]
Voxels = Annotated[
    list[str] | None,
    typer.Option("--voxel", metavar="I,J,K", help="In place of --point: column, row, slice, from 0."),
]
RequestFile = Annotated[
    Path | None,
    typer.Option("--request", metavar="FILE.json", help="All of this as JSON; see docs/nodule-request.md."),
]
SolidThreshold = Annotated[float | None, typer.Option(help="From here on tissue is called solid; -300 HU.")]
ThickSlices = Annotated[
    bool, typer.Option("--allow-thick-slices", help="Measure above 3 mm slices; the result says so.")
]

Age = Annotated[float | None, typer.Option("--age", help="Age of the patient in years.")]
Sex = Annotated[str | None, typer.Option("--sex", metavar="female|male")]
FamilyHistory = Annotated[str | None, typer.Option(metavar=_YES_NO, help="Lung cancer in the family.")]
Emphysema = Annotated[str | None, typer.Option(metavar=_YES_NO, help="Emphysema on the CT.")]
NoduleCount = Annotated[
    float | None, typer.Option(metavar="N", help="Nodules in the whole CT, also those not clicked.")
]
Smoker = Annotated[str | None, typer.Option("--smoker", metavar=_YES_NO, help="Smokes or ever smoked.")]
RecentCancer = Annotated[
    str | None,
    typer.Option("--cancer-within-5-years", metavar=_YES_NO, help="Any cancer within the last 5 years."),
]
OldCancer = Annotated[
    str | None,
    typer.Option("--old-cancer", metavar=_YES_NO, help="A cancer outside the chest over 5 years ago."),
]
Screening = Annotated[
    str | None, typer.Option(metavar=_YES_NO, help="A screening CT (yes), or found incidentally (no).")
]
Cancer = Annotated[str | None, typer.Option(metavar="none|lung|other", help="A known or suspected cancer.")]
Immunosuppressed = Annotated[str | None, typer.Option(metavar=_YES_NO)]
PriorCt = Annotated[
    str | None,
    typer.Option(
        metavar="none|compared|being located", help="An earlier chest CT; --prior implies compared."
    ),
]
Risk = Annotated[str | None, typer.Option(metavar="low|high", help="Lung cancer risk, for Fleischner.")]
IncompleteOption = Annotated[
    str | None,
    typer.Option("--incomplete", metavar="REASON", help="not evaluable, or likely infection (Lung-RADS 0)."),
]
OtherFinding = Annotated[
    str | None, typer.Option(metavar=_YES_NO, help="A significant other finding (Lung-RADS S).")
]

Type = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="solid, part-solid or ground-glass; overrules the measured."),
]
UpperLobe = Annotated[list[str] | None, typer.Option(metavar=_YES_NO, help=f"In an upper lobe: {_EACH}.")]
Spiculation = Annotated[list[str] | None, typer.Option(metavar=_YES_NO, help=f"Spiculated: {_EACH}.")]
Suspicious = Annotated[
    list[str] | None, typer.Option(metavar=_YES_NO, help="Particularly suspicious morphology (Fleischner).")
]
SuspiciousFeature = Annotated[
    list[str] | None,
    typer.Option(metavar="N=WORDS", help="Features for Lung-RADS 4X, in words; several with ;"),
]
JuxtapleuralBenign = Annotated[
    list[str] | None, typer.Option(metavar=_YES_NO, help="At the pleura, smooth, oval or triangular.")
]
AirwayOption = Annotated[
    list[str] | None,
    typer.Option("--airway", metavar="PLACE", help="none, subsegmental, segmental or more proximal."),
]
BenignCalcification = Annotated[
    list[str] | None, typer.Option(metavar=_YES_NO, help="Complete, central, popcorn or rings.")
]
Fat = Annotated[list[str] | None, typer.Option("--fat", metavar=_YES_NO)]
ChangeOption = Annotated[
    list[str] | None,
    typer.Option("--change", metavar="CHANGE", help="new, stable, growing, slowly growing, crossed."),
]
SolidChange = Annotated[list[str] | None, typer.Option(metavar="CHANGE", help="Of the solid part.")]
PriorCategoryOption = Annotated[
    list[str] | None, typer.Option("--prior-category", metavar="2|3|4A|4B|4X", help="Earlier Lung-RADS.")
]
MonthsSincePrior = Annotated[list[str] | None, typer.Option(metavar="MONTHS")]

PriorPath = Annotated[Path | None, typer.Option("--prior", metavar="CASE2", help="An earlier CT.")]
PriorPoints = Annotated[
    list[str] | None,
    typer.Option("--prior-point", metavar="R,A,S", help="The nodule in it; in order, none, or N=R,A,S."),
]
PriorDays = Annotated[
    float | None, typer.Option(help="Days between the CTs; default: the dates in the DICOM headers.")
]
PriorSeries = Annotated[str | None, typer.Option(help="Which DICOM series of the earlier CT.")]

UseNetworks = Annotated[
    bool | None,
    typer.Option("--networks/--no-networks", help="Not without, or never with EMV-3D-CNN's networks."),
]
Weights = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Weights of EMV-3D-CNN; default: those installed.")
]
AcceptTerms = Annotated[
    bool, typer.Option("--accept-terms", help="I have read the terms of these weights and accept them.")
]
CutOffsOption = Annotated[str | None, typer.Option("--cut-offs", metavar="web|notebook|notebook-3-2")]
MalignantCutOff = Annotated[float | None, typer.Option(help="Your own cut-off, 0 to 1.")]
InvasiveCutOff = Annotated[float | None, typer.Option(help="Your own cut-off, 0 to 1.")]
SliceOrderOption = Annotated[
    str | None, typer.Option("--slice-order", metavar="superior-first|inferior-first")
]
ClickSensitivityOption = Annotated[
    bool,
    typer.Option("--click-sensitivity", help="Move the centre by 1 to 3 mm; takes about 12 times as long."),
]
MalignantPrevalence = Annotated[float | None, typer.Option(help="Share among your nodules, for a what-if.")]
InvasivePrevalence = Annotated[float | None, typer.Option(help="Share among your malignant ones.")]
DeviceOption = Annotated[str | None, typer.Option("--device", metavar="auto|cpu|cuda|mps")]

#: Parameter of the command -> name in the request, of the patient and of each nodule.
PATIENT = {
    "age": "age_years",
    "sex": "sex",
    "family_history": "family_history",
    "emphysema": "emphysema",
    "nodule_count": "nodule_count",
    "smoker": "ever_smoked",
    "recent_cancer": "cancer_within_5_years",
    "old_cancer": "old_extrathoracic_cancer",
    "screening": "screening",
    "cancer": "cancer",
    "immunosuppressed": "immunosuppressed",
    "prior_ct": "prior_ct",
    "risk": "risk",
    "incomplete": "incomplete",
    "other_finding": "significant_other_finding",
}
NODULE = {
    "kind": "nodule_type",
    "upper_lobe": "upper_lobe",
    "spiculation": "spiculation",
    "suspicious": "suspicious",
    "suspicious_feature": "suspicious_features",
    "juxtapleural_benign": "juxtapleural_benign_shape",
    "airway": "airway",
    "benign_calcification": "benign_calcification",
    "fat": "fat",
    "change": "change",
    "solid_change": "solid_change",
    "prior_category": "prior_category",
    "months_since_prior": "months_since_prior",
}
NETWORKS = (
    "cut_offs",
    "malignant_cut_off",
    "invasive_cut_off",
    "slice_order",
    "malignant_prevalence",
    "invasive_prevalence",
    "device",
)
#: Words that leave an item unstated.
UNKNOWN = ("unknown", "?", "")


def request_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the parameters of the command into the document of a request.

    Raises
    ------
    WrongUseError
        No point, or values that do not fit the points.
    """
    from ctinsight.tasks.nodule.parameters import REQUEST_SCHEMA, VERSION

    key, texts = ("ijk", given["voxel"]) if given["voxel"] else ("ras_mm", given["point"] or [])
    if not texts or (given["voxel"] and given["point"]):
        raise WrongUseError(
            found="no point" if not texts else "--point and --voxel",
            expected="--point R,A,S once for each nodule, or --voxel I,J,K for all of them",
            remedy="Give a point in each nodule, such as --point=12.5,-30,40.",
        )
    option = "--voxel" if key == "ijk" else "--point"
    nodules: list[dict[str, Any]] = [{key: list(numbers(option, text, 3))} for text in texts]
    for name, item in NODULE.items():
        for number, value in _spread(_flag(name), given[name] or [], len(nodules)).items():
            _put(nodules[number], item, value, _flag(name))
    for number, value in _spread("--prior-point", given["prior_point"] or [], len(nodules)).items():
        if value.lower() != "none":
            nodules[number]["prior_ras_mm"] = list(numbers("--prior-point", value, 3))
    document = {
        "schema": REQUEST_SCHEMA,
        "version": VERSION,
        "ct": _image(given["case"], given["series"], given["allow_gaps"]),
        "nodules": nodules,
        "patient": _patient(given),
        "prior": _prior(given),
        "networks": _networks(given),
        "solid_threshold_hu": given["solid_threshold_hu"],
        "allow_thick_slices": given["allow_thick_slices"],
    }
    return {name: value for name, value in document.items() if value not in (None, {})}


def _flag(name: str) -> str:
    special = {"kind": "--type", "smoker": "--smoker", "recent_cancer": "--cancer-within-5-years"}
    return special.get(name, "--" + name.replace("_", "-"))


def _image(path: Path, series: str | None, allow_gaps: bool) -> dict[str, Any]:
    return {"path": str(path), "series": series, "allow_gaps": allow_gaps}


def _patient(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in PATIENT.items():
        if given[name] is not None:
            _put(found, item, given[name], _flag(name))
    return found


def _prior(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if given["prior"] is not None:
        found["ct"] = _image(given["prior"], given["prior_series"], given["allow_gaps"])
    elif given["prior_series"] is not None or given["prior_days"] is not None:
        raise WrongUseError(
            found="--prior-series or --prior-days without --prior",
            expected="an earlier CT",
            remedy="Add --prior CASE2, or leave them away; for a change that you state yourself there are "
            "--prior-ct, --change and --months-since-prior.",
        )
    if given["prior_days"] is not None:
        found["interval_days"] = given["prior_days"]
    return found


def _networks(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: given[name] for name in NETWORKS if given[name] is not None}
    found |= {"click_sensitivity": True} if given["click_sensitivity"] else {}
    if found and given["networks"] is False:
        raise WrongUseError(
            found=f"--no-networks together with {', '.join(_flag(name) for name in found)}",
            expected="one of the two",
            remedy="Leave --no-networks away, or the options of the networks.",
        )
    # Who asks for something of the networks is not served without them.
    wanted = "required" if found else None
    use = {True: "required", False: "off", None: wanted}[given["networks"]]
    found |= {} if use is None else {"use": use}
    if given["weights"] is not None:
        found["weights"] = str(given["weights"])
    return found | ({"accept_terms": True} if given["accept_terms"] else {})


def _spread(flag: str, values: list[str], count: int) -> dict[int, str]:
    """Give each value its nodule: numbered ones by their number, plain ones in the order of the points."""
    numbered, plain = {}, []
    for text in values:
        head, sign, tail = text.partition("=")
        if sign and head.strip().isascii() and head.strip().isdigit():
            number = int(head) if len(head) < 6 else 0
            if not 1 <= number <= count or number - 1 in numbered:
                raise _misnumbered(flag, text, count)
            numbered[number - 1] = tail.strip()
        else:
            plain.append(text.strip())
    if plain and (numbered or len(plain) != count):
        raise _misnumbered(flag, ", ".join(plain), count)
    return numbered or dict(enumerate(plain))


def _misnumbered(flag: str, found: str, count: int) -> WrongUseError:
    return WrongUseError(
        found=f"{flag} {found}",
        expected=f"one value for each point in their order (points: {count}), or numbered ones:"
        f" {flag} {count}=VALUE",
        remedy="A value of one nodule is never taken for another. Give unknown where it is not known.",
    )


def _put(found: dict[str, Any], item: str, value: Any, flag: str) -> None:
    """Store a value as JSON holds it; ``unknown`` leaves it out."""
    if isinstance(value, str) and value.strip().lower() in UNKNOWN:
        return
    found[item] = _plain(item, value, flag)


def _plain(item: str, value: Any, flag: str) -> Any:
    from ctinsight.tasks.nodule.inputs import NODULE_QUESTIONS, PATIENT_QUESTIONS

    question = PATIENT_QUESTIONS.get(item) or NODULE_QUESTIONS[item]
    if question.kind == "words":
        return [part.strip() for part in str(value).split(";")]
    if question.kind == "whole-number":
        return int(value) if float(value).is_integer() else value
    if question.kind == "number":
        return _number(flag, value)
    if question.kind != "yes-no":
        return str(value).strip()
    word = str(value).strip().lower()
    if word not in ("yes", "no", "y", "n", "true", "false"):
        raise WrongUseError(
            found=f"{flag} {value}",
            expected=f"yes, no or unknown: {question.meaning}",
            remedy="Answer one of these.",
        )
    return word in ("yes", "y", "true")


def _number(flag: str, value: Any) -> float:
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise WrongUseError(found=f"{flag} {value}", expected="a number", remedy="Correct the value.")
    return found
