"""Sac, maxilla and nasal cavity of one case, the midline between the sides, and the operated side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import GeometryError, WrongUseError
from ctinsight.finding import Side
from ctinsight.resample import reorientation
from ctinsight.tasks.dcr.published import LabelledMasks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid, Volume

    Mask = NDArray[np.bool_]


class Label(IntEnum):
    """Labels of DeepDCR's data description."""

    SAC = 1
    MAXILLA = 2
    NASAL = 3


#: Tissue is brighter than this; air of the surroundings is darker.
_BODY_HU = -300.0
#: Air that must be seen beside the face, mm, and half the height of the slab that is looked at.
_AIR_BESIDE_MM, _SLAB_MM = 3.0, 6.0
#: Depth of the strips whose middles are taken, and how many are needed.
_STRIP_MM, _LEAST_STRIPS = 2.0, 4
#: A sac nearer to the midline than this does not tell its side.
UNSURE_MM = 4.0


@dataclass(frozen=True, eq=False)
class Anatomy:
    """The masks of a case on the grid of the CT.

    Parameters
    ----------
    sac_kji, maxilla_kji, nasal_kji
        (slices, rows, columns) bool, as drawn: one side or both.
    grid
        Of the CT.
    midline_r_mm
        R coordinate of the middle of the face; ``None`` when it cannot be seen.
    """

    sac_kji: Mask
    maxilla_kji: Mask
    nasal_kji: Mask
    grid: Grid
    midline_r_mm: float | None = None

    def on(self, side: Side) -> Anatomy:
        """Return one side alone; everything counts where the midline is not known."""
        if self.midline_r_mm is None:
            return self
        right = r_mm(self.grid) > self.midline_r_mm
        own = right if side is Side.RIGHT else ~right
        return replace(
            self,
            sac_kji=self.sac_kji & own,
            maxilla_kji=self.maxilla_kji & own,
            nasal_kji=self.nasal_kji & own,
        )

    def lps(self) -> LabelledMasks:
        """Return the masks in LPS order: columns to the left, rows backwards, slices upwards."""
        turn = reorientation(self.grid)
        return LabelledMasks(
            turn.apply(self.sac_kji),
            turn.apply(self.maxilla_kji),
            turn.apply(self.nasal_kji),
            turn.grid.spacing_kji_mm,
        )

    @property
    def labelmap_kji(self) -> NDArray[np.uint8]:
        """uint8 with the labels of :class:`Label`."""
        labels = np.zeros(self.grid.shape_kji, dtype=np.uint8)
        labels[self.nasal_kji] = Label.NASAL
        labels[self.maxilla_kji] = Label.MAXILLA
        labels[self.sac_kji] = Label.SAC
        return labels


def anatomy_of(labelmap_kji: NDArray[np.integer], volume: Volume) -> Anatomy:
    """Take a labelmap apart and find the midline.

    Raises
    ------
    GeometryError
        The labelmap is not on the grid of the CT.
    """
    if labelmap_kji.shape != volume.grid.shape_kji:
        raise GeometryError(
            found=f"a labelmap of shape {labelmap_kji.shape} for a CT of {volume.grid.shape_kji}",
            expected="a labelmap on the grid of the CT",
            remedy="Resample the labelmap to the CT first.",
        )
    masks = [np.asarray(labelmap_kji == label) for label in Label]
    known = Anatomy(masks[0], masks[1], masks[2], volume.grid)
    return replace(known, midline_r_mm=find_midline(volume, known))


def r_mm(grid: Grid) -> NDArray[np.float64]:
    """Return the R coordinate of every voxel centre, shaped to broadcast over (slices, rows, columns)."""
    k, j, i = (np.arange(n, dtype=np.float64) for n in grid.shape_kji)
    row = grid.ijk_to_ras[0]
    return np.asarray(
        row[2] * k[:, None, None] + row[1] * j[None, :, None] + row[0] * i[None, None, :] + row[3]
    )


def find_midline(volume: Volume, anatomy: Anatomy) -> float | None:
    """Find the R coordinate midway between both sides of the face, at the height of the masks.

    Strips across the face count where air is seen at both ends; the midline is the median of their middles.

    Returns
    -------
    float or None
        mm; ``None`` where the image shows too little of the face, or where nothing is drawn.
    """
    drawn = np.argwhere(anatomy.sac_kji if anatomy.sac_kji.any() else anatomy.labelmap_kji > 0)
    if len(drawn) == 0:
        return None
    grid, step = volume.grid, max(1, round(1.0 / min(volume.grid.spacing_ijk_mm)))
    centre = grid.ras_from_ijk(drawn.mean(axis=0)[::-1])
    k, j, i = np.indices(tuple(-(-n // step) for n in grid.shape_kji)) * step
    places = np.stack([k.ravel(), j.ravel(), i.ravel()], axis=1)
    ras = grid.ras_from_ijk(places[:, ::-1])
    slab = np.abs(ras[:, 2] - centre[2]) < _SLAB_MM
    places, ras = places[slab], ras[slab]
    body = volume.array_kji[tuple(places.T)] > _BODY_HU
    middles = _strip_middles(ras, body)
    return float(np.median(middles)) if len(middles) >= _LEAST_STRIPS else None


def _strip_middles(ras: NDArray[np.float64], body: NDArray[np.bool_]) -> list[float]:
    strips = np.floor(ras[:, 1] / _STRIP_MM).astype(int)
    found = []
    for strip in np.unique(strips):
        own = strips == strip
        seen, tissue = ras[own, 0], ras[own & body, 0]
        if len(tissue) < 10:
            continue
        low, high = float(tissue.min()), float(tissue.max())
        if low - seen.min() > _AIR_BESIDE_MM and seen.max() - high > _AIR_BESIDE_MM:
            found.append((low + high) / 2)
    return found


def sac_sides(anatomy: Anatomy) -> tuple[Side, ...]:
    """Name the sides on which sac is drawn; empty without a sac or without a midline."""
    if anatomy.midline_r_mm is None or not anatomy.sac_kji.any():
        return ()
    distance = np.broadcast_to(r_mm(anatomy.grid), anatomy.grid.shape_kji)[anatomy.sac_kji]
    distance = distance - anatomy.midline_r_mm
    # A few voxels over the midline are no second sac.
    sides = ((Side.RIGHT, distance > 0), (Side.LEFT, distance < 0))
    return tuple(side for side, own in sides if own.mean() > 0.05 and abs(distance[own].mean()) > UNSURE_MM)


def operated_side(anatomy: Anatomy, stated: Side | None) -> Side:
    """Decide the operated side; what the user states is never swapped.

    Raises
    ------
    WrongUseError
        The sac lies on the other side than stated; or nothing is stated and the masks do not tell.
    """
    seen = sac_sides(anatomy)
    if stated is None:
        if len(seen) == 1:
            return seen[0]
        raise WrongUseError(
            found="sacs on both sides" if seen else "no sac whose side can be seen",
            expected="the operated side",
            remedy="State it: --side left or --side right (the patient's own).",
        )
    if seen and stated not in seen:
        raise WrongUseError(
            found=f"operated side {stated.value}, but the sac lies on the patient's {seen[0].value}",
            expected="the sac on the operated side",
            remedy="Check the side in the patient's record. If it is as stated, the mask or the orientation"
            " of the image is wrong: draw the sac on the operated side, or load the original series.",
        )
    return stated
