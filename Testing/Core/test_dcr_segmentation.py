"""Masks by nnU-Net: the same whatever the storage, coarse then fine, HU or the authors' double scaling."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ctinsight.cli.models import models_app
from ctinsight.errors import ProcessingFailedError, WeightsMissingError, WrongUseError, WrongWeightsError
from ctinsight.finding import Side
from ctinsight.models.card import ModelCard
from ctinsight.models.importers.nnunet_folder import convert_nnunet, read_stored_nnunet
from ctinsight.phantoms.midface import demo_midface
from ctinsight.progress import Progress
from ctinsight.tasks.dcr import run
from ctinsight.tasks.dcr.parameters import Parameters
from ctinsight.tasks.dcr.segmentation import (
    CROP_MARGIN_MM,
    NetworkMasks,
    SegmentationModel,
    crop_box,
    is_double_scaled,
    segment_midface,
)
from ctinsight.volume import Grid, Volume
from midfaces import scan_of
from nnunet_cases import NNUNetCase, image_of, write_folder

CASE = NNUNetCase("midface", labels={"background": 0, "sac": 1, "maxilla": 2, "nasal": 3})
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def _model(folder: Path, case: NNUNetCase = CASE, *, double: bool = False) -> str:
    path = write_folder(case, folder / "nnunet")
    if double:
        plans = json.loads((path / "plans.json").read_text())
        stated = {"mean": 0.5002, "std": 0.0002, "percentile_00_5": 0.4999931, "percentile_99_5": 0.5005155}
        plans["foreground_intensity_properties_per_channel"]["0"] = stated
        (path / "plans.json").write_text(json.dumps(plans))
    (folder / "stored").mkdir()
    convert_nnunet(path, "dcr-seg", folder / "stored", dimensions=3)
    return str(folder / "stored")


def _volume() -> Volume:
    spacing = np.diag([*CASE.image_spacing[::-1], 1.0])
    return Volume(image_of(CASE)[0], LPS @ spacing)


def _flipped(volume: Volume) -> Volume:
    """Store the same image with columns to the right and slices downwards."""
    array = np.ascontiguousarray(volume.array_kji[::-1, :, ::-1])
    turn = np.diag([-1.0, 1.0, -1.0, 1.0])
    turn[0, 3], turn[2, 3] = array.shape[2] - 1, array.shape[0] - 1
    return Volume(array, volume.ijk_to_ras @ turn)


def test_masks_do_not_depend_on_how_voxels_are_stored(tmp_path: Path) -> None:
    """The flipped file gets the flipped labelmap: left stays the patient's left."""
    model = SegmentationModel((_model(tmp_path),))
    volume = _volume()

    straight = segment_midface(volume, model, Progress()).labelmap_kji
    flipped = segment_midface(_flipped(volume), model, Progress()).labelmap_kji

    np.testing.assert_array_equal(flipped[::-1, :, ::-1], straight)
    assert len(np.unique(straight)) > 2


def test_the_scale_follows_the_plans_unless_the_user_insists(tmp_path: Path) -> None:
    """Left to itself the scale follows the plans; insisting on HU gives another, wrong answer."""
    model = SegmentationModel((_model(tmp_path, double=True),))
    insisted = replace(model, intensity="double-scaled")
    wrong = replace(model, intensity="hu")

    auto = segment_midface(_volume(), model, Progress()).labelmap_kji

    np.testing.assert_array_equal(segment_midface(_volume(), insisted, Progress()).labelmap_kji, auto)
    assert (segment_midface(_volume(), wrong, Progress()).labelmap_kji != auto).any()


def test_plans_tell_whether_they_are_double_scaled(tmp_path: Path) -> None:
    """Foreground from 0.49 to 0.51 is no attenuation."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain, double = _model(tmp_path / "a"), _model(tmp_path / "b", double=True)
    assert not is_double_scaled(read_stored_nnunet(Path(plain)).plans)
    assert is_double_scaled(read_stored_nnunet(Path(double)).plans)


def test_the_fine_model_works_in_a_box_of_30_mm_around_bone_and_nose() -> None:
    """One voxel of maxilla: 30 mm to each side in the image's own spacing, cut at its edge."""
    labels = np.zeros((40, 100, 100), dtype=np.uint8)
    labels[20, 50, 10] = 2
    labels[5, 5, 5] = 1  # the sac does not count
    box = crop_box(labels, Grid(labels.shape, LPS @ np.diag([1.0, 1.0, 3.0, 1.0])))

    assert CROP_MARGIN_MM == 30.0
    assert box == (slice(10, 31), slice(20, 81), slice(0, 41))


