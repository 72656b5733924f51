"""McResNet and its four channels against the numbers of the published program; scores in the right words."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from ctinsight.errors import InputRefusedError, WrongUseError, WrongWeightsError
from ctinsight.files import write_volume
from ctinsight.inference.wholehead import fitted, head_channels, normalised_ct
from ctinsight.models.mcresnet_weights import load_mcresnet
from ctinsight.nets.mcresnet import McResNet
from ctinsight.phantoms.vessels import demo_lvo_head
from ctinsight.progress import Progress
from ctinsight.tasks.lvo import Parameters, run
from ctinsight.tasks.lvo.occlusion import predictive_values, vessel_mip
from ctinsight.volume import Acquisition, Scan, Volume

TOLERANCE = 1e-4


def recipe(net: McResNet) -> McResNet:
    """Fill a network by the recipe of the reference numbers, from the names of its tensors."""
    state = {}
    for name, tensor in net.state_dict().items():
        rng, shape = np.random.default_rng(zlib.crc32(name.encode())), tuple(tensor.shape)
        if name.endswith("num_batches_tracked"):
            values = np.zeros(shape)
        elif name.endswith("running_mean"):
            values = 0.1 * rng.standard_normal(shape)
        elif name.endswith("running_var"):
            values = rng.uniform(0.5, 1.5, shape)
        elif len(shape) == 1:
            scale = name.endswith("weight")
            values = rng.uniform(1.5, 2.5, shape) if scale else 0.05 * rng.standard_normal(shape)
        else:
            values = rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        state[name] = torch.from_numpy(np.asarray(values)).to(tensor.dtype)
    net.load_state_dict(state)
    return net.eval()


def test_names_and_count_are_the_originals(shared) -> None:
    """All 148 tensors have the original's names, order and shapes: 33,351,281 parameters."""
    keys = json.loads((shared / "reference/lvo/mcresnet_state_dict_keys.json").read_text())["keys"]
    with torch.device("meta"):
        net = McResNet()
    assert [[name, list(t.shape)] for name, t in net.state_dict().items()] == [key[:2] for key in keys]
    assert sum(p.numel() for p in net.parameters()) == 33_351_281


def test_logits_are_the_originals(shared) -> None:
    """Two inputs of different size give the original's logits and features within 1e-4."""
    reference = np.load(shared / "reference/lvo/mcresnet_reference.npz")
    net = recipe(McResNet())
    with torch.inference_mode():
        for given, wanted in (("input", "logits_recipe"), ("input2", "logits_recipe_input2")):
            logits = net(torch.from_numpy(reference[given])).numpy()
            assert np.abs(logits - reference[wanted]).max() < TOLERANCE
        features = net.features(torch.from_numpy(reference["input"])).numpy()
    assert np.abs(features - reference["layer4_recipe"]).max() < TOLERANCE


def test_channels_are_the_originals(shared) -> None:
    """Normalisation, order and padding of the channels are those of the published program."""
    reference = np.load(shared / "reference/lvo/preprocess_reference.npz")
    channels = head_channels(reference["ncct"], reference["vessel"] > 0, reference["prob"], reference["diff"])
    stacked = channels.stacked(tuple(int(n) for n in reference["target"]))
    assert np.abs(stacked - reference["stacked"]).max() < TOLERANCE


def test_dense_clot_is_erased_for_the_network_alone() -> None:
    """71 HU becomes 0, 70 HU the top: the published window, kept for parity."""
    assert normalised_ct(np.array([[[0.0, 10.0, 70.0, 71.0]]])).tolist() == [[[0.0, 0.0, 1.0, 0.0]]]


def test_a_larger_head_is_cut_about_its_centre() -> None:
    """Of five voxels the middle three stay."""
    assert fitted(np.arange(5, dtype=np.float32).reshape(5, 1, 1), (3, 1, 1)).ravel().tolist() == [1, 2, 3]


