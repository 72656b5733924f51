"""Model folders and zips of nnU-Net v2: right ones are stored, wrong ones are told what is wrong."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from ctinsight.errors import WeightsMissingError, WrongWeightsError
from ctinsight.models.architectures import convert
from ctinsight.models.importers.nnunet_folder import convert_nnunet, read_stored_nnunet
from made_nnunet import DATASET, a_folder, checkpoint, plans, weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ctinsight.models.card import ModelCard

    Convert = Callable[..., ModelCard]

FIRST = "encoder.stages.0.0.convs.0.conv.weight"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Return an empty folder that takes the converted files."""
    (tmp_path / "gespeichert ü").mkdir()
    return tmp_path / "gespeichert ü"


@pytest.fixture
def a_model(tmp_path: Path) -> Path:
    """Return a model folder with one fold."""
    return a_folder(tmp_path / "nnUNetTrainer__nnUNetPlans__3d_fullres")


@pytest.fixture
def found(into: Path) -> Callable[..., str]:
    """Return a function that imports a folder that is wrong and returns what was found."""

    def say(path: Path, dimensions: int = 3) -> str:
        with pytest.raises((WrongWeightsError, WeightsMissingError)) as caught:
            convert_nnunet(path, "lvo-vessels", into, dimensions=dimensions)
        return caught.value.found

    return say


def rewrite(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None takes the key away."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_every_tensor_is_stored_once(a_model: Path, into: Path) -> None:
    """Nine names for three tensors; the second names are dropped, the values are unchanged."""
    card = convert_nnunet(a_model, "lvo-vessels-ours", into, dimensions=3)
    stored = load_file(into / "fold_0.safetensors")
    assert sorted(stored) == [
        "decoder.seg_layers.0.weight",
        FIRST,
        FIRST.replace("conv.weight", "norm.weight"),
    ]
    assert torch.equal(stored[FIRST], weights()[FIRST])
    assert card.parameters == 4 * 27 + 4 + 3 * 4


def test_copies_are_dropped_as_shared_ones_are(tmp_path: Path, into: Path) -> None:
    """A file that repeats the values instead of sharing them is stored in the same bytes."""
    (tmp_path / "other").mkdir()
    one = convert_nnunet(a_folder(tmp_path / "a"), "dcr-seg", into, dimensions=3)
    copied = a_folder(tmp_path / "b", network_weights=weights(shared=False))
    two = convert_nnunet(copied, "dcr-seg", tmp_path / "other", dimensions=3)
    assert one.files == two.files


def test_the_card_says_how_it_was_trained(a_model: Path, into: Path) -> None:
    """Trainer, configuration, mirroring axes and folds come back with the stored model."""
    convert_nnunet(a_model, "lvo-vessels", into, dimensions=3)
    stored = read_stored_nnunet(into)
    assert stored.card.facts["trainer"] == "nnUNetTrainer"
    assert (stored.plans.configuration, stored.mirroring_axes) == ("3d_fullres", (0, 1, 2))
    assert (stored.plans.channels, stored.plans.outputs, stored.card.width) == (("CT",), 3, 4)
    assert [path.name for path in stored.folds.values()] == ["fold_0.safetensors"]


def test_an_exported_zip_layout(tmp_path: Path, into: Path) -> None:
    """The folder lies below the data set's name, and beside another configuration that is not asked for."""
    top = tmp_path / "Dataset007_Vessels"
    a_folder(top / "nnUNetTrainer__nnUNetPlans__3d_fullres", folds=("fold_0", "fold_3"))
    a_folder(top / "nnUNetTrainer__nnUNetPlans__2d", dimensions=2)
    card = convert_nnunet(tmp_path, "lvo-vessels", into, dimensions=3)
    assert (card.facts["folds"], card.facts["checkpoint"]) == (["fold_0", "fold_3"], "checkpoint_final.pth")


def test_two_dimensions(tmp_path: Path, into: Path) -> None:
    """A 2d model is taken where a projection is segmented, and nowhere else."""
    path = a_folder(tmp_path / "x__2d", dimensions=2)
    assert convert_nnunet(path, "lvo-mip", into, dimensions=2).facts["configuration"] == "2d"
    with pytest.raises(WrongWeightsError, match="2 dimensions"):
        convert_nnunet(path, "lvo-vessels", into, dimensions=3)


def test_fold_all_with_the_best_checkpoint(tmp_path: Path, into: Path) -> None:
    """DeepDCR's layout; where no fold has a final checkpoint the best one is taken, and said."""
    path = a_folder(tmp_path / "m", folds=("fold_all",))
    (path / "fold_all" / "checkpoint_final.pth").rename(path / "fold_all" / "checkpoint_best.pth")
    assert convert(path, "dcr-seg", into).facts["checkpoint"] == "checkpoint_best.pth"


def test_a_checkpoint_cannot_run_code(a_model: Path, found: Callable[..., str], tmp_path: Path) -> None:
    """A pickle that would call a program is refused by name, and the program does not run."""

    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "was here"),)

    torch.save(checkpoint(logging=Payload()), a_model / "fold_0" / "checkpoint_final.pth")
    assert "asks for posix.mkdir" in found(a_model) or "asks for nt.mkdir" in found(a_model)
    assert not (tmp_path / "was here").exists()


