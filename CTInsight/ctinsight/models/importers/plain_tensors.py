"""State dictionaries that keep tensors twice: every tensor once, and stored as safetensors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctinsight.device import require_torch
from ctinsight.errors import DependencyMissingError
from ctinsight.models.importers.architecture import other_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import Tensor

#: nnU-Net's convolution blocks register their layers again in a sequence, and its decoder its encoder.
_SECOND_NAME = re.compile(r"(?P<block>.*\.)all_modules\.\d+\.(?P<kind>[^.]+)")
_SECOND_ENCODER = "decoder.encoder."


@dataclass(frozen=True)
class Deduplicated:
    """Every tensor once.

    Parameters
    ----------
    tensors
        By the first of their names, in the file's order.
    dropped
        Second names of nnU-Net's layers, which follow from the first ones.
    tied
        Further names that shared storage: name to the name that was kept.
    """

    tensors: Mapping[str, Tensor]
    dropped: tuple[str, ...]
    tied: Mapping[str, str]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return shape by name."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}


def deduplicated(named: Iterable[tuple[str, Tensor]]) -> Deduplicated:
    """Keep every tensor once, whether the file shares its storage or repeats its values.

    Raises
    ------
    WrongWeightsError
        Values that are not finite, or a second name with other values than the first.
    """
    all_of = dict(named)
    for name, tensor in all_of.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise other_network(found=f"{name} with values that are not finite", expected="finite weights")
    kept: dict[str, Tensor] = {}
    dropped, tied, seen = [], {}, dict[object, str]()
    for name, tensor in all_of.items():
        firsts = _first_names(name, all_of)
        if firsts:
            _refuse_other_values(name, firsts, all_of)
            dropped.append(name)
            continue
        place = _place(tensor)
        if tensor.numel() and place in seen:
            tied[name] = seen[place]
            continue
        seen[place] = name
        kept[name] = tensor
    return Deduplicated(kept, tuple(dropped), tied)


def store_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write safetensors, floating-point numbers in single precision, whole or not at all.

    Raises
    ------
    DependencyMissingError
        The package safetensors is not installed.
    """
    torch = require_torch()
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise DependencyMissingError(
            found="no Python package safetensors",
            expected="safetensors, in which weights are stored here",
            remedy='pip install "safetensors>=0.4" (about 2 MB).',
        ) from error
    plain = {
        name: tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True).contiguous()
        for name, tensor in tensors.items()
    }
    part = path.with_name(path.name + ".part")
    save_file(plain, part)
    part.replace(path)


def _first_names(name: str, all_of: Mapping[str, Tensor]) -> list[str]:
    """Return the names under which a tensor stands already, if this one is a second name."""
    if name.startswith(_SECOND_ENCODER):
        first = name.removeprefix("decoder.")
        return [first] if first in all_of else []
    match = _SECOND_NAME.fullmatch(name)
    if match is None:
        return []
    candidates = [f"{match['block']}{part}.{match['kind']}" for part in ("conv", "norm")]
    return [candidate for candidate in candidates if candidate in all_of]


def _refuse_other_values(name: str, firsts: list[str], all_of: Mapping[str, Tensor]) -> None:
    torch = require_torch()
    if not any(
        _place(all_of[name]) == _place(all_of[first]) or torch.equal(all_of[name], all_of[first])
        for first in firsts
    ):
        raise other_network(
            found=f"{name} with other values than {' or '.join(firsts)}",
            expected="equal values: nnU-Net keeps one tensor under both names",
        )


def _place(tensor: Tensor) -> object:
    start = tensor.untyped_storage().data_ptr()
    return start, tensor.storage_offset(), tensor.dtype, tuple(tensor.shape), tensor.stride()
