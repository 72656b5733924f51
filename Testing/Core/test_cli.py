"""The command line as a person uses it: exit codes, and words that finish the sentence."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ctinsight.__main__ import main
from ctinsight.files import write_volume
from ctinsight.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path


def _ctinsight(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ctinsight", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def a_phantom_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the demonstration head as a NIfTI file."""
    path = tmp_path_factory.mktemp("phantom") / "head.nii.gz"
    assert _ctinsight("phantom", "head", "-o", path).returncode == 0
    return path


def test_a_head_ct_becomes_result_files(a_phantom_file: Path, tmp_path: Path) -> None:
    """One command writes JSON, CSV, labelmap and picture, and prints mL and the research-use sentence."""
    done = _ctinsight("hematoma", a_phantom_file, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert " mL" in done.stdout
    assert "Research use only. Not a medical device." in done.stdout
    written = {p.name for p in (tmp_path / "out").iterdir()}
    assert {"result.json", "measurements.csv", "segmentation.seg.nrrd", "overview_axial.png"} <= written


def test_earlier_results_are_never_overwritten_silently(a_phantom_file: Path, tmp_path: Path) -> None:
    """A folder with a result is refused with exit code 2 until --overwrite is given."""
    (tmp_path / "result.json").write_text("{}", encoding="utf-8")
    done = _ctinsight("hematoma", a_phantom_file, "-o", tmp_path)
    assert done.returncode == 2
    assert "overwrit" in done.stderr
    assert (tmp_path / "result.json").read_text(encoding="utf-8") == "{}"


def test_a_point_outside_the_head_is_refused_in_words(a_phantom_file: Path, tmp_path: Path) -> None:
    """A click 500 mm away is exit code 2 or 3 and says where it lies."""
    done = _ctinsight("hematoma", a_phantom_file, "-o", tmp_path / "out", "--point=500,0,0")
    assert done.returncode in (2, 3)
    assert "What to do:" in done.stderr
    assert not (tmp_path / "out" / "result.json").exists()


def test_missing_weights_are_exit_code_four(a_phantom_file: Path, tmp_path: Path) -> None:
    """The network without weights says where they come from."""
    done = _ctinsight("hematoma", a_phantom_file, "-o", tmp_path / "out", "--method", "drunet")
    assert done.returncode == 4
    assert "What to do:" in done.stderr


def test_an_image_without_a_head_is_exit_code_three(tmp_path: Path) -> None:
    """A box of water is refused as input."""
    write_volume(
        Volume(np.zeros((20, 64, 64), np.int16), np.diag([3.0, 3.0, 5.0, 1.0])), tmp_path / "water.nrrd"
    )
    done = _ctinsight("hematoma", tmp_path / "water.nrrd", "-o", tmp_path / "out")
    assert done.returncode == 3
    assert all(word in done.stderr for word in ("Found:", "Expected:", "What to do:"))


@pytest.mark.parametrize(
    "arguments",
    [(), ("x.nii", "-o", "y", "--method", "magic"), ("x.nii", "-o", "y", "--point", "1,2"), ("--nonsense",)],
)
def test_wrong_use_is_exit_code_two(arguments: tuple[str, ...]) -> None:
    """A missing argument, an unknown method, two coordinates and an unknown option each get a remedy."""
    done = _ctinsight("hematoma", *arguments)
    assert done.returncode == 2
    assert all(word in done.stderr for word in ("Found:", "Expected:", "What to do:"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path that does not exist stands in the message."""
    done = _ctinsight("hematoma", tmp_path / "nowhere.nii", "-o", tmp_path / "out")
    assert done.returncode in (2, 3)
    assert "nowhere.nii" in done.stderr


def test_info_shows_geometry_and_checks(a_phantom_file: Path) -> None:
    """``info`` prints the voxel count and at least one check."""
    done = _ctinsight("info", a_phantom_file)
    assert done.returncode == 0
    assert "voxels of" in done.stdout
    assert "PASS" in done.stdout


def test_manifest_names_no_folder_of_the_user(a_phantom_file: Path, tmp_path: Path) -> None:
    """The result holds no absolute path, for it may hold a patient's name."""
    out = tmp_path / "DOE^JANE"
    assert _ctinsight("hematoma", a_phantom_file, "-o", out).returncode == 0
    assert "DOE" not in json.dumps(json.loads((out / "result.json").read_text(encoding="utf-8")))


def test_weights_are_never_given_in_vain(a_phantom_file: Path, tmp_path: Path) -> None:
    """--weights without --method drunet is refused: the default method would ignore them silently."""
    done = _ctinsight("hematoma", a_phantom_file, "-o", tmp_path / "out", "--weights", "net.h5")
    assert done.returncode == 2
    assert "--method drunet" in done.stderr


def test_the_window_of_the_network_is_no_option_of_the_image(a_phantom_file: Path, tmp_path: Path) -> None:
    """--window with --method drunet on a NIfTI file gets as far as the weights that are missing."""
    options = ("--method", "drunet", "--weights", tmp_path / "none.h5", "--window", "40,80")
    done = _ctinsight("hematoma", a_phantom_file, "-o", tmp_path / "out", *options)
    assert done.returncode == 4, done.stderr
    assert "none.h5" in done.stderr


def test_results_never_go_to_an_unnamed_place(a_phantom_file: Path) -> None:
    """An empty --out, as from a shell variable that is not set, is refused."""
    assert _ctinsight("hematoma", a_phantom_file, "-o", "").returncode == 2


@pytest.mark.parametrize("out", [".", "ct.nrrd/..", "patient"])
def test_the_images_are_never_written_over(a_phantom_file: Path, tmp_path: Path, out: str) -> None:
    """A CT called ct.nrrd, as results are called too, stays as it is even with --overwrite or --batch."""
    patient = tmp_path / "patient"
    patient.mkdir()
    shutil.copy(a_phantom_file, patient / "ct.nrrd")
    batch = _ctinsight("hematoma", tmp_path, "-o", tmp_path / out, "--batch")
    single = _ctinsight("hematoma", patient / "ct.nrrd", "-o", patient, "--overwrite")
    assert (batch.returncode, single.returncode) == (2, 2), batch.stderr
    assert (patient / "ct.nrrd").read_bytes() == a_phantom_file.read_bytes()
    assert [p.name for p in patient.iterdir()] == ["ct.nrrd"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_ctrl_c_is_said_and_leaves_nothing(a_phantom_file: Path, tmp_path: Path) -> None:
    """A stop from the keyboard in the middle of a case ends with code 5, three sentences and no folder."""
    command = [
        sys.executable,
        "-m",
        "ctinsight",
        "hematoma",
        str(a_phantom_file),
        "-o",
        str(tmp_path / "out"),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        first = running.stderr.readline()
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read()
    assert first
    assert running.returncode == 5, rest
    assert "What to do:" in rest
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("option", "code"), [(("--seed", "-1"), 2), (("--seed", "1"), 5)])
def test_a_phantom_that_cannot_be_made_says_why(tmp_path: Path, option: tuple[str, str], code: int) -> None:
    """A negative seed is wrong use; a file below another file cannot be written."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    done = _ctinsight("phantom", "head", "-o", tmp_path / "file" / "head.nii.gz", *option)
    assert done.returncode == code
    assert "What to do:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_batch_keeps_what_a_person_made(a_phantom_file: Path, tmp_path: Path) -> None:
    """A single result, with its scene, in the place of a case is not replaced without --overwrite."""
    (tmp_path / "in").mkdir()
    shutil.copy(a_phantom_file, tmp_path / "in" / "patient.nii.gz")
    scene = tmp_path / "out" / "patient" / "scene.mrb"
    scene.parent.mkdir(parents=True)
    scene.write_bytes(b"edited by hand")
    done = _ctinsight("hematoma", tmp_path / "in", "-o", tmp_path / "out", "--batch")
    assert "already holds scene.mrb" in done.stdout
    assert scene.read_bytes() == b"edited by hand"


def test_a_batch_prints_the_volume_and_what_it_kept(a_phantom_file: Path, tmp_path: Path) -> None:
    """The second run of a batch shows the same mL and says that nothing was computed again."""
    (tmp_path / "in").mkdir()
    shutil.copy(a_phantom_file, tmp_path / "in" / "patient.nii.gz")
    call = ("hematoma", tmp_path / "in", "-o", tmp_path / "out", "--batch")
    first, second = (_ctinsight(*call).stdout.splitlines()[0] for _ in range(2))
    assert re.fullmatch(r"(done|warn) +patient.*: \d+\.\d mL.*", first)
    assert "kept" not in first
    assert second.startswith(first.split(" mL")[0] + " mL; kept from the earlier run")


def test_a_lack_of_memory_is_said_in_words(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """It is no unforeseen error: the remedy names the spacing, which is what makes an image too large."""

    def exhausted(_arguments: list[str]) -> int:
        raise MemoryError

    monkeypatch.setattr("ctinsight.__main__._dispatch", exhausted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 5
    assert "spacing" in capsys.readouterr().err
