"""The 16 measurements of DeepDCR v1 exactly as published, shortcomings included.

They stand on stored voxels in LPS order (columns to the patient's left, rows backwards, slices upwards) and
are input of the published model. What is wrong with them on oblique or anisotropic scans is put right,
beside them, in :mod:`ctinsight.tasks.dcr.corrected`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.measure.box import bounding_box
from ctinsight.measure.isosurface import marching_cubes_area_mm2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Spacing = tuple[float, float, float]

#: Defaults of the published program.
BURDEN_RADIUS_MM, THICKNESS_RADIUS_MM = 10.0, 15.0
#: Empty voxels that are kept around masks: room to grow by one, and the outside of their surface.
_MARGIN = 3
#: Fewer pixels than this give no direction of the maxilla.
LEAST_PIXELS_FOR_ANGLE = 50


@dataclass(frozen=True, eq=False)
class LabelledMasks:
    """Three masks in LPS order.

    Parameters
    ----------
    sac_kji, maxilla_kji, nasal_kji
        (slices, rows, columns) bool.
    spacing_kji_mm
        Of the stored grid.
    middle_column
        Middle of the whole image along the columns, when the masks are cut out of it.
    """

    sac_kji: Mask
    maxilla_kji: Mask
    nasal_kji: Mask
    spacing_kji_mm: Spacing
    middle_column: float | None = None

    def cut_out(self) -> LabelledMasks:
        """Return the same masks without the empty image around them: they measure the same."""
        box = bounding_box(self.sac_kji | self.maxilla_kji | self.nasal_kji)
        if box is None:
            return self
        near = tuple(slice(max(0, s.start - _MARGIN), s.stop + _MARGIN) for s in box)
        middle = (self.sac_kji.shape[2] - 1) / 2 if self.middle_column is None else self.middle_column
        masks = (self.sac_kji[near], self.maxilla_kji[near], self.nasal_kji[near])
        return LabelledMasks(*masks, self.spacing_kji_mm, middle - near[2].start)


@dataclass(frozen=True)
class PublishedFeatures:
    """The 16 measurements of the published model; ``None`` where there is nothing to measure.

    The published program writes 0.0 there. Names, order and units are those of its schema.
    """

    lac_volume_mm3: float | None = None
    lac_surface_area_mm2: float | None = None
    lac_sphericity: float | None = None
    lac_equiv_diameter_mm: float | None = None
    lac_elongation_pca: float | None = None
    nas_ipsi_volume_mm3: float | None = None
    nas_ipsi_surface_area_mm2: float | None = None
    dist_lac_cent_to_nas_cent_mm: float | None = None
    bone_path_total_len_mm: float | None = None
    max_ipsi_volume_mm3: float | None = None
    max_ipsi_surface_area_mm2: float | None = None
    max_bone_burden_within_lac_dilate_mm3: float | None = None
    angle_maxilla_majoraxis_to_sagittal_deg: float | None = None
    maxilla_thickness_max_mm: float | None = None
    maxilla_thickness_mean_mm: float | None = None
    maxilla_thickness_p95_mm: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        """Return name -> value, in the order of the schema."""
        return asdict(self)


def published_features(masks: LabelledMasks) -> PublishedFeatures:
    """Measure as the published program does.

    Parameters
    ----------
    masks
        One sac. Its half of the image, left or right of the middle column, counts as the operated one.

    Returns
    -------
    PublishedFeatures
        All ``None`` without a sac; single values are ``None`` without maxilla or nasal cavity in that half.

    Notes
    -----
    The published bone path prefers surfaces within 3 mm of the maxilla. Its reference numbers show that this
    choice never takes effect (0 voxels, where 24 and 26 lie that near), so the path is the shortest distance
    between sac and nasal cavity, voxel centre to voxel centre.
    """
    sac = masks.sac_kji
    if not sac.any():
        return PublishedFeatures()
    masks = masks.cut_out()
    sac = masks.sac_kji
    half = _half_of_sac(masks)
    nasal, maxilla = masks.nasal_kji & half, masks.maxilla_kji & half
    spacing = masks.spacing_kji_mm
    values: dict[str, float] = _sac_values(sac, spacing)
    outside_mm = _distance_mm(sac, spacing)
    if nasal.any():
        values |= _nasal_values(nasal, sac, outside_mm, spacing)
    if maxilla.any():
        values["max_ipsi_volume_mm3"] = _volume_mm3(maxilla, spacing)
        values["max_ipsi_surface_area_mm2"] = marching_cubes_area_mm2(maxilla, spacing)
        burden = maxilla & (outside_mm <= BURDEN_RADIUS_MM)
        values["max_bone_burden_within_lac_dilate_mm3"] = _volume_mm3(burden, spacing)
        values |= _slice_values(sac, maxilla, masks.nasal_kji, spacing)
    return PublishedFeatures(**values)


def _half_of_sac(masks: LabelledMasks) -> Mask:
    sac = masks.sac_kji
    columns = np.arange(sac.shape[2])
    middle = (sac.shape[2] - 1) / 2 if masks.middle_column is None else masks.middle_column
    near = float(np.argwhere(sac)[:, 2].mean())
    return np.broadcast_to(columns < middle if near < middle else columns >= middle, sac.shape)


def _volume_mm3(mask: Mask, spacing: Spacing) -> float:
    return float(np.count_nonzero(mask)) * float(np.prod(spacing))


def _sac_values(sac: Mask, spacing: Spacing) -> dict[str, float]:
    volume, area = _volume_mm3(sac, spacing), marching_cubes_area_mm2(sac, spacing)
    places = np.argwhere(sac) * np.array(spacing)
    values = {
        "lac_volume_mm3": volume,
        "lac_surface_area_mm2": area,
        "lac_equiv_diameter_mm": float(np.cbrt(6 * volume / np.pi)),
    }
    if area > 0:
        values["lac_sphericity"] = float(np.cbrt(np.pi) * np.cbrt(6 * volume) ** 2 / area)
    if len(places) > 1:
        spread = np.linalg.eigvalsh(np.cov(places.T))
        if spread[2] > 0:
            values["lac_elongation_pca"] = float(np.sqrt(max(spread[1], 0) / spread[2]))
    return values


def _nasal_values(
    nasal: Mask, sac: Mask, outside_mm: NDArray[np.float64], spacing: Spacing
) -> dict[str, float]:
    apart = (np.argwhere(nasal).mean(axis=0) - np.argwhere(sac).mean(axis=0)) * np.array(spacing)
    return {
        "nas_ipsi_volume_mm3": _volume_mm3(nasal, spacing),
        "nas_ipsi_surface_area_mm2": marching_cubes_area_mm2(nasal, spacing),
        "dist_lac_cent_to_nas_cent_mm": float(np.linalg.norm(apart)),
        "bone_path_total_len_mm": float(outside_mm[nasal].min()),
    }


def _slice_values(sac: Mask, maxilla: Mask, nasal: Mask, spacing: Spacing) -> dict[str, float]:
    """Angle and thickness on the stored slice with the largest sac."""
    k = int(np.argmax(np.count_nonzero(sac, axis=(1, 2))))
    bone, in_plane = maxilla[k], spacing[1:]
    values: dict[str, float] = {}
    pixels = np.argwhere(bone).astype(np.float64)
    if len(pixels) >= LEAST_PIXELS_FOR_ANGLE:
        axis = np.linalg.eigh(np.cov(pixels.T))[1][:, 1]
        values["angle_maxilla_majoraxis_to_sagittal_deg"] = float(
            np.degrees(np.arccos(min(abs(axis[0]), 1.0)))
        )
    near = ndimage.distance_transform_edt(~(sac[k] | nasal[k]), sampling=in_plane) <= THICKNESS_RADIUS_MM
    roi = bone & near
    if roi.any():
        thickness = 2 * ndimage.distance_transform_edt(roi, sampling=in_plane)[roi]
        values["maxilla_thickness_max_mm"] = float(thickness.max())
        values["maxilla_thickness_mean_mm"] = float(thickness.mean())
        values["maxilla_thickness_p95_mm"] = float(np.percentile(thickness, 95))
    return values


def _distance_mm(mask: Mask, spacing: Spacing) -> NDArray[np.float64]:
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing), dtype=np.float64)
