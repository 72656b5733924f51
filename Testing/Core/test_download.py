"""Downloads that go well in the end: progress, cancel and resume, other addresses, proxy, TLS, full disk."""

from __future__ import annotations

import errno
import shutil
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from ctinsight.errors import Cancelled, DownloadFailedError, NotEnoughSpaceError
from ctinsight.models.download import Address, Wanted, copy_checked, download
from ctinsight.models.http_stream import Request, Stream
from ctinsight.models.meter import Meter, TransferEvent
from hostile_server import FaultyServer, cut, plain, redirect, status, whole
from made_models import BODY, QUICK, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    import requests


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Return a running server that has no answers yet."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FaultyServer() as running:
        yield running


def _wanted(*urls: str) -> Wanted:
    return Wanted("file", tuple(Address(url) for url in urls), len(BODY), sha256(BODY))


def _cancelled() -> Cancelled:
    return Cancelled(found="enough", expected="", remedy="")


def test_a_file_arrives_whole(server: FaultyServer, tmp_path: Path) -> None:
    """The record tells name, size and SHA-256; nothing but the file is left."""
    server.script = [whole(BODY)]
    record = download(_wanted(server.url()), tmp_path / "file", Meter("test"), QUICK)
    assert (record.name, record.size_bytes, record.sha256) == ("file", len(BODY), sha256(BODY))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_progress_tells_bytes_speed_and_time_left() -> None:
    """100 of 300 bytes after 1 s and 200 after 2 s: 100 bytes/s, 1 s left."""
    now = [0.0]
    events: list[TransferEvent] = []
    meter = Meter("net", 300, events.append, clock=lambda: now[0])
    meter.say("downloading", "file")
    for second in (1.0, 2.0):
        now[0] = second
        meter.advance(100)
    last = events[-1]
    assert (last.bytes_done, last.bytes_per_second, last.seconds_left) == (200, 100.0, 1.0)
    assert last.as_progress().fraction == pytest.approx(2 / 3)


def test_cancel_stops_and_the_next_call_goes_on(server: FaultyServer, tmp_path: Path) -> None:
    """Cancelled half-way, no file is visible; the next call asks for the rest only."""
    server.script = [cut(BODY, 50_000), whole(BODY)]

    def stop(event: TransferEvent) -> None:
        if event.phase.startswith("the connection broke"):
            raise _cancelled()

    with pytest.raises(Cancelled):
        download(_wanted(server.url()), tmp_path / "file", Meter("test", listener=stop), QUICK)
    assert not (tmp_path / "file").exists()
    download(_wanted(server.url()), tmp_path / "file", Meter("test"), QUICK)
    assert server.asked[-1][1]["Range"] == "bytes=50000-"


def test_the_next_address_takes_over_where_the_first_broke(server: FaultyServer, tmp_path: Path) -> None:
    """A mirror is asked for the rest, without the first one's validator; the SHA-256 decides."""
    server.routes = {"/a": cut(BODY, 50_000), "/b": whole(BODY, etag='"mirror"')}
    limits = QUICK.__class__(**(vars(QUICK) | {"attempts": 1}))
    download(_wanted(server.url("/a"), server.url("/b")), tmp_path / "file", Meter("test"), limits)
    last = server.asked[-1][1]
    assert last["Range"] == "bytes=50000-"
    assert "If-Range" not in last


def test_every_failed_address_is_named(server: FaultyServer, tmp_path: Path) -> None:
    """The error lists each address with its reason, without its query: that may hold a signature."""
    server.routes = {"/a?key=hidden": status(404), "/b": plain(BODY[:-1])}
    urls = server.url("/a?key=hidden"), server.url("/b"), "http://127.0.0.1:9/c"
    with pytest.raises(
        DownloadFailedError, match=r"/a: HTTP status 404.*/b: it offers.*/c: no connection"
    ) as caught:
        download(_wanted(*urls), tmp_path / "file", Meter("test"), QUICK)
    assert "hidden" not in str(caught.value)


def test_who_has_no_network_is_told_at_once(tmp_path: Path) -> None:
    """Without any connection there is no waiting for better times, however patient the limits are."""
    began = time.monotonic()
    patient = QUICK.__class__(**(vars(QUICK) | {"first_pause_seconds": 30.0, "longest_pause_seconds": 30.0}))
    with pytest.raises(DownloadFailedError, match="no connection"):
        download(_wanted("http://127.0.0.1:9/c"), tmp_path / "file", Meter("test"), patient)
    assert time.monotonic() - began < 5


