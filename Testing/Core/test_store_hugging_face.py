"""Files from the Hugging Face Hub, seen against a stand-in of it on 127.0.0.1."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING

import pytest

from ctinsight.errors import CTInsightError, DownloadFailedError, WeightsMissingError
from ctinsight.models.hugging_face import _Bearer, token_present
from ctinsight.models.obtain import obtain
from hostile_server import FaultyServer, cut, plain, redirect, status, whole
from made_models import BODY, a_hub_model, a_store, how, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

COMMIT = "c0ffee" * 6 + "1234"
TOKEN = "hf_" + "verysecret" * 3
PLANS = b'{"plans_name": "nnUNetPlans"}'
CHECKPOINT = "Dataset098/fold_all/checkpoint_final.pth"
LIST_PATH = "/api/models/someone/weights/revision/main?blobs=true"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Return a Hub that has a checkpoint (LFS), plans (git) and a file that nobody asked for."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    blob = hashlib.sha1(f"blob {len(PLANS)}\0".encode() + PLANS, usedforsecurity=False).hexdigest()
    rows = [
        {"rfilename": CHECKPOINT, "size": len(BODY), "lfs": {"sha256": sha256(BODY), "size": len(BODY)}},
        {"rfilename": "Dataset098/plans.json", "size": len(PLANS), "blobId": blob},
        {"rfilename": "README.md", "size": 5, "blobId": "0" * 40},
    ]
    with FaultyServer() as running:
        base = f"/someone/weights/resolve/{COMMIT}"
        running.routes = {
            LIST_PATH: plain(json.dumps({"sha": COMMIT, "siblings": rows}).encode()),
            f"{base}/{CHECKPOINT}": whole(BODY),
            f"{base}/Dataset098/plans.json": whole(PLANS),
        }
        yield running


def _get(hub: FaultyServer, folder: Path, **environ: str) -> Any:
    store = a_store(folder, a_hub_model(ask="Write to the authors."))
    return obtain(
        store,
        "made-net",
        how(store, environ={"HF_ENDPOINT": hub.url(""), "XDG_CACHE_HOME": str(folder)} | environ),
    )


def _no_rows(hub: FaultyServer, *rows: dict[str, Any], sha: str = COMMIT) -> None:
    hub.routes[LIST_PATH] = plain(json.dumps({"sha": sha, "siblings": list(rows)}).encode())


def test_the_wanted_files_come_at_one_commit(hub: FaultyServer, tmp_path: Path) -> None:
    """Two of three files match; both are checked, and the commit is written down."""
    item = _get(hub, tmp_path)
    assert {file.name: file.sha256 for file in item.files} == {
        CHECKPOINT: sha256(BODY),
        "Dataset098/plans.json": sha256(PLANS),
    }
    assert item.origin == f"Hugging Face someone/weights at {COMMIT}"


def test_a_broken_file_is_resumed(hub: FaultyServer, tmp_path: Path) -> None:
    """The same resume as for every other source."""
    path = f"/someone/weights/resolve/{COMMIT}/{CHECKPOINT}"
    del hub.routes[path]
    hub.script = [cut(BODY, 50_000), whole(BODY)]
    _get(hub, tmp_path)
    asked = [headers.get("Range") for asked_path, headers in hub.asked if asked_path == path]
    assert asked == [None, "bytes=50000-"]


@pytest.mark.parametrize("path", [CHECKPOINT, "Dataset098/plans.json"])
def test_a_changed_file_is_refused(hub: FaultyServer, tmp_path: Path, path: str) -> None:
    """SHA-256 of large files and git blob of small ones are compared."""
    body = BODY if path == CHECKPOINT else PLANS
    hub.routes[f"/someone/weights/resolve/{COMMIT}/{path}"] = plain(body[:-1] + b"?")
    with pytest.raises(DownloadFailedError, match=r"SHA-256|git blob"):
        _get(hub, tmp_path)
    assert not (tmp_path / "made-net").exists()


@pytest.mark.parametrize("code", [401, 403, 404])
@pytest.mark.parametrize("where", ["list", "file"])
def test_a_refusal_says_where_to_ask(hub: FaultyServer, tmp_path: Path, code: int, where: str) -> None:
    """401, 403 and 404, for the list or a file: whom to ask, and how to import by hand."""
    path = LIST_PATH if where == "list" else f"/someone/weights/resolve/{COMMIT}/{CHECKPOINT}"
    hub.routes[path] = status(code)
    with pytest.raises(WeightsMissingError, match=f"answered {code} for someone/weights") as caught:
        _get(hub, tmp_path)
    assert "Write to the authors." in caught.value.remedy
    assert "ctinsight models import FILE --model made-net" in caught.value.remedy


def test_the_token_signs_requests_to_the_hub_alone(hub: FaultyServer, tmp_path: Path) -> None:
    """List and file are asked for with the token; the storage behind the redirect never sees it."""
    with FaultyServer() as storage:
        storage.script = [whole(BODY)]
        hub.routes[f"/someone/weights/resolve/{COMMIT}/{CHECKPOINT}"] = redirect(storage.url("/cdn?sig=1"))
        _get(hub, tmp_path, HF_TOKEN=TOKEN)
        assert all(headers["Authorization"] == f"Bearer {TOKEN}" for _path, headers in hub.asked)
        assert [headers.get("Authorization") for _path, headers in storage.asked] == [None]


@pytest.mark.parametrize("end", ["good", "refused", "broken"])
def test_the_token_is_never_shown(
    hub: FaultyServer,
    tmp_path: Path,
    end: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not in logs, output, errors, events or any file, whatever the end."""
    caplog.set_level(logging.DEBUG)
    if end != "good":
        hub.routes[LIST_PATH] = status(403) if end == "refused" else plain(b"nonsense")
    said = ""
    try:
        said = repr(_get(hub, tmp_path, HF_TOKEN=TOKEN))
    except CTInsightError as error:
        said = f"{error} {error!r} {error.__cause__!r}"
    written = "".join(p.read_bytes().decode("latin-1") for p in tmp_path.rglob("*") if p.is_file())
    out = capfd.readouterr()
    assert TOKEN not in said + caplog.text + out.out + out.err + written + repr(_Bearer(TOKEN))


