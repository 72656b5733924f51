"""Getting an entry: once for all processes, from the mirror or the public source, never offline."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ctinsight.errors import (
    Cancelled,
    DownloadFailedError,
    NotEnoughSpaceError,
    OfflineError,
    TermsNotAcceptedError,
    WeightsMissingError,
)
from ctinsight.models.catalogue import Terms
from ctinsight.models.obtain import obtain
from hostile_server import FaultyServer, cut, plain, silence, slowly, status, whole
from made_models import BODY, QUICK, a_model, a_store, an_entry, how, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from ctinsight.models.meter import TransferEvent

STRICT = Terms("no open licence", "Research only.", "CN1", must_accept=True)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Return a running server that has no answers yet."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FaultyServer() as running:
        yield running


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of addresses that anything tried to reach; it must stay empty."""
    tried: list[str] = []

    def refuse(*arguments: Any, **_options: Any) -> None:
        tried.append(str(arguments))
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tried


def test_an_entry_is_fetched_once(server: FaultyServer, tmp_path: Path) -> None:
    """The second call finds it unchanged and asks nobody."""
    server.script = [whole(BODY)]
    store = a_store(tmp_path / "Größe 体积 (1)", an_entry(bases=(server.url("/"),)))
    first = obtain(store, "atlas-made", how(store))
    assert obtain(store, "atlas-made", how(store)) == first
    assert (len(server.asked), first.origin) == (1, "published")
    assert store.checked_file("atlas-made", "file").read_bytes() == BODY


def test_progress_runs_over_all_files(server: FaultyServer, tmp_path: Path) -> None:
    """Bytes count from 0 to the sum of the files, and never go back."""
    server.routes = {"/a": whole(BODY), "/b": whole(BODY[:1000])}
    store = a_store(tmp_path, an_entry(bodies={"a": BODY, "b": BODY[:1000]}, bases=(server.url("/"),)))
    events: list[TransferEvent] = []
    obtain(store, "atlas-made", how(store, listener=events.append))
    done = [event.bytes_done for event in events]
    assert done == sorted(done)
    assert (done[-1], events[-1].bytes_total, events[-1].phase) == (103_400, 103_400, "installing")


def _child(server: FaultyServer, folder: Path) -> subprocess.Popen[str]:
    """Start a process of its own that gets the entry and prints its SHA-256."""
    code = "import sys\nimport made_models as m\n"
    code += "from pathlib import Path\nfrom ctinsight.models.obtain import obtain\n"
    code += "store = m.a_store(Path(sys.argv[2]), m.an_entry(bases=(sys.argv[1],)))\n"
    code += "limits = m.QUICK.__class__()\n"
    code += "print(obtain(store, 'atlas-made', m.how(store, limits=limits)).files[0].sha256)"
    command = [sys.executable, "-c", code, server.url("/"), str(folder)]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)


def test_two_processes_fetch_it_once(server: FaultyServer, tmp_path: Path) -> None:
    """Two processes that ask at the same time send one request; both end with the file."""
    server.script = [slowly(BODY, seconds=0.8)]
    with _child(server, tmp_path / "ü") as one, _child(server, tmp_path / "ü") as two:
        assert {run.communicate(timeout=30)[0].strip() for run in (one, two)} == {sha256(BODY)}
    assert len(server.asked) == 1


def test_a_killed_process_leaves_nothing_half_visible(server: FaultyServer, tmp_path: Path) -> None:
    """Killed in the middle of the body: nothing is installed, the lock is open, the rest is resumed."""
    server.script = [silence(BODY, after=50_000), whole(BODY)]
    with _child(server, tmp_path) as child:
        part = tmp_path / ".incoming" / "atlas-made" / "1" / "file.part"
        deadline = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size == 50_000) and time.monotonic() < deadline:
            time.sleep(0.02)
        child.kill()
    store = a_store(tmp_path, an_entry(bases=(server.url("/"),)))
    assert store.find("atlas-made") is None
    obtain(store, "atlas-made", how(store))
    assert server.asked[-1][1]["Range"] == "bytes=50000-"


