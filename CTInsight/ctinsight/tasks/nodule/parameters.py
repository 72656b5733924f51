"""What a user can choose and state for nodules, with defaults and their sources."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from ctinsight.errors import InputRefusedError, WrongUseError
from ctinsight.tasks.nodule.emv_options import NetworkOptions
from ctinsight.tasks.nodule.inputs import NoduleInputs, PatientInputs, from_plain, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.volume import Scan

Point = tuple[float, float, float]

#: Of a request as JSON; see docs/nodule-request.md.
REQUEST_SCHEMA, VERSION = "ctinsight.nodule-request", 1

#: Labels are 8 bit, two for each nodule.
MOST_NODULES = 120
#: Longest time between two CTs that is no typing error: 40 years.
MOST_DAYS = 14610.0


@dataclass(frozen=True)
class PriorOptions:
    """The nodules in an earlier CT.

    Parameters
    ----------
    points_ras
        A point in the earlier CT for each nodule, in their order; ``None`` where it is not compared.
    points_ijk
        The same as voxel indices of the earlier CT.
    interval_days
        Days between the CTs; ``None`` takes them from the dates in the DICOM headers.
    """

    points_ras: tuple[Point | None, ...] = ()
    points_ijk: tuple[Point | None, ...] = ()
    interval_days: float | None = None

    def __post_init__(self) -> None:
        for name in ("points_ras", "points_ijk"):
            points = tuple(None if p is None else as_point(p) for p in getattr(self, name))
            object.__setattr__(self, name, points)
        days = self.interval_days
        if days is not None:
            good = isinstance(days, (int, float)) and not isinstance(days, bool) and 0 < days <= MOST_DAYS
            _refuse_unless(good, "days since the earlier CT", days, f"more than 0, at most {MOST_DAYS:.0f}")

    def __bool__(self) -> bool:
        return any(point is not None for point in (*self.points_ras, *self.points_ijk))


@dataclass(frozen=True)
class Parameters:
    """Everything that decides one request about nodules.

    Parameters
    ----------
    points_ras
        One click in each nodule, RAS in mm.
    points_ijk
        In place of ``points_ras``: voxel indices (column, row, slice), from 0, as CT Insight reads the image.
    patient, nodules
        What the user states for the published scores; ``nodules`` in the order of the points.
    networks
        Of EMV-3D-CNN.
    prior
        The nodules in an earlier CT.
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
    points_ijk: tuple[Point, ...] = ()
    patient: PatientInputs = field(default_factory=PatientInputs)
    nodules: tuple[NoduleInputs, ...] = ()
    networks: NetworkOptions = field(default_factory=NetworkOptions)
    prior: PriorOptions = field(default_factory=PriorOptions)

    def __post_init__(self) -> None:
        for name in ("points_ras", "points_ijk"):
            object.__setattr__(self, name, tuple(as_point(p) for p in getattr(self, name)))
        object.__setattr__(self, "nodules", _stated_only(self.nodules))
        count = len(self.points_ras) + len(self.points_ijk)
        _refuse_unless(count <= MOST_NODULES, "points", count, f"at most {MOST_NODULES}")
        both = bool(self.points_ras and self.points_ijk)
        _refuse_unless(not both, "points", "in RAS and in voxels", "all in RAS, or all in voxels")
        earlier = len(self.prior.points_ras) + len(self.prior.points_ijk)
        for name, number in (("inputs of nodules", len(self.nodules)), ("points in the earlier CT", earlier)):
            fits = number <= (count or MOST_NODULES)
            _refuse_unless(fits, name, number, f"at most as many as points, {count}")
        for name in ("solid_band_hu", "fat_hu"):
            object.__setattr__(self, name, _band(name, getattr(self, name)))
        for name, low, high in (("solid_threshold_hu", -700, 50), ("calcification_hu", 100, 3000)):
            value = getattr(self, name)
            good = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
            _refuse_unless(good, name, value, f"{low} to {high} HU")
        _refuse_unless(
            isinstance(self.allow_thick_slices, bool),
            "allow_thick_slices",
            self.allow_thick_slices,
            "yes or no",
        )

    def stated(self, number: int) -> NoduleInputs:
        """Return what was stated of nodule ``number``, from 1."""
        return self.nodules[number - 1] if 0 < number <= len(self.nodules) else NoduleInputs()

    def on(self, scan: Scan) -> Parameters:
        """Turn voxel indices into points in mm.

        Raises
        ------
        InputRefusedError
            The image was resampled when it was read, so that its voxels are not those of the files.
        """
        if not self.points_ijk:
            return self
        return replace(self, points_ras=_to_ras(self.points_ijk, scan), points_ijk=())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Parameters:
        """Make parameters from plain values such as :meth:`as_dict` gives; what is left out is the default.

        Raises
        ------
        WrongUseError
            A name that is no parameter, or a value that does not fit.
        """
        stated = {name: value for name, value in values.items() if value is not None}
        given: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in stated.items()}
        _refuse_other_schema(given.pop("schema", None), given.pop("version", None))
        prior = given.pop("prior", {})
        nodules = given.pop("nodules", None)
        if nodules is not None:
            doubled = sorted({"points_ras", "points_ijk"} & given.keys())
            _refuse_unless(not doubled, ", ".join(doubled), "beside nodules", "one of the two")
            given |= _located(nodules, prior)
        elif prior:
            given["prior"] = _prior_options([], prior)
        for name, kind in (("patient", PatientInputs), ("networks", NetworkOptions)):
            if name in given:
                given[name] = from_plain(kind, given[name], name)
        known = [f.name for f in fields(cls)]
        unknown = sorted(repr(name)[:40] for name in given.keys() - set(known))
        _refuse_unless(not unknown, "parameters", ", ".join(unknown), "only " + ", ".join(known))
        return cls(**given)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the manifest, in the form of a request (docs/nodule-request.md)."""
        simple = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NESTED}
        values = {name: list(v) if isinstance(v, tuple) else v for name, v in simple.items()}
        values["nodules"] = self._plain_nodules()
        values["patient"] = plain(self.patient)
        values["networks"] = self.networks.as_dict()
        if self.prior.interval_days is not None:
            values["prior"] = {"interval_days": self.prior.interval_days}
        return values

    def _plain_nodules(self) -> list[dict[str, Any]]:
        points, key = (self.points_ijk, "ijk") if self.points_ijk else (self.points_ras, "ras_mm")
        earlier = {"prior_ras_mm": self.prior.points_ras, "prior_ijk": self.prior.points_ijk}
        found = []
        for n, point in enumerate(points):
            entry: dict[str, Any] = {key: list(point)} | plain(self.stated(n + 1))
            for name, places in earlier.items():
                place = places[n] if n < len(places) else None
                entry |= {} if place is None else {name: list(place)}
            found.append(entry)
        return found


def _stated_only(nodules: tuple[NoduleInputs, ...]) -> tuple[NoduleInputs, ...]:
    """Leave out the last ones of which nothing is stated."""
    while nodules and nodules[-1] == NoduleInputs():
        nodules = nodules[:-1]
    return nodules


def _refuse_other_schema(schema: object, version: object) -> None:
    """Refuse another schema than ours; one that is not named, as through the worker, is ours."""
    stated = f"{str(schema)[:40]}, version {str(version)[:10]}"
    good = schema in (None, REQUEST_SCHEMA) and version in (None, VERSION) and not isinstance(version, bool)
    _refuse_unless(good, "schema", stated, f"{REQUEST_SCHEMA}, version {VERSION}")


_NESTED = ("points_ras", "points_ijk", "patient", "nodules", "networks", "prior")
_PLACES = ("ras_mm", "ijk", "prior_ras_mm", "prior_ijk")


def _located(nodules: Any, prior: Any) -> dict[str, Any]:
    """Read the list of nodules of a request: where each lies, and what is stated of it."""
    good = isinstance(nodules, tuple) and all(isinstance(entry, dict) for entry in nodules)
    _refuse_unless(good, "nodules", str(nodules)[:80], 'a list such as [{"ras_mm": [12.5, -30, 40]}]')
    here = [key for key in ("ras_mm", "ijk") if any(entry.get(key) is not None for entry in nodules)]
    for number, entry in enumerate(nodules, start=1):
        placed = len(here) == 1 and entry.get(here[0]) is not None
        _refuse_unless(placed, f"nodule {number}", str(entry)[:80], "all with ras_mm, or all with ijk")
    stated = [{k: v for k, v in entry.items() if k not in _PLACES} for entry in nodules]
    points = tuple(entry[here[0]] for entry in nodules) if here else ()
    return {
        {"ras_mm": "points_ras", "ijk": "points_ijk"}[here[0] if here else "ras_mm"]: points,
        "nodules": tuple(from_plain(NoduleInputs, s, f"nodule {n}") for n, s in enumerate(stated, start=1)),
        "prior": _prior_options(list(nodules), prior),
    }


def _prior_options(nodules: list[dict[str, Any]], prior: Any) -> PriorOptions:
    _refuse_unless(isinstance(prior, dict), "prior", str(prior)[:80], "an object with named values")
    unknown = sorted(repr(name)[:40] for name in prior.keys() - {"interval_days"})
    _refuse_unless(not unknown, "prior", ", ".join(unknown), "only interval_days, beside the image itself")
    there = [
        key for key in ("prior_ras_mm", "prior_ijk") if any(entry.get(key) is not None for entry in nodules)
    ]
    _refuse_unless(len(there) < 2, "points in the earlier CT", "in RAS and in voxels", "one of the two")
    points = tuple(entry.get(there[0]) for entry in nodules) if there else ()
    name = "points_ijk" if there == ["prior_ijk"] else "points_ras"
    return PriorOptions(**{name: points, "interval_days": prior.get("interval_days")})


def prior_points(prior: PriorOptions, scan: Scan) -> tuple[Point | None, ...]:
    """Return the points in the earlier CT in mm; errors as :meth:`Parameters.on`."""
    if not prior.points_ijk:
        return prior.points_ras
    known = iter(_to_ras(tuple(p for p in prior.points_ijk if p is not None), scan))
    return tuple(None if p is None else next(known) for p in prior.points_ijk)


def _to_ras(points_ijk: tuple[Point, ...], scan: Scan) -> tuple[Point, ...]:
    if scan.acquisition.resampled:
        raise InputRefusedError(
            found="points as voxels of a series that was resampled when it was read (tilt, uneven slices)",
            expected="points in mm: voxels of the new grid are not those of the files",
            remedy="Give the points in RAS, mm (ras_mm).",
        )
    rows = scan.volume.grid.ras_from_ijk(points_ijk)
    return tuple((float(r), float(a), float(s)) for r, a, s in rows)


def as_point(value: Any) -> Point:
    """Read a point: three finite numbers.

    Raises
    ------
    WrongUseError
        It is none.
    """
    listed = isinstance(value, (list, tuple)) and len(value) == 3
    good = listed and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and abs(v) < 1e6 and math.isfinite(v)
        for v in value
    )
    _refuse_unless(good, "a point", str(value)[:80], "three finite numbers")
    return float(value[0]), float(value[1]), float(value[2])


def _band(name: str, value: Any) -> tuple[float, float]:
    pair = isinstance(value, (list, tuple)) and len(value) == 2
    good = pair and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in value)
    good = good and -2000 <= value[0] < value[1] <= 4000
    _refuse_unless(good, name, str(value)[:80], "a lower value before a higher one, in HU")
    return float(value[0]), float(value[1])


def _refuse_unless(good: bool, name: str, value: object, expected: str) -> None:
    if not good:
        raise WrongUseError(
            found=f"{name} = {str(value)[:80]}", expected=expected, remedy="Correct this option."
        )
