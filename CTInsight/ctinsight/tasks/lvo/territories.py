"""The arterial territories of a patient: labels on the CT's voxels, and how left and right differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.finding import Column, Segment, Side, Table
from ctinsight.measure import erode
from ctinsight.regions.hemispheres import LEFT_LABEL, RIGHT_LABEL
from ctinsight.result import Layer, Segmentation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ctinsight.regions.template import Territory
    from ctinsight.volume import Grid, Volume

#: Brain and CSF: calcification, bone and metal do not count; what an old infarct left does.
COUNTED_HU = (0.0, 80.0)
#: The rim of the brain shares voxels with bone.
RIM_MM = 3.0
_HU = "[hnsf'U]"
_ARTERIES = ("ACA", "MCA", "PCA", "VB", "LV")
_TERMS = {
    "ACA": "territory-aca",
    "MCA": "territory-mca",
    "PCA": "territory-pca",
    "VB": "territory-vb",
    "LV": "ventricle",
}
_WORDS = {"VB": "Vertebrobasilar", "LV": "Ventricle"}


@dataclass(frozen=True)
class SideBySide:
    """One territory on both sides: means in HU (None where too little was scanned), volumes in mL."""

    place: str
    artery: str
    left_hu: float | None
    right_hu: float | None
    left_ml: float
    right_ml: float

    @property
    def difference_hu(self) -> float | None:
        """Left minus right: negative is darker at the patient's left."""
        return None if self.left_hu is None or self.right_hu is None else self.left_hu - self.right_hu


def compare_territories(
    volume: Volume,
    brain_kji: NDArray[np.bool_],
    labels_kji: NDArray[np.uint8],
    territories: Sequence[Territory],
) -> tuple[SideBySide, ...]:
    """Measure every territory left and right, then each artery's territories as a whole."""
    counted = erode(brain_kji, volume.grid, RIM_MM) & (volume.array_kji >= COUNTED_HU[0])
    counted &= volume.array_kji <= COUNTED_HU[1]
    size = max(t.label for t in territories) + 1
    found = labels_kji[counted]
    counts = np.bincount(found, minlength=size)
    sums = np.bincount(found, weights=volume.array_kji[counted], minlength=size)
    voxels = np.bincount(labels_kji[brain_kji], minlength=size)
    groups = [(place, [t for t in territories if t.place == place]) for place in _places(territories)]
    for artery in _ARTERIES:
        group = [t for t in territories if t.artery == artery]
        if len(group) > 2:
            groups.append((f"all of {artery}", group))
    rows = []
    for place, group in groups:
        means: dict[Side, float | None] = {}
        volumes: dict[Side, float] = {}
        for side in (Side.LEFT, Side.RIGHT):
            mine = [t.label for t in group if t.side is side]
            n = int(counts[mine].sum())
            volumes[side] = float(voxels[mine].sum()) * volume.grid.voxel_volume_ml
            enough = n * volume.grid.voxel_volume_ml >= 0.2
            means[side] = float(sums[mine].sum()) / n if enough else None
        rows.append(
            SideBySide(
                place,
                group[0].artery,
                means[Side.LEFT],
                means[Side.RIGHT],
                volumes[Side.LEFT],
                volumes[Side.RIGHT],
            )
        )
    return tuple(rows)


def _places(territories: Sequence[Territory]) -> list[str]:
    return list(dict.fromkeys(t.place for t in territories))


def territory_table(rows: Sequence[SideBySide]) -> Table:
    """Put the comparison into a table."""
    columns = (
        Column("territory", "Territory"),
        Column("artery", "Artery"),
        Column("left_hu", "Left", _HU, f"mean of its voxels from {COUNTED_HU[0]:g} to {COUNTED_HU[1]:g} HU"),
        Column("right_hu", "Right", _HU, "the same"),
        Column("left_minus_right_hu", "Left minus right", _HU, "negative: darker at the patient's left"),
        Column("left_ml", "Left volume", "mL"),
        Column("right_ml", "Right volume", "mL"),
    )
    return Table(
        "territories",
        "Arterial territories, left against right",
        columns,
        tuple(
            (r.place, r.artery, r.left_hu, r.right_hu, r.difference_hu, r.left_ml, r.right_ml) for r in rows
        ),
    )


def territory_layers(
    labels_kji: NDArray[np.uint8], grid: Grid, territories: Sequence[Territory]
) -> tuple[Layer, ...]:
    """Make the segmentation of every territory, and a pictured one with all territories of an artery."""
    fine = tuple(
        Segment(t.label, f"territory_{t.label}", t.name[0].upper() + t.name[1:], _TERMS[t.artery])
        for t in territories
    )
    table = np.zeros(max(t.label for t in territories) + 1, dtype=np.uint8)
    coarse = {}
    for t in territories:
        table[t.label] = label = 2 * _ARTERIES.index(t.artery) + 1 + (t.side is Side.RIGHT)
        words = _WORDS.get(t.artery, t.artery)
        coarse[label] = Segment(label, f"{t.artery.lower()}_{t.side}", f"{words}, {t.side}", _TERMS[t.artery])
    merged = tuple(coarse[label] for label in sorted(coarse))
    return (
        Layer("territories", Segmentation(labels_kji, grid, fine)),
        Layer("arteries", Segmentation(table[labels_kji], grid, merged), pictured=True),
    )


def hemisphere_layer(halves_kji: NDArray[np.uint8], grid: Grid, *, as_published: bool) -> Layer:
    """Make the segmentation of both halves; the published system calls each by the other's name."""
    segments = []
    for label, side, other in (
        (LEFT_LABEL, Side.LEFT, Side.RIGHT),
        (RIGHT_LABEL, Side.RIGHT, Side.LEFT),
    ):
        name = f"Half of the brain, patient's {side}"
        if as_published:
            name += f" (published name: {other}_brain)"
        segments.append(Segment(label, f"half_{side}", name, "hemisphere"))
    return Layer("hemispheres", Segmentation(halves_kji, grid, tuple(segments)))
