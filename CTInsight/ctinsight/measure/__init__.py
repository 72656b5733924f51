"""Measure masks in millimetres and millilitres, on anisotropic, oblique and flipped grids alike.

Masks are boolean arrays in (slice, row, column) order with their :class:`~ctinsight.volume.Grid`. Every
function cuts the mask down to its bounding box first.
"""

from ctinsight.measure.box import bounding_box
from ctinsight.measure.components import (
    Component,
    fill_holes,
    keep_largest,
    label_components,
    measure_components,
    remove_small,
)
from ctinsight.measure.diameters import (
    InPlaneDiameters,
    in_plane_diameters,
    largest_slice,
    max_diameter,
    outline_segments,
)
from ctinsight.measure.distances import closed, dilate, distance_mm, distance_to_mm, erode, opened
from ctinsight.measure.surfaces import (
    SurfaceDistances,
    surface_area_mm2,
    surface_distances_mm,
    surface_points_ras,
)
from ctinsight.measure.volumes import (
    centroid_ras,
    dice,
    mean_hu,
    partial_volume_bound_ml,
    slice_areas_cm2,
    slice_axis,
    slice_spacing_mm,
    volume_ml,
)
from ctinsight.measure.weighed_volume import PartialVolume, partial_volume

__all__ = [
    "Component",
    "InPlaneDiameters",
    "PartialVolume",
    "SurfaceDistances",
    "bounding_box",
    "centroid_ras",
    "closed",
    "dice",
    "dilate",
    "distance_mm",
    "distance_to_mm",
    "erode",
    "fill_holes",
    "in_plane_diameters",
    "keep_largest",
    "label_components",
    "largest_slice",
    "max_diameter",
    "mean_hu",
    "measure_components",
    "opened",
    "outline_segments",
    "partial_volume",
    "partial_volume_bound_ml",
    "remove_small",
    "slice_areas_cm2",
    "slice_axis",
    "slice_spacing_mm",
    "surface_area_mm2",
    "surface_distances_mm",
    "surface_points_ras",
    "volume_ml",
]
