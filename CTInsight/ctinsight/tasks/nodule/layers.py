"""Tell an even dense nodule from the core of ground glass too thin to be seen by itself.

A rim of one or two voxels never shows its own density: the scanner's blur mixes it with the core inside and
the lung outside. So both pictures are tried, an even nodule and a core within a rim. A rim is called so only
when it explains the CT much better than any even nodule does, whatever the blur.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ctinsight.tasks.nodule.cube import slices_across
from ctinsight.tasks.nodule.scanner import BLURS_MM, Fit, zone_about

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.nodule.cube import Cube
    from ctinsight.tasks.nodule.scanner import Zone

#: Borders that are tried, HU over the lung: of the whole, and of the core.
OUTER_STEPS_HU = (60.0, 85.0, 110.0, 140.0, 175.0, 215.0, 260.0)
CORE_STEPS_HU = (300.0, 360.0, 420.0, 480.0, 540.0, 600.0, 660.0)
#: The even nodule's squared misfit must be so many times that of core and rim. More is asked for near the
#: pleura, and where the rim is so dense, as a share of the core's contrast, that stumps of vessels and thick
#: slices look the same.
LEAST_GAIN, SURE_GAIN, DENSE_RIM_SHARE = 1.25, 2.0, 0.4
#: A rim is at least so much denser than the lung, and a core so much denser than its rim, HU.
LEAST_RIM_HU, LEAST_CORE_HU = 100.0, 200.0
#: A core fills at most this share of the whole; a thinner rim cannot be told from blur.
LARGEST_CORE_SHARE = 0.6
#: A nodule seen on fewer slices is mixed with lung on all of them.
LEAST_SLICES = 3.0
#: The rim is this thick, in voxels of the CT, over this share of the border: what lies on one side of a dense
#: nodule is no rim.
LEAST_RIM_VOXELS, LEAST_RIM_SHARE = 0.5, 0.8


@dataclass(frozen=True, eq=False)
class Layers:
    """Ground glass about a core.

    Parameters
    ----------
    lung_hu, rim_hu, core_hu
        Densities.
    core_seen_kji
        What the core adds to its rim as the scanner shows it, HU, float32 on the cube.
    gain
        Squared misfit of the best even nodule over that of core and rim.
    """

    lung_hu: float
    rim_hu: float
    core_hu: float
    core_seen_kji: NDArray[np.float32]
    gain: float

    def without_core(self, cube: Cube) -> Cube:
        """Take away what the core adds: ground glass throughout, whose border can be placed by itself."""
        rest = cube.hu_kji - self.core_seen_kji
        core = self.core_seen_kji > 0.5 * (self.core_hu - self.rim_hu)
        rest[core] = np.maximum(rest[core], self.rim_hu)
        return replace(cube, hu_kji=np.asarray(rest, dtype=np.float32))


def find_layers(cube: Cube, wide_kji: NDArray[np.bool_], solid_hu: float) -> Layers | None:
    """Fit an even nodule and a core within a rim to the CT; ``None`` where the even one does as well.

    Parameters
    ----------
    cube
        About the nodule.
    wide_kji
        Everything of the nodule that is denser than lung, cut from vessels.
    solid_hu
        A rim is less dense than this.
    """
    zone = zone_about(cube, wide_kji)
    if not zone.usable or slices_across(cube, wide_kji) < LEAST_SLICES:
        return None
    even, layered = _both(zone, solid_hu)
    gain = even.misfit / max(layered.misfit, 1e-9)
    if gain < LEAST_GAIN or not _surrounds(zone, layered):
        return None
    lung, rim, more = layered.values_hu
    at_wall = float(cube.wall_gap_kji[wide_kji].min()) <= max(cube.native_mm)
    if gain < SURE_GAIN and (at_wall or rim > DENSE_RIM_SHARE * (rim + more)):
        return None
    core = np.zeros_like(cube.hu_kji)
    core[zone.box] = np.float32(more) * zone.blurred(zone.inside(layered.levels_hu[1]), layered.blur_mm)
    return Layers(lung, lung + rim, lung + rim + more, core, gain)


def _both(zone: Zone, solid_hu: float) -> tuple[Fit, Fit]:
    """Best even nodule, and best core within a rim; that one's misfit is infinite when none makes sense."""
    lung_hu = zone.cube.background_hu
    outer_steps = [lung_hu + step for step in OUTER_STEPS_HU]
    core_steps = [lung_hu + step for step in CORE_STEPS_HU]
    even = layered = Fit(np.inf)
    for blur in BLURS_MM:
        seen = {level: zone.seen(level, blur) for level in (*outer_steps, *core_steps)}
        even = min((even, *(zone.fit((seen[a],), (a,), blur) for a in seen)), key=lambda f: f.misfit)
        pairs = product(outer_steps, core_steps)
        tried = (zone.fit((seen[a], seen[b]), (a, b), blur) for a, b in pairs)
        layered = min((layered, *(f for f in tried if _plausible(f, solid_hu))), key=lambda f: f.misfit)
    return even, layered


def _plausible(fit: Fit, solid_hu: float) -> bool:
    lung, rim, more = fit.values_hu
    return rim >= LEAST_RIM_HU and lung + rim < solid_hu and more >= LEAST_CORE_HU


def _surrounds(zone: Zone, fit: Fit) -> bool:
    """Whether the rim goes all around the core, and is more than a film."""
    outer, core = (zone.inside(level) for level in fit.levels_hu)
    if not core.any() or core.sum() > LARGEST_CORE_SHARE * outer.sum():
        return False
    sampling = [zone.cube.spacing_mm / mm for mm in zone.cube.native_mm]
    from_core = ndimage.distance_transform_edt(~core, sampling=sampling)
    in_lung = zone.cube.wall_gap_kji[zone.box] > zone.cube.spacing_mm
    border = outer & ~ndimage.binary_erosion(outer) & in_lung
    return bool(border.any() and (from_core[border] >= LEAST_RIM_VOXELS).mean() >= LEAST_RIM_SHARE)
