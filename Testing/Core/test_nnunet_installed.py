"""nnU-Net models of the store: imported, compared with golden numbers, run, and kept for the next case."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ctinsight.cli.models import models_app
from ctinsight.errors import WeightsMissingError, WrongWeightsError
from ctinsight.inference.nnunet.engine import NNUNetOptions
from ctinsight.models.catalogue import catalogue
from ctinsight.models.nnunet_installed import installed_folder, load_engine, load_network
from ctinsight.models.resident import resident_models
from ctinsight.models.settings import load_settings
from ctinsight.models.store import Store
from nnunet_cases import CASES, image_of, write_folder

if TYPE_CHECKING:
    from pathlib import Path

CASE = next(case for case in CASES if case.name == "isotropic")
PLAIN = NNUNetOptions(engine="torch f32")


def _said(*arguments: str) -> str:
    result = CliRunner().invoke(models_app, list(arguments), standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store with the made model imported as dcr-seg by the command."""
    monkeypatch.setenv("CTINSIGHT_SETTINGS", str(tmp_path / "settings.json"))
    _said("where", "--folder", str(tmp_path / "models"))
    folder = write_folder(CASE, tmp_path / "Dataset001" / "nnUNetTrainer__nnUNetPlans__3d_fullres")
    _said("import", str(folder), "--model", "dcr-seg")
    return Store(load_settings().models_folder, catalogue())


def test_an_imported_model_segments_and_stays_loaded(store: Store) -> None:
    """The second case gets the same engine; its labels are those of the case."""
    folder = installed_folder(store, "dcr-seg")
    engine, card = load_engine(folder, PLAIN)

    found = engine.segment(image_of(CASE), CASE.image_spacing)

    assert load_engine(folder, PLAIN)[0] is engine
    assert card.name == "dcr-seg"
    assert set(np.unique(found.labels_kji)) == {0, 1, 2}
    resident_models().clear()


def test_the_command_compares_a_golden_case_of_the_network(store: Store, tmp_path: Path) -> None:
    """Numbers of the network itself are reproduced; with one of them changed the command fails."""
    net, _ = load_network(installed_folder(store, "dcr-seg"))
    x = np.random.default_rng(3).standard_normal((1, 1, *CASE.patch)).astype(np.float32)
    with torch.inference_mode():
        logits = net(torch.from_numpy(x)).numpy()
    np.savez(tmp_path / "golden.npz", input=x, logits=logits)
    np.savez(tmp_path / "wrong.npz", input=x, logits=logits + 0.01)

    assert "right  largest" in _said("verify", "dcr-seg", "--golden", str(tmp_path / "golden.npz"))
    with pytest.raises(WrongWeightsError, match="does not reproduce"):
        _said("verify", "dcr-seg", "--golden", str(tmp_path / "wrong.npz"))


def test_changed_plans_are_noticed_before_anything_runs(store: Store) -> None:
    """The plans decide how images are prepared: their checksum counts as the weights' does."""
    folder, _ = store.locate("dcr-seg")
    plans = json.loads((folder / "plans.json").read_text())
    plans["foreground_intensity_properties_per_channel"]["0"]["mean"] = 0.0
    (folder / "plans.json").write_text(json.dumps(plans))

    with pytest.raises(WrongWeightsError, match=r"plans\.json"):
        installed_folder(store, "dcr-seg")
    with pytest.raises(WrongWeightsError, match=r"plans\.json"):
        load_engine(folder, PLAIN)


def test_a_folder_that_was_not_imported_is_told_how(tmp_path: Path) -> None:
    """nnU-Net's own folder holds checkpoints that could run code: it is imported first."""
    folder = write_folder(CASE, tmp_path / "model")

    with pytest.raises(WeightsMissingError) as caught:
        load_engine(folder, PLAIN)
    assert "ctinsight models import" in caught.value.remedy
