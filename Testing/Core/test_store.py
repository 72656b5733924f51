"""The folder of models: what counts as installed, what is deleted, what is checked before a load."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ctinsight.errors import (
    NotEnoughSpaceError,
    StoreUnusableError,
    WeightsMissingError,
    WrongUseError,
    WrongWeightsError,
)
from ctinsight.models.card import FileRecord
from ctinsight.models.installed import Installed, read_installed
from ctinsight.models.locks import Waiting, _windows, held
from made_models import BODY, a_model, a_store, an_entry, sha256

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from ctinsight.models.store import Store


def _place(store: Store, name: str = "atlas-made", version: str = "1", **bodies: bytes) -> Installed:
    """Install files of known content."""
    bodies = bodies or {"file": BODY}
    source = store.incoming(name, version)
    for key, body in bodies.items():
        (source / key).write_bytes(body)
    records = tuple(FileRecord(key, len(body), sha256(body)) for key, body in bodies.items())
    return store.place(source, Installed(name, version, records, "published", "2026-11-21T00:00:00+00:00"))


def test_what_is_placed_is_found(tmp_path: Path) -> None:
    """Folder and list come back; nothing is left of the way there."""
    store = a_store(tmp_path / "Größe 体积 (1)", an_entry())
    item = _place(store)
    folder, found = store.locate("atlas-made")
    assert (found, folder) == (item, store.folder / "atlas-made" / "1")
    assert store.installed() == (item,)
    assert not (store.folder / ".incoming" / "atlas-made").exists()


def test_files_without_a_list_are_not_installed(tmp_path: Path) -> None:
    """A folder with files but no list, as a killed move leaves it, does not count."""
    store = a_store(tmp_path, an_entry())
    _place(store)
    (tmp_path / "atlas-made" / "1" / "installed.json").unlink()
    assert store.find("atlas-made") is None
    with pytest.raises(WeightsMissingError, match="ctinsight models get atlas-made"):
        store.locate("atlas-made")


def test_a_missing_model_says_where_to_ask(tmp_path: Path) -> None:
    """Without a public address the remedy is the catalogue's text; an unknown name is a wrong call."""
    store = a_store(tmp_path, a_model(ask="Write to the authors."))
    with pytest.raises(WeightsMissingError, match="Write to the authors"):
        store.locate("made-net")
    with pytest.raises(WrongUseError, match="made-net"):
        store.locate("made-nets")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(BODY[:-1] + b"?"),
        lambda path: path.write_bytes(BODY[:-1]),
        lambda path: path.unlink(),
    ],
    ids=["changed", "short", "gone"],
)
def test_a_changed_file_is_not_given_out(tmp_path: Path, spoil: Any) -> None:
    """Before a load the SHA-256 is compared; verify names the file."""
    store = a_store(tmp_path, an_entry())
    _place(store)
    assert store.checked_file("atlas-made", "file").read_bytes() == BODY
    spoil(tmp_path / "atlas-made" / "1" / "file")
    with pytest.raises(WrongWeightsError, match="file"):
        store.checked_file("atlas-made", "file")
    (check,) = store.verify("atlas-made")
    assert check.wrong
    assert store.intact("atlas-made") is None


def test_the_catalogue_has_the_last_word(tmp_path: Path) -> None:
    """A file that agrees with its own list but not with the catalogue is wrong; a missing one too."""
    store = a_store(tmp_path, an_entry(bodies={"file": BODY, "other": b"2"}))
    _place(store, file=b"forged")
    wrong = {check.name: check.wrong for check in store.verify("atlas-made")}
    assert "the catalogue publishes" in wrong["file"]
    assert wrong["other"] == "is missing"


def test_an_unknown_file_of_a_model_is_told(tmp_path: Path) -> None:
    """Asking for a file that the entry does not have names those it has."""
    store = a_store(tmp_path, an_entry())
    _place(store)
    with pytest.raises(WeightsMissingError, match="file"):
        store.checked_file("atlas-made", "nothing")