@pytest.mark.parametrize("missing", ["vessels", "prior", "difference"])
def test_a_missing_channel_is_refused(missing: str) -> None:
    """An empty channel is an error that names it; nothing stands in for it."""
    full = {name: np.ones((4, 4, 4)) for name in ("prior", "difference")} | {
        "vessels": np.ones((4, 4, 4), bool)
    }
    full[missing] = np.zeros((4, 4, 4), full[missing].dtype)
    with pytest.raises(InputRefusedError, match=f"channel {missing}"):
        head_channels(np.full((4, 4, 4), 30.0), full["vessels"], full["prior"], full["difference"])


@pytest.fixture(scope="module")
def a_weights_file(tmp_path_factory):
    """Return a small network as DataParallel saves it: every name begins with ``module.``."""
    path = tmp_path_factory.mktemp("weights") / "best_model.pth"
    torch.save({f"module.{name}": t for name, t in recipe(McResNet(8)).state_dict().items()}, path)
    return path


def test_weights_of_any_width_are_read(a_weights_file) -> None:
    """The width of 8 is inferred from the tensors, and the values are those that were saved."""
    net, card = load_mcresnet(a_weights_file)
    assert card.width == 8
    assert torch.equal(net.state_dict()["fc.3.bias"], recipe(McResNet(8)).state_dict()["fc.3.bias"])


def test_other_weights_are_refused(tmp_path) -> None:
    """A network with three channels in is named as another one."""
    torch.save({"conv1.weight": torch.zeros(8, 3, 7, 7, 7)}, tmp_path / "other.pth")
    with pytest.raises(WrongWeightsError, match="conv1"):
        load_mcresnet(tmp_path / "other.pth")


def test_weights_without_vessels_are_refused(a_weights_file) -> None:
    """Without the vessels' channel nothing is computed."""
    scan = Scan(Volume(np.zeros((2, 2, 2)), np.eye(4)), Acquisition("phantom"))
    with pytest.raises(WrongUseError, match="second channel is missing"):
        run(scan, Parameters(template="phantom", weights=a_weights_file), Progress())


def test_the_projection_keeps_hu_and_place() -> None:
    """The brightest vessel voxel of each column remains; other vessels (4) are left out."""
    ct, vessels = np.zeros((3, 2, 2)), np.zeros((3, 2, 2), np.uint8)
    ct[1, 0, 1], vessels[1, 0, 1] = 60, 2
    ct[2, 1, 0], vessels[2, 1, 0] = 80, 4
    image = vessel_mip(Volume(ct, np.diag([-1.0, -1.0, 2.0, 1.0])), vessels)
    assert image.volume.array_kji.tolist() == [[[0, 60], [0, 0]]]
    assert image.volume.grid.spacing_ijk_mm == (1.0, 1.0, 6.0)


def test_predictive_values_are_the_users() -> None:
    """Sensitivity 0.635, specificity 0.951, prevalence 0.1: PPV 59 %; without them both are off, and why."""
    stated = Parameters(sensitivity=0.635, specificity=0.951, prevalence=0.1)
    ppv, npv = predictive_values(stated)
    assert ppv.value == pytest.approx(59.0, abs=0.2)
    assert npv.value == pytest.approx(95.9, abs=0.2)
    off, _npv = predictive_values(replace(stated, prevalence=None))
    assert off.value is None
    assert off.note.startswith("off:")


@pytest.mark.slow
def test_the_whole_way_with_weights(a_weights_file, tmp_path) -> None:
    """A score between 0 and 1, called uncalibrated; four channels and the projection as volumes."""
    case, _clot = demo_lvo_head()
    vessels = Volume(case.truth_kji.astype(np.uint8) * 2, case.volume.ijk_to_ras)
    write_volume(vessels, tmp_path / "vessels.nii.gz")
    chosen = Parameters(
        template="phantom", weights=a_weights_file, vessels=tmp_path / "vessels.nii.gz", counterfactual=True
    )
    result = run(Scan(case.volume, Acquisition("phantom")), chosen, Progress())
    assert 0 < result.finding("mcresnet_score").value < 1
    assert "uncalibrated" in result.finding("mcresnet_score").name
    keys = {image.key for image in result.images}
    assert {"channel_ct", "channel_vessels", "channel_prior", "channel_difference", "vessel_mip"} <= keys
    assert len(result.table("withheld_channels").rows) == 3
