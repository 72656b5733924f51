"""``plans.json`` and ``dataset.json`` of nnU-Net v2: read, resolved, and every needed key named.

References
----------
Isensee F et al. nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation.
Nat Methods 2021;18:203-211. https://doi.org/10.1038/s41592-020-01008-z
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ctinsight.errors import WrongWeightsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PLANS, DATASET = "plans.json", "dataset.json"
#: Real ones have about 20 kB; those of a large data set with its list of cases some MB.
_MOST_BYTES = 64 * 2**20
_NEEDED_OF_PLANS = (
    "configurations",
    "transpose_forward",
    "transpose_backward",
    "foreground_intensity_properties_per_channel",
)
_NEEDED_OF_CONFIGURATION = (
    "patch_size",
    "spacing",
    "normalization_schemes",
    "use_mask_for_norm",
    "resampling_fn_data",
    "resampling_fn_probabilities",
)
#: How plans describe the network since nnU-Net 2.5 (2024), and before.
_NEEDED_OF_ARCHITECTURE = ("network_class_name", "arch_kwargs")
_NEEDED_BEFORE = ("UNet_class_name", "UNet_base_num_features", "pool_op_kernel_sizes", "conv_kernel_sizes")
_NEEDED_FOR_CT = ("mean", "std", "percentile_00_5", "percentile_99_5")


@dataclass(frozen=True)
class NNUNetPlans:
    """One configuration of an nnU-Net model, checked.

    Parameters
    ----------
    plans, dataset
        The two files as they are.
    configuration
        Its name: ``3d_fullres``, ``2d``.
    settings
        What the plans say of it, with what it inherits from others.
    channels
        Names of the input channels, in order.
    labels
        Name to number, or to several numbers where the model is trained on regions.
    """

    plans: Mapping[str, Any]
    dataset: Mapping[str, Any]
    configuration: str
    settings: Mapping[str, Any]
    channels: tuple[str, ...]
    labels: Mapping[str, Any]

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return len(self.settings["patch_size"])

    @property
    def outputs(self) -> int:
        """Channels of the network's output: labels with background, or regions without it."""
        kept = [name for name in self.labels if name not in {"background", "ignore"}]
        return len(kept) + 1 if self.regions is None else len(kept)

    @property
    def regions(self) -> tuple[int, ...] | None:
        """For a model of regions the label that each region is written as, in order; else None."""
        if not any(isinstance(value, list) and len(value) > 1 for value in self.labels.values()):
            return None
        return tuple(int(number) for number in self.dataset["regions_class_order"])

    @property
    def strides(self) -> tuple[tuple[int, ...], ...]:
        """By how much each stage of the network shrinks each axis of its window."""
        kwargs = self.settings.get("architecture", {}).get("arch_kwargs", {})
        stated = kwargs.get("strides", self.settings.get("pool_op_kernel_sizes", ()))
        return tuple((s,) * self.dimensions if isinstance(s, int) else tuple(s) for s in stated)

    @property
    def first_features(self) -> int | None:
        """Channels of the network's first stage; None where the plans do not say."""
        kwargs = self.settings.get("architecture", {}).get("arch_kwargs", {})
        stages = kwargs.get("features_per_stage") if isinstance(kwargs, dict) else None
        first = stages[0] if isinstance(stages, list) and stages else None
        first = self.settings.get("UNet_base_num_features", first)
        return first if isinstance(first, int) else None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    WrongWeightsError
        Not there, too large, or no JSON object.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"larger than {_MOST_BYTES} bytes")  # noqa: EM102 - becomes the error's text
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(path.name, f"it cannot be read ({error})", "a JSON file of nnU-Net v2") from error
    if not isinstance(content, dict):
        raise _wrong(path.name, f"it holds {type(content).__name__}", "a JSON object")
    return content


def check_plans(plans: Mapping[str, Any], dataset: Mapping[str, Any], configuration: str) -> NNUNetPlans:
    """Take one configuration out of the plans and see that nothing is missing for applying it.

    Raises
    ------
    WrongWeightsError
        Names the first key that is missing or wrong; also the second stage of a cascade, which needs the
        output of another model.
    """
    _need(plans, _NEEDED_OF_PLANS, PLANS)
    if not isinstance(plans["configurations"], dict):
        raise _wrong(PLANS, "'configurations' is no table", "one table for each configuration")
    settings = _resolved(plans["configurations"], configuration)
    where = f"{PLANS}, configuration {configuration}"
    _need(settings, _NEEDED_OF_CONFIGURATION, where)
    if "architecture" in settings:
        _need(settings["architecture"], _NEEDED_OF_ARCHITECTURE, f"{where}, architecture")
    else:
        _need(settings, _NEEDED_BEFORE, where)
    if settings.get("previous_stage"):
        raise _wrong(where, "it is the second stage of a cascade", "a model that needs the image alone")
    channels = _channels(dataset)
    labels = _labels(dataset)
    found = NNUNetPlans(plans, dataset, configuration, settings, channels, labels)
    _check_sizes(found, where)
    _check_normalization(found, where)
    return found


