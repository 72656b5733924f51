"""What a result folder holds, and that it comes back as it was."""

from __future__ import annotations

import csv
import errno
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import ProcessingFailedError, UnreadableFileError, WrongUseError
from ctinsight.finding import Finding
from ctinsight.report import (
    RESULT_FILES,
    read_result,
    refuse_existing,
    result_folder,
    to_document,
    write_result,
)
from ctinsight.report.measurements_csv import measurements_csv
from ctinsight.version import VERSION
from made_cases import BLOB_ML, made_case, made_grid

CORE_FILES = {"result.json", "measurements.csv", "segmentation.seg.nrrd", "ct.nrrd", "overview_axial.png"}


@pytest.fixture(scope="module")
def case():
    """Make one case that every test may read."""
    return made_case(made_grid((4.0, 4.0, 6.0)))


@pytest.fixture(scope="module")
def folder(case, tmp_path_factory):
    """Return the folder of its written result."""
    return write_result(case.result, case.scan, tmp_path_factory.mktemp("results") / "case").folder


@pytest.fixture
def without_picture(monkeypatch):
    """Let matplotlib be missing: what does not look at the picture need not wait for it."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


def rows_of(folder):
    """Read the rows of measurements.csv."""
    with (folder / "measurements.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_folder_holds_the_five_files_and_nothing_else(folder):
    """A reader of the folder finds the five promised files and no leftovers."""
    assert {path.name for path in folder.iterdir()} == CORE_FILES


@pytest.mark.parametrize(
    "name", ["result.json", "measurements.csv", "segmentation.seg.nrrd", "overview_axial.png"]
)
def test_every_file_of_the_result_says_what_it_is_for(folder, name):
    """Also the segmentation by itself, in its header, as files are passed on alone."""
    assert b"Research use only. Not a medical device." in (folder / name).read_bytes()


def test_result_comes_back_equal(case, folder):
    """Findings, tables, checks, lines, statements, labels and voxels are the same after reading."""
    stored = read_result(folder)
    for part in ("task", "findings", "tables", "checks", "lines", "statements"):
        assert getattr(stored.result, part) == getattr(case.result, part)
    assert (stored.result.segmentation.labelmap_kji == case.result.segmentation.labelmap_kji).all()
    assert (stored.scan.volume.array_kji == case.scan.volume.array_kji).all()
    assert stored.scan.acquisition == case.scan.acquisition


@pytest.mark.parametrize("turned", [(0, 0, 0), (12, -7, 20)])
@pytest.mark.parametrize("signs", [(-1, -1, 1), (1, 1, 1), (1, -1, -1)])
@pytest.mark.usefixtures("without_picture")
def test_geometry_comes_back_on_any_grid(tmp_path, turned, signs):
    """Flipped, oblique and anisotropic grids are read back within a thousandth of a millimetre."""
    case = made_case(made_grid((4.0, 5.0, 8.0), turned_degrees=turned, signs=signs))
    stored = read_result(write_result(case.result, case.scan, tmp_path).folder)
    assert stored.scan.volume.grid.same_as(case.scan.volume.grid)
    assert stored.result.segmentation.grid.same_as(case.scan.volume.grid)


def test_json_states_purpose_units_codes_and_volume(folder):
    """The document says what it is for; the segment's mL are those of the blob, 20.6 mL within 5 %."""
    document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    volume = document["findings"][0]
    segment = document["segments"][0]
    assert document["research_use_only"] == RESEARCH_USE_ONLY
    assert (volume["unit"], volume["code"]["value"]) == ("mL", "118565006")
    assert segment["volume_ml"] == volume["value"] == pytest.approx(BLOB_ML, rel=0.05)
    assert segment["color_rgb"] == [213, 94, 0]


def test_csv_has_one_header_and_begins_with_the_purpose(folder):
    """A spreadsheet reads the first line as titles; the research-use sentence is the first row."""
    rows = rows_of(folder)
    assert rows[0]["value"] == RESEARCH_USE_ONLY
    assert all(None not in row for row in rows)


def about(result):
    """Read the first rows of the table by name."""
    rows = csv.DictReader(measurements_csv(result).splitlines())
    return {row["measurement"]: row["value"] for row in rows if row["group"] == "about"}