def test_names_with_blanks_and_umlauts_work(server: FaultyServer, tmp_path: Path) -> None:
    """The target may lie in a folder that no ASCII knows."""
    folder = tmp_path / "Größe 体积 ñ (1)"
    folder.mkdir()
    server.script = [cut(BODY, 50_000), whole(BODY)]
    download(
        _wanted(server.url("/Gr%C3%B6%C3%9Fe%20%E4%BD%93")), folder / "Gewichte ü.bin", Meter("t"), QUICK
    )
    assert (folder / "Gewichte ü.bin").read_bytes() == BODY


def test_credentials_stay_with_their_host(server: FaultyServer, tmp_path: Path) -> None:
    """A redirect to another host gets the request without the signature."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = "Bearer very-secret"
        return request

    with FaultyServer() as other:
        other.script = [whole(BODY)]
        server.script = [redirect(other.url("/cdn"))]
        wanted = Wanted("file", (Address(server.url(), sign),), len(BODY), sha256(BODY))
        download(wanted, tmp_path / "file", Meter("test"), QUICK)
        assert server.asked[0][1]["Authorization"] == "Bearer very-secret"
        assert "Authorization" not in other.asked[0][1]


def test_the_systems_proxy_is_used(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With HTTP_PROXY set, the proxy is asked for the whole address of a host that does not exist."""
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", server.url("/"))
    server.script = [whole(BODY)]
    download(_wanted("http://models.invalid/file"), tmp_path / "file", Meter("test"), QUICK)
    assert server.asked[0][0] == "http://models.invalid/file"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_trust_comes_from_system_or_environment(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A certificate is refused until the system's store or REQUESTS_CA_BUNDLE knows it."""
    certificate = _serve_tls(server, tmp_path)
    for known in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(known, raising=False)
    server.script = [whole(BODY)]
    with pytest.raises(DownloadFailedError, match="certificate is not trusted"):
        download(_wanted(server.url()), tmp_path / "file", Meter("test"), QUICK)
    monkeypatch.setenv(variable, str(certificate))
    download(_wanted(server.url()), tmp_path / "file", Meter("test"), QUICK)
    server.script = [redirect("http://127.0.0.1:9/file")]
    with pytest.raises(DownloadFailedError, match="from https to http"):
        download(_wanted(server.url()), tmp_path / "other", Meter("test"), QUICK)


def _serve_tls(server: FaultyServer, folder: Path) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl program here to make a certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    return certificate


def test_a_full_disk_is_told_and_the_part_stays(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC while writing becomes one clear error; what was written is there for the next attempt."""
    server.script = [whole(BODY)]

    def full(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ctinsight.models.download.os.fsync", full)
    with pytest.raises(NotEnoughSpaceError, match="disk of"):
        download(_wanted(server.url()), tmp_path / "file", Meter("test"), QUICK)
    assert (tmp_path / "file.part").stat().st_size == len(BODY)


def test_a_whole_part_needs_no_network(server: FaultyServer, tmp_path: Path) -> None:
    """A process that died between the last byte and the move left all that is needed."""
    server.script = [whole(BODY)]
    download(_wanted(server.url()), tmp_path / "file", Meter("test"), QUICK)
    (tmp_path / "file").rename(tmp_path / "file.part")
    note = f'{{"url": "x", "etag": "", "last_modified": "", "size_bytes": {len(BODY)}}}'
    (tmp_path / "file.part.json").write_text(note)
    download(_wanted("http://127.0.0.1:9/"), tmp_path / "file", Meter("test"), QUICK)
    assert (tmp_path / "file").read_bytes() == BODY


def test_a_copy_is_checked_like_a_download(tmp_path: Path) -> None:
    """A file from a folder appears only with the right size and SHA-256; the original is not touched."""
    (tmp_path / "good").write_bytes(BODY)
    (tmp_path / "bad").write_bytes(BODY[:-1] + b"?")
    copy_checked(tmp_path / "good", _wanted(), tmp_path / "copy", Meter("test"))
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "good").read_bytes()
    for wrong in ("bad", "absent"):
        with pytest.raises(DownloadFailedError):
            copy_checked(tmp_path / wrong, _wanted(), tmp_path / "other", Meter("test"))
    assert {path.name for path in tmp_path.iterdir()} == {"good", "bad", "copy"}


def test_a_closed_stream_lets_its_thread_go(server: FaultyServer) -> None:
    """Whoever stops listening is not followed by a thread that goes on reading."""
    server.script = [whole(b"x" * 50_000_000)]
    with Stream(Request(server.url()), QUICK, Meter("test")) as stream:
        stream.head()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and any(t.name == "ctinsight-download" for t in threading.enumerate()):
        time.sleep(0.02)
    assert not any(t.name == "ctinsight-download" for t in threading.enumerate())
