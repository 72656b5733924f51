"""The IVH score: how full the ventricles are of blood, and the volume that stands for.

References
----------
Hallevi et al., "The IVH score: a novel tool for estimating intraventricular hemorrhage volume", Critical
Care Medicine 2009;37:969-974, https://doi.org/10.1097/CCM.0b013e318198683a
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ctinsight.errors import WrongUseError

#: The most points an item can have: each lateral ventricle 3, third, fourth and hydrocephalus 1.
_HIGHEST = {"right_lateral": 3, "left_lateral": 3, "third": 1, "fourth": 1, "hydrocephalus": 1}


@dataclass(frozen=True)
class IvhItems:
    """What the IVH score asks for.

    Parameters
    ----------
    right_lateral, left_lateral
        0 no blood or a little layering, 1 up to a third filled, 2 one to two thirds, 3 mostly or completely
        filled.
    third, fourth
        0 no blood, 1 partially or completely filled.
    hydrocephalus
        0 absent, 1 present; judged by the user.

    Raises
    ------
    WrongUseError
        A value outside its range.
    """

    right_lateral: int
    left_lateral: int
    third: int
    fourth: int
    hydrocephalus: int

    def __post_init__(self) -> None:
        for name, highest in _HIGHEST.items():
            value = getattr(self, name)
            if value not in range(highest + 1):
                raise WrongUseError(
                    found=f"{value} points for {name.replace('_', ' ')}",
                    expected=f"a whole number from 0 to {highest}",
                    remedy="Correct the value.",
                )


def ivh_score(items: IvhItems) -> int:
    """Return 3 (right + left) + third + fourth + 3 hydrocephalus, 0 to 23.

    Examples
    --------
    >>> ivh_score(IvhItems(3, 3, 1, 1, 1))
    23
    """
    lateral = int(items.right_lateral) + int(items.left_lateral)
    return 3 * lateral + int(items.third) + int(items.fourth) + 3 * int(items.hydrocephalus)


def ivh_volume_ml(score: int) -> float:
    """Return the volume that an IVH score stands for, e^(score / 5) in mL; no blood (0) is 0 mL.

    The published formula gives 1 mL at a score of 0. A score of 0 means that neither blood nor
    hydrocephalus was seen, so 0 mL is returned.
    """
    if score not in range(24):
        raise WrongUseError(
            found=f"an IVH score of {score}",
            expected="a whole number from 0 to 23",
            remedy="Correct the value.",
        )
    return 0.0 if score == 0 else math.exp(score / 5.0)
