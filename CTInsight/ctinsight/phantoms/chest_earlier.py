"""The demo's chest as it looked earlier: some nodules smaller by a known factor, the patient moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.phantoms.chest import NOISE_CORRELATION, chest_phantom, demo_chest
from ctinsight.phantoms.lesions import rotation
from ctinsight.phantoms.texture import NoiseLevel, correlated_noise
from ctinsight.volume import Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.phantoms.chest import ChestCase
    from ctinsight.phantoms.nodules import Nodule
    from ctinsight.phantoms.shapes import Vector

#: Diameters then, as a share of now, in the order of the demo's nodules: solid, part-solid, then three that
#: did not change.
SHARES = (0.8, 0.93, 1.0, 1.0, 1.0)
#: Days between both CTs, how the patient lay then (mm along R, A, S, and degrees about them).
DAYS, SHIFT_RAS_MM, TURN_DEGREES = 180, (6.0, -4.0, 9.0), (2.0, -1.5, 3.0)


@dataclass(frozen=True, eq=False)
class EarlierChest:
    """The earlier CT, and the nodules' centres in it (RAS, mm), in the order of the present ones."""

    case: ChestCase
    volume: Volume
    centres_ras: tuple[Vector, ...]


def demo_earlier_chest(seed: int = 0, now: ChestCase | None = None) -> EarlierChest:
    """Draw the earlier CT of :func:`demo_chest`, with noise of its own.

    Parameters
    ----------
    seed
        Of the present CT.
    now
        The present CT, where it is drawn already.
    """
    now = now or demo_chest(seed)
    spec = now.spec
    nodules = tuple(_smaller(nodule, share) for nodule, share in zip(spec.nodules, SHARES, strict=True))
    case = chest_phantom(replace(spec, nodules=nodules, noise_hu=0.0))
    moved = _moved()
    centres = tuple(_vector(moved[:3, :3] @ np.array(n.centre_ras) + moved[:3, 3]) for n in nodules)
    voxels = _noisy(case.volume.array_kji, seed, spec.noise_hu)
    return EarlierChest(case, Volume(voxels, moved @ case.volume.ijk_to_ras), centres)


def _smaller(nodule: Nodule, share: float) -> Nodule:
    a, b, c = (radius * share for radius in nodule.radii_mm)
    return replace(nodule, radii_mm=(a, b, c))


def _moved() -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(TURN_DEGREES)
    matrix[:3, 3] = SHIFT_RAS_MM
    return matrix


def _noisy(array_kji: NDArray[np.int16], seed: int, noise_hu: float) -> NDArray[np.int16]:
    rng = np.random.default_rng([seed, 3])
    voxels = np.empty_like(array_kji)
    for k in range(len(array_kji)):
        noise = correlated_noise(rng, (1, *array_kji.shape[1:]), NoiseLevel(noise_hu, NOISE_CORRELATION))
        voxels[k] = np.clip(np.rint(array_kji[k] + noise[0]), -1024, 3071)
    return voxels


def _vector(values: NDArray[np.float64]) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
