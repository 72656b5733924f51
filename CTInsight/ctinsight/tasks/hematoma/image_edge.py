"""Does blood reach the edge of what was scanned? Then its volume is only a lower bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.finding import Check, Outcome
from ctinsight.measure import bounding_box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.volume import Volume

KEY = "lesion_at_edge"

#: Scanners and resampling fill what was not scanned with -1024 HU or less; beside blood no reconstruction
#: falls that far within one voxel.
_PADDING_HU = -1024
#: A plane of nothing brighter than this holds air or padding only.
_AIR_HU = -500
_BORDERS = (("left", "right"), ("back", "front"), ("bottom", "top"))


@dataclass(frozen=True)
class EdgeContact:
    """Where a mask touches the edge of the image.

    ``borders`` names the patient's sides (bottom, top, left, right, back, front, or "filled area" where the
    neighbouring voxels were never scanned) with the touching area in cm²; ``labels`` are the components.
    """

    borders: tuple[tuple[str, float], ...] = ()
    labels: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.borders)


def edge_contact(labels_kji: NDArray[np.integer], volume: Volume) -> EdgeContact:
    """Find the components that touch the edge of the scanned part.

    Parameters
    ----------
    labels_kji
        (slices, rows, columns), 0 for background, on the grid of the CT.
    volume
        The CT in HU. Planes of air at its borders, and voxels of -1024 HU or less, count as not scanned.
    """
    if not labels_kji.any():
        return EdgeContact()
    borders: list[tuple[str, float]] = []
    labels: set[int] = set()
    for ras, names in enumerate(_BORDERS):
        axis, sign = volume.grid.array_axis(ras)
        planes = np.moveaxis(labels_kji, axis, 0)[::sign]
        face_cm2 = volume.grid.voxel_volume_mm3 / volume.grid.spacing_kji_mm[axis] / 100
        ends = _scanned_range(np.moveaxis(volume.array_kji, axis, 0)[::sign])
        # R grows to the patient's right: the first plane lies on the left.
        for name, touched in zip(names, (planes[: ends[0] + 1], planes[ends[1] :]), strict=True):
            area = float(np.count_nonzero(touched.any(axis=0))) * face_cm2
            if area:
                borders.append((name, area))
                labels |= set(np.unique(touched).tolist())
    area, beside = _beside_padding(labels_kji, volume)
    if area and not borders:
        borders.append(("filled area", area))
    return EdgeContact(tuple(borders), frozenset((labels | beside) - {0}))


def _scanned_range(array: NDArray[np.generic]) -> tuple[int, int]:
    filled = np.flatnonzero([bool((plane[::4, ::4] > _AIR_HU).any()) for plane in array])
    return (int(filled[0]), int(filled[-1])) if filled.size else (0, len(array) - 1)


def _beside_padding(labels_kji: NDArray[np.integer], volume: Volume) -> tuple[float, set[int]]:
    """Measure the voxel faces between the mask and padding, in cm², and name the components."""
    box = bounding_box(labels_kji > 0)
    if box is None:
        return 0.0, set()
    around = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)
    labels, padding = labels_kji[around], volume.array_kji[around] <= _PADDING_HU
    padding &= labels == 0
    area, found = 0.0, set[int]()
    for axis in range(3):
        face_cm2 = volume.grid.voxel_volume_mm3 / volume.grid.spacing_kji_mm[axis] / 100
        mine, pad = np.moveaxis(labels, axis, 0), np.moveaxis(padding, axis, 0)
        for inside, outside in ((mine[1:], pad[:-1]), (mine[:-1], pad[1:])):
            touching = inside[outside & (inside > 0)]
            area += touching.size * face_cm2
            found |= set(np.unique(touching).tolist())
    return area, found


def edge_check(contact: EdgeContact, volume_ml: float) -> Check:
    """Put the contact into a line of the input checks; it warns when there is one."""
    name, expected = "Lesion within the image", "a lesion that ends inside the image"
    if not contact:
        measured = "ends inside the image" if volume_ml else "nothing was found"
        return Check(KEY, name, Outcome.PASS, measured, expected)
    return Check(
        KEY,
        name,
        Outcome.WARN,
        f"touches the edge of the image ({_places(contact)}): at least {volume_ml:.1f} mL",
        expected,
        "Take the series that covers the whole lesion; what lies outside is not measured.",
    )


def edge_note(volume_ml: float) -> str:
    """Return the note beside a volume that is only a lower bound."""
    return f"touches the edge of the image: at least {volume_ml:.1f} mL"


def edge_statement(contact: EdgeContact, volume_ml: float) -> str:
    """Return the sentence that must be read with every number of a cut lesion."""
    return (
        f"The lesion touches the edge of the image ({_places(contact)}): at least {volume_ml:.1f} mL; what"
        " lies outside was not measured. Diameters and ABC/2 of a cut lesion are too small as well."
    )


def _places(contact: EdgeContact) -> str:
    return ", ".join(f"{name} {area:.1f} cm2" for name, area in contact.borders)
