"""Importers and store together: a user's file becomes an installed model, checked before every load."""

from __future__ import annotations

import errno
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from ctinsight.cli.models import models_app
from ctinsight.errors import (
    CTInsightError,
    NotEnoughSpaceError,
    TermsNotAcceptedError,
    UnreadableFileError,
    WeightsMissingError,
    WrongUseError,
    WrongWeightsError,
)
from ctinsight.models.architectures import convert, form_of, has_importer, installed_weights
from ctinsight.models.card import CARD_NAME, ModelCard, file_records, folder_records
from ctinsight.models.catalogue import Terms, catalogue
from ctinsight.models.installed import Installed
from ctinsight.models.obtain import obtain
from ctinsight.models.store import Store
from ctinsight.tasks.hematoma.drunet import find_weights
from made_models import a_hub_model, a_store, how
from made_nnunet import a_folder

WEIGHTS = Path(__file__).parent / "fixtures" / "drunet" / "drunet_dims8_weights.h5"
NAME = "hematoma-drunet"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Return an empty store that the commands use too."""
    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path / "Modelle ü"))
    monkeypatch.setenv("CTINSIGHT_SETTINGS", str(tmp_path / "settings.json"))
    monkeypatch.setenv("CTINSIGHT_OFFLINE", "1")
    return Store(tmp_path / "Modelle ü", catalogue())


def run(*arguments):
    """Run one command of ``ctinsight models`` and return what it printed."""
    result = CliRunner().invoke(models_app, [str(a) for a in arguments], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


def card_of(store, name):
    """Return the card of an installed model."""
    return ModelCard.from_json((store.locate(name)[0] / CARD_NAME).read_text())


def a_difficulty_file(path, clinical=11, **changes):
    """Write a classifier as DeepDCR v0 names its tensors; 32 pooled features."""
    kernel = torch.ones(4, 1, 3, 3, 3)
    tensors = {
        "encoder.stages.0.0.convs.0.conv.weight": kernel,
        "encoder.stages.0.0.convs.0.all_modules.0.weight": kernel,
        "feature_interaction.0.weight": torch.ones(8, 32),
        "feature_interaction.5.weight": torch.ones(clinical, 4),
        "classifier.0.weight": torch.ones(8, 32 + 2 * clinical),
        "classifier.14.weight": torch.ones(1, 4),
    }
    torch.save(tensors | changes, path)
    return path


def test_a_users_file_is_installed_with_its_checksum(store):
    """Weights and card lie in the store; the SHA-256 of file and original is shown and kept."""
    text = run("import", WEIGHTS, "--model", NAME)
    card = card_of(store, NAME)
    (original,) = file_records([WEIGHTS])
    assert card.origin_sha256 == original.sha256
    assert all(sha in text for sha in (original.sha256, card.sha256))
    assert (card.width, card.version, store.locate(NAME)[1].origin) == (8, "user-supplied", "user-supplied")


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_folder_or_zip_with_one_file(store, tmp_path, form):
    """What lies beside the weight file does not matter; two weight files do."""
    inside = tmp_path / "für mich"
    inside.mkdir()
    (inside / "w.h5").write_bytes(WEIGHTS.read_bytes())
    (inside / "read me.txt").write_text("hello")
    if form == "zip":
        with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
            for path in inside.iterdir():
                archive.write(path, f"top/{path.name}")
    run("import", inside if form == "folder" else tmp_path / "w.zip", "--model", NAME)
    assert store.find(NAME)
    (inside / "v.h5").write_bytes(b"")
    with pytest.raises(WrongWeightsError, match=r"v\.h5, w\.h5"):
        run("import", inside, "--model", NAME)


def test_a_variant_stands_beside_the_model(store):
    """A suffix makes another installed name of the same network; removal of one leaves the other."""
    run("import", WEIGHTS, "--model", NAME)
    run("import", WEIGHTS, "--model", f"{NAME}-ours")
    assert card_of(store, f"{NAME}-ours").name == f"{NAME}-ours"
    run("remove", NAME)
    assert [item.name for item in store.installed()] == [f"{NAME}-ours"]
    assert f"{NAME}-ours" in run("list")


def test_the_installed_model_is_imported_again_from_its_folder(store):
    """Our own form is recognised, and remembers the first original."""
    run("import", WEIGHTS, "--model", NAME)
    run("import", store.locate(NAME)[0], "--model", f"{NAME}-copy")
    assert card_of(store, f"{NAME}-copy").origin_sha256 == card_of(store, NAME).origin_sha256


def test_every_form_of_the_reference_weights_becomes_the_same_file(shared, tmp_path):
    """Weights, whole model and checkpoint hold the same numbers, so the stored tensors are the same bytes."""
    folder = shared / "reference" / "drunet"
    sums = set()
    for index, name in enumerate(["drunet_dims8_weights.h5", "drunet_dims8_model.h5", "drunet_dims8_ckpt"]):
        (tmp_path / str(index)).mkdir()
        sums.add(convert(folder / name, NAME, tmp_path / str(index)).sha256)
    assert len(sums) == 1


def test_hematoma_uses_what_is_installed(store):
    """Without --weights the installed model, by name an installed variant, and nothing else."""
    with pytest.raises(WeightsMissingError, match="ctinsight models import"):
        find_weights(None)
    run("import", WEIGHTS, "--model", NAME)
    run("import", WEIGHTS, "--model", f"{NAME}-ours")
    assert find_weights(None) == store.locate(NAME)[0] / "model.safetensors"
    assert find_weights(Path(f"{NAME}-ours")).parent.parent.name == f"{NAME}-ours"
    with pytest.raises(WeightsMissingError):
        find_weights(Path(f"{NAME}-theirs"))


@pytest.mark.parametrize("file", ["model.safetensors", "model.json"])
def test_a_changed_file_is_not_loaded(store, file):
    """Neither other weights nor another card reach a result."""
    run("import", WEIGHTS, "--model", NAME)
    path = store.locate(NAME)[0] / file
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(WrongWeightsError, match="SHA-256"):
        installed_weights(store, NAME)
    with pytest.raises(WrongWeightsError, match=file) as caught:
        run("verify", NAME)
    assert "models get" not in caught.value.remedy, "nothing offers these weights for download"
    assert f"models import FILE --model {NAME}" in caught.value.remedy


def test_verify_of_an_installed_name_runs_a_golden_case(store, shared):
    """Checksums first, then the numbers."""
    run("import", WEIGHTS, "--model", NAME)
    case = shared / "reference" / "drunet" / "drunet_dims8_phantom_noise.npz"
    lines = run("verify", NAME, "--golden", case, "--input", "x", "--output", "y_eval").splitlines()
    assert [line.split()[0] for line in lines] == ["right", "right", "safetensors,", "right"]


def test_terms_come_before_the_file(store):
    """EMV weights are not even read before their terms are accepted."""
    with pytest.raises(TermsNotAcceptedError, match="CN115620899B"):
        run("import", WEIGHTS, "--model", "nodule-emv-task1-vgg")
    with pytest.raises(WrongWeightsError, match="batch_normalization"):
        run("import", WEIGHTS, "--model", "nodule-emv-task1-vgg", "--accept-terms")
    assert store.installed() == ()


def test_emv_reference_files(store, shared):
    """A small EMV file is installed and reproduces its numbers; as another network it is refused."""
    folder = shared / "reference" / "emv"
    file, name = folder / "w8_task1_Vgg_40.h5", "nodule-emv-task1-vgg"
    run("import", file, "--model", name, "--accept-terms")
    assert store.locate(name)[1].terms_accepted
    case, views = folder / "w8_task1_Vgg_40_io.npz", f"{folder / 'views_60_40_20.npz'}:x"
    assert "bound 0.0001" in run("verify", name, "--golden", case, "--golden-input", views)
    with pytest.raises(WrongWeightsError, match="60 voxels a side"):
        run("verify", file, "--model", "nodule-emv-task2-vgg")


def test_an_nnunet_zip_is_installed(store, tmp_path):
    """As nnUNetv2_export_model_to_zip writes it: packed, below the data set's name."""
    a_folder(tmp_path / "in" / "Dataset001_V" / "nnUNetTrainer__nnUNetPlans__3d_fullres")
    with zipfile.ZipFile(tmp_path / "v.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((tmp_path / "in").rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path / "in"))
    run("import", tmp_path / "v.zip", "--model", "lvo-vessels-ours")
    names = {record.name for record in store.locate("lvo-vessels-ours")[1].files}
    assert names == {"plans.json", "dataset.json", "fold_0.safetensors", "model.json"}
    assert "right" in run("verify", "lvo-vessels-ours")


def test_difficulty_files_are_recognised(store, tmp_path):
    """One file under any name, or the five of cross-validation in a folder."""
    run("import", a_difficulty_file(tmp_path / "any.pth"), "--model", "dcr-difficulty-v0-one")
    folder = tmp_path / "five"
    folder.mkdir()
    for fold in range(1, 6):
        a_difficulty_file(folder / f"surgical_difficulty_classifier_fold_{fold}.pth")
    run("import", folder, "--model", "dcr-difficulty-v0")
    assert card_of(store, "dcr-difficulty-v0").facts["clinical_inputs"] == 11
    assert len([f for f in store.locate("dcr-difficulty-v0")[1].files if "fold" in f.name]) == 5
    stored = load_file(store.locate("dcr-difficulty-v0-one")[0] / "classifier.safetensors")
    assert len(stored) == 5


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"classifier.0.weight": torch.ones(8, 9)}, r"32 \+ 2 x 11"),
        ({"classifier.14.weight": "text"}, "is str"),
    ],
)
def test_another_classifier_is_told(store, tmp_path, changes, told):
    """Shapes have to fit each other."""
    with pytest.raises(WrongWeightsError, match=told):
        run("import", a_difficulty_file(tmp_path / "x.pth", **changes), "--model", "dcr-difficulty-v0")
    assert store.installed() == ()


