"""Golden cases: how arrays are matched, what is refused, and the largest difference with its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from ctinsight.cli.models import models_app
from ctinsight.errors import (
    CTInsightError,
    UnreadableFileError,
    WeightsMissingError,
    WrongUseError,
    WrongWeightsError,
)
from ctinsight.models.golden import GoldenFiles, compare, match_layout, read_array, run_golden

FIXTURES = Path(__file__).parent / "fixtures" / "drunet"
WEIGHTS = FIXTURES / "drunet_dims8_weights.h5"


def a_net(channels: int, outputs: int = 1, axes: int = 2) -> nn.Module:
    """Return a convolution that adds its channels up, and for each further output one more."""
    conv = (nn.Conv2d if axes == 2 else nn.Conv3d)(channels, outputs, 1)
    with torch.no_grad():
        conv.weight.fill_(1.0)
        conv.bias.copy_(torch.arange(float(outputs)))
    return conv.eval()


@pytest.mark.parametrize(
    ("shape", "channels", "axes", "layout"),
    [
        ((6, 256, 256, 1), 1, 2, "LAST"),
        ((6, 1, 256, 256), 1, 2, "SECOND"),
        ((6, 256, 256), 1, 2, "NONE"),
        ((5, 3, 40, 40, 40), 3, 3, "SECOND"),
        ((5, 40, 40, 40, 3), 3, 3, "LAST"),
        ((2, 8, 8, 8), 1, 3, "NONE"),
    ],
)
def test_layouts(shape: tuple[int, ...], channels: int, axes: int, layout: str) -> None:
    """Channels are found by their number, where only one place has it."""
    assert match_layout(shape, channels, axes).name == layout


@pytest.mark.parametrize(
    ("shape", "channels", "axes"),
    [
        ((2, 3, 8, 3), 3, 2),
        ((2, 8, 8, 4), 3, 2),
        ((256, 256, 1), 1, 2),
        ((8, 8), 1, 2),
        ((2, 8, 8), 3, 2),
        ((0, 8, 8, 1), 1, 2),
        ((2, 1, 8, 1), 1, 2),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(shape: tuple[int, ...], channels: int, axes: int) -> None:
    """Two places for the channels, none, or an array that may lack its case axis."""
    with pytest.raises(WrongUseError, match="channel"):
        match_layout(shape, channels, axes)


def test_the_largest_difference_and_its_place() -> None:
    """One pixel of the reference is 0.5 off: 0.5, at the index of that pixel."""
    given = np.zeros((2, 4, 5, 1), np.float32)
    wanted = np.zeros((2, 4, 5, 1))
    wanted[1, 2, 3, 0] = 0.5
    check = compare(a_net(1), given, wanted, 1e-4)
    assert (check.largest, check.place, check.found, check.expected) == (0.5, (1, 2, 3, 0), 0.0, 0.5)
    assert not check.right
    assert "0.5 at [1, 2, 3, 0]" in check.text()


def test_outputs_follow_the_layout_of_the_input() -> None:
    """Channels last in, channels last out; outputs are 3 and 4 where the input's channels add up to 3."""
    given = np.ones((2, 4, 5, 3), np.float32)
    wanted = np.broadcast_to([3.0, 4.0], (2, 4, 5, 2))
    assert compare(a_net(3, 2), given, wanted, 1e-6).right
    with pytest.raises(WrongUseError, match="reference of shape"):
        compare(a_net(3, 2), given, np.moveaxis(wanted, -1, 1), 1e-6)


@pytest.mark.parametrize("shape", [(2, 4, 5), (2, 4, 5, 1), (2, 1, 4, 5)])
def test_a_single_output_channel_needs_no_axis(shape: tuple[int, ...]) -> None:
    """The numbers stand in the same order wherever the axis of length 1 is."""
    assert compare(a_net(1), np.full((2, 4, 5), 7.0), np.full(shape, 7.0), 1e-6).right


def test_numbers_that_are_not_finite_are_wrong() -> None:
    """NaN on both sides is no agreement."""
    nan = np.full((1, 4, 4), np.nan)
    check = compare(a_net(1), nan, nan, 1e-4)
    assert check.largest == np.inf
    assert not check.right


def test_volumes(tmp_path: Path) -> None:
    """Input and output from two files, three image axes, channels second."""
    np.savez(tmp_path / "in.npz", views=np.ones((2, 3, 4, 5, 6), np.float32))
    np.savez(tmp_path / "out.npz", y=np.full((2, 1, 4, 5, 6), 3.25))
    files = GoldenFiles(tmp_path / "out.npz", "views", "y", 0.3, tmp_path / "in.npz")
    assert run_golden(a_net(3, axes=3), files).largest == 0.25


