"""From measurements to findings, the side-to-side table and the other tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctinsight.finding import Column, Finding, Side, Table
from ctinsight.tasks.dcr.sensitivity import VANISHES
from ctinsight.terms import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.finding import Interval
    from ctinsight.tasks.dcr.corrected import SideFeatures
    from ctinsight.tasks.dcr.osteotomy import OsteotomyPlan

VOLUME = Code("SCT", "118565006", "Volume")
_OTHER = {Side.RIGHT: Side.LEFT, Side.LEFT: Side.RIGHT}

#: Published name -> what a radiologist calls it.
PUBLISHED_NAMES = {
    "lac_volume_mm3": "sac volume",
    "lac_surface_area_mm2": "sac surface",
    "lac_sphericity": "sac sphericity",
    "lac_equiv_diameter_mm": "sac equivalent diameter",
    "lac_elongation_pca": "sac elongation",
    "nas_ipsi_volume_mm3": "nasal cavity volume",
    "nas_ipsi_surface_area_mm2": "nasal cavity surface",
    "dist_lac_cent_to_nas_cent_mm": "centre of sac to centre of nasal cavity",
    "bone_path_total_len_mm": "shortest way from sac to nose",
    "max_ipsi_volume_mm3": "maxilla volume",
    "max_ipsi_surface_area_mm2": "maxilla surface",
    "max_bone_burden_within_lac_dilate_mm3": "bone within 10 mm of the sac",
    "angle_maxilla_majoraxis_to_sagittal_deg": "angle of the maxilla to the sagittal direction",
    "maxilla_thickness_max_mm": "2-D axial thickness, largest",
    "maxilla_thickness_mean_mm": "2-D axial thickness, mean",
    "maxilla_thickness_p95_mm": "2-D axial thickness, 95th percentile",
}
#: Name -> (what a radiologist calls it, what is put right).
SIDE_NAMES = {
    "wall_thickness_median_mm": ("bone thickness in 3-D, median", "along the normal of the bone's surface"),
    "wall_thickness_mean_mm": ("bone thickness in 3-D, mean", "weighted by area, rims left out"),
    "wall_thickness_p95_mm": ("bone thickness in 3-D, 95th percentile", ""),
    "wall_thickness_max_mm": ("bone thickness in 3-D, largest", ""),
    "bone_on_path_mm": ("bone on the shortest way from sac to nose", "the published value is the whole way"),
    "sac_nasal_distance_mm": (
        "shortest way from sac to nose",
        "surface to surface, not between voxel centres",
    ),
    "sac_volume_mm3": ("sac volume", "operated side alone"),
    "sac_surface_area_mm2": ("sac surface", "without the tenth that steps of voxels add"),
    "sac_sphericity": ("sac sphericity", "from that surface; 1 is a ball"),
    "sac_equivalent_diameter_mm": ("sac equivalent diameter", ""),
    "sac_elongation": ("sac elongation", "second to first main axis, extent of voxels included"),
    "sac_minimum_section_mm2": ("smallest section of the sac", "across its long axis, the ends left out"),
    "nasal_volume_mm3": ("nasal cavity volume", "divided at the middle of the face, not of the image"),
    "nasal_surface_area_mm2": ("nasal cavity surface", "as the sac's"),
    "centroid_distance_mm": ("centre of sac to centre of nasal cavity", ""),
    "maxilla_volume_mm3": ("maxilla volume", "divided at the middle of the face, not of the image"),
    "maxilla_surface_area_mm2": ("maxilla surface", "as the sac's"),
    "bone_near_sac_mm3": ("bone within 10 mm of the sac", ""),
    "maxilla_angle_to_sagittal_deg": (
        "angle of the maxilla to the sagittal direction",
        "in millimetres and in the patient's axes",
    ),
}
NO_SAC, NO_MAXILLA, NO_NASAL = "no sac is drawn", "no maxilla is drawn", "no nasal cavity is drawn"
_WHY = "too few voxels, or no surface that can be measured"


@dataclass(frozen=True)
class Presence:
    """Which parts are drawn on the operated side; says why something is not applicable."""

    sac: bool
    maxilla: bool
    nasal: bool

    def why_not(self, key: str) -> str:
        """Say why a measurement is missing."""
        asked = (
            (self.sac, NO_SAC, key.startswith(("lac_", "sac_"))),
            (self.nasal, NO_NASAL, key.startswith("nas")),
            (self.maxilla, NO_MAXILLA, key.startswith(("max", "wall_", "angle_", "bone_"))),
        )
        for present, words, concerned in asked:
            if concerned and not present:
                return f"{words} on the operated side"
        if not (self.sac and self.nasal and self.maxilla):
            missing = [
                words
                for present, words in ((self.sac, NO_SAC), (self.nasal, NO_NASAL), (self.maxilla, NO_MAXILLA))
                if not present
            ]
            return f"{missing[0]} on the operated side"
        return _WHY


def unit_of(key: str) -> str:
    """Read the UCUM unit off a name.

    Examples
    --------
    >>> unit_of("lac_volume_mm3"), unit_of("sac_sphericity"), unit_of("angle_deg")
    ('mm3', '1', 'deg')
    """
    last = key.rsplit("_", 1)[-1]
    return last if last in ("mm3", "mm2", "mm", "deg") else "1"


def side_findings(
    features: SideFeatures, ranges: Mapping[str, Interval | None], presence: Presence
) -> tuple[Finding, ...]:
    """Word the corrected measurements of the operated side."""
    values = features.as_dict()
    found = []
    for key, (name, note) in SIDE_NAMES.items():
        value = values[key]
        why = presence.why_not(key) if value is None else note
        found.append(_finding(key, name[0].upper() + name[1:], value, (ranges, why)))
    return tuple(found)


def published_findings(
    values: Mapping[str, float | None], ranges: Mapping[str, Interval | None], presence: Presence
) -> tuple[Finding, ...]:
    """Word the 16 published measurements, under their published names."""
    found = []
    for key, name in PUBLISHED_NAMES.items():
        why = presence.why_not(key) if values[key] is None else f"{key} of DeepDCR v1"
        found.append(_finding(key, f"As published: {name}", values[key], (ranges, why)))
    return tuple(found)


def _finding(
    key: str, name: str, value: float | None, about: tuple[Mapping[str, Interval | None], str]
) -> Finding:
    ranges, note = about
    code = VOLUME if key.endswith("volume_mm3") else None
    interval = ranges.get(key) if value is not None else None
    if value is not None and key in ranges and interval is None:
        note = f"{note}; {VANISHES}" if note else VANISHES
    return Finding(key, name, value, unit_of(key), code, interval, note)


def window_findings(plan: OsteotomyPlan | None) -> tuple[Finding, ...]:
    """Word the planned opening."""
    why = "no bone, or no way from sac to nose" if plan is None else ""
    rows = (
        ("window_depth_mean_mm", "Planned opening: bone to drill, mean", "depth_mean_mm", "mm"),
        ("window_depth_max_mm", "Planned opening: bone to drill, most", "depth_max_mm", "mm"),
        ("window_depth_min_mm", "Planned opening: bone to drill, least", "depth_min_mm", "mm"),
        ("window_depth_center_mm", "Planned opening: bone to drill, middle", "depth_center_mm", "mm"),
        ("window_bone_volume_mm3", "Planned opening: bone inside", "bone_volume_mm3", "mm3"),
        ("window_diameter_mm", "Planned opening: diameter", "diameter_mm", "mm"),
    )
    note = "" if plan is None else f"bone in {plan.bony_share:.0%} of the opening"
    return tuple(
        Finding(key, name, None if plan is None else getattr(plan, attribute), unit, note=why or note)
        for key, name, attribute, unit in rows
    )


def window_table(plan: OsteotomyPlan | None) -> Table:
    """Say where the planned opening lies and along what it is drilled."""
    columns = (
        Column("center_r_mm", "Middle R", "mm"),
        Column("center_a_mm", "Middle A", "mm"),
        Column("center_s_mm", "Middle S", "mm"),
        Column("axis_r", "Direction R", "1", "unit vector of drilling, from the nose to the sac"),
        Column("axis_a", "Direction A", "1"),
        Column("axis_s", "Direction S", "1"),
        Column("diameter_mm", "Diameter", "mm"),
        Column("depth_mean_mm", "Bone, mean", "mm"),
        Column("depth_max_mm", "Bone, most", "mm"),
    )
    rows = (
        ()
        if plan is None
        else ((*plan.center_ras, *plan.axis_ras, plan.diameter_mm, plan.depth_mean_mm, plan.depth_max_mm),)
    )
    return Table("window", "Planned opening", columns, rows)


def side_table(sides: Mapping[Side, SideFeatures], operated: Side, *, divided: bool) -> Table:
    """Put both sides beside each other; a value that is missing stays empty.

    ``divided`` says whether the midline is known: without it the other side stays empty.
    """
    columns = (
        Column("measurement", "Measurement"),
        Column("unit", "Unit"),
        Column("right", "Right", "", "the patient's right"),
        Column("left", "Left", "", "the patient's left"),
        Column("difference", "Operated minus other"),
        Column("ratio", "Operated to other", "1"),
    )
    rows = []
    for key, (name, _) in SIDE_NAMES.items():
        values = {
            side: features.as_dict()[key] if divided or side is operated else None
            for side, features in sides.items()
        }
        own, other = values[operated], values[_OTHER[operated]]
        known = own is not None and other is not None
        difference = own - other if own is not None and other is not None else None
        ratio = own / other if own is not None and other else None
        unit = unit_of(key)
        row = (name, "" if unit == "1" else unit, values[Side.RIGHT], values[Side.LEFT])
        rows.append((*row, difference, ratio if known else None))
    return Table("sides", f"Side to side (operated: {operated.value})", columns, tuple(rows))
