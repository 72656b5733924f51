"""Carrying models to a machine without a network: import of files, folders and zips, and the kit."""

from __future__ import annotations

import json
import socket
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest

from ctinsight.errors import (
    Cancelled,
    DownloadFailedError,
    TermsNotAcceptedError,
    UnreadableFileError,
    UnsafeArchiveError,
    WeightsMissingError,
    WrongUseError,
    WrongWeightsError,
)
from ctinsight.models.card import ModelCard, file_records
from ctinsight.models.catalogue import Terms
from ctinsight.models.installed import Installed
from ctinsight.models.kit import WHEELS, gather_wheels, is_kit, make_kit, restore_kit
from ctinsight.models.meter import Meter
from ctinsight.models.supply import Supply, add_own_files, import_path
from made_models import BODY, a_model, a_store, an_entry, sha256

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from ctinsight.models.meter import TransferEvent
    from ctinsight.models.store import Store

STRICT = Terms("no open licence", "Research only.", "CN1", must_accept=True)
BODIES = {"scct.nii": BODY, "folder/table ü.txt": b"table"}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in this file may touch the network."""

    def refuse(*_arguments: Any) -> None:
        raise AssertionError("the network was touched")  # noqa: EM101

    monkeypatch.setattr(socket.socket, "connect", refuse)


def _files(folder: Path, bodies: dict[str, bytes]) -> Path:
    for name, body in bodies.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


def _full_store(folder: Path, source: Path) -> Store:
    """Return a store with an atlas and a user's model installed."""
    store = a_store(folder, an_entry(bodies=BODIES), a_model(terms=STRICT))
    import_path(store, _files(source, BODIES))
    incoming = store.incoming("made-net", "user-1")
    (incoming / "model.safetensors").write_bytes(b"weights")
    add_own_files(
        store, "made-net", incoming, Installed("made-net", "user-1", (), "user-supplied", "", "then")
    )
    return store


def _fake_convert(path: Path, name: str, folder: Path) -> ModelCard:
    """Stand in for an importer: write our own format and a card."""
    target = folder / "model.safetensors"
    target.write_bytes(b"tensors of " + path.read_bytes())
    records = file_records([target])
    origin = sha256(path.read_bytes())
    return ModelCard(name, "safetensors", records[0].sha256, records, 8, 5, origin_sha256=origin)


@pytest.mark.parametrize("packed", [False, True])
def test_published_files_are_known_under_any_name(tmp_path: Path, packed: bool) -> None:
    """Renamed files in a folder or zip are recognised by their SHA-256; the originals stay."""
    source = _files(tmp_path / "Quelle ü", {"renamed.bin": BODY, "x/y": b"table", "other": b"?"})
    if packed:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for path in source.rglob("*"):
                archive.write(path, path.relative_to(source))
    store = a_store(tmp_path / "store", an_entry(bodies=BODIES))
    (item,) = import_path(store, tmp_path / "a.zip" if packed else source)
    assert {file.name for file in item.files} == set(BODIES)
    assert store.intact("atlas-made") == item
    assert (source / "renamed.bin").read_bytes() == BODY
    assert not (store.folder / ".incoming" / ".scratch").exists()


def test_a_single_file_is_enough_when_it_is_all(tmp_path: Path) -> None:
    """An entry of one file comes from that file."""
    (tmp_path / "download (3)").write_bytes(BODY)
    store = a_store(tmp_path / "store", an_entry())
    assert import_path(store, tmp_path / "download (3)")[0].name == "atlas-made"


def test_missing_files_of_an_entry_are_named(tmp_path: Path) -> None:
    """Half an atlas is not installed."""
    store = a_store(tmp_path / "store", an_entry(bodies=BODIES))
    with pytest.raises(WrongUseError, match="table ü"):
        import_path(store, _files(tmp_path / "source", {"a": BODY}))
    assert store.installed() == ()


def test_unknown_files_ask_for_the_models_name(tmp_path: Path) -> None:
    """Weights that the catalogue does not publish need --model; a missing path is told."""
    store = a_store(tmp_path / "store", a_model())
    (tmp_path / "w.h5").write_bytes(b"weights")
    with pytest.raises(WrongUseError, match="--model"):
        import_path(store, tmp_path / "w.h5")
    with pytest.raises(UnreadableFileError, match="there is no"):
        import_path(store, tmp_path / "absent")


def test_a_users_weights_are_converted_and_kept_as_the_users(tmp_path: Path) -> None:
    """The imported file's SHA-256 is noted, the entry is user-supplied, a variant's name works."""
    (tmp_path / "w.h5").write_bytes(b"weights")
    store = a_store(tmp_path / "store", a_model())
    for name in ("made-net", "made-net-ours"):
        (item,) = import_path(store, tmp_path / "w.h5", Supply(name, convert=_fake_convert))
        assert item.origin == "user-supplied"
        assert sha256(b"weights") in item.notes[0]
        assert store.checked_file(name, "model.safetensors").read_bytes() == b"tensors of weights"


