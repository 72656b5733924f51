"""CT Insight Setup, clicked: the list, terms, import, check, delete, offline, this machine, packages."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import qt
import slicer
from panel_actions import clipped, picture, show, wait

from ctinsight.models.catalogue import catalogue
from ctinsight.models.settings import load_settings
from CTInsightLib import SetupPanel
from CTInsightLib.Dependencies import PACKAGES, PackageInstall, State, stateOf

#: An entry under terms that need no acceptance.
FREE = "hematoma-drunet"


@pytest.fixture
def widget(standin, project, tmp_path, monkeypatch):
    """Return the module's widget, shown, with an empty model folder and settings of its own."""
    monkeypatch.setenv("CTINSIGHT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CTINSIGHT_SETTINGS", str(tmp_path / "settings.json"))
    widget = show(standin, project, "CTInsight")
    widget.panel.cancel()
    widget.panel.errors.hide()
    widget.ui.messageLabel.text = ""
    yield widget
    widget.panel.cancel()


def _finish(widget):
    return wait(lambda: not widget.panel.busy, 60)


def _choose(widget, name):
    names = [line.name for line in widget.panel._lines]
    tree = widget.ui.modelTree
    tree.setCurrentItem(tree.topLevelItem(names.index(name)))
    return widget.panel.chosen


def _first(**wanted):
    """Return the name of the first catalogue entry with these properties."""
    return next(e.name for e in catalogue() if all(getattr(e, key) == value for key, value in wanted.items()))


def _bound():
    return next(e.name for e in catalogue() if e.terms.must_accept)


def test_the_list_shows_every_entry_with_its_state(widget, tmp_path):
    """As many lines as the catalogue has entries; none is installed; the notice is there, nothing clipped."""
    tree = widget.ui.modelTree
    assert tree.topLevelItemCount == len(catalogue().entries)
    states = {tree.topLevelItem(row).text(0) for row in range(tree.topLevelItemCount)}
    assert states == {"↓ can be fetched", "✉ ask the authors"}
    assert widget.ui.researchLabel.text == "Research use only. Not a medical device."
    picture(widget, "CTInsight-empty", tmp_path)
    assert clipped(widget) == []


def test_a_module_s_models_alone_can_be_listed(widget):
    """Choosing a module leaves the lines of that module, all of them."""
    widget.ui.moduleSelector.currentIndex = widget.ui.moduleSelector.findData("HematomaVolume")
    expected = [e.name for e in catalogue() if "HematomaVolume" in e.modules]
    assert [line.name for line in widget.panel._lines] == expected
    widget.ui.moduleSelector.currentIndex = 0


def test_a_line_says_terms_paper_and_where_to_ask(widget):
    """Licence, paper and the way to the authors stand below the list; a patent where there is one."""
    _choose(widget, FREE)
    text = widget.ui.modelTextLabel.text
    assert all(words in text for words in ("Licence:", "Paper:", "Where to ask:"))
    _choose(widget, _bound())
    assert "CN115620899B" in widget.ui.modelTextLabel.text


def test_terms_must_be_accepted_before_a_file_is_taken(widget):
    """Import is off until the box is ticked; another line unticks it."""
    _choose(widget, _bound())
    assert widget.ui.acceptCheckBox.visible
    assert not widget.ui.importButton.enabled
    widget.ui.acceptCheckBox.checked = True
    assert widget.ui.importButton.enabled
    _choose(widget, FREE)
    assert not widget.ui.acceptCheckBox.visible
    assert not widget.ui.acceptCheckBox.checked


def test_what_has_no_address_offers_no_download(widget):
    """DR-UNet's authors publish no weights: Import is on, Download, Check and Delete are off."""
    _choose(widget, FREE)
    ui = widget.ui
    on = [b.enabled for b in (ui.importButton, ui.downloadButton, ui.verifyButton, ui.deleteButton)]
    assert on == [True, False, False, False]


def _a_mirror(folder, name, content=b"forty bytes of an atlas, more or less here"):
    """Make a mirror folder that holds one entry as the catalogue publishes it, but with other content."""
    entry = catalogue().entry(name)
    place = folder / name / entry.version
    place.mkdir(parents=True)
    for file in entry.files:
        (place / file.name).write_bytes(content)
    return place


