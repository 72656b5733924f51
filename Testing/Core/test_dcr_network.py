"""DeepDCR v0's difficulty network against the numbers of the published program."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ctinsight.errors import UnansweredError, WrongUseError  # noqa: E402 - torch is optional
from ctinsight.finding import Side  # noqa: E402
from ctinsight.nets.dcr_difficulty import DifficultyNet  # noqa: E402
from ctinsight.scores.network_form import read_network_form  # noqa: E402
from ctinsight.tasks.dcr.anatomy import anatomy_of  # noqa: E402
from ctinsight.tasks.dcr.network import network_arrays, published_grid  # noqa: E402
from midfaces import midface, scan_of  # noqa: E402


def recipe(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Make the weights that the reference was computed with; norm scales lie between 0.5 and 1.5."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, dtype=np.int64)
    if name.endswith("running_mean"):
        return (0.1 * rng.standard_normal(shape)).astype(np.float32)
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) == 1:
        return (0.05 * rng.standard_normal(shape)).astype(np.float32)
    return (rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)


@pytest.fixture(scope="module")
def net():
    """Return the network with the reference's weights, in eval mode."""
    made = DifficultyNet(11)
    state = {name: torch.from_numpy(recipe(name, tuple(t.shape))) for name, t in made.state_dict().items()}
    made.load_state_dict(state)
    return made.eval()


@pytest.fixture(scope="module")
def reference(shared):
    """Return inputs and outputs of the published program."""
    return dict(np.load(shared / "reference" / "dcr" / "v0_classifier_reference.npz"))


def _tensors(reference) -> tuple:
    return tuple(torch.from_numpy(reference[key].astype(np.float32)) for key in ("ct", "seg", "clinical"))


def test_names_and_counts(net, shared):
    """The names are those of the published state dictionary, each tensor once; 400,012 are trained."""
    known = json.loads((shared / "reference" / "dcr" / "v0_classifier_state_dict_keys.json").read_text())
    shapes = {name: tuple(shape) for name, shape, _ in known["state_dict_keys"]}
    own = {name: tuple(t.shape) for name, t in net.state_dict().items()}
    trained = sum(p.numel() for name, p in net.named_parameters() if not name.startswith("encoder"))
    assert set(own) == set(known["names_used_by_recipe"])
    assert all(shapes[name] == shape for name, shape in own.items())
    assert sum(p.numel() for p in net.parameters()) == known["n_params_total"]
    assert trained == known["n_params_trainable"]


@torch.inference_mode()
def test_parity_of_every_step(net, reference):
    """Bottleneck, pooling, interaction, logits and probabilities agree to 1e-4."""
    ct, labels, clinical = _tensors(reference)
    bottleneck = net.encoder(ct)
    pooled = net.pool(bottleneck, labels)
    logits = net(ct, labels, clinical)
    found = {
        "bottleneck": bottleneck,
        "pooled": pooled,
        "interaction": clinical * net.feature_interaction(pooled),
        "logits": logits.reshape(reference["logits"].shape),
        "prob": torch.sigmoid(logits).reshape(reference["prob"].shape),
    }
    for name, value in found.items():
        assert np.abs(value.numpy() - reference[name]).max() < 1e-4, name


@torch.inference_mode()
def test_parity_of_an_empty_label_map(net, reference):
    """Without labels the pooled vector is 0, as published."""
    ct, labels, clinical = _tensors(reference)
    logits = net(ct, torch.zeros_like(labels), clinical).reshape(reference["logits_empty_mask"].shape)
    assert np.abs(logits.numpy() - reference["logits_empty_mask"]).max() < 1e-4


@torch.inference_mode()
def test_a_binary_mask_weighs_labels_alike():
    """With the switch, labels 1 and 3 have the same weight; without it the 3 counts three times."""
    features = torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 1, 2)
    labels = torch.tensor([1.0, 3.0]).reshape(1, 1, 1, 1, 2)
    assert DifficultyNet(binary_mask=True).pool(features, labels).item() == pytest.approx(1 / 2)
    assert DifficultyNet().pool(features, labels).item() == pytest.approx(1 / 4)


