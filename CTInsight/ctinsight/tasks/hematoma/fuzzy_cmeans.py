"""Fuzzy c-means on a histogram: exact for the binned values, and independent of the number of voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import ProcessingFailedError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class FuzzyClasses:
    """The result of fuzzy c-means: class centers in rising order, and how it got there."""

    centers_hu: tuple[float, ...]
    fuzziness: float
    iterations: int

    def membership(self, values_hu: ArrayLike) -> NDArray[np.float64]:
        """Return the membership (0 to 1) of each value in each class, classes first; they add up to 1."""
        return membership(np.asarray(values_hu, dtype=np.float64), np.array(self.centers_hu), self.fuzziness)


def membership(
    values_hu: NDArray[np.float64], centers_hu: NDArray[np.float64], fuzziness: float = 2.0
) -> NDArray[np.float64]:
    """Return Bezdek's membership u of values (n,) in classes (c,): array (c, n) of columns that add up to 1.

    Examples
    --------
    A value a third of the way between two centers has squared distances 1 : 4, so for m = 2 memberships 4 :
    1.

    >>> membership(np.array([10.0]), np.array([0.0, 30.0])).round(3).ravel().tolist()
    [0.8, 0.2]
    """
    squared = (values_hu[None, :] - centers_hu[:, None]) ** 2
    inverse = np.maximum(squared, 1e-12) ** (-1.0 / (fuzziness - 1.0))
    return np.asarray(inverse / inverse.sum(axis=0, keepdims=True))


def fuzzy_c_means(
    values_hu: NDArray[np.float64],
    counts: NDArray[np.float64],
    start_centers_hu: ArrayLike,
    *,
    fuzziness: float = 2.0,
    tolerance_hu: float = 1e-3,
    max_iterations: int = 500,
) -> FuzzyClasses:
    """Cluster a histogram by fuzzy c-means.

    Alternates memberships and centers until no center moves by more than the tolerance. Each bin counts as
    often as it was hit, which is the same as clustering every voxel by itself.

    Parameters
    ----------
    values_hu
        (n,) bin centers.
    counts
        (n,) how many voxels each bin holds; not negative, not all zero.
    start_centers_hu
        (c,) first guess; their number is the number of classes.
    fuzziness
        Bezdek's m, larger than 1; 2 as usual.

    Raises
    ------
    ProcessingFailedError
        The centers did not settle.
    ValueError
        Shapes differ, no count, or m is not above 1.

    References
    ----------
    Bezdek, Ehrlich, Full: FCM, the fuzzy c-means clustering algorithm. Computers & Geosciences
    1984;10:191-203. doi 10.1016/0098-3004(84)90020-7
    """
    centers = np.sort(np.asarray(start_centers_hu, dtype=np.float64))
    if values_hu.shape != counts.shape or counts.sum() <= 0 or counts.min() < 0 or fuzziness <= 1:
        msg = f"{values_hu.shape} values, {counts.shape} counts with sum {counts.sum()}, m = {fuzziness}"
        raise ValueError(msg)
    for iteration in range(1, max_iterations + 1):
        weight = counts * membership(values_hu, centers, fuzziness) ** fuzziness
        moved = weight @ values_hu / np.maximum(weight.sum(axis=1), 1e-300)
        step = float(np.abs(moved - centers).max())
        centers = moved
        if step < tolerance_hu:
            return FuzzyClasses(tuple(np.sort(centers).tolist()), fuzziness, iteration)
    raise ProcessingFailedError(
        found=f"class centers that still move by {step:.3f} HU after {max_iterations} rounds",
        expected=f"less than {tolerance_hu} HU",
        remedy="Use the threshold method, or look at the image for artefacts.",
    )
