"""Between a ``MeasuredLine`` and a line markup that the user can move."""

from __future__ import annotations

import vtk

from ctinsight.errors import WrongUseError
from ctinsight.finding import MeasuredLine

#: The node attribute that keeps the line's machine name.
KEY_ATTRIBUTE = "CTInsight.key"

#: Yellow of the colour-blind-safe palette of Okabe and Ito (2008): none of our segments has it.
_COLOR = (240 / 255, 228 / 255, 66 / 255)


class LineOutput:
    """Write measured lines into one scene."""

    def __init__(self, scene):
        self._scene = scene

    def write(self, lineNode, line: MeasuredLine, *, overwrite: bool = False):
        """Write into a new node, or into the chosen one.

        Parameters
        ----------
        lineNode
            The node to fill; ``None`` makes a new one, named after the line.
        line
            Ends in RAS (mm), world coordinates.
        overwrite
            Whether a chosen node that has points may lose them; ask the user first.

        Returns
        -------
        vtkMRMLMarkupsLineNode

        Raises
        ------
        WrongUseError
            The chosen node has points and ``overwrite`` is false.
        """
        if lineNode is None:
            name = self._scene.GenerateUniqueName(line.name)
            lineNode = self._scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", name)
        elif lineNode.GetNumberOfControlPoints() and not overwrite:
            raise WrongUseError(
                found=f"'{lineNode.GetName()}' is already drawn",
                expected="an empty line, or the permission to move it",
                remedy="Choose a new line, or confirm that it is moved.",
            )
        wasModifying = lineNode.StartModify()
        lineNode.RemoveAllControlPoints()
        lineNode.SetAndObserveTransformNodeID(None)
        # The name stands at one end: in the middle the labels of crossing lines would cover each other.
        for index, (label, point) in enumerate((("", line.start_ras), (line.name, line.end_ras))):
            lineNode.AddControlPoint(vtk.vtkVector3d(*point))
            lineNode.SetNthControlPointLabel(index, label)
        lineNode.SetAttribute(KEY_ATTRIBUTE, line.key)
        lineNode.EndModify(wasModifying)
        _setDisplay(lineNode)
        return lineNode

    def read(self, lineNode) -> MeasuredLine:
        """Read a line back, for instance after the user moved an end.

        Raises
        ------
        WrongUseError
            The line has not exactly two ends.
        """
        if lineNode.GetNumberOfControlPoints() != 2:
            raise WrongUseError(
                found=f"'{lineNode.GetName()}' has {lineNode.GetNumberOfControlPoints()} point(s)",
                expected="two ends",
                remedy="Place both ends of the line.",
            )
        ends = []
        for index in range(2):
            point = [0.0, 0.0, 0.0]
            lineNode.GetNthControlPointPositionWorld(index, point)
            ends.append(tuple(point))
        key = lineNode.GetAttribute(KEY_ATTRIBUTE) or lineNode.GetName()
        return MeasuredLine(key, lineNode.GetName(), *ends)


def _setDisplay(lineNode) -> None:
    lineNode.CreateDefaultDisplayNodes()
    display = lineNode.GetDisplayNode()
    display.SetSelectedColor(*_COLOR)
    display.SetColor(*_COLOR)
    display.SetPointLabelsVisibility(True)
    display.SetPropertiesLabelVisibility(False)
    display.SetOccludedVisibility(True)
    display.SetOccludedOpacity(0.5)
    display.SetTextScale(3.0)
    display.SetGlyphScale(1.5)
