"""Networks in a request: found by name, asked once for all nodules, worded as scores, missed plainly."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ctinsight.cli import run_command_line
from ctinsight.errors import TermsNotAcceptedError, WeightsMissingError, WrongUseError, WrongWeightsError
from ctinsight.finding import Outcome
from ctinsight.models.card import ModelCard
from ctinsight.models.emv_weights import emv_architecture, save_emv
from ctinsight.nets.emv_networks import EMV_NETWORKS, EmvTask
from ctinsight.progress import Progress
from ctinsight.tasks.nodule.emv_answer import answer_with, calibration_of, prepare_networks
from ctinsight.tasks.nodule.emv_files import find_files, network_of
from ctinsight.tasks.nodule.emv_findings import (
    network_checks,
    network_findings,
    network_statements,
    network_tables,
)
from ctinsight.tasks.nodule.emv_options import NetworkOptions, Use
from ctinsight.volume import Volume
from made_nodules import measured

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Return a folder with nine narrow networks (random weights of width 2), named as a user might."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    for network in EMV_NETWORKS:
        card = ModelCard(network.name, "made up", "0" * 64, (), 2, 0)
        path = (
            folder / f"task{int(network.task)}" / f"{network.kind.title()}_{network.views.side}.safetensors"
        )
        path.parent.mkdir(exist_ok=True)
        save_emv(emv_architecture(network).build(2), card, path)
    return folder


@pytest.fixture(scope="module")
def chest():
    """Return a CT of 0.8 x 0.8 x 1 mm, 80 mm wide, with a dense ball about (80, 5, 20)."""
    k, j, i = np.ogrid[:80, :100, :100]
    ball = (k - 40) ** 2 + (0.8 * (j - 50)) ** 2 + (0.8 * (i - 50)) ** 2 < 6**2
    array = np.where(ball, 40, -850).astype(np.int16)
    matrix = np.diag([-0.8, -0.8, 1.0, 1.0])
    matrix[:3, 3] = (120.0, 45.0, -20.0)
    return Volume(array, matrix)


def asked(weights, **more):
    """Return options with these weights."""
    return NetworkOptions(weights=weights, accept_terms=True, device="cpu", **more)


@pytest.fixture(scope="module")
def answered(weights, chest):
    """Return options, networks and answers for nodules 1 and 3 of a request; point 2 hit nothing."""
    options = asked(weights, malignant_prevalence=0.1, cut_offs="notebook")
    networks = prepare_networks(options)
    measures = {1: measured(12.0), 3: replace(measured(12.0), centre_ras=(83.0, 5.0, 20.0))}
    return options, networks, answer_with(networks, chest, measures, options, progress=Progress())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("model-cut2/1/Inception_60_Epoch.41-0.8504.h5", "nodule-emv-task1-inception"),
        ("w8_task3_Resnet_40.h5", "nodule-emv-task3-resnet"),
        ("nodule-emv-task2-vgg.safetensors", "nodule-emv-task2-vgg"),
        ("task2/Vgg_60.h5", "nodule-emv-task2-vgg"),
        ("Vgg_60.h5", None),
        ("task1/task2_Vgg.h5", "nodule-emv-task2-vgg"),
        ("task1_vgg_or_resnet.h5", None),
    ],
)
def test_a_file_is_known_by_its_name(tmp_path, path, name):
    """The authors' names, ours, and names that leave a doubt."""
    found = network_of(tmp_path / path)
    assert (found and found.name) == name


def test_a_doubtful_or_doubled_file_is_refused(tmp_path):
    """Two files for one network, and one that could be any; nothing is guessed."""
    with pytest.raises(WeightsMissingError):
        find_files(tmp_path)
    (tmp_path / "net.h5").touch()
    with pytest.raises(WrongUseError, match=r"net\.h5"):
        find_files(tmp_path)
    (tmp_path / "net.h5").rename(tmp_path / "task1_vgg.h5")
    (tmp_path / "task1_vgg_new.h5").touch()
    with pytest.raises(WrongUseError, match="same network"):
        find_files(tmp_path)


def test_terms_come_before_weights(weights):
    """Without acceptance the patent is named and nothing is loaded."""
    with pytest.raises(TermsNotAcceptedError, match="CN115620899B"):
        prepare_networks(NetworkOptions(weights=weights))


def test_required_networks_that_are_missing_are_an_error(monkeypatch, tmp_path):
    """Asked for: exit code 4. Not asked for: a plain note. Switched off: another."""
    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path))
    with pytest.raises(WeightsMissingError) as caught:
        prepare_networks(NetworkOptions(use=Use.REQUIRED))
    assert caught.value.exit_code == 4
    assert "not installed" in prepare_networks(NetworkOptions()).note
    assert "switched off" in prepare_networks(NetworkOptions(use=Use.OFF)).note


