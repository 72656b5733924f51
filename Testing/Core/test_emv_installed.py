"""Networks of EMV-3D-CNN in the store: the authors' terms first, then a load; changed files never."""

from __future__ import annotations

import pytest

from ctinsight.errors import TermsNotAcceptedError, WrongWeightsError
from ctinsight.models.architectures import convert
from ctinsight.models.card import ModelCard
from ctinsight.models.catalogue import catalogue
from ctinsight.models.emv_weights import emv_architecture, save_emv
from ctinsight.models.store import Store
from ctinsight.models.supply import Supply, import_path
from ctinsight.nets.emv_networks import EMV_NETWORKS
from ctinsight.tasks.nodule.emv_installed import load_installed

NETWORK = EMV_NETWORKS[0]


@pytest.fixture
def a_file(tmp_path):
    """Return a narrow network's weights as a user would bring them."""
    pytest.importorskip("safetensors")
    card = ModelCard(NETWORK.name, "made up", "0" * 64, (), 2, 0)
    save_emv(emv_architecture(NETWORK).build(2), card, tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def test_an_empty_store_has_no_networks(tmp_path):
    """Nothing installed is no error: the task then answers without networks."""
    assert load_installed(Store(tmp_path, catalogue())) == {}


def test_terms_come_before_the_import(tmp_path, a_file):
    """Without acceptance nothing is imported, and the patent is named; with it the network loads."""
    store = Store(tmp_path / "models", catalogue())
    with pytest.raises(TermsNotAcceptedError, match="CN115620899B"):
        import_path(store, a_file, Supply(NETWORK.name, convert=convert))
    assert load_installed(store) == {}
    import_path(store, a_file, Supply(NETWORK.name, accept_terms=True, convert=convert))
    ((network, (net, card)),) = load_installed(store).items()
    assert (network, net.width, card.name) == (NETWORK, 2, NETWORK.name)


def test_a_changed_file_is_not_loaded(tmp_path, a_file):
    """One changed byte of an installed network stops the load."""
    store = Store(tmp_path / "models", catalogue())
    import_path(store, a_file, Supply(NETWORK.name, accept_terms=True, convert=convert))
    (path,) = (tmp_path / "models").rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(WrongWeightsError, match="SHA-256"):
        load_installed(store)
