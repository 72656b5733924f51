"""Tables keep types, units and codes; lines keep their ends: before and after the scene file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctinsight.errors import WrongUseError
from CTInsightLib.LineOutput import LineOutput
from CTInsightLib.TableOutput import TableOutput, findingsTable


def cells(node):
    """Return the texts of a table node, row by row."""
    rows, columns = node.GetNumberOfRows(), node.GetNumberOfColumns()
    return [[node.GetCellText(row, column) for column in range(columns)] for row in range(rows)]


def test_columns_keep_title_unit_code_and_number(case, headless, tmp_path, reopened):
    """After reopening, the volume column is called "Volume (mL)", is numeric and coded SCT 118565006."""
    TableOutput(headless.scene).write(None, case.result.table("components"))
    with reopened(headless, tmp_path) as again:
        node = again.nodes("vtkMRMLTableNode")[0]
        assert node.GetColumnTitle("volume_ml") == "Volume (mL)"
        assert node.GetColumnUnitLabel("volume_ml") == "mL"
        assert node.GetColumnUnitLabel("mean_hu") == "HU"
        assert node.GetColumnDescription("volume_ml") == "voxels times voxel volume"
        assert node.GetColumnProperty("volume_ml", "CTInsight.code") == "SCT^118565006^Volume"
        assert node.GetColumnProperty("mean_hu", "CTInsight.ucum") == "[hnsf'U]"
        column = node.GetTable().GetColumnByName("volume_ml")
        assert column.IsA("vtkDoubleArray")
        assert column.GetValue(0) == pytest.approx(case.result.finding("volume_ml").value)


def test_a_table_that_found_nothing_keeps_its_columns(case, headless, tmp_path, reopened):
    """No rows, five columns, after reopening too."""
    TableOutput(headless.scene).write(None, replace(case.result.table("components"), rows=()))
    with reopened(headless, tmp_path) as again:
        node = again.nodes("vtkMRMLTableNode")[0]
        assert (node.GetNumberOfRows(), node.GetNumberOfColumns()) == (0, 5)


def test_findings_are_words_with_unit_interval_and_code(case, headless):
    """A finding row reads: name, value, unit, interval, meaning, code."""
    node = TableOutput(headless.scene).write(None, findingsTable(case.result.findings))
    volume = case.result.finding("volume_ml").value
    row = cells(node)[0]
    assert row[0] == "Hematoma volume"
    assert float(row[1]) == pytest.approx(volume, rel=1e-5)
    assert row[2:6] == [
        "mL",
        f"{0.9 * volume:.6g} – {1.1 * volume:.6g}",
        "partial-volume bound",
        "SCT 118565006 Volume",
    ]


def test_what_does_not_apply_is_never_zero(case, headless):
    """An absent number is empty or "nan", not 0."""
    node = TableOutput(headless.scene).write(None, case.result.table("components"))
    assert cells(node)[0][4] in {"", "nan"}


def test_a_chosen_table_is_not_overwritten_unasked(case, headless):
    """Without permission the table stays; with it the columns are replaced."""
    output = TableOutput(headless.scene)
    node = output.write(None, case.result.table("components"))
    with pytest.raises(WrongUseError, match="5 column"):
        output.write(node, findingsTable(case.result.findings))
    assert output.write(node, findingsTable(case.result.findings), overwrite=True) is node
    assert node.GetNumberOfRows() == 3


def test_lines_keep_their_ends_and_names(case, headless, tmp_path, reopened):
    """A, B and C come back with their keys and ends in RAS; A is 44 mm, B 32 mm, C 28 mm long."""
    output = LineOutput(headless.scene)
    for line in case.result.lines:
        output.write(None, line)
    with reopened(headless, tmp_path) as again:
        nodes = again.nodes("vtkMRMLMarkupsLineNode")
        back = [LineOutput(again.scene).read(node) for node in nodes]
        lengths = [node.GetMeasurement("length").GetValue() for node in nodes]
    assert [(line.key, line.name) for line in back] == [(line.key, line.name) for line in case.result.lines]
    for found, line in zip(back, case.result.lines, strict=True):
        assert np.allclose((found.start_ras, found.end_ras), (line.start_ras, line.end_ras), atol=1e-3)
    assert lengths == pytest.approx([44, 32, 28], abs=1e-3)


def test_a_drawn_line_is_not_moved_unasked(case, headless):
    """Without permission the line stays; with it the same node has the new ends."""
    first, second, _ = case.result.lines
    output = LineOutput(headless.scene)
    node = output.write(None, first)
    with pytest.raises(WrongUseError, match="already drawn"):
        output.write(node, second)
    output.write(node, second, overwrite=True)
    assert output.read(node).length_mm == pytest.approx(32)


def test_a_line_with_one_end_is_refused(case, headless):
    """A line that the user is still drawing is no measurement."""
    output = LineOutput(headless.scene)
    node = output.write(None, case.result.lines[0])
    node.RemoveNthControlPoint(1)
    with pytest.raises(WrongUseError, match="1 point"):
        output.read(node)
