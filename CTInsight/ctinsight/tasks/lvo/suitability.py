"""Checks that only this task makes: no bleed, a good registration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctinsight.finding import Check, Outcome

if TYPE_CHECKING:
    from ctinsight.regions.bleed import BleedCandidate
    from ctinsight.regions.registration import Quality

#: Between the gate and this the result warns: a false shift of 5 mm on a real head scored 0.75.
GOOD_SCORE = 0.78
#: Share of the template's brain that the scan must reach.
LEAST_COVERED = 0.9


def check_bleed(found: tuple[BleedCandidate, ...], *, despite: bool) -> Check:
    """Refuse a head with a bleed, or warn when the user goes on in spite of it."""
    name, expected = "Bleed", "none seen (bright compact regions of 0.5 mL or more)"
    if not found:
        return Check("bleed", name, Outcome.PASS, "none seen", expected)
    worst = found[0]
    where = ", ".join(f"{v:.0f}" for v in worst.center_ras)
    measured = (
        f"{len(found)} bright regions, the largest {worst.volume_ml:.1f} mL of {worst.mean_hu:.0f} HU at"
    )
    measured += f" R,A,S = {where}"
    remedy = "Measure it first: ctinsight hematoma. If it is no blood, go on with --despite-bleed."
    outcome = Outcome.WARN if despite else Outcome.REFUSE
    return Check("bleed", name, outcome, measured, expected, remedy)


def check_registration(quality: Quality, *, least_score: float) -> Check:
    """Judge an alignment by its score; below the gate what depends on the template is withheld."""
    measured = (
        f"score {quality.score:.2f} (overlap of brains {quality.brain_dice:.2f}, correlation"
        f" {quality.correlation:.2f}, {100 * quality.covered:.0f} % of the brain scanned)"
    )
    expected = f"{GOOD_SCORE:g} or more; below {least_score:g} candidates and territories are withheld"
    name = "Registration to the template"
    if not usable(quality, least_score=least_score):
        remedy = "Withheld. Look at the overlay; try --deformable, or a series that covers the whole head."
        return Check("registration", name, Outcome.WARN, measured, expected, remedy)
    if quality.score < GOOD_SCORE:
        remedy = "Compare territories and corridors with the anatomy before use; try --deformable."
        return Check("registration", name, Outcome.WARN, measured, expected, remedy)
    return Check("registration", name, Outcome.PASS, measured, expected)


def usable(quality: Quality, *, least_score: float) -> bool:
    """Whether an alignment may carry anything to a patient."""
    return quality.score >= least_score and quality.covered >= LEAST_COVERED
