"""What HematomaVolume's panel says at a glance: mL first, ABC/2 beside it, the way it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctinsight.report.wording import display_finding, display_interval, display_number
from ctinsight.scores.abc2 import abc2_ml
from CTInsightLib.Glance import Glance, TableLook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.finding import MeasuredLine
    from CTInsightLib.ResultLink import LinkedResult


COMPONENTS = TableLook(
    "components",
    (
        ("component", "No."),
        ("volume_ml", "mL"),
        ("side", "Side"),
        ("longest_diameter_mm", "Longest, mm"),
        ("mean_hu", "Mean HU"),
    ),
    ("centroid_r_mm", "centroid_a_mm", "centroid_s_mm"),
)


def glanceOf(result: LinkedResult) -> Glance:
    """Say what a result found."""
    volume = result.finding("volume_ml")
    headline = display_finding(volume) if volume.value else "Nothing found: 0 mL"
    note = f" {volume.note[:1].upper()}{volume.note[1:]}." if volume.note and volume.value else ""
    interval = display_interval(volume) + note
    return Glance(headline, interval, _formulas(result), _method(result))


def _formulas(result: LinkedResult) -> str:
    simple, weighted = result.finding("abc2_simple_ml"), result.finding("abc2_weighted_ml")
    if simple is None or simple.value is None:
        return ""
    others = "" if result.finding("component_count").value == 1 else ", largest component only"
    return f"ABC/2: {display_finding(simple)} (slices weighted 75/25 %: {display_finding(weighted)}){others}"


def _method(result: LinkedResult) -> str:
    made = result.manifest
    weights = f", {made['weights']}" if made.get("weights") else f", {made.get('tier', '')}"
    return f"By {made.get('method', 'a method that is not recorded')}{weights}"


def linesText(lines: Mapping[str, MeasuredLine]) -> str:
    """Return ABC/2 of the lines as they lie now; empty when A, B and C are not all there.

    Parameters
    ----------
    lines
        By their keys: ``abc_a``, ``abc_b``, ``abc_c_simple``.
    """
    try:
        a, b, c = (lines[key].length_mm / 10.0 for key in ("abc_a", "abc_b", "abc_c_simple"))
    except KeyError:
        return ""
    lengths = " × ".join(f"{length:.1f}" for length in (a, b, c))
    return f"Lines as you moved them: {lengths} cm / 2 = {display_number(abc2_ml(a, b, c))} mL"
