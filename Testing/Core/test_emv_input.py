"""Cubes and views of EMV-3D-CNN: the original's numbers, patient directions, borders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from ctinsight.errors import InputRefusedError
from ctinsight.nets.emv_networks import ViewSet
from ctinsight.resample import reorient
from ctinsight.tasks.nodule.emv_input import (
    BorderRule,
    CenterRule,
    CubeRules,
    SliceOrder,
    cut_cube,
    cut_views,
    middle_slice,
)
from ctinsight.volume import Volume

AS_PUBLISHED = CubeRules(center=CenterRule.VOXEL, border=BorderRule.STRETCH)


def stored_volume(array, spacing_zyx):
    """Return a volume whose slices run downwards, rows to the back and columns to the left, as in DICOM."""
    k, j, i = spacing_zyx
    return Volume(array, np.diag([-i, -j, -k, 1.0]))


@pytest.fixture
def case(shared):
    """Return a function from a number to (volume, centre in RAS, the reference file)."""

    def read(number):
        numbers = np.load(shared / "reference" / "emv" / f"preproc_case{number}.npz")
        volume = stored_volume(numbers["ct_int16_zyx"], numbers["spacing_zyx"])
        z = middle_slice(*(int(value) for value in numbers["Z_range"]))
        return volume, volume.grid.ras_from_ijk([int(numbers["X"]), int(numbers["Y"]), z]), numbers

    return read


@pytest.fixture(scope="module")
def blob():
    """Return a CT (1.25 x 0.8 x 0.8 mm) with a soft nodule off its middle in all three axes."""
    array = np.full((70, 110, 110), -850.0)
    ball = ndimage.gaussian_filter(np.pad(np.ones((6, 12, 16)), 12), 1.5)
    array[20:50, 30:66, 40:80] += 900 * ball
    return stored_volume(array, (1.25, 0.8, 0.8)), (-48.0, -38.4, -43.75)


@pytest.mark.parametrize("rules", [CubeRules(), AS_PUBLISHED], ids=["ours", "as published"])
def test_cube_is_the_original_s(case, rules):
    """Away from the border both rules give the authors' cube, voxel for voxel."""
    volume, center, numbers = case(0)
    cube = cut_cube(volume, center, rules)
    np.testing.assert_allclose(cube.array, numbers["crop100_nb12"], atol=1e-6)
    assert (cube.outside_fraction, cube.notes) == (0.0, ())


def test_border_case_is_stretched_only_on_request(case):
    """The authors' second program stretches case 3; we reproduce that when asked, and say so."""
    volume, center, numbers = case(3)
    cube = cut_cube(volume, center, AS_PUBLISHED)
    np.testing.assert_allclose(cube.array, numbers["crop100_nb13"], atol=1e-6)
    assert "distorted" in cube.notes[0]


def test_border_case_is_filled_with_air_and_said(case):
    """By default case 3, which the authors' first program skips, keeps its shape beside 21 % of air."""
    volume, center, numbers = case(3)
    cube = cut_cube(volume, center)
    # 43 of 50 slices and 66 of 72 rows lie inside: 1 - 43/50 * 66/72 = 0.2117.
    assert cube.outside_fraction == pytest.approx(1 - 43 / 50 * 66 / 72)
    assert cube.notes[0].startswith("21 % of the 62.5 mm cube lies outside the image along slices, rows")
    assert np.all(cube.array[0] == -0.25)
    assert numbers["crop100_nb12"].size == 0


def test_border_case_can_be_refused(case):
    """With the rule "refuse" the axes that are short are named."""
    volume, center, _ = case(3)
    with pytest.raises(InputRefusedError, match="along slices, rows"):
        cut_cube(volume, center, CubeRules(border=BorderRule.REFUSE))


