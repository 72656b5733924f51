"""The slice engine: orientation, geometry, memory, cancelling, devices."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from ctinsight.device import choose_device, refuse_torch_version
from ctinsight.errors import (
    Cancelled,
    DependencyMissingError,
    GeometryError,
    ProcessingFailedError,
    WrongUseError,
)
from ctinsight.inference.slicewise import (
    SliceEngine,
    SliceOptions,
    segment_slices,
    volume_at_thresholds,
)
from ctinsight.measure import centroid_ras
from ctinsight.progress import Progress
from ctinsight.resample import resize_slices
from ctinsight.volume import Grid, Volume

CPU = SliceOptions(side=64, device="cpu")


class Identity:
    """A network that returns the grey it is shown, 0 to 1, and remembers it."""

    def __init__(self) -> None:
        self.seen = []

    def to(self, _device):
        """Stay."""
        return self

    def __call__(self, x):
        """Undo the scaling to -1..1."""
        self.seen.append(x.numpy().copy())
        return (x + 1) / 2


class Greedy(Identity):
    """A network that has no memory for more than ``largest`` slices, and none at all off the processor."""

    def __init__(self, largest=1) -> None:
        super().__init__()
        self.largest = largest

    def __call__(self, x):
        """Run out of memory as torch does."""
        if x.is_meta or len(x) > self.largest:
            msg = "CUDA out of memory. Tried to allocate 2.00 GiB"
            raise torch.OutOfMemoryError(msg)
        return super().__call__(x)


def matrix(spacing_ijk_mm, signs=(1, 1, 1)):
    """Return ijk_to_ras of a grid around the origin, its axes along R, A and S or against them."""
    return np.diag([*(s * m for s, m in zip(signs, spacing_ijk_mm, strict=True)), 1.0])


def a_volume(shape_kji=(4, 40, 40), spacing_ijk_mm=(5.0, 5.0, 5.0), signs=(1, 1, 1), fill=20.0):
    """Return an even volume in HU."""
    return Volume(np.full(shape_kji, fill, np.float32), matrix(spacing_ijk_mm, signs))


@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
@pytest.mark.parametrize("axes_kji", [(0, 1, 2), (2, 0, 1)])
def test_left_stays_left(signs, axes_kji) -> None:
    """A bright ball at the patient's left front is scored there, however the array is flipped or turned."""
    volume = a_volume((16, 40, 40), signs=signs, fill=-100.0)
    points = volume.grid.ras_from_ijk(np.stack(np.indices(volume.grid.shape_kji)[::-1], axis=-1))
    middle = volume.grid.ras_from_ijk((np.array(volume.grid.shape_kji[::-1]) - 1) / 2)
    ball = np.linalg.norm(points - middle - (-40, 60, 10), axis=-1) < 20  # -R is left, +A is front
    turned = volume.ijk_to_ras[:, [*[2 - a for a in axes_kji[::-1]], 3]]
    case = Volume(np.where(ball, 80.0, -100.0).transpose(axes_kji), turned)
    found = segment_slices(case, Identity(), CPU).probability_kji > 0.5
    np.testing.assert_allclose(centroid_ras(found, case.grid) - middle, (-40, 60, 10), atol=2)


def test_what_the_network_sees() -> None:
    """Row 0 is anterior and column 0 the patient's right; 0 HU is -1, 40 HU is 0 and 80 HU is 1."""
    volume = a_volume(signs=(1, 1, 1), fill=40.0)  # i to the right, j to the front: both against the picture
    array = volume.array_kji.copy()
    array[:, 20:, :] = 0.0  # front half
    array[:, :, 20:] += 40.0  # right half
    net = Identity()
    segment_slices(volume.with_array(array), net, CPU)
    corners = net.seen[0][0, 0][
        [0, 0, -1, -1], [0, -1, 0, -1]
    ]  # front right, front left, back right, back left
    np.testing.assert_allclose(corners, (0, -1, 1, 0), atol=1e-6)


