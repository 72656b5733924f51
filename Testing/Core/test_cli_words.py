"""What stands on the screen at the end: few lines, the number first, and what must be read with it."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.__main__ import main
from ctinsight.cli.words import summarize
from ctinsight.files import write_volume
from ctinsight.finding import Finding
from ctinsight.report import ResultFiles
from ctinsight.volume import Volume
from made_cases import made_case, made_grid


@pytest.fixture(scope="module")
def result():
    """Return a made-up result with ABC/2 and a formula that is no headline."""
    made = made_case(made_grid((4.0, 4.0, 6.0))).result
    formulas = (
        Finding("abc2_simple_ml", "ABC/2", 22.0, "mL"),
        Finding("abc2_simple_difference_percent", "ABC/2 against segmentation", 7.4, "%"),
        Finding("two_thirds_sh_ml", "2/3 S h", 20.0, "mL"),
        Finding("largest_side", "Side of the largest", None, note="no brain was outlined"),
    )
    return replace(made, findings=(*made.findings, *formulas))


@pytest.fixture
def printed(result, tmp_path, capsys):
    """Return the lines that are printed for it."""
    summarize(result, ResultFiles(tmp_path, {"result": tmp_path / "result.json"}))
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def ctinsight(monkeypatch):
    """Return a function that runs the command line in this process."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ctinsight", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code

    return run


def test_the_volume_comes_first_and_abc2_beside_it(printed):
    """The first line is the volume with its interval, the next ABC/2 with its difference."""
    assert printed[0].startswith("Hematoma volume")
    assert "partial-volume bound" in printed[0]
    assert printed[1].split() == ["ABC/2", "22.0", "mL", "+7", "%", "against", "the", "segmentation"]


def test_the_rest_is_counted_not_printed(printed):
    """2/3 S h, the percentage and the side are no headlines: they are in the table."""
    assert not any(line.startswith("2/3 S h") for line in printed)
    assert "3 more measurements are in measurements.csv." in printed
    assert "1 measurement does not apply: no brain was outlined" in printed


def test_only_what_is_not_green_is_said_of_the_checks(printed):
    """The warning stands there with its remedy, the passed check does not."""
    assert [line.split()[0] for line in printed if "expected" in line] == ["WARN"]


def test_it_ends_with_place_and_purpose(printed, tmp_path):
    """The last lines say where the files lie and what the numbers are for."""
    assert printed[-2:] == [f"Results in {tmp_path}: result.json", RESEARCH_USE_ONLY]


def test_other_tasks_print_all_their_findings(result, tmp_path, capsys):
    """A task without a list of headlines keeps every line."""
    summarize(replace(result, task="nodule"), ResultFiles(tmp_path, {}))
    assert "2/3 S h" in capsys.readouterr().out


def test_info_of_an_unsuitable_image_is_exit_code_three(ctinsight, tmp_path, capsys):
    """A box of water is described, its refused check shown, and the command ends as the task would."""
    water = Volume(np.zeros((20, 64, 64), np.int16), np.diag([3.0, 3.0, 5.0, 1.0]))
    write_volume(water, tmp_path / "water.nrrd")
    assert ctinsight("info", tmp_path / "water.nrrd") == 3
    told = capsys.readouterr()
    assert "REFUSE" in told.out
    assert all(word in told.err for word in ("Found:", "Expected:", "What to do:"))


def test_the_list_of_models_has_titles(ctinsight, capsys, tmp_path, monkeypatch):
    """The first line names the columns, at the places where the others begin."""
    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path))
    assert ctinsight("models", "list") == 0
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert first.split() == ["NAME", "STATE", "SIZE", "LICENCE", "WHAT", "IT", "IS"]
    assert second[first.index("STATE") - 1 :].startswith(" ask the authors")
