"""``ctinsight models`` as a person uses it, on a made catalogue and without the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from ctinsight.cli.models import models_app, transfer_text
from ctinsight.errors import (
    OfflineError,
    TermsNotAcceptedError,
    WeightsMissingError,
    WrongUseError,
    WrongWeightsError,
)
from ctinsight.models.catalogue import Catalogue, Terms
from ctinsight.models.meter import TransferEvent
from made_models import BODY, a_hub_model, a_model, an_entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs one command in a fresh store and returns what it printed."""
    strict = Terms("no open licence", "Research only.", "CN1", must_accept=True)
    entries = an_entry(), a_model(terms=strict, ask="Write to the authors."), a_hub_model("hub-net")
    monkeypatch.setattr(
        "ctinsight.models.catalogue.catalogue", lambda: Catalogue({entry.name: entry for entry in entries})
    )
    for name in ("MODELS", "MIRROR", "OFFLINE"):
        monkeypatch.delenv(f"CTINSIGHT_{name}", raising=False)
    monkeypatch.setenv("CTINSIGHT_SETTINGS", str(tmp_path / "settings ü.json"))

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(
            models_app, list(arguments), catch_exceptions=False, standalone_mode=False
        )
        if result.exception:
            raise result.exception
        return result.output

    invoke("where", "--folder", str(tmp_path / "Modelle ü"))
    return invoke


def test_the_list_tells_what_is_here_and_what_can_be_had(run: Run, tmp_path: Path) -> None:
    """One line for each name with its state, then room used and free."""
    (tmp_path / "file").write_bytes(BODY)
    run("import", str(tmp_path / "file"))
    lines = {line.split()[0]: line for line in run("list").splitlines()}
    assert "installed" in lines["atlas-made"]
    assert "ask the authors" in lines["made-net"]
    assert "Hugging Face" in lines["hub-net"]
    assert "0.1 MB used" in run("list")


def test_show_tells_terms_and_where_to_ask(run: Run) -> None:
    """Licence, patent, input and the address of the authors."""
    text = run("show", "made-net")
    assert all(part in text for part in ("Research only.", "CN1", "Write to the authors.", "Input:"))
    assert "someone/weights" in run("show", "hub-net")
    assert "127.0.0.1" in run("show", "atlas-made")


def test_import_verify_and_remove(run: Run, tmp_path: Path) -> None:
    """A right file is installed and right; a changed one is told with its repair; then it is gone."""
    (tmp_path / "file").write_bytes(BODY)
    assert "atlas-made 1" in run("import", str(tmp_path / "file"))
    assert "right" in run("verify", "atlas-made")
    installed = tmp_path / "Modelle ü" / "atlas-made" / "1" / "file"
    installed.write_bytes(b"?")
    with pytest.raises(WrongWeightsError, match="models get atlas-made"):
        run("verify", "atlas-made")
    assert "Deleted 2 files" in run("remove", "atlas-made")
    assert not installed.exists()


def test_get_says_why_it_cannot(run: Run) -> None:
    """Terms first, then where to ask; offline is told as such."""
    with pytest.raises(TermsNotAcceptedError, match="--accept-terms"):
        run("get", "made-net")
    with pytest.raises(WeightsMissingError, match="Write to the authors"):
        run("get", "made-net", "--accept-terms")
    run("where", "--offline")
    with pytest.raises(OfflineError, match="--online"):
        run("get", "atlas-made")


def test_where_shows_and_sets(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings stay; an environment variable that overrules them is told."""
    run("where", "--mirror", str(tmp_path / "Spiegel"), "--offline")
    text = run("where")
    assert "Modelle ü" in text
    assert "Spiegel" in text
    assert "Network: off" in text
    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path / "other"))
    assert "overrules" in run("where", "--folder", str(tmp_path / "third"))


def test_a_kit_goes_out_and_comes_in(run: Run, tmp_path: Path) -> None:
    """Packed here, imported into another folder."""
    (tmp_path / "file").write_bytes(BODY)
    run("import", str(tmp_path / "file"))
    assert "1 entries" in run("kit", str(tmp_path / "kit.zip"))
    run("where", "--folder", str(tmp_path / "second"))
    assert "atlas-made" in run("import", str(tmp_path / "kit.zip"))
    assert (tmp_path / "second" / "atlas-made" / "1" / "file").read_bytes() == BODY


def test_offline_kits_fetch_no_wheels(run: Run, tmp_path: Path) -> None:
    """With the switch on, --wheels is refused before pip starts."""
    run("where", "--offline")
    with pytest.raises(WrongUseError, match="--wheels-from"):
        run("kit", str(tmp_path / "kit.zip"), "--wheels")


def test_the_progress_line_has_megabytes_speed_and_time() -> None:
    """12.5 of 100 MB at 2 MB/s: 44 s left."""
    event = TransferEvent("net", "model.pth", "downloading", 12_500_000, 100_000_000, 2e6, 43.75)
    assert transfer_text(event) == "net: downloading, model.pth, 12.5 of 100.0 MB, 2.0 MB/s, 44 s left"
