"""What a user can choose for measuring before a dacryocystorhinostomy, with defaults and their sources."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctinsight.errors import WrongUseError
from ctinsight.finding import Side
from ctinsight.tasks.dcr.clinical import CASE_COLUMNS
from ctinsight.tasks.dcr.segmentation import SegmentationModel

if TYPE_CHECKING:
    from collections.abc import Mapping

Point = tuple[float, float, float]
_POINTS = ("window_center_ras", "window_axis_ras", "sac_point_ras", "box_center_ras", "box_size_mm")


@dataclass(frozen=True)
class Parameters:
    """Everything that decides one request.

    Parameters
    ----------
    side
        Operated side of the patient; ``None`` takes the side of the only sac.
    window_diameter_mm
        Of the planned opening in the bone; 10 mm is this project's default, not a recommendation.
    window_center_ras
        Middle of the opening; ``None`` is where the shortest way from sac to nose crosses the bone.
    window_axis_ras
        Direction of drilling, from the nose to the sac; ``None`` is along that way.
    sac_point_ras
        A click on contrast medium in the sac, for a first mask without any drawing.
    box_center_ras, box_size_mm
        Where bone and air are looked for then; ``None`` is a box about the sac.
    bone_hu, air_hu
        Bone is at least, air at most this dense: 300 and -400 HU, this project's choice.
    clinical
        The eight clinical variables of the difficulty model, name -> value; ``None`` has it left out.
    model
        Installed name or file of a difficulty model; ``None`` has it left out.
    segmentation
        Which networks find the masks; ``None`` leaves that to a person.
    """

    side: Side | None = None
    window_diameter_mm: float = 10.0
    window_center_ras: Point | None = None
    window_axis_ras: Point | None = None
    sac_point_ras: Point | None = None
    box_center_ras: Point | None = None
    box_size_mm: Point | None = None
    bone_hu: float = 300.0
    air_hu: float = -400.0
    clinical: Mapping[str, Any] | None = None
    model: str | None = None
    segmentation: SegmentationModel | None = None

    def __post_init__(self) -> None:
        if self.side is not None:
            _refuse_unless(str(self.side) in ("left", "right"), "side", self.side, "left or right")
            object.__setattr__(self, "side", Side(self.side))
        for name in _POINTS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _point(name, getattr(self, name)))
        _refuse_unless(
            1 <= self.window_diameter_mm <= 30, "window_diameter_mm", self.window_diameter_mm, "1 to 30 mm"
        )
        _refuse_unless(
            self.window_axis_ras is None or math.hypot(*self.window_axis_ras) > 1e-6,
            "window_axis_ras",
            self.window_axis_ras,
            "a direction that is not zero",
        )
        _refuse_unless(
            self.box_size_mm is None or min(self.box_size_mm) >= 5,
            "box_size_mm",
            self.box_size_mm,
            "at least 5 mm along each axis",
        )
        plain: object = self.segmentation
        if isinstance(plain, dict):
            object.__setattr__(self, "segmentation", _segmentation(plain))
        if self.clinical is not None:
            kept = {k: v for k, v in self.clinical.items() if k.strip().lower() not in CASE_COLUMNS}
            object.__setattr__(self, "clinical", kept)
        _refuse_unless(100 <= self.bone_hu <= 1500, "bone_hu", self.bone_hu, "100 to 1500 HU")
        _refuse_unless(-900 <= self.air_hu <= -150, "air_hu", self.air_hu, "-900 to -150 HU")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Parameters:
        """Make parameters from plain values; what is left out is the default.

        Raises
        ------
        WrongUseError
            A name that is no parameter, or a value that does not fit.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(values.keys() - set(known))
        _refuse_unless(not unknown, "parameters", ", ".join(unknown), "only " + ", ".join(known))
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the manifest, the clinical form without the case's name."""
        values = asdict(self)
        values["side"] = self.side.value if self.side else None
        values["clinical"] = None if self.clinical is None else dict(self.clinical)
        # The path of a file can name a person; its SHA-256 stands in the model card.
        values["model"] = self.model if self.model and Path(self.model).name == self.model else None
        if self.segmentation is not None:
            names = [name if Path(name).name == name else "a folder" for name in self.segmentation.names]
            values["segmentation"] = {**asdict(self.segmentation), "names": names}
        for name in _POINTS:
            values[name] = list(values[name]) if values[name] is not None else None
        return values


def _segmentation(values: dict[str, Any]) -> SegmentationModel:
    known = [field.name for field in fields(SegmentationModel)]
    unknown = sorted(values.keys() - set(known))
    _refuse_unless(not unknown, "segmentation", ", ".join(unknown), "only " + ", ".join(known))
    names = values.get("names", ())
    _refuse_unless(
        isinstance(names, (list, tuple)) and all(isinstance(n, str) for n in names),
        "segmentation names",
        names,
        "a list of installed names or folders",
    )
    return SegmentationModel(**{**values, "names": tuple(names)})


def _point(name: str, value: Any) -> Point:
    try:
        point = tuple(float(v) for v in value)
    except (TypeError, ValueError):
        point = ()
    _refuse_unless(
        len(point) == 3 and all(map(math.isfinite, point)), name, value, "three numbers R,A,S in mm"
    )
    return point[0], point[1], point[2]


def _refuse_unless(good: bool, name: str, value: object, expected: str) -> None:
    if not good:
        raise WrongUseError(found=f"{name} = {value}", expected=expected, remedy="Correct this option.")
