"""Read and write a :class:`~ctinsight.scores.tabular.TabularModel` as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import WrongWeightsError
from ctinsight.scores.tabular import Accuracy, CategoricalFeature, Member, NumericFeature, TabularModel

if TYPE_CHECKING:
    from pathlib import Path

FORM, FORM_VERSION = "ctinsight tabular classifier", 1


def to_json(model: TabularModel) -> str:
    """Return the model as JSON text, numbers in full precision."""
    content: dict[str, Any] = {
        "form": FORM,
        "form_version": FORM_VERSION,
        "name": model.name,
        "outcome": model.outcome,
        "numeric": [asdict(feature) for feature in model.numeric],
        "categorical": [{**asdict(f), "codes": dict(f.codes)} for f in model.categorical],
        "members": [
            {"weights": m.weights.tolist(), "intercept": m.intercept, "a": m.a, "b": m.b}
            for m in model.members
        ],
        "threshold": model.threshold,
        "calibration": model.calibration,
        "accuracies": [asdict(accuracy) for accuracy in model.accuracies],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_tabular(path: Path) -> TabularModel:
    """Read a model from a JSON file.

    Raises
    ------
    WrongWeightsError
        No JSON, another form, or numbers that do not belong together.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.get("form") != FORM or content.get("form_version") != FORM_VERSION:
            msg = f"form {content.get('form')!r} version {content.get('form_version')!r}"
            raise ValueError(msg)
        return _model(content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WrongWeightsError(
            found=f"{path.name}: {type(error).__name__}: {error}",
            expected=f"JSON of the form {FORM!r}, version {FORM_VERSION} (docs/dcr.md)",
            remedy="Export the fitted model again; pickled files are never read, as they can run code.",
        ) from error


def _model(content: dict[str, Any]) -> TabularModel:
    numeric = tuple(
        NumericFeature(**{**f, "indicator": tuple(f["indicator"]) if f.get("indicator") else None})
        for f in content["numeric"]
    )
    categorical = tuple(
        CategoricalFeature(f["name"], tuple(f["categories"]), f["mode"], tuple(f.get("codes", {}).items()))
        for f in content["categorical"]
    )
    members = tuple(
        Member(np.array(m["weights"], dtype=np.float64), float(m["intercept"]), float(m["a"]), float(m["b"]))
        for m in content["members"]
    )
    _refuse_odd_numbers(numeric, categorical, members)
    return TabularModel(
        content["name"],
        content["outcome"],
        numeric,
        categorical,
        members,
        content.get("threshold"),
        content.get("calibration", ""),
        tuple(Accuracy(**a) for a in content.get("accuracies", [])),
    )


def _refuse_odd_numbers(
    numeric: tuple[NumericFeature, ...],
    categorical: tuple[CategoricalFeature, ...],
    members: tuple[Member, ...],
) -> None:
    scales = [f.scale for f in numeric] + [f.indicator[1] for f in numeric if f.indicator]
    numbers = [v for f in numeric for v in (f.median, f.mean, f.low, f.high)] + scales
    finite = np.isfinite(numbers).all() and all(np.isfinite(m.weights).all() for m in members)
    if not finite or min(scales, default=1.0) <= 0:
        msg = "numbers that are not finite, or a scale that is not positive"
        raise ValueError(msg)
    for feature in categorical:
        if feature.mode not in feature.categories or not set(dict(feature.codes).values()) <= set(
            feature.categories
        ):
            msg = f"{feature.name}: a mode or code that is no category"
            raise ValueError(msg)
