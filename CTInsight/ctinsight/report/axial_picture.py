"""``overview_axial.png``: the axial slices with the outline of every segment, and the headline number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import DependencyMissingError
from ctinsight.finding import Outcome
from ctinsight.report.axial_slices import (
    AxialStack,
    Frame,
    axial_stack,
    body_slices,
    choose_layout,
    choose_slices,
    findings_region,
    shown_region,
)
from ctinsight.report.wording import (
    TaskLook,
    display_finding,
    display_interval,
    display_number,
    task_look,
    with_unit,
)
from ctinsight.report.zoomed_slices import SLICES, zoomed_frames
from ctinsight.terms import terms
from ctinsight.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from ctinsight.finding import Finding, MeasuredLine, Segment
    from ctinsight.result import CaseResult
    from ctinsight.volume import Scan

#: Pixels; the height follows the panels. Font sizes below are points at this resolution.
WIDTH_PX, DOTS_PER_INCH = 1800, 100
HEADER_PX, LARGEST_BLOCK_PX, FOOTER_PX, MARGIN_PX, GUTTER_PX = 152, 1266, 84, 28, 8

PAGE_COLOR, PANEL_COLOR = "#0d1014", "#000000"
TEXT_COLOR, MUTED_COLOR, NOTICE_COLOR = "#eef1f4", "#97a1ab", "#e6b84d"
SCALE_BAR_MM, ZOOMED_SCALE_BAR_MM = 50.0, 10.0
#: What fits beside the facts at the right end of the footer.
MOST_CHECK_LETTERS = 60
#: Air around the head, so that letters and scalp do not meet.
MARGIN_MM = 11.0
#: Anatomy about the findings of a picture that is cropped to them.
FINDINGS_MARGIN_MM = 28.0
#: Slices that stray more than this from the axial plane are called tilted in the footer.
TILT_TO_MENTION_DEGREES = 1.0

# matplotlib ships no complete types: its figures and axes are Any here.
Figure = Any
Axes = Any


@dataclass(frozen=True, eq=False)
class _Montage:
    """What is drawn: the turned CT, and a frame of it for each panel, all of one size."""

    stack: AxialStack
    frames: list[Frame]
    scale_bar_mm: float = SCALE_BAR_MM
    columns: int | None = None

    @property
    def slices(self) -> list[int]:
        """Slice numbers, one for each panel."""
        return [frame.k for frame in self.frames]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of one panel."""
        i_mm, j_mm, _ = self.stack.grid.spacing_ijk_mm
        first = self.frames[0]
        return (first.columns.stop - first.columns.start) * i_mm, (first.rows.stop - first.rows.start) * j_mm


@dataclass(frozen=True)
class _Layout:
    """Where the panels lie, in pixels: columns, size of one, left edge of the first, height of the page."""

    columns: int
    panel: tuple[float, float]
    left: float
    page_height: int


def write_axial_picture(result: CaseResult, scan: Scan, path: Path) -> None:
    """Draw axial slices with outlines as a PNG, patient right on the left and anterior up.

    Parameters
    ----------
    result
        What the task found; each segment is outlined in the colour of its term.
    scan
        The CT on the segmentation's grid.
    path
        The ``.png`` file to write.

    Raises
    ------
    DependencyMissingError
        matplotlib is not installed.
    """
    look = task_look(result.task)
    montage = _montage(result, scan)
    layout = _layout(montage)
    figure = new_figure(layout.page_height)
    for number, frame in enumerate(montage.frames):
        ax, k = _panel(figure, layout, number), frame.k
        _draw_slice(ax, montage.stack, frame, look)
        _draw_outlines(ax, montage.stack, k, result.segmentation.segments)
        _draw_lines(ax, montage.stack, k, result.lines, zoomed=look.zoomed)
        # On an enlarged finding its lines say how large it is, and areas would be in the way.
        small = look.zoomed or look.sided
        _draw_letters(ax, montage.stack, k, () if small else result.segmentation.segments)
        _put(ax, (0.025, 0.925), frame.name, ha="left", va="top", color=TEXT_COLOR, size=11)
        if number == 0:
            _draw_scale_bar(ax, montage)
    _draw_header(figure, result, look)
    _draw_legend(figure, result)
    _draw_footer(figure, result, montage.stack, look)
    figure.savefig(path, dpi=DOTS_PER_INCH, facecolor=PAGE_COLOR, metadata={"Description": RESEARCH_USE_ONLY})


