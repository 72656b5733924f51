"""What is written is read back: values, spacing, origin, sides, in every format and by other readers."""

from __future__ import annotations

import subprocess
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctinsight.errors import InputRefusedError, WrongUseError
from ctinsight.files import read_labelmap, read_scan, write_volume
from ctinsight.volume import Volume

_FORMATS = ("nii", "nii.gz", "nrrd", "mha")
_TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_once = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def volumes(draw):
    """Draw volumes on oblique, flipped and permuted grids of every number type."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    if draw(st.booleans()):
        axes = np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3)
    matrix = np.eye(4)
    matrix[:3, :3] = axes * rng.uniform(0.2, 7.5, 3)
    matrix[:3, 3] = rng.uniform(-300, 300, 3)
    shape = tuple(draw(st.integers(1, 5)) for _ in range(3))
    values = rng.uniform(0, 127, shape) * (1 if draw(st.booleans()) else -1)
    dtype = np.dtype(draw(st.sampled_from(_TYPES)))
    return Volume(np.abs(values).astype(dtype) if dtype.kind == "u" else values.astype(dtype), matrix)


@pytest.mark.parametrize("ending", _FORMATS)
@_once
@given(volume=volumes())
def test_every_format_gives_back_values_and_places(tmp_path, ending, volume):
    """Values, type and corners (within 1 micrometre) survive on random oblique and flipped grids."""
    path = tmp_path / f"größe und mm.{ending}"
    write_volume(volume, path)
    back = read_scan(path).volume
    assert np.array_equal(back.array_kji, volume.array_kji)
    assert back.array_kji.dtype == volume.array_kji.dtype
    assert back.grid.same_as(volume.grid)


@_once
@given(volume=volumes())
def test_nibabel_sees_the_same_patient_in_nifti(tmp_path, volume):
    """An independent reader finds the same affine (RAS) and the same values at (i, j, k)."""
    path = tmp_path / "a.nii.gz"
    write_volume(volume, path)
    other = nibabel.load(path)
    assert np.abs(other.affine - volume.ijk_to_ras).max() < 1e-3
    assert np.array_equal(np.asarray(other.dataobj).T, volume.array_kji)


@_once
@given(volume=volumes())
def test_a_file_of_nibabel_is_read_alike(tmp_path, volume):
    """A NIfTI file that nibabel wrote has its own affine and values here."""
    path = tmp_path / "b.nii"
    nibabel.save(nibabel.Nifti1Image(volume.array_kji.T, volume.ijk_to_ras), path)
    back = read_scan(path).volume
    assert np.abs(back.ijk_to_ras - nibabel.load(path).affine).max() < 1e-4
    assert np.array_equal(back.array_kji, volume.array_kji)


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
@_once
@given(volume=volumes())
def test_itk_sees_the_same_patient(tmp_path, ending, volume):
    """ITK's own readers find the last voxel at the same place (LPS)."""
    path = tmp_path / f"a.{ending}"
    write_volume(volume, path)
    image = sitk.ReadImage(str(path))
    last = [n - 1 for n in volume.array_kji.shape[::-1]]
    lps = image.TransformIndexToPhysicalPoint(last)
    assert np.array(lps) * (-1, -1, 1) == pytest.approx(volume.grid.ras_from_ijk(last), abs=1e-4)


@pytest.mark.parametrize("ending", _FORMATS)
def test_a_marker_at_the_patients_left_stays_left(tmp_path, ending):
    """The one bright voxel lies at R = -30 (left), A = 20, S = 40, although i runs to the right."""
    array = np.zeros((5, 6, 7), dtype=np.int16)
    array[4, 2, 0] = 1000
    matrix = np.array([[10.0, 0, 0, -30], [0, 10, 0, 0], [0, 0, 10, 0], [0, 0, 0, 1]])
    write_volume(Volume(array, matrix), tmp_path / f"a.{ending}")
    back = read_scan(tmp_path / f"a.{ending}").volume
    k, j, i = np.argwhere(back.array_kji == 1000)[0]
    assert back.grid.ras_from_ijk((i, j, k)).tolist() == pytest.approx([-30, 20, 40])


def test_a_labelmap_keeps_its_whole_numbers(tmp_path):
    """Labels written as floats come back as integers; a probability map is refused."""
    labels = np.array([[[0.0, 1.0, 3.0]]], dtype=np.float32)
    write_volume(Volume(labels, np.eye(4)), tmp_path / "a.nrrd")
    array, grid = read_labelmap(tmp_path / "a.nrrd")
    assert (array.tolist(), array.dtype.kind, grid.shape_kji) == ([[[0, 1, 3]]], "i", (1, 1, 3))
    write_volume(Volume(labels / 2, np.eye(4)), tmp_path / "b.nrrd")
    with pytest.raises(InputRefusedError, match="not whole numbers"):
        read_labelmap(tmp_path / "b.nrrd")


def test_other_endings_are_refused_and_an_old_file_is_replaced_whole(tmp_path):
    """A name without a known ending is a wrong call; nothing but the finished file is left behind."""
    volume = Volume(np.zeros((2, 2, 2), np.int16), np.eye(4))
    with pytest.raises(WrongUseError, match=r"a\.jpg"):
        write_volume(volume, tmp_path / "a.jpg")
    (tmp_path / "a.nrrd").write_text("old")
    write_volume(volume, tmp_path / "a.nrrd")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nrrd"]
    assert read_scan(tmp_path / "a.nrrd").volume.array_kji.shape == (2, 2, 2)


@pytest.mark.parametrize("name", ["partsolid/PartSolidLesionCropped", "spiculated/DataCropped"])
def test_real_metaimages_agree_with_itk(shared, name):
    """Two lung crops whose x and y axes run backwards: each corner is where ITK puts it."""
    path = shared / "data" / f"nodule_crop_{name}.mha"
    volume, image = read_scan(path).volume, sitk.ReadImage(str(path))
    last = [n - 1 for n in image.GetSize()]
    expected = np.array(image.TransformIndexToPhysicalPoint(last)) * (-1, -1, 1)
    assert volume.grid.ras_from_ijk(last) == pytest.approx(expected, abs=1e-4)
    assert np.array_equal(volume.array_kji, sitk.GetArrayFromImage(image))


_WRITE_WITH_LITTLE_SPACE = """
import resource, sys
import numpy as np
from pathlib import Path
from ctinsight.errors import ProcessingFailedError
from ctinsight.files import write_volume
from ctinsight.volume import Volume
volume = Volume(np.random.default_rng(0).integers(0, 9999, (40, 40, 40)).astype(np.int16), np.eye(4))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_volume(volume, Path(sys.argv[1]))
except ProcessingFailedError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("ending", _FORMATS)
def test_a_file_that_does_not_fit_is_an_error_and_not_a_short_file(tmp_path, ending):
    """With room for 20 000 bytes a volume of 128 000 is refused in words, and no file is left."""
    path = tmp_path / f"a.{ending}"
    command = [sys.executable, "-c", _WRITE_WITH_LITTLE_SPACE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "could not be written" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []
