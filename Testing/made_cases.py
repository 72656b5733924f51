"""A made-up head with one blob at the patient's left, and a full result of it, for tests.

The head is drawn in patient space, so any grid may sample it: what a test knows of the blob (its side, centre
and size) does not depend on how the voxels lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctinsight.finding import Check, Column, Finding, Interval, MeasuredLine, Outcome, Segment, Table
from ctinsight.result import CaseResult, Segmentation
from ctinsight.terms import Code
from ctinsight.volume import Acquisition, Grid, Scan, Volume

#: Centre (RAS, mm) and half-axes (mm) of the blob: at the patient's left, in front, above the centre.
BLOB_CENTER_RAS = np.array([-32.0, 14.0, 12.0])
BLOB_HALF_AXES_MM = np.array([16.0, 22.0, 14.0])
BLOB_ML = float(4 / 3 * np.pi * BLOB_HALF_AXES_MM.prod() / 1000)

VOLUME_CODE = Code("SCT", "118565006", "Volume")


@dataclass(frozen=True)
class MadeCase:
    """A result and the scan it belongs to."""

    result: CaseResult
    scan: Scan


def made_grid(spacing_ijk_mm=(3.0, 3.0, 5.0), *, turned_degrees=(0.0, 0.0, 0.0), signs=(-1, -1, 1)) -> Grid:
    """Return a grid that holds the head; ``signs`` (-1, -1, 1) is the usual DICOM order of an axial CT."""
    spacing = np.array(spacing_ijk_mm)
    size_ijk = np.ceil(np.array([190.0, 220.0, 190.0]) / spacing).astype(int)
    directions = _turn(*turned_degrees) @ np.diag(signs).astype(float)
    matrix = np.eye(4)
    matrix[:3, :3] = directions * spacing
    matrix[:3, 3] = -matrix[:3, :3] @ ((size_ijk - 1) / 2)
    return Grid(tuple(size_ijk[::-1]), matrix)


def _turn(x_degrees: float, y_degrees: float, z_degrees: float) -> np.ndarray:
    (cx, cy, cz), (sx, sy, sz) = (f(np.radians([x_degrees, y_degrees, z_degrees])) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def made_case(grid: Grid | None = None, *, empty: bool = False) -> MadeCase:
    """Draw the head on a grid and make the result that a task would hand over."""
    grid = grid or made_grid()
    array_kji, blob = _draw_head(grid, with_blob=not empty)
    segment = Segment(1, "hematoma", "Hematoma", "hematoma")
    segmentation = Segmentation(blob.astype(np.uint8), grid, (segment,))
    volume_ml = float(blob.sum()) * grid.voxel_volume_ml
    acquisition = Acquisition("made up", modality="CT", slice_thickness_mm=grid.spacing_ijk_mm[2])
    result = CaseResult(
        task="hematoma",
        findings=_findings(volume_ml),
        tables=(_components(volume_ml),),
        checks=(
            Check("modality", "Modality", Outcome.PASS, "CT", "CT"),
            Check(
                "slice_spacing", "Slice spacing", Outcome.WARN, "5.5 mm", "at most 5 mm", "Read with care."
            ),
        ),
        segmentation=segmentation,
        lines=() if empty else _lines(),
        statements=("One class only: intraventricular and extra-axial blood are not told apart.",),
        manifest={"method": "seeded threshold, no weights", "parameters": {"low_hu": np.float32(45.0)}},
    )
    return MadeCase(result, Scan(Volume(array_kji, grid.ijk_to_ras), acquisition))


def _draw_head(grid: Grid, *, with_blob: bool) -> tuple[np.ndarray, np.ndarray]:
    k, j, i = np.indices(grid.shape_kji)
    ras = grid.ras_from_ijk(np.stack([i, j, k], axis=-1))

    def inside(center, half_axes):
        return (((ras - np.array(center)) / np.array(half_axes)) ** 2).sum(axis=-1) <= 1.0

    array = np.full(grid.shape_kji, -1000.0)
    # A nose, so that front and back cannot be mistaken for one another in a picture.
    array[inside((0, 98, -20), (9, 14, 16))] = 30.0
    for half_axes, hu in (((82, 98, 84), 30), ((76, 92, 78), 900), ((70, 86, 72), 34)):
        array[inside((0, 0, 0), half_axes)] = hu
    for side in (-1, 1):
        array[inside((side * 9, 2, 8), (5, 26, 9))] = 6.0
    blob = inside(BLOB_CENTER_RAS, BLOB_HALF_AXES_MM) & with_blob
    array[blob] = 62.0
    noise = np.random.default_rng(5).normal(0.0, 3.0, grid.shape_kji)
    return np.round(array + noise).astype(np.int16), blob


def _findings(volume_ml: float) -> tuple[Finding, ...]:
    bound = Interval(0.9 * volume_ml, 1.1 * volume_ml, "partial-volume bound")
    return (
        Finding("volume_ml", "Hematoma volume", volume_ml, "mL", VOLUME_CODE, bound),
        Finding(
            "mean_hu", "Mean attenuation", 61.7 if volume_ml else None, "[hnsf'U]", note="inside the segment"
        ),
        Finding("side", "Side", "left" if volume_ml else None, note="by the midsagittal plane"),
    )


def _components(volume_ml: float) -> Table:
    columns = (
        Column("component", "Component"),
        Column("volume_ml", "Volume", "mL", "voxels times voxel volume", VOLUME_CODE),
        Column("mean_hu", "Mean attenuation", "[hnsf'U]", "mean of its voxels"),
        Column("side", "Side", "", "by the midsagittal plane"),
        Column("distance_mm", "Distance to midline", "mm", "not measured in this made-up case"),
    )
    rows = ((1, volume_ml, 61.7, "left", None),) if volume_ml else ()
    return Table("components", "Components", columns, rows)


def _lines() -> tuple[MeasuredLine, ...]:
    ends = {}
    for name, axis in (("A", 1), ("B", 0), ("C", 2)):
        half = np.zeros(3)
        half[axis] = BLOB_HALF_AXES_MM[axis]
        ends[name] = (tuple(BLOB_CENTER_RAS - half), tuple(BLOB_CENTER_RAS + half))
    return tuple(MeasuredLine(f"abc2_{n.lower()}", n, *points) for n, points in ends.items())
