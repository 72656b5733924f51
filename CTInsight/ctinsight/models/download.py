"""Fetch one file whole and right, or leave nothing: resume, retries, other addresses, checksum, atomic move.

While under way the bytes lie in ``NAME.part`` with a note of their source in ``NAME.part.json``; only when
size and SHA-256 are right does the file appear under its name.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ctinsight.errors import DownloadFailedError, NotEnoughSpaceError
from ctinsight.models.card import FileRecord
from ctinsight.models.http_stream import Limits, Request, Stream, TransferFault, pause_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import requests

    from ctinsight.models.http_stream import Head
    from ctinsight.models.meter import Meter

_CHUNK_BYTES = 2**20
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Address:
    """A place to fetch from, and what may sign the request (see :class:`http_stream.Request`)."""

    url: str
    credentials: Callable[[requests.PreparedRequest], requests.PreparedRequest] | None = None


@dataclass(frozen=True)
class Wanted:
    """A file to fetch: its addresses in order of preference, its exact size, and a checksum.

    ``sha256`` or, where the source publishes only that, ``git_blob`` (SHA-1 of git's blob object).
    """

    name: str
    addresses: tuple[Address, ...]
    size_bytes: int
    sha256: str = ""
    git_blob: str = ""


@dataclass(frozen=True)
class _Note:
    """What is known of the bytes in a ``.part`` file: their address and its validators then."""

    url: str
    etag: str
    last_modified: str
    size_bytes: int


class _Part:
    """The growing ``.part`` file with the checksums of what it holds."""

    def __init__(self, target: Path, wanted: Wanted) -> None:
        self.path = target.with_name(target.name + ".part")
        self.note_path = target.with_name(target.name + ".part.json")
        self.wanted = wanted
        self.restarts = 0
        self.note = self._read_note()
        self.length = self.path.stat().st_size if self.note and self.path.is_file() else 0
        if self.note is None or self.length > wanted.size_bytes or self.note.size_bytes != wanted.size_bytes:
            self.discard()
        self._rehash()

    def discard(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)
        self.note_path.unlink(missing_ok=True)
        self.note, self.length = None, 0
        self._rehash()

    def begin(self, note: _Note) -> None:
        """Write down where the coming bytes are from."""
        self.note = note
        self.note_path.write_text(json.dumps(asdict(note)), encoding="utf-8")

    def right(self) -> str:
        """Say what is wrong with the whole; empty when nothing is."""
        for kind, found, expected in (
            ("SHA-256", self._sha256.hexdigest(), self.wanted.sha256),
            ("git blob", self._git_blob.hexdigest(), self.wanted.git_blob),
        ):
            if expected and found != expected:
                return f"{kind} {found} instead of {expected}"
        return ""

    def append(self, chunks: Iterator[bytes], meter: Meter) -> None:
        """Write chunks until they end; more bytes than wanted is a fault."""
        with self.path.open("ab") as file:
            for chunk in chunks:
                if self.length + len(chunk) > self.wanted.size_bytes:
                    why = f"it sent more than the published {self.wanted.size_bytes} bytes"
                    raise TransferFault(why=why, passing=False)
                file.write(chunk)
                self._count(chunk)
                meter.advance(len(chunk))
            file.flush()
            os.fsync(file.fileno())

    def move_to(self, target: Path) -> FileRecord:
        """Let the file appear under its name."""
        self.path.replace(target)
        self.note_path.unlink(missing_ok=True)
        return FileRecord(self.wanted.name, self.length, self._sha256.hexdigest())

    def _count(self, chunk: bytes) -> None:
        self.length += len(chunk)
        self._sha256.update(chunk)
        self._git_blob.update(chunk)

    def _rehash(self) -> None:
        self._sha256 = hashlib.sha256()
        header = f"blob {self.wanted.size_bytes}\0".encode()
        self._git_blob = hashlib.sha1(header, usedforsecurity=False)
        if self.length:
            self.length = 0
            with self.path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    self._count(chunk)

    def _read_note(self) -> _Note | None:
        try:
            return _Note(**json.loads(self.note_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def download(wanted: Wanted, target: Path, meter: Meter, limits: Limits | None = None) -> FileRecord:
    """Fetch a file to ``target``; bytes of an earlier attempt are kept and the rest is asked for.

    Parameters
    ----------
    target
        Replaced in one step when the new file is whole and right; its folder must exist. The caller holds a
        lock on it.
    meter
        Its listener is called several times a second, also while nothing moves, and stops the transfer by
        raising :class:`~ctinsight.errors.Cancelled`; what came so far stays for the next attempt.

    Raises
    ------
    DownloadFailedError
        No address gave the file; each is named with its reason.
    NotEnoughSpaceError
        The disk filled up.
    """
    part = _Part(target, wanted)
    meter.advance(part.length)
    faults: list[TransferFault] = []
    reasons: list[str] = []
    try:
        for address in wanted.addresses:
            try:
                _from_address(part, address, meter, limits or Limits())
            except TransferFault as fault:
                faults.append(fault)
                reasons.append(f"{_shown(address.url)}: {fault.why}")
                continue
            return part.move_to(target)
    except OSError as error:
        raise _disk_error(error, target) from error
    raise DownloadFailedError(
        found=f"{wanted.name} could not be fetched. " + "; ".join(reasons),
        expected=f"{wanted.size_bytes} bytes with SHA-256 {wanted.sha256 or '(published by the source)'}",
        remedy="Try again: it goes on where it broke. Behind a proxy set HTTPS_PROXY. Or fetch the file on "
        "another machine and give it to: ctinsight models import FILE",
    ) from (faults[-1] if faults else None)


def copy_checked(source: Path, wanted: Wanted, target: Path, meter: Meter) -> FileRecord:
    """Copy a file that is here already to ``target``, with the same checks as a download.

    Raises
    ------
    DownloadFailedError
        It cannot be read, or is not the file that is wanted.
    NotEnoughSpaceError
        The disk filled up.
    """
    part = _Part(target, wanted)
    part.discard()
    try:
        with source.open("rb") as file:
            part.begin(_Note(source.name, "", "", wanted.size_bytes))
            part.append(iter(lambda: file.read(_CHUNK_BYTES), b""), meter)
        wrong = part.right() or _short(part)
    except TransferFault as fault:
        wrong = fault.why
    except OSError as error:
        part.discard()
        raise _disk_error(error, source) from error
    if not wrong:
        return part.move_to(target)
    part.discard()
    raise DownloadFailedError(
        found=f"{source}: {wrong}",
        expected=f"{wanted.size_bytes} bytes with SHA-256 {wanted.sha256}",
        remedy="The file was changed or cut short: get it from its first source.",
    )


def _from_address(part: _Part, address: Address, meter: Meter, limits: Limits) -> None:
    """Try one address until the whole is right, or raise its last fault."""
    failed, pause = 0, limits.first_pause_seconds
    while True:
        before = part.length
        try:
            _attempt(part, address, meter, limits)
        except TransferFault as fault:
            failed = 1 if part.length - before >= limits.worthwhile_bytes else failed + 1
            if fault.unreached and not part.length:
                raise
            # A server that breaks and changes its file in turn must not keep us busy for ever.
            if not fault.passing or max(failed, part.restarts) >= limits.attempts:
                raise
            if failed == 1:
                pause = limits.first_pause_seconds
            wait = min(max(pause, fault.wait_seconds), limits.longest_pause_seconds)
            meter.say(f"{fault.why}; trying again in {wait:.0f} s")
            pause_with(meter, wait, limits)
            pause = 2 * pause
        else:
            return


def _attempt(part: _Part, address: Address, meter: Meter, limits: Limits) -> None:
    resumed = part.length > 0
    if part.length < part.wanted.size_bytes:
        meter.say("connecting", part.wanted.name)
        request = Request(address.url, _range_headers(part, address.url), address.credentials)
        with Stream(request, limits, meter) as stream:
            _receive(part, stream, meter, address.url)
    meter.say("checking")
    wrong = _short(part)
    if wrong:
        raise TransferFault(why=wrong, passing=True)
    wrong = part.right()
    if wrong:
        _start_over(part, meter)
        raise TransferFault(why=wrong, passing=resumed)


def _range_headers(part: _Part, url: str) -> dict[str, str]:
    if not part.length or part.note is None:
        return {}
    headers = {"Range": f"bytes={part.length}-"}
    validator = part.note.etag if part.note.etag.startswith('"') else part.note.last_modified
    # Another address has other validators: there the checksum alone decides.
    if validator and part.note.url == url:
        headers["If-Range"] = validator
    return headers


def _receive(part: _Part, stream: Stream, meter: Meter, url: str) -> None:
    head = stream.head()
    note = _Note(
        url, head.headers.get("ETag", ""), head.headers.get("Last-Modified", ""), part.wanted.size_bytes
    )
    if head.status == 416 or (head.status == 206 and not _continues(part, head, note)):
        _start_over(part, meter)
        raise TransferFault(why="the file changed at its source, or it cannot be resumed", passing=True)
    if head.status == 200 and part.length:
        _start_over(part, meter)
    _check_length(part, head)
    part.begin(note)
    meter.say("downloading")
    try:
        part.append(stream.chunks(), meter)
    except TransferFault as fault:
        if not fault.passing:
            _start_over(part, meter)
        raise


def _continues(part: _Part, head: Head, note: _Note) -> bool:
    """Return whether a partial answer goes on exactly where the part ends, in the same file."""
    match = _CONTENT_RANGE.fullmatch(head.headers.get("Content-Range", ""))
    if match is None or match[1] is None or int(match[1]) != part.length:
        return False
    if match[3] not in {"*", str(part.wanted.size_bytes)}:
        return False
    old = part.note
    return old is None or old.url != note.url or not old.etag or old.etag == note.etag


def _check_length(part: _Part, head: Head) -> None:
    text = head.headers.get("Content-Length", "")
    left = part.wanted.size_bytes - part.length
    if text.isdecimal() and int(text) != left:
        page = head.headers.get("Content-Type", "").startswith("text/html")
        hint = " (a web page: perhaps the sign-in page of this network)" if page else ""
        raise TransferFault(why=f"it offers {text} bytes instead of {left}{hint}", passing=False)


def _short(part: _Part) -> str:
    missing = part.wanted.size_bytes - part.length
    return f"it ended {missing} bytes too early" if missing else ""


def _start_over(part: _Part, meter: Meter) -> None:
    meter.advance(-part.length)
    part.discard()
    part.restarts += 1


def _shown(url: str) -> str:
    """Return an address without its query, which may hold a signature."""
    return url.split("?", maxsplit=1)[0]


def _disk_error(error: OSError, path: Path) -> Exception:
    if error.errno in _NO_SPACE:
        return NotEnoughSpaceError(
            found=f"the disk of {path.parent} is full",
            expected="room for the whole file",
            remedy="Free some space, or choose another model folder; the download goes on where it broke.",
        )
    detail: dict[str, Any] = {
        "found": f"{path} cannot be read or written: {error.strerror or error}",
        "expected": "a file and a folder that you may use",
        "remedy": "Check the permissions, or choose another model folder with CTINSIGHT_MODELS.",
    }
    return DownloadFailedError(**detail)
