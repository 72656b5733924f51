"""Small models of nnU-Net v2 with random weights, and images: a case for each way plans differ."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

LABELS = {"background": 0, "sac": 1, "maxilla": 2}
REGIONS = {"background": 0, "whole": [1, 2], "core": 2}
_CT = {"mean": 30.0, "std": 60.0, "percentile_00_5": -200.0, "percentile_99_5": 250.0}


@dataclass(frozen=True)
class NNUNetCase:
    """What one case asks of an engine."""

    name: str
    patch: tuple[int, ...] = (16, 24, 24)
    spacing: tuple[float, ...] = (1.0, 1.0, 1.0)
    image_shape: tuple[int, int, int] = (20, 40, 36)
    image_spacing: tuple[float, float, float] = (1.3, 0.7, 0.8)
    turn: tuple[int, int, int] = (0, 1, 2)
    labels: dict[str, Any] = field(default_factory=lambda: dict(LABELS))
    schemes: tuple[str, ...] = ("CTNormalization",)
    masked: bool = False
    folds: tuple[str, ...] = ("fold_0",)
    mirroring: tuple[int, ...] = ()
    residual: bool = False
    border: int = 0

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return len(self.patch)

    @property
    def configuration(self) -> str:
        """Its name in the plans."""
        return "2d" if self.dimensions == 2 else "3d_fullres"


CASES = (
    NNUNetCase("isotropic"),
    NNUNetCase("thick_slices", image_shape=(6, 44, 40), image_spacing=(5.0, 0.6, 0.7)),
    NNUNetCase(
        "thick_plans",
        patch=(8, 24, 24),
        spacing=(4.0, 0.8, 0.8),
        image_shape=(9, 33, 40),
        image_spacing=(3.0, 1.0, 0.7),
    ),
    NNUNetCase("slices_2d", patch=(24, 24), spacing=(0.8, 0.9), image_shape=(5, 40, 30)),
    NNUNetCase("turned", turn=(2, 0, 1), image_shape=(22, 30, 18), image_spacing=(0.9, 1.2, 0.8)),
    NNUNetCase("turned_thick", turn=(1, 2, 0), image_shape=(40, 8, 30), image_spacing=(0.7, 4.0, 0.8)),
    NNUNetCase("regions", labels=dict(REGIONS)),
    NNUNetCase(
        "two_folds_mirrored", folds=("fold_0", "fold_1"), mirroring=(0, 1, 2), image_shape=(14, 20, 18)
    ),
    NNUNetCase(
        "two_channels_masked",
        schemes=("ZScoreNormalization", "RescaleTo01Normalization"),
        masked=True,
        border=3,
    ),
    NNUNetCase("smaller_than_patch", image_shape=(7, 15, 30), image_spacing=(1.0, 1.0, 1.0)),
    NNUNetCase("residual", residual=True),
)


def plans_of(case: NNUNetCase) -> dict[str, Any]:
    """Return the plans as nnU-Net 2.8 writes them."""
    d = case.dimensions
    blocks = {"n_blocks_per_stage": [1, 1]} if case.residual else {"n_conv_per_stage": [1, 1]}
    network = "ResidualEncoderUNet" if case.residual else "PlainConvUNet"
    settings = {
        "data_identifier": "nnUNetPlans",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": list(case.patch),
        "spacing": list(case.spacing),
        "median_image_size_in_voxels": [32.0] * d,
        "normalization_schemes": list(case.schemes),
        "use_mask_for_norm": [case.masked] * len(case.schemes),
        "batch_dice": False,
        "architecture": {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{network}",
            "arch_kwargs": {
                "n_stages": 2,
                "features_per_stage": [4, 6],
                "conv_op": f"torch.nn.modules.conv.Conv{d}d",
                "kernel_sizes": [[3] * d] * 2,
                "strides": [[1] * d, [2] * d],
                **blocks,
                "n_conv_per_stage_decoder": [1],
                "conv_bias": True,
                "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{d}d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }
    for kind, order in (("data", 3), ("seg", 1), ("probabilities", 1)):
        settings[f"resampling_fn_{kind}"] = "resample_data_or_seg_to_shape"
        arguments = {"is_seg": kind == "seg", "order": order, "order_z": 0, "force_separate_z": None}
        settings[f"resampling_fn_{kind}_kwargs"] = arguments
    return {
        "dataset_name": "Dataset001_Made",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "label_manager": "LabelManager",
        "experiment_planner_used": "ExperimentPlanner",
        "original_median_spacing_after_transp": [1.0, 1.0, 1.0],
        "original_median_shape_after_transp": [32, 32, 32],
        "transpose_forward": list(case.turn),
        "transpose_backward": [case.turn.index(axis) for axis in range(3)],
        "configurations": {case.configuration: settings},
        "foreground_intensity_properties_per_channel": {str(i): _CT for i in range(len(case.schemes))},
    }


def dataset_of(case: NNUNetCase) -> dict[str, Any]:
    """Return what dataset.json says."""
    names = {str(i): "CT" if s == "CTNormalization" else f"channel {i}" for i, s in enumerate(case.schemes)}
    regions = {"regions_class_order": [1, 2]} if case.labels == REGIONS else {}
    return {
        "channel_names": names,
        "labels": case.labels,
        "numTraining": 3,
        "file_ending": ".nii.gz",
        **regions,
    }


def image_of(case: NNUNetCase) -> list[NDArray[np.int16]]:
    """Draw smooth bodies in HU, one array for each channel; ``border`` voxels around them are exactly 0."""
    numbers = np.random.default_rng(len(case.name))
    grid = np.meshgrid(*[np.linspace(-1, 1, n) for n in case.image_shape], indexing="ij")
    channels = []
    for _ in case.schemes:
        hu = np.full(case.image_shape, -150.0)
        for _ in range(12):
            centre, width = numbers.uniform(-0.8, 0.8, 3), numbers.uniform(0.15, 0.5)
            distance = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True))
            hu += numbers.uniform(-150, 300) * np.exp(-distance / width**2)
        whole = np.round(hu).astype(np.int16)
        if case.border:
            inside = tuple(slice(case.border, -case.border) for _ in range(3))
            framed = np.zeros_like(whole)
            framed[inside] = whole[inside]
            whole = framed
        channels.append(whole)
    return channels


def random_network(case: NNUNetCase, seed: int) -> nn.Module:
    """Build the case's network; its last layer is drawn so that every class wins somewhere."""
    import torch
    from dynamic_network_architectures.architectures import unet

    settings = plans_of(case)["configurations"][case.configuration]["architecture"]
    arguments = dict(settings["arch_kwargs"])
    for key in settings["_kw_requires_import"]:
        name = arguments[key]
        arguments[key] = None if name is None else getattr(torch.nn, name.rsplit(".", 1)[-1])
    torch.manual_seed(seed)
    net: nn.Module = getattr(unet, settings["network_class_name"].rsplit(".", 1)[-1])(
        input_channels=len(case.schemes),
        num_classes=len(case.labels) - 1 if case.labels == REGIONS else len(case.labels),
        **arguments,
        deep_supervision=False,
    )
    last = net.decoder.seg_layers[-1]
    with torch.no_grad():
        last.bias.zero_()
        last.weight -= last.weight.mean(dim=1, keepdim=True)
        last.weight *= 3 / last.weight.std()
    return net


def write_folder(case: NNUNetCase, path: Path, weights: dict[str, dict[str, Tensor]] | None = None) -> Path:
    """Write the model folder as nnU-Net does.

    Parameters
    ----------
    weights
        State dictionary by fold; None draws them at random.
    """
    import torch

    path.mkdir(parents=True)
    (path / "plans.json").write_text(json.dumps(plans_of(case)))
    (path / "dataset.json").write_text(json.dumps(dataset_of(case)))
    for number, fold in enumerate(case.folds):
        content = {
            "network_weights": weights[fold] if weights else random_network(case, number).state_dict(),
            "trainer_name": "nnUNetTrainer",
            "init_args": {"configuration": case.configuration},
            "inference_allowed_mirroring_axes": case.mirroring or None,
        }
        (path / fold).mkdir()
        torch.save(content, path / fold / "checkpoint_final.pth")
    return path
