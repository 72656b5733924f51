"""TensorFlow checkpoints of Keras models, as ``tf.train.Checkpoint`` or ``save_weights`` write them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctinsight.errors import WrongWeightsError
from ctinsight.models.importers.architecture import KerasWeights, Slot
from ctinsight.models.importers.protobuf import Message
from ctinsight.models.importers.tensor_bundle import TensorBundle, damaged

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Keys look like seg_model/layer_with_weights-7/kernel/.ATTRIBUTES/VARIABLE_VALUE; what lies in front of
#: layer_with_weights is the name under which the program saved its model, possibly none.
_KEY = re.compile(
    r"^(?P<model>(?:[^/]+/)*?)layer_with_weights-(?P<index>\d+)/(?P<weight>\w+)/\.ATTRIBUTES/VARIABLE_VALUE$"
)
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_STATE_LINE = re.compile(r'^model_checkpoint_path:\s*"(?P<path>[^"]+)"', re.MULTILINE)


def checkpoint_prefix(path: Path) -> Path | None:
    """Find the checkpoint that a path means: a prefix, its .index or .data file, or its folder.

    A folder's ``checkpoint`` file says which save is the latest; of a path in it only the name counts, so
    that a moved folder still works. Returns None when there is no checkpoint.
    """
    if path.is_dir():
        return _latest(path)
    name = re.sub(r"\.(index|data-\d{5}-of-\d{5})$", "", path.name)
    prefix = path.with_name(name)
    return prefix if _index(prefix).is_file() else None


def _latest(folder: Path) -> Path | None:
    state = folder / "checkpoint"
    if state.is_file():
        match = _STATE_LINE.search(state.read_text(encoding="utf-8", errors="replace")[:4096])
        if match:
            prefix = folder / Path(match["path"].replace("\\", "/")).name
            return prefix if _index(prefix).is_file() else None
    found = sorted(folder.glob("*.index"))
    return found[0].with_suffix("") if len(found) == 1 else None


def _index(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".index")


def checkpoint_files(prefix: Path) -> tuple[Path, ...]:
    """List the index and the data files of a checkpoint."""
    return (_index(prefix), *sorted(prefix.parent.glob(f"{_glob_escape(prefix.name)}.data-*-of-*")))


def _glob_escape(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def read_tf_checkpoint(prefix: Path, depth_order: tuple[Slot, ...]) -> KerasWeights:
    """Read the model's layers; optimizer slots and counters are left out.

    The layers' names come from the object graph that TensorFlow stores beside the values. A checkpoint
    without one is taken by position, in the order that Keras gives the architecture.

    Parameters
    ----------
    prefix
        See :func:`checkpoint_prefix`.
    depth_order
        The architecture's layers as TensorFlow numbers them.

    Raises
    ------
    WrongWeightsError
        Damaged, truncated, no Keras model in it, or more than one.
    """
    bundle = TensorBundle.open(prefix)
    keys = _model_keys(bundle, prefix)
    layers: dict[int, dict[str, NDArray[Any]]] = {}
    for key, (index, weight) in keys.items():
        layers.setdefault(index, {})[weight] = bundle.read(key)
    names = _layer_names(bundle, prefix, keys)
    if names is not None:
        by_name = {names[index]: weights for index, weights in layers.items()}
        return KerasWeights.from_names("TensorFlow checkpoint", by_name)
    in_order = [layers[index] for index in sorted(layers)]
    return KerasWeights.from_sequence("TensorFlow checkpoint without layer names", in_order, depth_order)


def _model_keys(bundle: TensorBundle, prefix: Path) -> dict[str, tuple[int, str]]:
    keys: dict[str, dict[str, tuple[int, str]]] = {}
    for name in bundle.entries:
        match = _KEY.match(name)
        if match:
            keys.setdefault(match["model"], {})[name] = (int(match["index"]), match["weight"])
    if len(keys) != 1:
        models = ", ".join(sorted(repr(model.rstrip("/")) for model in keys)) or "none"
        raise WrongWeightsError(
            found=f"{_index(prefix).name}: {len(keys)} Keras models ({models})",
            expected="one Keras model (keys with layer_with_weights-0, -1, ...)",
            remedy="Choose the checkpoint folder that the training program wrote.",
        )
    return next(iter(keys.values()))


def _layer_names(
    bundle: TensorBundle, prefix: Path, keys: dict[str, tuple[int, str]]
) -> dict[int, str] | None:
    """Find each layer's name, or None when the object graph does not name every one, each differently."""
    if _GRAPH not in bundle.entries:
        return None
    try:
        full_names = _full_names(Message(bundle.read_string(_GRAPH)))
    except (ValueError, IndexError) as error:
        raise damaged(_index(prefix), f"its object graph cannot be read ({error})") from error
    names: dict[int, str] = {}
    for key, (index, weight) in keys.items():
        layer, _, last = full_names.get(key, "").rpartition("/")
        name = layer.rpartition("/")[2]
        if last != weight or not name or names.setdefault(index, name) != name:
            return None
    return names if len(set(names.values())) == len(names) else None


def _full_names(graph: Message) -> dict[str, str]:
    names = {}
    for node in graph.contents(1):
        for attribute in Message(node).contents(2):
            tensor = Message(attribute)
            names[tensor.text(3)] = tensor.text(2)
    return names
