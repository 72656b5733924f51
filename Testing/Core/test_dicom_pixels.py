"""Stored values to Hounsfield units: rescale per slice, padding, odd numbers, compression, enhanced files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from ctinsight.dicom.values import read_dataset
from ctinsight.errors import DependencyMissingError, GeometryError, NotCTError, UnreadableFileError
from ctinsight.files import read_scan
from makers.dicom_series import SeriesRecipe, one_value, slice_dataset, write_enhanced, write_series

_PLAIN = SeriesRecipe(table_mm=(0.0, 5.0, 10.0))
_RLE, _JPEG2000, _JPEG_LS = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80"


def height(points):
    """Return the S coordinate as HU, so that every slice has another value."""
    return points[..., 2]


def test_each_slice_has_its_own_rescale(tmp_path):
    """Stored 1000 with intercepts -1000, -990, -980 becomes 0, 10 and 20 HU."""
    rescale = {n: {"RescaleIntercept": str(10 * n - 1000)} for n in range(3)}
    write_series(tmp_path, replace(_PLAIN, intercept=-1000.0, slice_tags=rescale), one_value(0))
    assert read_scan(tmp_path).volume.array_kji[:, 0, 0].tolist() == [0, 10, 20]


def test_a_fractional_slope_keeps_fractions(tmp_path):
    """A slope of 0.25 reads back 12.25 HU exactly."""
    write_series(tmp_path, replace(_PLAIN, slope=0.25), one_value(12.25))
    assert read_scan(tmp_path).volume.array_kji.flat[0] == 12.25


@pytest.mark.parametrize("padding", [-2000, 63536])
def test_padding_becomes_air(tmp_path, padding):
    """Padding of -2000 (or the same 16 bits read as 63536) turns into -1024 HU, with a note."""
    field = lambda p: np.where(p[..., 0] < 0, 30.0, -2000.0 - 24.0)  # noqa: E731
    vr = "SS" if padding < 0 else "US"
    recipe = replace(_PLAIN, signed=True, intercept=-24.0)
    paths = write_series(tmp_path, recipe, field)
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.add_new("PixelPaddingValue", vr, padding)
        dataset["PixelPaddingValue"].VR = vr
        dataset.save_as(path)
    scan = read_scan(tmp_path)
    assert set(np.unique(scan.volume.array_kji)) == {-1024, 30}
    assert any("padding voxels" in note for note in scan.acquisition.notes)


def test_a_padding_range_becomes_air_and_a_plausible_padding_stays(tmp_path):
    """Stored 3 to 9 (below -1024 HU) are padding; a padding value of 40 HU is kept and named."""
    tags = {"PixelPaddingValue": 3, "PixelPaddingRangeLimit": 9}
    write_series(tmp_path / "a", replace(_PLAIN, intercept=-1500.0, tags=tags), one_value(-1495))
    assert np.all(read_scan(tmp_path / "a").volume.array_kji == -1024)
    write_series(tmp_path / "b", replace(_PLAIN, tags={"PixelPaddingValue": 1064}), one_value(40))
    scan = read_scan(tmp_path / "b")
    assert np.all(scan.volume.array_kji == 40)
    assert any("plausible" in note for note in scan.acquisition.notes)


@pytest.mark.parametrize(
    ("keyword", "raw", "spacing"),
    [
        ("PixelSpacing", rb"0,8\0,6 ", (0.6, 0.8)),
        ("PixelSpacing", rb" 0.8 \ 0.60000000000000000000000001", (0.6, 0.8)),
        ("PixelSpacing", rb"8e-1\6.0E-01", (0.6, 0.8)),
        ("PixelSpacing", b"+.8\\.6\0\0", (0.6, 0.8)),
    ],
)
def test_odd_numbers_are_understood(tmp_path, keyword, raw, spacing):
    """Decimal commas, blanks, exponents, signs and too many digits mean what they say."""
    for path in write_series(tmp_path, _PLAIN):
        data = path.read_bytes()
        old = _element(path, keyword)
        path.write_bytes(data.replace(old, _encode(old[:6], raw)))
    assert read_scan(tmp_path).volume.grid.spacing_ijk_mm[:2] == pytest.approx(spacing)


@pytest.mark.parametrize("raw", [b"nan\\0.6", b"0.8", b"0.8\\inf ", b"0.8\\0.6\\1 ", b"a\\b "])
def test_numbers_that_are_none_are_refused(tmp_path, raw):
    """NaN, infinity, words and a wrong count are refused with the element's name."""
    for path in write_series(tmp_path, _PLAIN):
        old = _element(path, "PixelSpacing")
        path.write_bytes(path.read_bytes().replace(old, _encode(old[:6], raw)))
    with pytest.raises(GeometryError, match="PixelSpacing"):
        read_scan(tmp_path)


