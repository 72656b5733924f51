"""Show Hounsfield units as grey: one linear ramp, and the windows of ``windows.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Window:
    """A window as it is set at a workstation: center (level) and width in HU, with its source."""

    key: str
    name: str
    center_hu: float
    width_hu: float
    source: str

    def __post_init__(self) -> None:
        _refuse_bad_window(self.center_hu, self.width_hu)

    @property
    def low_hu(self) -> float:
        """HU that turns black."""
        return self.center_hu - self.width_hu / 2.0

    @property
    def high_hu(self) -> float:
        """HU that turns white."""
        return self.center_hu + self.width_hu / 2.0

    def apply(self, array_hu: NDArray[Any]) -> NDArray[np.float32]:
        """Return grey from 0 (black) to 1 (white)."""
        return apply_window(array_hu, self.center_hu, self.width_hu)


def apply_window(array_hu: NDArray[Any], center_hu: float, width_hu: float) -> NDArray[np.float32]:
    """Map HU to grey: 0 at ``center - width / 2`` and below, 1 at ``center + width / 2`` and above.

    This is the LINEAR_EXACT function of DICOM PS3.3 C.11.2.1.3.2.

    Parameters
    ----------
    array_hu
        Any shape, any real number type.
    center_hu, width_hu
        Middle and full width of the ramp; the width is positive.

    Returns
    -------
    array
        The same shape, float32 from 0 to 1.

    Raises
    ------
    WrongUseError
        A width that is not positive, or a value that is not finite.

    Examples
    --------
    >>> apply_window(np.array([-10, 0, 20, 80, 1000]), 40, 80).tolist()
    [0.0, 0.0, 0.25, 1.0, 1.0]
    """
    _refuse_bad_window(center_hu, width_hu)
    gray = np.array(array_hu, dtype=np.float32)
    gray -= np.float32(center_hu - width_hu / 2.0)
    gray /= np.float32(width_hu)
    return np.clip(gray, 0.0, 1.0, out=gray)


def _refuse_bad_window(center_hu: float, width_hu: float) -> None:
    if not (np.isfinite(center_hu) and np.isfinite(width_hu) and width_hu > 0):
        raise WrongUseError(
            found=f"a window of center {center_hu} HU and width {width_hu} HU",
            expected="two finite numbers, the width positive",
            remedy="Choose a named window such as brain (center 40, width 80), or correct the numbers.",
        )


def _read_windows() -> Mapping[str, Window]:
    table = tomllib.loads(files("ctinsight").joinpath("windows.toml").read_text(encoding="utf-8"))
    return MappingProxyType({key: Window(key=key, **entry) for key, entry in table.items()})


#: Every named window, by key.
WINDOWS: Mapping[str, Window] = _read_windows()
