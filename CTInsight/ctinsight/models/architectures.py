"""Which network each model of the catalogue is, and how weights of it are read, converted and stored.

Nothing here imports torch before a file is read: names can be listed without it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ctinsight.errors import WeightsMissingError, WrongUseError, WrongWeightsError
from ctinsight.models.card import CARD_NAME, ModelCard, file_records
from ctinsight.models.catalogue import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from ctinsight.models.store import Store

    Loaded = tuple[nn.Module, ModelCard]

#: The file of a model that is one network; the card lies beside it.
WEIGHTS_NAME = "model.safetensors"
_ENDINGS = {".h5", ".hdf5", ".keras", ".safetensors", ".pth", ".pt", ".ckpt"}


@dataclass(frozen=True)
class ModelForm:
    """How the weights of one model, or of a family of models, are handled.

    Parameters
    ----------
    convert
        Reads foreign weights (file or folder) of a named model, writes our own files into the last folder.
    load
        Reads any weight file of a model that is one network: (catalogue name, path, SHA-256 or None);
        None where the model is several networks.
    """

    convert: Callable[[Path, str, Path], ModelCard]
    load: Callable[[str, Path, str | None], Loaded] | None = None


def _load_drunet(_base: str, path: Path, sha256: str | None) -> Loaded:
    from ctinsight.models.drunet_weights import load_drunet

    return load_drunet(path, expected_sha256=sha256)


def _load_emv(base: str, path: Path, sha256: str | None) -> Loaded:
    from ctinsight.models.emv_weights import load_emv
    from ctinsight.nets.emv_networks import EMV_NETWORKS

    (network,) = (network for network in EMV_NETWORKS if network.name == base)
    return load_emv(path, network, expected_sha256=sha256)


def _load_mcresnet(_base: str, path: Path, sha256: str | None) -> Loaded:
    from ctinsight.models.mcresnet_weights import load_mcresnet

    return load_mcresnet(path, expected_sha256=sha256)


def _convert_network(path: Path, name: str, folder: Path) -> ModelCard:
    from ctinsight.models.importers.weights_file import save_weights

    net, card = load_model(_only_file(path), name)
    return save_weights(net, replace(card, name=name), folder / WEIGHTS_NAME)


def _convert_nnunet(dimensions: int, path: Path, name: str, folder: Path) -> ModelCard:
    from ctinsight.models.importers.nnunet_folder import convert_nnunet

    return convert_nnunet(path, name, folder, dimensions=dimensions)


def _convert_difficulty(path: Path, name: str, folder: Path) -> ModelCard:
    from ctinsight.models.importers.difficulty_files import convert_difficulty

    return convert_difficulty(path, name, folder)


def _convert_tabular(path: Path, name: str, folder: Path) -> ModelCard:
    from ctinsight.models.tabular_weights import convert_tabular

    return convert_tabular(path, name, folder)


#: By the catalogue's name, or by what the names of a family begin with.
_FORMS = {
    "hematoma-drunet": ModelForm(_convert_network, _load_drunet),
    "nodule-emv": ModelForm(_convert_network, _load_emv),
    "lvo-vessels": ModelForm(partial(_convert_nnunet, 3)),
    "lvo-mcresnet": ModelForm(_convert_network, _load_mcresnet),
    "lvo-mip": ModelForm(partial(_convert_nnunet, 2)),
    "dcr-seg": ModelForm(partial(_convert_nnunet, 3)),
    "dcr-difficulty-v0": ModelForm(_convert_difficulty),
    "dcr-difficulty-v1": ModelForm(_convert_tabular),
}


def form_of(name: str) -> ModelForm:
    """Return how a model is handled; a variant (name-suffix) as the model itself.

    Raises
    ------
    WrongUseError
        No such model, or this version cannot read its weights.
    """
    base = _base(name)
    for known, form in _FORMS.items():
        if base == known or base.startswith(f"{known}-"):
            return form
    raise WrongUseError(
        found=f"this version of CT Insight has no network {base}",
        expected=f"one of {', '.join(_FORMS)}",
        remedy="Update CT Insight, or keep the file until a version knows this network.",
    )


def is_nnunet(name: str) -> bool:
    """Return whether a model is a folder of nnU-Net."""
    return getattr(form_of(name).convert, "func", None) is _convert_nnunet


def has_importer(name: str) -> bool:
    """Return whether weights of that model can be read here."""
    try:
        form_of(name)
    except WrongUseError:
        return False
    return True


def load_model(path: Path, name: str, *, expected_sha256: str | None = None) -> Loaded:
    """Load any weight file of a model that is one network; its width is inferred.

    Returns
    -------
    tuple
        (network in eval mode, on the processor; its card).

    Raises
    ------
    WrongUseError
        No such model, or it consists of several networks.
    WeightsMissingError, WrongWeightsError, DependencyMissingError
        See :func:`ctinsight.models.importers.weights_file.load_weights`.
    """
    form = form_of(name)
    if form.load is None:
        raise WrongUseError(
            found=f"{name} is a folder of networks",
            expected="a model that is one network in one file",
            remedy="Import it: every tensor and both JSON files are compared with each other then.",
        )
    return form.load(_base(name), path, expected_sha256)


def installed_weights(store: Store, name: str) -> Path:
    """Return the weight file of an installed model that is one network; every file is compared first.

    Raises
    ------
    WeightsMissingError
        Not installed.
    WrongWeightsError
        A file is not the one that was installed.
    """
    _folder, found = store.locate(name)
    paths = [store.checked_file(name, record.name) for record in found.files]
    weights = [path for path in paths if path.suffix == ".safetensors"]
    if len(weights) != 1:
        raise WeightsMissingError(
            found=f"{name} {found.version} with {len(weights)} weight files",
            expected="one, as a model that is one network has",
            remedy=f"Import it again: ctinsight models import FILE --model {name}",
        )
    return weights[0]


def convert(path: Path, name: str, folder: Path) -> ModelCard:
    """Read foreign weights of a model and write ours: safetensors, JSON card, and what belongs to them.

    Parameters
    ----------
    path
        A weight file, a folder with one, a TensorFlow checkpoint, a model folder; or a folder in our own
        form, which is compared with its card and taken over.
    name
        The model, or a variant of it (name-suffix).
    folder
        Empty; takes the files.

    Raises
    ------
    WrongUseError, WeightsMissingError, WrongWeightsError, DependencyMissingError
        See :func:`form_of` and the importers: the first difference is named.
    """
    form = form_of(name)
    if form.load is None and (path / CARD_NAME).is_file():
        return _take_over(path, name, folder)
    return form.convert(path, name, folder)


def _take_over(path: Path, name: str, folder: Path) -> ModelCard:
    """Copy a folder in our own form after comparing every file with the card."""
    card = ModelCard.from_json((path / CARD_NAME).read_text(encoding="utf-8", errors="replace"))
    if _base(card.name) != _base(name):
        raise WrongWeightsError(
            found=f"weights of {card.name}, as their card says",
            expected=f"weights of {_base(name)}",
            remedy="Choose the folder of this model, or name the model that it is.",
        )
    for record in card.files:
        source = path / record.name
        if "/" in record.name or not source.is_file() or file_records([source])[0] != record:
            raise WrongWeightsError(
                found=f"{record.name} is missing or was changed",
                expected=f"SHA-256 {record.sha256}, as {CARD_NAME} says",
                remedy="Copy the folder again from where it was made.",
            )
        shutil.copyfile(source, folder / record.name)
    (folder / CARD_NAME).write_text(replace(card, name=name).to_json(), encoding="utf-8")
    return card


def _only_file(path: Path) -> Path:
    """Return the one weight file in a folder; a file or a TensorFlow checkpoint as it is."""
    from ctinsight.models.importers.tf_checkpoint import checkpoint_prefix

    if not path.is_dir() or checkpoint_prefix(path) is not None:
        return path
    found = [p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix.lower() in _ENDINGS]
    found = found or [p.parent for p in sorted(path.rglob("*.index"))]
    if len(found) != 1:
        names = ", ".join(p.name for p in found[:5]) or "no weight file"
        raise WrongWeightsError(
            found=f"{names} in {path.name}",
            expected="one weight file, or one TensorFlow checkpoint",
            remedy="Name the file that is meant.",
        )
    return found[0]


def _base(name: str) -> str:
    return catalogue().entry(name).name
