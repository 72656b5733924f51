"""The text behind "Copy report": what a maintainer needs, and nothing that names a patient."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.doctor import OPTIONAL, STOCK
from ctinsight.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.errors import CTInsightError

#: What stands between quotation marks may have been typed by a person: the name of a node, a path.
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
#: A path may lead through a folder that is called like a patient or a user.
_PATH = re.compile(r"(?<![\w])(?:[A-Za-z]:)?[\\/](?:[^\\/\s:]+[\\/])+")


def withoutNames(text: str) -> str:
    """Leave out quoted words and the folders of paths.

    Examples
    --------
    >>> withoutNames("the volume 'DOE^JANE', read from /home/doe/ct/a.nrrd")
    "the volume '…', read from …/a.nrrd"
    """
    return _PATH.sub("…/", _QUOTED.sub("'…'", text))


def reportText(
    host: str,
    *,
    error: CTInsightError | None = None,
    manifest: Mapping[str, Any] | None = None,
    log: str = "",
) -> str:
    """Return the report.

    Parameters
    ----------
    host
        Name and version of the application around us.
    error
        What went wrong, if something did.
    manifest
        Of the result that is shown: method, weights, device.
    log
        The end of the worker's log.
    """
    packages = ((name, _recorded(name)) for name in (*STOCK, *OPTIONAL))
    lines = [
        f"CT Insight {VERSION} in {host}",
        f"Python {platform.python_version()} on {platform.platform(terse=True)}",
        ", ".join(f"{name} {found}" for name, found in packages if found),
    ]
    if error is not None:
        lines += ["", type(error).__name__, withoutNames(str(error))]
    if manifest:
        shown = {key: manifest.get(key) for key in ("method", "tier", "weights", "device", "stage_seconds")}
        lines += ["", *(f"{key}: {value}" for key, value in shown.items() if value)]
    if log.strip():
        lines += ["", "The worker's last words:", withoutNames(log.strip())]
    return "\n".join([*lines, "", RESEARCH_USE_ONLY])


def _recorded(package: str) -> str:
    """Return a package's version from pip's records; nothing is imported for it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
