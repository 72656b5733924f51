"""Compare nodules with an earlier CT: is that allowed, are they the same, how far did they grow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.checks import refuse_if_unsuitable
from ctinsight.checks.header import is_sharp_kernel, stated_contrast
from ctinsight.errors import InputRefusedError, ProcessingFailedError, WrongUseError
from ctinsight.finding import Check, Outcome
from ctinsight.progress import Progress
from ctinsight.regions.lungs import find_lungs
from ctinsight.scores.growth import ScanProtocol, compare_protocols
from ctinsight.tasks.nodule.growth import Compared
from ctinsight.tasks.nodule.leak import leak_check, level_interval
from ctinsight.tasks.nodule.measures import measure_nodule
from ctinsight.tasks.nodule.parameters import prior_points
from ctinsight.tasks.nodule.prior_match import Spot, match_check, match_surroundings
from ctinsight.tasks.nodule.reading import shape_of
from ctinsight.tasks.nodule.segment import outline_nodule
from ctinsight.tasks.nodule.statements import METHOD
from ctinsight.tasks.nodule.suitability import check_chest_ct, refuse_outside_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.regions.lungs import LungField
    from ctinsight.tasks.nodule.measures import NoduleMeasures
    from ctinsight.tasks.nodule.parameters import Parameters, Point
    from ctinsight.volume import Scan

#: Dates in headers and the user's word may differ by so much, days.
INTERVAL_ROOM_DAYS = 3.0
#: Errors that end a comparison, not the whole request.
_ENDS = (InputRefusedError, WrongUseError, ProcessingFailedError)


@dataclass(frozen=True)
class Growths:
    """What a comparison gave.

    Parameters
    ----------
    compared
        Number of a nodule -> both measurements.
    refused
        Number of a nodule -> why it was not compared; 0 stands for all.
    checks
        About protocols, interval, patient, and each nodule.
    """

    compared: Mapping[int, Compared] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    def reason(self, number: int) -> str:
        """Return why a nodule was not compared."""
        return self.refused.get(number) or self.refused.get(0, "no point in the earlier CT was given")


def compare_with_prior(
    scan: Scan,
    prior: Scan,
    parameters: Parameters,
    measures: Mapping[int, NoduleMeasures],
    *,
    progress: Progress | None = None,
) -> Growths:
    """Compare measured nodules with an earlier CT.

    Whatever forbids the comparison becomes a check and a reason, so that the present CT keeps its result.

    Parameters
    ----------
    scan, prior
        The present and the earlier CT.
    parameters
        ``prior`` holds the points in the earlier CT.
    measures
        Number -> nodule of the present CT.
    progress
        Told of each nodule.
    """
    progress = progress or Progress()
    days, interval_checks = interval_of(scan, prior, parameters.prior.interval_days)
    checks = (*interval_checks, *pair_checks(scan, prior))
    refusals = [check for check in checks if check.outcome is Outcome.REFUSE]
    if refusals:
        return Growths({}, {0: "; ".join(f"{c.name}: {c.measured}" for c in refusals)}, checks)
    try:
        points = prior_points(parameters.prior, prior)
        suitability = tuple(
            _of_prior(c) for c in check_chest_ct(prior, allow_thick_slices=parameters.allow_thick_slices)
        )
        refuse_if_unsuitable(suitability)
        lungs = find_lungs(prior.volume)
    except _ENDS as error:
        return Growths({}, {0: f"the earlier CT: {error.found}"}, (*checks, _ended(0, error)))
    checks += tuple(c for c in suitability if c.outcome is not Outcome.PASS)
    pair = _Pair(scan, prior, lungs, parameters, days)
    compared, refused = {}, {}
    for n in measures:
        if n > len(points) or (point := points[n - 1]) is None:
            continue
        progress.report(f"comparing nodule {n} with the earlier CT", 0.94 + 0.05 * n / (max(measures) + 1))
        one, more, reason = pair.compare(n, measures[n], point)
        checks += more
        if one is None:
            refused[n] = reason
        else:
            compared[n] = one
    return Growths(compared, refused, checks)


@dataclass(frozen=True, eq=False)
class _Pair:
    scan: Scan
    prior: Scan
    lungs: LungField
    parameters: Parameters
    days: float | None

    def compare(
        self, number: int, current: NoduleMeasures, point: Point
    ) -> tuple[Compared | None, tuple[Check, ...], str]:
        """Outline the nodule in the earlier CT, and see whether it is the same."""
        try:
            refuse_outside_image(self.prior.volume, point)
            outline = outline_nodule(self.prior.volume, self.lungs, point)
            shape = shape_of(outline, point, self.parameters)
            before = measure_nodule(shape, self.parameters, shape.volume_mm3)
        except _ENDS as error:
            return None, (_ended(number, error),), f"the earlier CT: {error.found}"
        leak = leak_check(number, outline, before.mean_diameter_mm, level_interval(outline))
        match = match_surroundings((self.scan.volume, _spot(current)), (self.prior.volume, _spot(before)))
        same = match_check(number, match, max(current.mean_diameter_mm, before.mean_diameter_mm))
        checks = (
            replace(
                leak, key=f"nodule_{number}_prior_leak", name=f"Nodule {number}: outline in the earlier CT"
            ),
            same,
        )
        if same.outcome is Outcome.REFUSE:
            return None, checks, f"not the same nodule: {same.measured}"
        return Compared(before, current, match, self.days), checks, ""


def _spot(measures: NoduleMeasures) -> Spot:
    return Spot(measures.centre_ras, max(p.long_axis.length_mm for p in measures.planes) / 2)


def interval_of(scan: Scan, prior: Scan, stated_days: float | None) -> tuple[float | None, tuple[Check, ...]]:
    """Days between both CTs: as stated, else by the dates in the headers.

    Returns
    -------
    tuple
        The days, ``None`` when nothing says them; and the check.
    """
    name, expected = "Days between both CTs", "stated with --prior-days, or dates in the DICOM headers"
    dated = None
    if scan.acquired_on is not None and prior.acquired_on is not None:
        dated = float((scan.acquired_on - prior.acquired_on).days)
    if stated_days is None and dated is None:
        remedy = "Give --prior-days; without it volumes are compared and no doubling time is computed."
        return None, (Check("prior_interval", name, Outcome.WARN, "not known", expected, remedy),)
    days = stated_days if stated_days is not None else dated
    origin = "stated by the user" if stated_days is not None else "by the dates in the headers"
    outcome, remedy = Outcome.PASS, ""
    measured = f"{days:.0f} days, {origin}"
    if stated_days is not None and dated is not None and abs(stated_days - dated) > INTERVAL_ROOM_DAYS:
        measured += f"; by the dates in the headers {dated:.0f} days"
        outcome, remedy = Outcome.WARN, "What was stated is used. Correct --prior-days, or leave it away."
    elif days is not None and days <= 0:
        outcome = Outcome.REFUSE
        remedy = (
            "The earlier CT must be the older one; give --prior-days if the dates in the headers are wrong."
        )
    return days, (Check("prior_interval", name, outcome, measured, expected, remedy),)


def pair_checks(scan: Scan, prior: Scan) -> tuple[Check, ...]:
    """Check whether two CTs may be compared: one patient, two CTs, like protocols."""
    protocols = (*compare_protocols(protocol_of(prior), protocol_of(scan)), _sharpness(scan, prior))
    named = (replace(check, name=f"Both CTs, {check.name}") for check in protocols)
    return (*_identity(scan, prior), *named)


def protocol_of(scan: Scan) -> ScanProtocol:
    """Read what of a CT changes a measured volume; thickness is at least the distance of slices."""
    facts, grid = scan.acquisition, scan.volume.grid
    apart = grid.spacing_kji_mm[grid.array_axis(2)[0]]
    contrast: bool | None = None
    if stated_contrast(facts) is not None:
        contrast = True
    elif facts.file_format == "DICOM":
        contrast = False
    thickness = max(facts.slice_thickness_mm or 0.0, apart)
    return ScanProtocol(round(thickness, 2), facts.kernel, contrast, METHOD)


def _identity(scan: Scan, prior: Scan) -> tuple[Check, ...]:
    found = []
    keys = (scan.patient_key, prior.patient_key)
    if None not in keys:
        same = keys[0] == keys[1]
        found.append(
            Check(
                "prior_patient",
                "Patient of both CTs",
                Outcome.PASS if same else Outcome.REFUSE,
                "the same identifier in both headers" if same else "different identifiers in the headers",
                "the same patient",
                "" if same else "Choose the earlier CT of this patient, or export both with one identifier.",
            )
        )
    if scan.volume.grid.same_as(prior.volume.grid) and np.array_equal(
        scan.volume.array_kji, prior.volume.array_kji
    ):
        remedy = "Choose the earlier CT."
        found.append(
            Check(
                "prior_other", "Two CTs", Outcome.REFUSE, "the same image twice", "two different CTs", remedy
            )
        )
    return tuple(found)


def _sharpness(scan: Scan, prior: Scan) -> Check:
    """Refuse a sharpening kernel against a smooth one: edges, and so volumes, differ."""
    kernels = (prior.acquisition.kernel, scan.acquisition.kernel)
    words = [
        "not known" if k is None else f"{k} ({'sharp' if is_sharp_kernel(k) else 'not known as sharp'})"
        for k in kernels
    ]
    known = [is_sharp_kernel(k) for k in kernels if k is not None]
    differ = len(known) == 2 and known[0] != known[1]
    return Check(
        "protocol_sharpness",
        "sharpness of the kernels",
        Outcome.REFUSE if differ else Outcome.PASS,
        " and ".join(words),
        "both sharp or both smooth",
        "Compare reconstructions with like kernels." if differ else "",
    )


def _of_prior(check: Check) -> Check:
    return replace(check, key=f"prior_{check.key}", name=f"Earlier CT: {check.name}")


def _ended(number: int, error: InputRefusedError | WrongUseError | ProcessingFailedError) -> Check:
    key, name = (
        ("prior_ct", "Earlier CT")
        if number == 0
        else (f"nodule_{number}_prior", f"Nodule {number}: earlier CT")
    )
    return Check(key, name, Outcome.REFUSE, error.found, error.expected, f"Not compared. {error.remedy}")
