"""Stages 1 and 3 by nnU-Net: the culprit goes back to its vessels and side; stages that differ are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from ctinsight.errors import WeightsMissingError, WrongUseError, WrongWeightsError
from ctinsight.finding import Outcome, Side
from ctinsight.models.card import ModelCard
from ctinsight.models.importers.nnunet_folder import convert_nnunet
from ctinsight.progress import Progress
from ctinsight.regions.midline import Plane
from ctinsight.tasks.lvo.occlusion import vessel_mip
from ctinsight.tasks.lvo.parameters import Parameters
from ctinsight.tasks.lvo.stages import (
    CULPRITS,
    Stage,
    agreement_check,
    culprit_findings,
    culprit_table,
    find_culprit,
    find_vessels,
    load_stages,
    stage_facts,
    stage_layers,
    vessel_check,
)
from ctinsight.volume import Volume
from nnunet_cases import NNUNetCase, image_of, write_folder

if TYPE_CHECKING:
    from pathlib import Path

LPS = np.diag([-0.8, -0.7, 1.3, 1.0])
FOUR = {"background": 0, "C7": 1, "M1": 2, "M2": 3, "other": 4}
FIVE = {"background": 0, "M1": 1, "M2": 2, "C7": 3, "C7 and M1": 4, "M1 and M2": 5}
THREE_D = NNUNetCase("vessels", labels=FOUR)
FLAT = NNUNetCase("projection", patch=(24, 24), spacing=(0.8, 0.9), labels=FIVE)
CARD = ModelCard("lvo-mip", "made", "ab" * 32, (), 4, 10)


def _stored(case: NNUNetCase, folder: Path) -> str:
    folder.mkdir()
    path = write_folder(case, folder / "nnunet")
    (folder / "stored").mkdir()
    convert_nnunet(path, "lvo", folder / "stored", dimensions=case.dimensions)
    return str(folder / "stored")


def _volume() -> Volume:
    return Volume(image_of(THREE_D)[0], LPS)


def test_vessels_are_the_same_however_the_head_is_stored(tmp_path: Path) -> None:
    """Flipped voxels give flipped labels: left stays the patient's left."""
    parameters = Parameters(vessel_model=_stored(THREE_D, tmp_path / "a"))
    volume = _volume()
    turn = np.diag([-1.0, 1.0, 1.0, 1.0])
    turn[0, 3] = volume.array_kji.shape[2] - 1
    flipped = Volume(np.ascontiguousarray(volume.array_kji[:, :, ::-1]), volume.ijk_to_ras @ turn)

    straight = find_vessels(volume, parameters, Progress())
    other = find_vessels(flipped, parameters, Progress())

    np.testing.assert_array_equal(other.labels_kji[:, :, ::-1], straight.labels_kji)
    assert vessel_check(straight)[0].outcome is Outcome.PASS


def test_the_culprit_is_carried_back_to_the_large_vessels_alone(tmp_path: Path) -> None:
    """Where the projection is marked, large vessels take its class; other vessels and the rest stay 0."""
    volume = _volume()
    vessels = np.zeros(volume.array_kji.shape, dtype=np.uint8)
    vessels[4:9, 5:30, 4:30] = 2
    vessels[12:15, 5:30, 4:30] = 4
    parameters = Parameters(vessels=tmp_path / "v.nii.gz", culprit_model=_stored(FLAT, tmp_path / "b"))
    mip = vessel_mip(volume, vessels).volume

    found = find_culprit(mip, vessels, volume.grid, parameters=parameters, progress=Progress())

    assert found.counts
    assert [n for _, n in found.counts] == sorted((n for _, n in found.counts), reverse=True)
    assert not found.labels_kji[vessels != 2].any()
    assert (found.labels_kji[4] == found.labels_kji[8]).all()
    first = Stage(vessels, CARD, {})
    assert {layer.key for layer in stage_layers(first, found, volume.grid)} == {"vessels", "culprit"}
    assert stage_facts(None, found)["stage_3"]["model_card"]["name"] == "lvo"


def test_segment_and_side_are_named_by_the_patient() -> None:
    """Marked voxels at the patient's left: left, whatever column that is."""
    volume = _volume()
    labels = np.zeros(volume.array_kji.shape, dtype=np.uint8)
    labels[5:8, 10:14, 25:30] = 1
    middle = volume.grid.ras_from_ijk([(n - 1) / 2 for n in volume.grid.shape_kji[::-1]])
    plane = Plane(tuple(float(x) for x in middle), (1.0, 0.0, 0.0))
    stage = Stage(labels, CARD, {}, ((1, 20), (3, 4)))

    culprit, side = culprit_findings(stage, volume.grid, plane)

    assert culprit.value == "M1"
    assert "also terminal ICA 4 pixels" in culprit.note
    assert side.value == Side.LEFT.value
    assert dict(culprit_table(stage)[0].rows) == {
        name: {"M1": 20, "terminal ICA": 4}.get(name, 0) for name in CULPRITS.values()
    }


def test_stages_that_differ_are_uncertain() -> None:
    """Score above 0.5 and a culprit agree; a score without one, or one without a score, warns."""
    empty = np.zeros((1, 1, 1), dtype=np.uint8)
    marked, unmarked = Stage(empty, CARD, {}, ((1, 9),)), Stage(empty, CARD, {})

    assert agreement_check(0.9, marked)[0].outcome is Outcome.PASS
    assert agreement_check(0.1, unmarked)[0].outcome is Outcome.PASS
    assert agreement_check(0.9, unmarked)[0].outcome is Outcome.WARN
    assert "uncertain" in agreement_check(0.1, marked)[0].measured
    assert agreement_check(None, marked) == ()


def test_no_large_vessel_is_said() -> None:
    """Then stages 2 and 3 have nothing to look at."""
    check = vessel_check(Stage(np.full((2, 2, 2), 4, dtype=np.uint8), CARD, {}))[0]
    assert check.outcome is Outcome.WARN
    assert "left out" in check.measured


def test_models_are_looked_for_before_anything_is_computed(tmp_path: Path) -> None:
    """A missing model, and one of other labels, end the run at once."""
    with pytest.raises(WeightsMissingError, match="no model of that name"):
        load_stages(Parameters(vessel_model="vessels"))
    wrong = Parameters(vessel_model=_stored(NNUNetCase("isotropic"), tmp_path / "a"))
    with pytest.raises(WrongWeightsError, match="labels"):
        load_stages(wrong)


def test_contradictions_are_refused(tmp_path: Path) -> None:
    """Drawn vessels and a model for them; a culprit without vessels."""
    with pytest.raises(WrongUseError, match="both"):
        Parameters(vessels=tmp_path / "v.nii.gz", vessel_model="lvo-vessels")
    with pytest.raises(WrongUseError, match="culprit_model"):
        Parameters(culprit_model="lvo-mip")
