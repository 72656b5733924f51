"""What a user can choose for measuring nodules, with defaults and their sources."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Point = tuple[float, float, float]

#: Labels are 8 bit, two for each nodule.
MOST_NODULES = 120


@dataclass(frozen=True)
class Parameters:
    """Everything that decides one request about nodules.

    Parameters
    ----------
    points_ras
        One click in each nodule, RAS in mm.
    solid_threshold_hu
        From here on tissue is called solid: -300 HU found a solid component with a sensitivity of 90 % and a
        specificity of 88 % (Scholten et al. 2015, doi 10.1007/s00330-014-3427-z).
    solid_band_hu
        Lower and upper threshold of the sensitivity band. -130 HU agreed best with diameters measured in the
        mediastinal window (same source); the other end lies 50 HU below the default.
    calcification_hu
        At or above it a voxel is called calcified: 200 HU, well over the 147 HU of the densest malignant
        nodule in Siegelman et al. 1980, doi 10.2214/ajr.135.1.1. Contrast medium can reach it in vessels.
    fat_hu
        Range of fat, the usual -120 to -40 HU.
    allow_thick_slices
        Measure although slices are thicker than the limit; said in the result.
    """

    points_ras: tuple[Point, ...] = ()
    solid_threshold_hu: float = -300.0
    solid_band_hu: tuple[float, float] = (-350.0, -130.0)
    calcification_hu: float = 200.0
    fat_hu: tuple[float, float] = (-120.0, -40.0)
    allow_thick_slices: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "points_ras", tuple(_point(p) for p in self.points_ras))
        _refuse_unless(
            len(self.points_ras) <= MOST_NODULES, "points", len(self.points_ras), f"at most {MOST_NODULES}"
        )
        for name in ("solid_band_hu", "fat_hu"):
            low, high = getattr(self, name)
            object.__setattr__(self, name, (float(low), float(high)))
            _refuse_unless(low < high, name, (low, high), "a lower value before a higher one, in HU")
        _refuse_unless(
            -700 <= self.solid_threshold_hu <= 50,
            "solid_threshold_hu",
            self.solid_threshold_hu,
            "-700 to 50 HU",
        )
        _refuse_unless(
            self.calcification_hu >= 100, "calcification_hu", self.calcification_hu, "100 HU or more"
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Parameters:
        """Make parameters from plain values such as :meth:`as_dict` gives; what is left out is the default.

        Raises
        ------
        WrongUseError
            A name that is no parameter, or a value that does not fit.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(values.keys() - set(known))
        _refuse_unless(not unknown, "parameters", ", ".join(unknown), "only " + ", ".join(known))
        given: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        return cls(**given)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the manifest."""
        values = asdict(self)
        values["points_ras"] = [list(point) for point in self.points_ras]
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def _point(value: Sequence[float]) -> Point:
    point = tuple(float(v) for v in value)
    good = len(point) == 3 and all(math.isfinite(v) for v in point)
    _refuse_unless(good, "a point", value, "three numbers R,A,S in mm")
    return point[0], point[1], point[2]


def _refuse_unless(good: bool, name: str, value: object, expected: str) -> None:
    if not good:
        raise WrongUseError(found=f"{name} = {value}", expected=expected, remedy="Correct this option.")
