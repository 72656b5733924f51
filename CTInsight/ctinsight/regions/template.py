"""A head in template space: CT in HU, brain, arterial territories, and the prior of the MCA territory.

Every template is aligned with the patient axes: +x is the head's right, and x = 0 is its midsagittal plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from ctinsight.regions.brain import extract_brain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.finding import Side
    from ctinsight.volume import Grid, Volume

#: Value of the template of Rorden et al. 2012 -> HU: their "Cormack" scale begins at -1024 HU and stretches
#: -124 to 76 HU eleven times, for brain; its ventricles then read 3 HU, its brain 30 HU
#: (doi 10.1016/j.neuroimage.2012.03.020).
_CORMACK = (0.0, 900.0, 3100.0, 6100.0)
_CORMACK_HU = (-1024.0, -124.0, 76.0, 3076.0)
#: Width of the MCA prior: labels smoothed by 8 mm correlate 0.84 in the brain with the published system's own
#: probability map, which cannot be used here for its licence.
PRIOR_SIGMA_MM = 8.0


@dataclass(frozen=True)
class Territory:
    """One arterial territory: its label, full name, artery (ACA, MCA, PCA, VB; LV is a ventricle), side."""

    label: int
    name: str
    artery: str
    side: Side

    @property
    def place(self) -> str:
        """The name without its side, which both halves share."""
        return self.name.removesuffix(f" {self.side.value}")


@dataclass(frozen=True, eq=False)
class Template:
    """A head to which patients are brought.

    Parameters
    ----------
    name
        Machine name, for the manifest.
    volume
        CT in HU.
    labels_kji, label_grid
        Territories (uint8, 0 is none) on a grid of their own in the same space.
    territories
        What the labels mean.
    source
        Licence and citation, said in every result.
    """

    name: str
    volume: Volume
    labels_kji: NDArray[np.uint8]
    label_grid: Grid
    territories: tuple[Territory, ...]
    source: str

    @cached_property
    def brain_kji(self) -> NDArray[np.bool_]:
        """Intracranial content on the grid of ``volume``, found as in a patient."""
        return extract_brain(self.volume).mask_kji

    @cached_property
    def mca_prior_kji(self) -> NDArray[np.float32]:
        """Share (0 to 1) of MCA territory around each voxel of ``label_grid``, both halves alike."""
        mca = [t.label for t in self.territories if t.artery == "MCA"]
        inside = np.isin(self.labels_kji, mca).astype(np.float32)
        either = np.maximum(inside, mirrored_at_zero(inside, self.label_grid))
        sigma = [PRIOR_SIGMA_MM / mm for mm in self.label_grid.spacing_kji_mm]
        return np.asarray(ndimage.gaussian_filter(either, sigma), dtype=np.float32)


def mirrored_at_zero(array_kji: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Mirror an array of an axis-aligned grid at the plane x = 0, by the nearest voxel; 0 beyond."""
    count = grid.shape_kji[2]
    x_mm = grid.ijk_to_ras[0, 0] * np.arange(count) + grid.ijk_to_ras[0, 3]
    wanted = np.rint((-x_mm - grid.ijk_to_ras[0, 3]) / grid.ijk_to_ras[0, 0]).astype(int)
    known = (wanted >= 0) & (wanted < count)
    flipped = array_kji[:, :, np.clip(wanted, 0, count - 1)]
    return np.asarray(np.where(known, flipped, np.zeros((), dtype=array_kji.dtype)))


def hu_from_cormack(values: NDArray[Any]) -> NDArray[np.float32]:
    """Turn values of the "Cormack" scale into HU.

    Examples
    --------
    >>> hu_from_cormack(np.array([0.0, 900.0, 2000.0, 3100.0, 3300.0])).tolist()
    [-1024.0, -124.0, -24.0, 76.0, 276.0]
    """
    return np.asarray(np.interp(values, _CORMACK, _CORMACK_HU), dtype=np.float32)
