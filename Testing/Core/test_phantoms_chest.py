"""The chest phantom: its nodules have the volume that their formulas say, on any grid."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import WrongUseError
from ctinsight.phantoms.chest import ChestSpec, chest_grid, chest_phantom, pleural_nodule, truth_of
from ctinsight.phantoms.nodule_implant import Lung, implant_nodule
from ctinsight.phantoms.nodules import Nodule, NoduleKind, nodule_of

CENTRE = (85.0, 5.0, 20.0)


def small_grid(spacing=(0.8, 0.8, 1.2), **more):
    """Return a grid of 26 mm about the centre."""
    return chest_grid(spacing, size_mm=(26, 26, 26), centre_ras=CENTRE, **more)


def test_a_free_nodule_has_the_volume_of_its_ellipsoid():
    """Half-axes of 4, 5 and 6 mm make 4/3 x pi x 120 = 502.7 mm3 and a mean diameter of (12 + 10) / 2."""
    truth = truth_of(Nodule(NoduleKind.SOLID, CENTRE, (4, 5, 6)))
    assert truth.volume_mm3 == pytest.approx(502.65, abs=0.01)
    assert truth.mean_diameter_mm == pytest.approx(11.0)


def test_a_turned_nodule_keeps_its_volume_and_its_sections():
    """A ball that is stretched along R and turned by 90 degrees about S is stretched along A."""
    along_r = Nodule(NoduleKind.SOLID, CENTRE, (6, 4, 4))
    turned = Nodule(NoduleKind.SOLID, CENTRE, (6, 4, 4), (0, 0, 90))
    assert along_r.plane_diameter_mm(0) == pytest.approx(8.0)
    assert turned.plane_diameter_mm(1) == pytest.approx(8.0)


def test_the_solid_core_is_an_eighth_at_half_the_size():
    """A core of half the half-axes holds 1/8 of the volume."""
    nodule = nodule_of(NoduleKind.PART_SOLID, CENTRE, 12.0)
    assert nodule.core_volume_mm3 == pytest.approx(nodule.whole_volume_mm3 / 8)


@pytest.mark.parametrize("spacing", [(0.7, 0.7, 1.0), (0.7, 0.7, 2.5)])
def test_density_over_the_lung_sums_to_the_volume(spacing):
    """Without noise, what the nodule adds to the lung, over its contrast, is its volume to 1 %."""
    nodule = nodule_of(NoduleKind.SOLID, CENTRE, 9.0, seed=3)
    with_it, without = (
        chest_phantom(
            ChestSpec(small_grid(spacing), nodules=n, noise_hu=0, vessels=False, texture_hu=0)
        ).volume.array_kji.astype(float)
        for n in ((nodule,), ())
    )
    added = (with_it - without).sum() / (35.0 - without.mean())
    assert added * np.prod(spacing) == pytest.approx(nodule.whole_volume_mm3, rel=0.01)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    """Noise and texture follow the seed."""
    spec = ChestSpec(small_grid((1.5, 1.5, 2.0)), seed=4)
    first, again = chest_phantom(spec).volume.array_kji, chest_phantom(spec).volume.array_kji
    other = chest_phantom(ChestSpec(spec.grid, seed=5)).volume.array_kji
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_noise_has_the_asked_standard_deviation():
    """The difference of a noisy and a quiet chest has an SD of 20 HU to 3 %."""
    grid = small_grid((1.0, 1.0, 1.0))
    noisy, quiet = (chest_phantom(ChestSpec(grid, noise_hu=n)).volume.array_kji for n in (20.0, 0.0))
    assert np.std(noisy.astype(float) - quiet) == pytest.approx(20.0, rel=0.03)


def test_the_pleura_cuts_a_juxtapleural_nodule():
    """With its centre 0.3 radii inside, a ball keeps about 72 % of its volume: (1 + 1.5 h - h^3 / 2) / 2."""
    nodule = pleural_nodule((1.0, 0.1, 0.0), 12.0)
    share = truth_of(nodule).volume_mm3 / nodule.whole_volume_mm3
    assert share == pytest.approx((1 + 1.5 * 0.3 - 0.5 * 0.3**3) / 2, abs=0.04)


def test_a_nodule_outside_the_lungs_is_refused():
    """The heart is no place for a nodule."""
    with pytest.raises(WrongUseError, match="outside the lungs"):
        chest_phantom(ChestSpec(small_grid(), nodules=(Nodule(NoduleKind.SOLID, (0, 30, -60), (4, 4, 4)),)))


def test_an_implanted_nodule_keeps_its_volume_and_its_seed():
    """A ball of 8 mm put into a chest holds 268.1 mm3 to 1 %, and the same seed gives the same bytes."""
    host = chest_phantom(ChestSpec(small_grid())).volume
    nodule = Nodule(NoduleKind.GROUND_GLASS, CENTRE, (4, 4, 4))
    lung = Lung(np.ones(host.grid.shape_kji, dtype=bool), host.grid)
    made, again = (implant_nodule(host, nodule, lung, seed=1) for _ in range(2))
    assert made.volume_mm3 == pytest.approx(268.1, rel=0.01)
    assert np.array_equal(made.volume.array_kji, again.volume.array_kji)
    assert made.volume.array_kji[made.truth_kji].mean() == pytest.approx(-600, abs=40)