def test_weights_in_a_zip_reach_the_converter_as_a_file(tmp_path: Path) -> None:
    """One file in a folder in a zip is given on as that file, and the scratch folder is gone."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/w.h5", b"weights")
    store = a_store(tmp_path / "store", a_model())
    import_path(store, tmp_path / "a.zip", Supply("made-net", convert=_fake_convert))
    assert store.checked_file("made-net", "model.safetensors").read_bytes() == b"tensors of weights"
    assert not (store.folder / ".incoming" / ".scratch").exists()


def test_terms_come_before_the_import(tmp_path: Path) -> None:
    """Without acceptance the converter does not even see the file."""
    (tmp_path / "w.h5").write_bytes(b"weights")
    store = a_store(tmp_path / "store", a_model(terms=STRICT))
    with pytest.raises(TermsNotAcceptedError, match="CN1"):
        import_path(store, tmp_path / "w.h5", Supply("made-net", convert=_fake_convert))
    (item,) = import_path(
        store, tmp_path / "w.h5", Supply("made-net", accept_terms=True, convert=_fake_convert)
    )
    assert item.terms_accepted


def test_an_evil_zip_installs_nothing(tmp_path: Path) -> None:
    """A zip that climbs out is refused, and its good files too."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good", BODY)
        archive.writestr("../evil", b"x")
    store = a_store(tmp_path / "store", an_entry())
    with pytest.raises(UnsafeArchiveError):
        import_path(store, tmp_path / "a.zip")
    assert store.installed() == ()
    assert not (tmp_path / "evil").exists()


def test_an_import_can_be_cancelled(tmp_path: Path) -> None:
    """Cancelled while copying, nothing is visible."""

    def stop(event: TransferEvent) -> None:
        if event.phase == "copying":
            raise Cancelled(found="enough", expected="", remedy="")

    store = a_store(tmp_path / "store", an_entry())
    with pytest.raises(Cancelled):
        import_path(store, _files(tmp_path / "source", {"a": BODY}), Supply(listener=stop))
    assert store.installed() == ()


def test_a_kit_restores_everything(tmp_path: Path) -> None:
    """Atlas, user's model and wheel arrive on the other machine, checked and listed."""
    store = _full_store(tmp_path / "ü store", tmp_path / "source")
    _files(tmp_path / "wheels", {"a-1-py3-none-any.whl": b"wheel"})
    kit = tmp_path / "Koffer ü.zip"
    make_kit(store, kit, wheels=tmp_path / "wheels")
    other = a_store(tmp_path / "other", *store.catalogue)
    restored = import_path(other, kit, Supply(accept_terms=True))
    assert {item.name for item in restored} == {"atlas-made", "made-net"}
    assert other.intact("atlas-made")
    assert other.checked_file("made-net", "model.safetensors").read_bytes() == b"weights"
    assert (other.folder / "wheels" / "a-1-py3-none-any.whl").read_bytes() == b"wheel"


def test_a_kit_can_hold_chosen_names(tmp_path: Path) -> None:
    """Only what is named is packed; a name that is not installed is told; an existing zip is kept."""
    store = _full_store(tmp_path / "store", tmp_path / "source")
    content = make_kit(store, tmp_path / "kit.zip", names=("atlas-made",))
    assert [item.name for item in content.models] == ["atlas-made"]
    with pytest.raises(WeightsMissingError):
        make_kit(a_store(tmp_path / "empty", a_model()), tmp_path / "b.zip", names=("made-net",))
    with pytest.raises(WrongUseError, match="exists"):
        make_kit(store, tmp_path / "kit.zip")
    with pytest.raises(WrongUseError, match="nothing is installed"):
        make_kit(a_store(tmp_path / "empty"), tmp_path / "b.zip")


def test_terms_are_asked_on_the_other_machine_too(tmp_path: Path) -> None:
    """A kit does not carry the acceptance; its README carries the terms."""
    store = _full_store(tmp_path / "store", tmp_path / "source")
    make_kit(store, tmp_path / "kit.zip")
    other = a_store(tmp_path / "other", *store.catalogue)
    with pytest.raises(TermsNotAcceptedError, match="Research only"):
        restore_kit(other, tmp_path / "kit.zip")
    assert other.installed() == ()
    with zipfile.ZipFile(tmp_path / "kit.zip") as archive:
        readme = archive.read("README.txt").decode()
    assert "Research only. CN1" in readme
    assert "Not a medical device" in readme