def test_only_our_files_are_deleted(tmp_path: Path) -> None:
    """A stranger's file in the folder stays and is named; so do the folder and everything around."""
    store = a_store(tmp_path, an_entry())
    _place(store, file=BODY, second=b"2")
    stranger = tmp_path / "atlas-made" / "1" / "notes.txt"
    stranger.write_text("mine")
    (tmp_path / "thesis.docx").write_text("mine too")
    removal = store.remove("atlas-made")
    assert (len(removal.deleted), removal.kept) == (3, (stranger,))
    assert stranger.read_text() == (tmp_path / "thesis.docx").read_text().removesuffix(" too") == "mine"
    assert store.find("atlas-made") is None


def test_a_stopped_removal_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be deleted yet, as on Windows while it is loaded, leaves the entry listed."""
    store = a_store(tmp_path, an_entry())
    _place(store, file=BODY, second=b"2")
    whole_unlink = pathlib.Path.unlink

    def busy(path: Path, **options: Any) -> None:
        if path.name == "second":
            raise PermissionError(13, "used by another process")
        whole_unlink(path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "unlink", busy)
        with pytest.raises(StoreUnusableError, match="used by another process"):
            store.remove("atlas-made")
    assert store.intact("atlas-made") is None
    assert store.remove("atlas-made").kept == ()
    assert not (tmp_path / "atlas-made").exists()


def test_an_empty_folder_goes_with_its_files(tmp_path: Path) -> None:
    """After a removal nothing of the entry is left, unfinished downloads included."""
    store = a_store(tmp_path, an_entry())
    _place(store)
    (store.incoming("atlas-made", "2") / "file.part").write_bytes(b"half")
    store.remove("atlas-made")
    assert not (tmp_path / "atlas-made").exists()
    assert store.disk_use() == {}


@pytest.mark.parametrize("name", ["../../precious", "/precious", "a/../../../precious"])
def test_a_forged_list_deletes_nothing(tmp_path: Path, name: str) -> None:
    """A list that names a file outside its folder is no list: nothing is installed, nothing deleted."""
    store = a_store(tmp_path / "store", an_entry())
    _place(store)
    (tmp_path / "precious").write_text("mine")
    path = tmp_path / "store" / "atlas-made" / "1" / "installed.json"
    content = json.loads(path.read_text())
    content["files"][0]["name"] = name
    path.write_text(json.dumps(content))
    with pytest.raises(WeightsMissingError):
        store.remove("atlas-made")
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize(
    "change", [{"version": "../.."}, {"name": "../x"}, {"layout": 2}, {"files": [{"name": "x"}]}, {"more": 1}]
)
def test_a_strange_list_is_no_list(change: dict[str, Any]) -> None:
    """Names that climb, another layout, missing or unknown fields: the list is not read."""
    item = Installed("a", "1", (FileRecord("f", 1, "0" * 64),), "published", "")
    with pytest.raises(ValueError):  # noqa: PT011 - the text differs by fault
        read_installed(json.dumps(json.loads(item.to_json()) | change))


def test_links_do_not_lead_a_removal_out(tmp_path: Path) -> None:
    """When an entry's folder is a link to elsewhere, nothing there is deleted."""
    store = a_store(tmp_path / "store", an_entry())
    _place(store)
    outside = tmp_path / "outside"
    (tmp_path / "store" / "atlas-made" / "1").rename(outside)
    (tmp_path / "store" / "atlas-made" / "1").symlink_to(outside, target_is_directory=True)
    with pytest.raises(StoreUnusableError, match="link"):
        store.remove("atlas-made")
    assert (outside / "file").read_bytes() == BODY


def test_a_strangers_file_is_not_written_over(tmp_path: Path) -> None:
    """A file of the same name that was there before stops the installation; an equal one is taken as ours."""
    store = a_store(tmp_path, an_entry())
    place = tmp_path / "atlas-made" / "1" / "file"
    place.parent.mkdir(parents=True)
    place.write_text("mine")
    with pytest.raises(StoreUnusableError, match="not put there by CT Insight"):
        _place(store)
    assert place.read_text() == "mine"
    place.write_bytes(BODY)
    assert _place(store).name == "atlas-made"