@pytest.mark.parametrize("name", ["plans.json", "dataset.json", "fold_0/checkpoint_final.pth"])
def test_a_missing_file_is_named(a_model: Path, found: Callable[..., str], name: str) -> None:
    """Plans, data set and checkpoint are all needed."""
    (a_model / name).unlink()
    assert f"no {name}" in found(a_model)


@pytest.mark.parametrize(
    "key", ["network_weights", "trainer_name", "init_args", "inference_allowed_mirroring_axes"]
)
def test_a_missing_key_of_the_checkpoint_is_named(a_model: Path, found: Callable[..., str], key: str) -> None:
    """A checkpoint without what inference needs is refused."""
    content = {k: v for k, v in checkpoint().items() if k != key}
    torch.save(content, a_model / "fold_0" / "checkpoint_final.pth")
    assert f"without {key!r}" in found(a_model)


@pytest.mark.parametrize("key", [key for key in plans() if key != "plans_name"])
def test_a_missing_key_of_the_plans_is_named(a_model: Path, found: Callable[..., str], key: str) -> None:
    """Plans without what inference needs are refused."""
    rewrite(a_model / "plans.json", **{key: None})
    assert f"no {key!r}" in found(a_model)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"patch_size": [16, 0, 16]}, "patch_size"),
        ({"spacing": [1.0, 1.0]}, "spacing"),
        ({"normalization_schemes": []}, "normalization_schemes"),
        ({"previous_stage": "3d_lowres"}, "cascade"),
        ({"inherits_from": "3d_fullres"}, "no configuration '3d_fullres'"),
        ({"architecture": {"network_class_name": "x"}}, "no 'arch_kwargs'"),
        ({"architecture": {"network_class_name": "x", "arch_kwargs": {"features_per_stage": [32]}}}, FIRST),
    ],
)
def test_wrong_plans_are_told(
    a_model: Path, found: Callable[..., str], changes: dict[str, Any], told: str
) -> None:
    """Each value that cannot be right is named."""
    (a_model / "plans.json").write_text(json.dumps(plans(**changes)))
    assert told in found(a_model)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"labels": {"background": 0, "vessel": 1}}, "decoder.seg_layers.0.weight"),
        ({"labels": {"vessel": 1}}, "'labels'"),
        ({"channel_names": {"0": "CT", "1": "PET"}}, "normalization_schemes"),
        ({"channel_names": {"1": "CT"}}, "'channel_names'"),
        ({"labels": DATASET["labels"] | {"both": [1, 2]}}, "regions_class_order"),
    ],
)
def test_a_data_set_of_another_model_is_told(
    a_model: Path, found: Callable[..., str], changes: dict[str, Any], told: str
) -> None:
    """Channels and labels have to fit the plans and the tensors."""
    rewrite(a_model / "dataset.json", **changes)
    assert told in found(a_model)