def _resolved(configurations: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a configuration over what it inherits from."""
    chain: list[str] = []
    settings: dict[str, Any] = {}
    wanted: Any = name
    while wanted:
        own = configurations.get(wanted) if isinstance(wanted, str) else None
        if not isinstance(own, dict) or wanted in chain:
            raise _wrong(
                PLANS, f"no configuration {wanted!r}", f"one of {', '.join(map(repr, configurations))}"
            )
        chain.append(wanted)
        settings = {**own, **settings}
        wanted = own.get("inherits_from")
    return settings


def _channels(dataset: Mapping[str, Any]) -> tuple[str, ...]:
    # Before nnU-Net 2 it was called "modality"; v2 still reads that.
    names = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(names, dict) or sorted(names) != [str(i) for i in range(len(names))] or not names:
        raise _wrong(DATASET, f"'channel_names' is {names!r}", '{"0": "CT"}, numbered from 0')
    return tuple(str(names[str(i)]) for i in range(len(names)))


def _labels(dataset: Mapping[str, Any]) -> Mapping[str, Any]:
    labels = dataset.get("labels")
    if not isinstance(labels, dict) or labels.get("background") != 0 or len(labels) < 2:
        raise _wrong(DATASET, f"'labels' is {str(labels)[:80]}", '{"background": 0, "name": 1, ...}')
    if any(isinstance(value, list) for value in labels.values()) and "regions_class_order" not in dataset:
        raise _wrong(DATASET, "labels that are regions, without 'regions_class_order'", "that key")
    return labels


def _check_sizes(found: NNUNetPlans, where: str) -> None:
    patch, spacing = found.settings["patch_size"], found.settings["spacing"]
    if not _numbers(patch, (int,), (2, 3)):
        raise _wrong(where, f"'patch_size' is {patch!r}", "two or three whole numbers above 0")
    if not _numbers(spacing, (int, float), (len(patch),)):
        raise _wrong(where, f"'spacing' is {spacing!r}", f"{len(patch)} numbers above 0, in mm")
    for key in ("transpose_forward", "transpose_backward"):
        axes = found.plans[key]
        if not isinstance(axes, list) or sorted(map(str, axes)) != ["0", "1", "2"]:
            raise _wrong(PLANS, f"{key!r} is {axes!r}", "the axes 0, 1, 2 in some order")


def _check_normalization(found: NNUNetPlans, where: str) -> None:
    schemes, masks = found.settings["normalization_schemes"], found.settings["use_mask_for_norm"]
    count = len(found.channels)
    for key, value in (("normalization_schemes", schemes), ("use_mask_for_norm", masks)):
        if not isinstance(value, list) or len(value) != count:
            raise _wrong(where, f"{key!r} is {value!r}", f"one for each of the {count} input channels")
    for index, scheme in enumerate(schemes):
        if scheme == "CTNormalization":
            stated = found.plans["foreground_intensity_properties_per_channel"]
            place = f"{PLANS}, foreground_intensity_properties_per_channel, channel {index}"
            _need(stated.get(str(index), {}) if isinstance(stated, dict) else {}, _NEEDED_FOR_CT, place)


def _numbers(value: Any, kinds: tuple[type, ...], lengths: tuple[int, ...]) -> bool:
    return (
        isinstance(value, list) and len(value) in lengths and all(type(n) in kinds and n > 0 for n in value)
    )


def _need(content: object, keys: Iterable[str], where: str) -> None:
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise _wrong(
            where, f"no {', '.join(map(repr, missing))}", "all that nnU-Net v2 needs to apply a model"
        )


def _wrong(where: str, what: str, expected: str) -> WrongWeightsError:
    return WrongWeightsError(
        found=f"{where}: {what}",
        expected=expected,
        remedy="Take plans.json and dataset.json from the folder in which the model was trained, or let "
        "nnUNetv2_export_model_to_zip write it once more.",
    )
