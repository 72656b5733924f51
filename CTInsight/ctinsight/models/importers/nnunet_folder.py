"""Model folders of nnU-Net v2, and the zips of ``nnUNetv2_export_model_to_zip`` once unpacked.

::

    FOLDER/plans.json  dataset.json  fold_0/checkpoint_final.pth ...     what nnU-Net writes
    FOLDER/plans.json  dataset.json  fold_0.safetensors ...  model.json  what is stored here

The folder may lie deeper (``DatasetNNN_Name/Trainer__Plans__configuration``). nnU-Net itself is not needed.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ctinsight.device import require_torch
from ctinsight.errors import WeightsMissingError, WrongWeightsError
from ctinsight.inference.nnunet.plans import DATASET, PLANS, NNUNetPlans, check_plans, read_json
from ctinsight.models.card import CARD_NAME, ModelCard, combined_sha256, file_records
from ctinsight.models.importers.architecture import COUNTER, other_network
from ctinsight.models.importers.plain_tensors import deduplicated, store_tensors
from ctinsight.models.importers.torch_file import load_plain, named_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ctinsight.models.card import FileRecord
    from ctinsight.models.importers.plain_tensors import Deduplicated

#: nnU-Net predicts with the final checkpoint unless told otherwise.
CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
FORMAT = "nnU-Net v2 model folder, safetensors"
_FOLD = re.compile(r"fold_(?P<fold>all|\d+)")
_OUTPUT_LAYER = re.compile(r"decoder\.seg_layers\.(\d+)\.weight")
_NEEDED = ("network_weights", "trainer_name", "init_args", "inference_allowed_mirroring_axes")


@dataclass(frozen=True)
class _Fold:
    """One trained fold: its unique tensors and what its checkpoint says."""

    name: str
    tensors: Deduplicated
    trainer: str
    configuration: str
    mirroring_axes: tuple[int, ...]


@dataclass(frozen=True)
class StoredNNUNet:
    """A stored model: card, checked plans, and the safetensors file of each fold."""

    card: ModelCard
    plans: NNUNetPlans
    folds: Mapping[str, Path]

    @property
    def mirroring_axes(self) -> tuple[int, ...]:
        """Array axes along which the model may be mirrored at inference; empty forbids it."""
        return tuple(self.card.facts["mirroring_axes"])


def convert_nnunet(path: Path, name: str, folder: Path, *, dimensions: int) -> ModelCard:
    """Read a model folder and write safetensors per fold, the two JSON files and the card.

    Parameters
    ----------
    path
        The model folder, or one in which it lies alone.
    name
        What the model is called in the store.
    folder
        Where to write.
    dimensions
        3 for 3d_fullres, 2 for 2d: what the module applies.

    Raises
    ------
    WeightsMissingError
        plans.json, dataset.json or a checkpoint is missing; it is named.
    WrongWeightsError
        Another kind of model, a damaged or unsafe checkpoint, folds that do not belong together, plans that
        do not fit the tensors: the first difference is named.
    """
    require_torch()
    source = _model_folder(path, dimensions)
    checkpoints = _checkpoints(source)
    plans: NNUNetPlans | None = None
    first: _Fold | None = None
    for fold_name, checkpoint in checkpoints.items():
        fold = _read_fold(fold_name, checkpoint)
        if plans is None or first is None:
            plans = check_plans(read_json(source / PLANS), read_json(source / DATASET), fold.configuration)
            _refuse_other_tensors(fold, plans, dimensions)
            first = fold
        _refuse_other_fold(fold, first)
        store_tensors(fold.tensors.tensors, folder / f"{fold_name}.safetensors")
    if plans is None or first is None:
        raise _missing(source, "fold_* with a checkpoint")
    for file in (PLANS, DATASET):
        shutil.copyfile(source / file, folder / file)
    card = _card(name, first, plans, folder)
    originals = _records(source, [source / PLANS, source / DATASET, *checkpoints.values()])
    facts = {**card.facts, "checkpoint": next(iter(checkpoints.values())).name, "folds": list(checkpoints)}
    card = replace(card, origin_sha256=combined_sha256(originals), facts=facts)
    (folder / CARD_NAME).write_text(card.to_json(), encoding="utf-8")
    return card


def read_stored_nnunet(folder: Path) -> StoredNNUNet:
    """Read a model that :func:`convert_nnunet` wrote, and compare its files with the card.

    Raises
    ------
    WeightsMissingError
        A file is missing.
    WrongWeightsError
        A file was changed.
    """
    card_path = folder / CARD_NAME
    if not card_path.is_file():
        raise _missing(folder, CARD_NAME)
    card = ModelCard.from_json(card_path.read_text(encoding="utf-8", errors="replace"))
    for record in card.files:
        path = folder / record.name
        if not path.is_file():
            raise _missing(folder, record.name)
        if file_records([path])[0] != record:
            raise WrongWeightsError(
                found=f"{record.name} was changed since it was stored",
                expected=f"SHA-256 {record.sha256}",
                remedy="Import the model folder again.",
            )
    plans = check_plans(
        read_json(folder / PLANS), read_json(folder / DATASET), str(card.facts.get("configuration"))
    )
    folds = {str(fold): folder / f"{fold}.safetensors" for fold in card.facts["folds"]}
    return StoredNNUNet(card, plans, folds)


def _model_folder(path: Path, dimensions: int) -> Path:
    """Find the one folder with plans, data set and folds; among several that of the right dimension."""
    if path.is_file():
        raise WrongWeightsError(
            found=f"{path.name}: a file alone",
            expected=f"the model folder with {PLANS}, {DATASET} and fold_*/{CHECKPOINTS[0]}, or its zip",
            remedy="Name the folder: a checkpoint alone does not say how images have to be prepared.",
        )
    found = [plans.parent for plans in sorted(path.rglob(PLANS)) if _folds(plans.parent)]
    if not found:
        folds = sorted({fold.parent for fold in path.rglob("fold_*") if fold.is_dir()})
        raise _missing(folds[0] if folds else path, PLANS if folds else f"{PLANS} beside fold_*")
    # nnU-Net calls the folder Trainer__Plans__configuration.
    ending = ("__2d",) if dimensions == 2 else ("__3d_fullres", "__3d_lowres")
    right = [folder for folder in found if folder.name.endswith(ending)] if len(found) > 1 else found
    if len(right) != 1:
        raise WrongWeightsError(
            found=f"several models: {', '.join(folder.name for folder in right or found)}",
            expected=f"one model folder of {dimensions} dimensions",
            remedy="Import the folder of the model that is meant.",
        )
    return right[0]


def _folds(folder: Path) -> dict[str, Path]:
    inside = (path for path in sorted(folder.iterdir()) if path.is_dir() and _FOLD.fullmatch(path.name))
    return {path.name: path for path in inside}


def _checkpoints(source: Path) -> dict[str, Path]:
    """Return the checkpoint of each fold; of all folds the same kind, the final one where there is one."""
    if not (source / DATASET).is_file():
        raise _missing(source, DATASET)
    folds = _folds(source)
    if "fold_all" in folds and len(folds) > 1:
        raise WrongWeightsError(
            found=f"{', '.join(folds)} in one folder",
            expected="either fold_all or numbered folds: the one was trained on the others' test cases",
            remedy="Import a copy of the folder with one of the two.",
        )
    for kind in CHECKPOINTS:
        present = {name: path / kind for name, path in folds.items() if (path / kind).is_file()}
        if len(present) == len(folds):
            return present
    lacking = [
        name for name, path in folds.items() if not any((path / kind).is_file() for kind in CHECKPOINTS)
    ]
    what = f"{lacking[0]}/{CHECKPOINTS[0]}" if lacking else f"{CHECKPOINTS[0]} in every fold"
    raise _missing(source, what)


def _read_fold(name: str, path: Path) -> _Fold:
    content = load_plain(path)
    missing = [key for key in _NEEDED if not isinstance(content, dict) or key not in content]
    if missing:
        raise other_network(
            found=f"{name}/{path.name} without {', '.join(map(repr, missing))}",
            expected="a checkpoint of nnU-Net v2; those of version 1 are of another layout",
        )
    weights, arguments = content["network_weights"], content["init_args"]
    axes = content["inference_allowed_mirroring_axes"]
    configuration = arguments.get("configuration") if isinstance(arguments, dict) else None
    trainer = content["trainer_name"]
    if not isinstance(weights, dict) or not isinstance(configuration, str) or not isinstance(trainer, str):
        raise other_network(
            found=f"{name}/{path.name} without weights, trainer or configuration in the right form",
            expected="a checkpoint as nnU-Net v2 writes it",
        )
    tensors = deduplicated(named_tensors(require_torch(), weights, path))
    return _Fold(name, tensors, trainer, configuration, _axes(axes, f"{name}/{path.name}"))


def _axes(axes: object, where: str) -> tuple[int, ...]:
    if axes is None:
        return ()
    if not isinstance(axes, (tuple, list)) or any(axis not in (0, 1, 2) for axis in axes):
        raise other_network(
            found=f"{where}: mirroring axes {axes!r}", expected="some of the axes 0, 1, 2, or none"
        )
    return tuple(int(axis) for axis in axes)


def _refuse_other_tensors(fold: _Fold, plans: NNUNetPlans, dimensions: int) -> None:
    """Compare the first and the last layer with the plans: they come from different files."""
    if plans.dimensions != dimensions:
        raise other_network(
            found=f"configuration {plans.configuration} of {plans.dimensions} dimensions",
            expected=f"one of {dimensions} dimensions",
        )
    shapes = fold.tensors.shapes()
    first = _first_convolution(fold)
    if first is None or len(shapes[first]) != dimensions + 2:
        shape = "nothing" if first is None else f"{first} of shape {shapes[first]}"
        raise other_network(found=f"{shape} as first layer", expected=f"a {dimensions}-D convolution")
    features = plans.first_features or shapes[first][0]
    wanted = (features, len(plans.channels))
    if shapes[first][:2] != wanted:
        raise other_network(
            found=f"{first} of shape {shapes[first]}",
            expected=f"{wanted[0]} features from {wanted[1]} input channels, as {PLANS} and {DATASET} say",
        )
    for layer in (name for name in shapes if _OUTPUT_LAYER.fullmatch(name)):
        if shapes[layer][0] != plans.outputs:
            raise other_network(
                found=f"{layer} of shape {shapes[layer]}",
                expected=f"{plans.outputs} outputs, as the labels of {DATASET} make",
            )


def _first_convolution(fold: _Fold) -> str | None:
    shapes = fold.tensors.shapes()
    return next((name for name, shape in shapes.items() if len(shape) >= 4), None)


def _refuse_other_fold(fold: _Fold, first: _Fold) -> None:
    for key in ("trainer", "configuration", "mirroring_axes"):
        if getattr(fold, key) != getattr(first, key):
            raise other_network(
                found=f"{fold.name} with {key} {getattr(fold, key)}",
                expected=f"{getattr(first, key)}, as {first.name} has: the folds of one model",
            )
    found, wanted = fold.tensors.shapes(), first.tensors.shapes()
    for name in [*wanted, *found]:
        if found.get(name) != wanted.get(name):
            raise other_network(
                found=f"{fold.name}: {name} of shape {found.get(name, '(missing)')}",
                expected=f"{wanted.get(name, '(no such tensor)')}, as {first.name} has",
            )


def _card(name: str, first: _Fold, plans: NNUNetPlans, folder: Path) -> ModelCard:
    records = _records(folder, sorted(folder.iterdir()))
    convolution = _first_convolution(first)
    shapes = first.tensors.shapes()
    dropped = len(first.tensors.dropped)
    return ModelCard(
        name=name,
        format=FORMAT,
        sha256=combined_sha256(records),
        files=records,
        width=shapes[convolution][0] if convolution else 0,
        parameters=sum(t.numel() for key, t in first.tensors.tensors.items() if not key.endswith(COUNTER)),
        notes=(f"{dropped} tensors that nnU-Net keeps under a second name were dropped.",) if dropped else (),
        facts={
            "trainer": first.trainer,
            "plans": str(plans.plans.get("plans_name", "")),
            "configuration": first.configuration,
            "mirroring_axes": list(first.mirroring_axes),
            "channels": list(plans.channels),
            "outputs": plans.outputs,
            "tied": dict(first.tensors.tied),
        },
    )


def _records(folder: Path, paths: list[Path]) -> tuple[FileRecord, ...]:
    found = zip(file_records(paths), paths, strict=True)
    return tuple(replace(record, name=path.relative_to(folder).as_posix()) for record, path in found)


def _missing(folder: Path, what: str) -> WeightsMissingError:
    return WeightsMissingError(
        found=f"no {what} in {folder.name}",
        expected=f"{PLANS}, {DATASET} and fold_*/{CHECKPOINTS[0]} (or {CHECKPOINTS[1]})",
        remedy="Name the model folder of nnU-Net v2 (Trainer__Plans__configuration), or the zip that "
        "nnUNetv2_export_model_to_zip wrote.",
    )
