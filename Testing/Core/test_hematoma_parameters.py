"""Hematoma parameters: they refuse nonsense when they are made, and survive as plain values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ctinsight.errors import WrongUseError
from ctinsight.tasks.hematoma import CleanUpRules, HoleRule, Method, NetworkOptions, Parameters


@pytest.mark.parametrize(
    "options",
    [
        {"method": "magic"},
        {"point_ras": (1.0, 2.0)},
        {"point_ras": (1.0, 2.0, float("nan"))},
        {"range_hu": (90.0, 50.0)},
        {"hole_rule": "dig"},
        {"method": "drunet", "point_ras": (0.0, 0.0, 0.0)},
    ],
)
def test_nonsense_is_refused_when_it_is_made(options):
    """Each wrong option names itself and what would be right."""
    with pytest.raises(WrongUseError, match="="):
        Parameters(**options)


@pytest.mark.parametrize(
    "options", [{"probability_threshold": 0.0}, {"window_hu": (40.0, -1.0)}, {"batch_size": 0}]
)
def test_network_options_refuse_what_no_network_can_do(options):
    """A threshold of 0, a negative window or an empty batch."""
    with pytest.raises(WrongUseError):
        NetworkOptions(**options)


def test_negative_rules_are_refused():
    """A smallest component of -1 mL is a typing error."""
    with pytest.raises(WrongUseError, match="min_component_ml = -1"):
        CleanUpRules(min_component_ml=-1)


def test_parameters_survive_json():
    """Written into a manifest and read again they are the same."""
    made = Parameters(
        method=Method.FUZZY_C_MEANS,
        point_ras=(1.0, -2.0, 3.0),
        range_hu=(50.0, 90.0),
        clean_up=CleanUpRules(min_component_ml=1.0),
        hole_rule=HoleRule.KEEP,
        network=NetworkOptions(window_hu=(35.0, 70.0)),
    )
    assert Parameters.from_dict(json.loads(json.dumps(made.as_dict()))) == made


def test_the_manifest_holds_no_folder_of_the_weights():
    """Folder names can name a person; only the file's own name is kept."""
    assert Parameters(weights=Path("/home/somebody/w.h5")).as_dict()["weights"] == "w.h5"


def test_an_unknown_parameter_is_refused():
    """A misspelt name must not fall back to a default in silence."""
    with pytest.raises(WrongUseError, match="min_ml"):
        Parameters.from_dict({"clean_up": {"min_ml": 2}})


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"point_ras": "x"}, "point_ras = x"),
        ({"point_ras": [1, "2", 3]}, "point_ras"),
        ({"point_ras": [1e300, 0, 0]}, "point_ras = .1e.300"),
        ({"point_ras": [10**400, 0, 0]}, "point_ras"),
        ({"range_hu": [50]}, "range_hu"),
        ({"range_hu": 5}, "range_hu = 5"),
        ({"clean_up": 5}, "clean_up = 5"),
        ({"clean_up": {"min_component_ml": "0.4"}}, r"min_component_ml = 0.4 \(text\)"),
        ({"network": "fast"}, "network = fast"),
        ({"network": {"window_hu": "x"}}, "window_hu = x"),
        ({"network": {"batch_size": 1.5}}, "batch_size = 1.5"),
        ({"network": {"legacy": "no"}}, "legacy = no"),
        ({"network": {"device": 0}}, "device = 0"),
        ({"network": {"probability_threshold": "0.5"}}, "probability_threshold"),
        ({"weights": 5}, "weights = 5"),
        ({"method": ["drunet"]}, "method"),
        ({"metod": "fcm", 5: 6}, "5, metod"),
        (["fcm"], "parameters"),
    ],
)
def test_values_of_a_wrong_kind_name_themselves(values, key):
    """Whatever a file or another program sends, the answer names the key, what was found and what fits."""
    with pytest.raises(WrongUseError, match=key) as caught:
        Parameters.from_dict(values)
    assert caught.value.expected
    assert len(caught.value.found) < 200


def test_numbers_of_numpy_are_numbers():
    """A click comes as an array of whatever precision."""
    point = np.array([1, 2, 3], dtype=np.float32)
    made = Parameters(point_ras=point, clean_up=CleanUpRules(min_component_ml=np.float32(1)))
    assert made.point_ras == (1.0, 2.0, 3.0)
    assert Parameters.from_dict(json.loads(json.dumps(made.as_dict()))) == made


def test_the_batch_size_is_left_to_the_engine():
    """It feeds one slice at a time on a processor, which is the fastest there."""
    assert NetworkOptions().batch_size is None
