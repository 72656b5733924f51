"""Archives from strangers: nothing lands outside, nothing grows without end."""

from __future__ import annotations

import io
import stat
import tarfile
import unicodedata
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctinsight.errors import Cancelled, UnreadableFileError, UnsafeArchiveError
from ctinsight.models.archives import ArchiveLimits, extract, is_archive, safe_path

if TYPE_CHECKING:
    from pathlib import Path

EVIL_NAMES = [
    "/etc/passwd",
    "../out",
    "a/../../out",
    "a/./b",
    "a//b",
    "..",
    "C:/out",
    "C:out",
    "file.txt:stream",
    "..\\out",
    "a\\b",
    "\\\\host\\share",
    "nul",
    "a/CON.txt",
    "Aux.tar.gz",
    "com1",
    "LPT³.x",
    "CONOUT$",
    "trailing.",
    "trailing ",
    "a /b",
    " leading",
    "bell\x07",
    "new\nline",
    "star*",
    "what?",
    '"quoted"',
    "a" * 256,
    "ü" * 128,
]


def _zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, body in members:
            archive.writestr(member, body)
    return path


def _tar(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size) if member.isreg() else None)
    return path


def _tar_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def _refused(
    archive: Path, folder: Path, reason: str = "What to do", limits: ArchiveLimits | None = None
) -> None:
    """Assert that an archive is refused and that nothing of it lies anywhere."""
    before = set(folder.rglob("*"))
    with pytest.raises(UnsafeArchiveError, match=reason):
        extract(archive, folder / "inside", limits=limits)
    files = {path for path in folder.rglob("*") if path.is_file() and path not in before}
    assert files == set()


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_evil_names_are_refused_everywhere(tmp_path: Path, name: str) -> None:
    """Absolute, climbing, device and unportable names are refused in zip and tar before a byte is written."""
    with pytest.raises(UnsafeArchiveError):
        safe_path(name)
    _refused(_zip(tmp_path / "a.zip", ("good", b"x"), (zipfile.ZipInfo(name), b"x")), tmp_path)
    _refused(_tar(tmp_path / "a.tar.gz", _tar_member("good", size=1), _tar_member(name, size=1)), tmp_path)


@pytest.mark.parametrize("name", ["model.pth", "fold_all/a_final.pth", "Größe 体积/a b.nii.gz", "a..b", ".x"])
def test_plain_names_are_kept(name: str) -> None:
    """Ordinary names come back as they are."""
    assert str(safe_path(name)) == name


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30))
def test_no_name_leads_out(name: str) -> None:
    """Whatever the name, it is refused or stays a relative path without '..'."""
    try:
        path = safe_path(name)
    except UnsafeArchiveError:
        return
    assert not path.is_absolute()
    assert ".." not in path.parts


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    """Files, folders, blanks and umlauts arrive; the Finder's litter does not."""
    members = [
        ("ä b/体.txt", b"1"),
        ("c/", b""),
        ("c/d.txt", b"2"),
        ("__MACOSX/c/._d", b"3"),
        (".DS_Store", b"4"),
    ]
    found = extract(_zip(tmp_path / "a.zip", *members), tmp_path / "out dir ü")
    assert [path.relative_to(tmp_path / "out dir ü").as_posix() for path in found] == [
        "c/d.txt",
        "ä b/体.txt",
    ]
    assert found[1].read_bytes() == b"1"


def test_a_tar_is_unpacked(tmp_path: Path) -> None:
    """A tar.gz of plain files works; mode bits such as set-uid are not taken over."""
    member = _tar_member("a/b.bin", size=5)
    member.mode = 0o6777
    (found,) = extract(_tar(tmp_path / "a.tar.gz", member), tmp_path / "out")
    assert found.read_bytes() == b"xxxxx"
    assert found.stat().st_mode & (stat.S_ISUID | stat.S_ISGID) == 0


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    """Symbolic link, hard link, pipe and device are refused, also when they point inside."""
    _refused(_tar(tmp_path / "a.tar.gz", _tar_member("link", kind, "good")), tmp_path, "link or a device")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    """A zip member with the mode of a symbolic link is refused."""
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    _refused(_zip(tmp_path / "a.zip", (info, b"/etc/passwd")), tmp_path, "link")


