"""A model of nnU-Net on a volume of any orientation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.resample import reorientation

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ctinsight.inference.nnunet.engine import NNUNetEngine, NNUNetSegmentation
    from ctinsight.progress import Progress
    from ctinsight.volume import Volume


def segment_volume(
    engine: NNUNetEngine,
    volume: Volume,
    progress: Progress,
    *,
    values: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
) -> tuple[NDArray[np.uint8], NNUNetSegmentation]:
    """Segment a volume; left and right do not depend on how its voxels are stored.

    nnU-Net knows no orientation. The volume is turned by flips alone into the usual order of training images:
    slices up, rows to posterior, columns to the patient's left.

    Parameters
    ----------
    engine
        Of a model with one input channel.
    volume
        In HU.
    progress
        Told after every window.
    values
        Applied to the HU first, where a model was trained on another scale.

    Returns
    -------
    tuple
        Labels (slices, rows, columns) uint8 on the volume's own grid, and what the engine says of the run.
    """
    turn = reorientation(volume.grid)
    image = turn.apply(volume.array_kji)
    image = image if values is None else values(image)
    found = engine.segment([image], turn.grid.spacing_kji_mm, progress=progress)
    return np.ascontiguousarray(turn.undo(found.labels_kji)), found
