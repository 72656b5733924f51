"""Golden cases: an input and the output that a right import reproduces, compared number by number.

How arrays are matched. The network tells its number of image axes (2 or 3) and of input channels. An array
with one axis more has no channel axis; with two more, the channels are the last axis or the second one,
whichever has the right length. Where both have it, or the array could lack its case axis instead, it is
refused. The output is expected in the layout of the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.device import require_torch
from ctinsight.errors import UnreadableFileError, WrongUseError, WrongWeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn


class Layout(StrEnum):
    """Where an array has its channels."""

    LAST = "channels last (case, image axes, channel)"
    SECOND = "channels second (case, channel, image axes)"
    NONE = "one channel without an axis (case, image axes)"


@dataclass(frozen=True)
class GoldenFiles:
    """Where a golden case lies: an .npz file, its keys, and the largest difference allowed.

    ``input_file`` holds the input where that lies in another file.
    """

    file: Path
    input: str
    output: str
    atol: float
    input_file: Path | None = None


@dataclass(frozen=True)
class GoldenCheck:
    """What the comparison gave.

    Parameters
    ----------
    largest
        Largest absolute difference; infinite where one side is not a number.
    place
        Where, as an index into the reference array.
    found, expected
        Both numbers at that place.
    """

    largest: float
    place: tuple[int, ...]
    found: float
    expected: float
    atol: float
    count: int
    layout: Layout

    @property
    def right(self) -> bool:
        """True when no number differs by more than the bound."""
        return self.largest <= self.atol

    def text(self) -> str:
        """Word the result."""
        return (
            f"largest absolute difference {self.largest:.3g} at {list(self.place)}: "
            f"{self.found:.7g} here, {self.expected:.7g} in the reference; bound {self.atol:g}, "
            f"{self.count} numbers compared"
        )


def run_golden(net: nn.Module, files: GoldenFiles) -> GoldenCheck:
    """Give a network the golden input and compare what comes out.

    Parameters
    ----------
    net
        In eval mode, on the processor.

    Raises
    ------
    UnreadableFileError, WrongUseError
        No such file or key, or arrays that do not fit the network or cannot be matched without guessing.
    """
    given = read_array(files.input_file or files.file, files.input)
    wanted = read_array(files.file, files.output)
    return compare(net, given, wanted, files.atol)


def read_array(path: Path, key: str) -> NDArray[Any]:
    """Read one array of numbers from an .npz file.

    Raises
    ------
    UnreadableFileError
        Not there, or no .npz file.
    WrongUseError
        No such key, or it holds no numbers.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            keys = list(file.files)
            array = np.asarray(file[key]) if key in keys else None
    except (OSError, ValueError, EOFError, AttributeError, KeyError) as error:
        raise UnreadableFileError(
            found=f"{path}: {error}",
            expected="an .npz file of plain arrays",
            remedy="Write it with numpy.savez.",
        ) from error
    if array is None or array.dtype.kind not in "fiu":
        raise WrongUseError(
            found=f"{path.name} has no numbers under the key {key!r}",
            expected=f"one of {', '.join(keys[:20])}",
            remedy="Name the keys with --input and --output; an input in another file with "
            "--golden-input FILE:KEY.",
        )
    return array


def compare(net: nn.Module, given: NDArray[Any], wanted: NDArray[Any], atol: float) -> GoldenCheck:
    """Run a network on every case of an array, one by one, and compare with the reference.

    Parameters
    ----------
    given, wanted
        Input and reference output; their first axis counts the cases.

    Raises
    ------
    WrongUseError
        Shapes that do not fit; see the module's text.
    """
    channels, axes = network_input(net)
    layout = match_layout(given.shape, channels, axes)
    outputs = _run(net, _to_second(given, layout))
    found = _as_wanted(outputs, wanted.shape, layout)
    difference = np.abs(found.astype(np.float64) - wanted)
    difference = np.where(np.isfinite(difference), difference, np.inf)
    place = tuple(int(i) for i in np.unravel_index(int(difference.argmax()), difference.shape))
    return GoldenCheck(
        largest=float(difference[place]),
        place=place,
        found=float(found[place]),
        expected=float(wanted[place]),
        atol=atol,
        count=difference.size,
        layout=layout,
    )


