"""A zip of installed models (and, asked for, wheels) for a machine without a network.

::

    KIT.zip
      kit.json                       what is in it, with sizes and checksums
      README.txt                     what to do with it, licences and terms
      models/NAME/VERSION/FILE       and installed.json beside it
      wheels/*.whl
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.errors import DownloadFailedError, UnreadableFileError, WrongUseError, WrongWeightsError
from ctinsight.models.archives import DAMAGED, ArchiveLimits, extract, safe_path
from ctinsight.models.card import FileRecord, file_records
from ctinsight.models.installed import LAYOUT, LIST_NAME, Installed, now, read_installed
from ctinsight.models.meter import Meter
from ctinsight.models.obtain import require_terms
from ctinsight.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from ctinsight.models.store import Store

KIT_LAYOUT = 1
KIT_LIST = "kit.json"
#: What a machine needs for the networks; the extra ``weights`` of pyproject.toml (a test compares them).
WHEELS = ("torch>=2.6,!=2.9.*", "safetensors>=0.4", "h5py>=3.10")
#: A kit is made here and may be large: only the ratio guards against a bomb, and its own list.
_MOST_BYTES = 200 * 2**30
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class KitContent:
    """What a kit holds: models as they were installed, wheels with their checksums."""

    made_at: str
    made_by: str
    models: tuple[Installed, ...]
    wheels: tuple[FileRecord, ...]


@dataclass(frozen=True)
class _Packing:
    """Packs files one by one and counts them; ``wheels`` is the folder where the wheels lie."""

    meter: Meter
    wheels: Path | None

    def add(self, archive: zipfile.ZipFile, path: Path, name: str, record: FileRecord) -> None:
        """Copy a file into the archive after comparing its SHA-256."""
        self.meter.say("packing", record.name)
        if not path.is_file() or file_records([path])[0].sha256 != record.sha256:
            raise WrongWeightsError(
                found=f"{path} is missing or was changed since it was installed",
                expected=f"SHA-256 {record.sha256}",
                remedy="Install it again, then make the kit.",
            )
        with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
            while chunk := source.read(_CHUNK_BYTES):
                target.write(chunk)
                self.meter.advance(len(chunk))


def make_kit(
    store: Store,
    out: Path,
    *,
    names: tuple[str, ...] = (),
    wheels: Path | None = None,
    meter: Meter | None = None,
) -> KitContent:
    """Write installed entries, all or the named ones, into one zip; nothing is fetched.

    Parameters
    ----------
    wheels
        A folder of ``.whl`` files to take along; see :func:`gather_wheels`.

    Raises
    ------
    WeightsMissingError
        A name is not installed.
    WrongWeightsError
        An installed file was changed: a broken model is not carried on.
    WrongUseError
        There is nothing to take along, or ``out`` exists.
    """
    gauge = meter or Meter(out.name)
    models = tuple(store.locate(name)[1] for name in names) if names else store.installed()
    found = sorted(wheels.glob("*.whl")) if wheels else []
    if not models and not found:
        raise WrongUseError(
            found=f"nothing is installed in {store.folder}",
            expected="at least one installed model",
            remedy="Get one first: ctinsight models get NAME",
        )
    if out.exists():
        raise WrongUseError(
            found=f"{out} exists already", expected="a new file", remedy="Choose another name, or move it."
        )
    content = KitContent(now(), f"CT Insight {VERSION}", models, file_records(found))
    gauge.total_bytes = sum(model.size_bytes for model in models) + sum(f.size_bytes for f in content.wheels)
    part = out.with_name(out.name + ".part")
    try:
        _write(store, content, part, _Packing(gauge, wheels))
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return content


def _write(store: Store, content: KitContent, part: Path, packing: _Packing) -> None:
    # Weights do not shrink: stored, not packed.
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(KIT_LIST, _kit_json(content))
        archive.writestr("README.txt", _readme(store, content))
        for model in content.models:
            folder = f"models/{model.name}/{model.version}"
            for record in model.files:
                path = store.path_of(model.name, model.version).joinpath(*safe_path(record.name).parts)
                packing.add(archive, path, f"{folder}/{record.name}", record)
            archive.writestr(f"{folder}/{LIST_NAME}", model.to_json())
        for record in content.wheels:
            path = (packing.wheels or part.parent) / record.name
            packing.add(archive, path, f"wheels/{record.name}", record)


def gather_wheels(
    folder: Path, *, requirements: tuple[str, ...] = WHEELS, options: tuple[str, ...] = ()
) -> None:
    """Let pip download wheels, with all they need, into a folder; only when the user asked for it.

    Parameters
    ----------
    options
        Further options of ``pip download``, such as ``--platform win_amd64 --python-version 3.12`` for
        another machine; pytorch.org/get-started/locally names the option for the small processor build.

    Raises
    ------
    DownloadFailedError
        pip failed; its last lines are told.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--dest", str(folder), *options, *requirements]
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        raise DownloadFailedError(
            found="pip could not fetch the wheels: " + " ".join(done.stderr.strip().splitlines()[-3:]),
            expected=", ".join(requirements),
            remedy="Check the network, HTTPS_PROXY and pip's settings; or gather the wheels into a folder "
            "yourself and name it with --wheels-from FOLDER.",
        )


def is_kit(path: Path) -> bool:
    """Return whether a file is a zip with our list in it."""
    try:
        if not path.is_file() or not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            return KIT_LIST in archive.namelist()
    except DAMAGED:
        return False


