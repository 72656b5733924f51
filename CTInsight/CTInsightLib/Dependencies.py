"""Python packages that 3D Slicer lacks: what is missing, how large it is, and how it is installed.

Nothing is installed unasked, at import or at start-up. PyTorch comes by the extension PyTorch alone. The
worker is a process of its own, so what was installed is used without a restart of 3D Slicer.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from enum import Enum
from importlib import import_module, invalidate_caches
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctinsight.errors import DependencyMissingError, ProcessingFailedError
from CTInsightLib.WorkerProcess import findPython, killTree, ownProcessGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What the extension PyTorch is asked for; see ``ctinsight.device`` for both limits.
TORCH_REQUIREMENT = ">=2.6,!=2.9.*"
LOG_TAIL_CHARACTERS = 1500


class State(Enum):
    """Whether a package can be used."""

    PRESENT = "installed"
    ABSENT = "not installed"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Package:
    """One package: its name on the index and in Python, the versions wanted, its size, and what it is for."""

    name: str
    requirement: str
    module: str
    size: str
    purpose: str


#: Sizes on disk: measured for Python 3.11 on Linux in 2026, rounded up; CUDA as in ``ctinsight.device``.
PACKAGES = {
    "torch": Package(
        "torch", f"torch{TORCH_REQUIREMENT}", "torch", "0.9 GB; 3 to 5 GB with CUDA", "all networks"
    ),
    "safetensors": Package(
        "safetensors", "safetensors>=0.4", "safetensors", "2 MB", "reading installed weights"
    ),
    "h5py": Package("h5py", "h5py>=3.10", "h5py", "20 MB", "importing Keras weights (.h5)"),
    "matplotlib": Package(
        "matplotlib", "matplotlib>=3.8", "matplotlib", "40 MB", "slice pictures of reports"
    ),
}
#: What a network needs.
FOR_NETWORKS = ("torch", "safetensors")


def stateOf(name: str) -> State:
    """Say whether a package can be used; it is looked for, not imported.

    A package is damaged when only its records or only some of its files are there, as an installation that
    was broken off leaves them: pip then answers "already satisfied".
    """
    invalidate_caches()
    spec = find_spec(PACKAGES[name].module)
    recorded = _isRecorded(name)
    if spec is None and not recorded:
        return State.ABSENT
    whole = spec is not None and spec.origin is not None and Path(spec.origin).is_file()
    complete = whole and (name != "torch" or (Path(spec.origin).parent / "version.py").is_file())
    return State.PRESENT if complete and recorded else State.DAMAGED


def missing(names: Sequence[str]) -> tuple[Package, ...]:
    """Return the packages that are absent or damaged."""
    return tuple(PACKAGES[name] for name in names if stateOf(name) is not State.PRESENT)


def installTorch() -> None:
    """Let the extension PyTorch install torch for this machine; a damaged one is taken away first.

    Raises
    ------
    DependencyMissingError
        The extension is not installed.
    ProcessingFailedError
        It could not install torch.
    """
    if find_spec("PyTorchUtils") is None:
        raise DependencyMissingError(
            found="the extension PyTorch of 3D Slicer is not installed",
            expected="the extension PyTorch, which installs torch for your graphics card",
            remedy="Open the Extensions Manager, install 'PyTorch', restart 3D Slicer and choose Apply "
            "again. Or choose a method without a network.",
        )
    logic = import_module("PyTorchUtils").PyTorchUtilsLogic()
    try:
        if stateOf("torch") is State.DAMAGED:
            logic.uninstallTorch(askConfirmation=False)
        logic.installTorch(askConfirmation=False, torchVersionRequirement=TORCH_REQUIREMENT)
    except (subprocess.CalledProcessError, OSError, RuntimeError, ImportError, ValueError) as error:
        raise _notInstalled(names="torch", words=str(error)) from error


def _isRecorded(name: str) -> bool:
    try:
        return bool(version(PACKAGES[name].name))
    except PackageNotFoundError:
        return False


def question(packages: Sequence[Package]) -> str:
    """Return what the user is asked before anything is installed: each package, its size, its purpose."""
    lines = [f"- {package.name} ({package.size}), for {package.purpose}" for package in packages]
    return "\n".join(
        [
            "This needs Python packages that 3D Slicer does not bring:",
            *lines,
            "",
            "Install them into 3D Slicer's Python now? The work then goes on by itself.",
        ]
    )


class PackageInstall:
    """Install packages while a timer looks on; what pip does can be cancelled at any moment.

    torch is left to the extension PyTorch, and the rest to ``slicer.packaging`` where this 3D Slicer has it
    (5.12); both show their own progress. Before that, pip runs as a child process.
    """

    def __init__(self, command: Sequence[str] | None = None):
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Any = None
        self._names = ""

    @property
    def busy(self) -> bool:
        """Whether pip is at work."""
        return self._process is not None

    def begin(self, packages: Sequence[Package]) -> None:
        """Start; :attr:`busy` tells whether it goes on in the background.

        Raises
        ------
        DependencyMissingError
            torch is wanted, and the extension PyTorch is not there.
        ProcessingFailedError
            An installation that runs in the foreground failed.
        """
        if any(package.name == "torch" for package in packages):
            installTorch()
        rest = [package for package in packages if package.name != "torch"]
        if rest and not _ensuredBySlicer(rest):
            self._startPip(rest)

    def _startPip(self, packages: Sequence[Package]) -> None:
        self._names = ", ".join(package.name for package in packages)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _end
        pip = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        self._process = subprocess.Popen(
            [*(self._command or [findPython(), *pip]), *(package.requirement for package in packages)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            **ownProcessGroup(),
        )

    def poll(self) -> bool:
        """Return whether pip has finished well.

        Raises
        ------
        ProcessingFailedError
            pip failed; its last words are quoted.
        """
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            return False
        words, names = self.logTail(), self._names
        self._end()
        if code:
            raise _notInstalled(names=names, words=words)
        return True

    def cancel(self) -> None:
        """Kill pip and what it started."""
        if self._process is not None:
            killTree(self._process)
            self._process.wait()
            self._end()

    def logTail(self) -> str:
        """Return the last words of pip."""
        if self._log is None:
            return ""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-LOG_TAIL_CHARACTERS:]

    def _end(self) -> None:
        self._log.close()
        self._process, self._log = None, None


def _ensuredBySlicer(packages: Sequence[Package]) -> bool:
    """Let 3D Slicer install packages; False where it cannot, before 5.12."""
    if find_spec("slicer.packaging") is None:
        return False
    ensure = import_module("slicer.packaging").pip_ensure
    try:
        ensure([package.requirement for package in packages], prompt_install=False, requester="CT Insight")
    except (subprocess.CalledProcessError, RuntimeError) as error:
        names = ", ".join(package.name for package in packages)
        raise _notInstalled(names=names, words=str(error)) from error
    return True


def _notInstalled(*, names: str, words: str) -> ProcessingFailedError:
    return ProcessingFailedError(
        found=f"{names} could not be installed: {words.strip()[-400:]}",
        expected="a package index that can be reached, and a folder that can be written",
        remedy="Check the connection and the proxy (HTTPS_PROXY), restart 3D Slicer and try again. Methods "
        "without a network work all the same.",
    )
