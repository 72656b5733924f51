"""The conduct of "CT Insight Setup": models, this machine, packages; long work is done by the worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from ctinsight.finding import Check, Outcome
from ctinsight.models.settings import load_settings, save_settings
from CTInsightLib.Dependencies import (
    FOR_NETWORKS,
    PACKAGES,
    PackageInstall,
    State,
    missing,
    question,
    stateOf,
)
from CTInsightLib.ErrorPanel import ErrorPanel
from CTInsightLib.InstalledWeights import openStore
from CTInsightLib.ModelText import downloadQuestion, modelHtml, modelLines, moduleNames
from CTInsightLib.ResultPanel import checkItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from CTInsightLib.ModelText import ModelLine
    from CTInsightLib.SlicerDesktop import SlicerDesktop
    from CTInsightLib.WorkerJob import WorkerJob

_POLL_MS = 50
#: What "Install what networks need" installs.
_WANTED = (*FOR_NETWORKS, "h5py")


class SetupPanel:
    """The models page.

    Parameters
    ----------
    ui
        The named widgets of ``CTInsight.ui``.
    job
        Asks the worker.
    """

    def __init__(self, ui: Any, job: WorkerJob, desktop: SlicerDesktop):
        self._ui, self._job, self._desktop = ui, job, desktop
        self._install = PackageInstall()
        self._lines: tuple[ModelLine, ...] = ()
        self._filling = False
        self.errors = ErrorPanel(ui, desktop, job.worker.logTail)
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MS)
        self._timer.connect("timeout()", self._tick)
        self._connect()
        self._fillModules()
        ui.moduleSelector.connect("currentIndexChanged(int)", self.refresh)
        self.refresh()

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self._job.busy or self._install.busy

    @property
    def chosen(self) -> ModelLine | None:
        """The line of the list that is chosen."""
        index = self._ui.modelTree.indexOfTopLevelItem(self._ui.modelTree.currentItem())
        return self._lines[index] if 0 <= index < len(self._lines) else None

    def refresh(self) -> None:
        """Look into the model folder, the settings and the packages again."""
        with self.errors.guarded():
            self._fillTree()
            self._fillPackages()
            settings, store = load_settings(), openStore()
            self._ui.folderLabel.text = _("{folder}: {free:.1f} GB free").format(
                folder=settings.models_folder, free=store.free_bytes() / 1e9
            )
            self._filling = True
            self._ui.offlineCheckBox.checked = settings.offline
            self._filling = False
        self.update()

    def update(self) -> None:
        """Bring buttons and texts in step with what is chosen and what is under way."""
        ui, line, idle = self._ui, self.chosen, not self.busy
        ui.modelTextLabel.text = (
            modelHtml(line) if line is not None else _("Choose a line to read its terms.")
        )
        ui.acceptCheckBox.visible = line is not None and line.mustAccept
        installed = line is not None and line.installed is not None
        agreed = line is not None and (not line.mustAccept or ui.acceptCheckBox.checked)
        offered = line is not None and line.entry is not None and line.entry.downloadable and not installed
        ui.downloadButton.enabled = idle and offered and agreed and not ui.offlineCheckBox.checked
        ui.importButton.enabled = ui.importFolderButton.enabled = idle and (line is None or agreed)
        ui.verifyButton.enabled = ui.deleteButton.enabled = idle and installed
        ui.doctorButton.enabled = idle
        ui.installButton.enabled = idle and bool(missing(_WANTED))
        ui.progressBox.visible = not idle
        ui.messageLabel.visible = bool(ui.messageLabel.text)
        if not idle:
            self._showProgress()

    def download(self) -> None:
        """Fetch the chosen entry after asking."""
        line = self.chosen
        if self._desktop.confirm(downloadQuestion(line), _("Download")):
            values = {"name": line.name, "accept_terms": self._ui.acceptCheckBox.checked}
            self._begin("models-get", values, self._sayInstalled)

    def importFile(self) -> None:
        """Install a file, zip or kit of this machine, for the chosen model where checksums do not tell."""
        title, kinds = _("Import weights, a zip or a kit"), _("All files (*)")
        self._import(qt.QFileDialog.getOpenFileName(None, title, "", kinds))

    def importFolder(self) -> None:
        """Install a folder of this machine: a checkpoint, an nnU-Net model, all files of an atlas."""
        self._import(qt.QFileDialog.getExistingDirectory(None, _("Import a folder"), ""))

    def _import(self, path: str) -> None:
        if not path:
            return
        line = self.chosen
        name = (
            line.name if line is not None and line.entry is not None and line.entry.kind == "model" else None
        )
        values = {"path": str(path), "name": name, "accept_terms": self._ui.acceptCheckBox.checked}
        self._begin("models-import", values, self._sayInstalled)

    def verify(self) -> None:
        """Compare the files of the chosen entry with their checksums."""
        self._begin("models-verify", {"name": self.chosen.name}, self._sayVerified)

    def delete(self) -> None:
        """Delete the chosen entry after asking."""
        name = self.chosen.name
        if self._desktop.confirm(_("Delete the files of {name}?").format(name=name), _("Delete")):
            self._begin("models-remove", {"name": name}, self._sayDeleted)

    def examine(self) -> None:
        """Look at this machine."""
        self._begin("doctor", {"network": self._ui.networkCheckBox.checked}, self._showChecks)

    def installPackages(self) -> None:
        """Install what networks need after asking, with sizes."""
        needed = missing(_WANTED)
        self.errors.hide()
        with self.errors.guarded():
            if self._desktop.confirm(question(needed), _("Install Python packages")):
                self._install.begin(needed)
        self._start()

    def cancel(self) -> None:
        """Stop what is under way; a download goes on from there when it is asked for again."""
        self._timer.stop()
        self._install.cancel()
        self._job.cancel()
        self.refresh()

    def close(self) -> None:
        """Stop everything: the module is unloaded, or the application ends."""
        self._timer.stop()
        self._install.cancel()
        self._job.cancel()

    def _connect(self) -> None:
        ui = self._ui
        for button, action in (
            (ui.downloadButton, self.download),
            (ui.importButton, self.importFile),
            (ui.importFolderButton, self.importFolder),
            (ui.verifyButton, self.verify),
            (ui.deleteButton, self.delete),
            (ui.doctorButton, self.examine),
            (ui.installButton, self.installPackages),
            (ui.cancelButton, self.cancel),
            (ui.folderButton, self._openFolder),
        ):
            button.connect("clicked(bool)", action)
        ui.modelTree.connect("itemSelectionChanged()", self._onChosen)
        ui.acceptCheckBox.connect("toggled(bool)", self.update)
        ui.offlineCheckBox.connect("toggled(bool)", self._onOffline)
        for tree, titles in (
            (ui.modelTree, [_("State"), _("Size"), _("Model")]),
            (ui.doctorTree, [_("Check"), _("Measured")]),
            (ui.packageTree, [_("Package"), _("State"), _("Size"), _("For")]),
        ):
            tree.setColumnCount(len(titles))
            tree.setHeaderLabels(titles)

    def _begin(self, job: str, values: dict[str, Any], take: Callable[[dict[str, Any]], None]) -> None:
        self.errors.hide()
        self._ui.messageLabel.text = ""

        def taking(answer: dict[str, Any]) -> Iterator[None]:
            take(answer["values"])
            yield

        with self.errors.guarded():
            self._job.begin(lambda worker: worker.do(job, values), taking)
        self._start()

    def _start(self) -> None:
        if self.busy:
            self._timer.start()
        self.update()

    def _tick(self) -> None:
        with self.errors.guarded():
            if self._install.busy:
                self._install.poll()
            else:
                self._job.poll()
        if self.busy:
            self._showProgress()
            return
        self._timer.stop()
        self.refresh()

    def _showProgress(self) -> None:
        event = self._job.progress
        # Without a known size the bar only moves.
        known = event.fraction > 0 and not self._install.busy
        self._ui.progressBar.maximum = 100 if known else 0
        self._ui.progressBar.value = round(100 * event.fraction) if known else 0
        words = _("Installing Python packages") if self._install.busy else event.phase
        left = f", {max(1, round(event.seconds_left))} s left" if event.seconds_left is not None else ""
        self._ui.phaseLabel.text = words[:1].upper() + words[1:] + left

    def _fillModules(self) -> None:
        self._filling = True
        self._ui.moduleSelector.addItem(_("All modules"), "")
        with self.errors.guarded():
            for name in moduleNames():
                self._ui.moduleSelector.addItem(name, name)
        self._filling = False

    def _fillTree(self) -> None:
        tree, before = self._ui.modelTree, self.chosen
        self._filling = True
        tree.clear()
        self._lines = modelLines(self._ui.moduleSelector.currentData or "")
        for line in self._lines:
            item = qt.QTreeWidgetItem([line.state, line.size, line.title])
            item.setToolTip(2, f"{line.name}: {line.title}")
            tree.addTopLevelItem(item)
            if before is not None and line.name == before.name:
                tree.setCurrentItem(item)
        for column in range(2):
            tree.resizeColumnToContents(column)
        self._filling = False

    def _fillPackages(self) -> None:
        tree = self._ui.packageTree
        tree.clear()
        signs = {State.PRESENT: "✓", State.ABSENT: "–", State.DAMAGED: "✗"}
        for name, package in PACKAGES.items():
            state = stateOf(name)
            words = f"{signs[state]} {state.value}"
            tree.addTopLevelItem(qt.QTreeWidgetItem([name, words, package.size, package.purpose]))
        for column in range(3):
            tree.resizeColumnToContents(column)

    def _showChecks(self, values: dict[str, Any]) -> None:
        tree = self._ui.doctorTree
        tree.clear()
        checks = [Check(**{**line, "outcome": Outcome(line["outcome"])}) for line in values["checks"]]
        order = (Outcome.REFUSE, Outcome.WARN, Outcome.PASS)
        for check in sorted(checks, key=lambda one: order.index(one.outcome)):
            item = checkItem(check)
            if check.remedy:
                item.setText(1, f"{check.measured}. {check.remedy}")
            tree.addTopLevelItem(item)
        tree.resizeColumnToContents(0)
        worst = sum(check.outcome is Outcome.REFUSE for check in checks)
        self._ui.messageLabel.text = (
            _("{count} lines need attention before anything works.").format(count=worst)
            if worst
            else _("This machine can run CT Insight; amber lines limit what is possible.")
        )

    def _sayInstalled(self, values: dict[str, Any]) -> None:
        lines = [f"{one['name']} {one['version']} ({one['origin']})" for one in values["installed"]]
        notes = [note for one in values["installed"] for note in one["notes"]]
        self._ui.messageLabel.text = _("Installed: {words}").format(words="\n".join([*lines, *notes]))

    def _sayVerified(self, values: dict[str, Any]) -> None:
        wrong = "\n".join(values["wrong"])
        self._ui.messageLabel.text = (
            _("Wrong files, install them again:\n{words}").format(words=wrong)
            if wrong
            else _("All {count} files are as they were installed.").format(count=values["files"])
        )

    def _sayDeleted(self, values: dict[str, Any]) -> None:
        kept = "\n".join([_("Kept, not ours:"), *values["kept"]]) if values["kept"] else ""
        self._ui.messageLabel.text = _("Deleted {count} files. {kept}").format(
            count=values["deleted"], kept=kept
        )

    def _onChosen(self) -> None:
        if not self._filling:
            self._ui.acceptCheckBox.checked = False
            self.update()

    def _onOffline(self, offline: bool) -> None:
        if self._filling:
            return
        with self.errors.guarded():
            save_settings(replace(load_settings(), offline=offline))
        self.update()

    def _openFolder(self) -> None:
        with self.errors.guarded():
            folder = Path(load_settings().models_folder)
            folder.mkdir(parents=True, exist_ok=True)
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(folder)))