def test_names_without_a_network_are_told(store):
    """A model that this version cannot read says so; atlas and nonsense are no models."""
    assert not has_importer("atlas-head-ct")
    with pytest.raises(WrongUseError, match="no network atlas-head-ct"):
        form_of("atlas-head-ct")
    with pytest.raises(WrongUseError, match="not one of the files"):
        run("import", WEIGHTS, "--model", "atlas-head-ct")


def test_all_models_but_those_to_come_have_an_importer():
    """The table covers the catalogue."""
    models = [entry.name for entry in catalogue() if entry.kind == "model"]
    missing = [name for name in models if not has_importer(name)]
    assert set(missing) <= {"lvo-mcresnet"}


def mirrored(folder, entry, made):
    """Write what a mirror holds of an entry whose files are foreign weights."""
    place = folder / entry.name / entry.version
    place.mkdir(parents=True)
    made(place / "w.pth")
    item = Installed(entry.name, entry.version, folder_records(place), "published", "2026")
    (place / "installed.json").write_text(item.to_json())


def as_safetensors(path, name, folder):
    """Convert as the real importers do, without a network."""
    tensors = torch.load(path / "w.pth", weights_only=True)
    np.save(folder / "w.safetensors.npy", tensors["a"].numpy())
    (folder / "w.safetensors.npy").rename(folder / "w.safetensors")
    card = ModelCard(name, "made", "0" * 64, (), 1, 1, notes=("converted",))
    (folder / CARD_NAME).write_text(card.to_json())
    return card