def test_several_versions_stand_side_by_side(tmp_path: Path) -> None:
    """The catalogue's version is the one in use; another one can be removed by its name."""
    store = a_store(tmp_path, an_entry())
    for version in ("0", "1", "user-abc"):
        _place(store, version=version)
    found = store.find("atlas-made")
    assert found is not None
    assert found.version == "1"
    assert len(store.versions("atlas-made")) == 3
    store.remove("atlas-made", "user-abc")
    assert {item.version for item in store.installed()} == {"0", "1"}


def test_disk_use_is_the_sum_of_the_files(tmp_path: Path) -> None:
    """Bytes per name, and those of unfinished downloads."""
    store = a_store(tmp_path, an_entry())
    _place(store, file=b"12345", second=b"678")
    (store.incoming("atlas-other", "1") / "file.part").write_bytes(b"half")
    assert store.disk_use() == {"atlas-made": 8, "(unfinished)": 4}


def test_a_full_disk_is_refused_first(tmp_path: Path) -> None:
    """100 MB are left free beside what is needed."""
    store = a_store(tmp_path, free_bytes=lambda _folder: 200_000_000)
    store.require_space(90_000_000)
    with pytest.raises(NotEnoughSpaceError, match="200 MB free"):
        store.require_space(100_000_000)


def test_an_unusable_folder_is_told(tmp_path: Path) -> None:
    """A file where the folder should be becomes one error with a remedy."""
    (tmp_path / "file").write_text("x")
    store = a_store(tmp_path / "file", an_entry())
    with pytest.raises(StoreUnusableError, match="CTINSIGHT_MODELS"), store.lock("atlas-made"):
        pass
    assert store.installed() == ()


def test_the_lock_lets_one_in_at_a_time(tmp_path: Path) -> None:
    """A second holder waits, is told so, and can be stopped while waiting."""
    beats = []

    class StoppedError(Exception):
        pass

    def stop() -> None:
        beats.append(1)
        raise StoppedError

    store = a_store(tmp_path)
    with store.lock("a") as waited:
        assert not waited
        with pytest.raises(StoppedError), store.lock("a", stop):
            pass
        with store.lock("b"):
            pass
    with store.lock("a") as waited:
        assert not waited
    assert beats == [1]


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    """The system opens the lock of a process that is killed."""
    code = "import sys; from pathlib import Path; from ctinsight.models.locks import held\n"
    code += "with held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path / "ü.lock")]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with held(tmp_path / "ü.lock", Waiting(child.kill)) as waited:
            assert waited


def test_windows_locks_the_first_byte(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On Windows one byte at the start is locked without waiting (seen with a stand-in of msvcrt)."""
    calls = []

    class Stand:
        LK_NBLCK, LK_UNLCK = 2, 0

        @staticmethod
        def locking(_descriptor: int, action: int, count: int) -> None:
            calls.append((action, count))

    monkeypatch.setattr("ctinsight.models.locks.import_module", lambda _name: Stand)
    with (tmp_path / "a").open("ab") as file:
        _windows(file.fileno(), "LK_NBLCK")
        _windows(file.fileno(), "LK_UNLCK")
    assert calls == [(2, 1), (0, 1)]


def test_the_scratch_folder_is_gone_afterwards(tmp_path: Path) -> None:
    """And what a killed process left is gone with the next use."""
    store = a_store(tmp_path)
    with store.scratch() as folder:
        (folder / "big").write_bytes(b"x")
    assert not folder.exists()
    folder.mkdir(parents=True)
    (folder / "litter").write_bytes(b"x")
    with store.scratch() as again:
        assert list(again.iterdir()) == []


def test_a_list_keeps_every_word(tmp_path: Path) -> None:
    """What is written is what is read, umlauts included."""
    item = Installed(
        "a", "1", (FileRecord("größe/体.pth", 3, "a" * 64),), "user-supplied", "now", "then", ("n",)
    )
    assert read_installed(item.to_json()) == item
    assert replace(item, notes=()).size_bytes == 3
