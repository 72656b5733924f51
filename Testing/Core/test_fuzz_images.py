"""300 damaged NIfTI, NRRD and MetaImage files: refused with a sentence, or read as their header says."""

from __future__ import annotations

import gzip
import re
import time

import nibabel
import numpy as np
import pytest

from ctinsight.errors import CTInsightError
from ctinsight.files import read_scan, write_volume
from ctinsight.volume import Volume

_CASES = 60
#: Values that break readers: zero, one, extremes, NaN and infinity as float32, and their big-endian forms.
_NASTY = [
    b"\0\0\0\0", b"\1\0\0\0", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\xc0\x7f",
    b"\0\0\x80\x7f", b"\x7f\x80\0\0", b"\0\x80", b"\xff\x7f", b"nan", b"-1", b"1e9",
    b"99999999999", b"\n", b" ",
]  # fmt: skip


def _volume() -> Volume:
    rng = np.random.default_rng(5)
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes * (0.5, 0.7, 4.0), (12.5, -33.25, 61.0)
    return Volume(rng.integers(-1000, 1000, (5, 6, 7)).astype(np.int16), matrix)


def mutate(data: bytes, rng: np.random.Generator, header: int) -> bytes:
    """Damage a file: cut it, flip, overwrite, insert, delete or repeat bytes of its header."""
    damaged = bytearray(data)
    kind, at = rng.integers(0, 6), int(rng.integers(0, header))
    if kind == 0:
        return bytes(damaged[: int(rng.integers(0, len(damaged)))])
    if kind == 1:
        for place in rng.integers(0, header, rng.integers(1, 5)):
            damaged[place] ^= 1 << int(rng.integers(0, 8))
    elif kind == 2:
        nasty = _NASTY[rng.integers(0, len(_NASTY))]
        damaged[at : at + len(nasty)] = nasty
    elif kind == 3:
        damaged[at:at] = _NASTY[rng.integers(0, len(_NASTY))]
    elif kind == 4:
        del damaged[at : at + int(rng.integers(1, 9))]
    else:
        run = damaged[at : at + int(rng.integers(1, 40))]
        damaged[at:at] = run
    return bytes(damaged)


def _outcome(path) -> Volume | None:
    started = time.monotonic()
    try:
        return read_scan(path).volume
    except CTInsightError as error:
        return None if error.found and error.remedy else pytest.fail("an error without a sentence")
    finally:
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
@pytest.mark.parametrize("seed", range(_CASES))
def test_damaged_nifti_is_refused_or_read_as_its_header_says(tmp_path, ending, seed):
    """What is read has the affine that nibabel finds in the damaged header."""
    write_volume(_volume(), tmp_path / "a.nii")
    damaged = mutate((tmp_path / "a.nii").read_bytes(), np.random.default_rng(seed), 352)
    path = tmp_path / f"b.{ending}"
    path.write_bytes(gzip.compress(damaged) if ending == "nii.gz" else damaged)
    volume = _outcome(path)
    if volume is not None:
        header = nibabel.Nifti1Header(damaged[:348], check=False)
        assert volume.array_kji.shape[::-1] == tuple(header["dim"][1:4])
        assert np.allclose(volume.ijk_to_ras, header.get_best_affine(), atol=1e-3)


@pytest.mark.parametrize("seed", range(_CASES))
def test_a_damaged_gzip_stream_is_refused_or_unharmed(tmp_path, seed):
    """Any change inside the compressed stream is noticed by its checksum."""
    write_volume(_volume(), tmp_path / "a.nii.gz")
    data = (tmp_path / "a.nii.gz").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(mutate(data, np.random.default_rng(seed), len(data)))
    volume = _outcome(tmp_path / "b.nii.gz")
    if volume is not None:
        assert np.array_equal(volume.array_kji, _volume().array_kji)
        assert np.allclose(volume.ijk_to_ras, _volume().ijk_to_ras, atol=1e-3)


_FIELDS = {
    "nrrd": (r"space directions: ([^\n]*)", r"space origin: ([^\n]*)", r"\nsizes: ([^\n]*)"),
    "mha": (r"TransformMatrix *= *([^\n]*)", r"Offset *= *([^\n]*)", r"DimSize *= *([^\n]*)"),
}


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
@pytest.mark.parametrize("seed", range(_CASES))
def test_damaged_nrrd_and_metaimage_are_refused_or_read_as_their_header_says(tmp_path, ending, seed):
    """What is read has the directions, origin and size that stand in the damaged text."""
    write_volume(_volume(), tmp_path / f"a.{ending}")
    data = (tmp_path / f"a.{ending}").read_bytes()
    header = data.index(b"ElementDataFile") + 20 if ending == "mha" else data.index(b"\n\n")
    damaged = mutate(data, np.random.default_rng(seed), header)
    path = tmp_path / f"b.{ending}"
    path.write_bytes(damaged)
    volume = _outcome(path)
    if volume is not None:
        words = damaged.decode("latin-1")
        columns, origin, sizes = (_numbers(words, field) for field in _FIELDS[ending])
        spacing = np.ones(3) if ending == "nrrd" else _numbers(words, r"ElementSpacing *= *([^\n]*)")
        expected = np.column_stack([columns.reshape(3, 3).T * spacing, origin]) * [[-1], [-1], [1]]
        assert np.allclose(volume.ijk_to_ras[:3], expected, atol=1e-6)
        assert volume.array_kji.shape[::-1] == tuple(sizes)


def _numbers(words: str, pattern: str) -> np.ndarray:
    found = re.search(pattern, words, re.IGNORECASE)
    assert found is not None
    return np.array([float(word) for word in re.findall(r"[^\s(),]+", found[1])])