@pytest.mark.parametrize("name", ["60_40_20", "80_60_40"])
def test_views_are_the_original_s(shared, name):
    """Three views of two cubes equal the authors' loader, and the middle one is the cube itself."""
    folder = shared / "reference" / "emv"
    sizes = [int(size) for size in name.split("_")]
    cubes = [np.load(folder / "preproc_case0.npz")["crop100_nb12"]]
    cubes.append(np.load(folder / "preproc_case3.npz")["crop100_nb13"])
    views = cut_views(cubes, ViewSet(*sizes))
    expected = np.load(folder / f"views_{name}.npz")["x"][[0, 3]]
    np.testing.assert_allclose(views, expected, atol=1e-6)
    start = 50 - sizes[1] // 2
    assert np.array_equal(views[0, 1], cubes[0][(slice(start, start + sizes[1]),) * 3])


@pytest.mark.parametrize(
    "axes", [((2, 1), (1, 1), (0, 1)), ((0, -1), (2, 1), (1, -1))], ids=["RAS", "sagittal"]
)
def test_stored_order_does_not_matter(blob, axes):
    """The same patient stored in another order gives the same cube."""
    volume, center = blob
    other = Volume(*_parts(reorient(volume.array_kji, volume.grid, ras_axes=axes)))
    np.testing.assert_allclose(cut_cube(other, center).array, cut_cube(volume, center).array, atol=1e-6)


def _parts(turned):
    array, grid = turned
    return np.ascontiguousarray(array), grid.ijk_to_ras


def test_slices_run_downwards_rows_backwards_columns_leftwards():
    """A bright ball above, in front and to the right of the centre lies at low indices of the cube."""
    array = np.full((80, 90, 90), -900.0)
    array[25:30, 30:36, 20:26] = 0.0  # slices downwards, rows backwards, columns to the left
    volume = stored_volume(array, (1.0, 0.8, 0.8))
    cube = cut_cube(volume, volume.grid.ras_from_ijk([45, 45, 40])).array
    k, j, i = np.unravel_index(int(np.argmax(cube)), cube.shape)
    assert k < 45
    assert j < 45
    assert i < 45


def test_other_slice_order_turns_the_cube(blob):
    """With slices from inferior to superior the cube is upside down about its centre.

    A block of 2 x 25 slices at 1.25 mm becomes 100, so the point in slice 25 lies at 25 x 99 / 49 = 50.5 in
    both: the authors' block holds one slice more before the point than behind it.
    """
    volume, center = blob
    down = cut_cube(volume, center).array
    up = cut_cube(volume, center, CubeRules(slice_order=SliceOrder.INFERIOR_FIRST)).array
    centroids = [ndimage.center_of_mass(np.clip(c - 0.2, 0, None)) for c in (down, up)]
    assert centroids[0][0] + centroids[1][0] == pytest.approx(2 * 25 * 99 / 49, abs=0.1)
    assert centroids[0][1:] == pytest.approx(centroids[1][1:], abs=0.1)


def test_a_point_between_voxels_is_met(blob):
    """Moving the centre by 1 mm moves the nodule in the cube by 1 / 0.625 = 1.6 voxels, in each axis."""
    volume, center = blob
    before = cut_cube(volume, center).array
    moved = cut_cube(volume, (center[0] - 1.0, center[1] - 1.0, center[2] - 1.0)).array
    shift = np.subtract(*[ndimage.center_of_mass(np.clip(c - 0.2, 0, None)) for c in (before, moved)])
    assert shift == pytest.approx([1.6, 1.6, 1.6], abs=0.06)


def test_the_nodule_s_size_is_kept(blob):
    """A nodule's extent in the cube is its extent in mm over 0.625, within the corner-aligned 2 %."""
    volume, center = blob
    cube = cut_cube(volume, center).array
    native = (volume.array_kji > -400).sum() * volume.grid.voxel_volume_mm3
    assert (cube > (-400 + 1400) / 1800 - 0.25).sum() * 0.625**3 == pytest.approx(native, rel=0.07)


def test_a_point_outside_is_refused(blob):
    """A centre in other coordinates (LPS for RAS) is refused with its numbers."""
    volume, (r, a, s) = blob
    with pytest.raises(InputRefusedError, match=r"R 48\.0, A 38\.4, S -43\.8"):
        cut_cube(volume, (-r, -a, s))
