"""Where models lie: environment first, then the settings file, then the platform's cache folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ctinsight.errors import StoreUnusableError, WrongUseError
from ctinsight.models.settings import Settings, default_folder, load_settings, save_settings


def test_the_default_lies_outside_the_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each platform has its own cache folder; none is inside the package."""
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_folder({}) == Path("/home/me/.cache/ctinsight/models")
    assert default_folder({"XDG_CACHE_HOME": "/big"}) == Path("/big/ctinsight/models")
    assert default_folder({"XDG_CACHE_HOME": "relative"}) == Path("/home/me/.cache/ctinsight/models")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_folder({}) == Path("/home/me/Library/Caches/CTInsight/models")
    monkeypatch.setattr(sys, "platform", "win32")
    assert default_folder({"LOCALAPPDATA": "/local"}) == Path("/local/CTInsight/models")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """What was saved is read back; a variable overrules it."""
    env = {"CTINSIGHT_SETTINGS": str(tmp_path / "Einstellungen ü.json")}
    saved = Settings(tmp_path / "Modelle ü", "https://mirror.example/m", offline=True)
    save_settings(saved, env)
    assert load_settings(env) == saved
    changed = load_settings(env | {"CTINSIGHT_MODELS": str(tmp_path), "CTINSIGHT_OFFLINE": "0"})
    assert (changed.models_folder, changed.offline, changed.mirror) == (tmp_path, False, saved.mirror)


def test_a_mirror_is_a_folder_or_an_address(tmp_path: Path) -> None:
    """Folders are told from addresses; another scheme is refused."""
    env = {"CTINSIGHT_SETTINGS": str(tmp_path / "none")}
    assert load_settings(env | {"CTINSIGHT_MIRROR": "/mirror"}).mirror_folder == Path("/mirror")
    assert load_settings(env | {"CTINSIGHT_MIRROR": "https://m.example/x/"}).mirror == "https://m.example/x"
    assert load_settings(env | {"CTINSIGHT_MIRROR": "https://m.example/x/"}).mirror_folder is None
    for wrong in ("ftp://m.example", "file:///mirror", "https://"):
        with pytest.raises(WrongUseError, match="mirror"):
            load_settings(env | {"CTINSIGHT_MIRROR": wrong})


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", "[" * 100_000, '{"offline": "yes"}', '{"mirror": null}'),
        *('{"models_folder": 3}', '{"models_folder": "\\u0000"}'),
    ],
    ids=lambda text: text[:30],
)
def test_a_broken_settings_file_is_told(tmp_path: Path, text: str) -> None:
    """The file is named, and what to do with it."""
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(StoreUnusableError, match=r"s\.json"):
        load_settings({"CTINSIGHT_SETTINGS": str(tmp_path / "s.json")})


def test_a_strange_switch_is_told(tmp_path: Path) -> None:
    """CTINSIGHT_OFFLINE=perhaps is not guessed at."""
    with pytest.raises(WrongUseError, match="perhaps"):
        load_settings({"CTINSIGHT_SETTINGS": str(tmp_path / "none"), "CTINSIGHT_OFFLINE": "perhaps"})