def restore_kit(
    store: Store, path: Path, *, accept_terms: bool = False, meter: Meter | None = None
) -> tuple[Installed, ...]:
    """Install every model of a kit; wheels go into the folder ``wheels`` of the store.

    A file for which the catalogue publishes a checksum must have that one, whatever the kit says.

    Raises
    ------
    UnreadableFileError, WrongWeightsError
        No kit, another layout, or its files are not what its list or the catalogue says.
    TermsNotAcceptedError
        A model in it is under terms that must be accepted on this machine too.
    """
    gauge = meter or Meter(path.name)
    with zipfile.ZipFile(path) as archive:
        content = _read_kit(archive, path)
    accepted = {}
    for model in content.models:
        entry = store.catalogue.entry(model.name)
        accepted[model.name] = require_terms(entry, accepted=accept_terms)
        _compare_with_catalogue(store, model)
    total = sum(model.size_bytes for model in content.models) + sum(f.size_bytes for f in content.wheels)
    store.require_space(total)
    gauge.total_bytes = total
    with store.scratch(gauge.beat) as folder:
        gauge.say("unpacking", path.name)
        extract(path, folder, limits=ArchiveLimits(total_bytes=_MOST_BYTES), beat=gauge.advance)
        for model in content.models:
            _check_files(folder / "models" / model.name / model.version, model.files)
        _check_files(folder / "wheels", content.wheels)
        restored = tuple(_place(store, folder, model, accepted[model.name]) for model in content.models)
        _place_wheels(store, folder, content)
    return restored


def _place(store: Store, folder: Path, model: Installed, accepted: str) -> Installed:
    notes = (*model.notes, f"from a kit; there installed at {model.installed_at}")
    item = replace(model, installed_at=now(), terms_accepted=accepted, notes=notes)
    with store.lock(model.name):
        return store.place(folder / "models" / model.name / model.version, item)


def _place_wheels(store: Store, folder: Path, content: KitContent) -> None:
    for record in content.wheels:
        target = store.folder / "wheels" / record.name
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            (folder / "wheels" / record.name).replace(target)


def _compare_with_catalogue(store: Store, model: Installed) -> None:
    entry = store.catalogue.entries.get(model.name)
    if entry is None or entry.version != model.version:
        return
    published = {file.name: file.sha256 for file in entry.files}
    for record in (model.converted_from or model.files) if published else ():
        if published.get(record.name) != record.sha256:
            raise WrongWeightsError(
                found=f"the kit's {model.name}/{record.name} has SHA-256 {record.sha256}",
                expected=f"SHA-256 {published.get(record.name, '(no such file)')}, as in the catalogue",
                remedy="Do not use this kit; make a new one from a machine you trust.",
            )


def _check_files(folder: Path, records: tuple[FileRecord, ...]) -> None:
    for record in records:
        path = folder.joinpath(*safe_path(record.name).parts)
        if not path.is_file() or file_records([path])[0].sha256 != record.sha256:
            raise WrongWeightsError(
                found=f"the kit's {record.name} is missing or changed",
                expected=f"SHA-256 {record.sha256}",
                remedy="Copy the kit again; if that does not help, make it again.",
            )


def _kit_json(content: KitContent) -> str:
    return json.dumps({"layout": KIT_LAYOUT, **asdict(content)}, indent=2, ensure_ascii=False) + "\n"


def _read_kit(archive: zipfile.ZipFile, path: Path) -> KitContent:
    try:
        with archive.open(KIT_LIST) as file:
            content: dict[str, Any] = json.loads(file.read(2**24))
        if content.pop("layout") != KIT_LAYOUT:
            raise ValueError("another layout: it was made by a newer CT Insight")  # noqa: EM101
        models = tuple(read_installed(json.dumps({"layout": LAYOUT, **model})) for model in content["models"])
        wheels = tuple(FileRecord(**wheel) for wheel in content["wheels"])
        if any("/" in wheel.name or not wheel.name.endswith(".whl") for wheel in wheels):
            raise ValueError("a wheel with a strange name")  # noqa: EM101
        return KitContent(content["made_at"], content["made_by"], models, wheels)
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UnreadableFileError(
            found=f"{path.name}: its {KIT_LIST} cannot be read ({error})",
            expected=f"a kit of layout {KIT_LAYOUT}",
            remedy="Copy it again, update CT Insight, or make the kit again.",
        ) from error


def _readme(store: Store, content: KitContent) -> str:
    lines = [
        f"CT Insight kit, made {content.made_at} by {content.made_by}. {RESEARCH_USE_ONLY}",
        "",
        "Give this zip to the page CT Insight Setup (Import), or: ctinsight models import KIT.zip",
        "Nothing here touches the network.",
        "",
    ]
    for model in content.models:
        terms = store.catalogue.entry(model.name).terms
        lines.append(
            f"{model.name} {model.version}: {terms.licence}. {terms.statement} {terms.patent}".rstrip()
        )
    if content.wheels:
        wanted = " ".join(f'"{wheel}"' for wheel in WHEELS)
        lines += [
            "",
            "Python packages: after the import they lie in 'wheels' in the model folder. Install them with",
            f"python -m pip install --no-index --find-links WHEELS_FOLDER {wanted}",
        ]
    return "\n".join(lines) + "\n"
