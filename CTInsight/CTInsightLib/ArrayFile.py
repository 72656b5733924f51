"""Write an array for the worker piece by piece, so that the window answers meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

#: Bytes of one piece: some 10 ms on a laptop's disk.
_PIECE_BYTES = 16 * 2**20


def writeInPieces(path: Path, array_kji: NDArray[Any]) -> Iterator[None]:
    """Write an array as ``.npy``; between two pieces it yields.

    Parameters
    ----------
    array_kji
        (slices, rows, columns) of any type.
    """
    target = np.lib.format.open_memmap(path, mode="w+", dtype=array_kji.dtype, shape=array_kji.shape)
    slices = max(1, _PIECE_BYTES // max(1, array_kji[:1].nbytes))
    for start in range(0, len(array_kji), slices):
        target[start : start + slices] = array_kji[start : start + slices]
        yield
