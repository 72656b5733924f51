"""Samples as jobs of the worker: a synthetic CT drawn on this machine, nothing downloaded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.phantoms.head import head_grid, head_phantom
from ctinsight.phantoms.samples import demo_head_spec
from ctinsight.progress import ProgressEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def draw_head(
    values: Mapping[str, Any], tell: Callable[[ProgressEvent], None], folder: Path
) -> dict[str, Any]:
    """Draw the sample head with its bleed of known volume.

    Parameters
    ----------
    values
        ``seed``: a whole number, 0 by default. ``quick``: true draws it on 2 x 2 x 5 mm, for tests.
    folder
        Takes the voxels, HU in (slice, row, column) order.

    Returns
    -------
    dict
        ``array``: the file's name; ``ijk_to_ras``: 4 x 4; ``truth_ml``: its volume by formula.

    Raises
    ------
    WrongUseError
        The seed is no whole number.
    """
    tell(ProgressEvent("drawing the sample", 0.0, None))
    seed = values.get("seed", 0)
    if type(seed) is not int or seed < 0:
        raise WrongUseError(
            found=f"seed = {seed!r}", expected="a whole number, 0 or more", remedy="Correct the seed."
        )
    spec = demo_head_spec(seed)
    if values.get("quick"):
        spec = replace(spec, grid=head_grid((2.0, 2.0, 5.0)))
    case = head_phantom(spec)
    name = "sample-volume.npy"
    np.save(folder / name, case.volume.array_kji, allow_pickle=False)
    return {
        "array": name,
        "ijk_to_ras": case.volume.ijk_to_ras.tolist(),
        "truth_ml": case.truth_ml,
    }
