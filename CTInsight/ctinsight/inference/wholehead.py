"""A network that looks at a whole head at once: channels in, one score out.

The four channels of the published system, its normalisation and its padding, in its array order: an array
(i, j, k), first axis to the side, as NIfTI readers give it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import InputRefusedError, NotEnoughSpaceError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    Array = NDArray[np.floating]

#: Names of the channels, in the order of the network.
CHANNELS = ("ct", "vessels", "prior", "difference")
#: The published size; smaller heads are padded with zeros about their centre.
PUBLISHED_SHAPE = (512, 512, 200)
#: Outside it a voxel is set to 0. It erases dense clot above 70 HU, so it serves this network alone.
PUBLISHED_WINDOW_HU = (0.0, 70.0)


@dataclass(frozen=True, eq=False)
class HeadChannels:
    """The four channels of one head: float32 (i, j, k), each normalised, not yet padded.

    ``cropped`` counts voxels cut off along i, j and k where the head is larger than the published size.
    """

    ct: NDArray[np.float32]
    vessels: NDArray[np.float32]
    prior: NDArray[np.float32]
    difference: NDArray[np.float32]

    def stacked(self, shape: tuple[int, int, int] = PUBLISHED_SHAPE) -> NDArray[np.float32]:
        """Pad or cut every channel about its centre and stack them, (4, i, j, k)."""
        return np.stack([fitted(getattr(self, name), shape) for name in CHANNELS])

    def without(self, name: str) -> HeadChannels:
        """Return the same head with one channel withheld, which is all 0."""
        kept = {n: np.zeros_like(getattr(self, n)) if n == name else getattr(self, n) for n in CHANNELS}
        return HeadChannels(**kept)


def head_channels(
    ct_hu: Array, vessel_mask: NDArray[np.bool_], prior: Array, difference: Array
) -> HeadChannels:
    """Normalise four channels as published.

    Parameters
    ----------
    ct_hu
        (i, j, k) in HU.
    vessel_mask
        The same shape: the vessels of stage 1.
    prior
        MCA prior, 0 to 1; taken as it is.
    difference
        Hemispheric difference, HU.

    Raises
    ------
    InputRefusedError
        Channels of different shapes, or without any value: nothing is put in their place.
    """
    arrays = {"ct": ct_hu, "vessels": vessel_mask, "prior": prior, "difference": difference}
    for name, array in arrays.items():
        if array.shape != ct_hu.shape or not np.any(array):
            found = f"shape {array.shape}" if array.shape != ct_hu.shape else "nothing but zeros"
            raise InputRefusedError(
                found=f"the channel {name} of McResNet has {found}",
                expected=f"values on the CT's grid of {ct_hu.shape} voxels",
                remedy="Make this channel first; no other image may stand for it.",
            )
    ct = normalised_ct(ct_hu)
    return HeadChannels(
        ct,
        np.where(vessel_mask, ct, np.float32(0)).astype(np.float32),
        np.asarray(prior, dtype=np.float32),
        _above_zero_to_one(np.asarray(difference, dtype=np.float64)),
    )


def normalised_ct(ct_hu: Array) -> NDArray[np.float32]:
    """Set HU outside the published window to 0 and bring the rest to 0..1 by its own extremes."""
    low, high = PUBLISHED_WINDOW_HU
    values = np.where((ct_hu < low) | (ct_hu > high), 0.0, np.asarray(ct_hu, dtype=np.float64))
    return _to_one(values, values != 0)


def _above_zero_to_one(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return _to_one(values, values > 0)


def _to_one(values: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    out = np.zeros(values.shape, dtype=np.float32)
    if not where.any():
        return out
    low, high = float(values[where].min()), float(values[where].max())
    if high > low:
        out[where] = (values[where] - low) / (high - low)
    return out


def fitted(array: NDArray[np.float32], shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Pad with zeros about the centre, or cut about the centre where the array is larger.

    Examples
    --------
    >>> fitted(np.ones((1, 2, 3), np.float32), (3, 2, 2)).sum(axis=(1, 2)).tolist()
    [0.0, 4.0, 0.0]
    """
    out = np.zeros(shape, dtype=np.float32)
    source, target = [], []
    for have, want in zip(array.shape, shape, strict=True):
        size = min(have, want)
        source.append(slice((have - size) // 2, (have - size) // 2 + size))
        target.append(slice((want - size) // 2, (want - size) // 2 + size))
    out[tuple(target)] = array[tuple(source)]
    return out


def head_logit(net: nn.Module, channels: NDArray[np.float32], *, device: str = "cpu") -> float:
    """Run a network on one stacked head (4, i, j, k) and return its logit.

    Raises
    ------
    NotEnoughSpaceError
        The machine has too little memory for a whole head.
    """
    import torch

    try:
        with torch.inference_mode():
            given = torch.from_numpy(np.ascontiguousarray(channels))[None].to(device)
            return float(net.to(device)(given).cpu().item())
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise NotEnoughSpaceError(
            found=f"no memory for a head of {channels.shape[1:]} voxels on {device}",
            expected="about 5 GB of free memory for the published size",
            remedy="Close other programs, or run on another machine.",
        ) from error
