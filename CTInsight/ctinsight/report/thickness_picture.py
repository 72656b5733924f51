"""The bone of both sides coloured by its thickness, seen from nose and sac, and the side-to-side table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.report.axial_picture import (
    DOTS_PER_INCH,
    MUTED_COLOR,
    NOTICE_COLOR,
    PAGE_COLOR,
    TEXT_COLOR,
    new_figure,
)
from ctinsight.report.wording import display_number, display_unit, task_look
from ctinsight.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ctinsight.result import CaseResult, Surface

    Array = NDArray[np.float64]

# matplotlib ships no complete types: its figures and axes are Any here.
Axes = Any

HEIGHT_PX = 1000
#: Even in lightness and safe for the colour-blind: https://bids.github.io/colormap
COLORMAP = "viridis"
_SCALE_BAR_MM = 10.0
_UP = np.array([0.0, 0.0, 1.0])
#: Directions of looking: to the patient's right and left, with the letters of the patient's axes.
_TO_RIGHT = np.array([1.0, 0.0, 0.0])
_LIGHT = np.array([0.3, 0.5, 0.8])


@dataclass(frozen=True, eq=False)
class _View:
    """One panel: which part of the surface, looked at along a direction."""

    title: str
    part: NDArray[np.bool_]
    look: Array
    place: tuple[float, float]


def write_thickness_picture(result: CaseResult, path: Path) -> None:
    """Draw the surface of a result in its values' colours, four views, with the side-to-side table.

    Parameters
    ----------
    result
        With a surface; ``manifest["midline_r_mm"]`` divides the sides.
    path
        The ``.png`` file to write.

    Raises
    ------
    DependencyMissingError
        matplotlib is not installed.
    """
    surface = result.surface
    if surface is None:
        msg = "this result has no surface to draw"
        raise ValueError(msg)
    figure = new_figure(HEIGHT_PX)
    low, high = _range(surface)
    for view in _views(surface, result):
        ax = figure.add_axes((*view.place, 0.245, 0.37), facecolor="#000000")
        _draw(ax, surface, view, (low, high))
    _draw_bar(figure, surface, (low, high))
    _draw_words(figure, result)
    _draw_table(figure, result)
    figure.savefig(path, dpi=DOTS_PER_INCH, facecolor=PAGE_COLOR, metadata={"Description": RESEARCH_USE_ONLY})


def _range(surface: Surface) -> tuple[float, float]:
    high = float(np.percentile(surface.values, 98)) if len(surface.values) else 1.0
    return 0.0, max(1.0, float(np.ceil(high)))


def _views(surface: Surface, result: CaseResult) -> list[_View]:
    middle = result.manifest.get("midline_r_mm")
    on_right = surface.vertices_ras[:, 0] > (0.0 if middle is None else float(middle))
    operated = str(result.manifest.get("operated_side", ""))
    views = []
    for side, part, column in (("Right", on_right, 0.02), ("Left", ~on_right, 0.275)):
        note = " (operated)" if side.lower() == operated else ""
        outwards = _TO_RIGHT if side == "Right" else -_TO_RIGHT
        views.append(_View(f"{side}{note}, seen from the nose", part, outwards, (column, 0.48)))
        views.append(_View(f"{side}{note}, seen from the sac", part, -outwards, (column, 0.08)))
    return views


def _draw(ax: Axes, surface: Surface, view: _View, limits: tuple[float, float]) -> None:
    import matplotlib
    from matplotlib.collections import PolyCollection

    ax.set_xticks([])
    ax.set_yticks([])
    across = np.cross(view.look, _UP)
    ax.text(0.03, 0.97, view.title, transform=ax.transAxes, va="top", color=TEXT_COLOR, size=13)
    faces = surface.triangles[view.part[surface.triangles].all(axis=1)]
    if not len(faces):
        ax.text(0.5, 0.5, "no bone is drawn", transform=ax.transAxes, ha="center", color=MUTED_COLOR, size=13)
        return
    corners = surface.vertices_ras[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    depth = corners.mean(axis=1) @ view.look
    order = np.argsort(-depth)
    light = _LIGHT[0] * across + _LIGHT[1] * _UP - _LIGHT[2] * view.look
    shade = 0.72 + 0.28 * np.abs(normals @ light / np.linalg.norm(light))
    share = (surface.values[faces].mean(axis=1) - limits[0]) / (limits[1] - limits[0])
    colors = matplotlib.colormaps[COLORMAP](np.clip(share, 0, 1))
    colors[:, :3] *= shade[:, None]
    flat = np.stack([corners @ across, corners @ _UP], axis=-1)
    ax.add_collection(PolyCollection(list(flat[order]), facecolors=colors[order], edgecolors="none"))
    _frame(ax, flat.reshape(-1, 2))
    front = "A" if across[1] > 0 else "P"
    back = "P" if front == "A" else "A"
    letters = {(0.965, 0.5): front, (0.035, 0.5): back, (0.5, 0.9): "S", (0.5, 0.04): "I"}
    for (x, y), letter in letters.items():
        ax.text(x, y, letter, transform=ax.transAxes, ha="center", va="center", color=MUTED_COLOR, size=12)


def _frame(ax: Axes, flat: Array) -> None:
    middle = (flat.min(axis=0) + flat.max(axis=0)) / 2
    half = max(float(np.ptp(flat, axis=0).max()) / 2 * 1.3, 10.0)
    ratio = ax.bbox.width / ax.bbox.height
    ax.set_xlim(middle[0] - half * ratio, middle[0] + half * ratio)
    ax.set_ylim(middle[1] - half, middle[1] + half)
    left, low = middle[0] - half * ratio * 0.92, middle[1] - half * 0.9
    ax.plot([left, left + _SCALE_BAR_MM], [low, low], color=TEXT_COLOR, linewidth=2.5, solid_capstyle="butt")
    ax.text(left, low + half * 0.04, f"{_SCALE_BAR_MM:.0f} mm", color=TEXT_COLOR, size=10, va="bottom")


def _draw_bar(figure: Any, surface: Surface, limits: tuple[float, float]) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    ax = figure.add_axes((0.535, 0.12, 0.011, 0.68))
    bar = figure.colorbar(ScalarMappable(Normalize(*limits), COLORMAP), cax=ax)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=TEXT_COLOR, labelsize=11)
    bar.set_label(f"{surface.value_name} in {display_unit(surface.unit)}", color=TEXT_COLOR, size=12)


def _draw_words(figure: Any, result: CaseResult) -> None:
    surface = result.surface
    name = surface.name if surface else ""
    title = f"{task_look(result.task).title}: {name.lower()}"
    figure.text(0.02, 0.955, title, color=TEXT_COLOR, size=25, weight="bold", va="center")
    words = "three-dimensional thickness along the normal of the bone's surface; rims take the nearest value"
    figure.text(0.02, 0.905, words, color=MUTED_COLOR, size=13, va="center")
    figure.text(0.02, 0.035, RESEARCH_USE_ONLY, color=NOTICE_COLOR, size=13, weight="bold", va="center")
    figure.text(0.98, 0.035, f"CT Insight {VERSION}", color=MUTED_COLOR, size=11, ha="right", va="center")


def _draw_table(figure: Any, result: CaseResult) -> None:
    table = next((t for t in result.tables if t.key == "sides"), None)
    if table is None:
        return
    columns = (0.60, 0.832, 0.878, 0.925, 0.985)
    figure.text(columns[0], 0.845, table.title, color=TEXT_COLOR, size=15, weight="bold", va="center")
    heads = ("", "unit", "right", "left", "differs by")
    for x, head in zip(columns, heads, strict=True):
        figure.text(x, 0.80, head, color=MUTED_COLOR, size=11, ha="left" if x < 0.8 else "right", va="center")
    for n, row in enumerate(table.rows):
        y = 0.765 - 0.036 * n
        name, unit, right, left, difference = row[:5]
        cells = (str(name), display_unit(str(unit)), *(_cell(v) for v in (right, left, difference)))
        for x, text in zip(columns, cells, strict=True):
            look = {"color": TEXT_COLOR, "size": 11, "va": "center"}
            figure.text(x, y, text, ha="left" if x < 0.8 else "right", **look)


def _cell(value: float | int | str | None) -> str:
    return "n/a" if value is None else display_number(value)
