"""Weight files of DeepDCR v0's difficulty network: ``surgical_difficulty_classifier[_fold_K].pth``."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ctinsight.device import require_torch
from ctinsight.errors import WeightsMissingError
from ctinsight.models.card import CARD_NAME, ModelCard, combined_sha256, file_records
from ctinsight.models.importers.architecture import COUNTER, other_network
from ctinsight.models.importers.plain_tensors import deduplicated, store_tensors
from ctinsight.models.importers.torch_file import load_plain, named_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from ctinsight.models.importers.plain_tensors import Deduplicated

FORMAT = "torch state dict of DeepDCR v0, safetensors"
_FILE = re.compile(r"surgical_difficulty_classifier(?:_fold_(?P<fold>\d+))?\.pth")
#: The clinical vector comes out of the interaction branch as long as it went in.
_CLINICAL, _FUSED, _LAST = "feature_interaction.5.weight", "classifier.0.weight", "classifier.14.weight"


def convert_difficulty(path: Path, name: str, folder: Path) -> ModelCard:
    """Read one classifier or the five of cross-validation and write safetensors and the card.

    Parameters
    ----------
    path
        One of the files (under any name), or a folder in which they lie.
    name, folder
        What the model is called in the store, and where to write.

    Raises
    ------
    WeightsMissingError
        No such file in the folder.
    WrongWeightsError
        Damaged or unsafe, another network, or files that do not belong together.
    """
    require_torch()
    files = _files(path)
    first: Deduplicated | None = None
    for stored, file in files.items():
        content = load_plain(file)
        if not isinstance(content, dict):
            raise other_network(found=f"{file.name}: {type(content).__name__}", expected="a state dictionary")
        tensors = deduplicated(named_tensors(require_torch(), content, file))
        _refuse_other(tensors, file)
        first = first or tensors
        if tensors.shapes() != first.shapes():
            raise other_network(
                found=f"{file.name} with tensors of other shapes", expected="those of the first file"
            )
        store_tensors(tensors.tensors, folder / f"{stored}.safetensors")
    if first is None:
        raise _none_in(path)
    if path.is_dir():
        _take_form(path, folder)
    card = _card(name, first, list(files), folder)
    card = replace(card, origin_sha256=combined_sha256(file_records(files.values())))
    (folder / CARD_NAME).write_text(card.to_json(), encoding="utf-8")
    return card


def _take_form(path: Path, folder: Path) -> None:
    """Take scaling, categories and thresholds over, where they lie beside the weights."""
    from ctinsight.models.dcr_network import FORM_NAME
    from ctinsight.scores.network_form import read_network_form

    found = sorted(path.rglob(FORM_NAME))
    if found:
        read_network_form(found[0])
        (folder / FORM_NAME).write_bytes(found[0].read_bytes())


def _files(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {"classifier": path}
    found = {}
    for file in sorted(path.rglob("*.pth")):
        match = _FILE.fullmatch(file.name)
        if match is not None:
            stored = f"classifier_fold_{match['fold']}" if match["fold"] else "classifier"
            if stored in found:
                raise other_network(found=f"{file.name} twice in {path.name}", expected="each file once")
            found[stored] = file
    if not found:
        raise _none_in(path)
    return found


def _refuse_other(tensors: Deduplicated, file: Path) -> None:
    shapes = tensors.shapes()
    missing = [key for key in (_CLINICAL, _FUSED, _LAST) if key not in shapes]
    if missing:
        raise other_network(found=f"{file.name} without {missing[0]}", expected="DeepDCR's classifier")
    pooled = shapes["feature_interaction.0.weight"][1] if "feature_interaction.0.weight" in shapes else 0
    clinical = shapes[_CLINICAL][0]
    # Pooled image features, the clinical vector, and the clinical vector weighted by the image.
    if shapes[_FUSED][1:] != (pooled + 2 * clinical,) or shapes[_LAST][0] != 1:
        raise other_network(
            found=f"{file.name}: {_FUSED} of shape {shapes[_FUSED]}",
            expected=f"{pooled} + 2 x {clinical} inputs, and one output",
        )


def _card(name: str, first: Deduplicated, stored: list[str], folder: Path) -> ModelCard:
    records = file_records(sorted(folder.iterdir()))
    clinical = first.shapes()[_CLINICAL][0]
    return ModelCard(
        name=name,
        format=FORMAT,
        sha256=combined_sha256(records),
        files=records,
        width=first.shapes()["feature_interaction.0.weight"][1],
        parameters=sum(t.numel() for key, t in first.tensors.items() if not key.endswith(COUNTER)),
        notes=("Scaling and category lists of the clinical variables are not in these files.",),
        facts={"networks": stored, "clinical_inputs": clinical, "tied": dict(first.tied)},
    )


def _none_in(path: Path) -> WeightsMissingError:
    return WeightsMissingError(
        found=f"no surgical_difficulty_classifier.pth in {path.name}",
        expected="that file, or surgical_difficulty_classifier_fold_1.pth to _fold_5.pth",
        remedy="Name the file or the folder in which they lie.",
    )
