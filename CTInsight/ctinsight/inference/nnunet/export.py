"""From the network's answers back to the image's own grid: nnU-Net's labels, a few slices at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctinsight.device import require_torch
from ctinsight.inference.nnunet.sampling import linear_slices, nearest_slices, separate_axis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from ctinsight.inference.nnunet.plans import NNUNetPlans
    from ctinsight.inference.nnunet.prepare import Prepared

#: Slices interpolated at once: memory does not grow with the case.
_CHUNK = 8
#: Two units in the last place of half precision.
_LAST_BITS = 2.0**-9


def labels_of(logits: Tensor, prepared: Prepared, plans: NNUNetPlans) -> NDArray[np.uint8]:
    """Choose a label for each voxel of the image.

    Parameters
    ----------
    logits
        (classes or regions, z, y, x) half precision on the network's grid.

    Returns
    -------
    array
        (slices, rows, columns) uint8 on the image's own grid; 0 outside the crop.
    """
    whole = np.zeros(_turned_shape(prepared, plans), dtype=np.uint8)
    inside = whole[prepared.crop]
    axis = _axis(prepared, plans)
    inside_slices = np.moveaxis(inside, axis or 0, 0)
    choose = _chooser(plans)
    for chunk, scores in _resampled(logits, prepared.cropped_shape, axis):
        inside_slices[chunk] = choose(scores).cpu().numpy()
    return np.ascontiguousarray(whole.transpose(plans.plans["transpose_backward"]))


def probabilities_of(logits: Tensor, prepared: Prepared, plans: NNUNetPlans) -> NDArray[np.float32]:
    """Return the network's scores (softmax, or sigmoid for regions) on the image's own grid.

    Returns
    -------
    array
        (classes or regions, slices, rows, columns) float32 from 0 to 1, uncalibrated. Outside the crop the
        background of a model of classes has 1.
    """
    torch = require_torch()
    whole = np.zeros((len(logits), *_turned_shape(prepared, plans)), dtype=np.float32)
    if plans.regions is None:
        whole[0] = 1.0
    axis = _axis(prepared, plans)
    inside_slices = np.moveaxis(whole[:, *prepared.crop], (axis or 0) + 1, 1)
    for chunk, scores in _resampled(logits, prepared.cropped_shape, axis):
        plain = scores.float()
        soft = torch.softmax(plain, dim=0) if plans.regions is None else torch.sigmoid(plain)
        inside_slices[:, chunk] = soft.cpu().numpy()
    back = [0, *(a + 1 for a in plans.plans["transpose_backward"])]
    return np.ascontiguousarray(whole.transpose(back))


def _turned_shape(prepared: Prepared, plans: NNUNetPlans) -> tuple[int, ...]:
    return tuple(prepared.shape_kji[axis] for axis in plans.plans["transpose_forward"])


def _axis(prepared: Prepared, plans: NNUNetPlans) -> int | None:
    forced = plans.settings.get("resampling_fn_probabilities_kwargs", {}).get("force_separate_z")
    return separate_axis(prepared.network_spacing_mm, prepared.spacing_mm, forced)


def _resampled(logits: Tensor, shape: tuple[int, ...], axis: int | None) -> Iterator[tuple[slice, Tensor]]:
    """Yield (slice of new slices, their scores): slices are chosen or blended before they are enlarged."""
    torch = require_torch()
    along = axis or 0
    source = logits.movedim(along + 1, 1)
    count, in_plane = shape[along], tuple(n for a, n in enumerate(shape) if a != along)
    low, high, weight = linear_slices(source.shape[1], count)
    if axis is not None:
        low, weight = nearest_slices(source.shape[1], count), np.zeros(count)
    for start in range(0, count, _CHUNK):
        chunk = slice(start, min(start + _CHUNK, count))
        part = source[:, low[chunk]].double()
        if weight[chunk].any():
            share = torch.from_numpy(weight[chunk]).to(source.device)[None, :, None, None]
            part = part * (1 - share) + source[:, high[chunk]].double() * share
        if part.shape[2:] != in_plane:
            part = torch.nn.functional.interpolate(part, size=in_plane, mode="bilinear", align_corners=False)
        yield chunk, _halves(part)


def _halves(scores: Tensor) -> Tensor:
    """Round to half precision as NumPy does, before classes are compared as nnU-Net compares them.

    torch rounds twice, to single precision on the way. That decides where two classes are nearly equal, so
    those few voxels go the slow way.
    """
    torch = require_torch()
    halves = scores.half()
    close = _close(halves)
    if bool(close.any()):
        exact = scores[:, close].cpu().numpy().astype(np.float16)
        halves[:, close] = torch.from_numpy(exact).to(halves.device)
    return halves


def _close(scores: Tensor) -> Tensor:
    """Tell where the two best classes are nearly equal, so that the last bit of a sum decides."""
    best = scores.amax(dim=0, keepdim=True).float()
    margin = best.abs() * _LAST_BITS + 1e-7
    return (best - scores.float() <= margin).sum(dim=0) > 1


def _chooser(plans: NNUNetPlans) -> Callable[[Tensor], Tensor]:
    torch = require_torch()

    def of_classes(scores: Tensor) -> Tensor:
        best = scores[0].clone()
        label: Tensor = torch.zeros_like(best, dtype=torch.uint8)
        for index in range(1, len(scores)):
            better = scores[index] > best
            label[better] = index
            best = torch.where(better, scores[index], best)
        return label

    def of_regions(scores: Tensor) -> Tensor:
        label: Tensor = torch.zeros_like(scores[0], dtype=torch.uint8)
        for index, number in enumerate(plans.regions or ()):
            label[torch.sigmoid(scores[index].float()) > 0.5] = number
        return label

    return of_classes if plans.regions is None else of_regions
