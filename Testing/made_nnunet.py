"""Small model folders as nnU-Net v2 writes them: plans, data set, and checkpoints saved by torch."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from pathlib import Path

FEATURES, LABELS = 4, {"background": 0, "vessel": 1, "other": 2}
DATASET = {"channel_names": {"0": "CT"}, "labels": LABELS, "numTraining": 3, "file_ending": ".nii.gz"}


def plans(dimensions: int = 3, **changes: Any) -> dict[str, Any]:
    """Return plans with one configuration, as nnU-Net 2.5 and later write them."""
    name = "2d" if dimensions == 2 else "3d_fullres"
    settings: dict[str, Any] = {
        "patch_size": [16] * dimensions,
        "spacing": [1.0] * dimensions,
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "architecture": {
            "network_class_name": "x.PlainConvUNet",
            "arch_kwargs": {"features_per_stage": [4, 8]},
        },
    }
    return {
        "plans_name": "nnUNetPlans",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {name: settings | changes},
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 40.0, "std": 10.0, "percentile_00_5": 0.0, "percentile_99_5": 80.0}
        },
    }


def weights(dimensions: int = 3, *, seed: int = 0, shared: bool = True) -> OrderedDict[str, torch.Tensor]:
    """Return a state dictionary in which every layer stands twice, as nnU-Net's blocks register it."""
    numbers = torch.Generator().manual_seed(seed)
    kernel = torch.randn(FEATURES, 1, *[3] * dimensions, generator=numbers)
    norm = torch.randn(FEATURES, generator=numbers)
    head = torch.randn(len(LABELS), FEATURES, *[1] * dimensions, generator=numbers)
    block = {
        "conv.weight": kernel,
        "norm.weight": norm,
        "all_modules.0.weight": kernel,
        "all_modules.1.weight": norm,
    }
    found: OrderedDict[str, torch.Tensor] = OrderedDict()
    for prefix in ("encoder", "decoder.encoder"):
        for name, tensor in block.items():
            found[f"{prefix}.stages.0.0.convs.0.{name}"] = tensor if shared else tensor.clone()
    found["decoder.seg_layers.0.weight"] = head
    return found


def checkpoint(dimensions: int = 3, **changes: Any) -> dict[str, Any]:
    """Return what nnU-Net saves: weights, optimizer, a log with numpy scalars, how the trainer was called."""
    configuration = "2d" if dimensions == 2 else "3d_fullres"
    content = {
        "network_weights": weights(dimensions),
        "optimizer_state": {"state": {0: {"momentum_buffer": torch.ones(9)}}, "param_groups": [{"lr": 0.01}]},
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.5)], "train_losses": [np.float32(-0.1)], "lrs": [0.01]},
        "_best_ema": np.float64(0.61),
        "current_epoch": 1000,
        "init_args": {
            "plans": plans(dimensions),
            "configuration": configuration,
            "fold": 0,
            "dataset_json": DATASET,
            "device": torch.device("cuda"),
        },
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": tuple(range(dimensions)),
    }
    return content | changes


def a_folder(
    path: Path, *, dimensions: int = 3, folds: tuple[str, ...] = ("fold_0",), **changes: Any
) -> Path:
    """Write a model folder; ``changes`` go into every checkpoint."""
    path.mkdir(parents=True)
    (path / "plans.json").write_text(json.dumps(plans(dimensions)))
    (path / "dataset.json").write_text(json.dumps(DATASET))
    for index, fold in enumerate(folds):
        own = {"network_weights": weights(dimensions, seed=index)} | changes
        (path / fold).mkdir()
        torch.save(checkpoint(dimensions, **own), path / fold / "checkpoint_final.pth")
    return path
