"""nnU-Net models of the store as running engines, loaded once for all cases of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctinsight.errors import WeightsMissingError
from ctinsight.models.card import CARD_NAME
from ctinsight.models.importers.nnunet_folder import read_stored_nnunet

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from ctinsight.inference.nnunet.engine import NNUNetEngine, NNUNetOptions
    from ctinsight.models.card import ModelCard
    from ctinsight.models.resident import Loaded
    from ctinsight.models.store import Store


def installed_folder(store: Store, name: str) -> Path:
    """Return the folder of an installed nnU-Net model after comparing every file with its SHA-256.

    Raises
    ------
    WeightsMissingError
        Not installed.
    WrongWeightsError
        A file is not the one that was installed.
    """
    folder, found = store.locate(name)
    for record in found.files:
        store.checked_file(name, record.name)
    return folder


def load_engine(folder: Path, options: NNUNetOptions) -> tuple[NNUNetEngine, ModelCard]:
    """Return the engine of a stored model, from memory where it was used before.

    Parameters
    ----------
    folder
        In our own form: :func:`installed_folder`, or where ``convert`` wrote it.
    options
        How it is applied; another choice is another engine.

    Raises
    ------
    WeightsMissingError
        The folder is no stored model.
    WrongWeightsError
        A file was changed, or plans that only nnU-Net itself can apply.
    DependencyMissingError
        torch, safetensors or dynamic-network-architectures is absent.
    """
    from ctinsight.models.resident import ModelKey, resident_models

    _require_stored(folder)
    stored = read_stored_nnunet(folder)
    key = ModelKey(folder.absolute(), stored.card.sha256, repr(options))

    def load() -> Loaded[NNUNetEngine]:
        from ctinsight.inference.nnunet.engine import NNUNetEngine
        from ctinsight.models.resident import Loaded

        return Loaded(NNUNetEngine(stored, options), size)

    size = sum(path.stat().st_size for path in stored.folds.values())
    return resident_models().get(key, load, expected_bytes=size), stored.card


def load_network(folder: Path) -> tuple[nn.Module, ModelCard]:
    """Return the bare network of a stored model's first fold: for golden cases.

    Raises
    ------
    WeightsMissingError, WrongWeightsError, DependencyMissingError
        See :func:`load_engine`.
    """
    from ctinsight.inference.nnunet.network import build_network, load_weights

    _require_stored(folder)
    stored = read_stored_nnunet(folder)
    net = build_network(stored.plans)
    load_weights(net, next(iter(stored.folds.values())))
    return net, stored.card


def _require_stored(folder: Path) -> None:
    if not (folder / CARD_NAME).is_file():
        raise WeightsMissingError(
            found=f"{folder.name} without {CARD_NAME}",
            expected="a model folder that was imported",
            remedy="Import nnU-Net's folder first: ctinsight models import FOLDER --model NAME",
        )
