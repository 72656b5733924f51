"""Where an implanted lesion lies: its recipe, and its map from the lesion's patient space to the host's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ctinsight.errors import GeometryError, WrongUseError
from ctinsight.finding import Side
from ctinsight.phantoms.lesions import rotation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.phantoms.shapes import Vector
    from ctinsight.volume import Grid

#: Mean attenuation in HU of acute blood that may be drawn.
BLOOD_HU: Final = (45.0, 75.0)
#: Share of the blood that automatic placing leaves outside the brain mask, where it is cut off.
SNAP_FRACTION: Final = 0.01
#: Extra-axial blood deeper than this beneath the surface of the brain mask is refused, in mm. The mask ends
#: at the inner table or 1-2 mm within it, and one voxel more is allowed for.
SURFACE_MM: Final = 4.0


@dataclass(frozen=True)
class ImplantRecipe:
    """How to implant; the same recipe into the same host gives the same bytes.

    Parameters
    ----------
    seed
        Chooses the noise inside the lesion.
    mean_hu
        Mean attenuation of the blood, 45 to 75 HU.
    scale
        Length factor; the volume grows with its cube.
    side
        Where the blood's centre shall lie: the patient's side of the brain's centre. The mask is mirrored
        when its own centre lies on the other half of its grid. ``None`` keeps it as it is.
    position_ras
        Where the blood's centroid goes, RAS mm. ``None``: as far from the brain's centre as it lay from the
        centre of its own grid; a lesion with extra-axial blood then slides outwards to the brain surface.
    rotation_degrees
        Turn about R, A and S through the blood's centroid.
    blood_labels, oedema_label, extra_axial_label
        Meaning of the labels. Oedema is drawn darker than the brain and is never truth.
    oedema_drop_hu
        How much darker.
    max_clipped_fraction
        Blood outside the brain mask is cut off up to this share; beyond it the position is refused.
    """

    seed: int = 0
    mean_hu: float = 60.0
    scale: float = 1.0
    side: Side | None = None
    position_ras: Vector | None = None
    rotation_degrees: Vector = (0.0, 0.0, 0.0)
    blood_labels: tuple[int, ...] = (1, 2, 4)
    oedema_label: int | None = 3
    extra_axial_label: int | None = 2
    oedema_drop_hu: float = 8.0
    max_clipped_fraction: float = 0.05

    def __post_init__(self) -> None:
        if not BLOOD_HU[0] <= self.mean_hu <= BLOOD_HU[1]:
            raise wrong_recipe(
                found=f"blood of {self.mean_hu:g} HU",
                expected=f"{BLOOD_HU[0]:g} to {BLOOD_HU[1]:g} HU",
                change="mean_hu",
            )
        if not 0.1 <= self.scale <= 5:
            raise wrong_recipe(found=f"a scale of {self.scale:g}", expected="0.1 to 5", change="scale")
        if self.side is Side.MIDLINE:
            raise wrong_recipe(found="the midline as a side", expected="left, right or none", change="side")
        if self.oedema_label in self.blood_labels:
            raise wrong_recipe(
                found=f"label {self.oedema_label} as blood and as oedema",
                expected="one of them",
                change="the labels",
            )


@dataclass(frozen=True, eq=False)
class Host:
    """The head that receives the lesion."""

    grid: Grid
    brain_kji: NDArray[np.bool_]

    @cached_property
    def centre_ras(self) -> NDArray[np.float64]:
        """Centroid of the brain mask, RAS mm."""
        counts = [self.brain_kji.sum(axis=tuple({0, 1, 2} - {axis})) for axis in (2, 1, 0)]
        total = max(1, int(counts[0].sum()))
        return self.grid.ras_from_ijk([float(np.arange(c.size) @ c) / total for c in counts])

    def in_brain(self, points_ras: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points (n, 3) lie in a voxel of the brain mask."""
        ijk = np.rint(self.grid.ijk_from_ras(points_ras)).astype(int)
        shape = np.array(self.grid.shape_kji[::-1])
        known = np.all((ijk >= 0) & (ijk < shape), axis=1)
        i, j, k = np.clip(ijk, 0, shape - 1).T
        return np.asarray(known & self.brain_kji[k, j, i])


@dataclass(frozen=True, eq=False)
class Lesion:
    """The labelmap that is implanted."""

    labels_kji: NDArray[np.integer]
    grid: Grid

    def points(self, labels: tuple[int, ...]) -> NDArray[np.float64]:
        """Voxel centres (n, 3) of some labels, RAS mm of the lesion's own space."""
        kji = np.argwhere(np.isin(self.labels_kji, labels))
        return self.grid.ras_from_ijk(kji[:, ::-1])

    def centre_ras(self) -> NDArray[np.float64]:
        """Middle of the lesion's grid."""
        return self.grid.ras_from_ijk((np.array(self.grid.shape_kji[::-1]) - 1) / 2)