FORM = {
    "form": "ctinsight dcr network",
    "form_version": 1,
    "categorical": [
        {"name": "surgical_eye", "categories": ["0", "1"], "codes": {"left": "0", "right": "1"}},
        {"name": "sex", "categories": ["F", "M"], "codes": {"female": "F", "male": "M"}},
        {"name": "previous_treatment_history", "categories": ["no", "yes"]},
        {"name": "systemic_medical_history", "categories": ["no", "yes"]},
    ],
    "numeric": [
        {"name": "age", "mean": 50.0, "scale": 10.0},
        {"name": "duration_of_symptoms", "mean": 12.0, "scale": 6.0},
        {"name": "severity_of_symptoms(MUNK)", "mean": 3.0, "scale": 1.0},
    ],
    "fold_thresholds": [0.4, 0.6],
}
CLINICAL = {
    "surgical_eye": "left", "sex": "male", "previous_treatment_history": "yes",
    "systemic_medical_history": "no", "age": 60.0,
    "duration_of_symptoms": 6.0, "severity_of_symptoms(MUNK)": "4",
}  # fmt: skip


@pytest.fixture
def form(tmp_path):
    """Return the form as it is read from its file."""
    path = tmp_path / "preprocessing.json"
    path.write_text(json.dumps(FORM))
    return read_network_form(path)


def test_clinical_vector(form):
    """One-hot block in order, then z-scores: 60 years are +1, 6 months -1, a Munk of 4 is +1."""
    assert form.vector(CLINICAL).tolist() == [1, 0, 0, 1, 0, 1, 1, 0, 1, -1, 1]
    assert form.chosen_threshold == (0.5, "median of 2 folds")


def test_a_missing_clinical_value_is_refused(form):
    """The published program would take 0; here the form must be filled in."""
    with pytest.raises(UnansweredError, match="no age"):
        form.vector({**CLINICAL, "age": None})


def test_an_unknown_category_is_refused(form):
    """A category outside the training's is an error, not a row of zeros."""
    with pytest.raises(WrongUseError, match="sex"):
        form.vector({**CLINICAL, "sex": "x"})


def test_the_published_grid_keeps_the_sides():
    """On the network's grid columns run to the patient's left, whatever the storage; masks are whole."""
    case = midface()
    own = anatomy_of(case.labels_kji, case.volume).on(Side.LEFT)
    grid = published_grid(own, (48, 64, 64))
    ct, labels = network_arrays(case.volume, own, grid)
    sac = grid.ras_from_ijk(np.argwhere(labels == 1).mean(axis=0)[::-1])
    assert sac == pytest.approx(case.truth[Side.LEFT].sac_centre_ras, abs=0.3)
    assert (labels == 2).sum() == pytest.approx(case.truth[Side.LEFT].maxilla_volume_mm3, rel=0.05)
    assert 0 <= ct.min() < ct.max() <= 1


@pytest.mark.slow
def test_five_folds_from_the_store(tmp_path, monkeypatch):
    """Two folds are imported with their form; a case gets their mean, the spread and the folds' threshold."""
    from ctinsight.cli import run_command_line
    from ctinsight.tasks.dcr import Parameters, measure_segmentation, network

    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CTINSIGHT_SETTINGS", str(tmp_path / "settings.json"))
    monkeypatch.setattr(network, "SHAPE_KJI", (16, 64, 64))
    folder = tmp_path / "published"
    folder.mkdir()
    for fold in (1, 2):
        torch.manual_seed(fold)
        torch.save(DifficultyNet(11).state_dict(), folder / f"surgical_difficulty_classifier_fold_{fold}.pth")
    (folder / "preprocessing.json").write_text(json.dumps(FORM))
    assert run_command_line(["models", "import", str(folder), "--model", "dcr-difficulty-v0"]) == 0
    case = midface()
    parameters = Parameters(side="left", clinical=CLINICAL, model="dcr-difficulty-v0")
    result = measure_segmentation(scan_of(case), case.labels_kji, parameters)
    found = result.finding("difficulty_score")
    assert found.value == pytest.approx(np.mean([row[1] for row in result.table("folds").rows]))
    assert found.interval.meaning == "2 networks"
    assert "median of 2 folds" in result.finding("difficulty_call").note