def test_the_token_lies_in_the_usual_places(tmp_path: Path) -> None:
    """HF_TOKEN, the file of HF_TOKEN_PATH, HF_HOME/token and the cache folder, in this order."""
    assert not token_present({"HF_HOME": str(tmp_path)})
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "huggingface").mkdir()
    (tmp_path / "huggingface" / "token").write_text(TOKEN)
    for variable, value in (
        ("HF_TOKEN", TOKEN),
        ("HF_TOKEN_PATH", str(tmp_path / "token")),
        ("HF_HOME", str(tmp_path)),
        ("XDG_CACHE_HOME", str(tmp_path)),
    ):
        assert token_present({variable: value})


def test_the_token_is_not_sent_over_plain_http(hub: FaultyServer, tmp_path: Path) -> None:
    """Only https, or this machine itself, gets it."""
    from ctinsight.models.hugging_face import _credentials

    assert isinstance(_credentials({"HF_ENDPOINT": "https://hub.example", "HF_TOKEN": TOKEN}), _Bearer)
    assert not isinstance(_credentials({"HF_ENDPOINT": "http://hub.example", "HF_TOKEN": TOKEN}), _Bearer)


def test_a_password_of_netrc_is_not_sent(
    hub: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token the request goes unsigned, whatever stands in the user's .netrc."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    _get(hub, tmp_path / "store")
    assert not any("Authorization" in headers for _path, headers in hub.asked)


@pytest.mark.parametrize(
    "row",
    [
        {"rfilename": "../fold_all/checkpoint_x.pth", "size": 1, "blobId": "0" * 40},
        {"rfilename": "/fold_all/checkpoint_x.pth", "size": 1, "blobId": "0" * 40},
        {"rfilename": "fold_all/checkpoint_x.pth", "size": -1, "blobId": "0" * 40},
        {"rfilename": "fold_all/checkpoint_x.pth", "size": 1, "blobId": "0"},
        {"rfilename": "fold_all/checkpoint_x.pth", "size": 10**7, "blobId": "0" * 40},
        {"rfilename": "fold_all/checkpoint_x.pth", "size": 1, "lfs": {"sha256": "12"}},
        {"rfilename": "fold_all/checkpoint_x.pth"},
    ],
    ids=["climbs", "absolute", "negative", "blob", "too big", "sha", "bare"],
)
def test_a_senseless_list_is_refused(hub: FaultyServer, tmp_path: Path, row: dict[str, Any]) -> None:
    """Names that climb, sizes that cannot be, checksums that are none: nothing is fetched."""
    _no_rows(hub, row)
    with pytest.raises(DownloadFailedError, match="makes no sense"):
        _get(hub, tmp_path)
    assert len(hub.asked) == 1


def test_a_repository_without_the_model_says_where_to_ask(hub: FaultyServer, tmp_path: Path) -> None:
    """An empty repository, or one with plans but no checkpoint, is not taken for the model."""
    for rows in ([], [{"rfilename": "plans.json", "size": 1, "blobId": "0" * 40}]):
        _no_rows(hub, *rows)
        with pytest.raises(WeightsMissingError, match="holds no file like"):
            _get(hub, tmp_path)


def test_an_endless_list_is_cut(hub: FaultyServer, tmp_path: Path) -> None:
    """A list of more than 8 MiB is not read to its end."""
    hub.routes[LIST_PATH] = plain(b" " * (2**23 + 1))
    with pytest.raises(DownloadFailedError, match="8388608"):
        _get(hub, tmp_path)


def test_the_hubs_own_offline_switch_counts(hub: FaultyServer, tmp_path: Path) -> None:
    """With HF_HUB_OFFLINE=1 the Hub is not asked."""
    with pytest.raises(WeightsMissingError, match="HF_HUB_OFFLINE"):
        _get(hub, tmp_path, HF_HUB_OFFLINE="1")
    assert hub.asked == []
