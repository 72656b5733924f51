"""Dense-vessel evidence: where an artery is denser than the same stretch opposite.

No weights, no probability: places with their numbers. On cubes that lie straight to the patient's own
mid-plane, so that the opposite side is a flip:

1. voxels within 6 mm of a centreline of the terminal ICA, M1 or M2, inside the skull and off the bone;
2. dense: at least 43 HU after light smoothing, and denser by a stated amount than *every* place within 3 mm
   of the mirror image. No mid-plane and no pair of arteries is symmetric to the millimetre;
3. pieces of at least the stated length are candidates, each with attenuation, that of the other side at its
   best fitting place, ratio, length and calcification.

References
----------
Koo CK, Teasdale E, Muir KW. What constitutes a true hyperdense middle cerebral artery sign? Cerebrovasc Dis
10:419 (2000), doi:10.1159/000016101: more than 43 HU, and a ratio of more than 1.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ctinsight.finding import MeasuredLine, Side
from ctinsight.measure import label_components, max_diameter
from ctinsight.regions.corridors import Centreline, centrelines
from ctinsight.regions.midline import Plane, side_of
from ctinsight.volume import Grid, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.regions.registration import Alignment
    from ctinsight.tasks.lvo.parameters import EvidenceRules

    Mask = NDArray[np.bool_]

#: Side of a working cube, mm: finer than a third of an artery of 3 mm.
CUBE_MM = 0.8
_SMOOTHING_MM = 0.8
_MARGIN_MM = 12.0
_CLIP_HU = (-40.0, 160.0)
#: Above it, and in one large piece, is skull; calcification of an artery is small.
_BONE_HU, _BONE_ML = 130.0, 0.5
_OFF_BONE_MM = 2.0
_MIRROR_SLACK_MM = 3.0
#: The brightest half of a piece is its core: its rim shares voxels with CSF.
_CORE_QUANTILE = 50.0
#: A smaller piece, 4 mm³, is noise.
_FEWEST_CUBES = 8
#: How far the rim of a dense piece is looked for.
_RIM_MM = 2.0


@dataclass(frozen=True, eq=False)
class Candidate:
    """One dense stretch of artery.

    Parameters
    ----------
    number, side, vessel
        From 1, the longest first; the patient's side; the corridor that it lies in most.
    core_hu, contralateral_hu, ratio
        Mean of its brighter half; the same of the most alike place within 3 mm of its mirror image; quotient.
    length_mm, volume_mm3
        Longest diameter, which is also ``line``; voxels times their volume.
    bright_share, calcified
        Share of the core at or above the limit of calcification; whether that is a fifth or more.
    center_ras
        RAS in mm.
    """

    number: int
    side: Side
    vessel: str
    core_hu: float
    contralateral_hu: float
    length_mm: float
    volume_mm3: float
    bright_share: float
    calcified: bool
    center_ras: tuple[float, float, float]
    line: MeasuredLine

    @property
    def ratio(self) -> float:
        """Its attenuation over that of the other side."""
        return self.core_hu / max(self.contralateral_hu, 1.0)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Candidates and corridors of one head.

    ``candidates_kji`` (number of the candidate) and ``corridors_kji`` (number of the centreline in
    ``centrelines``, from 1) are uint8 on the CT's grid.
    """

    candidates: tuple[Candidate, ...]
    candidates_kji: NDArray[np.uint8]
    corridors_kji: NDArray[np.uint8]
    centrelines: tuple[Centreline, ...]
    corridor_hu: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Site:
    """Where evidence is looked for: the CT, its brain, its mid-plane, and the way to the template."""

    volume: Volume
    brain_kji: Mask
    midplane: Plane
    alignment: Alignment
    template: str


@dataclass(frozen=True, eq=False)
class _Cubes:
    """The vessels' surroundings on cubes whose first axis is the patient's right: flipping it mirrors."""

    grid: Grid
    hu: NDArray[np.float32]
    smooth: NDArray[np.float32]
    allowed: Mask
    nearest: NDArray[np.uint8]


