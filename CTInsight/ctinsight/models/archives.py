"""Unpack archives from strangers: nothing lands outside the folder, nothing grows without end."""

from __future__ import annotations

import stat
import tarfile
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from ctinsight.errors import UnreadableFileError, UnsafeArchiveError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Names that Windows keeps for devices, whatever follows the first dot
#: (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
_DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{kind}{digit}" for kind in ("com", "lpt") for digit in "0123456789¹²³"
}
_FORBIDDEN = set('<>:"|?*\\') | {chr(code) for code in range(32)} | {"\x7f"}
#: Most file systems allow 255 bytes for one name.
_LONGEST_PART_BYTES = 255
_CHUNK_BYTES = 2**18
#: What the reader of zips raises on damaged ones; the last where a name is no text.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError)
#: What the Finder adds to every zip; nobody's data.
_LITTER = ("__MACOSX", ".DS_Store")


@dataclass(frozen=True)
class ArchiveLimits:
    """How much an archive may hold.

    Parameters
    ----------
    total_bytes
        Of all files unpacked.
    files
        Number of files.
    ratio
        Unpacked bytes per packed byte of the whole archive; deflate reaches 1032 on zeros, weights about 1.1,
        CT masks up to some 300.
    ratio_free_bytes
        An archive that unpacks to less than this is never a bomb, whatever its ratio.
    """

    total_bytes: int = 20 * 2**30
    files: int = 20_000
    ratio: float = 200.0
    ratio_free_bytes: int = 64 * 2**20


@dataclass(frozen=True)
class _Member:
    name: str
    size_bytes: int
    is_folder: bool
    refused: str
    open: Callable[[], IO[bytes] | None]


@dataclass
class _Tally:
    """What was unpacked so far, against the limits."""

    archive: Path
    limits: ArchiveLimits
    written_bytes: int = 0
    seen: dict[str, bool] = field(default_factory=dict)

    def add(self, count: int) -> None:
        self.written_bytes += count
        packed = max(self.archive.stat().st_size, 1)
        if self.written_bytes > self.limits.total_bytes:
            raise _unsafe(self.archive, f"it unpacks to more than {self.limits.total_bytes} bytes")
        bomb = self.written_bytes > self.limits.ratio * packed
        if bomb and self.written_bytes > self.limits.ratio_free_bytes:
            raise _unsafe(self.archive, f"it grows more than {self.limits.ratio:g}-fold when unpacked")

    def enter(self, path: PurePosixPath, *, is_folder: bool) -> None:
        """Book a name as Windows and macOS compare names, and refuse what would land on another one."""
        key = str(path).casefold()
        parents = [str(parent).casefold() for parent in path.parents if parent.parts]
        if self.seen.get(key, is_folder) != is_folder or (key in self.seen and not is_folder):
            raise _unsafe(self.archive, f"{str(path)!r} stands in it twice")
        for parent in parents:
            if self.seen.setdefault(parent, True) is False:
                raise _unsafe(self.archive, f"{str(path)!r} lies in something that is a file")
        self.seen[key] = is_folder
        if len(self.seen) > self.limits.files:
            raise _unsafe(self.archive, f"it holds more than {self.limits.files} files")


def is_archive(path: Path) -> bool:
    """Return whether the file is a zip or tar archive; a torch weight file, a zip too, is not one."""
    if not path.is_file():
        return False
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return not any(
                    name.endswith("/data.pkl") or name == "data.pkl" for name in archive.namelist()
                )
    except DAMAGED:
        # Damaged: who unpacks it is told so.
        return True
    return path.suffix.lower() not in {".nii", ".dcm"} and tarfile.is_tarfile(path)


def safe_path(name: str) -> PurePosixPath:
    """Return a name from an archive or catalogue as a relative path that is the same on every system.

    Raises
    ------
    UnsafeArchiveError
        Absolute, with ``..``, a drive, a backslash, a device name of Windows, a control character, a dot or
        blank at an end, or an overlong part.
    """
    parts = unicodedata.normalize("NFC", name).split("/")
    for part in parts:
        reason = _fault_of(part)
        if reason:
            raise UnsafeArchiveError(
                found=f"the file name {name!r}: {reason}",
                expected="a relative path with plain names, parts divided by /",
                remedy="Do not use this archive; get it from its first source.",
            )
    return PurePosixPath(*parts)


