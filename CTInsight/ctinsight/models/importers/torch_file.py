"""Torch and safetensors files that hold a state dictionary, never a pickled object."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from ctinsight.device import require_torch
from ctinsight.errors import DependencyMissingError, WrongWeightsError
from ctinsight.models.importers.architecture import StateDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Names under which training programs wrap the state dictionary in their checkpoint.
_WRAPPERS = ("state_dict", "model_state_dict", "network_weights", "model")
#: A larger header cannot be meant: 566 tensors take 60 kB.
_MOST_HEADER_BYTES = 16 * 2**20


def read_torch_file(path: Path) -> StateDict:
    """Read a ``torch.save`` file with ``weights_only=True``: tensors and plain values, no code.

    Raises
    ------
    WrongWeightsError
        Damaged, a whole pickled model, or no tensors in it.
    """
    import pickle

    torch = require_torch()
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise _refused(path, f"not loadable as plain tensors ({_first_line(error)})") from error
    return StateDict("torch state dictionary", _tensors(torch, content, path))


def read_safetensors(path: Path) -> StateDict:
    """Read a safetensors file.

    Raises
    ------
    WrongWeightsError
        Damaged or truncated.
    DependencyMissingError
        The package safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError as error:
        raise DependencyMissingError(
            found="no Python package safetensors",
            expected="safetensors, in which weights are stored here",
            remedy='pip install "safetensors>=0.4" (about 2 MB).',
        ) from error
    try:
        return StateDict("safetensors", load_file(path))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _refused(path, f"not a whole safetensors file ({_first_line(error)})") from error


def is_safetensors(path: Path) -> bool:
    """Whether the file begins as a safetensors file does: a length, then a JSON object of that length."""
    with path.open("rb") as file:
        start = file.read(8)
        if len(start) < 8:
            return False
        (length,) = struct.unpack("<Q", start)
        if not 2 <= length <= _MOST_HEADER_BYTES:
            return False
        try:
            return isinstance(json.loads(file.read(length)), dict)
        except ValueError:
            return False


def _tensors(torch: Any, content: object, path: Path) -> Mapping[str, Any]:
    if isinstance(content, dict):
        for wrapper in _WRAPPERS:
            if isinstance(content.get(wrapper), dict):
                content = content[wrapper]
                break
    if not isinstance(content, dict) or not content:
        raise _refused(path, f"it holds {type(content).__name__}, no dictionary of tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise _refused(path, f"entry {name!r} is {type(value).__name__}, no tensor")
    # A DataParallel wrapper puts "module." before every name.
    return {name.removeprefix("module."): _array(torch, value) for name, value in content.items()}


def _array(torch: Any, tensor: Any) -> Any:
    plain = tensor.detach().to_dense() if tensor.layout != torch.strided else tensor.detach()
    return (plain.float() if plain.is_floating_point() else plain).numpy()


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _refused(path: Path, what: str) -> WrongWeightsError:
    return WrongWeightsError(
        found=f"{path.name}: {what}",
        expected="a state dictionary: torch.save(net.state_dict(), path) or safetensors",
        remedy="Save the state dictionary alone, in the program that holds the model.",
    )
