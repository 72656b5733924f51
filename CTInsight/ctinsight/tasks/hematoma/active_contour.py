"""Geodesic active contour: a surface that grows out of each bright core until the steepest edge holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK
from scipy import ndimage

from ctinsight.tasks.hematoma.intensity import grow_box, voxels_of
from ctinsight.tasks.hematoma.threshold import UPPER_HU

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.hematoma.intensity import Head

#: SimpleITK ships no complete type information.
_SITK: Any = SimpleITK

_NEIGHBOURS = np.ones((3, 3, 3), dtype=np.bool_)


@dataclass(frozen=True)
class ContourOptions:
    """How the surface moves.

    Parameters
    ----------
    step_mm
        Voxel of the isotropic grid on which the surface moves; the coarser of this and the in-plane spacing.
    edge_sigma_mm
        Scale at which the gradient is read.
    propagation, curvature, advection
        Weights of growth, smoothness and pull towards the edge (Caselles, Kimmel, Sapiro 1997).
    iterations, rms_change
        The end: so many rounds, or a mean change below this.
    margin_mm
        Box around the core in which the surface may move.
    """

    step_mm: float = 1.0
    edge_sigma_mm: float = 1.0
    propagation: float = 0.3
    curvature: float = 0.3
    advection: float = 3.0
    iterations: int = 200
    rms_change: float = 0.002
    margin_mm: float = 10.0


def active_contour(
    head: Head, cores_kji: NDArray[np.bool_], options: ContourOptions | None = None
) -> NDArray[np.bool_]:
    """Let a surface grow out of each core.

    Parameters
    ----------
    head
        The CT cut to its brain.
    cores_kji
        (slices, rows, columns) bool: where the surfaces start, inside the blood.
    options
        How they move.

    Returns
    -------
    NDArray
        (slices, rows, columns) bool, nothing where there is no core.

    References
    ----------
    Caselles, Kimmel, Sapiro: Geodesic active contours. Int J Comput Vis 1997;22:61-79.
    doi 10.1023/A:1007979827043
    """
    options = options or ContourOptions()
    labels, _count = ndimage.label(cores_kji, _NEIGHBOURS)
    found = np.zeros(head.hu_kji.shape, dtype=np.bool_)
    margins = voxels_of(options.margin_mm, head.spacing_kji_mm)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            wide = grow_box(box, margins, labels.shape)
            found[wide] |= _one(head, wide, labels[wide] == label, options)
    return np.asarray(found & head.brain_kji)


def _one(
    head: Head, box: tuple[slice, slice, slice], core: NDArray[np.bool_], options: ContourOptions
) -> NDArray[np.bool_]:
    brain = head.brain_kji[box]
    mode = np.float32(head.tissue.mode_hu)
    values = np.where(brain, np.clip(head.hu_kji[box], mode - 25, UPPER_HU), mode)
    blood = float(np.median(values[core]))
    image, start = _image(values, head), _image(_signed_distance_mm(core, head), head)
    fine = _isotropic(image, options.step_mm)
    feature = _edge_potential(_SITK.Resample(image, fine), blood - float(mode), options.edge_sigma_mm)
    surface = _SITK.GeodesicActiveContourLevelSetImageFilter()
    surface.SetPropagationScaling(options.propagation)
    surface.SetCurvatureScaling(options.curvature)
    surface.SetAdvectionScaling(options.advection)
    surface.SetNumberOfIterations(options.iterations)
    surface.SetMaximumRMSError(options.rms_change)
    level = surface.Execute(_SITK.Resample(start, fine, _SITK.Transform(), _SITK.sitkLinear, 100.0), feature)
    native = _SITK.Resample(level, image, _SITK.Transform(), _SITK.sitkLinear, 100.0)
    return np.asarray(_SITK.GetArrayFromImage(native) <= 0)


def _edge_potential(image: Any, contrast_hu: float, sigma_mm: float) -> Any:
    """Turn HU into a speed: 1 in even tissue, towards 0 at a gradient like that of the bleed's own edge."""
    gradient = _SITK.GradientMagnitudeRecursiveGaussian(image, sigma_mm)
    steepest = contrast_hu / (2.5066 * max(sigma_mm, 1e-3) * 1.5)
    middle = 0.5 * steepest
    return _SITK.Cast(_SITK.Sigmoid(gradient, -middle / 4, middle, 1.0, 0.0), _SITK.sitkFloat32)


def _signed_distance_mm(core: NDArray[np.bool_], head: Head) -> NDArray[np.float32]:
    """Return the distance to the core's border in mm, negative inside."""
    outside = ndimage.distance_transform_edt(~core, sampling=head.spacing_kji_mm)
    inside = ndimage.distance_transform_edt(np.pad(core, 1), sampling=head.spacing_kji_mm)[1:-1, 1:-1, 1:-1]
    half = min(head.spacing_kji_mm) / 2
    return np.asarray(np.where(core, half - inside, outside - half), dtype=np.float32)


def _image(array_kji: NDArray[np.float32], head: Head) -> Any:
    """Wrap an array with its spacing; the place in the patient does not matter inside one box."""
    image = _SITK.GetImageFromArray(np.ascontiguousarray(array_kji, dtype=np.float32))
    image.SetSpacing(head.grid.spacing_ijk_mm)
    return image


def _isotropic(image: Any, step_mm: float) -> Any:
    """Return an empty image of isotropic voxels over the same box."""
    step = max(step_mm, min(image.GetSpacing()))
    size = [
        max(int(np.ceil(n * s / step)), 8) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)
    ]
    fine = _SITK.Image(size, _SITK.sitkFloat32)
    fine.SetSpacing([step] * 3)
    fine.SetOrigin([(step - s) / 2 for s in image.GetSpacing()])
    return fine
