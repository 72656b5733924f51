"""Files from a repository on the Hugging Face Hub, with the user's own token, over plain HTTP.

The listing comes first: it pins the commit, and gives each file's size and the SHA-256 (large files) or git
blob (small ones) that the download is checked against.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from ctinsight.errors import CTInsightError, DownloadFailedError, UnsafeArchiveError, WeightsMissingError
from ctinsight.models.archives import safe_path
from ctinsight.models.download import Address, Wanted
from ctinsight.models.http_stream import Limits, Request, TransferFault, fetch_small

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from ctinsight.models.catalogue import Entry, HuggingFaceSource
    from ctinsight.models.meter import Meter

    Signer = Callable[[requests.PreparedRequest], requests.PreparedRequest]

_HUB = "https://huggingface.co"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_REFUSALS = {
    401: "it asks who you are: the repository is private or gated, or has another name now",
    403: "your account may not read it: the repository is gated or private",
    404: "there is no such repository, revision or file",
}


@dataclass(frozen=True)
class Listing:
    """The wanted files of a repository at one commit."""

    repository: str
    commit: str
    files: tuple[Wanted, ...]

    @property
    def origin(self) -> str:
        """Say where the files come from."""
        return f"Hugging Face {self.repository} at {self.commit}"


class _Bearer:
    """Signs a request with a token, and never shows it."""

    def __init__(self, token: str) -> None:
        self.__token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.__token}"
        return request

    def __repr__(self) -> str:
        return "<a token, not shown>"


class _Nobody:
    """Signs nothing; without it requests would look for a password in the user's .netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def token_present(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether the user has a token in the usual place."""
    return bool(_token(os.environ if environ is None else environ))


def hub_offline(environ: Mapping[str, str]) -> bool:
    """Return whether the Hub's own offline switch is on."""
    return environ.get("HF_HUB_OFFLINE", "").strip().lower() in {"1", "true", "yes", "on"}


def list_files(
    entry: Entry, meter: Meter, limits: Limits, environ: Mapping[str, str] | None = None
) -> Listing:
    """Ask the Hub for the wanted files of an entry.

    Raises
    ------
    WeightsMissingError
        The repository may not be read, is not there, or has none of the files: where to ask, how to import.
    DownloadFailedError
        The Hub cannot be reached, or its answer makes no sense.
    """
    source = entry.hugging_face
    if source is None:
        raise no_files(entry, f"{entry.name} has no Hugging Face repository")
    env = os.environ if environ is None else environ
    hub, credentials = _hub(env), _credentials(env)
    revision = quote(source.revision, safe="")
    url = f"{hub}/api/models/{source.repository}/revision/{revision}?blobs=true"
    try:
        body = fetch_small(Request(url, credentials=credentials), meter, limits)
    except TransferFault as fault:
        raise refusal(entry, fault) from fault
    try:
        content = json.loads(body)
        commit = str(content["sha"])
        rows = [row for row in content["siblings"] if _fits(source, str(row["rfilename"]))]
        files = tuple(
            _wanted(row, f"{hub}/{source.repository}/resolve/{commit}", credentials) for row in rows
        )
    except (ValueError, KeyError, TypeError, UnsafeArchiveError) as error:
        raise _senseless(source, error) from error
    if not commit.isalnum():
        raise _senseless(source, ValueError("no commit"))
    _check_listing(entry, source, files)
    return Listing(source.repository, commit, files)


def refusal(entry: Entry, fault: TransferFault) -> CTInsightError:
    """Return the error for a fault at the Hub; on 401, 403 and 404 it says where to ask."""
    repository = entry.hugging_face.repository if entry.hugging_face else entry.name
    if fault.status in _REFUSALS:
        return no_files(
            entry, f"Hugging Face answered {fault.status} for {repository}: {_REFUSALS[fault.status]}"
        )
    return DownloadFailedError(
        found=f"the Hugging Face repository {repository} could not be read: {fault.why}",
        expected="a list of its files",
        remedy=f"Try again later, or import by hand. {entry.ask}",
    )


def no_files(entry: Entry, found: str) -> WeightsMissingError:
    """Return the error that tells where to ask for the files and how to import them by hand."""
    return WeightsMissingError(
        found=found,
        expected="a repository that you may read, with the files of the model. With access of your own, "
        "log in (hf auth login) or set HF_TOKEN",
        remedy=f"{entry.ask} Import by hand: ctinsight models import FILE --model {entry.name}",
    )


def _check_listing(entry: Entry, source: HuggingFaceSource, files: tuple[Wanted, ...]) -> None:
    if not any(fnmatchcase(file.name, source.patterns[0]) for file in files):
        raise no_files(entry, f"{source.repository} is there, but holds no file like {source.patterns[0]}")
    total = sum(file.size_bytes for file in files)
    if total > source.most_bytes:
        raise _senseless(source, ValueError(f"{total} bytes in all, more than {source.most_bytes}"))


def _fits(source: HuggingFaceSource, path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in source.patterns)


def _wanted(
    row: dict[str, Any],
    base: str,
    credentials: Signer,
) -> Wanted:
    name = str(safe_path(str(row["rfilename"])))
    sha256 = str(row["lfs"]["sha256"]) if row.get("lfs") else ""
    git_blob = "" if sha256 else str(row["blobId"])
    size = int(row["size"])
    if size < 0 or len(sha256) not in {0, 64} or len(git_blob) not in {0, 40}:
        raise ValueError(f"size or checksum of {name}")  # noqa: EM102 - becomes the error's text
    return Wanted(
        name, (Address(f"{base}/{quote(name)}", credentials),), size, sha256.lower(), git_blob.lower()
    )


def _senseless(source: HuggingFaceSource, error: Exception) -> DownloadFailedError:
    return DownloadFailedError(
        found=f"the file list of {source.repository} makes no sense: {type(error).__name__}: {error}",
        expected="names, sizes and checksums of its files",
        remedy="Fetch the files with a browser and import them by hand: "
        "ctinsight models import FOLDER --model NAME",
    )


def _hub(environ: Mapping[str, str]) -> str:
    return (environ.get("HF_ENDPOINT") or _HUB).rstrip("/")


def _credentials(
    environ: Mapping[str, str],
) -> Signer:
    parts = urlsplit(_hub(environ))
    private = parts.scheme == "https" or parts.hostname in _LOOPBACK
    token = _token(environ)
    return _Bearer(token) if token and private else _Nobody()


def _token(environ: Mapping[str, str]) -> str:
    """Read the token where the Hub's own tools keep it.

    References
    ----------
    https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
    """
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if environ.get(variable, "").strip():
            return environ[variable].strip()
    cache = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    home = environ.get("HF_HOME") or str(Path(cache) / "huggingface")
    path = Path(environ.get("HF_TOKEN_PATH") or Path(home) / "token").expanduser()
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
