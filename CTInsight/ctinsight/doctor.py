"""The pre-flight check: what this machine has, what it lacks, and what to do about each line.

Nothing is asked of the network unless ``network`` is set, and then only whether the catalogue's own hosts
answer; nothing is downloaded.
"""

from __future__ import annotations

import platform
import shutil
import socket
import sys
import sysconfig
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ctinsight.errors import CTInsightError
from ctinsight.finding import Check, Outcome
from ctinsight.progress import ProgressEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

#: Package -> (oldest version, what it is for). The first five ship with 3D Slicer.
STOCK = {"numpy": "2.0", "scipy": "1.13", "SimpleITK": "2.4", "pydicom": "2.4", "requests": "2.31"}
OPTIONAL = {
    "typer": "the command line",
    "matplotlib": "slice pictures",
    "torch": "networks",
    "safetensors": "networks",
    "h5py": "import of Keras weights",
    "slicer-core": "scenes without the 3D Slicer application",
}
#: A head CT of 512 x 512 x 40 with its masks and a network takes about 2 GB; the rest is the system's.
ENOUGH_MEMORY_GB = 4.0
#: PyTorch (1 GB), weights of all modules (about 1.5 GB) and room for results.
ENOUGH_DISK_GB = 5.0
#: Windows refuses paths over 260 characters; packages such as torch add about 160 to their folder.
LONGEST_WINDOWS_PREFIX = 100
#: A slice that takes longer makes a head CT of 40 slices a matter of minutes.
SLOW_SLICE_SECONDS = 5.0


@dataclass(frozen=True)
class Questions:
    """What to look at beyond the machine itself.

    Parameters
    ----------
    network
        Ask whether the catalogue's hosts can be reached.
    timing
        Time one slice through DR-UNet of published width (random weights), where torch is installed.
    """

    network: bool = False
    timing: bool = False


def examine(questions: Questions | None = None) -> tuple[Check, ...]:
    """Look at the machine; each line is a pass, a warning or a refusal with its remedy."""
    questions = questions or Questions()
    lines = [_python(), *_stock(), *_optional(), _device(), _memory(), *_folders(), _path_length()]
    if questions.network:
        lines.extend(_hosts())
    if questions.timing:
        lines.append(_timing())
    return tuple(lines)


@dataclass(frozen=True)
class _Line:
    """One line of the list before it is judged; its remedy is shown when it is no pass."""

    key: str
    name: str
    measured: str
    expected: str
    remedy: str = ""

    def judged(self, good: bool, *, otherwise: Outcome = Outcome.WARN) -> Check:
        outcome = Outcome.PASS if good else otherwise
        remedy = "" if good else self.remedy
        return Check(self.key, self.name, outcome, self.measured, self.expected, remedy)


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.platform(terse=True)}"
    line = _Line("python", "Python", found, "3.11 or newer", "Install Python 3.11 or newer.")
    return line.judged(sys.version_info >= (3, 11), otherwise=Outcome.REFUSE)


def _stock() -> Iterator[Check]:
    for name, oldest in STOCK.items():
        found = installed_version(name)
        remedy = f'pip install "{name}>={oldest}" (3D Slicer 5.10 and newer bring it along)'
        line = _Line(f"package_{name.lower()}", name, found or "not installed", f"{oldest} or newer", remedy)
        good = found is not None and _numbers(found) >= _numbers(oldest)
        yield line.judged(good, otherwise=Outcome.REFUSE)


def _optional() -> Iterator[Check]:
    for name, purpose in OPTIONAL.items():
        found = installed_version(name)
        remedy = f"Only needed for {purpose}; everything else works without it."
        line = _Line(f"package_{name}", name, found or "not installed", f"for {purpose}", remedy)
        yield line.judged(found is not None)


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        # A package built into 3D Slicer may come without pip's records.
        name = package.replace("-", "_")
        return getattr(import_module(name), "__version__", "unknown") if find_spec(name) else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("+", maxsplit=1)[0].split(".")[:2] if part.isdigit())


def _device() -> Check:
    from ctinsight.device import choose_device

    if find_spec("torch") is None:
        return _Line("device", "Device", "processor (no torch)", "any").judged(good=True)
    try:
        device = choose_device()
    except CTInsightError as error:
        return _Line("device", "Device", error.found, error.expected, error.remedy).judged(good=False)
    free = "" if device.free_bytes is None else f", {device.free_bytes / 2**30:.1f} GiB free"
    return _Line("device", "Device", f"{device.kind}: {device.name}{free}", "any").judged(good=True)


def _memory() -> Check:
    found = available_memory_gb()
    measured = "unknown" if found is None else f"{found:.1f} GB available"
    remedy = "Close other programs, or work on one case at a time."
    line = _Line("memory", "Memory", measured, f"{ENOUGH_MEMORY_GB:g} GB", remedy)
    return line.judged(found is None or found >= ENOUGH_MEMORY_GB)