def test_a_broken_model_is_not_carried_on(tmp_path: Path) -> None:
    """A changed file stops the kit, and no half kit is left."""
    store = _full_store(tmp_path / "store", tmp_path / "source")
    store.path_of("atlas-made", "1").joinpath("scct.nii").write_bytes(b"?")
    with pytest.raises(WrongWeightsError, match=r"scct\.nii"):
        make_kit(store, tmp_path / "kit.zip")
    assert not list(tmp_path.glob("kit*"))


def _rewritten(kit: Path, target: Path, **changed: bytes) -> Path:
    """Copy a kit with other content for the members that end so."""
    with zipfile.ZipFile(kit) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            body = next(
                (b for end, b in changed.items() if name.endswith(end.replace("_", "."))), old.read(name)
            )
            new.writestr(name, body)
    return target


def test_a_forged_kit_is_refused(tmp_path: Path) -> None:
    """Other bytes or checksums, names that climb, another layout: nothing is installed."""
    store = _full_store(tmp_path / "store", tmp_path / "source")
    make_kit(store, tmp_path / "kit.zip")
    with zipfile.ZipFile(tmp_path / "kit.zip") as archive:
        listed = archive.read("kit.json").decode()
    forged = listed.replace(sha256(BODY), sha256(b"x" * len(BODY)))
    climbing = listed.replace('"scct.nii"', '"../scct.nii"')
    versioned = listed.replace('"version": "1"', '"version": "../../1"')
    layout = listed.replace('"layout": 1', '"layout": 2', 1)
    cases = [{"scct_nii": b"x" * len(BODY)}, {"scct_nii": b"x" * len(BODY), "kit_json": forged.encode()}]
    cases += [{"kit_json": text.encode()} for text in (climbing, versioned, layout, "{}", "nonsense")]
    other = a_store(tmp_path / "other", *store.catalogue)
    for number, case in enumerate(cases):
        path = _rewritten(tmp_path / "kit.zip", tmp_path / f"forged{number}.zip", **case)
        with pytest.raises((WrongWeightsError, UnreadableFileError)):
            restore_kit(other, path, accept_terms=True)
        assert other.installed() == ()


def test_a_kit_of_unknown_models_is_told(tmp_path: Path) -> None:
    """A name that this version does not know is a wrong call, not a guess."""
    store = _full_store(tmp_path / "store", tmp_path / "source")
    make_kit(store, tmp_path / "kit.zip")
    with pytest.raises(WrongUseError, match="no entry"):
        restore_kit(a_store(tmp_path / "other", an_entry(bodies=BODIES)), tmp_path / "kit.zip")


def test_a_kit_is_told_from_other_zips(tmp_path: Path) -> None:
    """A zip without our list, and a text file, are no kits."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x", b"x")
    (tmp_path / "b.zip").write_text("text")
    assert not is_kit(tmp_path / "a.zip")
    assert not is_kit(tmp_path / "b.zip")
    assert not is_kit(tmp_path)


def test_making_a_kit_can_be_cancelled(tmp_path: Path) -> None:
    """No half kit is left."""
    store = _full_store(tmp_path / "store", tmp_path / "source")

    def stop(event: TransferEvent) -> None:
        if event.bytes_done:
            raise Cancelled(found="enough", expected="", remedy="")

    with pytest.raises(Cancelled):
        make_kit(store, tmp_path / "kit.zip", meter=Meter("kit", listener=stop))
    assert not list(tmp_path.glob("kit*"))


def test_the_wheels_are_the_packages_that_weights_need(project: Path) -> None:
    """The list is that of pyproject's extra, so that it cannot go stale."""
    extras = tomllib.loads((project / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(WHEELS) == set(extras["weights"])


def test_pip_gathers_wheels_from_a_folder(tmp_path: Path) -> None:
    """Pip takes a wheel from a folder without an index; one that is not there is told."""
    made = tmp_path / "made-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("made-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: made\nVersion: 1.0\n")
        archive.writestr(
            "made-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("made-1.0.dist-info/RECORD", "")
    options = ("--no-index", "--find-links", str(tmp_path))
    gather_wheels(tmp_path / "out", requirements=("made>=1",), options=options)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [made.name]
    with pytest.raises(DownloadFailedError, match="absent"):
        gather_wheels(tmp_path / "out", requirements=("absent",), options=options)


def test_the_kits_list_can_be_read_by_people(tmp_path: Path) -> None:
    """kit.json names every file with its checksum."""
    store = _full_store(tmp_path / "store", tmp_path / "source")
    make_kit(store, tmp_path / "kit.zip")
    with zipfile.ZipFile(tmp_path / "kit.zip") as archive:
        listed = json.loads(archive.read("kit.json"))
        for model in listed["models"]:
            for file in model["files"]:
                body = archive.read(f"models/{model['name']}/{model['version']}/{file['name']}")
                assert sha256(body) == file["sha256"]
