"""DeepDCR v0's difficulty networks from the store: one, or five of cross-validation, with their form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ctinsight.device import require_torch
from ctinsight.errors import WeightsMissingError, WrongWeightsError
from ctinsight.models.store import user_store
from ctinsight.scores.network_form import NetworkForm, read_network_form

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ctinsight.nets.dcr_difficulty import DifficultyNet

#: The form beside the weights, in the folder that is imported and in the store.
FORM_NAME = "preprocessing.json"


@dataclass(frozen=True, eq=False)
class DifficultyNetworks:
    """The networks in eval mode on the processor, what belongs to them, and what a manifest says of them."""

    networks: tuple[DifficultyNet, ...]
    form: NetworkForm
    card: Mapping[str, Any]


def load_networks(name: str, *, binary_mask: bool = False) -> DifficultyNetworks:
    """Load an installed model.

    Raises
    ------
    WeightsMissingError
        Not installed, or installed without its form.
    WrongWeightsError
        A file was changed, or network and form do not belong together.
    DependencyMissingError
        torch is not installed.
    """
    require_torch()
    store = user_store()
    _folder, found = store.locate(name)
    paths = [store.checked_file(name, record.name) for record in found.files]
    forms = [path for path in paths if path.name == FORM_NAME]
    if not forms:
        raise WeightsMissingError(
            found=f"{name} {found.version} without {FORM_NAME}",
            expected="the scaling and the categories of its training beside the weights",
            remedy=f"Put {FORM_NAME} (docs/dcr.md) beside the .pth files and import the folder again.",
        )
    form = read_network_form(forms[0])
    weights = [path for path in paths if path.suffix == ".safetensors"]
    networks = tuple(_network(path, form, binary_mask=binary_mask) for path in weights)
    digests = {record.name: record.sha256 for record in found.files}
    card = {"name": name, "version": found.version, "model": "DeepDCR v0", "networks": len(networks)}
    return DifficultyNetworks(networks, form, {**card, "sha256": digests[weights[0].name]})


def _network(path: Path, form: NetworkForm, *, binary_mask: bool) -> DifficultyNet:
    from safetensors.torch import load_file

    from ctinsight.nets.dcr_difficulty import DifficultyNet

    net = DifficultyNet(form.length, binary_mask=binary_mask)
    try:
        net.load_state_dict(load_file(path))
    except RuntimeError as error:
        raise WrongWeightsError(
            found=f"{path.name}: {str(error).splitlines()[-1].strip()}",
            expected=f"DeepDCR's classifier with {form.length} clinical inputs, as its form says",
            remedy="Take weights and form of the same training.",
        ) from error
    return net.eval()
