"""How much each measurement changes when every mask is one voxel larger or smaller."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from scipy import ndimage

from ctinsight.finding import Interval
from ctinsight.tasks.dcr.anatomy import Anatomy
from ctinsight.tasks.dcr.corrected import cropped, measure_side
from ctinsight.tasks.dcr.published import LabelledMasks, published_features

if TYPE_CHECKING:
    from collections.abc import Mapping

_Masks = TypeVar("_Masks", Anatomy, LabelledMasks)

MEANING = "masks ± 1 voxel"
#: Instead of an interval where a mask is only one or two voxels thin.
VANISHES = "not measurable when the masks are one voxel smaller"


def published_intervals(masks: LabelledMasks) -> dict[str, Interval | None]:
    """Return for each published measurement its range, or ``None`` where it vanishes in smaller masks."""
    return ranges(*published_variants(masks))


def published_variants(masks: LabelledMasks) -> tuple[dict[str, float | None], ...]:
    """Return the published measurements of the masks, of larger and of smaller ones."""
    cut = masks.cut_out()
    return tuple(published_features(m).as_dict() for m in (cut, _changed(cut, 1), _changed(cut, -1)))


def side_intervals(side: Anatomy) -> dict[str, Interval | None]:
    """Return the same for the corrected measurements of one side."""
    cut = cropped(side)
    if cut is None:
        return {}
    return ranges(*(measure_side(m).features.as_dict() for m in (cut, _changed(cut, 1), _changed(cut, -1))))


def _changed(masks: _Masks, voxels: int) -> _Masks:
    operation = ndimage.binary_dilation if voxels > 0 else ndimage.binary_erosion
    changed = {name: operation(getattr(masks, name)) for name in ("sac_kji", "maxilla_kji", "nasal_kji")}
    return replace(masks, **changed)


def ranges(
    base: Mapping[str, float | None],
    larger: Mapping[str, float | None],
    smaller: Mapping[str, float | None],
) -> dict[str, Interval | None]:
    """Return for each measurement its range, or ``None`` where it vanishes in one of them."""
    found: dict[str, Interval | None] = {}
    for name, value in base.items():
        values = [v for v in (value, larger[name], smaller[name]) if v is not None]
        if value is not None:
            found[name] = Interval(min(values), max(values), MEANING) if len(values) == 3 else None
    return found