def network_input(net: nn.Module) -> tuple[int, int]:
    """Return input channels and number of image axes, as the first convolution has them."""
    first = next((p for p in net.state_dict().values() if p.ndim >= 4), None)
    if first is None:
        raise WrongUseError(
            found="a network without convolutions",
            expected="one that sees images",
            remedy="Its numbers cannot be compared by this command.",
        )
    return int(first.shape[1]), first.ndim - 2


def match_layout(shape: tuple[int, ...], channels: int, axes: int) -> Layout:
    """Find where an array of cases has its channels.

    Raises
    ------
    WrongUseError
        Nowhere, or it could be in two places.

    Examples
    --------
    >>> match_layout((6, 256, 256, 1), 1, 2).name, match_layout((5, 3, 40, 40, 40), 3, 3).name
    ('LAST', 'SECOND')
    """
    fitting = []
    if len(shape) == axes + 2:
        fitting += [Layout.LAST] if shape[-1] == channels else []
        fitting += [Layout.SECOND] if shape[1] == channels else []
    # An array of one case without a case axis would have its channels first or last.
    elif len(shape) == axes + 1 and channels == 1 and shape[-1] > 1:
        fitting = [Layout.NONE]
    if len(fitting) == 1 and 0 not in shape:
        return fitting[0]
    places = "several places" if len(fitting) > 1 else "no place"
    raise WrongUseError(
        found=f"an input of shape {shape}, in which {channels} channel(s) could stand in {places}",
        expected=f"(cases, {axes} image axes, {channels}) or (cases, {channels}, {axes} image axes)"
        + (f" or (cases, {axes} image axes)" if channels == 1 else ""),
        remedy="Store the input in one of these shapes, with image sizes that differ from the channels.",
    )


def _to_second(array: NDArray[Any], layout: Layout) -> NDArray[Any]:
    if layout is Layout.NONE:
        return array[:, np.newaxis]
    return np.moveaxis(array, -1, 1) if layout is Layout.LAST else array


def _run(net: nn.Module, cases: NDArray[Any]) -> NDArray[Any]:
    torch = require_torch()
    found = []
    with torch.inference_mode():
        for case in cases:
            tensor = torch.from_numpy(np.ascontiguousarray(case[np.newaxis], dtype=np.float32))
            try:
                found.append(net(tensor).numpy())
            except (RuntimeError, ValueError) as error:
                raise WrongUseError(
                    found=f"the network does not take {tuple(tensor.shape)}: {str(error).splitlines()[0]}",
                    expected="an input of the size that it was made for",
                    remedy="Choose the input that belongs to this reference.",
                ) from error
    return np.concatenate(found)


def _as_wanted(found: NDArray[Any], shape: tuple[int, ...], layout: Layout) -> NDArray[Any]:
    """Bring the output (case, channel, image axes) into the reference's layout."""
    last = np.moveaxis(found, 1, -1)
    if found.shape[1] == 1:
        # One channel: the numbers stand in the same order wherever its axis is.
        forms = [found, last, found[:, 0]]
    else:
        forms = [found] if layout is Layout.SECOND else [last] if layout is Layout.LAST else [found, last]
    fitting = {form.shape: form for form in forms if form.shape == shape}
    ambiguous = layout is Layout.NONE and found.shape[1] > 1 and found.shape == last.shape and found.ndim > 2
    if not fitting or ambiguous:
        raise WrongUseError(
            found=f"a reference of shape {shape}; the network gives {found.shape}",
            expected=" or ".join(dict.fromkeys(str(form.shape) for form in forms)) + f", {layout}",
            remedy="Name the right key with --output, or store the reference in the input's layout.",
        )
    return fitting[shape]


def refuse_wrong_numbers(name: str, check: GoldenCheck) -> None:
    """Stop when a golden case is not reproduced.

    Raises
    ------
    WrongWeightsError
        The largest difference is above the bound.
    """
    if not check.right:
        raise WrongWeightsError(
            found=f"{name} does not reproduce its golden case: {check.text()}",
            expected=f"every number within {check.atol:g} of the reference",
            remedy="Do not use these weights: get the file again, or make sure that weights and reference "
            "belong together.",
        )