def test_a_download_asks_first_and_a_wrong_file_is_refused(widget, standin, tmp_path, monkeypatch):
    """No fetches nothing; Yes fetches from the mirror, whose wrong file is refused by its checksum."""
    name = _first(kind="atlas")
    _a_mirror(tmp_path / "mirror", name)
    monkeypatch.setenv("CTINSIGHT_MIRROR", str(tmp_path / "mirror"))
    _choose(widget, name)
    standin.dialogs.answer(qt.QMessageBox.No, qt.QMessageBox.Yes)
    widget.ui.downloadButton.click()
    assert not widget.panel.busy
    widget.ui.downloadButton.click()
    _finish(widget)
    asked = standin.dialogs.take()
    assert len(asked) == 2
    assert "Licence:" in asked[0].text
    assert "MB" in asked[0].text
    assert widget.ui.errorFrame.visible
    assert widget.panel.chosen.installed is None


#: torch must not come into this process, so another one makes the weights.
_MAKE_WEIGHTS = """
import sys
from pathlib import Path
from ctinsight.models.card import ModelCard
from ctinsight.models.importers.weights_file import save_weights
from ctinsight.nets.drunet import DRUNet
net = DRUNet(4)
count = sum(p.numel() for p in net.parameters()) + sum(b.numel() for b in net.buffers())
card = ModelCard(sys.argv[2], "safetensors", "", files=(), width=4, parameters=count)
save_weights(net, card, Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def a_weights_file(tmp_path_factory):
    """Return weights of a narrow DR-UNet in a file with a space and an umlaut in its name."""
    path = tmp_path_factory.mktemp("weights") / "my weights ü.safetensors"
    subprocess.run([sys.executable, "-c", _MAKE_WEIGHTS, str(path), FREE], check=True)
    return path


def test_weights_are_imported_checked_and_deleted(widget, standin, a_weights_file):
    """A file with a space and an umlaut: installed, whole when checked, gone after a Yes."""
    _choose(widget, FREE)
    standin.dialogs.answer(str(a_weights_file))
    widget.ui.importButton.click()
    gap = _finish(widget)
    standin.dialogs.take()
    assert not widget.ui.errorFrame.visible, widget.ui.errorFoundLabel.text
    assert widget.panel.chosen.installed is not None
    assert gap < 0.2
    widget.ui.verifyButton.click()
    _finish(widget)
    assert "as they were installed" in widget.ui.messageLabel.text
    standin.dialogs.answer(qt.QMessageBox.Yes)
    widget.ui.deleteButton.click()
    _finish(widget)
    standin.dialogs.take()
    assert widget.panel.chosen.installed is None


def test_a_file_that_is_no_weights_is_refused_in_three_parts(widget, standin, tmp_path):
    """Text under the name of weights: found, expected, what to do; nothing is installed."""
    path = tmp_path / "weights.h5"
    path.write_text("this is no model", encoding="utf-8")
    _choose(widget, FREE)
    standin.dialogs.answer(str(path))
    widget.ui.importButton.click()
    _finish(widget)
    standin.dialogs.take()
    ui = widget.ui
    assert ui.errorFrame.visible
    assert ui.errorRemedyLabel.text.startswith("What to do: ")
    assert widget.panel.chosen.installed is None
    picture(widget, "CTInsight-failed", tmp_path)
    ui.copyErrorButton.click()
    report = slicer.app.clipboard().text()
    assert "CT Insight" in report
    assert str(tmp_path) not in report


def test_a_folder_of_published_files_is_recognised_by_checksums(widget, standin, tmp_path):
    """A folder with something else in it is refused by name; the dialog for folders is used."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("nothing of ours", encoding="utf-8")
    widget.ui.modelTree.clearSelection()
    widget.ui.modelTree.setCurrentItem(None)
    standin.dialogs.answer(str(tmp_path / "other"))
    widget.ui.importFolderButton.click()
    _finish(widget)
    (asked,) = standin.dialogs.take()
    assert "getExistingDirectory" in asked.kind
    assert "checksum" in widget.ui.errorFoundLabel.text


