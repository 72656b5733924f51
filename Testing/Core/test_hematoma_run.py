"""HematomaVolume from a CT to a result, one case and many."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from ctinsight.errors import Cancelled, InputRefusedError, WeightsMissingError, WrongUseError
from ctinsight.files import ReadOptions, write_volume
from ctinsight.phantoms import (
    HeadSpec,
    Lobulated,
    clinical_grid,
    demo_head,
    head_grid,
    head_phantom,
    isotropic_head_grid,
)
from ctinsight.progress import Progress
from ctinsight.report import RESULT_FILES
from ctinsight.tasks.hematoma import (
    Known,
    Method,
    Parameters,
    batch_exit_code,
    measure_segmentation,
    run,
    run_batch,
)
from ctinsight.tasks.hematoma import batch as batch_module
from ctinsight.version import VERSION
from ctinsight.volume import Acquisition, Scan, Volume


@pytest.fixture(scope="module")
def a_case():
    """Return the demonstration head, whose bleed of 25 mL lies on the left."""
    return demo_head()


@pytest.fixture(scope="module")
def a_scan(a_case):
    """Return it as if it had been read."""
    return Scan(a_case.volume, Acquisition("phantom"))


@pytest.fixture(scope="module")
def a_result(a_scan):
    """Return what the threshold method finds in it."""
    return run(a_scan)


def test_the_demonstration_head_has_its_25_ml_on_the_left(a_case, a_result):
    """The volume is within 2 % of the formula's, and the side is the patient's."""
    assert a_result.finding("volume_ml").value == pytest.approx(a_case.truth_ml, rel=0.02)
    assert a_result.finding("largest_side").value == "left"


def test_the_true_mask_is_measured_within_2_percent(a_case, a_scan, a_result):
    """Counting the voxels of the truth itself gives the volume by formula."""
    measured = measure_segmentation(a_scan, a_case.truth_kji)
    assert measured.finding("volume_ml").value == pytest.approx(a_case.truth_ml, rel=0.02)


def test_a_result_measured_again_from_its_own_mask_is_the_same(a_scan, a_result):
    """An unedited mask gives the same findings, sides included, and says that a person may have edited it."""
    again = measure_segmentation(a_scan, a_result.segmentation.mask_kji("hematoma"))
    assert again.findings == a_result.findings
    assert again.table("slices") == a_result.table("slices")
    assert "edited by a person" in again.manifest["method"]


def test_stages_are_told_and_timed(a_result):
    """The manifest holds the seconds of every stage."""
    stages = " ".join(a_result.manifest["stage_seconds"])
    for words in ("checking the input", "finding the brain", "seeded threshold", "measuring"):
        assert words in stages


def test_nothing_of_the_patient_is_in_the_manifest(a_result):
    """Only plain values, no folder names: it can be written as JSON."""
    text = json.dumps(a_result.manifest)
    assert "/" not in text.replace("75/25", "")


def test_a_listener_can_stop_a_run(a_scan):
    """Raising Cancelled from the listener ends the run at once."""

    def stop(_event):
        raise Cancelled(found="stopped", expected="a result", remedy="start again")

    with pytest.raises(Cancelled):
        run(a_scan, progress=Progress(stop))


def test_an_image_without_a_head_is_refused():
    """A box of air must not be measured."""
    air = Scan(
        Volume(np.full((20, 64, 64), -1000, dtype=np.int16), np.diag([2.0, 2.0, 5.0, 1.0])), Acquisition("x")
    )
    with pytest.raises(InputRefusedError):
        run(air)


def test_drunet_without_weights_says_how_to_get_them(a_scan, tmp_path, monkeypatch):
    """A path that is not there ends with exit code 4 and names the import and the other methods."""
    with pytest.raises(WeightsMissingError, match="ctinsight models import") as caught:
        run(a_scan, Parameters(method=Method.DRUNET, weights=tmp_path / "none.h5"))
    assert caught.value.exit_code == 4
    assert "need no weights" in caught.value.remedy


def test_missing_weights_are_said_before_any_work(a_scan, tmp_path):
    """No stage begins: neither the input is checked nor the brain looked for."""
    stages = []
    with pytest.raises(WeightsMissingError):
        run(a_scan, Parameters(method=Method.DRUNET, weights=tmp_path / "none.h5"), Progress(stages.append))
    assert stages == []


class Written(list):
    """Stands in for the report: leaves the file that marks a result, and lists the folders it was given."""

    def __call__(self, _result, _scan, folder, **_options):
        """Write nothing but the mark."""
        self.append(folder.name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text("{}")


@pytest.fixture
def two_patients(tmp_path, a_case, monkeypatch, a_result):
    """Make two patients, one with a head and one with a broken file; the head's result is known."""
    folder = tmp_path / "in"
    (folder / "ada").mkdir(parents=True)
    write_volume(a_case.volume, folder / "ada" / "ct.nii.gz")
    (folder / "bob").mkdir()
    (folder / "bob" / "ct.nii.gz").write_bytes(b"no image")
    monkeypatch.setattr(batch_module, "run", lambda *_: a_result)
    return folder


