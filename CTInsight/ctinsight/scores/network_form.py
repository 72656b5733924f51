"""What belongs to DeepDCR v0's network besides its weights: scaling, categories, thresholds; kept as JSON.

The published weight files hold none of it, so that they cannot be applied by themselves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import UnansweredError, WrongUseError, WrongWeightsError
from ctinsight.scores.tabular import Accuracy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORM, FORM_VERSION = "ctinsight dcr network", 1
#: The published program's fixed threshold of October 2025.
PUBLISHED_THRESHOLD = 0.487


@dataclass(frozen=True)
class NetworkForm:
    """Preparation of the clinical vector, and thresholds.

    Parameters
    ----------
    categorical
        Name -> categories in the order of the one-hot block; words of a clinical form or their ``codes``.
    codes
        Name -> (word of the clinical form -> category).
    numeric
        Name -> (mean, scale) of the training fold; they follow the one-hot block.
    fold_thresholds
        Best-F1 thresholds of the folds; their median counts where ``threshold`` is ``None``.
    threshold
        A fixed one.
    calibration
        Cases of a calibration, in words; empty means that the output is a score.
    accuracies
        As measured by who made it.
    """

    categorical: tuple[tuple[str, tuple[str, ...]], ...]
    codes: Mapping[str, Mapping[str, str]]
    numeric: tuple[tuple[str, tuple[float, float]], ...]
    fold_thresholds: tuple[float, ...] = ()
    threshold: float | None = None
    calibration: str = ""
    accuracies: tuple[Accuracy, ...] = ()

    @property
    def length(self) -> int:
        """Length of the clinical vector."""
        return sum(len(words) for _, words in self.categorical) + len(self.numeric)

    @property
    def chosen_threshold(self) -> tuple[float, str]:
        """The threshold and where it comes from: fixed, the folds' median, or as published."""
        if self.threshold is not None:
            return self.threshold, "fixed by the model"
        if self.fold_thresholds:
            return float(np.median(self.fold_thresholds)), f"median of {len(self.fold_thresholds)} folds"
        return PUBLISHED_THRESHOLD, "as published in October 2025"

    def vector(self, clinical: Mapping[str, Any]) -> NDArray[np.float32]:
        """Return the clinical vector: one-hot block, then z-scores.

        Raises
        ------
        UnansweredError
            A value is missing: the published program would take it for 0, which is a value.
        WrongUseError
            A category that training did not know.
        """
        names = [name for name, _ in (*self.categorical, *self.numeric)]
        missing = [name for name in names if clinical.get(name) is None]
        if missing:
            raise UnansweredError(
                found=f"no {', '.join(missing)} in the clinical form",
                expected=", ".join(names),
                remedy="Fill in the form; this network has no stand-in for a missing value.",
            )
        block = [
            flag for name, words in self.categorical for flag in self._one_hot(name, words, clinical[name])
        ]
        scores = [(float(clinical[name]) - mean) / scale for name, (mean, scale) in self.numeric]
        return np.array([*block, *scores], dtype=np.float32)

    def _one_hot(self, name: str, words: tuple[str, ...], value: Any) -> list[float]:
        word = self.codes.get(name, {}).get(str(value), str(value))
        if word not in words:
            raise WrongUseError(
                found=f"{name} = {value!r}",
                expected=f"one of {', '.join(self.codes.get(name, {}) or words)}: training knew no other",
                remedy="Correct the clinical form.",
            )
        return [float(word == known) for known in words]


def read_network_form(path: Path) -> NetworkForm:
    """Read the form from JSON.

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
        form = NetworkForm(
            categorical=tuple((f["name"], tuple(f["categories"])) for f in content["categorical"]),
            codes={f["name"]: dict(f.get("codes", {})) for f in content["categorical"]},
            numeric=tuple((f["name"], (float(f["mean"]), float(f["scale"]))) for f in content["numeric"]),
            fold_thresholds=tuple(float(t) for t in content.get("fold_thresholds", [])),
            threshold=content.get("threshold"),
            calibration=content.get("calibration", ""),
            accuracies=tuple(Accuracy(**a) for a in content.get("accuracies", [])),
        )
        numbers = [v for _, pair in form.numeric for v in pair]
        if not np.isfinite(numbers).all() or any(scale <= 0 for _, (_, scale) in form.numeric):
            msg = "numbers that are not finite, or a scale that is not positive"
            raise ValueError(msg)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WrongWeightsError(
            found=f"{path.name}: {type(error).__name__}: {error}",
            expected=f"JSON of the form {FORM!r}, version {FORM_VERSION} (docs/dcr.md)",
            remedy="Correct the file: it holds the scaling and the categories of the training.",
        ) from error
    return form
