"""What is said about one LVO case: findings, tables, segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctinsight.finding import Column, Finding, Segment, Side, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.regions.corridors import Landmark
    from ctinsight.regions.registration import Alignment
    from ctinsight.tasks.lvo.evidence import Candidate, Evidence
    from ctinsight.tasks.lvo.territories import SideBySide

_HU = "[hnsf'U]"
WITHHELD = "withheld: the registration to the template is not good enough"
NONE_FOUND = "no candidate"
#: Vessel of a centreline -> what its corridor is called, and its term.
_CORRIDORS = {"ICA-T": "corridor-ica", "M1": "corridor-m1", "M2": "corridor-m2"}
#: Labels of candidates at the left and at the right.
CANDIDATE_LABELS = (1, 2)
_CANDIDATE_LABELS = {Side.LEFT: 1, Side.RIGHT: 2, Side.MIDLINE: 1}


def findings_of(
    evidence: Evidence | None, rows: tuple[SideBySide, ...], alignment: Alignment
) -> tuple[Finding, ...]:
    """Return the headline, the largest candidate, the MCA territories, the registration."""
    candidates = evidence.candidates if evidence else ()
    score = Finding(
        "registration_score", "Registration score", alignment.quality.score, "1", note=alignment.method
    )
    note = WITHHELD if evidence is None else NONE_FOUND
    return (
        _headline(evidence),
        *_largest(candidates[0] if candidates else None, note),
        *_mca(rows, WITHHELD if evidence is None else "too little of it was scanned"),
        score,
    )


def _headline(evidence: Evidence | None) -> Finding:
    key, name = "dense_vessels", "Dense-vessel candidates"
    if evidence is None:
        return Finding(key, name, None, note=WITHHELD)
    words = ", ".join(f"{c.vessel} {c.side}" for c in evidence.candidates[:3])
    if len(evidence.candidates) > 3:
        words += f", {len(evidence.candidates) - 3} more"
    note = "dense along terminal ICA, M1 or M2; evidence, no probability"
    return Finding(key, name, words or "none", note=note)


def _largest(candidate: Candidate | None, note: str) -> tuple[Finding, ...]:
    named = (
        ("candidate_side", "Longest candidate, side", ""),
        ("candidate_vessel", "Longest candidate, corridor", ""),
        ("candidate_hu", "Its attenuation", _HU),
        ("contralateral_hu", "Other side, best fitting place", _HU),
        ("candidate_ratio", "Ratio to the other side", "1"),
        ("candidate_length_mm", "Its length", "mm"),
        ("candidate_calcified", "Calcified", ""),
    )
    numbers: tuple[float | str | None, ...] = (None,) * len(named)
    if candidate is not None:
        c = candidate
        calcified = "yes" if c.calcified else "no"
        numbers = (c.side.value, c.vessel, c.core_hu, c.contralateral_hu, c.ratio, c.length_mm, calcified)
    return tuple(
        Finding(key, name, number, unit, note=note if number is None else "")
        for (key, name, unit), number in zip(named, numbers, strict=True)
    )


def _mca(rows: tuple[SideBySide, ...], note: str) -> tuple[Finding, ...]:
    whole = [row for row in rows if row.artery == "MCA"]
    row = next((r for r in whole if r.place == "all of MCA"), whole[0] if whole else None)
    found = None if row is None else row.difference_hu
    return (
        Finding(
            "mca_left_minus_right_hu",
            "MCA territory, left minus right",
            found,
            _HU,
            note=note if found is None else "mean attenuation; negative: darker at the patient's left",
        ),
    )


def candidate_table(evidence: Evidence | None) -> Table:
    """Return every candidate with its numbers."""
    columns = (
        Column("candidate", "Candidate"),
        Column("side", "Side", "", "the patient's, by the own mid-plane"),
        Column("corridor", "Corridor", "", "of this project's own centrelines"),
        Column("hu", "Attenuation", _HU, "mean of its brighter half"),
        Column(
            "contralateral_hu",
            "Other side",
            _HU,
            "the same shape, best fit within 3 mm of its mirror image",
        ),
        Column("ratio", "Ratio", "1"),
        Column("length_mm", "Length", "mm", "longest diameter"),
        Column("volume_mm3", "Volume", "mm3"),
        Column("calcified", "Calcified", "", "a fifth or more of its core at 100 HU or more"),
        Column("center_r_mm", "Center R", "mm"),
        Column("center_a_mm", "Center A", "mm"),
        Column("center_s_mm", "Center S", "mm"),
    )
    rows = tuple(
        (
            c.number,
            c.side.value,
            c.vessel,
            c.core_hu,
            c.contralateral_hu,
            c.ratio,
            c.length_mm,
            c.volume_mm3,
            "yes" if c.calcified else "no",
            *c.center_ras,
        )
        for c in (evidence.candidates if evidence else ())
    )
    return Table("candidates", "Dense-vessel candidates", columns, rows)


def corridor_table(evidence: Evidence | None) -> Table:
    """Return the brightest of each corridor, left and right."""
    columns = (
        Column("corridor", "Corridor", "", "ours"),
        Column("left_hu", "Left", _HU, "mean of its brightest twentieth, smoothed"),
        Column("right_hu", "Right", _HU, "the same"),
        Column("left_over_right", "Left over right", "1"),
    )
    found: dict[str, dict[Side, float]] = {}
    if evidence:
        for line, hu in zip(evidence.centrelines, evidence.corridor_hu, strict=True):
            found.setdefault(line.vessel, {})[line.side] = hu
    rows = []
    for vessel, sides in found.items():
        left, right = (None if np.isnan(sides[s]) else sides[s] for s in (Side.LEFT, Side.RIGHT))
        ratio = None if left is None or right is None or right <= 0 else left / right
        rows.append((vessel, left, right, ratio))
    return Table("corridors", "Vessel corridors, left against right", columns, tuple(rows))


def landmark_table(marks: tuple[Landmark, ...]) -> Table:
    """Return the landmarks of the centrelines with reason and uncertainty."""
    columns = (
        Column("vessel", "Vessel"),
        Column("right_mm", "Right", "mm", "template space; the left is its mirror image"),
        Column("anterior_mm", "Anterior", "mm"),
        Column("superior_mm", "Superior", "mm"),
        Column("uncertainty_mm", "Uncertainty", "mm"),
        Column("reason", "Reason"),
    )
    rows = tuple((m.vessel, *m.position_ras, m.uncertainty_mm, m.reason) for m in marks)
    return Table("landmarks", "Landmarks of our corridors", columns, rows)


def segments_of() -> tuple[Segment, ...]:
    """Return candidates and corridors of both sides, in the order of their labels."""
    found = [
        Segment(1, "candidate_left", "Dense-vessel candidate, left", "dense-vessel"),
        Segment(2, "candidate_right", "Dense-vessel candidate, right", "dense-vessel"),
    ]
    for vessel, term in _CORRIDORS.items():
        for side in (Side.LEFT, Side.RIGHT):
            key = f"corridor_{vessel.lower().replace('-', '_')}_{side}"
            found.append(Segment(len(found) + 1, key, f"Our corridor {vessel}, {side}", term))
    return tuple(found)


def labelmap_of(evidence: Evidence | None, shape_kji: tuple[int, ...]) -> NDArray[np.uint8]:
    """Paint corridors, then candidates over them."""
    labels = np.zeros(shape_kji, dtype=np.uint8)
    if evidence is None:
        return labels
    vessels = list(_CORRIDORS)
    table = np.zeros(len(evidence.centrelines) + 1, dtype=np.uint8)
    for n, line in enumerate(evidence.centrelines, start=1):
        table[n] = 3 + 2 * vessels.index(line.vessel.split(" ")[0]) + (line.side is Side.RIGHT)
    labels[:] = table[evidence.corridors_kji]
    for candidate in evidence.candidates:
        labels[evidence.candidates_kji == candidate.number] = _CANDIDATE_LABELS[candidate.side]
    return labels
