"""The phantom's brain: gyri, deep nuclei, ventricles, cisterns, falx, tentorium, sinuses, calcifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ctinsight.phantoms.cranium import VAULT_CENTRE, VAULT_RADII, cavity_level, vault_frame
from ctinsight.phantoms.shapes import Points, Waves, capsule, ellipsoid, paint, step, tube

if TYPE_CHECKING:
    from ctinsight.phantoms.shapes import Array

GREY_HU: Final = 38.5
WHITE_HU: Final = 29.0
CSF_HU: Final = 7.0
FALX_HU: Final = 50.0
SINUS_HU: Final = 54.0
VESSEL_HU: Final = 44.0
CALCIUM_HU: Final = 190.0

CORTEX_MM: Final = 3.4
SULCUS_DEPTH_MM: Final = 19.0
WAVELENGTH_MM: Final = 26.0
#: Cupping left over by the scanner's correction: grey matter at the vault reads this much higher.
CUPPING_HU: Final = 3.0


@dataclass(frozen=True, eq=False)
class BrainSeed:
    """What varies from brain to brain: the gyri, the width of CSF spaces, a slight asymmetry."""

    gyri: Waves
    folia: Waves
    depth: Waves
    warp: tuple[Waves, Waves, Waves]
    ventricle_mm: float
    sulcus_mm: float

    @classmethod
    def of(cls, rng: np.random.Generator) -> BrainSeed:
        """Draw a brain between young and moderately atrophic."""
        age = float(rng.uniform(0, 1))
        return cls(
            gyri=Waves.of(rng, WAVELENGTH_MM, 8),
            folia=Waves.of(rng, 11.0, 6),
            depth=Waves.of(rng, 55.0, 4),
            warp=(Waves.of(rng, 90, 3), Waves.of(rng, 90, 3), Waves.of(rng, 90, 3)),
            ventricle_mm=-0.8 + 2.6 * age,
            sulcus_mm=0.45 + 0.8 * age,
        )

    def bend(self, p: Points) -> Points:
        """Shift points by about 1.2 mm, smoothly, so that the two halves are not mirror images."""
        dx, dy, dz = (1.2 * wave(p) for wave in self.warp)
        return Points(p.x + dx, p.y + dy, p.z + dz)


def paint_brain(hu: Array, p: Points, seed: BrainSeed, *, calcified: bool) -> None:
    """Paint the content of the cavity over points of the standard head, in place."""
    depth = -cavity_level(p)
    bent = seed.bend(p)
    tissue = np.full_like(hu, CSF_HU)
    _paint_cerebrum(tissue, bent, depth, seed)
    _paint_nuclei(tissue, bent)
    _paint_fissures(tissue, bent, seed)
    _paint_ventricles(tissue, bent, seed)
    _paint_posterior_fossa(tissue, bent, depth, seed)
    tissue += CUPPING_HU * np.exp(-depth / 7)
    _paint_dura(tissue, p, depth)
    if calcified:
        _paint_calcium(tissue, bent)
    paint(hu, -depth, tissue)


def _gyral_distance(p: Points, waves: Waves) -> Array:
    """Distance in mm to the middle of the nearest sulcus: sheets that run along the radius."""
    frame = vault_frame(p)
    u, v, w = (
        (a - c) / r for a, c, r in zip((frame.x, frame.y, frame.z), VAULT_CENTRE, VAULT_RADII, strict=True)
    )
    shrink = 1 / (0.35 + 0.65 * np.sqrt(u * u + v * v + w * w))
    outward = Points(p.x * shrink, (p.y + 15) * shrink, (p.z - 6) * shrink)
    return np.asarray(np.abs(waves(outward)) / waves.slope_per_mm)


def _paint_cerebrum(hu: Array, p: Points, depth: Array, seed: BrainSeed) -> None:
    rim = 1.2 + seed.sulcus_mm
    inner = depth - rim
    paint(hu, -inner, WHITE_HU)
    shallow = np.flatnonzero(inner < SULCUS_DEPTH_MM + CORTEX_MM + 2)
    q, part, d = p.take(shallow), hu[shallow], inner[shallow]
    reach = SULCUS_DEPTH_MM * (0.78 + 0.22 * seed.depth(q))
    taper = step(d, 1.0, 0.0) + (1 - step(d, 0.0, 1.0) * step(d / reach, 0.35, 1.0))
    sheet = _gyral_distance(q, seed.gyri)
    in_reach = d - reach
    ribbon = np.minimum(np.maximum(sheet - CORTEX_MM, in_reach - CORTEX_MM), d - CORTEX_MM)
    paint(part, np.maximum(ribbon, -d), GREY_HU)
    paint(part, np.maximum(sheet - seed.sulcus_mm * np.clip(taper, 0, 1.5), in_reach), CSF_HU)
    hu[shallow] = part


def _paint_nuclei(hu: Array, p: Points) -> None:
    q = p.mirrored()
    core = ellipsoid(p, (0, -10, 4), (36, 46, 24))
    paint(hu, core, WHITE_HU)
    for centre, radii in (
        ((11, -17, 7), (9, 14, 9)),
        ((15, 16, 8), (5.5, 10, 9)),
        ((25, 2, 1), (6.5, 17, 10)),
    ):
        paint(hu, ellipsoid(q, centre, radii), GREY_HU)


def _paint_fissures(hu: Array, p: Points, seed: BrainSeed) -> None:
    q = p.mirrored()
    half = 0.6 + 0.6 * seed.sulcus_mm
    wave = 2.2 * seed.depth(p)
    insula = np.maximum(
        np.abs(q.x - 38 + 0.012 * (p.y - 2) ** 2 + wave) - half, ellipsoid(q, (38, -4, 2), (9, 26, 14))
    )
    paint(hu, insula - CORTEX_MM, GREY_HU)
    lateral = np.abs(p.z + 1 + 0.55 * (p.y - 8) - wave) * 0.87 - half - 1.2 * step(p.y, 0, 20)
    lateral = np.maximum(np.maximum(lateral, 35 + wave - q.x), np.abs(p.y + 3) - 30)
    paint(hu, lateral - CORTEX_MM, GREY_HU)
    paint(hu, np.minimum(lateral, insula), CSF_HU)
    bridge = 1 - np.sqrt(((p.y + 8) / 46) ** 2 + ((p.z - 6) / 23) ** 2)
    cleft = np.maximum(np.abs(p.x) - half - 0.5, bridge * 24)
    paint(hu, np.maximum(cleft - CORTEX_MM, bridge * 24), GREY_HU)
    paint(hu, cleft, CSF_HU)


def _paint_ventricles(hu: Array, p: Points, seed: BrainSeed) -> None:
    q = p.mirrored()
    grow = seed.ventricle_mm
    body = tube(
        q,
        (
            ((9, 32, 8), 3.5),
            ((8, 20, 12), 5.0),
            ((10, 2, 19), 5.0),
            ((14, -20, 22), 4.6),
            ((24, -40, 15), 7.0),
            ((26, -54, 8), 4.5),
            ((24, -66, 5), 2.0),
        ),
    )
    horn = tube(q, (((25, -40, 12), 5.0), ((33, -28, -8), 2.0), ((32, -8, -18), 1.6)))
    lateral = np.maximum(np.minimum(body - grow, horn - 0.6 * grow), 1.0 - q.x)
    paint(hu, lateral, CSF_HU)
    paint(hu, ellipsoid(p, (0, -10, 1), (2.0 + max(grow, -0.5), 14, 10)), CSF_HU)


def _tent_height(p: Points) -> Array:
    """Height in mm of the tentorium over (R, A): high at the incisura, low at the sinuses."""
    outward = np.sqrt(p.x**2 + ((p.y + 42) * 0.95) ** 2)
    return np.asarray(4 - 0.46 * outward)


def _paint_posterior_fossa(hu: Array, p: Points, depth: Array, seed: BrainSeed) -> None:
    q = p.mirrored()
    tent = _tent_height(p)
    cisterns = np.minimum(
        ellipsoid(p, (0, 3, -19), (15, 12, 7)),
        np.minimum(
            ellipsoid(p, (0, -26, -13), (22, 17, 13)), capsule(p, (0, -20, -28), (0, -31, -66), (17, 13))
        ),
    )
    cistern_here = np.maximum(cisterns, -depth)
    below = np.maximum(p.z - tent + 0.5, p.y + 22 + 0.35 * np.abs(p.x))
    paint(hu, below, CSF_HU)
    cerebellum = np.maximum(below + 1.5, 2.0 + seed.sulcus_mm - depth)
    paint(hu, cistern_here, CSF_HU)
    paint(hu, np.maximum(cerebellum, -ellipsoid(p, (0, -30, -40), (15, 12, 26))), GREY_HU)
    folia = np.abs(seed.folia(Points(p.x * 0.4, p.y * 0.8, p.z * 1.6))) / seed.folia.slope_per_mm - 0.35
    paint(hu, np.maximum(np.maximum(folia, cerebellum), 9 - np.abs(depth - 2)), CSF_HU + 14)
    paint(hu, ellipsoid(q, (21, -62, -36), (13, 15, 8)), WHITE_HU + 2)
    paint(hu, ellipsoid(q, (16, -38, -33), (9, 13, 7)), WHITE_HU + 2)
    paint(hu, ellipsoid(p, (0, -27, -11), (16.5, 11, 12)), 33.0)
    paint(hu, ellipsoid(p, (0, -24, -30), (15, 12, 13)), 33.0)
    paint(hu, capsule(p, (0, -28, -40), (0, -35, -70), (8.5, 6.5)), 33.0)
    paint(hu, ellipsoid(p, (0, -42, -32), (7 + 0.5 * seed.ventricle_mm, 5, 8)), CSF_HU)
    paint(hu, ellipsoid(p, (0, -40, -8), (12, 3, 5)), CSF_HU)


def _paint_dura(hu: Array, p: Points, depth: Array) -> None:
    tent = _tent_height(p)
    arch = 1 - np.sqrt(((p.y + 10) / 54) ** 2 + ((p.z - 4) / 31) ** 2)
    falx = np.maximum(np.maximum(np.abs(p.x) - 0.9, arch * 30), tent - p.z)
    falx = np.maximum(falx, -16 - p.z + 0 * p.x)
    paint(hu, falx, FALX_HU)
    edge = np.sqrt((p.x / 19) ** 2 + ((p.y + 22) / 27) ** 2) * 19 - 19
    sheet = np.maximum(np.abs(p.z - tent) * 0.9 - 0.8, np.maximum(-edge, p.y + 14 + 0.55 * np.abs(p.x)))
    paint(hu, sheet, FALX_HU - 2)
    sagittal = np.maximum(np.abs(p.x) * 0.9 + depth - 6.5, -25 - p.z)
    paint(hu, np.where((p.y < 40) | (p.z > 40), sagittal, 9.0), SINUS_HU)
    transverse = np.maximum(np.abs(p.z + 23) + 0.8 * depth - 5.5, p.y + 62 - 0.3 * np.abs(p.x))
    paint(hu, transverse, SINUS_HU)
    q = p.mirrored()
    paint(hu, capsule(p, (0, -9, -34), (0, -10, -20), (1.7, 1.7)), VESSEL_HU)
    paint(hu, capsule(q, (9, 4, -20), (28, 4, -14), (1.5, 1.3)), VESSEL_HU)


def _paint_calcium(hu: Array, p: Points) -> None:
    """Paint pineal gland and choroid plexus: small and bright, the trap for a blood threshold."""
    q = p.mirrored()
    paint(hu, ellipsoid(p, (0.5, -36, 1), (2.6, 3.2, 2.6)), CALCIUM_HU)
    paint(hu, ellipsoid(q, (24.5, -42, 14), (2.2, 4.0, 2.4)), CALCIUM_HU - 60)
