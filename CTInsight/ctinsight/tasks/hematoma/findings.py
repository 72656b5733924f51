"""From a mask to everything that is said about it: mL, components, slices, ABC/2 and their limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.finding import Column, Finding, Interval, Side, Table
from ctinsight.measure import (
    PartialVolume,
    bounding_box,
    label_components,
    measure_components,
    partial_volume,
    partial_volume_bound_ml,
    slice_areas_cm2,
    slice_axis,
    slice_spacing_mm,
    volume_ml,
)
from ctinsight.measure.weighed_volume import BONE_HU
from ctinsight.regions.midline import side_of
from ctinsight.tasks.hematoma.abc import FORMULAS, ComponentAbc, read_abc
from ctinsight.tasks.hematoma.image_edge import EdgeContact, edge_contact, edge_note
from ctinsight.terms import Code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ctinsight.finding import MeasuredLine
    from ctinsight.measure import Component
    from ctinsight.regions.midline import Plane
    from ctinsight.tasks.hematoma.cleanup import Region
    from ctinsight.volume import Volume

VOLUME = Code("SCT", "118565006", "Volume")
LENGTH = Code("SCT", "410668003", "Length")
DIAMETER = Code("SCT", "81827009", "Diameter")
AREA = Code("SCT", "42798000", "Area")
ATTENUATION = Code("DCM", "112031", "Attenuation Coefficient")
LATERALITY = Code("SCT", "272741003", "Laterality")

_NOTHING = "nothing was found"
_HU = "[hnsf'U]"


@dataclass(frozen=True, eq=False)
class MeasuredMask:
    """One mask, measured.

    ``components`` run from the largest to the smallest; ``abc`` follows the same order; ``sides`` too, with
    ``None`` where the midline is unknown. ``edge`` says where blood leaves the image; ``weighed`` holds each
    component's volume with its border weighed, in the order of ``components``. ``mean_hu``, of all and of
    each, leaves out what shares its voxels with bone.
    """

    volume_ml: float
    weighed: tuple[PartialVolume, ...]
    bound: Interval
    mean_hu: float | None
    components: tuple[Component, ...]
    sides: tuple[Side | None, ...]
    abc: tuple[ComponentAbc, ...]
    areas_cm2: NDArray[np.float64]
    edge: EdgeContact

    @property
    def largest_is_cut(self) -> bool:
        """Whether the largest component leaves the image."""
        return bool(self.components) and self.components[0].label in self.edge.labels

    @property
    def lines(self) -> tuple[MeasuredLine, ...]:
        """A, B and both C of the largest component."""
        return self.abc[0].lines if self.abc else ()


def measure_mask(mask_kji: NDArray[np.bool_], volume: Volume, midline: Plane | None) -> MeasuredMask:
    """Measure a mask of blood.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns) bool, on the grid of the CT.
    volume
        The CT.
    midline
        The midsagittal plane; ``None`` leaves the side open.
    """
    grid = volume.grid
    labels, _count = label_components(mask_kji)
    soft = _without_bone(mask_kji, volume)
    found = (
        replace(c, mean_hu=_mean_hu(volume, soft & (labels == c.label)) or c.mean_hu)
        for c in measure_components(labels, grid, array_hu=volume.array_kji)
    )
    components = tuple(sorted(found, key=lambda c: -c.volume_ml))
    edge = edge_contact(labels, volume)
    sides = tuple(None if midline is None else side_of(c.centroid_ras, midline) for c in components)
    return MeasuredMask(
        volume_ml=volume_ml(mask_kji, grid),
        weighed=tuple(_weighed(labels == c.label, volume, cut=c.label in edge.labels) for c in components),
        bound=partial_volume_bound_ml(mask_kji, grid),
        mean_hu=_mean_hu(volume, soft) if soft.any() else _mean_hu(volume, mask_kji),
        components=components,
        sides=sides,
        abc=tuple(read_abc(labels == c.label, grid) for c in components),
        areas_cm2=slice_areas_cm2(mask_kji, grid),
        edge=edge,
    )


def _weighed(part: NDArray[np.bool_], volume: Volume, *, cut: bool) -> PartialVolume:
    if cut:
        return PartialVolume(volume_ml(part, volume.grid), "touches the edge of the image")
    return partial_volume(volume.array_kji, part, volume.grid)


def _without_bone(mask_kji: NDArray[np.bool_], volume: Volume) -> NDArray[np.bool_]:
    """Leave out what is brighter than blood can be, and the voxels beside it."""
    box = bounding_box(mask_kji)
    if box is None:
        return mask_kji
    soft = mask_kji.copy()
    soft[box] &= ~ndimage.binary_dilation(mask_kji[box] & (volume.array_kji[box] >= BONE_HU))
    return soft


def _mean_hu(volume: Volume, mask_kji: NDArray[np.bool_]) -> float | None:
    return float(np.mean(volume.array_kji[mask_kji], dtype=np.float64)) if mask_kji.any() else None


def findings_of(measured: MeasuredMask) -> tuple[Finding, ...]:
    """Say what was measured, each with unit and code; what does not apply is ``None`` with its reason."""
    nothing = "" if measured.components else _NOTHING
    # An interval of 0 to 0 mL would claim to know that there is nothing.
    bound = measured.bound if measured.components else None
    note = edge_note(measured.volume_ml) if measured.edge else nothing
    return (
        Finding("volume_ml", "Hematoma volume", measured.volume_ml, "mL", VOLUME, bound, note),
        _weighed_finding(measured),
        Finding("component_count", "Separate components", len(measured.components), "1", note=nothing),
        Finding("mean_hu", "Mean attenuation", measured.mean_hu, _HU, ATTENUATION, note=nothing),
        *_largest(measured),
        *_formula_findings(measured),
    )


def _weighed_finding(measured: MeasuredMask) -> Finding:
    counted = [w.reason for w in measured.weighed if w.reason]
    note = "" if measured.components else _NOTHING
    if measured.weighed:
        note = "a second reading; the volume itself counts voxels"
    if counted:
        reasons = ", ".join(dict.fromkeys(counted))
        note = f"{len(counted)} of {len(measured.weighed)} components by their voxel count ({reasons})"
    value = float(sum(w.volume_ml for w in measured.weighed))
    return Finding(
        "volume_partial_ml", "Hematoma volume, partial voxels weighed", value, "mL", VOLUME, note=note
    )


def _largest(measured: MeasuredMask) -> tuple[Finding, ...]:
    largest = measured.components[0] if measured.components else None
    abc = measured.abc[0] if measured.abc else None
    side = measured.sides[0] if measured.sides else None
    note = "" if largest else _NOTHING
    side_note = note or ("" if side else "the midline could not be found")

    def line(key: str, name: str, length_cm: float | None) -> Finding:
        return Finding(key, name, None if length_cm is None else 10.0 * length_cm, "mm", LENGTH, note=note)

    return (
        Finding(
            "largest_volume_ml",
            "Largest component",
            largest.volume_ml if largest else None,
            "mL",
            VOLUME,
            note=edge_note(largest.volume_ml) if largest and measured.largest_is_cut else note,
        ),
        Finding(
            "largest_side",
            "Largest component, side",
            side.value if side else None,
            "",
            LATERALITY,
            note=side_note,
        ),
        Finding(
            "largest_diameter_mm",
            "Largest component, longest diameter",
            largest.diameter.length_mm if largest else None,
            "mm",
            DIAMETER,
            note=note,
        ),
        line("abc_a_mm", "A (largest component)", abc.simple.a_cm if abc else None),
        line("abc_b_mm", "B (largest component)", abc.simple.b_cm if abc else None),
        line(
            "abc_c_simple_mm", "C, every slice counted (largest component)", abc.simple.c_cm if abc else None
        ),
        line(
            "abc_c_weighted_mm",
            "C, slices weighted 75/25 % (largest component)",
            abc.weighted.c_cm if abc else None,
        ),
    )


def _formula_findings(measured: MeasuredMask) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for key, name in FORMULAS:
        value = measured.abc[0].volume_ml(key) if measured.abc else None
        note = "of the largest component" if measured.abc else _NOTHING
        note += ", which touches the edge of the image" if measured.largest_is_cut else ""
        reference = measured.components[0].volume_ml if measured.components else None
        difference = None if value is None or reference is None else value - reference
        percent = None if difference is None or not reference else 100.0 * difference / reference
        found += [
            Finding(f"{key}_ml", f"{name} (largest component)", value, "mL", VOLUME, note=note),
            Finding(f"{key}_difference_ml", f"{name} minus segmentation", difference, "mL", note=note),
            Finding(f"{key}_difference_percent", f"{name} against segmentation", percent, "%", note=note),
        ]
    return tuple(found)


def tables_of(measured: MeasuredMask, volume: Volume, refused: Sequence[Region] = ()) -> tuple[Table, ...]:
    """Lay out components, formulas, slices and, where a method refused regions, those too."""
    return (
        _component_table(measured),
        _formula_table(measured),
        _slice_table(measured, volume),
        _refused_table(refused),
    )


def _component_table(measured: MeasuredMask) -> Table:
    columns = (
        Column("component", "Component", "1", "from the largest; 0 stands for nothing found"),
        Column("volume_ml", "Volume", "mL", code=VOLUME),
        Column("centroid_r_mm", "Centroid R", "mm", "positive is the patient's right"),
        Column("centroid_a_mm", "Centroid A", "mm", "positive is anterior"),
        Column("centroid_s_mm", "Centroid S", "mm", "positive is superior"),
        Column("side", "Side", "", "by the centroid and the midsagittal plane", LATERALITY),
        Column("longest_diameter_mm", "Longest diameter", "mm", "in three dimensions", DIAMETER),
        Column("mean_hu", "Mean attenuation", _HU, code=ATTENUATION),
    )
    rows = tuple(
        (
            number,
            c.volume_ml,
            *c.centroid_ras,
            None if side is None else side.value,
            c.diameter.length_mm,
            c.mean_hu,
        )
        for number, (c, side) in enumerate(zip(measured.components, measured.sides, strict=True), start=1)
    )
    zero = ((0, 0.0, None, None, None, None, None, None),)
    return Table("components", "Components", columns, rows or zero)


def _formula_table(measured: MeasuredMask) -> Table:
    columns = (
        Column("formula", "Formula"),
        Column(
            "scope", "Of", "", "the largest component, or the sum over components, each with its own A, B, C"
        ),
        Column("volume_ml", "Volume", "mL", code=VOLUME),
        Column("segmentation_ml", "Segmentation", "mL", "the same scope by counting voxels", VOLUME),
        Column("difference_ml", "Difference", "mL", "formula minus segmentation"),
        Column("difference_percent", "Difference", "%", "of the segmentation"),
    )
    rows: list[tuple[float | str, ...]] = []
    scopes = (("largest component", 1), ("sum over components", len(measured.components)))
    for scope, count in scopes if measured.abc else ():
        reference = sum(c.volume_ml for c in measured.components[:count])
        for key, name in FORMULAS:
            value = sum(abc.volume_ml(key) for abc in measured.abc[:count])
            percent = 100.0 * (value - reference) / reference
            rows.append((name, scope, value, reference, value - reference, percent))
    return Table("formulas", "Formulas beside the segmentation", columns, tuple(rows))


def _slice_table(measured: MeasuredMask, volume: Volume) -> Table:
    columns = (
        Column("slice", "Slice", "1", "index along the slice axis, counted from 0 in the order of the file"),
        Column("position_s_mm", "Position S", "mm", "of the middle of the slice"),
        Column("area_cm2", "Area", "cm2", code=AREA),
        Column(
            "volume_ml", "Volume", "mL", "area times slice spacing; the sum is the hematoma volume", VOLUME
        ),
    )
    grid = volume.grid
    axis, _direction = slice_axis(grid)
    spacing_cm = slice_spacing_mm(grid) / 10.0
    middle = (np.array(grid.shape_kji[::-1], dtype=np.float64) - 1) / 2
    rows = []
    for index in np.flatnonzero(measured.areas_cm2):
        middle[2 - axis] = index
        area = float(measured.areas_cm2[index])
        rows.append((int(index), float(grid.ras_from_ijk(middle)[2]), area, area * spacing_cm))
    return Table("slices", "Area on each slice", columns, tuple(rows))


def _refused_table(refused: Sequence[Region]) -> Table:
    columns = (
        Column("volume_ml", "Volume", "mL", code=VOLUME),
        Column("mean_hu", "Mean attenuation", _HU, code=ATTENUATION),
        Column("center_r_mm", "Center R", "mm"),
        Column("center_a_mm", "Center A", "mm"),
        Column("center_s_mm", "Center S", "mm"),
        Column("reason", "Refused because"),
    )
    rows = tuple((r.volume_ml, r.mean_hu, *r.center_ras, r.refused) for r in refused)
    return Table("refused_regions", "Bright regions not counted as blood", columns, rows)