def gather_evidence(
    site: Site, rules: EvidenceRules, *, drawn_kji: NDArray[np.bool_] | None = None
) -> Evidence:
    """Look for dense vessels along the corridors of a head, or measure those that a person drew.

    Parameters
    ----------
    site
        Where to look.
    rules
        What makes a candidate; of a drawn one they decide nothing but calcification.
    drawn_kji
        (slices, rows, columns) bool on the CT's grid: every connected piece is a candidate as it is.
    """
    lines = centrelines(site.template)
    points = [site.alignment.to_patient(line.points_ras) for line in lines]
    if drawn_kji is not None and drawn_kji.any():
        points_drawn = site.volume.grid.ras_from_ijk(np.argwhere(drawn_kji)[:, ::-1])
        cubes = _cubes(site, points, rules, also=points_drawn)
        found = _drawn(drawn_kji, cubes, site, lines=lines, rules=rules)
    else:
        cubes = _cubes(site, points, rules)
        found = [] if drawn_kji is not None else _found(cubes, site, lines=lines, rules=rules)
    found.sort(key=lambda pair: -pair[0].length_mm)
    numbered = tuple(_numbered(candidate, n) for n, (candidate, _piece) in enumerate(found, start=1))
    marked = np.zeros(cubes.grid.shape_kji, dtype=np.uint8)
    for n, (_candidate, piece) in enumerate(found, start=1):
        marked[piece] = n
    return Evidence(
        numbered,
        _on_patient(marked, cubes.grid, site),
        _on_patient(np.where(cubes.allowed, cubes.nearest, 0).astype(np.uint8), cubes.grid, site),
        lines,
        tuple(_corridor_hu(cubes, n) for n in range(1, len(lines) + 1)),
    )


def _found(
    cubes: _Cubes, site: Site, *, lines: tuple[Centreline, ...], rules: EvidenceRules
) -> list[tuple[Candidate, Mask]]:
    labels, count = label_components(_dense(cubes, rules))
    found = []
    for label in range(1, count + 1):
        piece = labels == label
        candidate = _judged(piece, cubes, site, lines=lines, rules=rules)
        if candidate is not None:
            found.append((candidate, piece))
    return found


def _drawn(
    drawn_kji: Mask, cubes: _Cubes, site: Site, *, lines: tuple[Centreline, ...], rules: EvidenceRules
) -> list[tuple[Candidate, Mask]]:
    inside = _sampled(drawn_kji.astype(np.float32), site.volume.grid, cubes.grid) >= 0.5
    labels, count = label_components(inside)
    pieces = [labels == label for label in range(1, count + 1)]
    kept = [piece for piece in pieces if int(piece.sum()) >= _FEWEST_CUBES]
    return [(_measured(piece, cubes, site, lines=lines, rules=rules), piece) for piece in kept]


def _cubes(
    site: Site,
    points: list[NDArray[np.float64]],
    rules: EvidenceRules,
    *,
    also: NDArray[np.float64] | None = None,
) -> _Cubes:
    grid = _straight_grid(site.midplane, np.vstack(points if also is None else [*points, also]))
    hu = _sampled(np.clip(site.volume.array_kji, *_CLIP_HU).astype(np.float32), site.volume.grid, grid)
    inside = _sampled(site.brain_kji.astype(np.float32), site.volume.grid, grid) > 0.5
    smooth = ndimage.gaussian_filter(hu, _SMOOTHING_MM / CUBE_MM)
    labels, _count = ndimage.label(hu > _BONE_HU, np.ones((3, 3, 3)))
    sizes_ml = np.bincount(labels.ravel()) * grid.voxel_volume_ml
    sizes_ml[0] = 0
    bone = (sizes_ml > _BONE_ML)[labels] | ~inside
    off_bone = ndimage.distance_transform_edt(~bone, sampling=CUBE_MM) > _OFF_BONE_MM
    nearest = _nearest(grid, points, rules.corridor_radius_mm)
    return _Cubes(grid, hu, smooth, np.asarray(inside & off_bone & (nearest > 0)), nearest)


