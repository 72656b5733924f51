"""The folder of models: what is installed, is it unchanged, where is it, how much room does it take.

::

    FOLDER/
      NAME/VERSION/            files as the source names them
        installed.json         written last: what is not named there is not installed, and not ours
      .incoming/NAME/VERSION/  downloads under way
      .locks/NAME.lock         one process at a time for each name
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ctinsight.errors import (
    NotEnoughSpaceError,
    StoreUnusableError,
    WeightsMissingError,
    WrongWeightsError,
)
from ctinsight.models.archives import safe_path
from ctinsight.models.card import file_records
from ctinsight.models.catalogue import NAME
from ctinsight.models.installed import LIST_NAME, FileCheck, Installed, Removal, check_file, read_installed
from ctinsight.models.locks import Waiting, held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ctinsight.models.card import FileRecord
    from ctinsight.models.catalogue import Catalogue

#: Left free on the disk beside what is to be written.
SPARE_BYTES = 100 * 2**20


def user_store() -> Store:
    """Return the model folder that this machine's settings name.

    Raises
    ------
    StoreUnusableError, WrongUseError
        The settings are damaged.
    """
    from ctinsight.models.catalogue import catalogue
    from ctinsight.models.settings import load_settings

    return Store(load_settings().models_folder, catalogue())


class Store:
    """The folder of models of this machine.

    Parameters
    ----------
    folder
        Made when the first file comes; may hold anything else, which is left alone.
    catalogue
        Says what the names mean.
    free_bytes
        Free room on the disk of a folder; replaceable in a test.
    """

    def __init__(
        self,
        folder: Path,
        catalogue: Catalogue,
        *,
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self.folder, self.catalogue = folder, catalogue
        self._free_bytes = free_bytes

    def path_of(self, name: str, version: str) -> Path:
        """Return the folder of an entry, present or not."""
        return self.folder / name / version

    def versions(self, name: str) -> tuple[Installed, ...]:
        """Return every installed version of a name, the one in use first."""
        right = []
        for path in sorted(self.folder.glob(f"{name}/*/{LIST_NAME}")):
            item = self._read(path)
            if item is not None and (item.name, item.version) == (name, path.parent.name):
                right.append(item)
        current = self.catalogue.entries.get(name)

        def rank(item: Installed) -> tuple[bool, str]:
            return current is not None and item.version == current.version, item.installed_at

        return tuple(sorted(right, key=rank, reverse=True))

    def find(self, name: str) -> Installed | None:
        """Return what is installed under a name: the catalogue's version, else the newest; or None."""
        found = self.versions(name) if NAME.fullmatch(name) else ()
        return found[0] if found else None

    def installed(self) -> tuple[Installed, ...]:
        """Return everything installed, each version, sorted by name."""
        if not self.folder.is_dir():
            return ()
        names = sorted(path.name for path in self.folder.iterdir() if NAME.fullmatch(path.name))
        return tuple(item for name in names for item in self.versions(name))

    def locate(self, name: str) -> tuple[Path, Installed]:
        """Return folder and list of an installed entry.

        Raises
        ------
        WeightsMissingError
            It is not installed; the remedy says how to get it, or where to ask.
        WrongUseError
            There is no such name.
        """
        found = self.find(name)
        if found is not None:
            return self.path_of(name, found.version), found
        entry = self.catalogue.entry(name)
        raise WeightsMissingError(
            found=f"{name} is not installed in {self.folder}",
            expected=f"{entry.title}",
            remedy=f"Get it with: ctinsight models get {name}" if entry.downloadable else entry.ask,
        )

    def checked_file(self, name: str, file: str) -> Path:
        """Return the path of one installed file after comparing its SHA-256; ask before every load.

        Raises
        ------
        WeightsMissingError
            The entry or the file is not there.
        WrongWeightsError
            The file is not the one that was installed.
        """
        folder, found = self.locate(name)
        for record in found.files:
            if record.name == file:
                check = check_file(folder, record)
                if check.wrong:
                    raise WrongWeightsError(
                        found=f"{folder / file}: {check.wrong}",
                        expected=f"SHA-256 {record.sha256}, as when it was installed",
                        remedy=self.catalogue.entry(name).repair_words,
                    )
                return _inside(folder, record)
        raise WeightsMissingError(
            found=f"{name} has no file {file!r}",
            expected=", ".join(record.name for record in found.files),
            remedy="Choose one of these files.",
        )

    def verify(self, name: str, beat: Callable[[], None] = lambda: None) -> tuple[FileCheck, ...]:
        """Compare every file of an installed entry with its SHA-256, and that with the catalogue's.

        Raises
        ------
        WeightsMissingError
            It is not installed.
        """
        folder, found = self.locate(name)
        published = {}
        entry = self.catalogue.entries.get(name)
        if entry is not None and entry.version == found.version:
            published = {file.name: file.sha256 for file in entry.files}
        checks = [_compared(FileCheck(r.name, r.sha256, ""), published) for r in found.converted_from]
        for record in found.files:
            beat()
            checks.append(_compared(check_file(folder, record), published))
        missing = [FileCheck(file, "", "is missing") for file in published]
        return (*checks, *missing)

    def intact(self, name: str, beat: Callable[[], None] = lambda: None) -> Installed | None:
        """Return what is installed when every file is unchanged and complete; else None."""
        found = self.find(name)
        if found is None or any(check.wrong for check in self.verify(name, beat)):
            return None
        return found

    @contextmanager
    def lock(self, name: str, beat: Callable[[], None] = lambda: None) -> Iterator[bool]:
        """Hold a name alone among all processes; yields True when another one had it first."""
        with held(self.folder / ".locks" / f"{name}.lock", Waiting(beat)) as waited:
            yield waited

    def incoming(self, name: str, version: str) -> Path:
        """Make and return the folder for files under way; hold the lock."""
        folder = self.folder / ".incoming" / name / version
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(self.folder, error) from error
        return folder

    @contextmanager
    def scratch(self, beat: Callable[[], None] = lambda: None) -> Iterator[Path]:
        """Make an empty folder on the store's disk, gone afterwards; a move from it is one step.

        One process at a time has it, so what a killed one left is known to be litter.
        """
        with self.lock(".scratch", beat):
            folder = self.folder / ".incoming" / ".scratch"
            shutil.rmtree(folder, ignore_errors=True)
            self.incoming(".scratch", "unpacked")
            try:
                yield folder / "unpacked"
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def require_space(self, needed_bytes: int) -> None:
        """Refuse when the disk would be full.

        Raises
        ------
        NotEnoughSpaceError
            With free and needed bytes.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            free = self._free_bytes(self.folder)
        except OSError as error:
            raise _unusable(self.folder, error) from error
        if free < needed_bytes + SPARE_BYTES:
            raise NotEnoughSpaceError(
                found=f"{free / 1e6:.0f} MB free in {self.folder}",
                expected=f"{(needed_bytes + SPARE_BYTES) / 1e6:.0f} MB",
                remedy="Free some space, or choose another folder: ctinsight models where --folder FOLDER",
            )

    def place(self, source: Path, item: Installed) -> Installed:
        """Move checked files from ``source`` into the store and list them; hold the lock.

        Each file appears whole; the entry counts as installed when the list is written, last of all.

        Raises
        ------
        StoreUnusableError
            The folder cannot be written, or holds a file of that name that is not ours.
        """
        target = self.path_of(item.name, item.version)
        before = self._read(target / LIST_NAME)
        ours = {file.name for file in before.files} if before else set()
        try:
            for record in item.files:
                place = _inside(target, record)
                if place.is_file() and _same(place, record):
                    continue
                if record.name.casefold() == LIST_NAME or (place.exists() and record.name not in ours):
                    raise _foreign(place)
                place.parent.mkdir(parents=True, exist_ok=True)
                _inside(source, record).replace(place)
            part = target / f"{LIST_NAME}.{os.getpid()}.part"
            part.write_text(item.to_json(), encoding="utf-8")
            part.replace(target / LIST_NAME)
        except OSError as error:
            raise _unusable(target, error) from error
        self._tidy([_inside(source, record) for record in item.files])
        return item

    def remove(self, name: str, version: str | None = None) -> Removal:
        """Delete the files of an installed entry, and its half-finished downloads; nothing else.

        What lies in its folder and is not in its list stays, and is named.

        Raises
        ------
        WeightsMissingError
            Nothing is installed under that name.
        StoreUnusableError
            Its folder leads out of the store.
        """
        chosen = version or self.locate(name)[1].version
        with self.lock(name):
            folder = self.path_of(name, chosen)
            found = self._read(folder / LIST_NAME)
            if found is None:
                raise WeightsMissingError(
                    found=f"{name} {chosen} is not installed in {self.folder}",
                    expected="an installed version",
                    remedy="See what is installed with: ctinsight models list",
                )
            self._refuse_outside(folder)
            # The list goes last: a removal that was stopped half-way can be repeated, and until then every
            # load is refused because a file is missing.
            ours = [*(_inside(folder, record) for record in found.files), folder / LIST_NAME]
            deleted = [path for path in ours if self._delete(path)]
            self.discard_incoming(name)
            self._tidy(deleted)
            kept = sorted(p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())
        return Removal(tuple(deleted), tuple(kept))

    def discard_incoming(self, name: str) -> None:
        """Delete the half-finished downloads of a name; hold the lock."""
        shutil.rmtree(self.folder / ".incoming" / name, ignore_errors=True)

    def disk_use(self) -> dict[str, int]:
        """Return bytes per installed name, and of unfinished downloads under the key ``(unfinished)``."""
        use: dict[str, int] = {}
        for item in self.installed():
            use[item.name] = use.get(item.name, 0) + item.size_bytes
        waiting = sum(p.stat().st_size for p in (self.folder / ".incoming").rglob("*") if p.is_file())
        return use | ({"(unfinished)": waiting} if waiting else {})

    def free_bytes(self) -> int:
        """Return the free room on the disk of the store, or of the nearest folder that exists."""
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        return self._free_bytes(there)

    def _tidy(self, moved: list[Path]) -> None:
        """Take away the folders that became empty because ``moved`` files left them."""
        for path in moved:
            folder = path.parent
            while folder != self.folder and self.folder in folder.parents and _rmdir(folder):
                folder = folder.parent

    def _refuse_outside(self, folder: Path) -> None:
        if not folder.resolve().is_relative_to(self.folder.resolve()):
            raise StoreUnusableError(
                found=f"{folder} is a link that leads out of {self.folder}",
                expected="a folder of the store",
                remedy="Delete the link and what it points to by hand.",
            )

    def _delete(self, path: Path) -> bool:
        """Delete a file or link of ours; a link is deleted itself, never what it points to."""
        self._refuse_outside(path.parent)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unusable(path, error) from error
        return True

    def _read(self, path: Path) -> Installed | None:
        try:
            return read_installed(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


def _inside(folder: Path, record: FileRecord) -> Path:
    return folder.joinpath(*safe_path(record.name).parts)


def _same(path: Path, record: FileRecord) -> bool:
    return file_records([path])[0].sha256 == record.sha256


def _compared(check: FileCheck, published: dict[str, str]) -> FileCheck:
    """Compare with what the catalogue publishes of that file, if it does, and tick it off there."""
    wanted = published.pop(check.name, check.sha256)
    if check.wrong or check.sha256 == wanted:
        return check
    return FileCheck(check.name, check.sha256, f"the catalogue publishes SHA-256 {wanted}")


def _rmdir(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _foreign(path: Path) -> StoreUnusableError:
    return StoreUnusableError(
        found=f"{path} is there already and was not put there by CT Insight",
        expected="no file of that name",
        remedy="Move it away, or choose another model folder.",
    )


def _unusable(path: Path, error: OSError) -> StoreUnusableError:
    return StoreUnusableError(
        found=f"{path}: {error.strerror or error}",
        expected="a folder that you may read and write",
        remedy="Close programs that use it, check the permissions, or choose another folder: "
        "ctinsight models where --folder FOLDER",
    )
