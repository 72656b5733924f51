"""Slice positions decide: order, tilt, uneven steps, holes, doubles."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import GeometryError, SliceGapError
from ctinsight.files import ReadOptions, read_scan
from makers.dicom_series import SeriesRecipe, write_series

_TILT = 18.5
_COS = float(np.cos(np.radians(_TILT)))


def ellipsoid(center_ras, radii_mm):
    """Return a field of 100 HU inside an ellipsoid and 0 HU outside."""
    center, radii = np.array(center_ras), np.array(radii_mm)
    return lambda points: np.where((((points - center) / radii) ** 2).sum(axis=-1) <= 1, 100.0, 0.0)


def left_half(points):
    """100 HU on the patient's left (R coordinate below 0), 0 HU on the right."""
    return np.where(points[..., 0] < 0, 100.0, 0.0)


def test_a_plain_series_keeps_every_value_and_place(tmp_path):
    """HU = -0.5 x R + 2 x A + S is read back to rounding at each voxel's own RAS position."""
    write_series(tmp_path, SeriesRecipe(), lambda p: -0.5 * p[..., 0] + 2 * p[..., 1] + p[..., 2])
    volume = read_scan(tmp_path).volume
    k, j, i = np.indices(volume.array_kji.shape)
    r, a, s = np.moveaxis(volume.grid.ras_from_ijk(np.stack([i, j, k], axis=-1)), -1, 0)
    assert volume.grid.spacing_ijk_mm == pytest.approx((0.6, 0.8, 5.0))
    assert np.abs(volume.array_kji - (-0.5 * r + 2 * a + s)).max() <= 0.501


