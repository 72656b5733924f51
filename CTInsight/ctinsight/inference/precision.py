"""Reduced precision, only where a network proves on its own device that it changes next to nothing.

Full single precision is the rule. Sixteen bits are used when the device computes them fast and a self-test at
the start passes: the same network scores one made-up input in both, and the two must agree. What was chosen,
and why, goes into the result.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np

from ctinsight.device import out_of_memory, require_torch
from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Share of pixels that must lie on the same side of the threshold: what the guide of nnU-Net's own reduced
#: precision reaches (0.9998) with room, and what an eye does not see.
AGREEMENT = 0.999
#: Largest difference of a single score; 0.018 to 0.025 were measured for bfloat16 in 3-D segmentation.
LARGEST_DIFFERENCE = 0.05
#: Where masks are cut.
THRESHOLD = 0.5


class Precision(StrEnum):
    """Number format of a network's inner computation; weights are always kept in single precision."""

    SINGLE = "float32"
    BRAIN = "bfloat16"
    HALF = "float16"


@dataclass(frozen=True)
class PrecisionChoice:
    """What a network computes in, and why, in words for the manifest."""

    precision: Precision
    why: str


class Scorer(Protocol):
    """A network that gives scores from 0 to 1."""

    def __call__(self, x: Any, /) -> Any:
        """Score a batch."""


#: Network -> device kind -> choice, so that the self-test runs once for a network that stays loaded.
_CHOSEN: WeakKeyDictionary[Scorer, dict[str, PrecisionChoice]] = WeakKeyDictionary()


def read_precision(wanted: str) -> None:
    """Refuse a word that is no choice of precision.

    Raises
    ------
    WrongUseError
        Neither ``auto`` nor ``float32``: no one may force sixteen bits without the test.
    """
    if wanted not in {"auto", Precision.SINGLE}:
        raise WrongUseError(
            found=f"precision {wanted!r}", expected="auto or float32", remedy="Choose one of these."
        )


def choose_precision(
    net: Scorer, sample: NDArray[np.float32], kind: str, wanted: str = "auto"
) -> PrecisionChoice:
    """Choose what a network computes in.

    Parameters
    ----------
    net
        On its device, in eval mode.
    sample
        One input of the kind that this network is made for, shape as it takes it.
    kind
        ``cpu``, ``cuda`` or ``mps``.
    wanted
        ``auto``, or ``float32`` for full precision without a test.
    """
    read_precision(wanted)
    if wanted == Precision.SINGLE:
        return PrecisionChoice(Precision.SINGLE, "as chosen")
    known = _CHOSEN.setdefault(net, {})
    if kind not in known:
        known[kind] = _tested(net, sample, kind)
    return known[kind]


def fast_reduced(kind: str) -> tuple[Precision | None, str]:
    """Return the sixteen-bit format that a device computes fast, or None and why there is none.

    A processor needs AMX: with AVX-512 alone bfloat16 is up to four times slower than single precision.
    """
    torch = require_torch()
    if kind == "cuda":
        return (
            Precision.BRAIN if torch.cuda.is_bf16_supported(including_emulation=False) else Precision.HALF
        ), ""
    if kind == "cpu":
        has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
        return (Precision.BRAIN, "") if has_amx else (None, "this processor has no AMX")
    return None, f"no reduced precision is tested on {kind}"


@contextmanager
def computing_in(precision: Precision, kind: str) -> Iterator[None]:
    """Compute networks in a precision inside the ``with`` statement, without gradients.

    Single precision means single: TF32, which rounds to 10 bits on graphics cards by default, is off.
    """
    torch = require_torch()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        stack.enter_context(torch.backends.cudnn.flags(allow_tf32=False))
        if precision is not Precision.SINGLE:
            stack.enter_context(torch.autocast(kind, dtype=getattr(torch, precision.value)))
        yield


def _tested(net: Scorer, sample: NDArray[np.float32], kind: str) -> PrecisionChoice:
    reduced, why_not = fast_reduced(kind)
    if reduced is None:
        return PrecisionChoice(Precision.SINGLE, why_not)
    try:
        full, short = (_scores(net, sample, kind, precision) for precision in (Precision.SINGLE, reduced))
    except (RuntimeError, MemoryError) as error:
        reason = "memory did not suffice for the self-test" if out_of_memory(error) else f"it failed: {error}"
        return PrecisionChoice(Precision.SINGLE, f"{reduced.value} was not used: {reason}")
    agreement = float(((full >= THRESHOLD) == (short >= THRESHOLD)).mean())
    difference = float(np.abs(full - short).max())
    seen = f"self-test on a made-up input: {100 * agreement:.3f} % agree, largest difference {difference:.4f}"
    # Comparisons with NaN are false, so scores that are not finite fail the test.
    if agreement >= AGREEMENT and difference <= LARGEST_DIFFERENCE:
        return PrecisionChoice(reduced, f"{seen}; passed")
    needed = f"needed {100 * AGREEMENT:g} % and {LARGEST_DIFFERENCE:g}"
    return PrecisionChoice(Precision.SINGLE, f"{reduced.value} was not used: {seen}; {needed}")


def _scores(net: Scorer, sample: NDArray[np.float32], kind: str, precision: Precision) -> NDArray[np.float32]:
    torch = require_torch()
    with computing_in(precision, kind):
        scores: NDArray[np.float32] = net(torch.from_numpy(sample).to(kind)).float().cpu().numpy()
    return scores


def head_slice_sample(side: int) -> NDArray[np.float32]:
    """Draw a windowed axial slice with skull, brain, ventricles, a bleed and noise, the same every time.

    Returns
    -------
    array
        (1, 1, side, side) from -1 to 1, as the slice networks take it.
    """
    rows, columns = np.mgrid[0:side, 0:side] / side - 0.5

    def inside(row: float, column: float, half_height: float, half_width: float) -> NDArray[np.bool_]:
        return np.asarray(((rows - row) / half_height) ** 2 + ((columns - column) / half_width) ** 2 <= 1)

    # Grey of the brain window 40/80: bone 1, brain -0.1 (36 HU), water -0.8 (8 HU), blood 0.7 (68 HU).
    picture = np.full((side, side), -1.0)
    shapes = [((0.0, 0.0, 0.44, 0.36), 1.0), ((0.0, 0.0, 0.40, 0.32), -0.1)]
    shapes += [((0.0, column, 0.12, 0.03), -0.8) for column in (-0.04, 0.04)] + [
        ((0.05, 0.15, 0.10, 0.07), 0.7)
    ]
    for ellipse, grey in shapes:
        picture[inside(*ellipse)] = grey
    noise = np.random.default_rng(20221).normal(0.0, 0.08, picture.shape)
    return np.clip(picture + noise, -1.0, 1.0).astype(np.float32)[None, None]
