"""One case from masks, and from a click: known wall, volumes and distances, and what is not applicable."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import ProcessingFailedError, WrongUseError
from ctinsight.finding import Outcome, Side
from ctinsight.measure import dice
from ctinsight.tasks.dcr import Parameters, measure_segmentation, run
from ctinsight.tasks.dcr.anatomy import r_mm
from ctinsight.volume import Scan
from midfaces import LEFT_WALL_MM, RIGHT_WALL_MM, midface, scan_of


@pytest.fixture(scope="module")
def result():
    """Both sides drawn, the left one operated."""
    case = midface()
    return measure_segmentation(scan_of(case), case.labels_kji, Parameters(side="left"))


def test_volumes_within_three_percent(result):
    """Sac, wall and nasal cavity have the volumes of their formulas."""
    truth = midface().truth[Side.LEFT]
    assert result.finding("sac_volume_mm3").value == pytest.approx(truth.sac_volume_mm3, rel=0.03)
    assert result.finding("maxilla_volume_mm3").value == pytest.approx(truth.maxilla_volume_mm3, rel=0.03)
    assert result.finding("nasal_volume_mm3").value == pytest.approx(truth.nasal_volume_mm3, rel=0.03)


def test_thickness_in_three_dimensions(result):
    """The oblique wall of 4.5 mm reads 4.5 mm; the published mean reads little more than half."""
    assert result.finding("wall_thickness_median_mm").value == pytest.approx(LEFT_WALL_MM, abs=0.2)
    assert result.finding("maxilla_thickness_mean_mm").value < 3.0


def test_distance_from_sac_to_nose(result):
    """Wall and 1 mm of soft tissue on either side of it."""
    assert result.finding("sac_nasal_distance_mm").value == pytest.approx(LEFT_WALL_MM + 2, abs=0.4)
    assert result.finding("bone_on_path_mm").value == pytest.approx(LEFT_WALL_MM, abs=0.4)


def test_smallest_section(result):
    """An ellipsoid of 2.5 x 3 x 6 mm has pi * 2.5 * 3 * (1 - 0.7²) = 12.0 mm² at 0.7 of its half length."""
    assert result.finding("sac_minimum_section_mm2").value == pytest.approx(12.0, rel=0.1)


def test_planned_opening(result):
    """Drilled along the wall's normal, an opening in a wall of 4.5 mm needs 4.5 mm everywhere."""
    case = midface()
    truth = case.truth[Side.LEFT]
    axis = Parameters(
        side="left",
        window_center_ras=truth.wall_centre_ras,
        window_axis_ras=tuple(truth.wall_frame[0]),
        window_diameter_mm=8.0,
    )
    planned = measure_segmentation(scan_of(case), case.labels_kji, axis)
    assert planned.finding("window_depth_mean_mm").value == pytest.approx(LEFT_WALL_MM, abs=0.15)
    expected = LEFT_WALL_MM * np.pi * 4**2
    assert planned.finding("window_bone_volume_mm3").value == pytest.approx(expected, rel=0.04)


def test_sides_are_compared(result):
    """The table has the 4.5 mm under left, the 2.5 mm under right, and their difference."""
    row = next(r for r in result.table("sides").rows if r[0] == "bone thickness in 3-D, median")
    assert row[2] == pytest.approx(RIGHT_WALL_MM, abs=0.2)
    assert row[3] == pytest.approx(LEFT_WALL_MM, abs=0.2)
    assert row[4] == pytest.approx(row[3] - row[2])


def test_every_number_has_its_range(result):
    """One voxel more and less: the published value lies within, and bone of 4.5 mm changes by two voxels."""
    for finding in result.findings:
        if finding.interval is not None:
            assert finding.interval.low <= finding.value <= finding.interval.high
    interval = result.finding("wall_thickness_median_mm").interval
    assert interval.high - interval.low == pytest.approx(4 * 0.75, abs=0.5)


def test_surface_carries_the_thickness(result):
    """The model of the bone has one value per vertex, 2.5 mm on the right and 4.5 mm on the left."""
    surface = result.surface
    right = surface.vertices_ras[:, 0] > 0
    assert len(surface.values) == len(surface.vertices_ras)
    assert np.median(surface.values[right]) == pytest.approx(RIGHT_WALL_MM, abs=0.2)
    assert np.median(surface.values[~right]) == pytest.approx(LEFT_WALL_MM, abs=0.2)


def test_missing_sac_is_not_applicable():
    """Without a sac on the operated side nothing of it is 0: it has no value and says why."""
    case = midface()
    labels = np.where(case.labels_kji == 1, 0, case.labels_kji)
    found = measure_segmentation(scan_of(case), labels, Parameters(side="left"))
    for key in ("lac_volume_mm3", "sac_volume_mm3", "maxilla_thickness_mean_mm", "window_depth_mean_mm"):
        assert found.finding(key).value is None
        assert found.finding(key).note
    assert found.finding("lac_volume_mm3").note == "no sac is drawn on the operated side"
    assert found.finding("wall_thickness_median_mm").value == pytest.approx(LEFT_WALL_MM, abs=0.2)