def test_a_broken_installed_network_leaves_the_measures_alone(monkeypatch, tmp_path):
    """Only installed, not asked for: a warning in the result; asked for: the error itself."""

    def broken(_store):
        raise WrongWeightsError(found="another SHA-256", expected="the same", remedy="Import again.")

    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path))
    monkeypatch.setattr("ctinsight.tasks.nodule.emv_installed.load_installed", broken)
    (check,) = prepare_networks(NetworkOptions()).checks
    assert (check.outcome, "SHA-256" in check.measured) == (Outcome.WARN, True)
    with pytest.raises(WrongWeightsError):
        prepare_networks(NetworkOptions(use=Use.REQUIRED))


def test_rows_bear_the_numbers_of_the_points(answered):
    """Nodules 1 and 3; joint scores of each sum to 1; the spread holds the score."""
    options, networks, found = answered
    tables = {table.key: table for table in network_tables(found, networks, options)}
    assert {row[0] for row in tables["emv_answers"].rows} == {1, 3}
    for n in (1, 3):
        assert sum(row[2] for row in tables["emv_joint_scores"].rows if row[0] == n) == pytest.approx(1.0)
    finding = next(f for f in network_findings(found) if f.key == "nodule_1_emv_malignant_score")
    assert finding.interval.low <= finding.value <= finding.interval.high


def test_a_score_is_never_called_a_probability(answered):
    """In no finding, table or note of uncalibrated networks, but to say that it is none."""
    options, networks, found = answered
    words = [f"{f.name} {f.note}" for f in network_findings(found)]
    words += [str(table) for table in network_tables(found, networks, options)]
    assert not any("probability" in text for text in words)
    assert any("not probabilities" in text for text in network_statements(found, networks, options))


def test_a_prevalence_is_a_what_if(answered):
    """10 % in place of 73 %: labelled, in a table of its own, and not among the findings."""
    options, networks, found = answered
    table = network_tables(found, networks, options)[-1]
    assert table.key == "emv_prevalence"
    assert all("as if calibrated" in row[-1] for row in table.rows)
    assert not any("prevalence" in f.key for f in network_findings(found))


def test_later_questions_are_conditional(answered):
    """Random networks do not reach a cut-off of 0.82: what follows has no value and says why."""
    _options, _networks, found = answered
    later = [f for f in network_findings(found) if "invasive" in f.key or "grade" in f.key]
    assert all(f.value is None and "not asked" in f.note for f in later)
    assert len(later) == 4


def test_checks_name_range_surroundings_and_order(answered, chest):
    """Voxel size once, then for each nodule diameter, cube and the opposite order of slices."""
    _options, _networks, found = answered
    checks = network_checks(found, chest, {1: measured(12.0), 3: measured(40.0)})
    outcomes = {check.key: check.outcome for check in checks}
    assert outcomes["nodule_3_emv_diameter"] is Outcome.WARN
    assert {"emv_slice_spacing", "nodule_1_emv_cube", "nodule_3_emv_slice_order"} <= set(outcomes)


def test_only_cards_that_agree_name_a_calibration_set():
    """All three networks of a question must name the same set and its prevalence."""
    facts = {"calibration_set": "made-up hospital, n 200", "calibration_prevalence": 0.4}
    cards = {n: SimpleNamespace(facts=facts) for n in EMV_NETWORKS}
    assert calibration_of(cards, EmvTask.MALIGNANT) == ("made-up hospital, n 200", 0.4)
    cards[EMV_NETWORKS[0]] = SimpleNamespace(facts={})
    assert calibration_of(cards, EmvTask.MALIGNANT) is None


@pytest.mark.parametrize(
    "values",
    [{"cut_offs": "best"}, {"malignant_cut_off": 1.0}, {"use": "maybe"}, {"device": "tpu"}, {"weights": ""},
     {"weights": 3}, {"accept_terms": "yes"}, {"use": "off", "weights": "w"}, {"slice_order": None}],
)  # fmt: skip
def test_nonsense_is_no_option(values):
    """Words that are none, certain cut-offs, weights that are switched off."""
    with pytest.raises(WrongUseError):
        NetworkOptions(**values)


@pytest.mark.slow
def test_the_reference_networks_by_the_users_commands(shared, project, tmp_path, monkeypatch):
    """Import three files, accept the terms, ask about two nodules: scores stand in result and manifest."""
    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path / "models"))
    for kind in ("Inception_60", "Vgg_40", "Resnet_60"):
        file = shared / "reference" / "emv" / f"w8_task1_{kind}.h5"
        model = f"nodule-emv-task1-{kind.split('_')[0].lower()}"
        assert run_command_line(["models", "import", str(file), "--model", model, "--accept-terms"]) == 0
    ct = tmp_path / "chest.nii.gz"
    assert run_command_line(["phantom", "chest", "-o", str(ct)]) == 0
    points = ["--point=82,10,40", "--point=-88,-10,45"]
    out = tmp_path / "out"
    arguments = ["nodule", str(ct), *points, "-o", str(out), "--networks", "--click-sensitivity"]
    assert run_command_line(arguments) == 0
    document = json.loads((out / "result.json").read_text(encoding="utf-8"))
    keys = {finding["key"] for finding in document["findings"]}
    assert {"nodule_1_emv_malignant_score", "nodule_2_emv_malignant_score"} <= keys
    assert len(document["manifest"]["networks"]["cards"]) == 3
    assert document["manifest"]["tier"] == "with weights"
