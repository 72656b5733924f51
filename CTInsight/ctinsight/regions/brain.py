"""The intracranial space on a head CT, without weights.

The method is ours, for this project; its parts are classical. On 2 mm cubes:

1. the *core* is the soft tissue farther than 20 mm from any bone, fat or air: it lies in a cranium when
   what is nearest to it is bone nearly everywhere (a chest or a bottle of water fails here);
2. a marker-based watershed floods a landscape of attenuation from the core and from the outside (air, fat,
   face and neck muscle); both floods meet on the crest of the skull, however thin it is, so no threshold
   has to be leak-proof and a bleed that touches the skull stays inside;
3. below the widest section the region is followed downwards until it is as narrow as a foramen magnum;
4. the border is decided on the native voxels.

Slices exported with a brain window show neither bone nor air; there the thick white shell stands for bone,
see :mod:`ctinsight.regions.windowed`.

References
----------
Meyer F. The watershed concept and its use in segmentation: a brief history. 2012.
doi:10.48550/arXiv.1202.0216
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK
from scipy import ndimage

from ctinsight.errors import InputRefusedError
from ctinsight.regions.windowed import is_windowed, with_bone_and_air
from ctinsight.regions.worksheet import WORK_MM, Worksheet, worksheet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid, Volume

    Mask = NDArray[np.bool_]
    Field = NDArray[np.floating]

#: Bone on 2 mm means. Clotted blood stays below about 100 HU; a squama of 1 mm beside brain averages higher.
BONE_HU = 160.0
#: Fat and air on 2 mm means; CSF in a beam-hardening band stays above.
FAT_HU = -30.0

_CORE_DEPTH_MM = 20.0  # farther from the skull than a foramen magnum is wide (radius 15 to 18 mm)
_MARKER_DEPTH_MM = 9.0  # an orbit fissure or a jugular foramen is narrower than 18 mm
_MARKER_BRIGHTER_HU = 25.0  # above the median brain: faint bone, blood; both only leave the marker
_PLATEAU_HU = 6.0  # grey and white matter differ by no more from their mean: no ridges inside the brain
_DEPTH_SLOPE_HU_PER_MM = 1.0  # on that plateau the floods meet where the passage is narrowest
_DEPTH_REACH_MM = 10.0
# The native border: a third of the way from brain to the brightest bone within 4 mm. Half-way would be the
# unbiased edge of a thick wall; a little less keeps half-bone voxels out. Measured on phantoms with blood on
# the skull: no voxel of blood under 120 HU is lost.
_CREST_CUBES = 5
_BORDER_FRACTION = 0.35
_BORDER_LIMITS_HU = (110.0, 240.0)  # above the brightest clot; below spongy bone
_DENSE_BORDER_HU = 230.0  # beside a wall of 600 HU or more the native voxels decide alone
_SMOOTHING_MM = 1.0  # of the outline in each slice
_DENSE_REACH_MM = 2.5
_FAINT_REACH_MM = 0.5  # elsewhere (clefts, foramen, blurred bone) the cubes do
_OPENING_MM = 5.0  # soft tissue within 10 mm wide clefts of the skull base is not brain
_FORAMEN_CM2 = 8.0  # foramen magnum of an adult: an ellipse of 35 x 30 mm has 8.2 cm2
_NECK_CM2 = 18.0  # a section this small that widens again below has left the cranium
_ENCLOSED_MINIMUM = 0.6  # measured: real head 1.00, CT template with blurred base 0.85, chest 0.35
_VOLUME_LIMITS_ML = (150.0, 2600.0)
_BRAIN_MEDIAN_HU = (8.0, 70.0)

_REMEDY = (
    "Choose the axial head CT series that covers the whole brain, and check the voxel spacing that it states."
)
_WINDOWED_REMEDY = (
    "These slices were exported with a narrow window, which clips skull and air: use the DICOM series, or "
    "export with a window that holds at least -200 to 300 HU and name it with --window CENTER,WIDTH."
)


@dataclass(frozen=True, eq=False)
class BrainExtraction:
    """The intracranial content (brain, CSF, blood, membranes; no skull) on the grid of the CT.

    Parameters
    ----------
    mask_kji
        (slices, rows, columns), bool.
    grid
        The grid of the CT.
    volume_ml
        Volume of the mask in mL.
    median_hu
        Median attenuation in it, in HU.
    enclosed_fraction
        Share (0 to 1) of the surface of its core whose nearest neighbour is bone.
    top_area_cm2, bottom_area_cm2
        Area of the mask in the uppermost and the lowest slice of the volume, in cm²; not 0 means that the
        scan ends inside the cranium.
    """

    mask_kji: Mask
    grid: Grid
    volume_ml: float
    median_hu: float
    enclosed_fraction: float
    top_area_cm2: float
    bottom_area_cm2: float


@dataclass(frozen=True, eq=False)
class _Cranium:
    """What the first look at the working cubes gives."""

    smooth_hu: Field
    core: Mask
    depth_mm: Field
    beside_bone: Mask
    enclosed_fraction: float
    median_hu: float


def extract_brain(volume: Volume) -> BrainExtraction:
    """Find the intracranial content of a head CT of any orientation, spacing or obliquity.

    Parameters
    ----------
    volume
        Head CT in HU.

    Returns
    -------
    BrainExtraction
        The mask on the grid of ``volume``: everything inside the skull down to the foramen magnum. Bleeds
        that touch the skull are in it; orbits, sinuses, scalp, head holder and spinal canal are not.

    Raises
    ------
    InputRefusedError
        No brain in a skull is in the field of view, or the region found has a volume that no whole brain has
        (false voxel spacing, a part of the head); choose or repair the head CT.
    """
    sheet = worksheet(volume)  # refuses impossible extents before anything is copied
    if not is_windowed(volume):
        return _extracted(volume, sheet)
    shown = with_bone_and_air(volume)
    try:
        return _extracted(shown, worksheet(shown))
    except InputRefusedError as error:
        remedy = f"{_WINDOWED_REMEDY} {error.remedy}"
        raise InputRefusedError(found=error.found, expected=error.expected, remedy=remedy) from error


def _extracted(volume: Volume, sheet: Worksheet) -> BrainExtraction:
    cranium = _cranium(sheet)
    inside = _inside(sheet, cranium)
    inside = _cut_at_foramen(inside, cranium.core)
    mask = _refined(volume, sheet, inside, _border_hu(sheet, cranium))
    return _measured(volume, sheet, cranium, mask)


def _cranium(sheet: Worksheet) -> _Cranium:
    hu = sheet.array_zyx
    smooth = ndimage.gaussian_filter(hu, 0.7)
    bone = _without_islands(hu > BONE_HU)
    soft = ~bone & (smooth > FAT_HU + 5)
    if not soft.any() or not bone.any():
        raise _no_head("no bone around soft tissue" if soft.any() else "no soft tissue")
    depth, nearest = ndimage.distance_transform_edt(soft, sampling=WORK_MM, return_indices=True)
    beside_bone = bone[tuple(nearest)]
    core, enclosed = _best_core(depth.astype(np.float32), beside_bone)
    median = float(np.median(hu[core]))
    if not _BRAIN_MEDIAN_HU[0] <= median <= _BRAIN_MEDIAN_HU[1]:
        found = f"a skull-like shell around {median:.0f} HU"
        raise _no_head(found)
    return _Cranium(smooth, core, depth.astype(np.float32), beside_bone, enclosed, median)


def _best_core(depth_mm: Field, beside_bone: Mask) -> tuple[Mask, float]:
    """Choose the largest deep region, weighed by how much of what surrounds it is bone."""
    labels, _ = ndimage.label(depth_mm > _CORE_DEPTH_MM)
    best_score, best, best_enclosed = 0.0, 0, 0.0
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        region = labels[box] == label
        shell = region & (depth_mm[box] < _CORE_DEPTH_MM + 1.5 * WORK_MM)
        enclosed = float(beside_bone[box][shell].mean()) if shell.any() else 0.0
        score = float(region.sum()) * enclosed**2
        if score > best_score:
            best_score, best, best_enclosed = score, label, enclosed
    if best == 0 or best_enclosed < _ENCLOSED_MINIMUM:
        found = f"soft tissue of which bone encloses {100 * best_enclosed:.0f} %"
        raise _no_head(found)
    return labels == best, best_enclosed


def _no_head(found: str) -> InputRefusedError:
    return InputRefusedError(
        found=f"no brain in the field of view ({found})",
        expected=f"brain tissue, at least {100 * _ENCLOSED_MINIMUM:.0f} % of its surface beside bone",
        remedy=_REMEDY,
    )


def _inside(sheet: Worksheet, cranium: _Cranium) -> Mask:
    """Flood from the brain and from outside; the floods meet on the crest of the skull."""
    markers = _markers(cranium)
    plateau = cranium.median_hu + _PLATEAU_HU
    shallow = np.clip(_DEPTH_REACH_MM - cranium.depth_mm, 0, _DEPTH_REACH_MM)
    landscape = np.clip(cranium.smooth_hu, plateau, 1500) + _DEPTH_SLOPE_HU_PER_MM * shallow
    flooded = SimpleITK.MorphologicalWatershedFromMarkers(  # type: ignore[no-untyped-call]
        SimpleITK.GetImageFromArray((10 * landscape).astype(np.uint16)),
        SimpleITK.GetImageFromArray(markers),
        markWatershedLine=False,
        fullyConnected=False,
    )
    soft = (cranium.smooth_hu > FAT_HU) & (sheet.array_zyx < BONE_HU)
    return _filled((SimpleITK.GetArrayFromImage(flooded) == 1) & soft)


def _border_hu(sheet: Worksheet, cranium: _Cranium) -> Field:
    """Attenuation of the inner border: part of the way from brain to the brightest bone nearby."""
    crest = ndimage.maximum_filter(sheet.array_zyx, size=_CREST_CUBES)
    border = cranium.median_hu + _BORDER_FRACTION * (crest - cranium.median_hu)
    return np.asarray(np.clip(border, *_BORDER_LIMITS_HU), dtype=np.float32)


def _markers(cranium: _Cranium) -> NDArray[np.uint8]:
    """Mark what is brain for sure (1) and what is outside for sure (2)."""
    smooth = cranium.smooth_hu
    unlike = (smooth > cranium.median_hu + _MARKER_BRIGHTER_HU) | (smooth < FAT_HU + 5)
    unlike = _without_islands(unlike, smallest_mm3=2000.0)
    depth = ndimage.distance_transform_edt(~unlike, sampling=WORK_MM)
    labels, count = ndimage.label(depth > _MARKER_DEPTH_MM)
    votes = np.bincount(labels[cranium.core], minlength=count + 1)
    votes[0] = 0
    brain = (labels == votes.argmax()) if votes.any() else cranium.core
    enclosed = np.append(0.0, ndimage.mean(cranium.beside_bone, labels, np.arange(1, count + 1)))
    outside = (labels > 0) & (enclosed[labels] < 0.5) | _reached_from_border(smooth < FAT_HU)
    return np.where(brain, 1, np.where(outside, 2, 0)).astype(np.uint8)


def _cut_at_foramen(inside: Mask, core: Mask) -> Mask:
    """Follow the widest section downwards, leave narrow clefts out, stop at the foramen magnum."""
    opened = np.zeros_like(inside)
    widest = int(core.sum(axis=(1, 2)).argmax())
    for k in range(widest, inside.shape[0]):
        opened[k] = _opened(inside[k], inside[k])
    above, narrowest = opened[widest], np.inf
    for k in range(widest - 1, -1, -1):
        here = _opened(inside[k], ndimage.binary_dilation(above))
        area_cm2 = float(here.sum()) * WORK_MM**2 / 100
        narrowest = min(narrowest, area_cm2)
        widens_again = narrowest < _NECK_CM2 and area_cm2 > 1.15 * narrowest
        if area_cm2 < _FORAMEN_CM2 or widens_again:
            break
        opened[k] = above = here
    labels, count = ndimage.label(opened)
    votes = np.bincount(labels[core & opened], minlength=count + 1)
    return _filled(np.asarray(labels == votes.argmax()))


def _opened(section: Mask, within: Mask) -> Mask:
    """Open a section in its plane, and give corners back as far as 2 mm."""
    if not section.any():
        return section
    heart = np.asarray(ndimage.distance_transform_edt(section, sampling=WORK_MM) > _OPENING_MM) & within
    if not heart.any():
        return heart
    near = ndimage.distance_transform_edt(~heart, sampling=WORK_MM) <= _OPENING_MM + WORK_MM
    return np.asarray(near & section)


def _refined(volume: Volume, sheet: Worksheet, inside: Mask, border_hu: Field) -> Mask:
    """Decide the border on the native voxels, a slab of slices at a time; returns a native mask."""
    mask_kji = np.zeros(volume.grid.shape_kji, dtype=bool)
    signed = ndimage.distance_transform_edt(inside, sampling=WORK_MM)
    signed -= ndimage.distance_transform_edt(~inside, sampling=WORK_MM)
    signed = ndimage.gaussian_filter(signed.astype(np.float32), 0.5)
    box = sheet.native_box(inside, margin_mm=4.0)
    native, target = sheet.axial_view(volume.array_kji), sheet.axial_view(mask_kji)
    sigma = (0.0, *(_SMOOTHING_MM / sheet.spacing_zyx_mm[1:]))
    for start in range(box[0].start, box[0].stop, 16):
        slab = (slice(start, min(start + 16, box[0].stop)), *box[1:])
        distance = sheet.upsampled(signed, slab)
        hu = np.asarray(native[slab], dtype=np.float32)  # unsmoothed: bone must not bleed over blood
        limit = sheet.upsampled(border_hu, slab)
        reach = np.where(limit > _DENSE_BORDER_HU, _DENSE_REACH_MM, _FAINT_REACH_MM)
        border = (distance > -reach) & (hu > FAT_HU) & (hu < limit)
        chosen = ((distance > 3.0) | border).astype(np.float32)
        target[slab] = ndimage.gaussian_filter(chosen, sigma) > 0.5
    labels, count = ndimage.label(target[box])
    if count > 1:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        target[box] = labels == sizes.argmax()
    return mask_kji


def _measured(volume: Volume, sheet: Worksheet, cranium: _Cranium, mask: Mask) -> BrainExtraction:
    volume_ml = float(mask.sum()) * volume.grid.voxel_volume_ml
    if not _VOLUME_LIMITS_ML[0] <= volume_ml <= _VOLUME_LIMITS_ML[1]:
        i_mm, j_mm, k_mm = volume.grid.spacing_ijk_mm
        voxels = f"voxels of {i_mm:.3g} x {j_mm:.3g} x {k_mm:.3g} mm"
        raise InputRefusedError(
            found=f"an intracranial region of {volume_ml:.0f} mL with {voxels}",
            expected=f"{_VOLUME_LIMITS_ML[0]:.0f} to {_VOLUME_LIMITS_ML[1]:.0f} mL",
            remedy=_REMEDY,
        )
    axial = sheet.axial_view(mask)
    pixel_cm2 = float(np.prod(sheet.spacing_zyx_mm[1:])) / 100
    return BrainExtraction(
        mask_kji=mask,
        grid=volume.grid,
        volume_ml=volume_ml,
        median_hu=cranium.median_hu,
        enclosed_fraction=cranium.enclosed_fraction,
        top_area_cm2=float(axial[-1].sum()) * pixel_cm2,
        bottom_area_cm2=float(axial[0].sum()) * pixel_cm2,
    )


def _without_islands(mask: Mask, *, smallest_mm3: float | None = None) -> Mask:
    """Drop small pieces: below a volume, or below 5 % of the largest (calcifications, not skull)."""
    labels, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    smallest = 0.05 * sizes.max() if smallest_mm3 is None else smallest_mm3 / WORK_MM**3
    return np.asarray((sizes > smallest)[labels] & mask)


def _reached_from_border(mask: Mask) -> Mask:
    """Keep the pieces of a mask that reach a side of the image; top and bottom do not count."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    labels, _ = ndimage.label(padded)
    return np.asarray((labels == labels[0, 0, 0])[:, 1:-1, 1:-1])


def _filled(mask: Mask) -> Mask:
    """Fill holes: calcifications, air bubbles, coils."""
    labels, count = ndimage.label(~mask)
    if count < 2:
        return mask
    sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1])
    open_air = np.zeros(count + 1, dtype=bool)
    for side in sides:
        open_air[side] = True
    open_air[0] = False
    return np.asarray(~open_air[labels])
