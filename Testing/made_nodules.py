"""Nodules as if measured: every number is chosen, nothing is computed from an image."""

from __future__ import annotations

from typing import Any

from ctinsight.finding import Interval, MeasuredLine
from ctinsight.measure.planes import Plane, PlaneDiameters
from ctinsight.scores.growth import sphere_volume_mm3
from ctinsight.tasks.nodule.inputs import NoduleInputs, PatientInputs
from ctinsight.tasks.nodule.measures import Density, NoduleMeasures, SolidPart, Speck
from ctinsight.tasks.nodule.score_case import ScoreCase
from ctinsight.tasks.nodule.type import NoduleType

#: Everything that Brock, Mayo and Fleischner ask of the patient, incidental.
PATIENT: dict[str, Any] = {
    "age_years": 65,
    "sex": "male",
    "family_history": False,
    "emphysema": True,
    "nodule_count": 1,
    "ever_smoked": True,
    "cancer_within_5_years": False,
    "old_extrathoracic_cancer": False,
    "screening": False,
    "cancer": "none",
    "immunosuppressed": False,
    "prior_ct": "none",
    "risk": "high",
}
SCREENED = PATIENT | {"screening": True}
STATED: dict[str, Any] = {"upper_lobe": True, "spiculation": False}


def measured(
    diameter_mm: float, kind: str = "solid", *, solid_mm: float = 0.0, spread: float = 0.0
) -> NoduleMeasures:
    """Return a round nodule; ``spread`` is the half width of its volume's interval as a share."""
    volume = sphere_volume_mm3(diameter_mm)
    line = MeasuredLine("line", "line", (0.0, 0.0, 0.0), (diameter_mm, 0.0, 0.0))
    part = None
    if kind == "part-solid":
        none = Interval(0.0, 0.0, "")
        solid_volume = sphere_volume_mm3(solid_mm)
        part = SolidPart(solid_volume, none, solid_mm, none, solid_mm)
    return NoduleMeasures(
        kind=NoduleType(kind),
        evidence="made up",
        centre_ras=(80.0, 5.0, 20.0),
        recentred_mm=0.0,
        volume_mm3=volume,
        interval_mm3=Interval(volume * (1 - spread), volume * (1 + spread), "made up"),
        voxel_count_mm3=volume,
        planes=tuple(PlaneDiameters(plane, line, line) for plane in Plane),
        density=Density(0.0, 20.0, -60.0, 60.0, volume),
        solid=part,
        pleura_mm=20.0,
        calcium=Speck(0.0, found=False),
        fat=Speck(0.0, found=False) if kind == "solid" else None,
        sphericity=1.0,
        thread_count=0,
        thread_share_percent=0.0,
    )


def case_of(
    measures: NoduleMeasures,
    patient: dict[str, Any] | None = None,
    stated: dict[str, Any] | None = None,
    **more: Any,
) -> ScoreCase:
    """Return what the scores look at; patient and nodule as above where nothing else is given."""
    return ScoreCase(
        number=1,
        measures=measures,
        stated=NoduleInputs(**(STATED if stated is None else stated)),
        patient=PatientInputs(**(PATIENT if patient is None else patient)),
        **({"measured_count": 1} | more),
    )