def read_table(path):
    """Read the batch's table."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def test_a_batch_goes_on_after_a_bad_case(two_patients, tmp_path):
    """One row per patient: the head is measured, the broken file is refused and says why."""
    cases = list(run_batch(two_patients, tmp_path / "out", Parameters(), write=Written()))
    assert [c.name for c in cases] == ["ada", "bob"]
    rows = read_table(tmp_path / "out" / "batch.csv")
    assert rows[0]["status"] in {"done", "warn"}
    assert float(rows[0]["volume_ml"]) == pytest.approx(25.0, rel=0.02)
    assert rows[1]["status"] in {"refused", "error"}
    assert rows[1]["message"]


def test_a_batch_resumes_where_nothing_changed(two_patients, tmp_path):
    """The second run writes no finished case again, and the table is the same."""
    list(run_batch(two_patients, tmp_path / "out", Parameters(), write=Written()))
    before = read_table(tmp_path / "out" / "batch.csv")
    again = Written()
    cases = list(run_batch(two_patients, tmp_path / "out", Parameters(), write=again))
    assert cases[0].resumed
    assert again == []
    assert read_table(tmp_path / "out" / "batch.csv") == before


def test_a_batch_computes_again_with_other_parameters(two_patients, tmp_path):
    """Another method, or another reading option, is another result."""
    list(run_batch(two_patients, tmp_path / "out", Parameters(), write=Written()))
    again = Written()
    other = Parameters(method=Method.FUZZY_C_MEANS)
    list(run_batch(two_patients, tmp_path / "out", other, write=again))
    list(run_batch(two_patients, tmp_path / "out", other, options=ReadOptions(allow_gaps=True), write=again))
    assert again == ["ada", "ada"]


def test_new_installed_weights_are_another_result(two_patients, tmp_path, monkeypatch):
    """Other weights under the same name make every case anew; the same ones make none."""
    drunet, again = Parameters(method=Method.DRUNET), Written()
    monkeypatch.setattr(batch_module, "require_weights", lambda _: None)
    weights = tmp_path / "model.safetensors"
    monkeypatch.setattr("ctinsight.tasks.hematoma.drunet.find_weights", lambda _: weights)
    save_file = pytest.importorskip("safetensors.numpy").save_file
    for value in (1.0, 1.0, 2.0):
        save_file({"weight": np.full(3, value)}, weights)
        list(run_batch(two_patients, tmp_path / "out", drunet, write=again))
    assert again == ["ada", "ada"]


def test_each_row_says_what_made_it(two_patients, tmp_path):
    """Method, weights, checksum and version stand in the row of a result, and in that of a failed case."""
    list(run_batch(two_patients, tmp_path / "out", Parameters(), write=Written()))
    for row in read_table(tmp_path / "out" / "batch.csv"):
        made_by = [row[k] for k in ("method", "weights", "weights_sha256", "software_version")]
        assert made_by == ["seeded threshold", "none", "none", VERSION]


def test_a_case_that_turned_bad_keeps_no_result_that_looks_valid(two_patients, tmp_path):
    """The result of the good days is moved aside, which the row says; a person's own files stay in place."""
    list(run_batch(two_patients, tmp_path / "out", Parameters(), write=Written()))
    ada = tmp_path / "out" / "ada"
    (ada / "notes.txt").write_text("mine")
    (two_patients / "ada" / "ct.nii.gz").write_bytes(b"no image")
    case = next(iter(run_batch(two_patients, tmp_path / "out", Parameters(), write=Written())))
    assert case.status in {"refused", "error"}
    assert case.message.endswith("moved to ada/outdated-1.")
    assert sorted(p.name for p in ada.iterdir()) == ["notes.txt", "outdated-1"]
    assert sorted(p.name for p in (ada / "outdated-1").iterdir()) == ["batch_case.json", "result.json"]


