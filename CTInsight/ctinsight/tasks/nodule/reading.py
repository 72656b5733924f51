"""One nodule as it is measured: its fine mask and solid part, and the same on the voxels of the CT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.regions.lungs import cube_grid, lung_patch, pleura_near
from ctinsight.tasks.nodule.cube import cut_cube
from ctinsight.tasks.nodule.levels import middle_level, rim_level
from ctinsight.tasks.nodule.type import NoduleType, TypeReading, read_type

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.regions.lungs import LungField
    from ctinsight.tasks.nodule.cube import Cube, Point
    from ctinsight.tasks.nodule.parameters import Parameters
    from ctinsight.tasks.nodule.segment import Outline
    from ctinsight.volume import Grid, Volume

#: Lung around a drawn mask in its cube, mm; and the cube's voxel, as a share of the CT's finest.
DRAWN_MARGIN_MM, DRAWN_SHARE = 6.0, 0.5
#: Samples within a voxel of the CT are at most this far apart, mm.
SAMPLE_MM = 0.35


@dataclass(frozen=True, eq=False)
class Shape:
    """A nodule on its fine cube, ready to be measured.

    Parameters
    ----------
    cube, mask_kji
        The nodule.
    type_reading
        Its type and solid part.
    rim_hu, lung_hu
        Density of its outer part and of the lung around.
    outline
        How it was found; ``None`` for a mask that was drawn.
    click_ras
        The user's point, when there was one.
    """

    cube: Cube
    mask_kji: NDArray[np.bool_]
    type_reading: TypeReading
    rim_hu: float
    lung_hu: float
    outline: Outline | None = None
    click_ras: Point | None = None

    @property
    def volume_mm3(self) -> float:
        """Volume of the fine mask."""
        return float(self.mask_kji.sum()) * self.cube.spacing_mm**3

    @property
    def centre_ras(self) -> Point:
        """Centre of mass, RAS mm."""
        return self.cube.point_of_mass(self.mask_kji)


def shape_of(outline: Outline, click_ras: Point, parameters: Parameters) -> Shape:
    """Read the type of an outlined nodule."""
    balance = outline.balance
    reading = read_type(outline.cube, outline.mask_kji, balance.rim_hu, parameters.solid_threshold_hu)
    return Shape(outline.cube, outline.mask_kji, reading, balance.rim_hu, balance.lung_hu, outline, click_ras)


def native_labels(shape: Shape, grid: Grid) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Nodule and solid part on the CT's grid: voxels filled by half or more.

    The solid part of a nodule that is solid throughout is left empty: there is one segment then.
    """
    mask = filled_voxels(shape.cube, shape.mask_kji, grid)
    solid = np.zeros_like(mask)
    if shape.type_reading.kind is NoduleType.PART_SOLID:
        solid = filled_voxels(shape.cube, shape.type_reading.solid_kji, grid) & mask
    return mask, solid


def filled_voxels(cube: Cube, mask_kji: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    """Voxels of a grid of which a fine mask fills half or more; the fullest one when none is."""
    found = np.zeros(grid.shape_kji, dtype=np.bool_)
    kji = np.argwhere(mask_kji)
    if len(kji) == 0:
        return found
    ijk = grid.ijk_from_ras(cube.grid.ras_from_ijk(kji[:, ::-1]))
    shape = np.array(grid.shape_kji[::-1])
    low = np.clip(np.floor(ijk.min(axis=0)) - 1, 0, shape - 1).astype(int)
    high = np.clip(np.ceil(ijk.max(axis=0)) + 2, low + 1, shape).astype(int)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low[::-1], high[::-1], strict=True))
    share = _filled_share(cube, mask_kji.astype(np.float32), grid, (low, high))
    found[box] = share >= min(0.5, float(share.max()))
    return found


def _filled_share(
    cube: Cube, soft_kji: NDArray[np.float32], grid: Grid, box_ijk: tuple[NDArray[np.int_], NDArray[np.int_]]
) -> NDArray[np.float32]:
    """Mean of regular samples of a fine mask in every voxel of a box of the grid."""
    low, high = box_ijk
    to_cube = cube.grid.ras_to_ijk @ grid.ijk_to_ras
    counts = [max(2, int(np.ceil(mm / SAMPLE_MM))) for mm in grid.spacing_ijk_mm]
    ticks = [(np.arange(n) + 0.5) / n - 0.5 for n in counts]
    offsets = np.stack([a.ravel() for a in np.meshgrid(*ticks, indexing="ij")], axis=1)
    total = np.zeros(tuple(int(n) for n in (high - low)[::-1]), dtype=np.float32)
    for offset in offsets:
        start = to_cube[:3, :3] @ (low + offset) + to_cube[:3, 3]
        total += ndimage.affine_transform(
            soft_kji, to_cube[:3, :3][::-1, ::-1], start[::-1], output_shape=total.shape, order=1
        )
    return total / np.float32(len(offsets))