@pytest.mark.parametrize("labels", [np.zeros((2, 2, 2)), np.full((2, 2, 2), 7)])
def test_labels_that_mean_nothing_are_refused(labels):
    """An empty labelmap, or a label 7, is a wrong call."""
    case = midface()
    wrong = np.zeros_like(case.labels_kji)
    wrong[:2, :2, :2] = labels
    with pytest.raises(WrongUseError):
        measure_segmentation(scan_of(case), wrong)


def test_plain_ct_is_said():
    """A sac of 25 HU holds no contrast medium."""
    case = midface()
    array = case.volume.array_kji.copy()
    array[case.labels_kji == 1] = 25
    scan = Scan(case.volume.with_array(array), scan_of(case).acquisition)
    found = measure_segmentation(scan, case.labels_kji, Parameters(side="left"))
    check = next(c for c in found.checks if c.key == "sac_contrast")
    assert check.outcome is Outcome.WARN
    assert "plain CT" in check.measured


def test_cone_beam_is_said():
    """A description with CBCT gives a warning."""
    case = midface()
    scan = scan_of(case, series_description="CBCT midface")
    found = measure_segmentation(scan, case.labels_kji, Parameters(side="left"))
    assert next(c for c in found.checks if c.key == "kind").outcome is Outcome.WARN


@pytest.mark.parametrize("side", [Side.LEFT, Side.RIGHT])
def test_one_click_outlines_the_side(side):
    """From a click: sac and nasal air overlap with the truth by more than 95 %, and the side is known."""
    case = midface()
    found = run(scan_of(case), Parameters(sac_point_ras=case.truth[side].sac_centre_ras))
    own = np.broadcast_to(r_mm(case.volume.grid) > 0, case.labels_kji.shape) == (side is Side.RIGHT)
    for key, label in (("sac", 1), ("nasal", 3)):
        assert dice(found.segmentation.mask_kji(key), (case.labels_kji == label) & own) > 0.95
    bone = found.segmentation.mask_kji("maxilla")
    assert bone[(case.labels_kji == 2) & own].mean() > 0.85
    assert found.finding("operated_side").value == side.value


def test_click_on_soft_tissue_is_refused():
    """Where there is no contrast medium nothing is outlined."""
    with pytest.raises(WrongUseError, match="HU at the point"):
        run(scan_of(midface()), Parameters(sac_point_ras=(0.0, 40.0, 0.0)))


def test_click_on_bone_without_contrast_is_no_sac():
    """A click into a large bone runs beyond the size of a sac."""
    case = midface()
    with pytest.raises((ProcessingFailedError, WrongUseError)):
        run(scan_of(case), Parameters(sac_point_ras=(46.0, 18.0, -16.0)))


def test_result_folder_holds_model_and_picture(result, tmp_path):
    """The bone's model and its picture are written, and the model is read back as it was."""
    from ctinsight.report import read_result, write_result

    written = write_result(result, scan_of(midface()), tmp_path / "out")
    stored = read_result(tmp_path / "out").result
    assert {"surface", "surface_picture"} <= written.files.keys()
    assert stored.surface.values == pytest.approx(result.surface.values, abs=1e-3)
    assert stored.surface.vertices_ras == pytest.approx(result.surface.vertices_ras, abs=1e-3)


def test_command_line(tmp_path, capsys):
    """The command measures masks, tells the stated side, and refuses a contradiction."""
    from ctinsight.cli import run_command_line
    from ctinsight.files import write_volume
    from ctinsight.volume import Volume

    case = midface()
    ct, masks = tmp_path / "ct.nii.gz", tmp_path / "masks.nii.gz"
    write_volume(case.volume, ct)
    left = np.where(np.broadcast_to(r_mm(case.volume.grid) < 0, case.labels_kji.shape), case.labels_kji, 0)
    write_volume(Volume(left.astype(np.uint8), case.volume.ijk_to_ras), masks)
    call = ["dcr", str(ct), "--masks", str(masks), "--out"]
    assert run_command_line([*call, str(tmp_path / "a"), "--side", "left"]) == 0
    assert "Operated side" in capsys.readouterr().out
    with pytest.raises(WrongUseError, match="patient's left"):
        run_command_line([*call, str(tmp_path / "b"), "--side", "right"])
    with pytest.raises(WrongUseError, match="none of --masks, --sac-point, --segment"):
        run_command_line(["dcr", str(ct), "--out", str(tmp_path / "c")])