@pytest.mark.parametrize(
    ("shape_kji", "spacing_ijk_mm"),
    [((3, 64, 48), (1.0, 1.0, 5.0)), ((3, 48, 64), (1.0, 1.0, 5.0)), ((3, 40, 80), (1.0, 2.0, 5.0))],
)
def test_padded_not_stretched(shape_kji, spacing_ijk_mm) -> None:
    """A disk stays round before the network when slices or pixels are not square, and its area comes back."""
    volume = a_volume(shape_kji, spacing_ijk_mm)
    ijk = np.stack(np.indices(shape_kji)[::-1], axis=-1)
    offset = (ijk - (np.array(shape_kji[::-1]) - 1) / 2) * spacing_ijk_mm
    disk = np.hypot(offset[..., 0], offset[..., 1]) < 18
    net = Identity()
    found = segment_slices(volume.with_array(np.where(disk, 80.0, 0.0)), net, CPU).probability_kji > 0.5
    seen = net.seen[0][0, 0] > 0
    assert abs(int(seen.any(axis=0).sum()) - int(seen.any(axis=1).sum())) <= 1
    assert found.sum() == pytest.approx(disk.sum(), rel=0.05)


def test_padding_is_air() -> None:
    """What is added around a narrow slice is black, not brain."""
    net = Identity()
    segment_slices(a_volume((1, 40, 20), fill=60.0), net, CPU)
    assert net.seen[0][0, 0][:, :15].max() == -1.0
    assert net.seen[0][0, 0][32, 32] == pytest.approx(0.5)


def test_scores_are_not_cut_to_8_bit() -> None:
    """A grey of 0.3 comes back as 0.3, on the grid of the volume."""
    result = segment_slices(a_volume(fill=24.0), Identity(), CPU)
    np.testing.assert_allclose(result.probability_kji, 0.3, atol=1e-6)
    assert result.probability_kji.dtype == np.float32


def test_slices_without_brain() -> None:
    """Slices that hold no brain are counted, not scored, and stay 0."""
    volume, brain = a_volume(fill=80.0), np.zeros((4, 40, 40), np.bool_)
    brain[1:3, 20, 20] = True
    result = segment_slices(volume, Identity(), CPU, brain_kji=brain)
    assert (result.slices_scored, result.slices_left_out) == (2, 2)
    assert result.probability_kji.max(axis=(1, 2)).tolist() == [0, 1, 1, 0]


def test_no_brain_at_all() -> None:
    """An empty brain mask gives empty scores."""
    result = segment_slices(a_volume(), Identity(), CPU, brain_kji=np.zeros((4, 40, 40), np.bool_))
    assert (result.slices_scored, result.probability_kji.max()) == (0, 0)


def test_mask_of_another_grid() -> None:
    """A brain mask of another shape is refused."""
    with pytest.raises(GeometryError):
        segment_slices(a_volume(), Identity(), CPU, brain_kji=np.ones((4, 40, 39), np.bool_))


def test_progress_and_cancel() -> None:
    """Each batch is reported inside the given span, and a listener stops the run between two of them."""
    events, net = [], Identity()

    def stop_at_half(event) -> None:
        events.append(event.fraction)
        if event.fraction >= 0.5:
            raise Cancelled(found="the user's wish", expected="-", remedy="Start again.")

    with pytest.raises(Cancelled):
        SliceEngine(net, CPU).segment(a_volume(), progress=Progress(stop_at_half), span=(0.2, 0.8))
    assert events == pytest.approx([0.35, 0.5])
    assert len(net.seen) == 2


def test_memory_steps_down() -> None:
    """Batches halve until they fit, which the notes say, and the scores are the same."""
    volume = a_volume((20, 40, 40), fill=24.0)
    options = SliceOptions(side=64, device="cpu", batch_size=8)
    result = segment_slices(volume, Greedy(largest=2), options)
    assert result.batch_size == 2
    assert ["batches of 4" in result.notes[0], "batches of 2" in result.notes[1]] == [True, True]
    np.testing.assert_allclose(result.probability_kji, 0.3, atol=1e-6)


def test_from_card_to_processor() -> None:
    """A card without memory for one slice leaves the work to the processor, and the result says so."""
    engine = SliceEngine(Greedy(), CPU)
    engine._runner.device = engine._runner.device.__class__("meta", "a full card")
    result = engine.segment(a_volume())
    assert result.device.kind == "cpu"
    assert result.notes == ("memory did not suffice on a full card: the processor was used",)


