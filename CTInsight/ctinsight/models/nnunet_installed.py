"""nnU-Net models of the store as running engines, loaded once for all cases of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctinsight.errors import WeightsMissingError, WrongWeightsError
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


def named_engine(
    name: str, family: str, options: NNUNetOptions, labels: frozenset[int]
) -> tuple[NNUNetEngine, ModelCard]:
    """Return the engine of an installed model, or of a stored folder, after checking what it can say.

    Parameters
    ----------
    name
        An installed name of that family (``dcr-seg``, ``dcr-seg-fine``), or a folder.
    family
        What the catalogue calls the model.
    labels
        The labels that it must have, background aside.

    Raises
    ------
    WeightsMissingError
        Not installed.
    WrongWeightsError
        Other labels, changed files, or plans that only nnU-Net itself can apply.
    """
    from pathlib import Path

    from ctinsight.models.store import user_store

    folder = Path(name)
    if not folder.is_dir():
        if not name.startswith(family):
            raise WeightsMissingError(
                found=f"no folder {name}, and no model of that name",
                expected=f"{family}, a variant of it, or a folder that ctinsight models import wrote",
                remedy="See ctinsight models list; import the nnU-Net folder first.",
            )
        folder = installed_folder(user_store(), name)
    engine, card = load_engine(folder, options)
    found = {n for n in engine.plans.labels.values() if isinstance(n, int)} - {0}
    if found != labels:
        raise WrongWeightsError(
            found=f"a model with labels {dict(engine.plans.labels)}",
            expected=f"labels {', '.join(map(str, sorted(labels)))}, as {family} has",
            remedy=f"Import the folder of {family}.",
        )
    return engine, card


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