def test_get_ends_in_the_converted_form(tmp_path):
    """Fetched weights are converted, their own checksums kept, their files gone; the card has the terms."""
    entry = a_hub_model(terms=Terms("CC BY 4.0", "Cite."))
    mirrored(tmp_path / "mirror", entry, lambda path: torch.save({"a": torch.ones(3)}, path))
    store = a_store(tmp_path / "store", entry)
    item = obtain(store, "made-net", how(store, mirror=str(tmp_path / "mirror"), convert=as_safetensors))
    assert [record.name for record in item.files] == [CARD_NAME, "w.safetensors"]
    assert [record.name for record in item.converted_from] == ["w.pth"]
    assert (card_of(store, "made-net").licence, item.notes[-1]) == ("CC BY 4.0", "converted")
    assert store.intact("made-net") == item
    assert not list((tmp_path / "store" / ".incoming").rglob("*.*"))


def test_a_failed_conversion_installs_nothing(tmp_path):
    """Weights of another network are refused, and leave nothing behind."""
    entry = a_hub_model()
    mirrored(tmp_path / "mirror", entry, lambda path: path.write_bytes(b"?"))
    store = a_store(tmp_path / "store", entry)

    def refuse(_path, _name, _folder):
        raise WrongWeightsError(found="x", expected="y", remedy="z")

    with pytest.raises(WrongWeightsError):
        obtain(store, "made-net", how(store, mirror=str(tmp_path / "mirror"), convert=refuse))
    assert store.find("made-net") is None
    assert not list((tmp_path / "store" / ".incoming").rglob("*.pth"))


