"""Everything of the phantom's head outside the brain: scalp, skull, skull base, face and neck.

Attenuations are usual values at 120 kV in HU; they need to look right, not to be measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ctinsight.phantoms.cranium import FORAMEN_CENTRE, canal_level, cavity_level, vault_level
from ctinsight.phantoms.shapes import Points, Waves, capsule, ellipsoid, paint, step, tube

if TYPE_CHECKING:
    from ctinsight.phantoms.shapes import Array

AIR_HU: Final = -1000.0
FAT_HU: Final = -90.0
SKIN_HU: Final = 35.0
MUSCLE_HU: Final = 55.0
TABLE_HU: Final = 1350.0
DIPLOE_HU: Final = 620.0
SPONGY_HU: Final = 350.0
OTIC_HU: Final = 1900.0
WATER_HU: Final = 8.0
MARKER_HU: Final = 1500.0

SKIN_MM: Final = 2.0
SCALP_MM: Final = 6.0
TABLE_MM: Final = 1.7


@dataclass(frozen=True, eq=False)
class SkullSeed:
    """What varies from head to head."""

    thickness_mm: float
    texture: Waves
    cells: Waves

    @classmethod
    def of(cls, rng: np.random.Generator) -> SkullSeed:
        """Draw thickness and texture."""
        return cls(float(rng.uniform(5.5, 8.0)), Waves.of(rng, 75, 5), Waves.of(rng, 7.5, 7))


def head_level(p: Points, thickness_mm: float) -> Array:
    """Level of the skin: vault, face and neck in one."""
    q = p.mirrored()
    head = vault_level(p) - thickness_mm - SCALP_MM
    neck_back = 4 * np.clip(-60 - p.z, 0, 40) / 40
    neck = np.sqrt((p.x / 62) ** 2 + ((p.y + 38 - neck_back) / 58) ** 2) * 60 - 60
    neck = np.maximum(neck, p.z + 30)
    face = ellipsoid(p, (0, 26, -52), (66, 58, 66))
    jaw = capsule(q, (20, 60, -95), (48, 10, -70), (22, 20))
    nose = capsule(p, (0, 77, -28), (0, 89, -62), (6, 9))
    ear = ellipsoid(q, (77, -24, -34), (6, 16, 27))
    level = np.minimum(np.minimum(head, neck), np.minimum(face, jaw))
    return np.asarray(np.minimum(level, np.minimum(nose, ear)))


def paint_soft_tissue(hu: Array, p: Points, skin: Array, seed: SkullSeed) -> None:
    """Paint skin, subcutaneous fat, and the muscles of temple, neck and face."""
    q = p.mirrored()
    paint(hu, skin, SKIN_HU)
    paint(hu, skin + SKIN_MM, FAT_HU)
    folds = 2.0 * seed.texture(p)
    for centre, radii in (
        ((61, 22, -20), (13, 30, 34)),
        ((26, -88, -62), (26, 20, 34)),
        ((50, -50, -80), (13, 26, 40)),
        ((24, -38, -85), (26, 22, 30)),
        ((52, 14, -72), (8, 20, 26)),
    ):
        paint(hu, np.maximum(ellipsoid(q, centre, radii) + folds, skin + SKIN_MM + 2), MUSCLE_HU)
    paint(hu, np.maximum(ellipsoid(p, (0, 2, -78), (40, 34, 38)) + folds, skin + 6), MUSCLE_HU)


def paint_vault(hu: Array, p: Points, seed: SkullSeed) -> None:
    """Paint the skull around the cavity: outer table, diploe, inner table."""
    cavity = cavity_level(p)
    thickness = seed.thickness_mm + 0.6 * seed.texture(p)
    squama = np.exp(-(((p.y + 8) / 32) ** 2) - ((p.z + 12) / 22) ** 2) * np.clip(np.abs(p.x) - 40, 0, 20) / 20
    thickness = thickness * (1 - 0.45 * squama)
    protuberance = np.exp(-((p.x / 16) ** 2) - ((p.z + 26) / 18) ** 2) * step(p.y, -45, -70)
    thickness = thickness + 6 * protuberance
    base = np.clip((-8 - p.z) / 14, 0, 1) * (p.y < 40)
    shell = np.maximum(cavity - thickness * (1 - 0.3 * base), -60 - p.z - 6)
    paint(hu, shell, TABLE_HU)
    marrow = np.maximum(shell + TABLE_MM, TABLE_MM - cavity)
    paint(hu, marrow, DIPLOE_HU + 130 * seed.cells(p))


def paint_base(hu: Array, p: Points, seed: SkullSeed) -> None:
    """Paint petrous bones, mastoid cells, sphenoid and clivus with their air."""
    q = p.mirrored()
    cells = seed.cells(p)
    body = ellipsoid(p, (0, 8, -38), (17, 17, 13))
    clivus = capsule(p, (0, 0, -36), (0, -20, -64), (11, 7))
    bone = np.minimum(body, clivus)
    paint(hu, bone, TABLE_HU)
    paint(hu, bone + 1.5, SPONGY_HU + 80 * cells)
    petrous = tube(q, (((12, -9, -36), 6.0), ((34, -23, -34), 9.5), ((58, -40, -36), 14.0)))
    paint(hu, petrous, TABLE_HU)
    paint(hu, ellipsoid(q, (37, -25, -33), (8, 7, 6)), OTIC_HU)
    mastoid = ellipsoid(q, (58, -41, -46), (10, 13, 22))
    paint(hu, mastoid, TABLE_HU)
    paint(hu, np.maximum(mastoid + 2.5, (0.15 - cells) * 2), AIR_HU)
    paint(hu, capsule(q, (46, -25, -40), (84, -25, -42), (3.2, 3.5)), AIR_HU)
    paint(hu, capsule(q, (20, -20, -33), (29, -22, -33), (2.4, 2.0)), WATER_HU)
    septum = np.abs(p.x - 1.5) - 0.7
    sinus = ellipsoid(p, (0, 12, -38), (13, 11, 8.5))
    paint(hu, np.maximum(sinus, -septum), AIR_HU)
    paint(hu, tube(q, (((60, 22, -46), 3.0), ((58, 38, -50), 4.0), ((44, 58, -52), 6.0))), TABLE_HU)


def paint_face(hu: Array, p: Points, seed: SkullSeed) -> None:
    """Paint orbits, nasal cavity and paranasal sinuses, each in a thin wall of bone."""
    q = p.mirrored()
    cells = seed.cells(p)
    frontal = np.maximum(ellipsoid(q, (10, 76, -10), (11, 6, 11)), 0.9 - q.x)
    paint(hu, frontal - 1.8, TABLE_HU)
    paint(hu, frontal, AIR_HU)
    maxillary = ellipsoid(q, (29, 48, -66), (14, 17, 16))
    paint(hu, maxillary - 1.6, TABLE_HU)
    paint(hu, maxillary, AIR_HU)
    ethmoid = np.maximum(ellipsoid(p, (0, 44, -36), (14, 26, 13)), -ellipsoid(q, (31, 50, -33), (18, 26, 17)))
    paint(hu, ethmoid - 1.2, TABLE_HU)
    paint(hu, np.maximum(ethmoid, 0.9 - np.abs(cells) * 1.6), AIR_HU)
    nasal = ellipsoid(p, (0, 52, -64), (13, 36, 18))
    paint(hu, nasal - 1.2, TABLE_HU)
    paint(hu, nasal, AIR_HU)
    paint(hu, np.maximum(np.abs(p.x + 0.8) - 1.1, nasal), SPONGY_HU)
    paint(hu, np.maximum(ellipsoid(q, (8, 50, -68), (4, 26, 8)), nasal + 0.5), MUSCLE_HU)
    pharynx = ellipsoid(p, (0, 10, -70), (12, 8, 20))
    paint(hu, pharynx, AIR_HU)
    mandible = tube(q, (((51, -3, -56), 4.5), ((50, 8, -85), 5.5), ((38, 36, -104), 7.0)))
    paint(hu, mandible, TABLE_HU)
    paint(hu, mandible + 2.2, SPONGY_HU)


def paint_orbits(hu: Array, p: Points) -> None:
    """Paint the orbits: fat, globe with lens, optic nerve and rectus muscles."""
    q = p.mirrored()
    cone = np.minimum(
        ellipsoid(q, (32, 58, -33), (18, 20, 17)), capsule(q, (30, 52, -33), (13, 24, -30), (16, 3))
    )
    paint(hu, np.maximum(cone - 1.8, p.y - 74), TABLE_HU)
    paint(hu, cone, FAT_HU)
    paint(hu, capsule(q, (33, 57, -33), (13, 22, -30), (2.2, 2.2)), 38.0)
    paint(hu, tube(q, (((47, 62, -33), 1.8), ((38, 46, -32), 3.0), ((15, 26, -30), 1.5))), MUSCLE_HU)
    paint(hu, tube(q, (((20, 62, -33), 1.8), ((19, 46, -32), 3.0), ((13, 26, -30), 1.5))), MUSCLE_HU)
    globe = ellipsoid(q, (33, 68, -33), (12.2, 12.2, 12.2))
    paint(hu, globe, 40.0)
    paint(hu, globe + 1.3, WATER_HU)
    paint(hu, ellipsoid(q, (33, 76, -33), (4.6, 2.2, 4.6)), 90.0)


def paint_spine(hu: Array, p: Points) -> None:
    """Paint the ring of C1, the body of C2 and the canal with its cord."""
    q = p.mirrored()
    canal = canal_level(p)
    condyle = ellipsoid(q, (19, -24, -64), (8, 11, 8))
    ring = np.maximum(np.maximum(canal - 7, 1 - canal), np.abs(p.z + 77) - 5)
    mass = ellipsoid(q, (23, -26, -77), (11, 9, 8))
    dens = capsule(p, (0, -17, -72), (0, -16, -110), (5, 9))
    for bone in (condyle, ring, mass, dens):
        paint(hu, bone, TABLE_HU)
        paint(hu, bone + 2, SPONGY_HU)
    paint(hu, canal, WATER_HU)
    cord = capsule(p, (0, -31, -50), (0, FORAMEN_CENTRE[1], -120), (8.0, 5.5))
    paint(hu, np.maximum(cord, p.z + 56), 33.0)


def paint_left_marker(hu: Array, p: Points, thickness_mm: float) -> None:
    """Paint a dense bead of 5 mm radius on the scalp of the patient's left temple."""
    x = -(69.0 + thickness_mm + SCALP_MM + 3)
    paint(hu, ellipsoid(p, (x, -15, 6), (5, 5, 5)), MARKER_HU)


def paint_holder(hu: Array, p: Points) -> None:
    """Paint the head holder of the table: a carbon shell behind the head, lower than the skin."""
    radius = np.sqrt(p.x**2 + (p.y + 8) ** 2)
    shell = np.maximum(np.abs(radius - 114) - 4, p.y + 40)
    paint(hu, shell, -150.0)
    paint(hu, shell + 2, -930.0)
