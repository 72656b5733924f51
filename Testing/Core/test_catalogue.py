"""The catalogue holds together, says what the papers say, and names the files that are really published."""

from __future__ import annotations

import hashlib
import re
import zipfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from ctinsight.errors import CatalogueError, WrongUseError
from ctinsight.models.catalogue import Kind, catalogue
from ctinsight.models.catalogue_reader import read_catalogue
from made_models import a_model, a_store

if TYPE_CHECKING:
    from pathlib import Path

    from ctinsight.models.catalogue import Entry


NAMES = {
    "hematoma-drunet",
    "lvo-vessels",
    "lvo-mcresnet",
    "lvo-mip",
    "dcr-seg",
    "dcr-difficulty-v0",
    "dcr-difficulty-v1",
} | {f"nodule-emv-task{task}-{net}" for task in (1, 2, 3) for net in ("inception", "vgg", "resnet")}

ENTRY = """
schema = 1
[atlas.an-atlas]
title = "T"
modules = ["LVODetect"]
version = "1"
format = "F"
citation = "C"
published = "P"
base = "https://host/folder/"
terms = { licence = "MIT", statement = "S" }
files = [{ name = "a b.nii", bytes = 3, sha256 = "SHA" }]
""".replace("SHA", "0" * 64)


def test_the_names_are_the_agreed_ones() -> None:
    """Every model that the four methods need is listed, and nothing that does not exist yet."""
    assert {entry.name for entry in catalogue() if entry.kind is Kind.MODEL} == NAMES


@pytest.mark.parametrize("entry", list(catalogue()), ids=lambda entry: entry.name)
def test_every_entry_says_where_it_comes_from(entry: Entry) -> None:
    """Files come over https from a fixed commit; what has no address says where to ask."""
    for file in entry.files:
        for url in file.urls:
            assert urlsplit(url).hostname == "raw.githubusercontent.com"
            assert re.search(r"/[0-9a-f]{40}/", url)
    assert entry.files or "ask" in entry.ask


def test_emv_terms_must_be_accepted() -> None:
    """All nine EMV networks, and no others, ask for acceptance and name the patent."""
    asking = {entry.name for entry in catalogue() if entry.terms.must_accept}
    assert asking == {name for name in NAMES if "emv" in name}
    assert all("CN115620899B" in catalogue().entry(name).terms.patent for name in asking)


def test_dcr_models_point_to_their_authors_repository() -> None:
    """The three DeepDCR entries name kerui7/DeepDCR_model_weight and where to ask instead."""
    for name in ("dcr-seg", "dcr-difficulty-v0", "dcr-difficulty-v1"):
        entry = catalogue().entry(name)
        assert entry.hugging_face is not None
        assert entry.hugging_face.repository == "kerui7/DeepDCR_model_weight"
        assert "on request" in entry.ask


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("hematoma-drunet", (256, 256)),
        ("nodule-emv-task1-vgg", (3, 40, 40, 40)),
        ("nodule-emv-task3-vgg", (3, 80, 80, 80)),
        ("lvo-mcresnet", (4, 512, 512, 200)),
        ("dcr-seg", (64, 256, 256)),
    ],
)
def test_input_sizes_are_the_papers(name: str, size: tuple[int, ...]) -> None:
    """The input contract has the array size of the published method."""
    contract = catalogue().entry(name).input
    assert contract is not None
    assert contract.size == size


def test_a_variant_is_known_by_its_base() -> None:
    """A name with a suffix has the contract of the model it varies; an unknown one gets proposals."""
    assert catalogue().entry("hematoma-drunet-ours-2").name == "hematoma-drunet"
    for wrong in ("hematoma-dunet", "hematoma-drunet-../x", "sample-head-ct-mine"):
        with pytest.raises(WrongUseError, match="no entry"):
            catalogue().entry(wrong)


def test_published_files_are_those_at_hand(shared: Path) -> None:
    """Atlas and sample files beside the checkout have exactly the sizes and checksums of the catalogue."""
    at_hand = {hashlib.sha256(p.read_bytes()).hexdigest(): p.stat().st_size for p in _files(shared)}
    with zipfile.ZipFile(shared / "data/chest_lidc_0001/dicom_133_slices.zip") as archive:
        for info in archive.infolist():
            at_hand[hashlib.sha256(archive.read(info)).hexdigest()] = info.file_size
    published = {file.sha256: file.size_bytes for entry in catalogue() for file in entry.files}
    assert published.items() <= at_hand.items()
    assert len(published) > 190