def test_keys_and_files_that_are_not_there(tmp_path: Path) -> None:
    """The keys that are there are named; pickled arrays are not read."""
    np.savez(tmp_path / "a.npz", x=np.ones(3), text=np.array("x"))
    with pytest.raises(WrongUseError, match="x, text"):
        read_array(tmp_path / "a.npz", "y")
    with pytest.raises(WrongUseError, match="no numbers"):
        read_array(tmp_path / "a.npz", "text")
    np.savez(tmp_path / "b.npz", x=np.array([{}], dtype=object))
    for name in ("b.npz", "c.npz"):
        with pytest.raises(UnreadableFileError):
            read_array(tmp_path / name, "x")


def verified(*arguments: str) -> str:
    """Run the command on the reference weights and return what it printed."""
    result = CliRunner().invoke(
        models_app, ["verify", *arguments], catch_exceptions=True, standalone_mode=False
    )
    if result.exception:
        raise result.exception
    return result.output


@pytest.fixture
def a_case(shared: Path) -> list[str]:
    """Return the options for the reference numbers of DR-UNet."""
    case = str(shared / "reference" / "drunet" / "drunet_dims8_phantom_noise.npz")
    return ["--model", "hematoma-drunet", "--golden", case, "--input", "x"]


def test_the_command_on_reference_numbers(a_case: list[str]) -> None:
    """The reference weights reproduce the original's numbers within 1e-4."""
    text = verified(str(WEIGHTS), *a_case, "--output", "y_eval", "--atol", "1e-4")
    assert text.splitlines()[-1].startswith("right  largest absolute difference")
    assert "width 8" in text


def test_the_command_fails_above_the_bound(a_case: list[str]) -> None:
    """Training-mode numbers are other numbers: exit code 4, and the difference is told."""
    with pytest.raises(WrongWeightsError, match="does not reproduce") as caught:
        verified(str(WEIGHTS), *a_case, "--output", "y_train_single")
    assert caught.value.exit_code == 4


def test_the_input_in_another_file(a_case: list[str]) -> None:
    """FILE:KEY names both; the key in front of --input's."""
    place = f"{a_case[3]}:x"
    assert "right" in verified(str(WEIGHTS), *a_case[:4], "--golden-input", place, "--output", "y_eval")


def test_without_a_golden_case_it_says_so() -> None:
    """The file is loaded, and nobody may think that its numbers were compared."""
    assert "were not compared" in verified(str(WEIGHTS), "--model", "hematoma-drunet")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([str(WEIGHTS)], WrongUseError),
        ([str(WEIGHTS), "--model", "hematoma-drunet", "--atol", "1"], WrongUseError),
        ([str(WEIGHTS), "--model", "lvo-vessels"], WrongUseError),
        ([str(WEIGHTS), "--model", "hematoma-dr"], WrongUseError),
        (["none.h5", "--model", "hematoma-drunet"], WeightsMissingError),
        ([str(WEIGHTS), "--model", "hematoma-drunet", "--golden", "g", "--atol", "nan"], WrongUseError),
    ],
)
def test_incomplete_commands_are_told(arguments: list[str], error: type[CTInsightError]) -> None:
    """What is missing is named."""
    with pytest.raises(error):
        verified(*arguments)


def test_a_model_of_several_inputs_says_that_its_numbers_cannot_be_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of coefficients takes a form, no array: checksums are compared, and no more is claimed."""
    monkeypatch.setenv("CTINSIGHT_SETTINGS", str(tmp_path / "settings.json"))
    table = Path(__file__).parent / "fixtures" / "dcr" / "v1_tabular_model.json"
    commands = (
        ["where", "--folder", str(tmp_path / "models")],
        ["import", str(table), "--model", "dcr-difficulty-v1"],
    )
    for command in commands:
        CliRunner().invoke(models_app, command, catch_exceptions=False, standalone_mode=False)
    np.savez(tmp_path / "golden.npz", table=np.zeros(3), probability=np.zeros(1))

    assert "right" in verified("dcr-difficulty-v1")
    with pytest.raises(WrongUseError, match="takes more than one array"):
        verified("dcr-difficulty-v1", "--golden", str(tmp_path / "golden.npz"))
