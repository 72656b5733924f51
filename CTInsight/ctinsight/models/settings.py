"""Where models lie and whether the network may be touched: environment first, then the settings file."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ctinsight.errors import StoreUnusableError, WrongUseError

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER_VARIABLE = "CTINSIGHT_MODELS"
MIRROR_VARIABLE = "CTINSIGHT_MIRROR"
OFFLINE_VARIABLE = "CTINSIGHT_OFFLINE"
SETTINGS_VARIABLE = "CTINSIGHT_SETTINGS"
_YES, _NO = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}


@dataclass(frozen=True)
class Settings:
    """The choices of this machine.

    Parameters
    ----------
    models_folder
        Where models, atlas and sample data lie; outside the extension, so that it survives an update.
    mirror
        A folder or an http(s) address with the layout of a model folder (name/version/file). When set, it
        takes the place of every public address: nothing else is asked.
    offline
        Nothing touches the network: only a mirror folder, files and kits are used.
    """

    models_folder: Path
    mirror: str = ""
    offline: bool = False

    @property
    def mirror_folder(self) -> Path | None:
        """The mirror when it is a folder."""
        return None if not self.mirror or _is_address(self.mirror) else Path(self.mirror)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; an environment variable wins over the file, the file over the default.

    Raises
    ------
    StoreUnusableError
        The settings file cannot be read or holds a wrong value; the key is named.
    WrongUseError
        An environment variable holds a wrong value.
    """
    env = os.environ if environ is None else environ
    saved = _read(settings_file(env))
    folder = env.get(FOLDER_VARIABLE) or saved.get("models_folder") or str(default_folder(env))
    mirror = env.get(MIRROR_VARIABLE, saved.get("mirror", ""))
    offline = _switch(env[OFFLINE_VARIABLE]) if OFFLINE_VARIABLE in env else saved.get("offline", False)
    return Settings(Path(folder).expanduser().absolute(), _checked_mirror(mirror), offline)


def save_settings(settings: Settings, environ: Mapping[str, str] | None = None) -> Path:
    """Write the settings file, whole or not at all; return its path."""
    path = settings_file(os.environ if environ is None else environ)
    checked = replace(settings, mirror=_checked_mirror(settings.mirror))
    content = json.dumps({key: _plain(value) for key, value in asdict(checked).items()}, indent=2)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(content + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise _unusable(path, str(error)) from error
    return path


def settings_file(environ: Mapping[str, str]) -> Path:
    """Return where the settings are kept."""
    chosen = environ.get(SETTINGS_VARIABLE)
    return Path(chosen) if chosen else _base(environ, config=True) / "settings.json"


def default_folder(environ: Mapping[str, str]) -> Path:
    """Return the platform's cache folder for models."""
    return _base(environ, config=False) / "models"


def _base(environ: Mapping[str, str], *, config: bool) -> Path:
    home = Path.home()
    if sys.platform == "win32":
        chosen = environ.get("APPDATA" if config else "LOCALAPPDATA")
        return Path(chosen or home / "AppData" / ("Roaming" if config else "Local")) / "CTInsight"
    if sys.platform == "darwin":
        return home / "Library" / ("Application Support" if config else "Caches") / "CTInsight"
    chosen = environ.get("XDG_CONFIG_HOME" if config else "XDG_CACHE_HOME")
    # The XDG specification tells to ignore relative paths.
    fallback = home / (".config" if config else ".cache")
    return (Path(chosen) if chosen and Path(chosen).is_absolute() else fallback) / "ctinsight"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(content, dict):
        raise _unusable(path, "no JSON object")
    for key, kind in (("models_folder", str), ("mirror", str), ("offline", bool)):
        if key in content and (not isinstance(content[key], kind) or "\0" in str(content[key])):
            raise _unusable(path, f"{key!r} is {content[key]!r}")
    return content


def _switch(text: str) -> bool:
    if text.strip().lower() not in _YES | _NO:
        raise WrongUseError(
            found=f"{OFFLINE_VARIABLE}={text}", expected="1 or 0", remedy="Set it to 1 to stay offline."
        )
    return text.strip().lower() in _YES


def _is_address(mirror: str) -> bool:
    return urlsplit(mirror).scheme in {"http", "https"}


def _checked_mirror(mirror: str) -> str:
    if not mirror or (_is_address(mirror) and urlsplit(mirror).hostname):
        return mirror.rstrip("/")
    if "://" in mirror:
        raise WrongUseError(
            found=f"the mirror {mirror!r}",
            expected="a folder, or an address that begins with https:// or http://",
            remedy="Correct the mirror in the settings, or take it away.",
        )
    return str(Path(mirror).expanduser().absolute())


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _unusable(path: Path, reason: str) -> StoreUnusableError:
    return StoreUnusableError(
        found=f"the settings file {path}: {reason}",
        expected='JSON such as {"models_folder": "D:/Models", "mirror": "", "offline": false}',
        remedy=f"Correct or delete the file, or name another one with {SETTINGS_VARIABLE}.",
    )
