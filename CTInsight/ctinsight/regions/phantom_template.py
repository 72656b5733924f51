"""A template that needs no download: the phantom head without noise, with territories drawn from formulas.

For the demo, for tests, and for cases that are phantoms themselves. It is no anatomy of anyone.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.finding import Side
from ctinsight.phantoms.head import HeadSpec, head_grid, head_phantom
from ctinsight.regions.template import Template, Territory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Grid

PHANTOM_NAME = "phantom-head"
SOURCE = (
    "Template: the phantom head of this project, with territories drawn from formulas. It is meant for"
    " phantoms and the demo only; on a patient neither territories nor corridors are to be believed."
)
_SEED = 4711
_SPACING_MM = 2.0
_ARTERIES = ("ACA", "MCA", "PCA", "VB")
_NAMES = {
    "ACA": "anterior cerebral artery",
    "MCA": "middle cerebral artery",
    "PCA": "posterior cerebral artery",
    "VB": "vertebrobasilar",
}


@cache
def phantom_template() -> Template:
    """Draw the template once for each process; takes about two seconds."""
    grid = head_grid((_SPACING_MM,) * 3, flip_ijk=(False, False, False))
    case = head_phantom(HeadSpec(grid=grid, seed=_SEED, noise_hu=0.0, sample_mm=2.5, holder=False))
    labels = np.where(case.brain_kji, _territory_labels(grid), 0).astype(np.uint8)
    return Template(PHANTOM_NAME, case.volume, labels, grid, _territories(), SOURCE)


def _territories() -> tuple[Territory, ...]:
    return tuple(
        Territory(2 * n + 1 + s, f"{_NAMES[artery]} {side.value}", artery, side)
        for n, artery in enumerate(_ARTERIES)
        for s, side in enumerate((Side.LEFT, Side.RIGHT))
    )


def _territory_labels(grid: Grid) -> NDArray[np.int_]:
    """Label by place: a strip along the midline in front, the back, the posterior fossa, the rest."""
    k, j, i = np.indices(grid.shape_kji)
    x, y, z = np.moveaxis(grid.ras_from_ijk(np.stack([i, j, k], axis=-1)), -1, 0)
    artery = np.full(grid.shape_kji, 1)
    artery[(np.abs(x) < 18) & (y > -45)] = 0
    artery[y < -62] = 2
    artery[z < 4 - 0.46 * np.sqrt(x**2 + (0.95 * (y + 42)) ** 2)] = 3
    artery[(artery == 3) & (y > -14)] = 1
    return np.asarray(2 * artery + 1 + (x > 0))
