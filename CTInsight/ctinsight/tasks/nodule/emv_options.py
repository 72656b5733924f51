"""What a user can choose for the networks of EMV-3D-CNN."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from ctinsight.errors import WrongUseError
from ctinsight.nets.emv_networks import EmvTask
from ctinsight.scores.nodule_inputs import refuse_unless_member, refuse_unless_yes_or_no
from ctinsight.tasks.nodule.emv import EmvSettings
from ctinsight.tasks.nodule.emv_input import BorderRule, CenterRule, CubeRules, SliceOrder
from ctinsight.tasks.nodule.emv_prevalence import Prevalence
from ctinsight.tasks.nodule.emv_tree import CUT_OFFS, CutOff

#: Where a number comes from that was typed.
STATED = "stated by the user"


class Use(StrEnum):
    """Whether networks are wanted: never, where they are installed, or not without them."""

    OFF = "off"
    IF_INSTALLED = "if-installed"
    REQUIRED = "required"


@dataclass(frozen=True)
class NetworkOptions:
    """How the networks are run.

    Parameters
    ----------
    use
        ``required`` is an error when the first question's three networks are not there.
    weights
        A folder of weight files, or one of them; ``None`` takes what is installed.
    accept_terms
        The user has read and accepts the authors' terms; asked for with ``weights``, as an import asks.
    cut_offs
        Name of a pair in :data:`ctinsight.tasks.nodule.emv_tree.CUT_OFFS`.
    malignant_cut_off, invasive_cut_off
        The user's own in its place.
    slice_order, center, border
        See :class:`CubeRules`.
    order_check
        Score once more with slices in the opposite order.
    click_sensitivity
        Move the centre by 1 to 3 mm: about twelve times the time of one nodule.
    malignant_prevalence, invasive_prevalence
        Shares among the user's own nodules, for a what-if.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    use: Use = Use.IF_INSTALLED
    weights: Path | None = None
    accept_terms: bool = False
    cut_offs: str = "web"
    malignant_cut_off: float | None = None
    invasive_cut_off: float | None = None
    slice_order: SliceOrder = SliceOrder.SUPERIOR_FIRST
    center: CenterRule = CenterRule.EXACT
    border: BorderRule = BorderRule.AIR
    order_check: bool = True
    click_sensitivity: bool = False
    malignant_prevalence: float | None = None
    invasive_prevalence: float | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        members = {"use": Use, "slice_order": SliceOrder, "center": CenterRule, "border": BorderRule}
        for name, kind in members.items():
            if getattr(self, name) is None:
                raise _misfit(name, None, ", ".join(kind))
            refuse_unless_member(self, name, kind)
        refuse_unless_yes_or_no(self, ("accept_terms", "order_check", "click_sensitivity"))
        for name, words in (("cut_offs", tuple(CUT_OFFS)), ("device", ("auto", "cpu", "cuda", "mps"))):
            if getattr(self, name) not in words:
                raise _misfit(name, getattr(self, name), ", ".join(words))
        for name in _SHARES:
            _refuse_unless_share(name, getattr(self, name))
        given: Any = self.weights  # text when it came as JSON
        if given is not None and not (isinstance(given, (str, Path)) and str(given)):
            raise WrongUseError(
                found=f"weights: {str(given)[:80]!r}",
                expected="the path of a folder or file",
                remedy="Correct this option.",
            )
        object.__setattr__(self, "weights", None if given is None else Path(given))
        if self.weights is not None and self.use is Use.OFF:
            raise WrongUseError(
                found="weights, and networks switched off",
                expected="one of the two",
                remedy="Leave --weights or --no-networks away.",
            )
        if self.weights is not None:
            object.__setattr__(self, "use", Use.REQUIRED)

    @property
    def settings(self) -> EmvSettings:
        """The rules for cubes and the cut-offs."""
        chosen = CUT_OFFS[self.cut_offs]
        if self.malignant_cut_off is not None:
            chosen = replace(chosen, malignant=CutOff(self.malignant_cut_off, STATED))
        if self.invasive_cut_off is not None:
            chosen = replace(chosen, invasive=CutOff(self.invasive_cut_off, STATED))
        return EmvSettings(CubeRules(self.slice_order, self.center, self.border), chosen)

    @property
    def prevalences(self) -> dict[EmvTask, Prevalence]:
        """Shares that the user stated, by question."""
        stated = {
            EmvTask.MALIGNANT: self.malignant_prevalence,
            EmvTask.INVASIVE: self.invasive_prevalence,
        }
        return {task: Prevalence(share, STATED) for task, share in stated.items() if share is not None}

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the manifest; a path can name a person, so it is left out."""
        values = {name: getattr(self, name) for name in _NAMES}
        return {name: str(v) if isinstance(v, StrEnum) else v for name, v in values.items() if v is not None}


_SHARES = ("malignant_cut_off", "invasive_cut_off", "malignant_prevalence", "invasive_prevalence")
_NAMES = (
    "use", "cut_offs", *_SHARES, "slice_order", "center", "border", "order_check", "click_sensitivity",
    "device",
)  # fmt: skip


def _refuse_unless_share(name: str, value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is not None and not (number and 0.0 < value < 1.0):
        raise _misfit(name, value, "a number between 0 and 1, neither of them")


def _misfit(option: str, value: object, expected: str) -> WrongUseError:
    return WrongUseError(
        found=f"{option.replace('_', ' ')}: {str(value)[:80]}",
        expected=expected,
        remedy="Correct this option.",
    )
