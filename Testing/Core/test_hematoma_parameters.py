"""Hematoma parameters: they refuse nonsense when they are made, and survive as plain values."""

from __future__ import annotations

import json
from pathlib import Path

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