def test_a_result_made_by_a_person_stays_when_its_case_is_bad(two_patients, tmp_path):
    """Without the batch's stamp nothing is moved; the row says that the result there is another one."""
    bob = tmp_path / "out" / "bob"
    bob.mkdir(parents=True)
    (bob / "result.json").write_text("{}")
    cases = list(run_batch(two_patients, tmp_path / "out", Parameters(), write=Written()))
    assert (bob / "result.json").is_file()
    assert cases[1].message.endswith("not of this batch.")


def test_the_batch_knows_every_file_of_a_result():
    """What the report writes is what is moved aside."""
    assert set(batch_module.RESULT_NAMES) == set(RESULT_FILES.values())


def test_the_table_opens_in_a_spreadsheet_and_says_what_it_is_for(two_patients, tmp_path):
    """Marked as UTF-8, research use in each row, units in the names, and no patient's name is a formula."""
    (two_patients / "ada").rename(two_patients / "=ada ä")
    list(run_batch(two_patients, tmp_path / "out", Parameters(), write=Written()))
    table = tmp_path / "out" / "batch.csv"
    assert table.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = read_table(table)
    assert [row["case"] for row in rows] == ["'=ada ä", "bob"]
    assert all("Not a medical device" in row["research_use_only"] for row in rows)
    assert {"volume_ml", "mean_hu", "abc2_simple_ml"} <= rows[0].keys()


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 0),
        (["done", "warn"], 0),
        (["done", "refused"], 3),
        (["refused", "error", "done"], 5),
    ],
)
def test_the_exit_code_is_that_of_the_worst_case(statuses, code):
    """A script sees from the code alone whether every patient was measured."""
    assert batch_exit_code(statuses) == code


def test_a_batch_without_its_weights_begins_no_case(two_patients, tmp_path):
    """A wrong path is one error, not one per patient, and earlier results stay where they are."""
    list(run_batch(two_patients, tmp_path / "out", Parameters(), write=Written()))
    lost = Parameters(method=Method.DRUNET, weights=tmp_path / "none.h5")
    with pytest.raises(WeightsMissingError):
        list(run_batch(two_patients, tmp_path / "out", lost, write=Written()))
    assert (tmp_path / "out" / "ada" / "result.json").is_file()


def test_a_batch_of_an_empty_folder_is_a_wrong_call(tmp_path):
    """No patient, no table."""
    with pytest.raises(WrongUseError, match="no patient"):
        list(run_batch(tmp_path, tmp_path / "out", Parameters(), write=Written()))


def test_two_cases_of_one_name_are_a_wrong_call(tmp_path):
    """a.nii and a.mha would write into one folder."""
    (tmp_path / "a.nii").touch()
    (tmp_path / "a.mha").touch()
    with pytest.raises(WrongUseError, match="named a"):
        list(run_batch(tmp_path, tmp_path / "out", Parameters(), write=Written()))


GRIDS = {
    "0.45x0.45x5": clinical_grid(),
    "1 mm": isotropic_head_grid(1.0),
    "oblique": head_grid((0.9, 0.9, 2.5), rotation_degrees=(12.0, 8.0, 5.0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("volume_ml", [10.0, 25.0])
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
def test_the_threshold_is_within_2_percent_on_every_grid(grid, volume_ml):
    """Lobulated bleeds of 10 and 25 mL, from the CT to the result, on thick, isotropic and oblique slices.

    Smaller ones meet the limit of 5 mm slices: of 6 mL the true mask itself misses up to 3 %, the method 5 %.
    """
    bleed = Lobulated.of_volume((-28.0, -6.0, 14.0), volume_ml, seed=7, mean_hu=60.0)
    case = head_phantom(HeadSpec(grid=grid, seed=3, lesions=(bleed,)))
    scan = Scan(case.volume, Acquisition("phantom"))
    assert run(scan).finding("volume_ml").value == pytest.approx(case.truth_ml, rel=0.02)
    truth = measure_segmentation(scan, case.truth_kji, known=Known())
    assert truth.finding("volume_ml").value == pytest.approx(case.truth_ml, rel=0.02)


@pytest.mark.slow
def test_a_real_head_without_a_bleed_has_no_blood(shared):
    """An old infarct, atrophy, calcified plexus and slices of 4 to 7 mm: 0 mL by each method."""
    from ctinsight.files import read_scan

    scan = read_scan(shared / "data" / "head_ncct_ge" / "dicom")
    for method in (Method.THRESHOLD, Method.FUZZY_C_MEANS, Method.ACTIVE_CONTOUR):
        assert run(scan, Parameters(method=method)).finding("volume_ml").value == 0.0
