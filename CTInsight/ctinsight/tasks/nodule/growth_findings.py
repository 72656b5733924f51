"""Growth since an earlier CT as findings, one table, and what must be read with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctinsight.finding import Column, Finding, Interval, Table
from ctinsight.scores.growth import LIKELY_BENIGN_ABOVE_DAYS, SUSPICIOUS_BELOW_DAYS
from ctinsight.tasks.nodule.growth import RANGE_MEANING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ctinsight.scores.growth import DoublingTime
    from ctinsight.tasks.nodule.growth import Compared
    from ctinsight.tasks.nodule.prior import Growths

GROWTH_STATEMENTS = (
    (
        "Growth: volume doubling time = ln 2 x days / ln(V2 / V1); its range comes from both outlines. A"
        " volume that changed by less than 25 % is within what repeated measurements differ by (British"
        " Thoracic Society 2015, as cited in doi 10.1007/s00330-021-08302-0). Below"
        f" {SUSPICIOUS_BELOW_DAYS:.0f} days is called suspicious and above {LIKELY_BENIGN_ABOVE_DAYS:.0f}"
        " days likely benign in a cited calculator (onlycalculators.com)."
    ),
    "Growth: the earlier outline is not in this segmentation; measure that CT by itself to see it.",
)
_RULE = "Lung-RADS v2022: more than 1.5 mm of mean diameter within 12 months"

_COLUMNS = (
    Column("nodule", "Nodule", "1", "number of the point"),
    Column("compared", "Compared", "", "yes, or why not"),
    Column("interval_days", "Days between", "d"),
    Column("prior_volume_mm3", "Earlier volume", "mm3"),
    Column("volume_mm3", "Volume", "mm3"),
    Column("change_percent", "Change of volume", "%"),
    Column("change_low_percent", "Least change", "%", RANGE_MEANING),
    Column("change_high_percent", "Greatest change", "%", RANGE_MEANING),
    Column("doubling_days", "Volume doubling time", "d", "empty when it did not get larger"),
    Column("doubling_low_days", "Shortest", "d", RANGE_MEANING),
    Column("doubling_high_days", "Longest", "d", "empty when growth is not certain"),
    Column("mass_doubling_days", "Mass doubling time", "d"),
    Column("prior_diameter_mm", "Earlier mean diameter", "mm"),
    Column("diameter_mm", "Mean diameter", "mm"),
    Column("rule", "Growth by Lung-RADS", "", _RULE),
    Column("prior_type", "Earlier type"),
    Column("type", "Type"),
    Column("shift_r_mm", "Shift R", "mm", "of the surroundings, from this CT to the earlier one"),
    Column("shift_a_mm", "Shift A", "mm"),
    Column("shift_s_mm", "Shift S", "mm"),
    Column("rotation_degrees", "Turn", "deg"),
    Column("residual_mm", "Residual", "mm", "how far from the earlier nodule the registration puts this one"),
    Column("correlation", "Correlation", "1", "of the surroundings"),
)


def growth_findings(growths: Growths, numbers: Iterable[int]) -> tuple[Finding, ...]:
    """Return the findings of every nodule; without a value the note says why."""
    found: list[Finding] = []
    for n in numbers:
        one = growths.compared.get(n)
        if one is None:
            note = f"growth not computed: {growths.reason(n)}"
            found.append(
                Finding(
                    f"nodule_{n}_volume_doubling_days", _name(n, "volume doubling time"), None, "d", note=note
                )
            )
        else:
            found += _compared(n, one)
    return tuple(found)


def _name(number: int, what: str) -> str:
    return f"Nodule {number}: {what}"


def _compared(n: int, one: Compared) -> list[Finding]:
    return [
        Finding(
            f"nodule_{n}_volume_change_percent",
            _name(n, "change of volume since the earlier CT"),
            one.change_percent,
            "%",
            interval=one.change_range,
            note=f"from {one.prior.volume_mm3:.0f} mm³",
        ),
        Finding(
            f"nodule_{n}_diameter_change_mm",
            _name(n, "change of mean diameter"),
            one.diameter_change_mm,
            "mm",
            note=f"from {one.prior.mean_diameter_mm:.1f} mm; {_RULE}: {one.rule or 'interval not known'}",
        ),
        _doubling(n, one),
        Finding(
            f"nodule_{n}_mass_doubling_days",
            _name(n, "mass doubling time"),
            _days(one, "mass"),
            "d",
            note=_statement(one, "mass"),
        ),
        Finding(
            f"nodule_{n}_match_residual_mm",
            _name(n, "residual of the registration"),
            one.match.residual_mm,
            "mm",
            note=f"correlation of the surroundings {one.match.correlation:.2f}",
        ),
    ]


def _doubling(n: int, one: Compared) -> Finding:
    note, interval = _statement(one, "volume"), None
    days, ends = _days(one, "volume"), one.doubling_range_days
    if ends is not None and ends[1] is not None:
        interval = Interval(ends[0], ends[1], RANGE_MEANING)
    elif ends is not None:
        note += f"; by the outlines at least {ends[0]:.0f} days, and no growth at all is possible"
    return Finding(
        f"nodule_{n}_volume_doubling_days",
        _name(n, "volume doubling time"),
        days,
        "d",
        interval=interval,
        note=note,
    )


def _of(one: Compared, quantity: str) -> DoublingTime | None:
    return next((d for d in one.doubling if d.quantity == quantity), None)


def _days(one: Compared, quantity: str) -> float | None:
    found = _of(one, quantity)
    return None if found is None else found.days


def _statement(one: Compared, quantity: str) -> str:
    found = _of(one, quantity)
    return "not computed: missing --prior-days" if found is None else found.statement


def growth_table(growths: Growths, measured: Iterable[int]) -> Table:
    """One row for each nodule, compared or not."""
    return Table("growth", "Since the earlier CT", _COLUMNS, tuple(_row(n, growths) for n in measured))


def _row(n: int, growths: Growths) -> tuple[float | int | str | None, ...]:
    one = growths.compared.get(n)
    if one is None:
        return (n, f"no: {growths.reason(n)}", *([None] * (len(_COLUMNS) - 2)))
    ends = one.doubling_range_days or (None, None)
    match = one.match
    return (
        n,
        "yes",
        one.interval_days,
        round(one.prior.volume_mm3),
        round(one.current.volume_mm3),
        one.change_percent,
        one.change_range.low,
        one.change_range.high,
        _days(one, "volume"),
        *ends,
        _days(one, "mass"),
        one.prior.mean_diameter_mm,
        one.current.mean_diameter_mm,
        None if one.rule is None else str(one.rule),
        one.prior.kind.value,
        one.current.kind.value,
        *match.shift_ras_mm,
        match.rotation_degrees,
        match.residual_mm,
        match.correlation,
    )
