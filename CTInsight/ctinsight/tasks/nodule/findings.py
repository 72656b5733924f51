"""From measures to findings, tables, lines and segments, numbered as the points were given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ctinsight.finding import Column, Finding, MeasuredLine, Segment, Table
from ctinsight.terms import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.tasks.nodule.measures import NoduleMeasures
    from ctinsight.tasks.nodule.parameters import Parameters

VOLUME = Code("SCT", "118565006", "Volume")
DIAMETER = Code("SCT", "81827009", "Diameter")
LONG_AXIS = Code("SCT", "103339001", "Long Axis")
SHORT_AXIS = Code("SCT", "103340004", "Short Axis")
ATTENUATION = Code("DCM", "112031", "Attenuation Coefficient")
MASS = Code("SCT", "118538004", "Mass")
_HU = "[hnsf'U]"

NOT_PART_SOLID = "only of part-solid nodules"
THREADS_OURS = "CT Insight's own count, not a published spiculation score; vessels count too"


def segments_of(numbers: tuple[int, ...]) -> tuple[Segment, ...]:
    """Two segments per nodule: label 2n - 1 the nodule without its solid part, 2n that part."""
    found = []
    for n in numbers:
        found.append(Segment(2 * n - 1, f"nodule_{n}", f"Nodule {n}", "nodule"))
        found.append(Segment(2 * n, f"nodule_{n}_solid", f"Nodule {n}, solid part", "nodule-solid"))
    return tuple(found)


def findings_of(
    measures: Mapping[int, NoduleMeasures], parameters: Parameters, *, contrast: bool = False
) -> tuple[Finding, ...]:
    """Say what was measured; keys start with ``nodule_N_``.

    ``contrast`` says that contrast medium was given: bright voxels are then not called calcium for certain.
    """
    found: list[Finding] = []
    for n, m in measures.items():
        for finding in (*_size(n, m), *_content(m, parameters, contrast=contrast), *_form(m)):
            key, name = f"nodule_{n}_{finding.key}", f"Nodule {n}: {finding.name}"
            found.append(replace(finding, key=key, name=name))
    found.append(Finding("nodule_count", "Nodules measured", len(measures), "1"))
    return tuple(found)


def _size(n: int, m: NoduleMeasures) -> tuple[Finding, ...]:
    best, axial = m.best_plane, m.planes[0]
    plane = f"{best.plane.value} plane, the one with the greatest mean diameter"
    return (
        Finding(
            "mean_diameter_mm",
            "mean diameter",
            m.mean_diameter_mm,
            "mm",
            DIAMETER,
            note=f"nodule {n}, mean diameter on the {plane}",
        ),
        Finding("long_axis_mm", "long axis", best.long_axis.length_mm, "mm", LONG_AXIS, note=plane),
        Finding(
            "short_axis_mm",
            "perpendicular short axis",
            best.short_axis.length_mm,
            "mm",
            SHORT_AXIS,
            note=plane,
        ),
        Finding("axial_mean_diameter_mm", "mean diameter, axial", round(axial.mean_mm, 1), "mm", DIAMETER),
        Finding("volume_mm3", "volume", round(m.volume_mm3), "mm3", VOLUME, m.interval_mm3),
    )


def _content(m: NoduleMeasures, parameters: Parameters, *, contrast: bool) -> tuple[Finding, ...]:
    d, solid = m.density, m.solid
    note = f"from {parameters.solid_threshold_hu:.0f} HU" if solid else NOT_PART_SOLID
    fat_note = (
        f"voxels of {parameters.fat_hu[0]:.0f} to {parameters.fat_hu[1]:.0f} HU inside, away from the border"
    )
    return (
        Finding("type", "type", m.kind.value, note=m.evidence),
        Finding("mean_hu", "mean attenuation", d.mean_hu, _HU, ATTENUATION),
        Finding("sd_hu", "standard deviation of attenuation", d.sd_hu, _HU),
        Finding("min_hu", "lowest attenuation", d.min_hu, _HU, note="partial volume with air included"),
        Finding("max_hu", "highest attenuation", d.max_hu, _HU),
        Finding("mass_mg", "mass", d.mass_mg, "mg", MASS, note="volume x (mean HU + 1000) / 1000"),
        Finding(
            "solid_volume_mm3",
            "volume of the solid part",
            round(solid.volume_mm3) if solid else None,
            "mm3",
            VOLUME,
            solid.volume_band_mm3 if solid else None,
            note,
        ),
        Finding(
            "solid_diameter_mm",
            "mean diameter of the solid part",
            round(solid.diameter_mm, 1) if solid else None,
            "mm",
            DIAMETER,
            solid.diameter_band_mm if solid else None,
            note,
        ),
        Finding(
            "calcification",
            "calcification",
            calcium_word(m, contrast=contrast),
            note=f"{m.calcium.volume_mm3:.0f} mm³ at or above {parameters.calcification_hu:.0f} HU;"
            " contrast medium can look the same",
        ),
        Finding(
            "fat",
            "fat",
            None if m.fat is None else "yes" if m.fat.found else "no",
            note="only looked for in solid nodules"
            if m.fat is None
            else f"{m.fat.volume_mm3:.0f} mm³; {fat_note}",
        ),
    )


def _form(m: NoduleMeasures) -> tuple[Finding, ...]:
    far = "over 45 mm" if m.pleura_mm is None else "0 when it touches; fissures are not found"
    click = "no point was given" if m.recentred_mm is None else "from the point to the centre of the nodule"
    r, a, s = m.centre_ras
    return (
        Finding("pleura_distance_mm", "distance to the pleura", m.pleura_mm, "mm", note=far),
        Finding("sphericity", "sphericity", m.sphericity, "1", note="1 is a ball"),
        Finding("thread_count", "threads that leave its surface", m.thread_count, "1", note=THREADS_OURS),
        Finding(
            "thread_share_percent",
            "share of its surroundings that threads fill",
            m.thread_share_percent,
            "%",
            note=THREADS_OURS,
        ),
        Finding("center_r_mm", "centre R", r, "mm", note="positive is the patient's right"),
        Finding("center_a_mm", "centre A", a, "mm", note="positive is anterior"),
        Finding("center_s_mm", "centre S", s, "mm", note="positive is superior"),
        Finding("recentred_mm", "moved from the point by", m.recentred_mm, "mm", note=click),
        Finding(
            "voxel_count_mm3",
            "volume by counting voxels of its segment",
            m.voxel_count_mm3,
            "mm3",
            VOLUME,
            note="the volume above follows a finer border",
        ),
    )


def calcium_word(m: NoduleMeasures, *, contrast: bool) -> str:
    """Say whether there is calcium; after contrast medium bright voxels leave it open."""
    if not m.calcium.found:
        return "no"
    return "unsure (contrast medium)" if contrast else "yes"


def tables_of(measures: Mapping[int, NoduleMeasures], *, contrast: bool = False) -> tuple[Table, ...]:
    """Lay out one row per nodule, and one row per nodule and plane."""
    return _nodule_table(measures, contrast=contrast), _plane_table(measures)


def _nodule_table(measures: Mapping[int, NoduleMeasures], *, contrast: bool) -> Table:
    columns = (
        Column("nodule", "Nodule", "1", "in the order of the points"),
        Column("type", "Type"),
        Column("mean_diameter_mm", "Mean diameter", "mm", "greatest of the three planes", DIAMETER),
        Column("plane", "Plane"),
        Column("long_axis_mm", "Long axis", "mm", "", LONG_AXIS),
        Column("short_axis_mm", "Short axis", "mm", "perpendicular to the long axis", SHORT_AXIS),
        Column("volume_mm3", "Volume", "mm3", "", VOLUME),
        Column("solid_diameter_mm", "Solid part", "mm", NOT_PART_SOLID, DIAMETER),
        Column("solid_volume_mm3", "Solid part", "mm3", NOT_PART_SOLID, VOLUME),
        Column("mean_hu", "Mean attenuation", _HU, "", ATTENUATION),
        Column("mass_mg", "Mass", "mg", "", MASS),
        Column("pleura_distance_mm", "To the pleura", "mm", "empty beyond 45 mm"),
        Column("calcification", "Calcification"),
        Column("fat", "Fat", "", "only of solid nodules"),
        Column("center_r_mm", "Centre R", "mm"),
        Column("center_a_mm", "Centre A", "mm"),
        Column("center_s_mm", "Centre S", "mm"),
        Column("recentred_mm", "Moved", "mm", "from the point to the centre"),
    )
    return Table(
        "nodules", "Nodules", columns, tuple(_row(n, m, contrast=contrast) for n, m in measures.items())
    )


def _row(n: int, m: NoduleMeasures, *, contrast: bool) -> tuple[float | int | str | None, ...]:
    best = m.best_plane
    return (
        n,
        m.kind.value,
        m.mean_diameter_mm,
        best.plane.value,
        round(best.long_axis.length_mm, 1),
        round(best.short_axis.length_mm, 1),
        round(m.volume_mm3),
        round(m.solid.diameter_mm, 1) if m.solid else None,
        round(m.solid.volume_mm3) if m.solid else None,
        m.density.mean_hu,
        m.density.mass_mg,
        m.pleura_mm,
        calcium_word(m, contrast=contrast),
        None if m.fat is None else "yes" if m.fat.found else "no",
        *m.centre_ras,
        m.recentred_mm,
    )


def _plane_table(measures: Mapping[int, NoduleMeasures]) -> Table:
    columns = (
        Column("nodule", "Nodule", "1"),
        Column("plane", "Plane"),
        Column("long_axis_mm", "Long axis", "mm", "", LONG_AXIS),
        Column("short_axis_mm", "Short axis", "mm", "", SHORT_AXIS),
        Column("mean_diameter_mm", "Mean diameter", "mm", "", DIAMETER),
    )
    rows = tuple(
        (n, p.plane.value, p.long_axis.length_mm, p.short_axis.length_mm, round(p.mean_mm, 1))
        for n, m in measures.items()
        for p in m.planes
    )
    return Table("planes", "Diameters on three planes", columns, rows)


def lines_of(measures: Mapping[int, NoduleMeasures]) -> tuple[MeasuredLine, ...]:
    """Lines of the best plane and of the axial one, once when they are the same."""
    found: list[MeasuredLine] = []
    for n, m in measures.items():
        for plane in dict.fromkeys((m.best_plane, m.planes[0])):
            found += [
                replace(line, key=f"nodule_{n}_{line.key}", name=f"{n}: {line.name}")
                for line in (plane.long_axis, plane.short_axis)
            ]
    return tuple(found)