def test_plans_that_inherit(a_model: Path, into: Path) -> None:
    """A configuration takes from another what it does not say itself."""
    content = plans()
    base = content["configurations"]["3d_fullres"]
    content["configurations"] = {"base": base, "3d_fullres": {"inherits_from": "base", "spacing": [2, 1, 1]}}
    (a_model / "plans.json").write_text(json.dumps(content))
    convert_nnunet(a_model, "lvo-vessels", into, dimensions=3)
    assert read_stored_nnunet(into).plans.settings["spacing"] == [2, 1, 1]
    assert read_stored_nnunet(into).plans.settings["patch_size"] == [16, 16, 16]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"trainer_name": "nnUNetTrainerNoMirroring"}, "trainer"),
        ({"inference_allowed_mirroring_axes": None}, "mirroring_axes"),
        (
            {
                "network_weights": {
                    k: v for k, v in weights().items() if "conv.w" not in k and "modules.0" not in k
                }
            },
            FIRST,
        ),
    ],
)
def test_folds_of_two_models_are_told(
    a_model: Path, found: Callable[..., str], changes: dict[str, Any], told: str
) -> None:
    """A second fold of another training is not averaged with the first."""
    (a_model / "fold_1").mkdir()
    torch.save(checkpoint(**changes), a_model / "fold_1" / "checkpoint_final.pth")
    assert told in found(a_model)


def test_a_second_name_with_other_values_is_told(a_model: Path, found: Callable[..., str]) -> None:
    """Nobody can say which of the two tensors was meant."""
    twice = weights(shared=False)
    twice["decoder.encoder.stages.0.0.convs.0.norm.weight"] += 1
    torch.save(checkpoint(network_weights=twice), a_model / "fold_0" / "checkpoint_final.pth")
    assert "with other values" in found(a_model)


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (torch.full((4, 1, 3, 3, 3), torch.nan), "not finite"),
        (torch.ones(1).expand(10**6, 10**6), "claims more values"),
        (torch.ones(4, 4).to_sparse(), "sparse"),
    ],
)
def test_tensors_that_are_no_weights(
    a_model: Path, found: Callable[..., str], tensor: torch.Tensor, told: str
) -> None:
    """Values that are not finite, a terabyte from one number, sparse tensors."""
    torch.save(checkpoint(network_weights={FIRST: tensor}), a_model / "fold_0" / "checkpoint_final.pth")
    assert told in found(a_model)


def test_a_flipped_bit_in_a_checkpoint_is_told(a_model: Path, found: Callable[..., str]) -> None:
    """A weight that changed on the way is noticed by the file's own checksums."""
    path = a_model / "fold_0" / "checkpoint_final.pth"
    content = path.read_bytes()
    kernel = weights()[FIRST].numpy().tobytes()
    place = content.index(kernel)
    path.write_bytes(content[:place] + bytes([kernel[0] ^ 1]) + content[place + 1 :])
    assert "was changed since it was saved" in found(a_model)


def test_several_models_are_told(tmp_path: Path, found: Callable[..., str]) -> None:
    """Two folders of which either could be meant are named; so are fold_all and numbered folds together."""
    a_folder(tmp_path / "two" / "a__3d_fullres")
    shutil.copytree(tmp_path / "two" / "a__3d_fullres", tmp_path / "two" / "b__3d_fullres")
    assert "a__3d_fullres, b__3d_fullres" in found(tmp_path / "two")
    assert "fold_0, fold_all" in found(a_folder(tmp_path / "m", folds=("fold_0", "fold_all")))


def test_a_checkpoint_alone_is_told(a_model: Path, found: Callable[..., str]) -> None:
    """It does not say how images have to be prepared."""
    assert "a file alone" in found(a_model / "fold_0" / "checkpoint_final.pth")


def test_a_stored_model_is_taken_over(a_model: Path, into: Path, tmp_path: Path) -> None:
    """Our own form is compared with its card and copied; a changed file is told."""
    convert(a_model, "lvo-vessels", into)
    (tmp_path / "again").mkdir()
    assert convert(into, "lvo-vessels-ours", tmp_path / "again").facts["folds"] == ["fold_0"]
    assert read_stored_nnunet(tmp_path / "again").card.name == "lvo-vessels-ours"
    with pytest.raises(WrongWeightsError, match="weights of lvo-vessels"):
        convert(into, "dcr-seg", tmp_path / "again")
    (into / "plans.json").write_text("{}")
    with pytest.raises(WrongWeightsError, match=r"plans\.json"):
        convert(into, "lvo-vessels", tmp_path / "again")
