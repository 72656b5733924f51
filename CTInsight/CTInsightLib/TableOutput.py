"""Between a ``Table`` or findings and a table node: typed columns with titles, units, codes and meanings."""

from __future__ import annotations

import math

import vtk

from ctinsight.errors import WrongUseError
from ctinsight.finding import Column, Finding, Table
from ctinsight.report.wording import display_unit

Value = float | int | str | None


class TableOutput:
    """Write tables into one scene."""

    def __init__(self, scene):
        self._scene = scene

    def write(self, tableNode, table: Table, *, overwrite: bool = False):
        """Write into a new node, or into the chosen one.

        Parameters
        ----------
        tableNode
            The node to fill; ``None`` makes a new one, named after the table. All its columns are replaced.
        table
            A column of numbers stays numeric; a number that does not apply is then "nan".
        overwrite
            Whether a chosen node that has columns may lose them; ask the user first.

        Returns
        -------
        vtkMRMLTableNode

        Raises
        ------
        WrongUseError
            The chosen node has columns and ``overwrite`` is false.
        """
        if tableNode is None:
            name = self._scene.GenerateUniqueName(f"CT Insight {table.title}")
            tableNode = self._scene.AddNewNodeByClass("vtkMRMLTableNode", name)
        elif tableNode.GetNumberOfColumns() and not overwrite:
            raise WrongUseError(
                found=f"'{tableNode.GetName()}' already holds {tableNode.GetNumberOfColumns()} column(s)",
                expected="an empty table, or the permission to replace its content",
                remedy="Choose a new table, or confirm that its content is replaced.",
            )
        wasModifying = tableNode.StartModify()
        tableNode.RemoveAllColumns()
        for index, column in enumerate(table.columns):
            values = [row[index] for row in table.rows]
            tableNode.AddColumn(_vtkColumn(column, values))
            _describe(tableNode, column)
        tableNode.SetUseColumnTitleAsColumnHeader(True)
        tableNode.SetLocked(True)
        tableNode.EndModify(wasModifying)
        return tableNode


def findingsTable(findings: tuple[Finding, ...]) -> Table:
    """Return findings as a table: one row each, with its unit, interval, code and note."""
    columns = (
        Column("name", "Finding"),
        Column("value", "Value", "", "in the unit beside it; empty when it does not apply"),
        Column("unit", "Unit"),
        Column("interval", "Interval", "", "lowest to highest value"),
        Column("interval_meaning", "Meaning of the interval"),
        Column("code", "Code", "", "scheme, value and meaning of the concept"),
        Column("note", "Note"),
        Column("key", "Key", "", "machine name, with the unit"),
    )
    return Table("findings", "findings", columns, tuple(_findingRow(finding) for finding in findings))


def _findingRow(finding: Finding) -> tuple[Value, ...]:
    interval, code = finding.interval, finding.code
    return (
        finding.name,
        _text(finding.value),
        display_unit(finding.unit),
        f"{_text(interval.low)} – {_text(interval.high)}" if interval else "",
        interval.meaning if interval else "",
        f"{code.scheme} {code.value} {code.meaning}" if code else "",
        finding.note,
        finding.key,
    )


def _text(value: Value) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _vtkColumn(column: Column, values: list[Value]):
    numbers = [value for value in values if value is not None]
    if not numbers or any(isinstance(value, str) for value in numbers):
        array, cells = vtk.vtkStringArray(), [_text(value) for value in values]
    elif len(numbers) == len(values) and all(isinstance(value, int) for value in numbers):
        array, cells = vtk.vtkIntArray(), values
    else:
        array, cells = vtk.vtkDoubleArray(), [math.nan if value is None else float(value) for value in values]
    array.SetName(column.key)
    for cell in cells:
        array.InsertNextValue(cell)
    return array


def _describe(tableNode, column: Column) -> None:
    unit = display_unit(column.unit)
    title = f"{column.title} ({unit})" if unit else column.title
    # SetColumnTitle came with Slicer 5.12.
    setTitle = getattr(tableNode, "SetColumnTitle", tableNode.SetColumnLongName)
    setTitle(column.key, title)
    tableNode.SetColumnUnitLabel(column.key, unit)
    tableNode.SetColumnDescription(column.key, column.description)
    if column.code:
        code = f"{column.code.scheme}^{column.code.value}^{column.code.meaning}"
        tableNode.SetColumnProperty(column.key, "CTInsight.code", code)
    tableNode.SetColumnProperty(column.key, "CTInsight.ucum", column.unit)
