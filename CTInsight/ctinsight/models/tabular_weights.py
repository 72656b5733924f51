"""Difficulty models of DeepDCR v1: a table of coefficients as JSON, checked and taken into the store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ctinsight.errors import WeightsMissingError
from ctinsight.models.card import CARD_NAME, ModelCard, combined_sha256, file_records
from ctinsight.scores.tabular_form import FORM, read_tabular, to_json

if TYPE_CHECKING:
    from pathlib import Path

#: The table in the store, beside the card.
TABLE_NAME = "classifier.json"


def convert_tabular(path: Path, name: str, folder: Path) -> ModelCard:
    """Read a table of coefficients and write it, with its card.

    Parameters
    ----------
    path
        A JSON file of the form (docs/dcr.md), or a folder with one.
    name, folder
        What the model is called in the store, and where to write.

    Raises
    ------
    WeightsMissingError
        No JSON file in the folder, or several.
    WrongWeightsError
        Another form, or numbers that do not belong together.
    """
    source = _only_table(path)
    model = read_tabular(source)
    (folder / TABLE_NAME).write_text(to_json(model), encoding="utf-8")
    records = file_records([folder / TABLE_NAME])
    cohorts = [a.n for a in model.accuracies]
    card = ModelCard(
        name=name,
        format=FORM,
        sha256=combined_sha256(records),
        files=records,
        width=len(model.names),
        parameters=sum(len(m.weights) + 3 for m in model.members),
        training_data=model.calibration or "unknown (user-supplied)",
        origin_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        notes=tuple(a.words for a in model.accuracies),
        facts={"model": model.name, "outcome": model.outcome, "accuracy_n": cohorts},
    )
    (folder / CARD_NAME).write_text(card.to_json(), encoding="utf-8")
    return card


def _only_table(path: Path) -> Path:
    if path.is_file():
        return path
    found = sorted(p for p in path.rglob("*.json") if p.name != CARD_NAME)
    if len(found) != 1:
        raise WeightsMissingError(
            found=f"{len(found)} JSON files in {path.name}",
            expected="one, with the table of coefficients",
            remedy="Name the file itself.",
        )
    return found[0]