def _straight_grid(midplane: Plane, points: NDArray[np.float64]) -> Grid:
    """Lay cubes about points: i along the mid-plane's normal and symmetric about it, k upwards."""
    right = np.array(midplane.normal_ras)
    up = np.array([0.0, 0.0, 1.0]) - right[2] * right
    up /= np.linalg.norm(up)
    axes = np.stack([right, np.cross(up, right), up], axis=1)
    local = (points - np.array(midplane.point_ras)) @ axes
    reach = float(np.abs(local[:, 0]).max()) + _MARGIN_MM
    low = np.array([-reach, *(local.min(axis=0)[1:] - _MARGIN_MM)])
    high = np.array([reach, *(local.max(axis=0)[1:] + _MARGIN_MM)])
    count = np.ceil((high - low) / CUBE_MM).astype(int) + 1
    low[0] = -(count[0] - 1) / 2 * CUBE_MM
    matrix = np.eye(4)
    matrix[:3, :3] = axes * CUBE_MM
    matrix[:3, 3] = np.array(midplane.point_ras) + axes @ low
    i, j, k = (int(n) for n in count)
    return Grid((k, j, i), matrix)


def _sampled(array_kji: NDArray[np.float32], grid: Grid, target: Grid) -> NDArray[np.float32]:
    matrix = grid.ras_to_ijk @ target.ijk_to_ras
    return np.asarray(
        ndimage.affine_transform(
            array_kji,
            matrix[:3, :3][::-1, ::-1],
            matrix[:3, 3][::-1],
            output_shape=target.shape_kji,
            order=1,
            mode="nearest",
        )
    )


def _nearest(grid: Grid, points: list[NDArray[np.float64]], radius_mm: float) -> NDArray[np.uint8]:
    """Return the number of the nearest centreline within the radius (from 1); 0 elsewhere."""
    owner = np.repeat(np.arange(1, len(points) + 1), [len(p) for p in points])
    kji = np.indices(grid.shape_kji).reshape(3, -1).T
    distance, index = cKDTree(np.vstack(points)).query(
        grid.ras_from_ijk(kji[:, ::-1]), distance_upper_bound=radius_mm
    )
    found = np.where(np.isfinite(distance), np.append(owner, 0)[index], 0)
    return found.reshape(grid.shape_kji).astype(np.uint8)


def _dense(cubes: _Cubes, rules: EvidenceRules) -> Mask:
    reach = int(np.ceil(_MIRROR_SLACK_MM / CUBE_MM))
    ticks = np.arange(-reach, reach + 1) * CUBE_MM
    ball = sum(t**2 for t in np.meshgrid(ticks, ticks, ticks)) <= _MIRROR_SLACK_MM**2
    opposite = ndimage.grey_dilation(cubes.smooth[:, :, ::-1], footprint=ball)
    limit = np.maximum(rules.least_hu, opposite + rules.least_excess_hu)
    return np.asarray(cubes.allowed & (cubes.smooth >= limit))


def _judged(
    piece: Mask, cubes: _Cubes, site: Site, *, lines: tuple[Centreline, ...], rules: EvidenceRules
) -> Candidate | None:
    if int(piece.sum()) < _FEWEST_CUBES:
        return None
    candidate = _measured(_grown(piece, cubes, rules), cubes, site, lines=lines, rules=rules)
    dense = candidate.length_mm >= rules.least_length_mm and candidate.ratio > rules.least_ratio
    return candidate if dense else None


