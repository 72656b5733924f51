"""Train DR-UNet: one loop from a laptop to several graphics cards, resumable to the same result."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ctinsight import RESEARCH_USE_ONLY, __version__
from ctinsight.errors import DependencyMissingError, WrongUseError
from ctinsight.evaluation.overlap import Overlap
from ctinsight.models.card import ModelCard
from ctinsight.models.drunet_weights import DRUNET_NAME, save_drunet
from ctinsight.nets.drunet import DRUNet, parameter_count
from ctinsight.training.augment import augmented
from ctinsight.training.losses import corrected_loss, published_loss
from ctinsight.training.run_log import RunLog
from ctinsight.training.slice_set import TRAIN, VALIDATION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from ctinsight.progress import Progress
    from ctinsight.training.presets import Preset
    from ctinsight.training.slice_set import SliceSet

LAST, BEST, CARD = "last.ckpt", "best.safetensors", "run.json"
_VALIDATION_BATCH = 16


@dataclass(frozen=True)
class TrainOptions:
    """How a training runs.

    Parameters
    ----------
    preset
        Loss, optimiser, schedule.
    dims
        Width of the network; 32 in the paper.
    seed
        Of weights, order of slices and augmentation.
    accelerator, devices, nodes, precision
        As Lightning Fabric takes them: ``auto``, 1, 1, ``32-true``.
    patience
        Stop after so many epochs without a better validation Dice; None runs to the end.
    """

    preset: Preset
    dims: int = 32
    seed: int = 0
    accelerator: str = "auto"
    devices: str = "auto"
    nodes: int = 1
    precision: str = "32-true"
    patience: int | None = None


@dataclass(frozen=True)
class Trained:
    """What came out: epochs run, the best validation Dice and its epoch, and where the weights lie."""

    epochs: int
    best_dice: float
    best_epoch: int
    weights: Path


def train_hematoma(data: SliceSet, run: Path, options: TrainOptions, progress: Progress) -> Trained:
    """Train, or go on where a killed run of the same options stopped.

    After each epoch everything is saved in one file that takes its place at once: a run that is killed goes
    on from the last whole epoch and gives what it would have given.

    Parameters
    ----------
    data
        Checked slices.
    run
        Folder of this run: ``run.json`` (card), ``log.csv``, ``curves.png``, ``last.ckpt``,
        ``best.safetensors`` with its card.

    Raises
    ------
    WrongUseError
        The folder holds a run of other options or other data.
    DependencyMissingError
        Lightning Fabric is not installed.
    """
    fabric = _fabric(options)
    card = _run_card(data, options)
    _open_run(run, card)
    torch.manual_seed(options.seed)
    net = DRUNet(options.dims)
    optimiser = torch.optim.Adam(
        net.parameters(), lr=options.preset.learning_rate, eps=options.preset.adam_epsilon
    )
    state = _State(run / LAST)
    state.restore(net, optimiser)
    model, optimiser = fabric.setup(net, optimiser)
    model.mark_forward_method("logits")
    loop = _Loop(fabric, model, optimiser, data, options)
    log = RunLog(run, state.rows)
    preset = options.preset
    for epoch in range(state.epoch, preset.epochs):
        if _is_over(state, epoch, options):
            break
        started = time.monotonic()
        _set_rate(optimiser, preset, epoch)
        loss = _epoch(loop, epoch, progress)
        dice = _validate(net, data, preset, fabric.device)
        row = {
            "epoch": epoch + 1,
            "loss": loss,
            "validation_dice": dice,
            "seconds": time.monotonic() - started,
        }
        better = state.add(row)
        if fabric.is_global_zero:
            if better:
                _save_best(net, run / BEST, data, options)
            state.save(net, optimiser)
            log.write(state.rows)
        progress.report(f"epoch {epoch + 1} of {preset.epochs}", (epoch + 1) / preset.epochs)
    return Trained(len(state.rows), state.best, state.best_epoch, run / BEST)


def _fabric(options: TrainOptions) -> Any:
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise DependencyMissingError(
            found="no Python package lightning-fabric",
            expected="it, because it runs the same loop on one or several devices",
            remedy='pip install "lightning-fabric>=2.4" (3 MB).',
        ) from error
    fabric = Fabric(
        accelerator=options.accelerator,
        devices=options.devices if options.devices == "auto" else int(options.devices),
        num_nodes=options.nodes,
        precision=options.precision,  # type: ignore[arg-type]  # checked by Fabric
    )
    fabric.launch()
    return fabric


@dataclass(frozen=True, eq=False)
class _Loop:
    """What an epoch needs: where it runs, what it changes, and on which slices."""

    fabric: Any
    model: Any
    optimiser: Any
    data: SliceSet
    options: TrainOptions


def _epoch(loop: _Loop, epoch: int, progress: Progress) -> float:
    fabric, model, optimiser = loop.fabric, loop.model, loop.optimiser
    preset = loop.options.preset
    loss_of = corrected_loss if preset.corrected_loss else published_loss
    numbers = torch.Generator().manual_seed(hash((loop.options.seed, epoch, fabric.global_rank)) % 2**63)
    model.train()
    total, steps = 0.0, 0
    batches = list(_batches(loop.data, loop.options, epoch, (fabric.global_rank, fabric.world_size)))
    for chosen in batches:
        images, masks = _tensors(loop.data, chosen)
        if preset.augmented:
            images, masks = augmented(images, masks, numbers)
        images, masks = fabric.to_device((images, masks))
        optimiser.zero_grad(set_to_none=True)
        with fabric.autocast():
            logits = model.logits(images)
        loss = loss_of(logits.float(), masks)
        fabric.backward(loss)
        optimiser.step()
        total, steps = total + float(loss.detach()), steps + 1
        done = (epoch + steps / len(batches)) / preset.epochs
        progress.report(f"epoch {epoch + 1} of {preset.epochs}", done)
    return total / max(steps, 1)


def _batches(
    data: SliceSet, options: TrainOptions, epoch: int, place: tuple[int, int]
) -> Iterator[NDArray[np.intp]]:
    """Yield whole batches in an order that epoch and seed decide; the rest is dropped, as in the program."""
    rank, world = place
    order = np.random.default_rng([options.seed, epoch]).permutation(data.indices(TRAIN))
    size = min(options.preset.batch_size, len(order) // world)
    if size < 1:
        raise WrongUseError(
            found=f"{len(order)} training slices for {world} devices",
            expected="one or more for each device",
            remedy="Train on fewer devices, or with more slices.",
        )
    for start in range(0, len(order) - size * world + 1, size * world):
        yield np.sort(order[start + rank * size : start + (rank + 1) * size])


def _tensors(data: SliceSet, chosen: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
    images = torch.from_numpy(data.images[chosen].astype(np.float32)) / 127.5 - 1
    masks = torch.from_numpy(data.masks[chosen].astype(np.float32)) / 255
    return images[:, None], masks[:, None]


def _validate(net: DRUNet, data: SliceSet, preset: Preset, device: Any) -> float:
    """Return the mean Dice over validation slices."""
    net.eval()
    found = []
    chosen = data.indices(VALIDATION)
    with torch.inference_mode():
        for start in range(0, len(chosen), _VALIDATION_BATCH):
            images, masks = _tensors(data, chosen[start : start + _VALIDATION_BATCH])
            scores = net(images.to(device)).cpu()
            for mine, true in zip((scores >= 0.5).numpy(), (masks >= 0.5).numpy(), strict=True):
                dice = Overlap.of(mine, true).dice
                if dice is not None or preset.empty_counts:
                    found.append(dice or 0.0)
    return float(np.mean(found)) if found else 0.0


def _set_rate(optimiser: Any, preset: Preset, epoch: int) -> None:
    share = 0.5 * (1 + np.cos(np.pi * epoch / preset.epochs)) if preset.cosine else 1.0
    for group in optimiser.param_groups:
        group["lr"] = preset.learning_rate * float(share)


def _is_over(state: _State, epoch: int, options: TrainOptions) -> bool:
    return options.patience is not None and epoch - state.best_epoch >= options.patience and epoch > 0


class _State:
    """Where a run stands, in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: list[dict[str, float]] = []
        self.best, self.best_epoch = -1.0, 0

    @property
    def epoch(self) -> int:
        """Return how many whole epochs are done."""
        return len(self.rows)

    def restore(self, net: DRUNet, optimiser: torch.optim.Adam) -> None:
        """Take over what an earlier start of this run saved."""
        if not self._path.is_file():
            return
        content = torch.load(self._path, map_location="cpu", weights_only=True)
        net.load_state_dict(content["net"])
        optimiser.load_state_dict(content["optimiser"])
        for row in content["rows"]:
            self.add(row)

    def add(self, row: dict[str, float]) -> bool:
        """Book an epoch; tell whether it is the best so far."""
        self.rows.append(row)
        if row["validation_dice"] <= self.best:
            return False
        self.best, self.best_epoch = row["validation_dice"], int(row["epoch"])
        return True

    def save(self, net: DRUNet, optimiser: Any) -> None:
        """Save everything at once."""
        part = self._path.with_name(self._path.name + ".part")
        torch.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(), "rows": self.rows}, part)
        part.replace(self._path)


