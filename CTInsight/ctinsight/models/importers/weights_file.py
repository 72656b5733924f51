"""Any weight file of an architecture: recognise its format, check it, load it; and our own store format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ctinsight.device import require_torch
from ctinsight.errors import DependencyMissingError, WeightsMissingError, WrongWeightsError
from ctinsight.models.card import (
    ModelCard,
    combined_sha256,
    file_records,
    refuse_other_sha256,
)
from ctinsight.models.importers.architecture import COUNTER
from ctinsight.models.importers.keras_h5 import SIGNATURE, read_keras_h5
from ctinsight.models.importers.tf_checkpoint import checkpoint_files, checkpoint_prefix, read_tf_checkpoint
from ctinsight.models.importers.torch_file import is_safetensors, read_safetensors, read_torch_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from ctinsight.models.importers.architecture import Architecture, KerasWeights, StateDict

    Reader = Callable[[], KerasWeights | StateDict]

#: What torch.save writes: a zip archive, or a pickle of protocol 2 in files older than torch 1.6.
_TORCH_STARTS = (b"PK\x03\x04", b"\x80\x02")


def load_weights(
    path: Path, architecture: Architecture, *, expected_sha256: str | None = None
) -> tuple[nn.Module, ModelCard]:
    """Load a weight file into its network.

    Parameters
    ----------
    path
        A file (Keras .h5, safetensors, torch), a TensorFlow checkpoint (prefix, .index or folder).
    expected_sha256
        Compared before anything is read from the file; a JSON card beside a safetensors file has the
        same effect.

    Returns
    -------
    tuple
        (network in eval mode, on the processor; its card).

    Raises
    ------
    WeightsMissingError
        There is no such file.
    WrongWeightsError
        Unknown format, damaged, another checksum, or another network: the first difference is named.
    DependencyMissingError
        torch, h5py or safetensors is needed and absent.
    """
    require_torch()
    files, read = _reader(path, architecture)
    records = file_records(files)
    sha256 = combined_sha256(records)
    refuse_other_sha256(sha256, expected_sha256)
    stored = _stored_card(path)
    if stored is not None:
        refuse_other_sha256(sha256, stored.sha256)
        _refuse_other_name(stored, architecture)
    weights = read()
    net, width = architecture.load(weights)
    card = stored or ModelCard(
        name=architecture.name,
        format=weights.source,
        sha256=sha256,
        files=records,
        width=width,
        parameters=_count(net),
    )
    return net, card


def save_weights(net: nn.Module, card: ModelCard, path: Path) -> ModelCard:
    """Store a network as safetensors with its JSON card beside it.

    Each file appears under its name only when it is complete.

    Parameters
    ----------
    path
        Ends in ``.safetensors``; the card takes its place with ``.json``.

    Returns
    -------
    ModelCard
        The card that was written, with the new file's checksum and the old one as its origin.
    """
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise DependencyMissingError(
            found="no Python package safetensors",
            expected="safetensors, in which weights are stored here",
            remedy='pip install "safetensors>=0.4" (about 2 MB).',
        ) from error
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    part = path.with_name(path.name + ".part")
    save_file(tensors, part)
    (record,) = file_records([part])
    stored = replace(
        card,
        format="safetensors",
        files=(replace(record, name=path.name),),
        sha256=record.sha256,
        parameters=_count(net),
        origin_sha256=card.origin_sha256 or card.sha256,
    )
    part_card = path.with_name(path.name + ".card.part")
    part_card.write_text(stored.to_json(), encoding="utf-8")
    part.replace(path)
    part_card.replace(card_path(path))
    return stored


def weights_sha256(path: Path, architecture: Architecture) -> str:
    """Return the checksum of a weight file or checkpoint, as its card has it, without reading weights.

    Raises
    ------
    WeightsMissingError, WrongWeightsError
        No such file, or of an unknown format.
    """
    return combined_sha256(file_records(_reader(path, architecture)[0]))


def card_path(path: Path) -> Path:
    """Return where the JSON card of a safetensors file lies."""
    return path.with_suffix(".json")


def _stored_card(path: Path) -> ModelCard | None:
    card = card_path(path)
    if path.suffix != ".safetensors" or not card.is_file():
        return None
    return ModelCard.from_json(card.read_text(encoding="utf-8", errors="replace"))


def _refuse_other_name(card: ModelCard, architecture: Architecture) -> None:
    if card.name != architecture.name and not card.name.startswith(architecture.name + "-"):
        raise WrongWeightsError(
            found=f"weights of {card.name}, as their card says",
            expected=f"weights of {architecture.name}",
            remedy="Choose the weight file of this network.",
        )


def _reader(path: Path, architecture: Architecture) -> tuple[tuple[Path, ...], Reader]:
    prefix = checkpoint_prefix(path)
    if prefix is not None:
        return checkpoint_files(prefix), lambda: read_tf_checkpoint(prefix, architecture.depth_order)
    if not path.exists():
        raise WeightsMissingError(
            found=f"no file {path}",
            expected="a weight file or checkpoint folder",
            remedy="Check the path; for a TensorFlow checkpoint name its folder or its .index file.",
        )
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(8)
        if start == SIGNATURE:
            return (path,), lambda: read_keras_h5(path)
        if start.startswith(_TORCH_STARTS):
            return (path,), lambda: read_torch_file(path)
        if is_safetensors(path):
            return (path,), lambda: read_safetensors(path)
    raise WrongWeightsError(
        found=f"{path.name}: a folder without one checkpoint"
        if path.is_dir()
        else f"{path.name}: unknown bytes",
        expected="Keras .h5, a TensorFlow checkpoint, safetensors, or a torch state dictionary",
        remedy="Choose the weight file itself, or the folder with ckpt-*.index and ckpt-*.data-*.",
    )


def _count(net: nn.Module) -> int:
    """Count the stored numbers as Keras does: weights and moving statistics, no counters."""
    return sum(tensor.numel() for name, tensor in net.state_dict().items() if not name.endswith(COUNTER))
