"""Volumes against a reference: errors, limits of agreement, correlation, by size of the bleed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: mL; the paper's groups of the reference volume: below 30, 30 to 60, above 60.
GROUPS_ML = (30.0, 60.0)
#: Of standard deviations: 95 % of normally distributed differences (Bland and Altman 1986).
_LIMITS = 1.96


@dataclass(frozen=True)
class Agreement:
    """Volumes of one method against the reference; errors are measurement minus reference, in mL.

    Parameters
    ----------
    n
        Cases.
    bias_ml, sd_ml, mae_ml, rmse_ml
        Mean error, its standard deviation (n - 1), mean absolute error, root mean square error.
    limits_ml
        Bland and Altman's 95 % limits of agreement; None for a single case.
    r2, concordance
        Squared correlation of Pearson, and Lin's concordance, which also counts what is off the diagonal.
    slope, intercept_ml
        Of the regression of the measurement on the reference.
    seconds
        Mean per case; None where the table has none.
    """

    n: int
    bias_ml: float
    sd_ml: float | None
    mae_ml: float
    rmse_ml: float
    limits_ml: tuple[float, float] | None
    r2: float | None
    concordance: float | None
    slope: float | None
    intercept_ml: float | None
    seconds: float | None = None


def agreement(
    measured_ml: NDArray[np.float64],
    reference_ml: NDArray[np.float64],
    seconds: NDArray[np.float64] | None = None,
) -> Agreement:
    """Compare volumes.

    Raises
    ------
    WrongUseError
        No case, or lists of different length.

    Examples
    --------
    >>> found = agreement(np.array([11.0, 19.0, 33.0]), np.array([10.0, 20.0, 30.0]))
    >>> found.bias_ml, found.mae_ml, round(found.rmse_ml, 3), found.sd_ml
    (1.0, 1.6666666666666667, 1.915, 2.0)
    """
    if len(measured_ml) != len(reference_ml) or len(measured_ml) == 0:
        raise WrongUseError(
            found=f"{len(measured_ml)} measurements for {len(reference_ml)} references",
            expected="one measurement for each reference, at least one",
            remedy="Complete the table.",
        )
    error = measured_ml - reference_ml
    bias = float(error.mean())
    sd = float(error.std(ddof=1)) if len(error) > 1 else None
    line = _line(measured_ml, reference_ml)
    return Agreement(
        n=len(error),
        bias_ml=bias,
        sd_ml=sd,
        mae_ml=float(np.abs(error).mean()),
        rmse_ml=float(np.sqrt(np.mean(error**2))),
        limits_ml=None if sd is None else (bias - _LIMITS * sd, bias + _LIMITS * sd),
        r2=line and line[0],
        concordance=_concordance(measured_ml, reference_ml),
        slope=line and line[1],
        intercept_ml=line and line[2],
        seconds=None if seconds is None or np.isnan(seconds).all() else float(np.nanmean(seconds)),
    )


def by_group(
    measured_ml: NDArray[np.float64],
    reference_ml: NDArray[np.float64],
    seconds: NDArray[np.float64] | None = None,
) -> dict[str, Agreement | None]:
    """Compare overall and within the paper's groups of the reference volume; None where a group is empty."""
    found: dict[str, Agreement | None] = {"all": agreement(measured_ml, reference_ml, seconds)}
    small, large = GROUPS_ML
    groups = {
        f"< {small:g} mL": reference_ml < small,
        f"{small:g}-{large:g} mL": (reference_ml >= small) & (reference_ml <= large),
        f"> {large:g} mL": reference_ml > large,
    }
    for name, inside in groups.items():
        part = None if seconds is None else seconds[inside]
        found[name] = agreement(measured_ml[inside], reference_ml[inside], part) if inside.any() else None
    return found


def _line(measured: NDArray[np.float64], reference: NDArray[np.float64]) -> tuple[float, float, float] | None:
    if len(measured) < 3 or np.ptp(reference) == 0 or np.ptp(measured) == 0:
        return None
    fit = stats.linregress(reference, measured)
    return float(fit.rvalue**2), float(fit.slope), float(fit.intercept)


def _concordance(measured: NDArray[np.float64], reference: NDArray[np.float64]) -> float | None:
    """Return Lin's concordance correlation coefficient (Biometrics 1989;45:255)."""
    spread = measured.var() + reference.var() + (measured.mean() - reference.mean()) ** 2
    if len(measured) < 3 or spread == 0:
        return None
    together = np.mean((measured - measured.mean()) * (reference - reference.mean()))
    return float(2 * together / spread)
