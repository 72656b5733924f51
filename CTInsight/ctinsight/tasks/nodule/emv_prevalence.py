"""A score carried over to the prevalence among the user's own nodules: a what-if, never the headline.

The networks learned from resected nodules, most of them malignant; the same score means less where fewer are.
Bayes' rule says how much less, if the score were a probability. It is not known to be one.
"""

from __future__ import annotations

from dataclasses import dataclass

from ctinsight.errors import WrongUseError
from ctinsight.nets.emv_networks import EmvTask


@dataclass(frozen=True)
class Prevalence:
    """How frequent "yes" is among the nodules of a question, with the source of the number."""

    value: float
    source: str

    def __post_init__(self) -> None:
        if not 0.0 < self.value < 1.0:
            raise WrongUseError(
                found=f"a prevalence of {self.value:g}",
                expected="a share between 0 and 1, neither of them",
                remedy="Give the share of such nodules among yours, for example 0.1.",
            )


#: Shares among the nodules that the networks were trained on, all of them resected.
TRAINING_PREVALENCE: dict[EmvTask, Prevalence] = {
    EmvTask.MALIGNANT: Prevalence(781 / 1075, "781 of 1,075 resected nodules of the authors' hospital"),
    EmvTask.INVASIVE: Prevalence(417 / 781, "417 of the 781 nodules that were not benign"),
}
FORMULA = "odds(result) = odds(score) x odds(your prevalence) / odds(prevalence in training)"


@dataclass(frozen=True)
class Rebased:
    """A score carried over to another prevalence; ``label`` must stand beside ``value`` wherever it is shown.

    ``is_probability`` is true only where a calibration set is named. Never the headline of a result.
    """

    value: float
    label: str
    is_probability: bool
    formula: str = FORMULA


def rebase(
    score: float, trained: Prevalence, prevalence: Prevalence, *, calibration_set: str | None = None
) -> Rebased:
    """Carry a score over to the user's prevalence by Bayes' rule.

    Parameters
    ----------
    score
        Mean score of "yes".
    trained
        Prevalence where the score was learned, or calibrated.
    calibration_set
        The set on which the model card says that this score was calibrated; None makes it a what-if.

    Examples
    --------
    >>> half = Prevalence(0.5, "made up")
    >>> round(rebase(0.8, half, Prevalence(0.2, "my clinic")).value, 3)  # odds 4 x 0.25 = 1
    0.5
    """
    if not 0.0 <= score <= 1.0:
        raise WrongUseError(found=f"a score of {score:g}", expected="0 to 1", remedy="Correct the call.")
    factor = _odds(prevalence.value) / _odds(trained.value)
    # score x factor / (score x factor + 1 - score) is the same as through odds, and holds at 0 and 1.
    value = score * factor / (score * factor + 1.0 - score)
    where = f"at a prevalence of {100 * prevalence.value:g} % ({prevalence.source})"
    origin = f"instead of {100 * trained.value:.0f} % ({trained.source})"
    if calibration_set is None:
        label = f"what-if {where} {origin}, as if calibrated: this score is not calibrated"
    else:
        label = f"probability {where} {origin}, calibrated on {calibration_set}"
    return Rebased(value, label, is_probability=calibration_set is not None)


def _odds(share: float) -> float:
    return share / (1.0 - share)