def test_a_repair_fetches_only_what_is_wrong(server: FaultyServer, tmp_path: Path) -> None:
    """Of two files one was changed: only that one is fetched again."""
    server.routes = {"/a": whole(BODY), "/b": whole(b"22")}
    store = a_store(tmp_path, an_entry(bodies={"a": BODY, "b": b"22"}, bases=(server.url("/"),)))
    obtain(store, "atlas-made", how(store))
    (tmp_path / "atlas-made" / "1" / "b").write_bytes(b"??")
    obtain(store, "atlas-made", how(store))
    assert [path for path, _headers in server.asked] == ["/a", "/b", "/b"]
    assert store.intact("atlas-made") is not None


def test_a_cancelled_get_leaves_nothing_visible(server: FaultyServer, tmp_path: Path) -> None:
    """After a cancel in the second file nothing is installed; the next call fetches only the second."""
    server.routes = {"/a": whole(BODY), "/b": whole(b"22")}
    store = a_store(tmp_path, an_entry(bodies={"a": BODY, "b": b"22"}, bases=(server.url("/"),)))

    def stop(event: TransferEvent) -> None:
        if event.file == "b":
            raise Cancelled(found="enough", expected="", remedy="")

    with pytest.raises(Cancelled):
        obtain(store, "atlas-made", how(store, listener=stop))
    assert store.find("atlas-made") is None
    assert not (tmp_path / "atlas-made").exists()
    obtain(store, "atlas-made", how(store))
    assert [path for path, _headers in server.asked].count("/a") == 1


def test_space_is_asked_for_first(server: FaultyServer, tmp_path: Path) -> None:
    """On a full disk nothing is requested."""
    store = a_store(tmp_path, an_entry(bases=(server.url("/"),)), free_bytes=lambda _folder: 1)
    with pytest.raises(NotEnoughSpaceError):
        obtain(store, "atlas-made", how(store))
    assert server.asked == []


def test_terms_come_before_the_network(server: FaultyServer, tmp_path: Path) -> None:
    """Without acceptance nothing is asked for; with it the time of acceptance is written down."""
    server.script = [whole(BODY)]
    store = a_store(tmp_path, an_entry(terms=STRICT, bases=(server.url("/"),)))
    with pytest.raises(TermsNotAcceptedError, match=r"Research only\. CN1"):
        obtain(store, "atlas-made", how(store))
    assert server.asked == []
    assert obtain(store, "atlas-made", how(store, accept_terms=True)).terms_accepted.startswith("20")


def test_a_model_without_address_says_where_to_ask(tmp_path: Path, no_network: list[str]) -> None:
    """The error names whom to ask and the import command; also for a variant of it."""
    store = a_store(tmp_path, a_model(ask="Write to the authors."))
    for name in ("made-net", "made-net-ours"):
        with pytest.raises(WeightsMissingError, match=rf"authors\. Import by hand: .* --model {name}"):
            obtain(store, name, how(store))
    assert no_network == []


def test_offline_touches_no_network(tmp_path: Path, no_network: list[str]) -> None:
    """With the switch on, neither public addresses nor a mirror address are asked."""
    store = a_store(tmp_path, an_entry())
    for mirror in ("", "https://mirror.invalid/models"):
        with pytest.raises(OfflineError, match="offline"):
            obtain(store, "atlas-made", how(store, offline=True, mirror=mirror))
    assert no_network == []


def test_installed_entries_need_no_network(server: FaultyServer, tmp_path: Path) -> None:
    """What is installed is found offline, without a single request."""
    server.script = [whole(BODY)]
    store = a_store(tmp_path, an_entry(bases=(server.url("/"),)))
    first = obtain(store, "atlas-made", how(store))
    assert obtain(store, "atlas-made", how(store, offline=True)) == first
    assert len(server.asked) == 1