def test_no_memory_at_all() -> None:
    """When one slice does not fit on the processor the run ends with what to do."""
    with pytest.raises(ProcessingFailedError, match="memory"):
        segment_slices(a_volume(), Greedy(largest=0), CPU)


def test_other_errors_come_through() -> None:
    """An error that is not about memory is not mistaken for one."""

    def broken(x):
        msg = "shape mismatch"
        raise RuntimeError(msg)

    broken.to = lambda _device: broken
    with pytest.raises(RuntimeError, match="shape mismatch"):
        segment_slices(a_volume(), broken, CPU)


def test_scores_that_are_not_finite() -> None:
    """NaN from a network is a failure, never an empty mask."""
    net = Identity()
    net.to = lambda _device: lambda x: x * float("nan")
    with pytest.raises(ProcessingFailedError, match="not finite"):
        segment_slices(a_volume(), net, CPU)


@pytest.mark.parametrize("matrix_side", [512, 768, 1024])
def test_noise_seen_by_the_network(matrix_side) -> None:
    """Anti-aliased, noise falls as the matrix grows; OpenCV's way keeps all of it at 768."""
    noise = np.random.default_rng(1).normal(0, 1, (1, matrix_side, matrix_side))
    plain, smooth = (float(resize_slices(noise, 256, 256, antialias=a).std()) for a in (False, True))
    # Weights per axis: 11/2, then 1, then 11/2; the triangles 1331/8, 12321/9 and 13577531/32.
    expected = {512: (0.5, 20 / 64), 768: (1.0, 19 / 81), 1024: (0.5, 168 / 1024)}[matrix_side]
    assert (plain, smooth) == pytest.approx(expected, rel=0.03)


def test_sweep() -> None:
    """Lower thresholds take in more: 4, 3, 2, 1 and 0 voxels of 0.5 mL."""
    scores = np.array([[[0.35, 0.45, 0.55, 0.65]]], np.float32)
    grid = Grid((1, 1, 4), matrix((10.0, 10.0, 5.0)))
    assert [ml for _, ml in volume_at_thresholds(scores, grid)] == pytest.approx([2.0, 1.5, 1.0, 0.5, 0.0])


def test_auto_without_a_card(monkeypatch) -> None:
    """Without a graphics card the processor is chosen, and asking for one is refused with what there is."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device().kind == "cpu"
    with pytest.raises(WrongUseError, match="cuda"):
        choose_device("cuda")


@pytest.mark.parametrize(("free_gib", "kind"), [(1, "cpu"), (4, "cuda")])
def test_free_memory_decides(monkeypatch, free_gib, kind) -> None:
    """A card is taken by its free memory, not its total, and the choice of the processor says why."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _index: "a card")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _index: (free_gib * 2**30, 80 * 2**30))
    device = choose_device()
    assert device.kind == kind
    assert ("1.0 GiB free" in device.note) == (kind == "cpu")


def test_unknown_device() -> None:
    """A device nobody knows is refused with the known ones."""
    with pytest.raises(WrongUseError, match="auto, cpu, cuda or mps"):
        choose_device("tpu")


@pytest.mark.parametrize(
    ("version", "reason"),
    [("2.9.0+cpu", "166122"), ("2.9.1", "166122"), ("2.5.1", "CVE"), ("1.13.0a0", "CVE")],
)
def test_refused_torch(version, reason) -> None:
    """Torch 2.9 and releases that load unsafely are refused with the reason and what to install."""
    with pytest.raises(DependencyMissingError, match=reason) as caught:
        refuse_torch_version(version)
    assert "GB" in caught.value.remedy


@pytest.mark.parametrize("version", ["2.6.0", "2.8.0+cu128", "2.10.0", "2.13.0+cpu", "3.0.0"])
def test_accepted_torch(version) -> None:
    """Other releases pass."""
    refuse_torch_version(version)


def test_torch_is_absent(monkeypatch) -> None:
    """Without torch the engine says what to install and how large it is."""
    monkeypatch.setattr("ctinsight.device.find_spec", lambda _name: None)
    with pytest.raises(DependencyMissingError, match=r"no Python package torch[\s\S]*0\.9 GB"):
        SliceEngine(Identity(), CPU)