@pytest.mark.parametrize("flips", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_left_stays_left_however_the_slice_is_turned(tmp_path, flips):
    """Voxels of 100 HU are exactly those with a negative R coordinate, for every in-plane flip."""
    recipe = SeriesRecipe(flips=flips, corner_lps=(-3.1 * flips[0], -5.0 * flips[1]))
    write_series(tmp_path, recipe, left_half)
    volume = read_scan(tmp_path).volume
    k, j, i = np.indices(volume.array_kji.shape)
    is_left = volume.grid.ras_from_ijk(np.stack([i, j, k], axis=-1))[..., 0] < 0
    assert 0 < is_left.sum() < is_left.size
    assert np.array_equal(volume.array_kji > 50, is_left)


def test_file_order_does_not_matter(tmp_path):
    """Slices whose file names run downwards are stacked upwards by position."""
    recipe = SeriesRecipe(table_mm=(15.0, 10.0, 5.0, 0.0))
    write_series(tmp_path, recipe, lambda p: p[..., 2])
    volume = read_scan(tmp_path).volume
    assert volume.array_kji[:, 0, 0].tolist() == [0, 5, 10, 15]
    assert volume.grid.ras_from_ijk((0, 0, 3))[2] == pytest.approx(15)


def test_gantry_tilt_is_corrected_and_reported(tmp_path):
    """A field that is linear in RAS is still that field after an 18.5 degree shear is resampled."""
    table = tuple(np.arange(5) * 4.0 / _COS)
    field = lambda p: 10 * p[..., 0] + 20 * p[..., 1] + 5 * p[..., 2]  # noqa: E731
    write_series(tmp_path, SeriesRecipe(table_mm=table, tilt_degrees=_TILT, thickness_mm=4.0), field)
    scan = read_scan(tmp_path)
    volume = scan.volume
    k, j, i = np.indices(volume.array_kji.shape)
    expected = field(volume.grid.ras_from_ijk(np.stack([i, j, k], axis=-1)))
    core = (slice(None), slice(7, 14), slice(1, -1))  # rows that every shifted slice covers
    assert scan.acquisition.gantry_tilt_degrees == pytest.approx(18.5, abs=1e-3)
    assert volume.grid.spacing_ijk_mm == pytest.approx((0.6, 0.8, 4.0), abs=1e-6)
    assert np.abs(volume.array_kji - expected)[core].max() <= 1.01


def test_a_tilted_stack_along_its_normal_needs_no_resampling(tmp_path):
    """Tilted slices stacked along their normal are a right-angled oblique grid already."""
    recipe = SeriesRecipe(tilt_degrees=12.0, sheared=False, tags={"GantryDetectorTilt": "12"})
    write_series(tmp_path, recipe)
    scan = read_scan(tmp_path)
    assert not scan.acquisition.resampled
    assert scan.acquisition.gantry_tilt_degrees == 0
    assert any("stacked straight" in note for note in scan.acquisition.notes)


def _uneven(center_s: float, radii: tuple[float, float, float]) -> tuple[SeriesRecipe, object, float]:
    steps = np.array([4.0] * 11 + [1.08] + [7.0] * 7) / _COS
    recipe = SeriesRecipe(
        table_mm=tuple(np.concatenate([[0.0], np.cumsum(steps)])),
        tilt_degrees=_TILT,
        size=(72, 64),
        spacing_mm=(0.8, 0.8),
        corner_lps=(-25.0, -26.0),
        thickness_mm=(4.0,) * 12 + (7.0,) * 8,
    )
    return recipe, ellipsoid((1.0, -2.0, center_s), radii), 4 / 3 * np.pi * float(np.prod(radii)) / 1000


@pytest.mark.parametrize(
    ("center_s", "radii"), [(38.0, (20, 19, 22)), (44.0, (19, 21, 24)), (50.0, (18, 20, 23))]
)
def test_a_lesion_across_4_to_7_mm_steps_with_tilt_keeps_its_volume(tmp_path, center_s, radii):
    """An ellipsoid of 35 to 40 mL, thresholded at half height, is right within 2 % after resampling."""
    recipe, field, truth_ml = _uneven(center_s, radii)
    write_series(tmp_path, recipe, field, oversampling=2)
    scan = read_scan(tmp_path)
    volume_ml = (scan.volume.array_kji > 50).sum() * scan.volume.grid.voxel_volume_ml
    assert scan.acquisition.resampled
    assert scan.volume.grid.spacing_ijk_mm[2] == pytest.approx(2.0, abs=1e-3)
    assert volume_ml == pytest.approx(truth_ml, rel=0.02)


@pytest.mark.parametrize(
    ("table", "thickness", "where"),
    [
        ((0, 5, 10, 20), 5.0, [(10, 20)]),
        ((0, 5, 15, 20, 25), 5.0, [(5, 15)]),
        ((0, 5, 15, 25, 30, 35), 5.0, [(5, 15), (15, 25)]),
        ((0, 50), 5.0, [(0, 50)]),
    ],
)
def test_a_hole_is_refused_with_its_positions(tmp_path, table, thickness, where):
    """A step beyond 1.5 times the thickness and its neighbours is refused; --allow-gaps reads and says so."""
    write_series(tmp_path, SeriesRecipe(table_mm=tuple(map(float, table)), thickness_mm=thickness))
    with pytest.raises(SliceGapError, match=f"{where[0][0]}.00 and {where[0][1]}.00 mm"):
        read_scan(tmp_path)
    acquisition = read_scan(tmp_path, ReadOptions(allow_gaps=True)).acquisition
    assert acquisition.gaps == tuple(where)
    assert any("missing" in note for note in acquisition.notes)


@pytest.mark.parametrize(
    ("table", "thickness"),
    [
        ((0, 4, 8, 12, 19, 26, 33), 4.0),  # a change of increment
        ((0, 10, 20, 30), 1.0),  # high-resolution chest protocol
        ((0, 2.5, 5, 10, 12.5), 5.0),  # overlapping slices: 5 mm thick ones still touch
        ((0, 4, 8, 9.1, 16.1, 23.1), (4.0, 4.0, 4.0, 7.0, 7.0, 7.0)),  # a short step at the junction
    ],
)
def test_steps_that_leave_no_hole_are_read(tmp_path, table, thickness):
    """Uneven or wide steps without a hole are read, and the positions are in the acquisition."""
    write_series(tmp_path, SeriesRecipe(table_mm=tuple(map(float, table)), thickness_mm=thickness))
    acquisition = read_scan(tmp_path).acquisition
    assert acquisition.slice_positions_mm == pytest.approx(table)
    assert acquisition.gaps == ()


def test_exact_doubles_are_left_out_and_different_ones_refused(tmp_path):
    """Two slices at one place: the same pixels are dropped with a note, other pixels are refused."""
    recipe = SeriesRecipe(table_mm=(0.0, 5.0, 5.0, 10.0))
    write_series(tmp_path / "same", recipe)
    scan = read_scan(tmp_path / "same")
    assert scan.volume.array_kji.shape[0] == 3
    assert any("repeat" in note for note in scan.acquisition.notes)
    write_series(
        tmp_path / "other", recipe, lambda p: np.full(p.shape[:-1], np.random.default_rng().uniform(0, 99))
    )
    with pytest.raises(SliceGapError, match="two different slices at one place"):
        read_scan(tmp_path / "other")


def test_rounded_positions_are_not_resampled(tmp_path):
    """Positions rounded to 0.01 mm at 0.625 mm steps stay on the slices as they are."""
    table = tuple(np.round(np.arange(40) * 0.625, 2))
    write_series(tmp_path, SeriesRecipe(table_mm=table, thickness_mm=0.625, size=(4, 4)))
    scan = read_scan(tmp_path)
    assert not scan.acquisition.resampled
    assert scan.volume.grid.spacing_ijk_mm[2] == pytest.approx(0.625, abs=1e-3)


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        ({"ImagePositionPatient": None}, "ImagePositionPatient"),
        ({"ImageOrientationPatient": None}, "ImageOrientationPatient"),
        ({"PixelSpacing": None}, "PixelSpacing"),
        ({"PixelSpacing": ["0", "0.5"]}, "PixelSpacing"),
        ({"ImageOrientationPatient": ["1", "0", "0", "0.2", "1", "0"]}, "ImageOrientationPatient"),
        ({"ImageOrientationPatient": ["0", "0", "0", "0", "0", "0"]}, "ImageOrientationPatient"),
    ],
)
def test_slices_without_a_place_are_refused(tmp_path, tags, word):
    """No position, orientation or spacing, or an impossible one, is refused by name."""
    write_series(tmp_path, SeriesRecipe(tags=tags))
    with pytest.raises(GeometryError, match=word):
        read_scan(tmp_path)


def test_a_series_with_two_pixel_spacings_is_refused(tmp_path):
    """Half a head at another zoom would be lost if only the larger half were read."""
    slice_tags = {3: {"PixelSpacing": ["0.5", "0.5"]}}
    write_series(tmp_path, SeriesRecipe(slice_tags=slice_tags))
    with pytest.raises(GeometryError, match="pixel spacing"):
        read_scan(tmp_path)


def test_a_single_slice_needs_a_thickness(tmp_path):
    """One slice is read with its stated thickness as height, and refused without."""
    write_series(tmp_path / "a", SeriesRecipe(table_mm=(0.0,)))
    assert read_scan(tmp_path / "a").volume.grid.spacing_ijk_mm[2] == 5.0
    write_series(tmp_path / "b", SeriesRecipe(table_mm=(0.0,), tags={"SliceThickness": None}))
    with pytest.raises(GeometryError, match="single slice"):
        read_scan(tmp_path / "b")
