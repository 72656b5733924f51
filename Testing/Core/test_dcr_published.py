"""The 16 published measurements: parity with the program that published them."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from ctinsight.tasks.dcr.published import LabelledMasks, PublishedFeatures, published_features

FIXTURES = Path(__file__).parent / "fixtures" / "dcr"
NAMES = [field.name for field in fields(PublishedFeatures)]


def _masks(case: str) -> LabelledMasks:
    labels = np.load(FIXTURES / "v1_feature_labels.npz")[f"{case}_seg"]
    spacing = tuple(float(np.float32(mm)) for mm in _reference(case)["spacing_xyz"][::-1])
    return LabelledMasks(labels == 1, labels == 2, labels == 3, spacing)


def _reference(case: str) -> dict:
    return json.loads((FIXTURES / "v1_feature_reference.json").read_text())[case]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", ["isoL", "anisoR"])
def test_parity(case, name):
    """Every measurement agrees with the published program to 1e-6."""
    reference = _reference(case)
    expected = {**reference["morph"], **reference["thickness"]}[name]
    assert published_features(_masks(case)).as_dict()[name] == pytest.approx(expected, rel=1e-6)


def test_there_are_sixteen():
    """The schema of the published model has 16 measurements."""
    assert len(NAMES) == 16


def test_without_a_sac_nothing_is_applicable():
    """A missing sac gives no number at all, never 0."""
    masks = _masks("isoL")
    without = LabelledMasks(
        np.zeros_like(masks.sac_kji), masks.maxilla_kji, masks.nasal_kji, masks.spacing_kji_mm
    )
    assert set(published_features(without).as_dict().values()) == {None}


def test_without_maxilla_its_measurements_are_missing():
    """Sac and nose are measured, what needs bone is not applicable."""
    masks = _masks("isoL")
    empty = np.zeros_like(masks.maxilla_kji)
    found = published_features(LabelledMasks(masks.sac_kji, empty, masks.nasal_kji, masks.spacing_kji_mm))
    missing = {name for name, value in found.as_dict().items() if value is None}
    assert missing == {name for name in NAMES if name.startswith(("max", "angle"))}


def test_empty_image_around_does_not_matter():
    """Cut out of the image, the masks measure the same: the middle column is remembered."""
    masks = _masks("anisoR")
    assert published_features(masks.cut_out()) == published_features(masks)
