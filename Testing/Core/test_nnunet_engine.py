"""nnU-Net models in our own engine give what nnunetv2 gave, and refuse what they cannot do."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from ctinsight.device import Device
from ctinsight.errors import WrongUseError, WrongWeightsError
from ctinsight.inference.nnunet.engine import FAST, NNUNetEngine, NNUNetOptions
from ctinsight.inference.nnunet.prepare import prepare
from ctinsight.inference.nnunet.windows import window_starts, windows_of
from ctinsight.models.importers.nnunet_folder import StoredNNUNet, convert_nnunet, read_stored_nnunet
from ctinsight.progress import Progress
from nnunet_cases import CASES, NNUNetCase, image_of, write_folder

if TYPE_CHECKING:
    from pathlib import Path

    from ctinsight.progress import ProgressEvent

PLAIN = NNUNetOptions(engine="torch f32")
BY_NAME = {case.name: case for case in CASES}
#: Of 1000 voxels; other processors add in another order, which can turn a tie.
LEAST_AGREEMENT = 0.999
STRIDE = 11


def _fixture(fixtures: Path, case: NNUNetCase) -> dict[str, Any]:
    with np.load(fixtures / "nnunet" / f"{case.name}.npz") as kept:
        return dict(kept)


@pytest.fixture
def fixtures(request: pytest.FixtureRequest) -> Path:
    """Return the folder with the committed reference numbers."""
    return request.path.parent / "fixtures"


def _stored(case: NNUNetCase, kept: dict[str, Any] | None, path: Path) -> StoredNNUNet:
    weights: dict[str, dict[str, Any]] | None = None
    if kept is not None:
        weights = {fold: {} for fold in case.folds}
        for name, array in kept.items():
            fold, _, tensor = name.partition("/")
            if tensor:
                weights[fold][tensor] = torch.from_numpy(array)
    folder = write_folder(case, path / "model", weights)
    (path / "stored").mkdir()
    convert_nnunet(folder, case.name, path / "stored", dimensions=case.dimensions)
    return read_stored_nnunet(path / "stored")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_kind_of_plan_gives_what_nnunetv2_gave(
    case: NNUNetCase, fixtures: Path, tmp_path: Path
) -> None:
    """Isotropic, thick, flat, turned, of regions, of several folds: image and labels are nnunetv2's."""
    kept = _fixture(fixtures, case)
    model = _stored(case, kept, tmp_path)

    prepared = prepare(image_of(case), case.image_spacing, model.plans).data
    found = NNUNetEngine(model, PLAIN).segment(image_of(case), case.image_spacing).labels_kji

    assert prepared.shape == tuple(kept["prepared_shape"])
    np.testing.assert_allclose(prepared.ravel()[::STRIDE], kept["prepared"], atol=1e-5)
    assert np.mean(found == kept["labels"]) >= LEAST_AGREEMENT
    assert len(np.unique(found)) == 3


def test_probabilities_have_the_labels_as_their_largest(tmp_path: Path) -> None:
    """Scores of a model of classes add up to 1, and their largest is the label."""
    case = BY_NAME["thick_slices"]
    found = NNUNetEngine(_stored(case, None, tmp_path), PLAIN).segment(
        image_of(case), case.image_spacing, with_probabilities=True
    )

    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities.sum(axis=0), 1.0, atol=1e-5)
    assert np.mean(found.probabilities.argmax(axis=0) == found.labels_kji) > LEAST_AGREEMENT


def test_a_wanted_box_changes_nothing_inside_and_saves_windows(tmp_path: Path) -> None:
    """Windows that do not touch the box are left out; inside it every label stays."""
    case = replace(BY_NAME["isotropic"], image_shape=(40, 60, 60))
    engine = NNUNetEngine(_stored(case, None, tmp_path), PLAIN)
    box = (slice(2, 8), slice(30, 42), slice(5, 12))

    whole = engine.segment(image_of(case), case.image_spacing)
    part = engine.segment(image_of(case), case.image_spacing, wanted=box)

    np.testing.assert_array_equal(part.labels_kji[box], whole.labels_kji[box])
    assert np.count_nonzero(part.labels_kji) == np.count_nonzero(part.labels_kji[box])
    assert part.windows + part.windows_left_out == whole.windows
    assert part.windows_left_out > 0


