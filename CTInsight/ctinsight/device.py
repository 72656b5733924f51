"""Where a network runs: processor or graphics card, chosen by free memory and named in the result."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ctinsight.errors import DependencyMissingError, WrongUseError

if TYPE_CHECKING:
    from types import ModuleType

#: Oldest torch whose ``weights_only`` loading is safe (CVE-2025-32434 is fixed in 2.6).
OLDEST_TORCH = (2, 6)
#: torch 2.9 slows 3-D convolutions with mixed precision about fourfold and takes far more memory
#: (https://github.com/pytorch/pytorch/issues/166122).
REFUSED_TORCH = (2, 9)
#: Free graphics memory below which "auto" stays on the processor: a batch of DR-UNet slices takes less
#: than 1 GiB, the CUDA context about half of one.
ENOUGH_BYTES = 2 * 2**30

_INSTALL = (
    "In 3D Slicer install the extension PyTorch (SlicerPyTorch) and restart. Elsewhere install "
    "torch>=2.6,!=2.9.* by pip, with the command that pytorch.org/get-started/locally gives for this machine "
    "(about 0.9 GB on disk for the processor, 3 to 5 GB with CUDA). Or choose a method without a network."
)


@dataclass(frozen=True)
class Device:
    """A place to compute: ``kind`` is cpu, cuda or mps; ``free_bytes`` is None where nobody knows.

    ``note`` says why it was chosen, for the result's manifest.
    """

    kind: str
    name: str
    free_bytes: int | None = None
    note: str = ""


def require_torch() -> ModuleType:
    """Import torch.

    Raises
    ------
    DependencyMissingError
        torch is absent, too old, or a 2.9 release; the remedy says what to install and how large it is.
    """
    if find_spec("torch") is None:
        raise DependencyMissingError(
            found="no Python package torch", expected="torch 2.6 or newer, not 2.9", remedy=_INSTALL
        )
    torch = import_module("torch")
    refuse_torch_version(str(torch.__version__))
    return torch


def refuse_torch_version(version: str) -> None:
    """Refuse a torch release that would load weights unsafely or compute far too slowly.

    Raises
    ------
    DependencyMissingError
        Older than 2.6, or any 2.9.
    """
    major_minor = tuple(int(part) for part in version.split(".")[:2])
    if major_minor == REFUSED_TORCH:
        reason = "its 3-D convolutions are about four times slower (pytorch issue 166122)"
    elif major_minor < OLDEST_TORCH:
        reason = "it can run code hidden in a weight file (CVE-2025-32434)"
    else:
        return
    raise DependencyMissingError(
        found=f"torch {version}: {reason}", expected="torch 2.6 or newer, not 2.9", remedy=_INSTALL
    )


def out_of_memory(error: BaseException) -> bool:
    """Whether Python or torch say that memory does not suffice; torch has several ways to say so.

    Examples
    --------
    >>> out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))
    True
    >>> out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    False
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return any(words in text for words in ("out of memory", "can't allocate memory", "not enough memory"))


def choose_device(wanted: str = "auto", *, needed_bytes: int = ENOUGH_BYTES) -> Device:
    """Choose where to compute.

    Parameters
    ----------
    wanted
        ``auto`` takes a graphics card with enough free memory, else the processor; ``cuda``, ``mps`` and
        ``cpu`` are taken as they are or refused.
    needed_bytes
        Free (not total) graphics memory that ``auto`` asks for.

    Raises
    ------
    WrongUseError
        An unknown name, or a device this machine does not have.
    DependencyMissingError
        See :func:`require_torch`.
    """
    torch = require_torch()
    if wanted not in {"auto", "cpu", "cuda", "mps"}:
        raise WrongUseError(
            found=f"device {wanted!r}", expected="auto, cpu, cuda or mps", remedy="Choose one of these."
        )
    present = {"cpu": _cpu(torch)} | _cuda(torch) | _mps(torch)
    if wanted == "auto":
        return _best(present, needed_bytes)
    if wanted not in present:
        raise WrongUseError(
            found=f"device {wanted!r}, which this machine or this build of torch does not have",
            expected=f"one of {', '.join(sorted(present))}",
            remedy="Choose auto, or install the graphics driver and a torch build for it.",
        )
    return present[wanted]


def _best(present: dict[str, Device], needed_bytes: int) -> Device:
    note = ""
    for kind in ("cuda", "mps"):
        device = present.get(kind)
        if device is None:
            continue
        if device.free_bytes is None or device.free_bytes >= needed_bytes:
            return device
        note = f"{device.name} has only {device.free_bytes / 2**30:.1f} GiB free; the processor is used"
    cpu = present["cpu"]
    return Device(cpu.kind, cpu.name, cpu.free_bytes, note or cpu.note)


def _cpu(torch: Any) -> Device:
    name = platform.processor() or platform.machine()
    return Device("cpu", f"{name}, {torch.get_num_threads()} threads")


def _cuda(torch: Any) -> dict[str, Device]:
    if not torch.cuda.is_available():
        return {}
    free = [torch.cuda.mem_get_info(index)[0] for index in range(torch.cuda.device_count())]
    best = max(range(len(free)), key=free.__getitem__)
    # Only the first card is used: the engines address "cuda"; the note tells when another is freer.
    note = "" if best == 0 else f"card {best} has more free memory; set CUDA_VISIBLE_DEVICES={best} to use it"
    return {"cuda": Device("cuda", torch.cuda.get_device_name(0), int(free[0]), note)}


def _mps(torch: Any) -> dict[str, Device]:
    if not torch.backends.mps.is_available():
        return {}
    free = int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return {"mps": Device("mps", f"Apple {platform.machine()}", free)}
