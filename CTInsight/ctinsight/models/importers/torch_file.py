"""Torch and safetensors files that hold a state dictionary, never a pickled object."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from typing import TYPE_CHECKING, Any

from ctinsight.device import require_torch
from ctinsight.errors import DependencyMissingError, WrongWeightsError
from ctinsight.models.archives import DAMAGED
from ctinsight.models.importers.architecture import StateDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Names under which training programs wrap the state dictionary in their checkpoint.
_WRAPPERS = ("state_dict", "model_state_dict", "network_weights", "model")
#: A larger header cannot be meant: 566 tensors take 60 kB.
_MOST_HEADER_BYTES = 16 * 2**20
#: Beside tensors and plain values, files may hold numpy's scalars: training programs log losses, Dice and
#: the best moving average as such. These dtypes and no others; arrays of objects stay out.
_SCALAR_DTYPES = ("bool", "int32", "int64", "float16", "float32", "float64")
#: numpy 2 moved the function that makes a scalar; a file has the name of the numpy that wrote it.
_SCALAR_NAMES = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")

_MISLED = (ValueError, LookupError, TypeError, AttributeError, AssertionError)
#: How torch words what it does not load; the rest of its message tells how to load it all the same.
_FOREIGN = re.compile(r"GLOBAL (?P<name>\S+)|(?:Trying to call|instantiate) (?P<call>[^\s,]+)")


def read_torch_file(path: Path) -> StateDict:
    """Read a ``torch.save`` file with ``weights_only=True``: tensors and plain values, no code.

    Raises
    ------
    WrongWeightsError
        Damaged, a whole pickled model, or no tensors in it.
    """
    return StateDict("torch state dictionary", _tensors(require_torch(), load_plain(path), path))


def load_plain(path: Path) -> Any:
    """Load what ``torch.save`` wrote as far as it is tensors, plain values and numpy scalars; run no code.

    Tensors of the zip format stay in the file until they are read.

    Raises
    ------
    WrongWeightsError
        Damaged, changed since it was saved, compressed, or it asks for a class or function that is not on the
        list; that is named.
    """
    import pickle

    torch = require_torch()
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    if zipped:
        _refuse_damaged(path)
    try:
        with torch.serialization.safe_globals(_allowed()):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    # A pickle that was tampered with leads the reader into places that it did not foresee.
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, *_MISLED) as error:
        raise _refused(path, f"not loadable as plain tensors ({_reason(error)})") from error


def _allowed() -> list[Any]:
    """List the classes and functions that a file may name beside those of torch; all make plain numbers."""
    import numpy as np

    # pickle.loads reaches it under either name, whichever numpy is installed.
    scalar = np.float64(0).__reduce__()[0]
    kinds = {type(np.dtype(name)) for name in _SCALAR_DTYPES}
    return [np.dtype, *kinds, *((scalar, name) for name in _SCALAR_NAMES)]


def _refuse_damaged(path: Path) -> None:
    # torch itself compares no checksums, and a flipped bit in a weight would go unseen. It stores plainly;
    # what is packed may unpack to any size.
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [i.filename for i in archive.infolist() if i.compress_type != zipfile.ZIP_STORED]
            damaged = None if packed else archive.testzip()
    except (OSError, ValueError, RuntimeError, *DAMAGED) as error:
        raise _refused(path, f"not a whole file ({_first_line(error)})") from error
    if packed:
        raise _refused(path, f"{packed[0]} in it is compressed, which torch.save never does")
    if damaged:
        raise _refused(path, f"{damaged} in it was changed since it was saved (CRC-32)")


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
    return {name: array(tensor) for name, tensor in named_tensors(torch, content, path)}


def named_tensors(torch: Any, content: Mapping[Any, Any], path: Path) -> Iterator[tuple[str, Any]]:
    """Yield name and tensor of a state dictionary, without what a wrapper puts before every name.

    Raises
    ------
    WrongWeightsError
        An entry is no tensor, is sparse, or claims more values than the file holds.
    """
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise _refused(path, f"entry {name!r} is {type(value).__name__}, no tensor")
        if value.layout != torch.strided or value.is_quantized:
            raise _refused(path, f"{name} is sparse or quantized, no plain tensor")
        # A stride of zero lets one number stand for a thousand millions.
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise _refused(path, f"{name} claims more values than the file holds")
        # DataParallel and torch.compile wrap a network and its names.
        yield name.removeprefix("module.").removeprefix("_orig_mod."), value.detach()


def array(tensor: Any) -> Any:
    """Return a tensor as an array; floating-point numbers in single precision."""
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _reason(error: Exception) -> str:
    foreign = _FOREIGN.search(str(error))
    if foreign is None:
        return _first_line(error)
    return f"it asks for {foreign['name'] or foreign['call']}, which is code and no tensor"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _refused(path: Path, what: str) -> WrongWeightsError:
    return WrongWeightsError(
        found=f"{path.name}: {what}",
        expected="a state dictionary: torch.save(net.state_dict(), path) or safetensors",
        remedy="Save the state dictionary alone, in the program that holds the model.",
    )
