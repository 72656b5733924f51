"""Overlap of two masks, counted in voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The six that the paper shows, and three that its program computes beside them.
MEASURES = (
    "dice",
    "jaccard",
    "voe",
    "sensitivity",
    "specificity",
    "precision",
    "accuracy",
    "relative_difference",
)


@dataclass(frozen=True)
class Overlap:
    """Counts of a mask against its reference; a measure that divides by nothing is ``None``.

    Parameters
    ----------
    tp, tn, fp, fn
        Voxels that are in both, in neither, in the mask alone, in the reference alone.

    Examples
    --------
    >>> overlap = Overlap(tp=6, tn=80, fp=2, fn=2)
    >>> overlap.dice, overlap.jaccard, overlap.voe, overlap.precision
    (0.75, 0.6, 0.4, 0.75)
    >>> Overlap(tp=0, tn=9, fp=0, fn=0).dice is None
    True
    """

    tp: int
    tn: int
    fp: int
    fn: int

    @classmethod
    def of(cls, mask: NDArray[np.bool_], reference: NDArray[np.bool_]) -> Overlap:
        """Count two masks of one shape."""
        tp = int(np.count_nonzero(mask & reference))
        found, there = int(np.count_nonzero(mask)), int(np.count_nonzero(reference))
        return cls(tp, mask.size - found - there + tp, found - tp, there - tp)

    @property
    def dice(self) -> float | None:
        """Return 2 TP / (2 TP + FP + FN); None where both masks are empty."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def jaccard(self) -> float | None:
        """Return TP / (TP + FP + FN)."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def voe(self) -> float | None:
        """Return the volumetric overlap error, 1 - Jaccard."""
        return _ratio(self.fp + self.fn, self.tp + self.fp + self.fn)

    @property
    def sensitivity(self) -> float | None:
        """Return TP / (TP + FN)."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> float | None:
        """Return TN / (TN + FP): close to 1 whatever the method, as most of a head is not blood."""
        return _ratio(self.tn, self.tn + self.fp)

    @property
    def precision(self) -> float | None:
        """Return TP / (TP + FP)."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def accuracy(self) -> float | None:
        """Return (TP + TN) / all."""
        return _ratio(self.tp + self.tn, self.tp + self.tn + self.fp + self.fn)

    @property
    def relative_difference(self) -> float | None:
        """Return (FP - FN) / (TP + FN): by how much the mask is too large."""
        return _ratio(self.fp - self.fn, self.tp + self.fn)

    def measures(self) -> dict[str, float | None]:
        """Return every measure by name."""
        return {name: getattr(self, name) for name in MEASURES}

    def as_published(self) -> dict[str, float]:
        """Return the measures as the DR-UNet program computes them.

        1e-10 is added to every denominator, so that two empty masks give a Dice of 0, a volumetric overlap
        error of 1 and a sensitivity of 0. Averages over slices carry these numbers.
        """
        eps = 1e-10
        tp, tn, fp, fn = self.tp, self.tn, self.fp, self.fn
        jaccard = tp / (tp + fp + fn + eps)
        return {
            "dice": 2 * tp / (2 * tp + fp + fn + eps),
            "jaccard": jaccard,
            "voe": 1 - jaccard,
            "sensitivity": tp / (tp + fn + eps),
            "specificity": tn / (tn + fp + eps),
            "precision": tp / (tp + fp + eps),
            "accuracy": (tp + tn) / (tp + tn + fp + fn + eps),
            "relative_difference": (fp - fn) / (tp + fn + eps),
        }


def published_overlap(mask: NDArray[Any], reference: NDArray[Any], side: int) -> Overlap:
    """Count two 8-bit pictures as the DR-UNet program does: both resized, then white above 128.

    Parameters
    ----------
    mask, reference
        (rows, columns) from 0 to 255.
    side
        256 in its validation, 1400 in its test.
    """
    return Overlap.of(_resized(mask, side) > 128, _resized(reference, side) > 128)


def _resized(picture: NDArray[Any], side: int) -> NDArray[np.int64]:
    """Resize 8-bit grey as OpenCV does for the program: bilinear, in whole numbers of 1/2048."""
    if picture.shape == (side, side):
        return np.asarray(picture, dtype=np.int64)
    rows, columns = (_places(old, side) for old in picture.shape)
    wide = np.asarray(picture, dtype=np.int64)
    across = wide[:, columns[0]] * columns[2] + wide[:, columns[1]] * columns[3]
    upper = (rows[2][:, None] * (across[rows[0]] >> 4)) >> 16
    lower = (rows[3][:, None] * (across[rows[1]] >> 4)) >> 16
    return np.asarray((upper + lower + 2) >> 2)


def _places(old: int, new: int) -> tuple[NDArray[np.int64], ...]:
    """Return for each new pixel both old ones and their weights in 1/2048."""
    position = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    first = np.floor(position).astype(np.int64)
    share = (position - first).astype(np.float32)
    weights = (np.rint(part * 2048).astype(np.int64) for part in (1 - share, share))
    return (first, np.minimum(first + 1, old - 1), *weights)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
