"""The pre-flight list: every line true, every fault with a remedy, nothing asked of the network unasked."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from ctinsight import doctor
from ctinsight.doctor import catalogue_hosts, examine, examine_folder, examine_hosts
from ctinsight.finding import Check, Outcome

if TYPE_CHECKING:
    from pathlib import Path


def _by_key(checks: object) -> dict[str, Check]:
    return {check.key: check for check in checks}  # type: ignore[attr-defined]


def test_this_machine_passes_what_the_tests_need() -> None:
    """Python and the five packages of the stock tier are here, else no test would run."""
    found = _by_key(examine())
    for key in ("python", "package_numpy", "package_scipy", "package_simpleitk", "package_pydicom"):
        assert found[key].outcome is Outcome.PASS


def test_nothing_is_asked_of_the_network_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``network`` no connection is tried."""
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("a connection"))
    assert "hosts" not in {check.key for check in examine()}


def test_an_old_package_is_refused_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pydicom 1.4 is named, with the command that helps."""
    monkeypatch.setattr(doctor, "version", lambda name: "1.4.2" if name == "pydicom" else "99.0")
    line = _by_key(examine())["package_pydicom"]
    assert line.outcome is Outcome.REFUSE
    assert line.measured == "1.4.2"
    assert 'pip install "pydicom>=2.4"' in line.remedy


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """One gigabyte is less than the four a case wants."""
    monkeypatch.setattr(doctor, "available_memory_gb", lambda: 1.0)
    line = _by_key(examine())["memory"]
    assert (line.outcome, line.measured) == (Outcome.WARN, "1.0 GB available")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder and the remedy are named."""
    monkeypatch.setattr(doctor, "can_write", lambda _folder: False)
    line, _space = examine_folder("x", "Folder", tmp_path / "ü ö", remedy="Choose another.")
    assert line.outcome is Outcome.REFUSE
    assert "ü ö" in line.measured
    assert line.remedy == "Choose another."


def test_hosts_are_those_of_the_catalogue() -> None:
    """Each address a download would ask stands in the list once, with its port."""
    hosts = catalogue_hosts()
    assert len(set(hosts)) == len(hosts) > 0
    assert all(port == 443 for _, port in hosts)


def test_a_silent_host_is_a_warning_with_the_way_round_it() -> None:
    """A refused connection names the proxy variable and the offline ways."""

    def refuse(host: str, port: int) -> None:
        raise ConnectionRefusedError(111, "refused")

    (line,) = examine_hosts([("example.org", 443)], refuse)
    assert line.outcome is Outcome.WARN
    assert "HTTPS_PROXY" in line.remedy