@dataclass(frozen=True, eq=False)
class Placement:
    """Map from the lesion's space to the host's: mirror, scale and turn about the blood's centroid, move."""

    matrix: NDArray[np.float64]
    centroid: NDArray[np.float64]
    position: NDArray[np.float64]

    def to_host(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points (n, 3) of the lesion's space to the host's, RAS mm."""
        return np.asarray((points - self.centroid) @ self.matrix.T + self.position)

    def to_lesion(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points (n, 3) of the host's space to the lesion's, RAS mm."""
        return np.asarray((points - self.position) @ np.linalg.inv(self.matrix).T + self.centroid)


def place(host: Host, lesion: Lesion, recipe: ImplantRecipe) -> Placement:
    """Decide where the lesion goes, as the recipe says or at its natural place."""
    points = lesion.points(recipe.blood_labels)
    if len(points) == 0 or not host.brain_kji.any():
        empty = "the brain mask" if len(points) else f"a lesion without the labels {recipe.blood_labels}"
        raise wrong_recipe(
            found=f"no voxel in {empty}",
            expected="a lesion and a brain",
            change="the labelmap or blood_labels",
        )
    centroid = points.mean(axis=0)
    offset = centroid - lesion.centre_ras()
    own_side = Side.RIGHT if offset[0] >= 0 else Side.LEFT
    mirror = np.diag([-1.0 if recipe.side not in (None, own_side) else 1.0, 1.0, 1.0])
    matrix = recipe.scale * rotation(recipe.rotation_degrees) @ mirror
    if recipe.position_ras is not None:
        refuse_other_side(recipe.position_ras, host, recipe)
        return Placement(matrix, centroid, np.array(recipe.position_ras, dtype=np.float64))
    placement = Placement(matrix, centroid, host.centre_ras + mirror @ offset)
    return _slide_to_surface(host, lesion, placement, recipe)


def _slide_to_surface(host: Host, lesion: Lesion, placement: Placement, recipe: ImplantRecipe) -> Placement:
    """Move the lesion along the ray from the brain's centre until it is about to leave the brain mask.

    With extra-axial blood it moves outwards to touch the surface; without, only inwards when it must.
    """
    points = placement.to_host(lesion.points(recipe.blood_labels))
    edge = _extra_axial_points(lesion, recipe)
    aim = placement.to_host(edge).mean(axis=0) if len(edge) else placement.position
    ray = aim - host.centre_ras
    ray = ray / max(float(np.linalg.norm(ray)), 1e-6)

    def outside(shift_mm: float) -> float:
        return 1 - float(host.in_brain(points + shift_mm * ray).mean())

    if not len(edge) and outside(0) <= SNAP_FRACTION:
        return placement
    inner, outer = -80.0, 80.0 if len(edge) else 0.0
    while outer - inner > 0.25:
        middle = (inner + outer) / 2
        inner, outer = (middle, outer) if outside(middle) <= SNAP_FRACTION else (inner, middle)
    return replace(placement, position=placement.position + inner * ray)


def _extra_axial_points(lesion: Lesion, recipe: ImplantRecipe) -> NDArray[np.float64]:
    label = recipe.extra_axial_label
    return lesion.points((label,) if label is not None and label in recipe.blood_labels else ())


def refuse_other_side(position_ras: Vector, host: Host, recipe: ImplantRecipe) -> None:
    """Refuse a place that is not on the side the recipe asks for."""
    side = Side.RIGHT if position_ras[0] >= host.centre_ras[0] else Side.LEFT
    if recipe.side not in (None, side):
        raise wrong_recipe(
            found=f"a position on the patient's {side} (R = {position_ras[0]:g} mm)",
            expected=f"the {recipe.side} side, as the recipe says",
            change="side or position_ras",
        )


def refuse_deep(host: Host, lesion: Lesion, placement: Placement, recipe: ImplantRecipe) -> None:
    """Refuse extra-axial blood none of which reaches the brain surface."""
    edge = _extra_axial_points(lesion, recipe)
    if not len(edge):
        return
    allowed_mm = SURFACE_MM + max(host.grid.spacing_ijk_mm)
    points = placement.to_host(edge)
    out = points - host.centre_ras
    out = out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
    if bool(host.in_brain(points + allowed_mm * out).all()):
        raise wrong_recipe(
            found=f"extra-axial blood that lies more than {allowed_mm:.1f} mm beneath the brain surface",
            expected="its outermost part at the surface",
            change="position_ras (or leave it out: the lesion then slides to the surface)",
        )


def refuse_shape(mask: NDArray[Any], grid: Grid, name: str) -> None:
    """Refuse a mask that does not fit its grid."""
    if mask.shape != grid.shape_kji:
        raise GeometryError(
            found=f"a {name} of shape {mask.shape} on a grid of {grid.shape_kji}",
            expected="the same shape",
            remedy=f"Give the {name} on its own grid.",
        )


def wrong_recipe(*, found: str, expected: str, change: str) -> WrongUseError:
    """Make the error that names what of the recipe to change."""
    return WrongUseError(found=found, expected=expected, remedy=f"Change {change}.")