@pytest.mark.parametrize("offline", [True, False])
def test_a_mirror_folder_takes_the_place_of_the_network(
    tmp_path: Path, no_network: list[str], offline: bool
) -> None:
    """A mirror folder has the layout of a store; its files are checked against the catalogue."""
    mirror = tmp_path / "Spiegel ü"
    (mirror / "atlas-made" / "1").mkdir(parents=True)
    (mirror / "atlas-made" / "1" / "file").write_bytes(BODY)
    store = a_store(tmp_path / "store", an_entry())
    item = obtain(store, "atlas-made", how(store, mirror=str(mirror), offline=offline))
    assert item.origin == f"mirror {mirror}"
    assert (mirror / "atlas-made" / "1" / "file").read_bytes() == BODY
    assert no_network == []


def test_a_forged_mirror_is_refused(tmp_path: Path, no_network: list[str]) -> None:
    """A mirror's file with another content than the catalogue's is not installed."""
    (tmp_path / "mirror" / "atlas-made" / "1").mkdir(parents=True)
    (tmp_path / "mirror" / "atlas-made" / "1" / "file").write_bytes(BODY[:-1] + b"?")
    store = a_store(tmp_path / "store", an_entry())
    with pytest.raises(DownloadFailedError, match="SHA-256"):
        obtain(store, "atlas-made", how(store, mirror=str(tmp_path / "mirror")))
    assert store.find("atlas-made") is None
    assert no_network == []


def test_a_mirror_address_is_asked_instead_of_the_source(server: FaultyServer, tmp_path: Path) -> None:
    """Only the mirror gets requests, for name/version/file, and a broken one is resumed there."""
    server.routes = {"/models/atlas-made/1/a%20b": whole(BODY)}
    store = a_store(tmp_path, an_entry(bodies={"a b": BODY}, bases=("https://public.invalid/",)))
    obtain(store, "atlas-made", how(store, mirror=server.url("/models")))
    assert [path for path, _headers in server.asked] == ["/models/atlas-made/1/a%20b"]


def test_a_mirror_can_give_what_the_public_cannot(server: FaultyServer, tmp_path: Path) -> None:
    """Models without a public address come from a mirror that has them, listed by its installed.json."""
    source = a_store(tmp_path / "source", a_model())
    incoming = source.incoming("made-net", "1")
    (incoming / "model.safetensors").write_bytes(BODY)
    from ctinsight.models.installed import Installed
    from ctinsight.models.supply import add_own_files

    placed = add_own_files(source, "made-net", incoming, Installed("made-net", "1", (), "user-supplied", ""))
    server.routes = {
        "/made-net/1/installed.json": plain(placed.to_json().encode()),
        "/made-net/1/model.safetensors": whole(BODY),
    }
    for number, mirror in enumerate((str(source.folder), server.url("").rstrip("/"))):
        store = a_store(tmp_path / f"store{number}", a_model())
        assert obtain(store, "made-net", how(store, mirror=mirror)).files == placed.files


@pytest.mark.parametrize("answer", [status(404), plain(b"<html>"), plain(json.dumps({"layout": 9}).encode())])
def test_a_mirror_without_the_model_is_told(server: FaultyServer, tmp_path: Path, answer: Any) -> None:
    """A missing or senseless list is one error that says what a mirror should hold."""
    server.script = [answer]
    store = a_store(tmp_path, a_model())
    with pytest.raises(WeightsMissingError, match="mirror has no made-net"):
        obtain(store, "made-net", how(store, mirror=server.url("")))
    with pytest.raises(WeightsMissingError, match="mirror has no made-net"):
        obtain(store, "made-net", how(store, mirror=str(tmp_path / "nowhere")))


def test_a_break_in_one_process_is_resumed_in_the_next(server: FaultyServer, tmp_path: Path) -> None:
    """A failed get leaves its part; a later one asks for the rest."""
    server.script = [cut(BODY, 50_000)]
    entry = an_entry(bases=(server.url("/"),))
    once = replace(how(a_store(tmp_path, entry)), limits=replace(QUICK, attempts=1))
    with pytest.raises(DownloadFailedError):
        obtain(a_store(tmp_path, entry), "atlas-made", once)
    server.script = [whole(BODY)]
    obtain(a_store(tmp_path, entry), "atlas-made", once)
    assert server.asked[-1][1]["Range"] == "bytes=50000-"
