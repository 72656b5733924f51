"""The published folder layout: a row per case, the side from the form, and one bad case stops nothing."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import typer

from ctinsight.cli import run_command_line
from ctinsight.files import write_volume
from ctinsight.volume import Volume
from midfaces import LEFT_WALL_MM, midface


@pytest.fixture
def folder(tmp_path):
    """Lay out two cases as published; the second has no label map."""
    case = midface()
    matrix = case.volume.ijk_to_ras
    for name in ("images", "labels"):
        (tmp_path / "study" / name).mkdir(parents=True)
    for number in (1, 2):
        write_volume(case.volume, tmp_path / "study" / "images" / f"case_{number}_0000.nii.gz")
    labels = Volume(case.labels_kji.astype(np.uint8), matrix)
    write_volume(labels, tmp_path / "study" / "labels" / "case_1.nii.gz")
    text = "patient_id,difficulty,Eye,Age\ncase_1,1,L,44\ncase_2,0,R,\n"
    (tmp_path / "study" / "clinical_data.csv").write_text(text)
    return tmp_path / "study"


def test_a_row_per_case(folder, tmp_path, capsys):
    """The first case is measured, the second refused; a second call keeps the first, with its numbers."""
    out = tmp_path / "out"
    codes = []
    for _ in range(2):
        try:
            codes.append(run_command_line(["dcr", str(folder), "-o", str(out)]))
        except typer.Exit as left:
            codes.append(left.exit_code)
    rows = list(csv.DictReader((out / "batch.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert codes == [3, 3]
    assert [row["status"] for row in rows] == ["kept", "refused"]
    assert float(rows[0]["wall_thickness_median_mm"]) == pytest.approx(LEFT_WALL_MM, abs=0.2)
    assert "case_2.nii.gz" in rows[1]["message"]


def test_the_form_states_the_side(folder, tmp_path):
    """With sacs on both sides the eye of the form is the operated one."""
    from ctinsight.report import read_result, write_result
    from ctinsight.tasks.dcr import Parameters
    from ctinsight.tasks.dcr.batch import run_batch

    row = next(run_batch(folder, tmp_path / "out", Parameters(), write=write_result))
    stored = read_result(tmp_path / "out" / "case_1").result
    assert row.values[0] == "left"
    assert stored.finding("wall_thickness_median_mm").value == pytest.approx(LEFT_WALL_MM, abs=0.2)
    assert stored.manifest["parameters"]["clinical"]["Age"] == "44"