def test_csv_names_method_weights_and_version(case):
    """A file that left its folder still says how its numbers were made: with no weights, or with which."""
    assert about(case.result) == {
        "research_use_only": RESEARCH_USE_ONLY,
        "task": "hematoma",
        "method": "seeded threshold, no weights",
        "weights": "none",
        "weights_sha256": "none",
        "software_version": VERSION,
    }
    card = {"name": "hematoma-drunet", "version": "ours 1", "sha256": "ab12"}
    told = about(replace(case.result, manifest={"method": "DR-UNet", "model_card": card}))
    assert [told[k] for k in ("method", "weights", "weights_sha256")] == [
        "DR-UNet",
        "hematoma-drunet ours 1",
        "ab12",
    ]


@pytest.mark.parametrize("place", [("model_cards",), ("networks", "cards")])
def test_csv_names_every_network(case, place):
    """Of two networks both names and both checksums stand there, in the same order."""
    cards = [{"name": n, "version": "1", "sha256": n * 4} for n in ("a", "b")]
    manifest = {"method": "EMV-3D-CNN"}
    inner = manifest if len(place) == 1 else manifest.setdefault(place[0], {})
    inner[place[-1]] = cards
    told = about(replace(case.result, manifest=manifest))
    assert (told["weights"], told["weights_sha256"]) == ("a 1; b 1", "aaaa; bbbb")


def test_csv_numbers_carry_unit_interval_and_code(case, folder):
    """The volume row holds the number of the finding, its bounds, UCUM unit and SNOMED code."""
    row = next(
        row for row in rows_of(folder) if row["measurement"] == "volume_ml" and row["group"] == "finding"
    )
    finding = case.result.finding("volume_ml")
    assert float(row["value"]) == pytest.approx(finding.value, rel=1e-9)
    assert float(row["low"]) == pytest.approx(0.9 * finding.value, rel=1e-9)
    assert (row["unit"], row["code_scheme"], row["code_value"]) == ("mL", "SCT", "118565006")


def test_csv_text_is_never_a_formula(case):
    """A text that begins with = + - or @ gets an apostrophe; a negative number stays a number."""
    findings = (Finding("a", "=1+1", "@x"), Finding("b_mm", "B", -2.5, "mm"))
    rows = list(csv.reader(measurements_csv(replace(case.result, findings=findings)).splitlines()))
    assert ["finding", "'=1+1", "a", "'@x"] in [row[:4] for row in rows]
    assert ["finding", "B", "b_mm", "-2.5"] in [row[:4] for row in rows]


def test_csv_says_not_applicable_instead_of_zero(folder):
    """A value that does not apply is an empty cell with the reason beside it."""
    row = next(row for row in rows_of(folder) if row["measurement"] == "distance_mm")
    assert row["value"] == ""
    assert row["note"].startswith("not applicable")


@pytest.mark.usefixtures("without_picture")
def test_nothing_found_is_a_result(tmp_path):
    """An empty segment gives zero millilitres and a table that says that nothing was found."""
    case = made_case(made_grid((4.0, 4.0, 6.0)), empty=True)
    folder = write_result(case.result, case.scan, tmp_path).folder
    assert read_result(folder).result.finding("volume_ml").value == 0.0
    assert any(row["note"] == "Components: nothing found" for row in rows_of(folder))


def test_an_earlier_result_is_not_overwritten(case, folder):
    """A second run into the same folder is refused unless overwriting is allowed."""
    with pytest.raises(WrongUseError, match=r"already holds .*result\.json"):
        write_result(case.result, case.scan, folder)