def _files(shared: Path) -> list[Path]:
    return [path for part in ("atlas", "data") for path in (shared / part).rglob("*") if path.is_file()]


def test_the_territories_on_the_mni_grid_are_made_as_written(shared: Path) -> None:
    """Cropping the published atlas as the catalogue says gives exactly the voxels it promises."""
    nibabel = pytest.importorskip("nibabel")
    numpy = pytest.importorskip("numpy")
    (derived,) = catalogue().entry("atlas-arterial-territories").derived
    padded = nibabel.as_closest_canonical(nibabel.load(shared / "atlas/ArterialAtlas_padding_182.nii.gz"))
    crop = numpy.rint(numpy.asarray(padded.dataobj))[5:187, 3:221, 5:187].astype(numpy.uint8)
    assert hashlib.sha256(crop.tobytes(order="F")).hexdigest() == derived.voxel_sha256


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('"' + "0" * 64 + '"', '"' + "0" * 63 + '"', "files[0].sha256"),
        ('"' + "0" * 64 + '"', '"' + "F" * 64 + '"', "files[0].sha256"),
        ("bytes = 3", "bytes = 0", "files[0].bytes"),
        ("bytes = 3", 'bytes = "3"', "files[0].bytes"),
        ("bytes = 3,", "", "files[0].bytes"),
        ('"a b.nii"', '"../x"', "files[0].name"),
        ('"a b.nii"', '"/x"', "files[0].name"),
        ('"a b.nii"', '"aux.nii"', "files[0].name"),
        ("https://host/", "http://host/", "files[0].url"),
        ("https://host/", "file:///", "files[0].url"),
        ("https://host/", "https://user:pass@host/", "files[0].url"),
        ('title = "T"', "", "title"),
        ('title = "T"', 'title = " "', "title"),
        ('title = "T"', 'title = "T"\ntitel = "T"', "titel"),
        ('"LVODetect"', '"Nothing"', "modules"),
        ('version = "1"', 'version = "../1"', "version"),
        ('statement = "S"', 'statement = "S", must_accept = 1', "terms.must_accept"),
        ("terms = ", "unterms = ", "terms"),
        ('files = [{ name = "a b.nii"', 'unfiles = [{ name = "a b.nii"', "unfiles"),
        ('version = "1"', 'version = "1"\nvariant_of = "nothing"', "variant_of"),
        ('version = "1"', 'version = "1"\nlike = "nothing"', "like"),
        ("[atlas.an-atlas]", "[model.an-atlas]", "input"),
        ("schema = 1", "schema = 2", "schema"),
    ],
)
def test_a_fault_is_told_with_entry_and_key(old: str, new: str, key: str) -> None:
    """Each broken key is named together with its entry."""
    assert old in ENTRY
    with pytest.raises(CatalogueError, match=re.escape(f"key {key!r}")) as caught:
        read_catalogue(ENTRY.replace(old, new))
    assert "an-atlas" in caught.value.found or key == "schema"


@pytest.mark.parametrize("text", ["schema = ", "schema = 1\n[atlas.Big]\nx = 1", "schema = 1\n[toy.a]\n"])
def test_other_faults_are_told_too(text: str) -> None:
    """No TOML, a name with capitals, an unknown kind."""
    with pytest.raises(CatalogueError):
        read_catalogue(text)


def test_a_right_entry_is_read() -> None:
    """The address is base and name, with a blank written as %20."""
    (file,) = read_catalogue(ENTRY).entry("an-atlas").files
    assert (file.urls, file.size_bytes) == (("https://host/folder/a%20b.nii",), 3)


def test_no_published_file_stands_in_it_twice() -> None:
    """A checksum belongs to one entry, so that an imported file is recognised without doubt."""
    sums = [file.sha256 for entry in catalogue() for file in entry.files]
    assert len(sums) == len(set(sums))


def test_a_model_without_address_is_not_downloadable(tmp_path: Path) -> None:
    """It has no size, and the store says where to ask."""
    entry = a_model()
    assert (entry.downloadable, entry.size_bytes) == (False, None)
    assert a_store(tmp_path, entry).catalogue.entry("made-net-v2") is entry