def _montage(result: CaseResult, scan: Scan) -> _Montage:
    stack = axial_stack(scan.volume, result.segmentation)
    if task_look(result.task).zoomed:
        frames = zoomed_frames(stack, result.segmentation.segments, result.lines)
        if frames:
            row = sum(frame.name == frames[0].name for frame in frames)
            return _Montage(stack, frames, ZOOMED_SCALE_BAR_MM, SLICES if row == 1 else row)
    slices = choose_slices(stack.labelmap_kji, body_slices(stack.array_kji))
    sided = task_look(result.task).sided and np.any(stack.labelmap_kji)
    rows, columns = findings_region(stack, FINDINGS_MARGIN_MM) if sided else shown_region(stack, MARGIN_MM)
    return _Montage(stack, [Frame(k, rows, columns) for k in slices])


def _layout(montage: _Montage) -> _Layout:
    # One scale for all panels, as large as the page's width and the largest height allow.
    columns = montage.columns or choose_layout(len(montage.slices))[0]
    columns = min(columns, len(montage.slices))
    rows = -(-len(montage.slices) // columns)
    width_mm, height_mm = montage.size_mm
    gutters_x, gutters_y = (columns - 1) * GUTTER_PX, (rows - 1) * GUTTER_PX
    px_per_mm = min(
        (WIDTH_PX - 2 * MARGIN_PX - gutters_x) / (columns * width_mm),
        (LARGEST_BLOCK_PX - gutters_y) / (rows * height_mm),
    )
    width, height = width_mm * px_per_mm, height_mm * px_per_mm
    left = (WIDTH_PX - columns * width - gutters_x) / 2
    page_height = round(HEADER_PX + rows * height + gutters_y + FOOTER_PX)
    return _Layout(columns, (width, height), left, page_height)


def new_figure(height_px: int) -> Figure:
    """Make an empty page of the usual width; ``DependencyMissingError`` without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as MatplotlibFigure
    except ImportError as error:
        raise DependencyMissingError(
            found="matplotlib is not installed",
            expected="matplotlib 3.8 or newer, for pictures",
            remedy="To have it, run: pip install 'ctinsight[report]'",
        ) from error
    figure = MatplotlibFigure(
        figsize=(WIDTH_PX / DOTS_PER_INCH, height_px / DOTS_PER_INCH), dpi=DOTS_PER_INCH
    )
    FigureCanvasAgg(figure)
    return figure


def _panel(figure: Figure, layout: _Layout, number: int) -> Axes:
    width, height = layout.panel
    x = layout.left + (number % layout.columns) * (width + GUTTER_PX)
    bottom = HEADER_PX + (number // layout.columns) * (height + GUTTER_PX) + height
    box = (x / WIDTH_PX, _y(figure, bottom), width / WIDTH_PX, height / layout.page_height)
    ax = figure.add_axes(box, facecolor=PANEL_COLOR)
    ax.set_axis_off()
    return ax


def _y(figure: Figure, pixels_from_top: float) -> float:
    return float(1 - pixels_from_top / figure.bbox.height)


def _draw_slice(ax: Axes, stack: AxialStack, frame: Frame, look: TaskLook) -> None:
    rows, columns = frame.rows, frame.columns
    pixels = stack.array_kji[frame.k, rows, columns]
    extent = (columns.start - 0.5, columns.stop - 0.5, rows.stop - 0.5, rows.start - 0.5)
    ax.imshow(
        pixels,
        extent=extent,
        cmap="gray",
        vmin=look.window.low_hu,
        vmax=look.window.high_hu,
        interpolation="bilinear",
        aspect="auto",
    )
    ax.autoscale(enable=False)


def _draw_outlines(ax: Axes, stack: AxialStack, k: int, segments: tuple[Segment, ...]) -> None:
    for segment in segments:
        mask = stack.labelmap_kji[k] == segment.label
        if mask.any():
            # A frame of background closes the outline of a segment that touches the image border.
            framed = np.pad(mask, 1).astype(np.float32)
            columns, rows = np.arange(-1, mask.shape[1] + 1), np.arange(-1, mask.shape[0] + 1)
            ax.contour(columns, rows, framed, levels=[0.5], colors=[_rgb(segment)], linewidths=1.6)


def _rgb(segment: Segment) -> tuple[float, float, float]:
    red, green, blue = terms()[segment.term].color_rgb
    return red / 255, green / 255, blue / 255


def _draw_lines(
    ax: Axes, stack: AxialStack, k: int, lines: tuple[MeasuredLine, ...], *, zoomed: bool
) -> None:
    # Only lines that lie in this slice; one that runs through the slices (C of ABC/2) is seen in the scene.
    for line in lines:
        ends = stack.grid.ijk_from_ras((line.start_ras, line.end_ras))
        if np.all(np.abs(ends[:, 2] - k) < 0.5):
            effects = _shade() if zoomed else None
            ax.plot(ends[:, 0], ends[:, 1], color=TEXT_COLOR, linewidth=1.0, path_effects=effects)
            ax.annotate(
                f"{line.length_mm:.1f} mm" if zoomed else line.name,
                ends[1, :2],
                xytext=(3, 3),
                textcoords="offset points",
                color=TEXT_COLOR,
                size=10,
                path_effects=_shade(),
            )


def _draw_letters(ax: Axes, stack: AxialStack, k: int, segments: tuple[Segment, ...]) -> None:
    position = stack.slice_position_mm(k)
    where = f"{'S' if position >= 0 else 'I'} {abs(position):.1f} mm"
    _put(ax, (0.025, 0.975), where, ha="left", va="top", color=TEXT_COLOR, size=11)
    _put(ax, (0.02, 0.5), "R", ha="left", va="center", color=TEXT_COLOR, size=13, weight="bold")
    _put(ax, (0.98, 0.5), "L", ha="right", va="center", color=TEXT_COLOR, size=13, weight="bold")
    _put(ax, (0.5, 0.98), "A", ha="center", va="top", color=MUTED_COLOR, size=11, weight="bold")
    _put(ax, (0.5, 0.015), "P", ha="center", va="bottom", color=MUTED_COLOR, size=11, weight="bold")
    areas = [(segment, stack.slice_area_cm2(k, segment.label)) for segment in segments]
    step = max(0.05, 16 / ax.bbox.height)
    for line, (segment, area) in enumerate((s, a) for s, a in areas if a > 0):
        text = with_unit(display_number(area), "cm2")
        _put(ax, (0.975, 0.975 - step * line), text, ha="right", va="top", color=_rgb(segment), size=11)


def _put(ax: Axes, place: tuple[float, float], text: str, **look: object) -> None:
    ax.text(*place, text, transform=ax.transAxes, path_effects=_shade(), **look)


def _shade() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="#000000cc")]


def _draw_scale_bar(ax: Axes, montage: _Montage) -> None:
    i_mm, j_mm, _ = montage.stack.grid.spacing_ijk_mm
    frame, length = montage.frames[0], montage.scale_bar_mm
    margin = 0.1 * length
    x, y = frame.columns.start + margin / i_mm, frame.rows.stop - 1.2 * margin / j_mm
    effects = _shade() if montage.columns else None
    bar: dict[str, Any] = {
        "color": TEXT_COLOR,
        "linewidth": 2.5,
        "solid_capstyle": "butt",
        "path_effects": effects,
    }
    ax.plot([x, x + length / i_mm], [y, y], **bar)
    words: dict[str, Any] = {
        "color": TEXT_COLOR,
        "size": 10,
        "ha": "left",
        "va": "bottom",
        "path_effects": effects,
    }
    ax.text(x, y - 0.4 * margin / j_mm, f"{length:.0f} mm", **words)


def _draw_header(figure: Figure, result: CaseResult, look: TaskLook) -> None:
    left, right = MARGIN_PX / WIDTH_PX, 1 - MARGIN_PX / WIDTH_PX
    title, subtitle = _y(figure, 46), _y(figure, 88)
    figure.text(left, title, look.title, color=TEXT_COLOR, size=25, weight="bold", va="center")
    method = figure.text(left, subtitle, _method_words(result), color=MUTED_COLOR, size=13, va="center")
    headline = _headline(result)
    if headline is None:
        return
    number = display_finding(headline)
    figure.text(right, title, number, color=TEXT_COLOR, size=30, weight="bold", ha="right", va="center")
    words = display_interval(headline) or headline.note or headline.name
    if headline.key != "volume_ml" and headline.interval:
        words = f"{headline.name}: {words}"
    told = figure.text(right, subtitle, words, color=MUTED_COLOR, size=13, ha="right", va="center")
    _shorten_before(method, told)


def _shorten_before(text: Any, other: Any) -> None:
    """Take words off the end of a text until it ends before another one begins; the rest is in the files."""
    end = other.get_window_extent().x0 - 2 * GUTTER_PX
    words = str(text.get_text()).split(" ")
    while len(words) > 1 and text.get_window_extent().x1 > end:
        words.pop()
        text.set_text(" ".join(words).rstrip(" ,·") + " …")


def _method_words(result: CaseResult) -> str:
    words = [str(result.manifest[key]) for key in ("method", "weights") if result.manifest.get(key)]
    return "  ·  ".join(["CT Insight", *words])


def _headline(result: CaseResult) -> Finding | None:
    volumes = [f for f in result.findings if f.key == "volume_ml"]
    return next(iter([*volumes, *result.findings]), None)


def _draw_legend(figure: Figure, result: CaseResult) -> None:
    from matplotlib.lines import Line2D

    segments, words = _legend_entries(result)
    handles = [Line2D([], [], color=_rgb(s), linewidth=3.5, solid_capstyle="butt") for s in segments]
    figure.legend(
        handles,
        words,
        loc="center left",
        bbox_to_anchor=(MARGIN_PX / WIDTH_PX, _y(figure, 126)),
        ncols=max(len(segments), 1),
        frameon=False,
        fontsize=13,
        labelcolor=TEXT_COLOR,
        handlelength=1.4,
        borderpad=0,
        borderaxespad=0,
    )


def _legend_entries(result: CaseResult) -> tuple[list[Segment], list[str]]:
    segments = list(result.segmentation.segments)
    if not (task_look(result.task).zoomed or task_look(result.task).sided):
        return segments, [_legend_words(result, segment) for segment in segments]
    # Findings of one kind share a colour; their numbers stand in the table.
    kinds = {s.term: s for s in segments if np.any(result.segmentation.labelmap_kji == s.label)}
    return list(kinds.values()), [terms()[term].name for term in kinds]


def _legend_words(result: CaseResult, segment: Segment) -> str:
    voxels = int(np.count_nonzero(result.segmentation.labelmap_kji == segment.label))
    volume_ml = voxels * result.segmentation.grid.voxel_volume_ml
    return f"{segment.name}: {with_unit(display_number(volume_ml), 'mL') if voxels else 'nothing found'}"


def _draw_footer(figure: Figure, result: CaseResult, stack: AxialStack, look: TaskLook) -> None:
    left, right = MARGIN_PX / WIDTH_PX, 1 - MARGIN_PX / WIDTH_PX
    first, second = _y(figure, figure.bbox.height - 54), _y(figure, figure.bbox.height - 25)
    figure.text(left, first, RESEARCH_USE_ONLY, color=NOTICE_COLOR, size=13, weight="bold", va="center")
    figure.text(left, second, _check_words(result), color=MUTED_COLOR, size=11, va="center")
    window = look.window
    shown = f"{window.name.lower()} window, center {window.center_hu:g} HU, width {window.width_hu:g} HU"
    spacing = " × ".join(f"{mm:.2f}" for mm in stack.grid.spacing_ijk_mm)
    tilt = f"slices tilted {stack.tilt_degrees:.1f}°" if stack.tilt_degrees > TILT_TO_MENTION_DEGREES else ""
    facts = [f"voxel {spacing} mm", tilt, "patient right on the left"]
    small = {"color": MUTED_COLOR, "size": 11, "ha": "right", "va": "center"}
    figure.text(right, first, f"{shown}  ·  CT Insight {VERSION}", **small)
    figure.text(right, second, "  ·  ".join(filter(None, facts)), **small)


def _check_words(result: CaseResult) -> str:
    open_checks = [check for check in result.checks if check.outcome != Outcome.PASS]
    if not open_checks:
        return _words_without_faults(result)
    words = f"{open_checks[0].name}: {open_checks[0].measured}"
    words = words if len(words) <= MOST_CHECK_LETTERS else words[: MOST_CHECK_LETTERS - 1].rstrip() + "…"
    more = f"; {len(open_checks) - 1} more in result.json" if len(open_checks) > 1 else ""
    return f"To note: {words}{more}"


def _words_without_faults(result: CaseResult) -> str:
    if not result.checks:
        return "no input checks were made"
    incomplete = sum("not checked" in check.measured for check in result.checks)
    words = f"{len(result.checks) - incomplete} input checks passed"
    return f"{words}, {incomplete} not fully made: see result.json" if incomplete else words
