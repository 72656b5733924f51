"""120 damaged DICOM series: refused with a sentence, or every slice lies where its own header says."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pydicom
import pytest

from ctinsight.dicom.values import PYDICOM_FAULTS
from ctinsight.errors import CTInsightError
from ctinsight.files import read_scan
from makers.dicom_series import SeriesRecipe, slice_dataset, write_enhanced, write_series

_RECIPE = SeriesRecipe(size=(8, 8), tilt_degrees=0.0)
_NASTY = [
    b"\0\0",
    b"\xff\xff",
    b"\xff\xff\xff\xff",
    b"\xfe\xff\x0d\xe0",
    b"nan ",
    b"1e99",
    b"-1\\-",
    b"SQ",
    b"OB",
    b"\x7f",
]


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut a file, or flip, overwrite, insert or delete bytes behind its preamble."""
    broken = bytearray(data)
    kind, at = rng.integers(0, 5), int(rng.integers(128, len(broken)))
    header = int(rng.integers(128, min(len(broken), 1100)))
    if kind == 0:
        del broken[at:]
    elif kind == 1:
        for place in rng.integers(128, min(len(broken), 1100), rng.integers(1, 6)):
            broken[place] ^= 1 << int(rng.integers(0, 8))
    elif kind == 2:
        nasty = _NASTY[rng.integers(0, len(_NASTY))]
        broken[header : header + len(nasty)] = nasty
    elif kind == 3:
        broken[header:header] = _NASTY[rng.integers(0, len(_NASTY))]
    else:
        del broken[header : header + int(rng.integers(1, 9))]
    return bytes(broken)


def _read(folder):
    started = time.monotonic()
    try:
        return read_scan(folder)
    except CTInsightError as error:
        return None if error.found and error.remedy else pytest.fail("an error without a sentence")
    finally:
        assert time.monotonic() - started < 5


def _places(paths) -> np.ndarray:
    """Return the first pixel of each slice (RAS) as pydicom alone reads it, where it can."""
    places = []
    for path in paths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                position = pydicom.dcmread(path, force=True).ImagePositionPatient
                places.append([-float(position[0]), -float(position[1]), float(position[2])])
            except PYDICOM_FAULTS:
                continue
    return np.array(places)


@pytest.mark.parametrize("seed", range(80))
def test_a_damaged_slice_is_refused_or_lies_where_it_says(tmp_path, seed):
    """One slice of four is damaged; each slice that is read lies at the position of one file."""
    paths = write_series(tmp_path, _RECIPE)
    rng = np.random.default_rng(seed)
    victim = paths[int(rng.integers(0, 4))]
    victim.write_bytes(damage(victim.read_bytes(), rng))
    scan = _read(tmp_path)
    if scan is None:
        return
    n_slices = len(scan.acquisition.slice_positions_mm)
    assert n_slices == 4 or scan.acquisition.notes
    first = scan.volume.grid.ras_from_ijk((0, 0, 0))
    assert np.linalg.norm(_places(paths) - first, axis=1).min() < 0.11
    if not scan.acquisition.resampled:
        corners = [scan.volume.grid.ras_from_ijk((0, 0, k)) for k in range(n_slices)]
        assert all(np.linalg.norm(_places(paths) - corner, axis=1).min() < 0.11 for corner in corners)


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_enhanced_file_is_refused_or_whole(tmp_path, seed):
    """Damage inside nested sequences never moves the grid in silence."""
    path = tmp_path / "multi.dcm"
    write_enhanced(path, _RECIPE)
    path.write_bytes(damage(path.read_bytes(), np.random.default_rng(seed)))
    scan = _read(path)
    if scan is not None:
        assert (
            scan.volume.grid.spacing_ijk_mm[2] == pytest.approx(5.0, rel=1e-6) or scan.acquisition.resampled
        )


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80"]
)
@pytest.mark.parametrize("seed", range(7))
def test_damaged_compressed_pixels_do_not_crash(tmp_path, syntax, seed):
    """RLE, JPEG 2000 and JPEG-LS streams with wrong bytes are refused, or decoded to the right size."""
    pytest.importorskip("pydicom.pixels", reason="pydicom 2 has no encoder for this")
    rng = np.random.default_rng(seed)
    dataset = slice_dataset(_RECIPE, 0, rng.integers(0, 2000, (64, 64)).astype(np.uint16))
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    data = bytearray((tmp_path / "a.dcm").read_bytes())
    for place in rng.integers(len(data) // 3, len(data), 12):
        data[place] = int(rng.integers(0, 256))
    (tmp_path / "a.dcm").write_bytes(data)
    scan = _read(tmp_path / "a.dcm")
    assert scan is None or scan.volume.array_kji.shape == (1, 64, 64)
