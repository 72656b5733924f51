"""Difficulty v1: parity with the published program, reasons, what-if, and never 0 for what is missing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ctinsight.errors import UnreadableFileError, WeightsMissingError, WrongUseError, WrongWeightsError
from ctinsight.evaluation import difficulty_metrics
from ctinsight.evaluation.classification import auc, net_benefit, youden_threshold
from ctinsight.finding import Outcome, Side
from ctinsight.scores.tabular import answer, what_if
from ctinsight.scores.tabular_form import read_tabular, to_json
from ctinsight.tasks.dcr import Parameters, measure_segmentation
from ctinsight.tasks.dcr.clinical import clinical_values, read_clinical
from ctinsight.tasks.dcr.difficulty import load_difficulty
from midfaces import midface, scan_of

FIXTURES = Path(__file__).parent / "fixtures" / "dcr"
TABLE = FIXTURES / "v1_tabular_model.json"
RENAMED = {"duration": "duration_of_symptoms", "vol": "lac_volume_mm3", "thick": "maxilla_thickness_mean_mm"}


@pytest.fixture(scope="module")
def model():
    """Return the published pipeline, trained on the reference table and kept as numbers."""
    return read_tabular(TABLE)


def _rows() -> list[dict]:
    return list(csv.DictReader((FIXTURES / "v1_linear_svm_reference.csv").read_text().splitlines()))


def _features(row: dict) -> dict:
    values = {RENAMED.get(k, k): v for k, v in row.items() if k not in ("y", "oof_prob", "final_prob")}
    words = ("surgical_eye", "sex")
    return {k: v if k in words else float(v) if v else None for k, v in values.items()}


def _auroc(truth, chances) -> float:
    return auc(np.asarray(chances), np.asarray(truth) == 1)


def _json(name: str) -> dict:
    return json.loads((FIXTURES / name).read_text())


def test_parity_of_the_machine(model):
    """Every probability of the published program's final fit is met to 1e-5."""
    rows = _rows()
    found = np.array([answer(model, _features(row)).probability for row in rows])
    assert found == pytest.approx(np.array([float(row["final_prob"]) for row in rows]), abs=1e-5)


def test_some_values_of_the_reference_are_missing(model):
    """The parity covers imputation: at least one row has no duration."""
    assert any(answer(model, _features(row)).missing for row in _rows())


def test_parity_of_areas_and_intervals():
    """AUROC and AUPRC with their bootstrap intervals, as published (2000 draws, seed 42)."""
    known = _json("v1_metrics_reference.json")
    for name, statistic in (("auroc", _auroc), ("auprc", difficulty_metrics.average_precision)):
        value, low, high = known[f"{name}_boot"]
        assert statistic(known["y"], known["p"]) == pytest.approx(value, rel=1e-9)
        assert difficulty_metrics.bootstrap_interval(known["y"], known["p"], statistic) == pytest.approx(
            (low, high), rel=1e-6
        )


def test_parity_of_calibration_and_thresholds():
    """Calibration line, Youden's threshold, net benefit and best-F1 threshold."""
    known = _json("v1_metrics_reference.json")
    y, p = known["y"], known["p"]
    assert difficulty_metrics.calibration_line(y, p) == pytest.approx(known["cal_slope_intercept"], rel=1e-6)
    assert youden_threshold(np.asarray(p), np.asarray(y) == 1) == pytest.approx(known["youden"])
    for threshold, benefit in known["dca"].items():
        assert net_benefit(np.asarray(p), np.asarray(y) == 1, [float(threshold)])[0][0] == pytest.approx(
            benefit, abs=1e-9
        )
    best = _json("v0_loss_threshold_reference.json")["best_threshold_f1"]
    assert difficulty_metrics.best_f1_threshold(best["labels"], best["probs"]) == pytest.approx(
        best["threshold"]
    )


def test_parity_of_the_loss():
    """The focal loss, whose alpha weighs both classes."""
    known = _json("v0_loss_threshold_reference.json")["focal"]
    loss = difficulty_metrics.focal_loss(known["targets"], known["logits"], alpha=known["alpha"])
    assert loss == pytest.approx(known["mean"], rel=1e-6)
    assert loss * 1.6 / 0.75 == pytest.approx(known["alpha1.6"], rel=1e-6)


def test_a_missing_value_is_not_zero(model):
    """Without a volume the median stands in, and its contribution differs from that of a volume of 0."""
    values = _features(_rows()[0])
    without = answer(model, {**values, "lac_volume_mm3": None})
    assert "lac_volume_mm3" in without.missing
    assert without.probability != pytest.approx(answer(model, {**values, "lac_volume_mm3": 0.0}).probability)


def test_contributions_have_the_direction_of_what_if(model):
    """A feature speaks for the outcome when the answer falls as it goes back to training's mean."""
    values = {**_features(_rows()[2]), "maxilla_thickness_mean_mm": 6.0}
    own = answer(model, values)
    thick = next(c for c in own.contributions if c.name == "maxilla_thickness_mean_mm")
    mean = next(f.mean for f in model.numeric if f.name == thick.name)
    back = answer(model, {**values, thick.name: mean}).probability
    assert thick.direction == ("for" if own.probability > back else "against")


def test_what_if_marks_values_beyond_training(model):
    """The curve runs past both ends of training's range and says so."""
    curve = what_if(model, _features(_rows()[0]), "age")
    inside = [known for _, _, known in curve]
    assert not inside[0]
    assert not inside[-1]
    assert any(inside)


def test_unknown_category_is_refused(model):
    """A category that training did not know is an error, not a row of zeros."""
    with pytest.raises(WrongUseError, match="surgical_eye"):
        answer(model, {"surgical_eye": "7"})


def test_the_form_is_written_and_read_back(model, tmp_path):
    """No number changes on the way through JSON."""
    path = tmp_path / "model.json"
    path.write_text(to_json(model))
    values = _features(_rows()[5])
    assert answer(read_tabular(path), values).probability == answer(model, values).probability


@pytest.mark.parametrize("text", ["{}", "[1]", "no json", '{"form": "ctinsight tabular classifier"}'])
def test_another_file_is_refused(tmp_path, text):
    """A file of another form is no model."""
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(WrongWeightsError):
        read_tabular(path)


@pytest.mark.parametrize("text", ["", "NA", "n/a", " - ", None, "nan"])
def test_empty_cells_are_missing(text):
    """An empty cell of the clinical form stays empty."""
    assert clinical_values({"age": text})["age"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("age", "0"), ("age", "170"), ("sex", "x"), ("severity_of_symptoms(MUNK)", "6"), ("shoe size", "42")],
)
def test_clinical_values_out_of_range_are_refused(name, value):
    """An age of 0, a Munk of 6 or an unknown variable are wrong."""
    with pytest.raises(WrongUseError):
        clinical_values({name: value})


def test_the_form_of_the_other_eye_is_refused():
    """A form of the right eye does not fit an operation on the left."""
    with pytest.raises(WrongUseError, match="surgical_eye = right"):
        clinical_values({"Eye": "R"}, Side.LEFT)


def test_the_row_of_the_case_is_taken(tmp_path):
    """Of several rows the one with the case's name counts; none or two are refused."""
    path = tmp_path / "clinical_data.csv"
    path.write_text("case_id,age,Munk\ncase_1,40,2\ncase_2,50,3\n")
    assert clinical_values(read_clinical(path, "case_2"))["age"] == 50
    with pytest.raises(WrongUseError, match="0 rows of the case"):
        read_clinical(path, "case_3")


def test_a_damaged_form_is_unreadable(tmp_path):
    """JSON that is no object is refused."""
    path = tmp_path / "form.json"
    path.write_text("[1, 2]")
    with pytest.raises(UnreadableFileError):
        read_clinical(path, "case")


def test_a_case_is_answered_with_reasons():
    """Masks and form give a probability with its range, reasons, what-if, and the model's n and cohort."""
    case = midface()
    form = {"surgical_eye": "left", "sex": "female", "age": 50}
    result = measure_segmentation(
        scan_of(case), case.labels_kji, Parameters(side="left", clinical=form, model=str(TABLE))
    )
    found = result.finding("difficulty_probability")
    missing = next(c for c in result.checks if c.key == "difficulty_missing")
    assert 0 < found.value < 1
    assert found.interval.low <= found.value <= found.interval.high
    assert missing.outcome is Outcome.WARN
    assert missing.measured == "1 of 6: duration_of_symptoms"
    assert {row[4] for row in result.table("contributions").rows} <= {"for", "against", "neither"}
    assert any("n = 90, 46 positive" in statement for statement in result.statements)
    assert result.manifest["tier"] == "with weights"


def test_a_model_that_is_not_there():
    """A missing model leaves with the remedy of weights that are missing."""
    with pytest.raises(WeightsMissingError):
        load_difficulty("nowhere.json")


def test_import_into_the_store(tmp_path, monkeypatch):
    """The table is imported as JSON, its SHA-256 is kept, and the name finds it."""
    from ctinsight.cli import run_command_line

    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CTINSIGHT_SETTINGS", str(tmp_path / "settings.json"))
    assert run_command_line(["models", "import", str(TABLE), "--model", "dcr-difficulty-v1"]) == 0
    loaded = load_difficulty("dcr-difficulty-v1")
    assert len(loaded.model.names) == 6
    assert loaded.card["name"] == "dcr-difficulty-v1"
