"""Noise of a CT: measure it where the tissue is plain, and draw more of the same kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Brain tissue without CSF, blood or calcium, in HU: noise is measured here.
TISSUE_HU: Final = (10.0, 60.0)
#: A mean absolute deviation times this is a standard deviation of Gaussian noise: sqrt(pi / 2).
MEAN_TO_SD: Final = 1.2533
#: Noise is measured in this share of the tissue, where the smoothed image is flattest.
FLAT_SHARE: Final = 0.3
#: Width of that smoothing in voxels.
FLAT_VOXELS: Final = 3.0
#: Largest neighbour correlation that the 3-tap kernel of :func:`correlated_noise` reaches: 1/sqrt(2).
MAX_CORRELATION: Final = 0.70
#: Fewer pairs than this give no measurement; the noise is then taken as :data:`FALLBACK_HU`.
MIN_PAIRS: Final = 200
FALLBACK_HU: Final = 4.0


@dataclass(frozen=True)
class NoiseLevel:
    """Noise of an image: standard deviation, and correlation of neighbours in the slice.

    ``measured`` is false where too little plain tissue was there and usual values stand in.
    """

    sd_hu: float
    correlation: float
    measured: bool = True


def measure_noise(array_kji: NDArray[np.floating], tissue_kji: NDArray[np.bool_]) -> NoiseLevel:
    """Measure noise from differences of voxels three columns and one column apart.

    Parameters
    ----------
    array_kji
        (slices, rows, columns), HU.
    tissue_kji
        Where to look; voxels outside 10 to 60 HU are left out.

    Notes
    -----
    Differences of neighbours cancel the anatomy, and only its flattest parts are used. Noise three voxels
    apart is taken as independent.
    """
    tissue = tissue_kji & (array_kji > TISSUE_HU[0]) & (array_kji < TISSUE_HU[1])
    if int(tissue.sum()) < MIN_PAIRS:
        return NoiseLevel(FALLBACK_HU, 0.5, measured=False)
    steep = _steepness(np.clip(array_kji, 0, 2 * TISSUE_HU[1]))
    tissue &= steep <= np.quantile(steep[tissue], FLAT_SHARE)
    far, near = _difference_sd(array_kji, tissue, 3), _difference_sd(array_kji, tissue, 1)
    if far is None or near is None or far <= 0:
        return NoiseLevel(FALLBACK_HU, 0.5, measured=False)
    correlation = float(np.clip(1 - (near / far) ** 2, 0, MAX_CORRELATION))
    return NoiseLevel(far / float(np.sqrt(2)), correlation)


def _difference_sd(array: NDArray[np.floating], tissue: NDArray[np.bool_], lag: int) -> float | None:
    pairs = tissue[..., lag:] & tissue[..., :-lag]
    if int(pairs.sum()) < MIN_PAIRS:
        return None
    difference = (array[..., lag:] - array[..., :-lag])[pairs]
    return MEAN_TO_SD * float(np.abs(difference).mean())


def _steepness(array_kji: NDArray[np.floating]) -> NDArray[np.floating]:
    """Steepness of the smoothed image within each slice, HU per voxel."""
    down = ndimage.gaussian_filter(array_kji, (0, FLAT_VOXELS, FLAT_VOXELS), order=(0, 1, 0))
    across = ndimage.gaussian_filter(array_kji, (0, FLAT_VOXELS, FLAT_VOXELS), order=(0, 0, 1))
    return np.asarray(np.hypot(down, across))


def correlated_noise(
    rng: np.random.Generator, shape_kji: tuple[int, int, int], level: NoiseLevel
) -> NDArray[np.float32]:
    """Draw Gaussian noise with this standard deviation and neighbour correlation in the slice.

    White noise is smoothed by the kernel (s, 1, s) along rows and columns; neighbours then correlate by
    2 s / (1 + 2 s**2), which is solved for s.
    """
    k, j, i = shape_kji
    white = rng.standard_normal((k, j + 2, i + 2), dtype=np.float32)
    rho = min(level.correlation, MAX_CORRELATION)
    side = (1 - np.sqrt(1 - 2 * rho**2)) / (2 * rho) if rho > 1e-3 else 0.0
    side = float(side)
    smooth = white[:, 1:-1] + side * (white[:, :-2] + white[:, 2:])
    smooth = smooth[..., 1:-1] + side * (smooth[..., :-2] + smooth[..., 2:])
    return np.asarray(smooth * (level.sd_hu / (1 + 2 * side**2)), dtype=np.float32)