@dataclass(frozen=True, eq=False)
class Drawing:
    """Nodule and solid part (may be empty) as a person left them, on the CT's grid."""

    mask_kji: NDArray[np.bool_]
    solid_kji: NDArray[np.bool_]


def drawn_shape(volume: Volume, field: LungField, drawing: Drawing, parameters: Parameters) -> Shape:
    """Take a mask of the CT's own voxels as it is.

    Parameters
    ----------
    volume
        The CT.
    field
        Its lungs.
    drawing
        What was drawn.
    parameters
        For the solid threshold, which finds the solid part when none was drawn.
    """
    grid, mask_kji, solid_kji = volume.grid, drawing.mask_kji, drawing.solid_kji
    kji = np.argwhere(mask_kji)
    corners = grid.ras_from_ijk(kji[:, ::-1])
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    centre = (float(middle[0]), float(middle[1]), float(middle[2]))
    half = float((corners.max(axis=0) - corners.min(axis=0)).max()) / 2
    half += DRAWN_MARGIN_MM + max(grid.spacing_ijk_mm)
    spacing = max(DRAWN_SHARE * min(grid.spacing_ijk_mm), half / 90.0)
    patch = lung_patch(volume, field, centre)
    cube = cut_cube(volume, patch, pleura_near(patch, centre), cube_grid(centre, half, spacing))
    mask = look_up(cube, mask_kji, grid)
    rim = rim_level(cube, mask)
    rim = middle_level(cube, mask) if rim is None else rim
    reading = read_type(cube, mask, rim, parameters.solid_threshold_hu)
    if solid_kji.any():
        drawn = look_up(cube, solid_kji, grid)
        reading = TypeReading(NoduleType.PART_SOLID, drawn, "the solid part was drawn by a person")
    return Shape(cube, mask, reading, rim, cube.background_hu)


def look_up(cube: Cube, mask_kji: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    """Look a mask of the CT's grid up at every voxel of a cube."""
    matrix = np.round(grid.ras_to_ijk @ cube.grid.ijk_to_ras, 9)
    found = ndimage.affine_transform(
        mask_kji.astype(np.uint8),
        matrix[:3, :3][::-1, ::-1],
        matrix[:3, 3][::-1],
        output_shape=cube.grid.shape_kji,
        order=0,
        mode="constant",
    )
    return np.asarray(found > 0)


def edited_shape(shape: Shape, volume: Volume, drawing: Drawing, parameters: Parameters) -> Shape | None:
    """Carry an edit of the CT's voxels over to the fine mask.

    Voxels that were added count whole, voxels that were removed are gone, the rest keeps its fine border.

    Returns
    -------
    Shape or None
        ``None`` when the edit reaches out of the fine cube: then the mask must be taken as it is.
    """
    grid, cube = volume.grid, shape.cube
    mask_kji, solid_kji = drawing.mask_kji, drawing.solid_kji
    before, solid_before = native_labels(shape, grid)
    if np.array_equal(before, mask_kji) and np.array_equal(solid_before, solid_kji):
        return shape
    added, removed = mask_kji & ~before, before & ~mask_kji
    if not _inside(cube, added, grid):
        return None
    fine = (shape.mask_kji & ~look_up(cube, removed, grid)) | look_up(cube, added, grid)
    fine &= look_up(cube, ndimage.binary_dilation(mask_kji, np.ones((3, 3, 3), dtype=np.bool_)), grid)
    reading = read_type(cube, fine, shape.rim_hu, parameters.solid_threshold_hu)
    if not np.array_equal(solid_before, solid_kji):
        solid = shape.type_reading.solid_kji & ~look_up(cube, solid_before & ~solid_kji, grid)
        solid = (solid | look_up(cube, solid_kji & ~solid_before, grid)) & fine
        kind = NoduleType.PART_SOLID if solid.any() else reading.kind
        reading = TypeReading(kind, solid, "the solid part was edited by a person")
    return Shape(cube, fine, reading, shape.rim_hu, shape.lung_hu, None, shape.click_ras)


def _inside(cube: Cube, mask_kji: NDArray[np.bool_], grid: Grid) -> bool:
    kji = np.argwhere(mask_kji)
    if len(kji) == 0:
        return True
    ijk = cube.grid.ijk_from_ras(grid.ras_from_ijk(kji[:, ::-1]))
    margin = max(grid.spacing_ijk_mm) / cube.spacing_mm
    return bool(np.all(ijk >= margin) and np.all(ijk <= np.array(cube.grid.shape_kji[::-1]) - 1 - margin))