def _run_card(data: SliceSet, options: TrainOptions) -> dict[str, Any]:
    return {
        "model": DRUNET_NAME,
        "options": asdict(options),
        "data_sha256": data.sha256,
        "data": dict(data.facts),
        "training_slices": len(data.indices(TRAIN)),
        "validation_slices": len(data.indices(VALIDATION)),
        "ctinsight": __version__,
        "notice": RESEARCH_USE_ONLY,
    }


def _open_run(run: Path, card: dict[str, Any]) -> None:
    path = run / CARD
    if path.is_file():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        other = [key for key in ("options", "data_sha256") if earlier.get(key) != card[key]]
        if other:
            raise WrongUseError(
                found=f"{run} holds a run with other {' and '.join(other)}",
                expected="a new folder, or the same options and data to go on",
                remedy="Choose another name, or repeat the options that its run.json lists.",
            )
        return
    run.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(card, indent=1), encoding="utf-8")


def _save_best(net: DRUNet, path: Path, data: SliceSet, options: TrainOptions) -> None:
    cases = {case for case, split in zip(data.cases, data.splits, strict=True) if split == TRAIN}
    told = str(data.facts.get("description", "see run.json"))
    card = ModelCard(
        name=DRUNET_NAME,
        format="safetensors",
        sha256="",
        files=(),
        width=options.dims,
        parameters=parameter_count(net),
        version=f"trained with CT Insight {__version__}",
        licence=str(data.facts.get("licence", "that of the training data")),
        training_data=told,
        training_cases=len(cases),
        notes=(f"preset {options.preset.name}; {RESEARCH_USE_ONLY}",),
        facts={"training_data_sha256": data.sha256, "options": asdict(options)},
    )
    save_drunet(net, card, path)
