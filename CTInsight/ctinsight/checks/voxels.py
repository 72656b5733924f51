"""Checks on the voxels themselves: is it CT in HU, does it cover the brain, what disturbs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.checks.header import is_picture_stack, is_sharp_kernel, stated_contrast
from ctinsight.finding import Check, Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.checks.limits import InputLimits
    from ctinsight.volume import Scan, Volume

    Mask = NDArray[np.bool_]

_SAMPLE = 1_000_000
_AIR_HU = (-1100.0, -900.0)  # definition of the scale: air -1000; -1024 where a scanner pads
_BONE_AT_LEAST_HU = 300.0
_COARSEST_STEP_HU = 4.0  # an 8-bit picture of 1000 HU or more has such steps; CT has steps of 1 HU
_LEVELS_TO_JUDGE = 6  # a drawing without noise has fewer between -100 and 100 HU
_BRAIN_HU = (15.0, 50.0)  # median of brain with its CSF, atrophy to contrast phase
_BRAIN_IMPOSSIBLE_HU = (0.0, 80.0)

_LEAST_BRAIN_ML = 300.0
_VERTEX_CM2 = 2.0  # the highest slice through a vertex may still show some brain
_FORAMEN_CM2 = 12.0  # a lowest section no larger than this is a foramen magnum, not a cut posterior fossa
_LEAST_EXTENT_MM = 110.0  # foramen magnum to vertex of a small adult head

_VESSEL_HU = (110.0, 400.0)
# A plain head CT with calcified choroid and pineal measured 0.4 mL, 5 mm phantoms 2.1 mL (skull base); no
# enhanced scan was at hand to tune this.
_VESSEL_ML = 5.0
_METAL_HU = 2800.0  # denser than enamel and petrous bone
_METAL_ML = 0.05
_SHARP_NOISE_HU = 10.0
_SHARP_CORRELATION = 0.3  # a standard kernel measured 0.72 at 0.49 mm; bone kernels have none
_FINE_PIXEL_MM = 0.75
_NOISE_LAG_MM = 5.0  # noise of a standard kernel is shared over 2 to 3 mm, not over 5 mm
_NOISE_PAIRS = 1000
_MAD_OF_NORMAL = 0.6745  # median absolute value of a standard normal variable


def check_modality_hu(scan: Scan, brain_mask: Mask | None) -> Check:
    """Decide whether the values are Hounsfield units of a CT."""
    name, key, expected = "CT in Hounsfield units", "modality_hu", "air about -1000 HU, bone over 300 HU"
    modality = scan.acquisition.modality
    if modality is not None and modality != "CT":
        return Check(
            key, name, Outcome.REFUSE, f"modality {modality}", "modality CT", "Choose the CT series."
        )
    if is_picture_stack(scan.acquisition):
        measured = f"8-bit pictures, {_range(scan.volume)}, made HU by a window"
        remedy = "Use the DICOM series; densities outside the window are lost."
        if float(scan.volume.array_kji.max()) < _BONE_AT_LEAST_HU:
            measured += "; bone is clipped, so dense blood at the skull looks like it: thick white was taken"
            measured += " for skull"
            remedy += " Bleeds along the skull may be missed wholly, and calcification counted as blood."
        return Check(key, name, Outcome.WARN, measured, expected, remedy)
    fault, measured = _scale_fault(scan.volume)
    if fault:
        remedy = "Export the original CT with its rescale values; no window, no 8-bit picture."
        return Check(key, name, Outcome.REFUSE, f"{measured}: {fault}", expected, remedy)
    outcome = Outcome.PASS
    remedy = ""
    if brain_mask is not None and brain_mask.any():
        median = float(np.median(scan.volume.array_kji[brain_mask]))
        measured += f", brain {median:.0f} HU"
        outcome, remedy = _brain_outcome(median)
        expected += f", brain {_BRAIN_HU[0]:.0f} to {_BRAIN_HU[1]:.0f} HU"
    return Check(key, name, outcome, measured, expected, remedy)


def _brain_outcome(median_hu: float) -> tuple[Outcome, str]:
    if _BRAIN_HU[0] <= median_hu <= _BRAIN_HU[1]:
        return Outcome.PASS, ""
    impossible = not _BRAIN_IMPOSSIBLE_HU[0] <= median_hu <= _BRAIN_IMPOSSIBLE_HU[1]
    return Outcome.REFUSE if impossible else Outcome.WARN, "Check the rescale values and the brain outline."


def _sampled(volume: Volume) -> NDArray[np.float64]:
    array = volume.array_kji
    step = max(1, int(np.ceil((array.size / _SAMPLE) ** (1 / 2))))
    return np.asarray(array[:, ::step, ::step], dtype=np.float64).ravel()


def _range(volume: Volume) -> str:
    return f"{float(volume.array_kji.min()):.0f} to {float(volume.array_kji.max()):.0f}"


def _scale_fault(volume: Volume) -> tuple[str, str]:
    """Find what speaks against Hounsfield units; returns (fault or "", what was measured)."""
    values = _sampled(volume)
    measured = f"values {_range(volume)}"
    low, high = float(values.min()), float(np.percentile(values, 99.99))
    if low > -200:
        return "nothing darker than tissue, so the rescale is missing or the image is windowed", measured
    air = values[values < -500]
    scanned = air[air > -1024]  # what a scanner pads says nothing about the scale
    air_hu = float(np.median(scanned if scanned.size > 0.001 * values.size else air)) if air.size else low
    measured += f", air {air_hu:.0f} HU"
    if not _AIR_HU[0] <= air_hu <= _AIR_HU[1]:
        return "air is not at -1000", measured
    if high < _BONE_AT_LEAST_HU:
        return "no bone, so the image is windowed or not of a patient", measured
    levels = np.unique(values[(values > -100) & (values < 100)])
    step = float(np.median(np.diff(levels))) if levels.size >= _LEVELS_TO_JUDGE else 0.0
    if step >= _COARSEST_STEP_HU:
        return f"grey levels in steps of {step:.0f} HU, as in an 8-bit picture", measured
    return "", measured


def check_field_of_view(scan: Scan, brain_mask: Mask | None) -> Check:
    """Decide whether the scan covers the brain from the vertex to the foramen magnum."""
    key, name, expected = "field_of_view", "Field of view", "the brain from vertex to foramen magnum"
    remedy = "Take the series that covers the whole head; parts outside are not measured."
    if brain_mask is None:
        axis, _ = scan.volume.grid.array_axis(2)
        extent = scan.volume.grid.spacing_kji_mm[axis] * scan.volume.grid.shape_kji[axis]
        outcome = Outcome.PASS if extent >= _LEAST_EXTENT_MM else Outcome.WARN
        measured = f"{extent:.0f} mm from bottom to top; cuts not checked: brain not outlined"
        return Check(key, name, outcome, measured, expected, "" if outcome is Outcome.PASS else remedy)
    volume_ml = float(brain_mask.sum()) * scan.volume.grid.voxel_volume_ml
    if volume_ml < _LEAST_BRAIN_ML:
        measured = f"{volume_ml:.0f} mL of brain"
        return Check(key, name, Outcome.REFUSE, measured, expected, "Choose the head CT series.")
    cuts = _cuts(scan.volume, brain_mask)
    outcome = Outcome.WARN if cuts else Outcome.PASS
    measured = "; ".join(cuts) if cuts else f"whole brain, {volume_ml:.0f} mL inside the skull"
    return Check(key, name, outcome, measured, expected, remedy if cuts else "")


def _cuts(volume: Volume, brain_mask: Mask) -> list[str]:
    """Name the borders of the scanned part at which brain is cut off, with the area of the cut."""
    cuts = []
    borders = ("left", "right", "posterior", "anterior", "bottom", "top")
    for ras in range(3):
        axis, sign = volume.grid.array_axis(ras)
        mask = np.moveaxis(brain_mask, axis, 0)[::sign]
        array = np.moveaxis(volume.array_kji, axis, 0)[::sign]
        in_plane_cm2 = volume.grid.voxel_volume_mm3 / volume.grid.spacing_kji_mm[axis] / 100
        first, last = _scanned_range(array)
        limits = (_FORAMEN_CM2, _VERTEX_CM2) if ras == 2 else (_VERTEX_CM2, _VERTEX_CM2)
        for end, slice_ in enumerate((first, last)):
            area = float(mask[slice_].sum()) * in_plane_cm2
            if area > limits[end]:
                cuts.append(f"brain cut at the {borders[2 * ras + end]}, {area:.0f} cm2")
    return cuts


def _scanned_range(array: NDArray[np.generic]) -> tuple[int, int]:
    """First and last plane with anything but air or padding."""
    filled = np.flatnonzero([bool((plane[::4, ::4] > -500).any()) for plane in array])
    return (int(filled[0]), int(filled[-1])) if filled.size else (0, len(array) - 1)


@dataclass(frozen=True, eq=False)
class _Slab:
    """Some slices through the brain, for measures of texture and vessels."""

    hu: NDArray[np.float32]
    deep: Mask
    spacing_mm: tuple[float, float]
    voxel_ml: float


def _slab(volume: Volume, brain_mask: Mask, *, margin_mm: float, slices: int = 24) -> _Slab:
    """Cut evenly spread slices out of the brain, and its part deeper than a margin in each of them."""
    axis = int(np.argmax(volume.grid.spacing_kji_mm))
    mask, array = np.moveaxis(brain_mask, axis, 0), np.moveaxis(volume.array_kji, axis, 0)
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    step = max(1, (box[0].stop - box[0].start) // slices)
    part = (slice(box[0].start, box[0].stop, step), box[1], box[2])
    spacing = tuple(s for n, s in enumerate(volume.grid.spacing_kji_mm) if n != axis)
    deep = np.stack(
        [
            ndimage.distance_transform_edt(np.pad(plane, 1), sampling=spacing)[1:-1, 1:-1] > margin_mm
            for plane in mask[part]
        ]
    )
    hu = np.asarray(array[part], dtype=np.float32)
    return _Slab(hu, deep, (spacing[0], spacing[1]), volume.grid.voxel_volume_ml * step)


def check_contrast(scan: Scan, brain_mask: Mask | None, limits: InputLimits) -> Check:
    """Look for contrast medium: what the file says, and bright vessels inside the brain."""
    name, expected = "Contrast medium", "none"
    remedy = "Take the series without contrast; enhanced vessels look like blood."
    stated = stated_contrast(scan.acquisition)
    if stated:
        return Check("contrast", name, limits.contrast, stated, expected, remedy)
    if brain_mask is None or not brain_mask.any():
        measured = "the file names none; vessels not checked: brain not outlined"
        return Check("contrast", name, Outcome.PASS, measured, expected)
    slab = _slab(scan.volume, brain_mask, margin_mm=8.0)
    smooth = ndimage.gaussian_filter(slab.hu, (0.0, 1.0 / slab.spacing_mm[0], 1.0 / slab.spacing_mm[1]))
    bright = slab.deep & (smooth > _VESSEL_HU[0]) & (smooth < _VESSEL_HU[1])
    bright_ml = float(bright.sum()) * slab.voxel_ml
    found = bright_ml > _VESSEL_ML
    measured = f"the file names none; {bright_ml:.1f} mL of {_VESSEL_HU[0]:.0f} to {_VESSEL_HU[1]:.0f} HU"
    outcome = limits.contrast if found else Outcome.PASS
    return Check("contrast", name, outcome, measured, expected, remedy if found else "")


def check_kernel(scan: Scan, brain_mask: Mask | None, limits: InputLimits) -> Check:
    """Look for a bone kernel: by its name, else by noise that neighbouring voxels do not share."""
    name, expected = "Reconstruction kernel", "a standard or soft kernel"
    remedy = "Take the series with the brain kernel; edges and noise of this one look like blood."
    kernel = scan.acquisition.kernel
    sharp = bool(kernel) and is_sharp_kernel(str(kernel))
    measured = kernel or "name not checked: not stated in the file"
    if not sharp and brain_mask is not None and brain_mask.any():
        noise_hu, correlation, pixel_mm = _noise_texture(scan.volume, brain_mask)
        measured += f"; noise {noise_hu:.0f} HU, correlation of neighbours {correlation:.2f}"
        fine = pixel_mm <= _FINE_PIXEL_MM
        sharp = fine and noise_hu > _SHARP_NOISE_HU and correlation < _SHARP_CORRELATION
    outcome = limits.bone_kernel if sharp else Outcome.PASS
    return Check("kernel", name, outcome, measured, expected, remedy if sharp else "")


def _noise_texture(volume: Volume, brain_mask: Mask) -> tuple[float, float, float]:
    """Noise (HU), its correlation with the next column, and the pixel size in mm; 0, 1 when unmeasurable."""
    slab = _slab(volume, brain_mask, margin_mm=8.0, slices=12)
    rough = slab.hu - ndimage.gaussian_filter(slab.hu, (0.0, 2 / slab.spacing_mm[0], 2 / slab.spacing_mm[1]))
    tissue = slab.deep & (np.abs(slab.hu - 30.0) < 60.0)
    pairs = tissue[:, :, 1:] & tissue[:, :, :-1]
    here, there = rough[:, :, 1:][pairs], rough[:, :, :-1][pairs]
    if here.size < 1000 or not here.std() or not there.std():
        return 0.0, 1.0, max(slab.spacing_mm)
    return float(here.std()), float(np.corrcoef(here, there)[0, 1]), max(slab.spacing_mm)


def check_noise(scan: Scan, brain_mask: Mask | None, limits: InputLimits) -> Check:
    """Compare the noise of the brain with what the task's methods stand, whatever the pixel size."""
    key, name = "noise", "Noise"
    warn, refuse = limits.noise_warn_hu, limits.noise_refuse_hu
    parts = [f"at most {warn:g} HU"] if warn is not None else []
    parts += [f"over {refuse:g} HU is refused"] if refuse is not None else []
    expected = "; ".join(parts) or "any"
    noise_hu = None if brain_mask is None or not brain_mask.any() else _noise_hu(scan.volume, brain_mask)
    if noise_hu is None:
        return Check(key, name, Outcome.PASS, "not checked: too little brain outlined", expected)
    outcome = Outcome.PASS
    if refuse is not None and noise_hu > refuse:
        outcome = Outcome.REFUSE
    elif warn is not None and noise_hu > warn:
        outcome = Outcome.WARN
    remedy = "Take a series with thicker slices or a smoother kernel; volumes in such noise are not reliable."
    measured = f"{noise_hu:.0f} HU in the brain"
    return Check(key, name, outcome, measured, expected, "" if outcome is Outcome.PASS else remedy)


