"""What ``ctinsight models verify`` does: checksums of installed files, and golden cases of any file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctinsight.errors import WeightsMissingError, WrongUseError, WrongWeightsError
from ctinsight.models.architectures import form_of, installed_weights, is_nnunet, load_model
from ctinsight.models.golden import GoldenFiles, refuse_wrong_numbers, run_golden
from ctinsight.models.nnunet_installed import installed_folder, load_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctinsight.models.catalogue import Entry
    from ctinsight.models.store import Store


@dataclass(frozen=True)
class GoldenWish:
    """What the user says of a golden case; what is not said comes from the catalogue.

    ``input_place`` is FILE:KEY where the input lies in another file than the output.
    """

    file: Path | None = None
    input_place: str | None = None
    input: str | None = None
    output: str | None = None
    atol: float | None = None

    def files(self, entry: Entry, default: Path | None = None) -> GoldenFiles | None:
        """Return the golden case of a model; None when there is none.

        Raises
        ------
        WrongUseError
            Keys or a bound without a file, or a bound that is no number above 0.
        """
        file = self.file or default
        case = entry.golden
        if file is None or case is None:
            if (self.input_place, self.input, self.output, self.atol) != (None,) * 4:
                raise _wrong_wish(
                    found="--input, --output, --atol or --golden-input without --golden FILE.npz"
                )
            return None
        atol = case.atol if self.atol is None else self.atol
        if not 0 <= atol < float("inf"):
            raise _wrong_wish(found=f"--atol {atol}")
        place, key = _file_and_key(self.input_place) if self.input_place else (None, "")
        return GoldenFiles(file, key or self.input or case.input, self.output or case.output, atol, place)


@dataclass(frozen=True)
class Verification:
    """Compares what lies in a store, or any weight file, with what it should be.

    Parameters
    ----------
    say
        Takes one line for each thing that was compared.
    """

    store: Store
    wish: GoldenWish
    say: Callable[[str], object]

    def installed(self, name: str) -> None:
        """Compare every installed file with its SHA-256, then run the golden case, given or installed.

        Raises
        ------
        WeightsMissingError
            It is not installed.
        WrongWeightsError
            A file was changed, or a number is further off than the bound.
        """
        checks = self.store.verify(name)
        for check in checks:
            self.say(f"{'WRONG' if check.wrong else 'right':6} {check.name} {check.wrong or check.sha256}")
        wrong = [check for check in checks if check.wrong]
        if wrong:
            raise WrongWeightsError(
                found=f"{len(wrong)} of {len(checks)} files of {name} are not as they were installed: "
                + "; ".join(f"{check.name} {check.wrong}" for check in wrong[:3]),
                expected="unchanged files",
                remedy=self.store.catalogue.entry(name).repair_words,
            )
        files = self.wish.files(self.store.catalogue.entry(name), _installed_case(self.store, name))
        if files is not None and form_of(name).load is None and not is_nnunet(name):
            raise WrongUseError(
                found=f"a golden case for {name}, which takes more than one array",
                expected="a model that sees images alone; the checksums above were compared",
                remedy="Leave --golden out. The parity of these models is a test of this project.",
            )
        if files is not None:
            place = installed_folder if is_nnunet(name) else installed_weights
            self._run(place(self.store, name), name, files)

    def file(self, path: Path, name: str | None) -> None:
        """Load a weight file as the named model, show its SHA-256, and run the golden case if one is given.

        Raises
        ------
        WrongUseError
            No model is named, or it consists of several networks.
        WeightsMissingError, WrongWeightsError
            No such file; another network; a number is further off than the bound.
        """
        if name is None:
            raise _wrong_wish(found=f"{path} without --model NAME")
        if not path.exists() and not path.with_name(path.name + ".index").exists():
            raise WeightsMissingError(
                found=f"no file {path}, and no installed model of that name",
                expected="a weight file, or an installed name",
                remedy="Check the path, or see: ctinsight models list",
            )
        self._run(path, name, self.wish.files(self.store.catalogue.entry(name)))

    def _run(self, path: Path, name: str, files: GoldenFiles | None) -> None:
        net, card = load_network(path) if path.is_dir() and is_nnunet(name) else load_model(path, name)
        self.say(f"{card.format}, width {card.width}, {card.parameters} values; SHA-256 {card.sha256}")
        if files is None:
            self.say(f"It loads as {name}. No golden case was given: its numbers were not compared.")
            return
        check = run_golden(net, files)
        self.say(f"{'right' if check.right else 'WRONG':6} {check.text()}; {check.layout}")
        refuse_wrong_numbers(name, check)


def _installed_case(store: Store, name: str) -> Path | None:
    """Return the golden case that is installed beside the weights, where the catalogue names one."""
    entry = store.catalogue.entries.get(name)
    if entry is None or entry.golden is None or not entry.golden.file or form_of(name).load is None:
        return None
    _folder, found = store.locate(name)
    if all(record.name != entry.golden.file for record in found.files):
        return None
    return store.checked_file(name, entry.golden.file)


def _file_and_key(text: str) -> tuple[Path, str]:
    """Split FILE:KEY; a drive letter's colon is not meant, and the key may be left out."""
    file, colon, key = text.rpartition(":")
    if not colon or Path(text).is_file():
        return Path(text), ""
    return Path(file), key


def _wrong_wish(*, found: str) -> WrongUseError:
    return WrongUseError(
        found=found,
        expected="models verify NAME, or models verify FILE --model NAME --golden IO.npz --input KEY "
        "--output KEY --atol NUMBER",
        remedy="Complete the command.",
    )