def _element(path, keyword) -> bytes:
    """Return the bytes of a short explicit-VR element: tag, VR, length, value."""
    data = path.read_bytes()
    tag = pydicom.tag.Tag(keyword)
    start = data.index(tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little"))
    return data[start : start + 8 + int.from_bytes(data[start + 6 : start + 8], "little")]


def _encode(tag_and_vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    return tag_and_vr + len(value).to_bytes(2, "little") + value


@pytest.fixture
def compressed(tmp_path, request):
    """Three slices of 0, 5 and 10 HU in the transfer syntax that the test asks for."""
    from pydicom.dataset import FileMetaDataset

    pytest.importorskip("pydicom.pixels", reason="pydicom 2 has no encoder for this")
    for n in range(3):
        dataset = slice_dataset(_PLAIN, n, np.full((64, 64), 1024 + 5 * n, dtype=np.uint16))
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        dataset.compress(request.param, generate_instance_uid=False)
        dataset.save_as(tmp_path / f"{n}.dcm", enforce_file_format=True)
    return tmp_path


@pytest.mark.parametrize("compressed", [_RLE, _JPEG2000, _JPEG_LS], indirect=True)
def test_compressed_pixels_are_decoded(compressed):
    """RLE, JPEG 2000 and JPEG-LS lossless give back 0, 5, 10 HU."""
    assert read_scan(compressed).volume.array_kji[:, 0, 0].tolist() == [0, 5, 10]


def _no_decoder(_self):
    msg = "no decoder"
    raise RuntimeError(msg)


@pytest.mark.parametrize("compressed", [_RLE, _JPEG2000, _JPEG_LS], indirect=True)
def test_without_pydicom_decoders_itk_decodes(compressed, monkeypatch):
    """The decoder inside SimpleITK gives the same stored values, without rescaling twice."""
    monkeypatch.setattr(pydicom.Dataset, "pixel_array", property(_no_decoder))
    assert read_scan(compressed).volume.array_kji[:, 0, 0].tolist() == [0, 5, 10]


@pytest.mark.parametrize("compressed", [_JPEG2000], indirect=True)
def test_without_any_decoder_the_error_names_the_syntax(compressed, monkeypatch):
    """JPEG 2000 and what to install are in the sentence."""
    monkeypatch.setattr(pydicom.Dataset, "pixel_array", property(_no_decoder))
    monkeypatch.setattr("ctinsight.dicom.pixels._decode_with_itk", lambda _dataset: None)
    monkeypatch.setattr("ctinsight.dicom.pixels._pydicom_has_decoder", lambda _syntax: False)
    with pytest.raises(DependencyMissingError, match=r"JPEG 2000") as caught:
        read_scan(compressed)
    assert "pylibjpeg" in caught.value.remedy


def test_an_enhanced_file_is_read_frame_by_frame(tmp_path):
    """Position, orientation, spacing and rescale come from the functional groups."""
    write_enhanced(tmp_path / "multi.dcm", replace(_PLAIN, flips=(-1, 1)), height)
    scan = read_scan(tmp_path / "multi.dcm")
    k, j, i = np.indices(scan.volume.array_kji.shape)
    heights = scan.volume.grid.ras_from_ijk(np.stack([i, j, k], axis=-1))[..., 2]
    assert np.array_equal(scan.volume.array_kji, heights)
    assert scan.volume.grid.spacing_ijk_mm == pytest.approx((0.6, 0.8, 5.0))
    assert scan.acquisition.slice_thickness_mm == 5.0


def test_an_enhanced_file_of_another_quantity_is_refused(tmp_path):
    """Rescale type "ED" (electron density) is no HU."""
    write_enhanced(tmp_path / "multi.dcm", _PLAIN, height, rescale_type="ED")
    with pytest.raises(NotCTError, match="ED"):
        read_scan(tmp_path / "multi.dcm")


def test_several_frames_without_positions_are_refused(tmp_path):
    """A classic CT object with NumberOfFrames 3 does not say where its frames lie."""
    write_series(tmp_path, replace(_PLAIN, tags={"NumberOfFrames": 3}))
    with pytest.raises(GeometryError, match="several frames"):
        read_scan(tmp_path)


def test_truncated_pixels_are_refused(tmp_path):
    """A file that ends inside its pixel data is named."""
    paths = write_series(tmp_path, _PLAIN)
    paths[1].write_bytes(paths[1].read_bytes()[:-100])
    with pytest.raises(UnreadableFileError, match=paths[1].name):
        read_scan(tmp_path)


def test_only_needed_elements_are_read(tmp_path):
    """The header that is kept has no patient name."""
    path = write_series(tmp_path, _PLAIN)[0]
    dataset = read_dataset(path, tags=["Modality"])
    assert [element.keyword for element in dataset] == ["Modality"]
