"""What a user can choose for one hematoma measurement, with defaults and their sources."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        Slices fed together; ``None`` chooses for the device.
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
        _refuse_unless(
            0 < self.probability_threshold < 1,
            "probability_threshold",
            self.probability_threshold,
            "a number between 0 and 1",
        )
        _refuse_unless(self.window_hu[1] > 0, "window width", self.window_hu[1], "a positive width in HU")
        enough = self.batch_size is None or self.batch_size >= 1
        _refuse_unless(enough, "batch_size", self.batch_size, "1 or more")


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
            low, high = self.range_hu
            _refuse_unless(low < high, "range_hu", self.range_hu, "a lower value before a higher one, in HU")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Parameters:
        """Make parameters from plain values such as :meth:`as_dict` gives; what is left out is the default.

        Raises
        ------
        WrongUseError
            A name that is no parameter, or a value that does not fit.
        """
        given = dict(values)
        _refuse_unknown(given, cls)
        for name, kind in (("clean_up", CleanUpRules), ("network", NetworkOptions)):
            if isinstance(given.get(name), dict):
                _refuse_unknown(given[name], kind)
                given[name] = kind(**{k: _tuple(v) for k, v in given[name].items()})
        if given.get("weights") is not None:
            given["weights"] = Path(given["weights"])
        return cls(**{name: _tuple(value) for name, value in given.items()})

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the manifest; of the weights file only the name, never the folder."""
        values = asdict(self)
        values["weights"] = None if self.weights is None else Path(self.weights).name
        plain: dict[str, Any] = _plain(values)
        return plain


def _refuse_unknown(given: Mapping[str, Any], kind: type[Any]) -> None:
    known = [field.name for field in fields(kind)]
    unknown = sorted(given.keys() - set(known))
    _refuse_unless(not unknown, "parameters", ", ".join(unknown), "only " + ", ".join(known))


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _point(value: Any) -> tuple[float, float, float]:
    point = tuple(float(v) for v in value)
    _refuse_unless(
        len(point) == 3 and all(math.isfinite(v) for v in point),
        "point_ras",
        value,
        "three numbers R,A,S in mm",
    )
    return point[0], point[1], point[2]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value


def _choice(kind: type[_Member], value: str, name: str) -> _Member:
    choices = ", ".join(member.value for member in kind)
    _refuse_unless(value in list(kind), name, value, f"one of {choices}")
    return kind(value)


def _refuse_unless(good: bool, name: str, value: object, expected: str) -> None:
    if not good:
        raise WrongUseError(found=f"{name} = {value}", expected=expected, remedy="Correct this option.")
