"""Surfaces with a value per vertex, as legacy VTK text that 3D Slicer opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import UnreadableFileError
from ctinsight.result import Surface

if TYPE_CHECKING:
    from pathlib import Path

#: From RAS to LPS and back: 3D Slicer reads models in LPS unless a file says otherwise, and this one says
#: LPS too.
_LPS = np.array([-1.0, -1.0, 1.0])
_TITLE = "CT Insight, research use only. SPACE=LPS; "
_JOINT = " | "


def write_surface(surface: Surface, path: Path) -> None:
    """Write a surface as legacy VTK polydata (ASCII), positions in LPS millimetres.

    The name of the array is the value's name with its unit, without blanks.
    """
    words = (surface.key, surface.name, surface.value_name, surface.unit, surface.segment)
    title = _TITLE + _JOINT.join(words)
    points = "\n".join(f"{x:.4f} {y:.4f} {z:.4f}" for x, y, z in (surface.vertices_ras * _LPS).tolist())
    faces = "\n".join(f"3 {a} {b} {c}" for a, b, c in surface.triangles.tolist())
    values = "\n".join(f"{value:.4f}" for value in surface.values.tolist())
    count, triangles = len(surface.vertices_ras), len(surface.triangles)
    name = f"{surface.value_name}_{surface.unit}".replace(" ", "_")
    text = (
        f"# vtk DataFile Version 3.0\n{title[:255]}\nASCII\nDATASET POLYDATA\n"
        f"POINTS {count} float\n{points}\nPOLYGONS {triangles} {4 * triangles}\n{faces}\n"
        f"POINT_DATA {count}\nSCALARS {name} float 1\nLOOKUP_TABLE default\n{values}\n"
    )
    path.write_text(text, encoding="ascii", errors="replace", newline="\n")


def read_surface(path: Path) -> Surface:
    """Read a file that :func:`write_surface` wrote.

    Raises
    ------
    UnreadableFileError
        Absent, damaged, or written by another program.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        key, name, value_name, unit, segment = lines[1].removeprefix(_TITLE).split(_JOINT)
        count = int(lines[4].split()[1])
        triangles = int(lines[5 + count].split()[1])
        first_face, first_value = 6 + count, 9 + count + triangles
        points = np.array([line.split() for line in lines[5 : 5 + count]], dtype=np.float64).reshape(-1, 3)
        faces = [line.split()[1:] for line in lines[first_face : first_face + triangles]]
        values = np.array(lines[first_value : first_value + count], dtype=np.float64)
        if len(values) != count or len(faces) != triangles:
            msg = f"{len(values)} of {count} values"
            raise ValueError(msg)
        indices = np.array(faces, dtype=np.intp).reshape(-1, 3)
        return Surface(key, name, points * _LPS, indices, values, value_name, unit, segment)
    except (OSError, ValueError, IndexError) as error:
        raise UnreadableFileError(
            found=f"{path.name}: {error}",
            expected="the surface as it was written",
            remedy="Run the task again.",
        ) from error
