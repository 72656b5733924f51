"""The networks of EMV-3D-CNN that are installed, loaded once for all cases of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctinsight.nets.emv_networks import EMV_NETWORKS

if TYPE_CHECKING:
    from pathlib import Path

    from ctinsight.models.card import ModelCard
    from ctinsight.models.resident import Loaded
    from ctinsight.models.store import Store
    from ctinsight.nets.emv_layers import EmvNet
    from ctinsight.nets.emv_networks import EmvNetwork

    LoadedNet = tuple[EmvNet, ModelCard]


def load_installed(store: Store) -> dict[EmvNetwork, LoadedNet]:
    """Load every installed network of the nine; none installed gives an empty dictionary.

    Raises
    ------
    TermsNotAcceptedError
        Files lie in the store without an acceptance of the authors' terms.
    WrongWeightsError
        An installed file was changed.
    DependencyMissingError
        torch or safetensors is absent.
    """
    return {network: _load(store, network) for network in EMV_NETWORKS if store.find(network.name)}


def _load(store: Store, network: EmvNetwork) -> LoadedNet:
    from ctinsight.models.architectures import installed_weights
    from ctinsight.models.card import file_records
    from ctinsight.models.obtain import require_terms
    from ctinsight.models.resident import ModelKey, resident_models

    _folder, item = store.locate(network.name)
    require_terms(store.catalogue.entry(network.name), accepted=bool(item.terms_accepted))
    path = installed_weights(store, network.name)
    (record,) = file_records([path])
    key = ModelKey(path.absolute(), record.sha256)
    return resident_models().get(key, lambda: _fresh(path, network), expected_bytes=record.size_bytes)


def _fresh(path: Path, network: EmvNetwork) -> Loaded[LoadedNet]:
    from ctinsight.models.emv_weights import load_emv
    from ctinsight.models.resident import Loaded, network_bytes

    net, card = load_emv(path, network)
    return Loaded((net, card), network_bytes(net))
