"""Weights of EMV-3D-CNN in a folder: which file is which of the nine networks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ctinsight.errors import WeightsMissingError, WrongUseError
from ctinsight.nets.emv_networks import EMV_NETWORKS, EmvKind, EmvNetwork, EmvTask

if TYPE_CHECKING:
    from pathlib import Path

    from ctinsight.tasks.nodule.emv_installed import LoadedNet

SUFFIXES = (".h5", ".hdf5", ".keras", ".safetensors", ".pt", ".pth")
_NAMING = (
    "names that tell network and question, such as nodule-emv-task1-vgg.h5, task2/Resnet_40_Epoch.09.h5 or "
    "w8_task3_Inception_60.h5"
)


def network_of(path: Path) -> EmvNetwork | None:
    """Tell a network from a file's name and its folder's; ``None`` when they do not say.

    Examples
    --------
    >>> from pathlib import Path
    >>> network_of(Path("model-cut2/2/Resnet_40_Epoch.09-0.8408.h5")).name
    'nodule-emv-task2-resnet'
    >>> network_of(Path("w8_task1_Vgg_40.h5")).name, network_of(Path("weights.h5"))
    ('nodule-emv-task1-vgg', None)
    """
    kinds = [kind for kind in EmvKind if kind in path.name.lower()]
    stated = re.findall(r"task[ _-]?([123])(?!\d)", path.name.lower())
    folder = re.fullmatch(r"(?:task)?[ _-]?([123])", path.parent.name.lower())
    tasks = set(stated) or ({folder[1]} if folder else set())
    if len(kinds) != 1 or len(tasks) != 1:
        return None
    return EmvNetwork(EmvTask(int(tasks.pop())), kinds[0])


def find_files(path: Path) -> dict[EmvNetwork, Path]:
    """Find the networks' files at a path: one file, or a folder with its sub-folders.

    Raises
    ------
    WeightsMissingError
        No such path, or no weight file in it.
    WrongUseError
        A name that does not tell which network it is, or two files for one.
    """
    if not path.exists():
        raise _missing(path, "no file or folder")
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not files:
        raise _missing(path, "no weight file in")
    found: dict[EmvNetwork, Path] = {}
    for file in files:
        network = network_of(file)
        if network is None or network in found:
            twice = f", and {found[network].name} is the same network" if network in found else ""
            raise WrongUseError(
                found=f"the weight file {file.name}{twice}",
                expected=f"one file for a network, with {_NAMING}",
                remedy="Rename the files, or import each: ctinsight models import FILE --model "
                f"{EMV_NETWORKS[0].name} --accept-terms",
            )
        found[network] = file
    return found


def load_files(path: Path, *, accept_terms: bool) -> dict[EmvNetwork, LoadedNet]:
    """Load every network at a path; see :func:`find_files`.

    Raises
    ------
    TermsNotAcceptedError
        The authors' terms were not accepted.
    WrongWeightsError
        A file holds another network.
    """
    from ctinsight.models.catalogue import catalogue
    from ctinsight.models.obtain import require_terms

    files = find_files(path)
    for network in files:
        require_terms(catalogue().entry(network.name), accepted=accept_terms)
    return {network: _load(file, network) for network, file in files.items()}


def _load(file: Path, network: EmvNetwork) -> LoadedNet:
    """Load a file once for all cases of this process."""
    from ctinsight.models.card import file_records
    from ctinsight.models.emv_weights import load_emv
    from ctinsight.models.resident import Loaded, ModelKey, network_bytes, resident_models

    (record,) = file_records([file])
    key = ModelKey(file.absolute(), record.sha256, network.name)

    def fresh() -> Loaded[LoadedNet]:
        net, card = load_emv(file, network, expected_sha256=record.sha256)
        return Loaded((net, card), network_bytes(net))

    return resident_models().get(key, fresh, expected_bytes=record.size_bytes)


def _missing(path: Path, what: str) -> WeightsMissingError:
    return WeightsMissingError(
        found=f"{what} {path.name!r}",
        expected="the weight files of EMV-3D-CNN, at least the three of the first question",
        remedy="Correct the path. The authors publish no weights openly: ask them. Measures and published "
        "scores need no weights.",
    )
