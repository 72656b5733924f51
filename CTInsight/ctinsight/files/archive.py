"""Zip files, opened with distrust: no path leaves the folder, no link, no bomb."""

from __future__ import annotations

import errno
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ctinsight.errors import InputRefusedError, NotEnoughSpaceError, UnreadableFileError
from ctinsight.files.rawdata import GET_AGAIN, MAX_IMAGE_BYTES

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

#: Most files in a zip: a study of ten thin-slice series.
MAX_FILES = 20_000
#: Highest compression that real CT data reach is about 20; deflate cannot pass 1032.
MAX_RATIO = 200
_RATIO_FREE_BYTES = 64 * 1024**2
_CHUNK = 1 << 20


def extract_zip(path: Path, folder: Path) -> None:
    """Extract a zip into an empty folder.

    Raises
    ------
    InputRefusedError
        Names that lead out of the folder, links, encryption, or too much data.
    UnreadableFileError
        Damaged or truncated.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _refuse_bombs(path, members)
            for member in members:
                _extract(archive, member, _safe_target(path, member, folder))
    except OSError as error:
        _refuse_full_disk(path, error)
        raise UnreadableFileError(
            found=f"{path.name}: a zip whose entries cannot be unpacked ({error.strerror or error})",
            expected="entries with names that differ and that a disk can hold",
            remedy="Unpack it yourself and name the folder.",
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise UnreadableFileError(
            found=f"{path.name}: a damaged zip ({error})", expected="a complete zip", remedy=GET_AGAIN
        ) from error


def _refuse_full_disk(path: Path, error: OSError) -> None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise NotEnoughSpaceError(
            found=f"no space to unpack {path.name} in {tempfile.gettempdir()}",
            expected="free space for the unpacked files",
            remedy="Free some space, set TMPDIR to a larger disk, or unpack it yourself and name the folder.",
        ) from error


def _refuse(path: Path, found: str, expected: str) -> InputRefusedError:
    return InputRefusedError(
        found=f"{path.name}: {found}", expected=expected, remedy="Unpack it yourself and name the folder."
    )


def _refuse_bombs(path: Path, members: list[ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if len(members) > MAX_FILES or total > MAX_IMAGE_BYTES:
        raise _refuse(
            path,
            f"{len(members)} files of {total / 1024**3:.1f} GiB",
            f"at most {MAX_FILES} files and {MAX_IMAGE_BYTES // 1024**3} GiB",
        )
    if total > _RATIO_FREE_BYTES and total > MAX_RATIO * max(packed, 1):
        raise _refuse(path, f"data packed {total // max(packed, 1)} to 1", f"at most {MAX_RATIO} to 1")


def _safe_target(path: Path, member: ZipInfo, folder: Path) -> Path:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    unsafe = name.is_absolute() or ".." in name.parts or ":" in member.filename or "\0" in member.filename
    if unsafe or stat.S_ISLNK(member.external_attr >> 16):
        raise _refuse(path, f"the entry {member.filename[:80]!r}", "plain files inside the folder")
    if member.flag_bits & 1:
        raise _refuse(path, "encrypted entries", "a zip without a password")
    return folder.joinpath(*name.parts)


def _extract(archive: ZipFile, member: ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as source, target.open("xb") as sink:
        while chunk := source.read(_CHUNK):
            sink.write(chunk)