def test_an_older_list_is_still_read(tmp_path):
    """Lists written before conversion was noted have no such key."""
    item = Installed("made-net", "1", (), "published", "2026")
    text = json.loads(item.to_json())
    del text["converted_from"]
    place = tmp_path / "made-net" / "1"
    place.mkdir(parents=True)
    (place / "installed.json").write_text(json.dumps(text))
    assert a_store(tmp_path, a_hub_model()).find("made-net") == item


def test_a_second_case_loads_no_network(store, monkeypatch):
    """DR-UNet stays in memory between two runs of one process, and another file takes its place."""
    from ctinsight.models import drunet_weights
    from ctinsight.models.resident import resident_models
    from ctinsight.tasks.hematoma.drunet import _resident_network
    from ctinsight.tasks.hematoma.parameters import Parameters

    resident_models().clear()
    loads = []
    real = drunet_weights.load_drunet
    monkeypatch.setattr(
        drunet_weights, "load_drunet", lambda path, **options: loads.append(path) or real(path, **options)
    )
    first = _resident_network(WEIGHTS, Parameters())
    assert _resident_network(WEIGHTS, Parameters()) is first
    assert len(loads) == 1
    resident_models().clear()


def test_a_torch_file_that_is_packed_is_refused(tmp_path):
    """torch.save stores plainly; what is packed may unpack to any size."""
    plain = io.BytesIO()
    torch.save({"a": torch.zeros(9)}, plain)
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            target.writestr(info.filename, source.read(info))
    (tmp_path / "out").mkdir()
    with pytest.raises(WrongWeightsError, match="compressed"):
        convert(tmp_path / "w.pth", NAME, tmp_path / "out")


@pytest.mark.parametrize(
    ("old", "new"), [("ü.h5".encode(), b"\xff\xff.h5"), (b"PK\x05\x06\0\0", b"PK\x05\x06\0\x07")]
)
def test_a_damaged_zip_is_told(store, tmp_path, old, new):
    """A name that is no text, and a last record that points to another disk."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("ü.h5", WEIGHTS.read_bytes()[:5000])
    (tmp_path / "w.zip").write_bytes(content.getvalue().replace(old, new))
    with pytest.raises(CTInsightError):
        run("import", tmp_path / "w.zip", "--model", NAME)
    assert store.installed() == ()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/patients/x"), UnreadableFileError),
        (OSError(errno.EIO, "Input/output error"), UnreadableFileError),
        (OSError(errno.ENOSPC, "No space left on device"), NotEnoughSpaceError),
    ],
)
def test_a_source_that_fails_while_it_is_read_is_told(store, monkeypatch, error, expected):
    """A forbidden or vanishing file, a broken disk and a full one end in words, and nothing is installed."""

    def failing(_paths):
        raise error

    monkeypatch.setattr("ctinsight.models.importers.weights_file.file_records", failing)
    with pytest.raises(expected):
        run("import", WEIGHTS, "--model", NAME)
    assert store.find(NAME) is None


def test_a_name_that_no_folder_can_have_is_refused(store):
    """81 characters are no name of a variant, 80 are."""
    with pytest.raises(WrongUseError, match="no entry"):
        run("remove", NAME + "-" + "a" * (80 - len(NAME)))
    assert catalogue().entry(NAME + "-" + "a" * (79 - len(NAME))).name == NAME
