"""What a hostile or broken server can do to a download, against a real one on 127.0.0.1."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from ctinsight.errors import DownloadFailedError
from ctinsight.models.download import Address, Wanted, download
from ctinsight.models.http_stream import TransferFault, _redirected
from ctinsight.models.meter import Meter
from hostile_server import (
    FaultyServer,
    claiming,
    cut,
    drip,
    endless,
    partial,
    plain,
    redirect,
    silence,
    status,
    whole,
)
from made_models import BODY, QUICK, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Return a running server that has no answers yet."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FaultyServer() as running:
        yield running


def _fetch(server: FaultyServer, folder: Path, *script: Any) -> bytes:
    """Download through a script of answers; return the file's bytes."""
    server.script = list(script)
    wanted = Wanted("file", (Address(server.url()),), len(BODY), sha256(BODY))
    download(wanted, folder / "file", Meter("test"), QUICK)
    return (folder / "file").read_bytes()


def _left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (plain(BODY[:-1] + b"?"), "SHA-256"),
        (claiming(BODY, len(BODY) + 5), "offers"),
        (plain(BODY[:-5]), "offers"),
        (plain(BODY + b"more"), "offers"),
        (endless(), "more than the published"),
        (redirect("file:///etc/passwd"), "redirect to file"),
        (redirect("ftp://127.0.0.1/x"), "redirect to ftp"),
        (redirect("data:text/plain,x"), "redirect to data"),
        (redirect("http:///nohost"), "redirect"),
        (redirect(""), "redirect"),
        (redirect("/file"), "redirects"),
        (plain(b"<html>sign in</html>", **{"Content-Type": "text/html; charset=utf-8"}), "sign-in"),
        (plain(BODY, **{"Content-Encoding": "gzip"}), "coding"),
        (partial(BODY, f"bytes 7-{len(BODY) + 6}/{len(BODY) + 7}"), "changed"),
        (partial(BODY[:100], f"bytes 0-99/{len(BODY)}"), "offers"),
        (status(404), "404"),
        (status(500), "500"),
        (drip(BODY), "dripped"),
        (silence(BODY, after=1000), "silence"),
        (cut(BODY, 0), "connection broke"),
        (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n"), "connection broke"),
        (lambda handler: handler.connection.close(), "connection broke"),
    ],
    ids=[
        "wrong hash",
        "longer announced",
        "shorter",
        "longer",
        "endless",
        "to file:",
        "to ftp:",
        "to data:",
        "to no host",
        "to nowhere",
        "loop",
        "captive portal",
        "recoded",
        "wrong range",
        "short range",
        "404",
        "500 for ever",
        "drip",
        "stall",
        "nothing",
        "no HTTP",
        "hung up",
    ],
)
def test_a_bad_answer_leaves_no_file(server: FaultyServer, tmp_path: Path, answer: Any, reason: str) -> None:
    """Each fault ends in one error that names it; no file appears, and a few seconds are enough."""
    began = time.monotonic()
    with pytest.raises(DownloadFailedError, match=reason) as caught:
        _fetch(server, tmp_path, answer)
    assert "ctinsight models import" in caught.value.remedy
    assert "file" not in _left(tmp_path)
    assert time.monotonic() - began < 5


def test_headers_that_never_come_end_the_attempt(server: FaultyServer, tmp_path: Path) -> None:
    """A server that accepts and says nothing is given up after the limits, three times."""
    with pytest.raises(DownloadFailedError, match="silence"):
        _fetch(server, tmp_path, silence(BODY, after=-1))
    assert len(server.asked) == QUICK.attempts


def test_an_endless_body_stops_at_the_published_size(server: FaultyServer, tmp_path: Path) -> None:
    """Not more than the published size is ever written to disk."""
    sizes = []
    meter = Meter("test", listener=lambda event: sizes.append(event.bytes_done))
    server.script = [endless()]
    with pytest.raises(DownloadFailedError):
        download(
            Wanted("file", (Address(server.url()),), 50_000, sha256(b"")), tmp_path / "file", meter, QUICK
        )
    assert max(sizes) <= 50_000
    assert _left(tmp_path) == set()