def _noise_hu(volume: Volume, brain_mask: Mask) -> float | None:
    """Estimate the standard deviation of noise in the brain, or None where too little brain is left.

    Differences of voxels 5 mm apart in a slice are free of shared noise and of slow changes; their median is
    blind to the few that cross an edge. Brain without noise reads about 5 HU, for its own grey and white.
    """
    slab = _slab(volume, brain_mask, margin_mm=8.0, slices=12)
    differences = []
    for axis in (1, 2):
        lag = int(np.ceil(_NOISE_LAG_MM / slab.spacing_mm[axis - 1]))
        hu, deep = np.moveaxis(slab.hu, axis, 0), np.moveaxis(slab.deep, axis, 0)
        differences.append((hu[lag:] - hu[:-lag])[deep[lag:] & deep[:-lag]])
    joined = np.concatenate(differences)
    if joined.size < _NOISE_PAIRS:
        return None
    return float(np.median(np.abs(joined))) / (_MAD_OF_NORMAL * 2**0.5)


def check_metal(scan: Scan, brain_mask: Mask | None, limits: InputLimits) -> Check:
    """Look for metal at the level of the brain, or anywhere when the brain is not outlined."""
    array = scan.volume.array_kji
    if brain_mask is not None and brain_mask.any():
        axis, _ = scan.volume.grid.array_axis(2)
        part = [slice(None)] * 3
        part[axis] = ndimage.find_objects(brain_mask.astype(np.uint8))[0][axis]
        array = array[tuple(part)]
    metal_ml = float(np.count_nonzero(array > _METAL_HU)) * scan.volume.grid.voxel_volume_ml
    found = metal_ml > _METAL_ML
    remedy = "Look for streaks in the outline; implants, clips and wires falsify densities." if found else ""
    measured = f"{metal_ml:.2f} mL over {_METAL_HU:.0f} HU"
    outcome = limits.metal if found else Outcome.PASS
    return Check("metal", "Metal", outcome, measured, f"at most {_METAL_ML:g} mL", remedy)