def test_a_file_dialog_that_is_cancelled_changes_nothing(widget, standin):
    """An empty path begins nothing."""
    _choose(widget, FREE)
    standin.dialogs.answer("")
    widget.ui.importButton.click()
    standin.dialogs.take()
    assert not widget.panel.busy


def test_offline_is_kept_and_switches_downloads_off(widget):
    """The box writes the machine's settings; a fetchable entry offers no download then."""
    _choose(widget, _first(kind="atlas"))
    assert widget.ui.downloadButton.enabled
    widget.ui.offlineCheckBox.checked = True
    assert load_settings().offline
    assert not widget.ui.downloadButton.enabled
    widget.ui.offlineCheckBox.checked = False
    assert not load_settings().offline


def test_damaged_settings_are_said(widget, tmp_path):
    """A settings file that is no JSON: the error names it, and the panel lives on."""
    (tmp_path / "settings.json").write_text("{", encoding="utf-8")
    widget.panel.refresh()
    assert widget.ui.errorFrame.visible
    (tmp_path / "settings.json").write_text(json.dumps({"offline": False}), encoding="utf-8")
    widget.panel.errors.hide()
    widget.panel.refresh()
    assert not widget.ui.errorFrame.visible


def test_this_machine_is_examined_without_blocking(widget, tmp_path):
    """Every line has a sign; what fails comes first; the panel answers within 200 ms all the time."""
    widget.ui.doctorButton.click()
    slicer.app.processEvents()
    picture(widget, "CTInsight-running", tmp_path)
    assert widget.ui.progressBox.visible
    gap = _finish(widget)
    tree = widget.ui.doctorTree
    signs = [tree.topLevelItem(row).text(0)[0] for row in range(tree.topLevelItemCount)]
    assert len(signs) > 10
    assert signs == sorted(signs, key="✗!✓".index)
    assert gap < 0.2
    assert "torch" not in sys.modules
    picture(widget, "CTInsight-done", tmp_path)


def test_cancel_ends_what_is_under_way(widget):
    """Cancelled right after the start: idle, and the next check works."""
    widget.ui.doctorButton.click()
    widget.ui.cancelButton.click()
    assert not widget.panel.busy
    widget.ui.doctorButton.click()
    _finish(widget)
    assert widget.ui.doctorTree.topLevelItemCount > 10


def test_packages_are_installed_after_asking(widget, standin, monkeypatch):
    """The question names sizes; No starts nothing, Yes runs the installer."""
    monkeypatch.setattr(SetupPanel, "missing", lambda _names: (PACKAGES["h5py"],))
    monkeypatch.setattr("CTInsightLib.Dependencies._ensuredBySlicer", lambda _packages: False)
    monkeypatch.setattr(widget.panel, "_install", PackageInstall([sys.executable, "-c", "pass"]))
    widget.panel.update()
    standin.dialogs.answer(qt.QMessageBox.No, qt.QMessageBox.Yes)
    widget.ui.installButton.click()
    assert not widget.panel.busy
    widget.ui.installButton.click()
    assert widget.panel.busy
    _finish(widget)
    assert all("h5py (20 MB)" in shown.text for shown in standin.dialogs.take())
    assert not widget.ui.errorFrame.visible


def test_a_half_installed_package_is_called_damaged(tmp_path, monkeypatch):
    """Records without files, as a broken installation leaves them, are damaged; neither is absent."""
    monkeypatch.setitem(PACKAGES, "half", replace(PACKAGES["h5py"], name="half", module="half_there"))
    assert stateOf("half") is State.ABSENT
    records = tmp_path / "half-1.0.dist-info"
    records.mkdir()
    (records / "METADATA").write_text("Metadata-Version: 2.1\nName: half\nVersion: 1.0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert stateOf("half") is State.DAMAGED
    (tmp_path / "half_there.py").touch()
    assert stateOf("half") is State.PRESENT


def test_torch_without_the_extension_says_where_to_get_it(standin):
    """PyTorch is left to the extension PyTorch; without it the remedy names the Extensions Manager."""
    from ctinsight.errors import DependencyMissingError

    with pytest.raises(DependencyMissingError) as refusal:
        PackageInstall().begin([PACKAGES["torch"]])
    assert "Extensions Manager" in refusal.value.remedy