def test_https_never_becomes_http() -> None:
    """A redirect from https to http is refused; from http to https it is followed."""
    with pytest.raises(TransferFault, match="from https to http"):
        _redirected("https://host/a", "http://host/a")
    assert _redirected("http://host/a", "https://other/b") == "https://other/b"


def test_the_connection_breaks_and_the_rest_is_asked_for(server: FaultyServer, tmp_path: Path) -> None:
    """After a break at 60,000 bytes the next request asks from there on, if the file is still the same."""
    assert _fetch(server, tmp_path, cut(BODY, 60_000), whole(BODY)) == BODY
    second = server.asked[1][1]
    assert (second["Range"], second["If-Range"]) == ("bytes=60000-", '"first"')
    assert _left(tmp_path) == {"file"}


def test_breaks_again_and_again_are_survived(server: FaultyServer, tmp_path: Path) -> None:
    """Ten breaks of 10,000 bytes each end in the whole file when each counts as progress."""
    server.script = [cut(BODY, 10_000)]
    limits = QUICK.__class__(**(vars(QUICK) | {"worthwhile_bytes": 5_000}))
    wanted = Wanted("file", (Address(server.url()),), len(BODY), sha256(BODY))
    download(wanted, tmp_path / "file", Meter("test"), limits)
    assert len(server.asked) == 11


def test_a_changed_file_is_fetched_from_its_start(server: FaultyServer, tmp_path: Path) -> None:
    """With another ETag the old part is thrown away: the server sends all (200) and all of it counts."""
    old = b"z" * len(BODY)
    assert _fetch(server, tmp_path, cut(old, 60_000, etag='"old"'), whole(BODY, etag='"new"')) == BODY
    assert len(server.asked) == 2


def test_a_206_of_another_file_is_not_glued_on(server: FaultyServer, tmp_path: Path) -> None:
    """A server that ignores If-Range but shows another ETag does not get its bytes into the file."""
    wrong = partial(b"z" * 42_400, f"bytes 60000-{len(BODY) - 1}/{len(BODY)}", etag='"other"')
    assert _fetch(server, tmp_path, cut(BODY, 60_000), wrong, whole(BODY)) == BODY
    assert "Range" not in server.asked[2][1]


def test_a_wrong_part_is_noticed_and_fetched_again(server: FaultyServer, tmp_path: Path) -> None:
    """When the glued whole has the wrong SHA-256, it is fetched once more from the start."""
    assert _fetch(server, tmp_path, cut(b"z" * len(BODY), 60_000), whole(BODY)) == BODY
    assert [("Range" in headers) for _path, headers in server.asked] == [False, True, False]


@pytest.mark.parametrize("answer", [plain(BODY), status(416), partial(b"", "bytes */5")])
def test_a_range_that_is_not_served_starts_over(server: FaultyServer, tmp_path: Path, answer: Any) -> None:
    """200 instead of 206, 416, or an empty range: the file is fetched from its start and is right."""
    assert _fetch(server, tmp_path, cut(BODY, 60_000), answer, whole(BODY)) == BODY


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_passing_troubles_are_waited_out(server: FaultyServer, tmp_path: Path, code: int) -> None:
    """Two passing errors and then a good answer give the file."""
    assert _fetch(server, tmp_path, status(code), status(code, **{"Retry-After": "0"}), whole(BODY)) == BODY


def test_a_server_cannot_keep_us_busy_for_ever(server: FaultyServer, tmp_path: Path) -> None:
    """Progress, then "the file changed", again and again: given up after as many restarts as attempts."""
    server.script = [cut(BODY, 70_000), status(416)] * 10
    wanted = Wanted("file", (Address(server.url()),), len(BODY), sha256(BODY))
    with pytest.raises(DownloadFailedError):
        download(wanted, tmp_path / "file", Meter("test"), QUICK)
    assert len(server.asked) <= 2 * QUICK.attempts