def test_without_an_anchor_there_is_no_fine_step() -> None:
    """The coarse model found nothing: that is said, nothing is guessed."""
    with pytest.raises(ProcessingFailedError, match="no maxilla"):
        crop_box(np.zeros((4, 4, 4), dtype=np.uint8), Grid((4, 4, 4), LPS))


def test_coarse_and_fine_are_both_named(tmp_path: Path) -> None:
    """Outside the box of the fine step nothing is drawn; both cards stand in the facts."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    names = _model(tmp_path / "a"), _model(tmp_path / "b")

    found = segment_midface(_volume(), SegmentationModel(names), Progress())

    box = tuple(slice(a, b) for a, b in found.facts["segmentation_box_kji"])
    assert np.count_nonzero(found.labelmap_kji) == np.count_nonzero(found.labelmap_kji[box])
    assert len(found.facts["segmentation_models"]) == len(found.cards) == 2


def test_an_installed_model_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``ctinsight models import`` and then ``--segment dcr-seg``."""
    monkeypatch.setenv("CTINSIGHT_SETTINGS", str(tmp_path / "settings.json"))
    CliRunner().invoke(models_app, ["where", "--folder", str(tmp_path / "models")], catch_exceptions=False)
    with pytest.raises(WeightsMissingError):
        segment_midface(_volume(), SegmentationModel(("dcr-seg",)), Progress())
    folder = str(write_folder(CASE, tmp_path / "nnunet"))
    CliRunner().invoke(models_app, ["import", folder, "--model", "dcr-seg"], catch_exceptions=False)

    found = segment_midface(_volume(), SegmentationModel(("dcr-seg",), mirroring=False), Progress())

    assert found.cards[0].name == "dcr-seg"
    assert any("Mirroring was left out" in line for line in found.statements)


def test_a_model_of_other_labels_is_refused(tmp_path: Path) -> None:
    """A model of two classes knows no nasal cavity."""
    case = NNUNetCase("isotropic")
    with pytest.raises(WrongWeightsError, match="labels"):
        segment_midface(_volume(), SegmentationModel((_model(tmp_path, case),)), Progress())


def test_parameters_take_plain_values_and_hide_paths() -> None:
    """From JSON and back; a folder's name can name a person."""
    parameters = Parameters.from_dict({"segmentation": {"names": ["/home/ada/model"], "mirroring": False}})
    assert parameters.segmentation is not None
    assert parameters.as_dict()["segmentation"]["names"] == ["a folder"]
    with pytest.raises(WrongUseError, match="only names"):
        Parameters.from_dict({"segmentation": {"name": "x"}})
    with pytest.raises(WrongUseError):
        Parameters.from_dict({"segmentation": {"names": []}})


def test_the_result_says_which_network_made_the_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Method, card and the warning to look at the masks; nothing claims that a person drew them."""
    case = demo_midface(0)
    card = ModelCard("dcr-seg", "made", "ab" * 32, (), 4, 10, training_data="made")
    masks = NetworkMasks(
        case.labels_kji.astype(np.uint8),
        (card,),
        ("By a network.",),
        {"segmentation_engine": ["torch f32 on cpu"]},
    )
    monkeypatch.setattr(sys.modules["ctinsight.tasks.dcr.run"], "segment_midface", lambda *_: masks)
    parameters = Parameters(side=Side.LEFT, segmentation=SegmentationModel(("dcr-seg",)))

    result = run(scan_of(case), parameters)

    assert result.manifest["method"] == "masks by nnU-Net"
    assert result.manifest["model_card"]["name"] == "dcr-seg"
    assert result.manifest["edited"] is False
    assert "By a network." in result.statements
    assert not any("no weights were used" in line for line in result.statements)