def _measured(
    whole: Mask, cubes: _Cubes, site: Site, *, lines: tuple[Centreline, ...], rules: EvidenceRules
) -> Candidate:
    line = max_diameter(whole, cubes.grid)
    core = whole & (cubes.hu >= np.percentile(cubes.hu[whole], _CORE_QUANTILE))
    center = cubes.grid.ras_from_ijk(np.argwhere(whole).mean(axis=0)[::-1])
    votes = np.bincount(cubes.nearest[whole], minlength=len(lines) + 1)
    vessel = lines[int(votes[1:].argmax())].vessel if votes[1:].any() else "outside our corridors"
    bright = float(np.mean(cubes.hu[core] >= rules.calcification_hu))
    return Candidate(
        number=0,
        side=side_of(center, site.midplane),
        vessel=vessel,
        core_hu=float(cubes.hu[core].mean()),
        contralateral_hu=_opposite_hu(core, cubes),
        length_mm=line.length_mm,
        volume_mm3=float(whole.sum()) * cubes.grid.voxel_volume_mm3,
        bright_share=bright,
        calcified=bright >= rules.calcified_share,
        center_ras=(float(center[0]), float(center[1]), float(center[2])),
        line=line,
    )


def _grown(piece: Mask, cubes: _Cubes, rules: EvidenceRules) -> Mask:
    """Add the rim of a piece: what is connected, dense by itself, and no further than 2 mm."""
    near = ndimage.distance_transform_edt(~piece, sampling=CUBE_MM) <= _RIM_MM
    middle = (float(np.percentile(cubes.smooth[piece], 75)) + rules.tissue_hu) / 2
    rim = near & cubes.allowed & (cubes.smooth >= middle)
    labels, _count = ndimage.label(rim | piece, np.ones((3, 3, 3)))
    return np.asarray(np.isin(labels, np.unique(labels[piece])))


def _opposite_hu(core: Mask, cubes: _Cubes) -> float:
    """Mean of the mirrored shape where it fits the brightest, moved by up to 3 mm along each axis."""
    shape = np.argwhere(core[:, :, ::-1])
    steps = np.arange(-_MIRROR_SLACK_MM, _MIRROR_SLACK_MM + 0.1, CUBE_MM)
    offsets = np.unique(np.rint(steps / CUBE_MM).astype(int))
    best = -np.inf
    last = np.array(core.shape) - 1
    for offset in product(offsets, offsets, offsets):
        k, j, i = np.clip(shape + offset, 0, last).T
        best = max(best, float(cubes.hu[k, j, i].mean()))
    return best


def _numbered(candidate: Candidate, number: int) -> Candidate:
    values: dict[str, Any] = vars(candidate)
    name = f"Candidate {number}"
    line = MeasuredLine(f"candidate_{number}", name, candidate.line.start_ras, candidate.line.end_ras)
    return Candidate(**{**values, "number": number, "line": line})


def _on_patient(labels: NDArray[np.uint8], cubes: Grid, site: Site) -> NDArray[np.uint8]:
    """Bring labels of the cubes to the CT's voxels, by the nearest cube."""
    grid = site.volume.grid
    out = np.zeros(grid.shape_kji, dtype=np.uint8)
    last = np.array(labels.shape) - 1
    corners = np.array(list(product(*[(0, n) for n in last])))
    reached = grid.ijk_from_ras(cubes.ras_from_ijk(corners[:, ::-1]))[:, ::-1]
    low = np.clip(np.floor(reached.min(axis=0)).astype(int), 0, None)
    high = np.minimum(np.ceil(reached.max(axis=0)).astype(int) + 1, grid.shape_kji)
    matrix = cubes.ras_to_ijk @ grid.ijk_to_ras
    swapped = matrix[:3, :3][::-1, ::-1]
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    out[box] = ndimage.affine_transform(
        labels,
        swapped,
        matrix[:3, 3][::-1] + swapped @ low,
        output_shape=tuple(int(n) for n in high - low),
        order=0,
        output=np.uint8,
    )
    return out


def _corridor_hu(cubes: _Cubes, number: int) -> float:
    """Mean of the brightest twentieth of a corridor after smoothing: about what its artery has."""
    values = cubes.smooth[cubes.allowed & (cubes.nearest == number)]
    if values.size < 20:
        return float("nan")
    return float(values[values >= np.percentile(values, 95.0)].mean())
