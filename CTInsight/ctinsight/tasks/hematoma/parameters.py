"""What a user can choose for one hematoma measurement, with defaults and their sources."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

from ctinsight.errors import WrongUseError

_Member = TypeVar("_Member", bound=StrEnum)


class Method(StrEnum):
    """How the blood is outlined."""

    THRESHOLD = "threshold"
    FUZZY_C_MEANS = "fcm"
    ACTIVE_CONTOUR = "active-contour"
    DRUNET = "drunet"


class HoleRule(StrEnum):
    """What becomes of darker voxels that blood encloses on all sides."""

    FILL = "fill"
    KEEP = "keep"


class BatchNormMode(StrEnum):
    """Which statistics the network's batch normalisation uses.

    ``MOVING`` is the usual inference. The original program normalised by the slice itself (``SLICE``) or by
    the slices that happened to be fed together (``BATCH``).
    """

    MOVING = "moving"
    SLICE = "slice"
    BATCH = "batch"


@dataclass(frozen=True)
class CleanUpRules:
    """The stated 3-D rules that a hyperdense component must pass to be called blood.

    Parameters
    ----------
    min_component_ml
        Smaller components are dropped. 0.4 mL is the smallest bleed that a cleared triage product claims to
        find (FDA K221456).
    max_mean_hu
        A component that is brighter on the whole is calcification or bone: clotted blood stays below about
        90 HU (haematocrit limit; New and Aronow, Radiology 1976, doi 10.1148/121.3.635).
    max_bright_fraction
        Largest share of voxels above ``calcification_hu``; more means calcification.
    calcification_hu
        See above; 100 HU.
    min_inner_radius_mm
        Radius of the largest ball that fits inside; thinner sheets are falx, tentorium, sinus wall or vessel.
    edge_distance_mm, max_edge_fraction
        A component of which more than this share lies within this distance of the skull (or within one
        slice) lies along the skull; then the next two rules hold as well.
    min_contact_radius_mm
        Radius of the largest circle inside its contact with the skull: a dural sinus is a band at most 25 mm
        wide, extra-axial blood spreads further.
    max_outward_rise_hu
        How much brighter its outer half may be than its inner half: partial bone brightens towards the skull,
        blood does not.
    """

    min_component_ml: float = 0.4
    max_mean_hu: float = 92.0
    max_bright_fraction: float = 0.15
    calcification_hu: float = 100.0
    min_inner_radius_mm: float = 2.5
    edge_distance_mm: float = 5.0
    max_edge_fraction: float = 0.5
    min_contact_radius_mm: float = 14.0
    max_outward_rise_hu: float = 12.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            _refuse_unless(is_number(value), name, value, "a number")
            object.__setattr__(self, name, float(value))
            _refuse_unless(math.isfinite(value) and value >= 0, name, value, "a number that is not negative")
        _refuse_unless(
            self.max_bright_fraction <= 1, "max_bright_fraction", self.max_bright_fraction, "0 to 1"
        )
        _refuse_unless(self.max_edge_fraction <= 1, "max_edge_fraction", self.max_edge_fraction, "0 to 1")


@dataclass(frozen=True)
class NetworkOptions:
    """Choices that only DR-UNet reads.

    Parameters
    ----------
    window_hu
        (center, width). The authors name none; 40/80 is the usual brain window and an assumption.
    bn_mode
        See :class:`BatchNormMode`.
    probability_threshold
        Output at or above it is blood; 0.5.
    batch_size
        Slices fed together; ``None`` chooses for the device: 1 on a processor, where that is 1.4 times as
        fast as 8, more on a graphics card.
    device
        "auto", "cpu" or "cuda".
    legacy
        Also give the original program's 96-dpi arithmetic. For parity with it only: not a patient's volume.
    """

    window_hu: tuple[float, float] = (40.0, 80.0)
    bn_mode: BatchNormMode = BatchNormMode.MOVING
    probability_threshold: float = 0.5
    batch_size: int | None = None
    device: str = "auto"
    legacy: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "bn_mode", _choice(BatchNormMode, self.bn_mode, "bn_mode"))
        object.__setattr__(self, "window_hu", _pair(self.window_hu, "window_hu", "center and width, in HU"))
        _refuse_unless(
            is_number(self.probability_threshold) and 0 < self.probability_threshold < 1,
            "probability_threshold",
            self.probability_threshold,
            "a number between 0 and 1",
        )
        _refuse_unless(self.window_hu[1] > 0, "window width", self.window_hu[1], "a positive width in HU")
        size = self.batch_size
        enough = size is None or (is_number(size) and int(size) == size and size >= 1)
        _refuse_unless(enough, "batch_size", size, "a whole number, 1 or more")
        object.__setattr__(self, "batch_size", None if size is None else int(size))
        _refuse_unless(isinstance(self.device, str), "device", self.device, "auto, cpu or cuda")
        _refuse_unless(isinstance(self.legacy, bool), "legacy", self.legacy, "true or false")


@dataclass(frozen=True)
class Parameters:
    """Everything that decides one hematoma measurement.

    Parameters
    ----------
    method
        See :class:`Method`.
    point_ras
        A click inside the blood, RAS in mm; ``None`` finds the blood automatically. Not for DR-UNet.
    range_hu
        (lower, upper) fixed HU range of blood; ``None`` adapts it to each bleed and its surroundings.
    clean_up
        The 3-D rules; a clicked component is measured as it is.
    hole_rule
        See :class:`HoleRule`.
    weights
        File of DR-UNet weights; ``None`` looks for the installed ones.
    network
        Choices that only DR-UNet reads.
    """

    method: Method = Method.THRESHOLD
    point_ras: tuple[float, float, float] | None = None
    range_hu: tuple[float, float] | None = None
    clean_up: CleanUpRules = field(default_factory=CleanUpRules)
    hole_rule: HoleRule = HoleRule.FILL
    weights: Path | None = None
    network: NetworkOptions = field(default_factory=NetworkOptions)

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", _choice(Method, self.method, "method"))
        object.__setattr__(self, "hole_rule", _choice(HoleRule, self.hole_rule, "hole_rule"))
        if self.point_ras is not None:
            object.__setattr__(self, "point_ras", _point(self.point_ras))
            _refuse_unless(
                self.method is not Method.DRUNET, "a point", "with drunet", "drunet without a point"
            )
        if self.range_hu is not None:
            object.__setattr__(self, "range_hu", _pair(self.range_hu, "range_hu", "lower and upper HU"))
            low, high = self.range_hu
            _refuse_unless(low < high, "range_hu", self.range_hu, "a lower value before a higher one, in HU")
        for name, kind in _GROUPS.items():
            value = getattr(self, name)
            _refuse_unless(isinstance(value, kind), name, value, "values by name: " + ", ".join(_names(kind)))
        fits = self.weights is None or isinstance(self.weights, Path)
        _refuse_unless(fits, "weights", self.weights, "a file name")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Parameters:
        """Make parameters from plain values such as :meth:`as_dict` gives; what is left out is the default.

        Raises
        ------
        WrongUseError
            A name that is no parameter, or a value that does not fit.
        """
        _refuse_unless(isinstance(values, Mapping), "parameters", values, "values by name")
        given = dict(values)
        _refuse_unknown(given, cls)
        for name, kind in _GROUPS.items():
            if isinstance(given.get(name), Mapping):
                _refuse_unknown(given[name], kind)
                given[name] = kind(**given[name])
        if isinstance(given.get("weights"), str):
            given["weights"] = Path(given["weights"])
        return cls(**given)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the manifest; of the weights file only the name, never the folder."""
        values = asdict(self)
        values["weights"] = None if self.weights is None else Path(self.weights).name
        plain: dict[str, Any] = _plain(values)
        return plain

    def used(self) -> dict[str, Any]:
        """Return of :meth:`as_dict` what the chosen method reads, for the manifest."""
        values = self.as_dict()
        if self.method is Method.DRUNET:
            smallest = {"min_component_ml": self.clean_up.min_component_ml}
            return {k: values[k] for k in ("method", "hole_rule", "weights", "network")} | {
                "clean_up": smallest
            }
        names = ["method", "point_ras", "hole_rule"]
        if self.method is not Method.FUZZY_C_MEANS:
            names.append("range_hu")
        if self.point_ras is None:
            names.append("clean_up")
        return {name: values[name] for name in names}


