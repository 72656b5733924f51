"""Keras ``.h5`` files, weights alone or whole models, by h5py alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import DependencyMissingError, WrongWeightsError
from ctinsight.models.importers.architecture import KerasWeights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: Keras nests three or four deep.
_MOST_LEVELS = 12


def read_keras_h5(path: Path) -> KerasWeights:
    """Read the layers of a Keras HDF5 file.

    Parameters
    ----------
    path
        What ``save_weights("x.h5")`` or ``save("x.h5")`` of Keras 2 wrote; the optimizer's state is left out.

    Raises
    ------
    WrongWeightsError
        Not HDF5, damaged, links that leave the file, the numbered layout of Keras 3, or layers that have no
        Keras name.
    DependencyMissingError
        h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise DependencyMissingError(
            found="no Python package h5py",
            expected="h5py, which reads Keras .h5 files",
            remedy='pip install "h5py>=3.10" (about 10 MB).',
        ) from error
    try:
        with h5py.File(path, "r") as file:
            whole = "model_weights" in file
            layers = _layers(h5py, file["model_weights"] if whole else file, path)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise _refused(path, f"it cannot be read as HDF5 ({error})") from error
    return KerasWeights.from_names("Keras .h5, whole model" if whole else "Keras .h5, weights", layers)


def _layers(h5py: Any, group: Any, path: Path) -> dict[str, dict[str, NDArray[Any]]]:
    layers: dict[str, dict[str, NDArray[Any]]] = {}
    # A data set may claim any size without holding it. Keras stores weights plainly, so all of them
    # together are never larger than the file.
    left = path.stat().st_size
    for names, dataset in _datasets(h5py, group, path, ()):
        left -= dataset.nbytes
        _refuse_odd_data(dataset, names, left, path)
        if len(names) < 2 or names[-2] == "vars":
            raise _refused(path, f"{'/'.join(names)}: layers without their names (the layout of Keras 3)")
        layer = layers.setdefault(names[-2], {})
        key = names[-1].split(":")[0]
        if key in layer:
            raise _refused(path, f"two layers named {names[-2]}")
        layer[key] = np.asarray(dataset[()])
    return layers


def _datasets(
    h5py: Any, group: Any, path: Path, above: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    if len(above) > _MOST_LEVELS:
        raise _refused(path, "groups nested without end")
    for name in group:
        names = (*above, name)
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise _refused(path, f"{'/'.join(names)} is a link to another place or file")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _datasets(h5py, item, path, names)
        elif isinstance(item, h5py.Dataset):
            yield names, item


def _refuse_odd_data(dataset: Any, names: tuple[str, ...], left: int, path: Path) -> None:
    name = "/".join(names)
    if dataset.dtype.kind != "f":
        raise _refused(path, f"{name} holds {dataset.dtype}, no weights")
    if dataset.external or dataset.is_virtual:
        raise _refused(path, f"{name} takes its values from another file")
    if left < 0 or dataset.chunks is not None:
        raise _refused(path, f"{name} is larger than the file, or compressed")


def _refused(path: Path, what: str) -> WrongWeightsError:
    return WrongWeightsError(
        found=f"{path.name}: {what}",
        expected="a Keras 2 .h5 file: weights (save_weights) or whole model (save)",
        remedy="Get the file again, or save it once more with model.save_weights('weights.h5') in Keras 2.",
    )