def available_memory_gb() -> float | None:
    """Return the memory that a new program can have, in GB; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None


def _folders() -> Iterator[Check]:
    from ctinsight.models.settings import load_settings

    try:
        models = load_settings().models_folder
    except CTInsightError as error:
        line = _Line("models_folder", "Model folder", error.found, error.expected, error.remedy)
        yield line.judged(good=False, otherwise=Outcome.REFUSE)
    else:
        remedy = "Set CTINSIGHT_MODELS to another folder."
        yield from examine_folder("models_folder", "Model folder", models, remedy=remedy)
    remedy = "Set TMPDIR (on Windows TEMP) to another folder."
    temporary = Path(tempfile.gettempdir())
    yield from examine_folder("temporary_folder", "Temporary folder", temporary, remedy=remedy)


def examine_folder(key: str, name: str, folder: Path, *, remedy: str) -> Iterator[Check]:
    """Say whether a folder (or the nearest one above it that exists) can be written and has room."""
    standing = next((p for p in (folder, *folder.parents) if p.is_dir()), Path.cwd())
    writable = can_write(standing)
    words = f"{folder}: {'writable' if writable else 'not writable'}"
    yield _Line(key, name, words, "a writable folder", remedy).judged(writable, otherwise=Outcome.REFUSE)
    free = shutil.disk_usage(standing).free / 1e9
    line = _Line(f"{key}_space", f"{name}, free space", f"{free:.1f} GB", f"{ENOUGH_DISK_GB:g} GB", remedy)
    yield line.judged(free >= ENOUGH_DISK_GB)


def can_write(folder: Path) -> bool:
    """Whether a file can be made in a folder; tried, not asked, for access bits lie on network drives."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _path_length() -> Check:
    length = len(sysconfig.get_path("purelib"))
    remedy = "Install 3D Slicer into a short path such as C:\\Slicer, or allow long paths in Windows."
    expected = f"at most {LONGEST_WINDOWS_PREFIX} on Windows"
    line = _Line("path_length", "Path of the packages", f"{length} characters", expected, remedy)
    return line.judged(sys.platform != "win32" or length <= LONGEST_WINDOWS_PREFIX)


def examine_hosts(
    hosts: Iterable[tuple[str, int]], connect: Callable[[str, int], None] | None = None
) -> Iterator[Check]:
    """Say of each (host, port) whether it takes a connection; nothing is sent."""
    remedy = "Behind a proxy set HTTPS_PROXY; or import the files by hand, or use a kit or a mirror."
    for host, port in hosts:
        try:
            (connect or _connect)(host, port)
            words, good = "answers", True
        except OSError as error:
            words, good = f"does not answer ({error})", False
        yield _Line(f"host_{host}", host, words, "reachable, for downloads only", remedy).judged(good)


def _hosts() -> Iterator[Check]:
    from ctinsight.models.settings import load_settings

    if load_settings().offline:
        yield _Line("hosts", "Hosts", "offline is set: nothing was asked", "nothing").judged(good=True)
    else:
        yield from examine_hosts(catalogue_hosts())


def catalogue_hosts() -> tuple[tuple[str, int], ...]:
    """Return every (host, port) that a download of the catalogue would ask."""
    from ctinsight.models.catalogue import catalogue

    addresses = [url for entry in catalogue() for file in entry.files for url in file.urls]
    if any(entry.hugging_face for entry in catalogue()):
        addresses.append("https://huggingface.co")
    parts = [urlsplit(url) for url in addresses]
    return tuple(sorted({(part.hostname, part.port or 443) for part in parts if part.hostname}))


def _connect(host: str, port: int) -> None:
    with socket.create_connection((host, port), timeout=5):
        pass


def _timing() -> Check:
    if find_spec("torch") is None:
        return _Line("timing", "One slice", "not timed (no torch)", "torch for networks").judged(good=True)
    import torch

    from ctinsight.nets.drunet import DRUNet

    net, picture = DRUNet().eval(), torch.zeros(1, 1, 256, 256)
    with torch.inference_mode():
        net(picture)
        started = time.perf_counter()
        net(picture)
    seconds = time.perf_counter() - started
    words = f"{seconds:.2f} s on the processor, so about {40 * seconds:.0f} s for 40 slices"
    remedy = "Other programs may hold the processor; close them, or use a graphics card."
    line = _Line("timing", "One slice through DR-UNet", words, f"below {SLOW_SLICE_SECONDS:g} s", remedy)
    return line.judged(seconds < SLOW_SLICE_SECONDS)


def job(values: Mapping[str, Any], tell: Callable[[ProgressEvent], None], _folder: Path) -> dict[str, Any]:
    """Do :func:`examine` as a job of the worker; ``network`` and ``timing`` are as in :class:`Questions`."""
    tell(ProgressEvent("looking at this machine", 0.0, None))
    questions = Questions(network=values.get("network") is True, timing=values.get("timing") is True)
    return {"checks": [{**asdict(line), "outcome": line.outcome.value} for line in examine(questions)]}