def test_the_number_of_passes_is_known_beforehand(tmp_path: Path) -> None:
    """Two folds, eight mirror images and two windows are 32 passes; without mirroring 4."""
    case = BY_NAME["two_folds_mirrored"]
    model = _stored(case, None, tmp_path)
    published, fast = NNUNetEngine(model, PLAIN), NNUNetEngine(model, replace(FAST, engine="torch f32"))

    assert published.passes(case.image_shape, case.image_spacing) == 32
    assert published.segment(image_of(case), case.image_spacing).passes == 32
    assert fast.segment(image_of(case), case.image_spacing).passes == 4


def test_progress_runs_to_the_end_and_can_stop_the_run(tmp_path: Path) -> None:
    """Every window is reported; a listener that raises ends the run there."""
    case = BY_NAME["isotropic"]
    engine = NNUNetEngine(_stored(case, None, tmp_path), PLAIN)
    seen: list[float] = []

    def stop(event: ProgressEvent) -> None:
        seen.append(event.fraction)
        if event.fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.segment(image_of(case), case.image_spacing, progress=Progress(stop))
    assert seen == sorted(seen)
    assert len(seen) > 3


def test_a_missing_channel_is_refused_with_the_names(tmp_path: Path) -> None:
    """A model of two channels does not run on one."""
    case = BY_NAME["two_channels_masked"]
    engine = NNUNetEngine(_stored(case, None, tmp_path), PLAIN)

    with pytest.raises(WrongUseError, match="2: channel 0, channel 1"):
        engine.segment(image_of(case)[:1], case.image_spacing)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"resampling_fn_data": "resample_torch_fornnunet"}, "resampling_fn_data resample_torch_fornnunet"),
        ({"preprocessor_name": "MyPreprocessor"}, "preprocessor MyPreprocessor"),
        ({"normalization_schemes": ["MyScheme"]}, "normalization MyScheme"),
        ({"resampling_fn_data_kwargs": {"order": 1}}, "of order 1"),
    ],
)
def test_plans_that_need_nnunetv2_are_refused_with_the_reason(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """What this engine would do otherwise than nnU-Net it does not do."""
    model = _stored(BY_NAME["isotropic"], None, tmp_path)
    plans = replace(model.plans, settings={**model.plans.settings, **change})

    with pytest.raises(WrongWeightsError, match=said) as caught:
        NNUNetEngine(replace(model, plans=plans))
    assert "nnunetv2" in caught.value.remedy


def test_plans_cannot_import_what_is_no_layer(tmp_path: Path) -> None:
    """A name in the plans is looked up among the layers of torch only."""
    model = _stored(BY_NAME["isotropic"], None, tmp_path)
    stated = model.plans.settings["architecture"]
    evil = {**stated, "arch_kwargs": {**stated["arch_kwargs"], "nonlin": "os.system"}}
    plans = replace(model.plans, settings={**model.plans.settings, "architecture": evil})

    with pytest.raises(WrongWeightsError, match=r"os\.system"):
        NNUNetEngine(replace(model, plans=plans))


def test_a_step_beyond_a_window_is_refused() -> None:
    """Windows further apart than their side would leave gaps."""
    with pytest.raises(WrongUseError):
        NNUNetOptions(step=1.5)


def test_windows_cover_every_voxel() -> None:
    """Whatever the size, the first window begins at 0 and the last ends at the end."""
    for size in range(16, 80):
        starts = window_starts(size, 16, 0.5)
        assert starts[0] == 0
        assert starts[-1] == size - 16
        assert all(b - a <= 8 for a, b in itertools.pairwise(starts))


def test_windows_of_a_flat_network_run_slice_by_slice() -> None:
    """Three slices of 24 by 36 under windows of 24 by 24 are six windows."""
    assert len(windows_of((3, 24, 36), (24, 24), 0.5, None)) == 6


def test_a_full_card_leaves_the_rest_to_the_processor(tmp_path: Path) -> None:
    """When memory ends in the second window, the labels are those of the processor, and it is said."""
    case = BY_NAME["thick_slices"]
    engine = NNUNetEngine(_stored(case, None, tmp_path), PLAIN)
    expected = engine.segment(image_of(case), case.image_spacing)
    processor, windows = engine._runners[0], itertools.count()

    def full(x: torch.Tensor) -> torch.Tensor:
        if next(windows):
            raise torch.OutOfMemoryError
        return processor(x)

    engine._runners[0], engine.device = full, Device("cuda", "a full card")
    found = engine.segment(image_of(case), case.image_spacing)
    assert (found.labels_kji == expected.labels_kji).all()
    assert found.device.kind == "cpu"
    assert found.notes == ("memory did not suffice on a full card: the processor was used",)