_GROUPS: dict[str, type[Any]] = {"clean_up": CleanUpRules, "network": NetworkOptions}
#: No place in a scanner's room is further from its origin; beyond, a point is a typing error.
_FURTHEST_MM = 100_000.0


def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind)]


def _refuse_unknown(given: Mapping[str, Any], kind: type[Any]) -> None:
    known = _names(kind)
    unknown = sorted(str(name) for name in given if name not in known)
    _refuse_unless(not unknown, "parameters", ", ".join(unknown), "only " + ", ".join(known))


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number, of Python or numpy; true and false are none."""
    try:
        return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
    except OverflowError:
        # A whole number beyond the largest float.
        return False


def _numbers(value: Any) -> tuple[float, ...]:
    """Return the numbers of a list, tuple or array; nothing when it is none, or when one is no number."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    listed = isinstance(plain, (list, tuple)) and all(is_number(v) for v in plain)
    return tuple(float(v) for v in plain) if listed else ()


def _pair(value: Any, name: str, meaning: str) -> tuple[float, float]:
    pair = _numbers(value)
    _refuse_unless(len(pair) == 2, name, value, f"two numbers: {meaning}")
    return pair[0], pair[1]


def _point(value: Any) -> tuple[float, float, float]:
    point = _numbers(value)
    near = len(point) == 3 and all(abs(v) <= _FURTHEST_MM for v in point)
    _refuse_unless(
        near, "point_ras", value, f"three numbers R,A,S in mm, each within {_FURTHEST_MM:.0f} mm of 0"
    )
    return point[0], point[1], point[2]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value


def _choice(kind: type[_Member], value: object, name: str) -> _Member:
    choices = ", ".join(member.value for member in kind)
    _refuse_unless(isinstance(value, str) and value in list(kind), name, value, f"one of {choices}")
    return kind(str(value))


def _refuse_unless(good: bool, name: str, value: object, expected: str) -> None:
    if not good:
        # The kind of value is said only where it explains: "5" in quotes looks like 5 otherwise.
        shown = f"{value} (text)" if isinstance(value, str) and "number" in expected else _short(value)
        raise WrongUseError(found=f"{name} = {shown}", expected=expected, remedy="Correct this option.")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."


#: Characters of a wrong value that are repeated to the user.
_LONGEST_SHOWN = 120
