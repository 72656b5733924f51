"""A synthetic chest as formulas in patient space: body, wall, ribs, mediastinum, heart, lungs, diaphragm.

Levels are about signed distances in mm, negative inside. The patient's right is +R; the heart lies left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctinsight.phantoms.shapes import Points, Vector, coverage, ellipsoid, paint

if TYPE_CHECKING:
    from ctinsight.phantoms.shapes import Array, Waves

AIR_HU = -1000.0
FAT_HU, MUSCLE_HU, BLOOD_HU, LIVER_HU = -100.0, 50.0, 45.0, 60.0
SPONGY_BONE_HU, CORTICAL_BONE_HU = 180.0, 700.0
#: Lung at full inspiration: denser at the back, where blood pools (-860 in front to -820 behind).
LUNG_HU, LUNG_GRADIENT_HU_PER_MM = -845.0, -0.25

_CAVITY_RADII = (136.0, 94.0, 150.0)
_BODY_RADII = (176.0, 126.0)
_RIB_PITCH_MM, _RIB_SLOPE = 28.0, 0.45


def body_level(p: Points) -> Array:
    """Level of the skin: an elliptic cylinder."""
    return _elliptic(p, _BODY_RADII)


def cavity_level(p: Points) -> Array:
    """Level of the chest cavity inside the ribs: a cylinder with a dome on top."""
    a, b, height = _CAVITY_RADII
    u, v, w = p.x / a, (p.y + 5) / b, np.maximum(p.z, 0) / height
    norm = np.sqrt(u * u + v * v + w * w) + 1e-6
    slope = np.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / height) ** 2) + 1e-8
    return np.asarray((norm - 1) * norm / slope)


def lung_level(p: Points) -> Array:
    """Level of both lungs: the cavity without mediastinum, heart and what lies under the diaphragm."""
    middle = 30 + 12 * np.exp(-(((p.z + 10) / 30) ** 2)) - np.abs(p.x)
    side = np.abs(p.x) - 72
    dome = -95 - (side * side + (p.y + 5) ** 2) / 170 - p.z
    heart = -ellipsoid(p, (-26, 28, -62), (58, 48, 56))
    return np.asarray(np.maximum(np.maximum(cavity_level(p), middle), np.maximum(0.75 * dome, heart)))


def paint_anatomy(hu: Array, p: Points, texture: Waves, texture_hu: float) -> None:
    """Paint everything but vessels and nodules over air, in place; (n,)."""
    body = np.flatnonzero(body_level(p) < 1)
    if body.size == 0:
        return
    q, part = p.take(body), hu[body]
    skin = body_level(q)
    paint(part, skin, FAT_HU)
    paint(part, skin + 14, MUSCLE_HU)
    _paint_wall(part, q)
    _paint_mediastinum(part, q)
    lung = lung_level(q)
    inside = np.flatnonzero(lung < 1)
    if inside.size:
        r = q.take(inside)
        air = LUNG_HU + LUNG_GRADIENT_HU_PER_MM * -r.y + texture_hu * texture(r)
        values = part[inside]
        paint(values, np.asarray(lung[inside]), air)
        part[inside] = values
    hu[body] = part


def _paint_wall(hu: Array, p: Points) -> None:
    """Ribs slope down to the front in the wall outside the cavity; spine and sternum close the ring."""
    outside = cavity_level(p)
    turn = (p.z + _RIB_SLOPE * p.y) / _RIB_PITCH_MM
    along = np.abs(turn - np.round(turn)) * _RIB_PITCH_MM
    rib = np.maximum(np.abs(outside - 8) - 4.5, along - 6)
    paint(hu, rib, CORTICAL_BONE_HU)
    paint(hu, rib + 2, SPONGY_BONE_HU)
    spine = np.hypot(p.x, (p.y + 98) * 1.2) - 21
    disc = np.abs(p.z / 26 - np.round(p.z / 26)) * 26 - 10
    vertebra = np.maximum(spine, disc)
    paint(hu, vertebra, CORTICAL_BONE_HU)
    paint(hu, vertebra + 2, SPONGY_BONE_HU)
    sternum = np.maximum(np.abs(p.x) - 17, np.abs(p.y - 98) - 6)
    paint(hu, sternum, CORTICAL_BONE_HU)
    paint(hu, sternum + 2, SPONGY_BONE_HU)


def _paint_mediastinum(hu: Array, p: Points) -> None:
    inside = cavity_level(p)
    paint(hu, np.maximum(inside, np.abs(p.x) - 46), -20.0)
    paint(hu, ellipsoid(p, (-26, 28, -62), (56, 46, 54)), BLOOD_HU)
    paint(hu, np.maximum(np.hypot(p.x + 20, p.y + 62) - 12, p.z - 60), BLOOD_HU)
    paint(hu, np.maximum(np.hypot(p.x - 22, p.y - 20) - 10, np.abs(p.z - 40) - 50), BLOOD_HU)
    paint(hu, np.maximum(np.hypot(p.x, p.y + 12) - 9, 20 - p.z), AIR_HU)
    paint(hu, np.maximum(inside, p.z + 118), LIVER_HU)


def _elliptic(p: Points, radii: tuple[float, float]) -> Array:
    u, v = p.x / radii[0], p.y / radii[1]
    norm = np.sqrt(u * u + v * v) + 1e-6
    slope = np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2) + 1e-8
    return np.asarray((norm - 1) * norm / slope)


def wall_point(direction_ras: Vector, side_x: float) -> Vector:
    """Find where a ray from the middle of a lung meets its surface.

    Parameters
    ----------
    direction_ras
        Any length.
    side_x
        R of the start, +72 in the right lung and -72 in the left one; A is -5, S is 0.
    """
    start = np.array([side_x, -5.0, 0.0])
    unit = np.array(direction_ras, dtype=float)
    unit /= np.linalg.norm(unit)
    low, high = 0.0, 200.0
    for _ in range(50):
        middle = (low + high) / 2
        x, y, z = (np.array([v]) for v in start + middle * unit)
        low, high = (middle, high) if lung_level(Points(x, y, z))[0] < 0 else (low, middle)
    r, a, s = (float(v) for v in start + low * unit)
    return r, a, s


def lung_share(p: Points) -> Array:
    """Share of points (n,) that lies in a lung, 0 to 1 over 1 mm."""
    return coverage(lung_level(p))