def test_overwriting_removes_what_is_no_longer_true(case, tmp_path):
    """The scene of an earlier run goes when its result is replaced; the user's own file stays."""
    for name in ("result.json", "scene.mrb", "notes.txt"):
        (tmp_path / name).write_text("earlier")
    write_result(case.result, case.scan, tmp_path, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {*CORE_FILES, "notes.txt"}


@pytest.mark.usefixtures("without_picture")
def test_a_failed_run_leaves_nothing(case, tmp_path):
    """When a value cannot be written, no file of the result is left behind; the message names the place."""
    broken = replace(case.result, findings=(Finding("volume_ml", "Volume", float("nan"), "mL"),))
    with pytest.raises(ValueError, match=r"result\.findings\[0\]\.value = nan"):
        write_result(broken, case.scan, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "hours", "stays"), [("ct.nrrd", 2, False), ("ct.nrrd", 0, True), ("notes.txt", 2, True)]
)
@pytest.mark.usefixtures("without_picture")
def test_what_a_killed_run_left_is_swept(case, tmp_path, name, hours, stays):
    """CT data of an hour ago and older goes; what may still be written, or is not ours, stays."""
    left = tmp_path / ".unfinished-abc" / name
    left.parent.mkdir()
    left.write_bytes(b"half a file")
    for path in (left, left.parent):
        os.utime(path, (time.time() - 3600 * hours - 1,) * 2)
    write_result(case.result, case.scan, tmp_path)
    assert left.exists() == stays
    assert left.parent.exists() == stays


@pytest.mark.usefixtures("without_picture")
def test_without_matplotlib_all_but_the_picture_is_written(case, tmp_path):
    """A missing matplotlib costs the picture only, and a note says what to install."""
    written = write_result(case.result, case.scan, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == CORE_FILES - {"overview_axial.png"}
    assert "ctinsight[report]" in written.notes[0]
    assert read_result(tmp_path).result.task == "hematoma"


def test_a_folder_without_result_is_refused_with_the_remedy(tmp_path):
    """The error of an empty folder names the command that fills it."""
    with pytest.raises(WrongUseError, match=r"no result\.json") as refused:
        read_result(tmp_path)
    assert "-o" in refused.value.remedy


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "ctinsight.result", "schema_version": 99}'])
def test_a_foreign_or_damaged_document_is_refused(tmp_path, text):
    """Broken JSON, another document and another schema version each give a clear refusal."""
    (tmp_path / RESULT_FILES["result"]).write_text(text)
    with pytest.raises(UnreadableFileError):
        read_result(tmp_path)


@pytest.mark.usefixtures("without_picture")
def test_files_of_two_runs_are_not_mixed(case, tmp_path):
    """A segmentation of another grid beside the document is refused."""
    other = made_case(made_grid((4.0, 4.0, 7.0)))
    write_result(case.result, case.scan, tmp_path / "one")
    write_result(other.result, other.scan, tmp_path / "two")
    (tmp_path / "two" / "segmentation.seg.nrrd").replace(tmp_path / "one" / "segmentation.seg.nrrd")
    with pytest.raises(UnreadableFileError, match="on a grid of"):
        read_result(tmp_path / "one")


def test_a_missing_entry_is_named(case):
    """A document that lost its findings says which entry is missing."""
    from ctinsight.report import from_document

    document = to_document(case.result, case.scan, {})
    del document["findings"]
    segmentation = case.result.segmentation
    with pytest.raises(UnreadableFileError, match="findings"):
        from_document(document, segmentation.labelmap_kji, segmentation.grid)


def test_a_folder_below_a_file_is_refused(case, tmp_path):
    """`-o notes.txt/out` is wrong use, said before any work is done."""
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(WrongUseError, match="is a file"):
        refuse_existing(tmp_path / "notes.txt" / "out")


def test_a_folder_with_the_name_of_a_result_file_is_never_replaced(tmp_path):
    """A folder called result.json is refused even when overwriting is allowed."""
    (tmp_path / "result.json").mkdir()
    with pytest.raises(WrongUseError, match=r"result\.json"):
        refuse_existing(tmp_path, overwrite=True)


def test_a_place_that_cannot_be_written_to_is_said_in_words(case, tmp_path, monkeypatch):
    """A read-only disk gives an error with a remedy, and leaves nothing behind."""

    def refuse(*_args, **_kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ProcessingFailedError, match="Read-only"):
        write_result(case.result, case.scan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_that_finished_meanwhile_is_not_overwritten(case, tmp_path, monkeypatch, without_picture):
    """Of two runs into one folder the second says so, and the first's files stay."""
    written = result_folder._write_files

    def write_while_another_finishes(*args):
        notes = written(*args)
        (tmp_path / "result.json").write_text("the other's", encoding="utf-8")
        return notes

    monkeypatch.setattr(result_folder, "_write_files", write_while_another_finishes)
    with pytest.raises(WrongUseError, match="already holds"):
        write_result(case.result, case.scan, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
