"""Points that a user placed, as plain numbers."""

from __future__ import annotations


def lastPoint(pointsNode) -> list[float] | None:
    """Return the last placed point of a markups node, RAS in mm; None without one."""
    count = pointsNode.GetNumberOfDefinedControlPoints() if pointsNode is not None else 0
    if not count:
        return None
    position = [0.0, 0.0, 0.0]
    pointsNode.GetNthControlPointPositionWorld(count - 1, position)
    return position