def _fault_of(part: str) -> str:
    if part in {"", ".", ".."}:
        return "it is absolute, empty, or climbs out with '..'"
    if _FORBIDDEN & set(part):
        return "it holds a backslash, a colon or another character that no file system shares"
    if part[-1] in ". " or part[0] == " ":
        return "a part begins or ends with a blank, or ends with a dot"
    if part.split(".", maxsplit=1)[0].strip().casefold() in _DEVICES:
        return "Windows keeps this name for a device"
    if len(part.encode("utf-8", "surrogatepass")) > _LONGEST_PART_BYTES:
        return f"a part is longer than {_LONGEST_PART_BYTES} bytes"
    return ""


def extract(
    archive: Path,
    folder: Path,
    *,
    limits: ArchiveLimits | None = None,
    beat: Callable[[int], None] = lambda _count: None,
) -> tuple[Path, ...]:
    """Unpack a zip or tar archive into a folder that is empty or new.

    All names are looked at before the first byte is written. Links and devices are refused, sizes are counted
    while unpacking (a header may lie), permissions and owners are not taken over.

    Parameters
    ----------
    beat
        Called with the number of bytes just written; raise :class:`~ctinsight.errors.Cancelled` in it to
        stop.

    Returns
    -------
    tuple of Path
        The files, absolute, sorted.

    Raises
    ------
    UnsafeArchiveError
        See :func:`safe_path`; also links, devices, names that collide on Windows or macOS, encryption, bombs.
    UnreadableFileError
        No archive, or a damaged one.
    """
    tally = _Tally(archive, limits or ArchiveLimits())
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise _unsafe(archive, f"the folder {folder} is not empty")
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                return _unpack(_zip_members(opened), folder, tally, beat)
        with tarfile.open(archive) as opened_tar:
            return _unpack(_tar_members(opened_tar), folder, tally, beat)
    except (tarfile.TarError, *DAMAGED) as error:
        raise UnreadableFileError(
            found=f"{archive.name}: {error or 'a broken archive'}",
            expected="a whole zip or tar archive",
            remedy="Copy or download it again; compare its checksum with the source's.",
        ) from error


def _unpack(
    members: Iterator[_Member], folder: Path, tally: _Tally, beat: Callable[[int], None]
) -> tuple[Path, ...]:
    written = []
    for path, member in list(_checked(members, tally)):
        target = folder.joinpath(*path.parts)
        if member.is_folder:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(member, target, tally, beat)
        written.append(target)
    return tuple(sorted(written))


def _checked(members: Iterator[_Member], tally: _Tally) -> Iterator[tuple[PurePosixPath, _Member]]:
    declared = 0
    for member in members:
        declared += member.size_bytes
        if declared > tally.limits.total_bytes:
            raise _unsafe(tally.archive, f"it says to unpack to {declared} bytes or more")
        if member.refused:
            raise _unsafe(tally.archive, f"{member.name!r} {member.refused}")
        path = safe_path(member.name.removesuffix("/") if member.is_folder else member.name)
        if _LITTER[0] in path.parts or path.name == _LITTER[1]:
            continue
        tally.enter(path, is_folder=member.is_folder)
        yield path, member


def _write(member: _Member, target: Path, tally: _Tally, beat: Callable[[int], None]) -> None:
    try:
        source = member.open()
    except (OSError, ValueError, RuntimeError) as error:
        # The list of contents leads to places that the file does not have.
        raise zipfile.BadZipFile(f"{member.name!r}: {error}") from error  # noqa: EM102 - becomes the error's text
    if source is None:
        raise _unsafe(tally.archive, f"{member.name!r} is no regular file")
    with source, target.open("xb") as file:
        left = member.size_bytes
        while chunk := source.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise _unsafe(tally.archive, f"{member.name!r} holds more bytes than it says")
            tally.add(len(chunk))
            file.write(chunk)
            beat(len(chunk))
    if left:
        raise zipfile.BadZipFile(f"{member.name!r} is cut short")  # noqa: EM102 - becomes the error's text


def _zip_members(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode)
        refused = ""
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            refused = "is a link or a device"
        elif info.flag_bits & 0x1:
            refused = "is encrypted"
        # zipfile cuts a name at a NUL and, on Windows, turns backslashes: look at what the archive says.
        yield _Member(info.orig_filename, info.file_size, info.is_dir(), refused, _opener(archive, info))


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(info)


def _tar_members(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        refused = "" if info.isreg() or info.isdir() else "is a link or a device"
        yield _Member(info.name, info.size, info.isdir(), refused, _tar_opener(archive, info))


def _tar_opener(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes] | None]:
    return lambda: archive.extractfile(info)


def _unsafe(archive: Path, reason: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        found=f"{archive.name}: {reason}",
        expected="an archive of plain files with relative names",
        remedy="Do not use this archive; get it from its first source, or unpack it by hand and look at it.",
    )