def test_a_bomb_is_stopped_by_its_ratio(tmp_path: Path) -> None:
    """20 MB of zeros in 20 kB stop at the allowed ratio, and what was written is less than half."""
    bomb = _zip(tmp_path / "a.zip", ("zeros", bytes(20_000_000)))
    with pytest.raises(UnsafeArchiveError, match="fold"):
        extract(bomb, tmp_path / "out", limits=ArchiveLimits(ratio_free_bytes=2_000_000))
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) < 10_000_000


def test_limits_on_size_and_number_hold(tmp_path: Path) -> None:
    """Too many bytes in all, said or real, and too many files are refused before anything is written."""
    many = _zip(tmp_path / "a.zip", *[(f"{i}", b"12345") for i in range(30)])
    _refused(many, tmp_path, "unpack to", ArchiveLimits(total_bytes=100))
    _refused(many, tmp_path, "more than 20 files", ArchiveLimits(files=20))


def test_a_header_that_lies_about_its_size_is_caught(tmp_path: Path) -> None:
    """A member that says 10 bytes and holds 1000 does not get more than it says."""
    path = _zip(tmp_path / "a.zip", ("liar", b"x" * 1000))
    data = path.read_bytes().replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    with pytest.raises((UnsafeArchiveError, UnreadableFileError)):
        extract(path, tmp_path / "out")
    assert sum(file.stat().st_size for file in (tmp_path / "out").iterdir()) <= 10


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names",
    [
        ("a", "a"),
        ("Weights.pth", "weights.PTH"),
        (unicodedata.normalize("NFC", "größe"), unicodedata.normalize("NFD", "größe")),
        ("a", "a/b"),
        ("a/b", "A"),
    ],
)
def test_names_that_collide_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    """Twice the same name, also as Windows and macOS compare them, and a file that is a folder too."""
    _refused(_zip(tmp_path / "a.zip", *[(zipfile.ZipInfo(name), b"x") for name in names]), tmp_path)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    """A password cannot be asked for here: the archive is refused with a reason."""
    path = _zip(tmp_path / "a.zip", ("secret", b"x" * 100))
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(bytes(data))
    _refused(path, tmp_path, "encrypted")


@pytest.mark.parametrize("damage", ["cut", "flipped", "text"])
def test_a_damaged_archive_is_told(tmp_path: Path, damage: str) -> None:
    """Cut short, one byte changed or no archive at all: one error with a remedy."""
    path = _zip(tmp_path / "a.zip", ("a", bytes(range(256)) * 40))
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes({"cut": bytes(data[:100]), "flipped": bytes(data), "text": b"hello"}[damage])
    with pytest.raises(UnreadableFileError, match=r"a\.zip"):
        extract(path, tmp_path / "out")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A folder that holds something is refused, and its content is as before."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(UnsafeArchiveError, match="not empty"):
        extract(_zip(tmp_path / "a.zip", ("mine", b"x")), tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text() == "mine"


def test_unpacking_can_be_cancelled(tmp_path: Path) -> None:
    """Raising in the beat stops at once."""

    def stop(_count: int) -> None:
        raise Cancelled(found="enough", expected="", remedy="")

    with pytest.raises(Cancelled):
        extract(_zip(tmp_path / "a.zip", ("a", b"x"), ("b", b"x")), tmp_path / "out", beat=stop)
    assert not (tmp_path / "out" / "b").exists()


def test_a_torch_file_is_not_an_archive(tmp_path: Path) -> None:
    """A torch file is a zip inside, and yet stays one file."""
    assert not is_archive(_zip(tmp_path / "a.pth", ("archive/data.pkl", b"x")))
    assert is_archive(_zip(tmp_path / "a.zip", ("checkpoint_final.pth", b"x")))
    assert not is_archive(tmp_path)
