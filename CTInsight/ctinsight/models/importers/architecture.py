"""What a weight file holds, what a network expects, and the strict way from one to the other."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.device import require_torch
from ctinsight.errors import WrongWeightsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray
    from torch import nn

    Tensors = Mapping[str, NDArray[Any]]

#: Keras numbers the layers of each class as they are created: conv2d, conv2d_1, ...
_KERAS_NAME = re.compile(r"^(?P<kind>[a-z][a-z0-9_]*?)(?:_(?P<number>\d+))?$")
#: Torch counts training steps beside each batch normalisation; nobody else does, and inference does not care.
COUNTER = "num_batches_tracked"

#: Where each Keras weight goes in torch, and by which permutation of its axes. Convolution kernels are
#: (rows, columns, in, out) against (out, in, rows, columns); a transposed one is (rows, columns, out, in)
#: against (in, out, rows, columns), which is the same permutation.
_NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
_CONV = {"kernel": "weight", "bias": "bias"}
KERAS_KINDS: dict[str, dict[str, str]] = {
    "conv2d": _CONV,
    "conv2d_transpose": _CONV,
    "conv3d": _CONV,
    "dense": _CONV,
    "batch_normalization": _NORM,
}


@dataclass(frozen=True)
class KerasLayer:
    """One layer of a Keras file: its class (``conv2d``), its name there, its weights by their short names."""

    kind: str
    name: str
    weights: Tensors


@dataclass(frozen=True)
class KerasWeights:
    """The layers of a Keras file, of each class in the order of their creation.

    The order of a file's own lists is another one (sorted by depth in the graph), in which two batch
    normalisations of equal shape change places; so only the number in a name decides.

    Parameters
    ----------
    source
        The format in words, for the model card.
    """

    source: str
    layers: Mapping[str, tuple[KerasLayer, ...]]

    @classmethod
    def from_names(cls, source: str, by_name: Mapping[str, Tensors]) -> KerasWeights:
        """Sort layers by the number in their names; an offset (other models built before) does not matter."""
        numbered: dict[str, list[tuple[int, KerasLayer]]] = {}
        for name, weights in by_name.items():
            kind, number = split_keras_name(name)
            numbered.setdefault(kind, []).append((number, KerasLayer(kind, name, weights)))
        ordered = {
            kind: tuple(layer for _, layer in sorted(found, key=lambda pair: pair[0]))
            for kind, found in numbered.items()
        }
        return cls(source, ordered)

    @classmethod
    def from_sequence(cls, source: str, found: Iterable[Tensors], order: tuple[Slot, ...]) -> KerasWeights:
        """Name layers that only have a position, by the order in which the architecture puts them."""
        sequence = list(found)
        if len(sequence) != len(order):
            raise other_network(
                found=f"{len(sequence)} layers with weights", expected=f"{len(order)} of them"
            )
        ranked: dict[str, dict[int, KerasLayer]] = {}
        for index, (slot, weights) in enumerate(zip(order, sequence, strict=True)):
            layer = KerasLayer(slot.kind, f"layer_with_weights-{index}", weights)
            ranked.setdefault(slot.kind, {})[slot.rank] = layer
        return cls(source, {kind: tuple(by[r] for r in sorted(by)) for kind, by in ranked.items()})


@dataclass(frozen=True)
class StateDict:
    """Tensors that already carry the names of our network (torch file, safetensors)."""

    source: str
    tensors: Tensors
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Slot:
    """A place for one Keras layer: its class, its rank by creation, and the torch module that it feeds."""

    kind: str
    rank: int
    module: str


@dataclass(frozen=True)
class Architecture:
    """A network that weights can be imported for.

    Parameters
    ----------
    name
        The model's name in the catalogue.
    slots
        Every Keras layer of the original, of each class in the order of creation; empty when the original
        is no Keras model.
    depth_order
        The same in the order in which a TensorFlow checkpoint numbers them, for checkpoints that
        carry no layer names.
    width_of
        Infers the network's width from its tensors (torch names).
    build
        Makes the network of a width, its values not yet set.
    """

    name: str
    slots: tuple[Slot, ...]
    depth_order: tuple[Slot, ...]
    width_of: Callable[[Tensors], int]
    build: Callable[[int], nn.Module]

    def tensors_from(self, weights: KerasWeights | StateDict) -> dict[str, NDArray[Any]]:
        """Bring the file's tensors under our names and into torch's axis order.

        Raises
        ------
        WrongWeightsError
            A layer class or weight that the network does not have, or one that is missing.
        """
        if isinstance(weights, StateDict):
            return dict(weights.tensors)
        self._refuse_other_layers(weights)
        tensors: dict[str, NDArray[Any]] = {}
        for slot in self.slots:
            tensors |= _torch_tensors(weights.layers[slot.kind][slot.rank], slot.module)
        return tensors

    def _refuse_other_layers(self, weights: KerasWeights) -> None:
        expected = {slot.kind: 0 for slot in self.slots}
        for slot in self.slots:
            expected[slot.kind] += 1
        found = {kind: len(layers) for kind, layers in weights.layers.items()}
        for kind in [*expected, *found]:
            if expected.get(kind, 0) != found.get(kind, 0):
                raise other_network(
                    found=f"{found.get(kind, 0)} layers of class {kind}",
                    expected=f"{expected.get(kind, 0)} of them, as {self.name} has",
                )

    def load(self, weights: KerasWeights | StateDict) -> tuple[nn.Module, int]:
        """Build the network of the file's width and fill every one of its tensors.

        Returns
        -------
        tuple
            (network in eval mode, width).

        Raises
        ------
        WrongWeightsError
            Names the first tensor that is missing, extra, of another shape, or not finite.
        """
        torch = require_torch()
        tensors = self.tensors_from(weights)
        width = self.width_of(tensors)
        with torch.device("meta"):
            net = self.build(width)
        expected = {k: tuple(v.shape) for k, v in net.state_dict().items() if not k.endswith(COUNTER)}
        refuse_first_difference(tensors, expected)
        state = {name: torch.from_numpy(np.array(tensors[name], np.float32)) for name in expected}
        counters = [name for name in net.state_dict() if name.endswith(COUNTER)]
        state |= {name: torch.zeros((), dtype=torch.long) for name in counters}
        net.load_state_dict(state, strict=True, assign=True)
        return net.eval(), width


def split_keras_name(name: str) -> tuple[str, int]:
    """Split a Keras layer name into its class and number.

    Examples
    --------
    >>> split_keras_name("conv2d_transpose_4"), split_keras_name("conv2d")
    (('conv2d_transpose', 4), ('conv2d', 0))
    """
    if name in KERAS_KINDS:
        return name, 0
    match = _KERAS_NAME.match(name)
    if match is None or match["kind"] not in KERAS_KINDS:
        raise other_network(
            found=f"a layer named {name!r}", expected="layers named as Keras does (conv2d_4, ...)"
        )
    return match["kind"], int(match["number"] or 0)


def _torch_tensors(layer: KerasLayer, module: str) -> dict[str, NDArray[Any]]:
    places = KERAS_KINDS[layer.kind]
    if set(layer.weights) != set(places):
        raise other_network(found=f"{layer.name} with {sorted(layer.weights)}", expected=f"{sorted(places)}")
    return {f"{module}.{places[key]}": _torch_axes(value) for key, value in layer.weights.items()}


def _torch_axes(value: NDArray[Any]) -> NDArray[Any]:
    spatial = tuple(range(value.ndim - 2))
    return value.transpose(value.ndim - 1, value.ndim - 2, *spatial) if value.ndim >= 2 else value


def refuse_first_difference(found: Tensors, expected: Mapping[str, tuple[int, ...]]) -> None:
    """Compare tensors with the names and shapes that a network expects.

    Raises
    ------
    WrongWeightsError
        Names the first difference.
    """
    for name, shape in expected.items():
        if name not in found:
            raise other_network(found=f"no tensor {name}", expected=f"{name} of shape {shape}")
        if found[name].shape != shape:
            raise other_network(found=f"{name} of shape {found[name].shape}", expected=f"{shape}")
        if not np.isfinite(found[name]).all():
            raise other_network(found=f"{name} with values that are not finite", expected="finite weights")
    extra = [name for name in found if name not in expected and not name.endswith(COUNTER)]
    if extra:
        raise other_network(
            found=f"a tensor {extra[0]} that the network does not have", expected="no further tensors"
        )


def other_network(*, found: str, expected: str) -> WrongWeightsError:
    """Make the error for weights that do not fit the network."""
    return WrongWeightsError(
        found=found,
        expected=expected,
        remedy="Choose the weight file of this network; a file that was re-saved by another program may "
        "have lost or renamed layers.",
    )
