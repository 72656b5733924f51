"""``ctinsight nodule``: from clicks in a chest CT to outlines, measures, scores and growth of nodules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctinsight.cli import nodule_options as opt
from ctinsight.cli.nodule_words import answer_lines, measured_only
from ctinsight.cli.options import (
    AllowGaps,
    OutPath,
    Overwrite,
    Series,
    refuse_current_folder,
    refuse_own_input,
)
from ctinsight.cli.words import ProgressLine, describe, summarize
from ctinsight.errors import CTInsightError, WrongUseError

if TYPE_CHECKING:
    from ctinsight.tasks.nodule.request import ImageSource, Request
    from ctinsight.volume import Scan

#: The answer to a request, beside the files of the result.
ANSWER_FILE = "answer.json"

Case = Annotated[
    Path | None,
    typer.Argument(metavar="CASE", help="NIfTI, NRRD, MHA; DICOM file, folder or zip. Not with --request."),
]


def nodule(
    case: Case = None,
    *,
    out: OutPath,
    point: opt.Points = None,
    voxel: opt.Voxels = None,
    request: opt.RequestFile = None,
    prior: opt.PriorPath = None,
    prior_point: opt.PriorPoints = None,
    prior_days: opt.PriorDays = None,
    prior_series: opt.PriorSeries = None,
    age: opt.Age = None,
    sex: opt.Sex = None,
    family_history: opt.FamilyHistory = None,
    emphysema: opt.Emphysema = None,
    nodule_count: opt.NoduleCount = None,
    smoker: opt.Smoker = None,
    recent_cancer: opt.RecentCancer = None,
    old_cancer: opt.OldCancer = None,
    screening: opt.Screening = None,
    cancer: opt.Cancer = None,
    immunosuppressed: opt.Immunosuppressed = None,
    prior_ct: opt.PriorCt = None,
    risk: opt.Risk = None,
    incomplete: opt.IncompleteOption = None,
    other_finding: opt.OtherFinding = None,
    kind: opt.Type = None,
    upper_lobe: opt.UpperLobe = None,
    spiculation: opt.Spiculation = None,
    suspicious: opt.Suspicious = None,
    suspicious_feature: opt.SuspiciousFeature = None,
    juxtapleural_benign: opt.JuxtapleuralBenign = None,
    airway: opt.AirwayOption = None,
    benign_calcification: opt.BenignCalcification = None,
    fat: opt.Fat = None,
    change: opt.ChangeOption = None,
    solid_change: opt.SolidChange = None,
    prior_category: opt.PriorCategoryOption = None,
    months_since_prior: opt.MonthsSincePrior = None,
    networks: opt.UseNetworks = None,
    weights: opt.Weights = None,
    accept_terms: opt.AcceptTerms = False,
    cut_offs: opt.CutOffsOption = None,
    malignant_cut_off: opt.MalignantCutOff = None,
    invasive_cut_off: opt.InvasiveCutOff = None,
    slice_order: opt.SliceOrderOption = None,
    click_sensitivity: opt.ClickSensitivityOption = False,
    malignant_prevalence: opt.MalignantPrevalence = None,
    invasive_prevalence: opt.InvasivePrevalence = None,
    device: opt.DeviceOption = None,
    solid_threshold_hu: opt.SolidThreshold = None,
    allow_thick_slices: opt.ThickSlices = False,
    series: Series = None,
    allow_gaps: AllowGaps = False,
    overwrite: Overwrite = False,
) -> None:
    """Outline and measure nodules at points of a chest CT; answer with scores, guidelines, networks, growth.

    Every score is given only when all its inputs are measured or stated; what is missing is named.
    """
    given = dict(locals())
    refuse_current_folder(out)
    if request is None:
        _run(_asked(given), out, overwrite=overwrite)
        return
    from ctinsight.tasks.nodule.request import load_request

    _refuse_beside_request(given)
    try:
        _refuse_earlier_answer(out, overwrite=overwrite)
        _run(load_request(request), out, overwrite=overwrite, answers=True)
    except CTInsightError as error:
        _write_error(error, out, overwrite=overwrite)
        raise


def _asked(given: dict[str, Any]) -> Request:
    from ctinsight.tasks.nodule.request import read_request

    if given["case"] is None:
        raise WrongUseError(
            found="neither CASE nor --request",
            expected="a chest CT and points in its nodules, or a request",
            remedy="ctinsight nodule CASE --point R,A,S -o OUT, or ctinsight nodule --request FILE -o OUT",
        )
    return read_request(opt.request_of(given))


def _refuse_beside_request(given: dict[str, Any]) -> None:
    beside = [
        name
        for name, value in given.items()
        if name not in {"request", "out", "overwrite"} and value not in (None, False, [])
    ]
    if beside:
        raise WrongUseError(
            found=f"--request together with {', '.join(name.replace('_', '-') for name in beside)}",
            expected="everything in the request",
            remedy="Write these into the request, or leave --request away.",
        )


def _run(asked: Request, out: Path, *, overwrite: bool, answers: bool = False) -> None:
    from ctinsight.progress import Progress
    from ctinsight.report import refuse_existing, write_result
    from ctinsight.report.result_json import to_document
    from ctinsight.tasks.nodule import run
    from ctinsight.tasks.nodule.request import answer_document

    refuse_existing(out, overwrite=overwrite)
    refuse_own_input(asked.ct.path, out)
    if asked.prior is not None:
        refuse_own_input(asked.prior.path, out)
    scan = _read(asked.ct)
    describe(scan)
    prior = None if asked.prior is None else _read(asked.prior)
    if prior is not None:
        typer.echo("Earlier CT:")
        describe(prior)
    result = run(scan, asked.parameters, Progress(ProgressLine()), prior)
    written = write_result(result, scan, out, overwrite=overwrite)
    if _status(out / ANSWER_FILE) is not None:  # an earlier request's answer would no longer be true
        (out / ANSWER_FILE).unlink()
    summarize(measured_only(result), written, between=answer_lines(result))
    if answers:
        files = {role: path.name for role, path in written.files.items()}
        _write(answer_document(to_document(result, scan, files)), out)


def _read(source: ImageSource) -> Scan:
    from ctinsight.files import ReadOptions, read_scan

    return read_scan(source.path, ReadOptions(series=source.series, allow_gaps=source.allow_gaps))


def _refuse_earlier_answer(out: Path, *, overwrite: bool) -> None:
    """Refuse to replace the answer of a finished request; that of one that failed may go."""
    path = out / ANSWER_FILE
    if path.exists() and not overwrite and _status(path) != "error":
        raise WrongUseError(
            found=f"{out} already holds {ANSWER_FILE}",
            expected="a folder without an earlier answer",
            remedy="Name another folder, or allow overwriting it (--overwrite).",
        )


def _status(path: Path) -> str | None:
    """Return what an earlier answer says; ``None`` where there is none, or another file of that name."""
    from ctinsight.tasks.nodule.request import ANSWER_SCHEMA

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(document, dict) and document.get("schema") == ANSWER_SCHEMA
    return str(document.get("status")) if ours else None


def _write_error(error: CTInsightError, out: Path, *, overwrite: bool) -> None:
    """Write the error as the answer, unless something finished lies there."""
    from ctinsight.report import refuse_existing
    from ctinsight.tasks.nodule.request import error_document

    try:
        _refuse_earlier_answer(out, overwrite=overwrite)
        refuse_existing(out, overwrite=False)
        _write(error_document(error), out)
    except (CTInsightError, OSError) as fault:
        typer.echo(f"The answer was not written: {fault}", err=True)


def _write(document: dict[str, Any], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = out / ANSWER_FILE
    unfinished = path.with_name(f".{ANSWER_FILE}.part")
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(path)
    typer.echo(f"  {path}")
