"""From an image to what the network sees: nnU-Net's default preprocessing, bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from ctinsight.errors import GeometryError, WrongUseError
from ctinsight.inference.nnunet.sampling import new_shape, resample_image, separate_axis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ctinsight.inference.nnunet.plans import NNUNetPlans
    from ctinsight.inference.nnunet.windows import Box

_SMALLEST_SD = 1e-8
_IMAGE_ORDER = 3


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image on the network's grid, and the way back.

    Parameters
    ----------
    data
        (channels, z, y, x) float32, axes in the plans' order.
    shape_kji
        Of the image as it was given.
    crop
        Where the image is not 0, in the plans' axis order.
    spacing_mm, network_spacing_mm
        In the plans' axis order: of the image, and of ``data``.
    """

    data: NDArray[np.float32]
    shape_kji: tuple[int, ...]
    crop: Box
    spacing_mm: tuple[float, ...]
    network_spacing_mm: tuple[float, ...]

    @property
    def cropped_shape(self) -> tuple[int, ...]:
        """Shape of the cropped image before resampling."""
        return tuple(s.stop - s.start for s in self.crop)


def prepare(
    channels: Sequence[NDArray[Any]], spacing_kji_mm: tuple[float, float, float], plans: NNUNetPlans
) -> Prepared:
    """Turn, crop, normalise and resample an image as nnU-Net does.

    Parameters
    ----------
    channels
        One array (slices, rows, columns) for each input channel of the model, in its order, HU for CT.
        nnU-Net knows no orientation: bring the image to that of the training images first.
    spacing_kji_mm
        Of these arrays, in mm.
    plans
        Of the model.

    Raises
    ------
    WrongUseError
        Another number of channels than the model has.
    GeometryError
        Channels of different shape, or an empty image.
    """
    _check(channels, plans)
    turn = plans.plans["transpose_forward"]
    stacked = np.stack([np.asarray(c, dtype=np.float32) for c in channels])
    data = stacked.transpose(0, *[axis + 1 for axis in turn])
    spacing = tuple(float(spacing_kji_mm[axis]) for axis in turn)
    crop = _not_zero(data)
    data = data[:, *crop]
    _normalise(data, plans)
    target = tuple(float(s) for s in plans.settings["spacing"])
    # A network that sees slices leaves the distance between them as it is.
    target = (*spacing[: 3 - len(target)], *target)
    shape = new_shape(data.shape[1:], spacing, target)
    if min(shape) < 1:
        raise GeometryError(
            found=f"an image of {data.shape[1:]} voxels at {spacing} mm",
            expected=f"at least one voxel along each axis at {target} mm",
            remedy="Check the image's spacing.",
        )
    forced = plans.settings.get("resampling_fn_data_kwargs", {}).get("force_separate_z")
    axis = separate_axis(spacing, target, forced)
    resampled = np.stack([resample_image(c, shape, axis, _IMAGE_ORDER) for c in data])
    return Prepared(resampled, channels[0].shape, crop, spacing, target)


def _check(channels: Sequence[NDArray[Any]], plans: NNUNetPlans) -> None:
    if len(channels) != len(plans.channels):
        raise WrongUseError(
            found=f"{len(channels)} input channels",
            expected=f"{len(plans.channels)}: {', '.join(plans.channels)}",
            remedy="Give every channel that the model was trained with; none is filled in.",
        )
    shapes = {c.shape for c in channels}
    if len(shapes) != 1 or len(channels[0].shape) != 3 or channels[0].size == 0:
        raise GeometryError(
            found=f"channels of shape {', '.join(map(str, sorted(shapes)))}",
            expected="arrays of three axes and of one shape",
            remedy="Resample all channels onto one grid.",
        )


def _not_zero(data: NDArray[np.float32]) -> Box:
    """Return the box outside of which every channel is exactly 0; on CT that is hardly ever smaller."""
    box = []
    for axis in (1, 2, 3):
        others = tuple(a for a in range(4) if a != axis)
        found = np.flatnonzero(data.any(axis=others))
        box.append(slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, data.shape[axis]))
    return tuple(box)


def _normalise(data: NDArray[np.float32], plans: NNUNetPlans) -> None:
    """Normalise every channel in place, with the scheme the plans name."""
    masked = plans.settings["use_mask_for_norm"]
    inside = ndimage.binary_fill_holes((data != 0).any(axis=0)) if any(masked) else None
    for index, scheme in enumerate(plans.settings["normalization_schemes"]):
        stated = plans.plans["foreground_intensity_properties_per_channel"].get(str(index), {})
        if scheme == "CTNormalization":
            _ct(data[index], stated)
        elif scheme == "ZScoreNormalization":
            _z_score(data[index], inside if masked[index] else None)
        elif scheme == "RescaleTo01Normalization":
            data[index] -= data[index].min()
            data[index] /= np.clip(data[index].max(), a_min=_SMALLEST_SD, a_max=None)
        elif scheme == "RGBTo01Normalization":
            data[index] /= 255.0


def _ct(channel: NDArray[np.float32], stated: Mapping[str, float]) -> None:
    np.clip(channel, stated["percentile_00_5"], stated["percentile_99_5"], out=channel)
    channel -= stated["mean"]
    channel /= max(stated["std"], _SMALLEST_SD)


def _z_score(channel: NDArray[np.float32], inside: NDArray[np.bool_] | None) -> None:
    if inside is None:
        mean, deviation = channel.mean(), channel.std()
        channel -= mean
        channel /= max(deviation, _SMALLEST_SD)
        return
    mean, deviation = channel[inside].mean(), channel[inside].std()
    channel[inside] = (channel[inside] - mean) / max(deviation, _SMALLEST_SD)
