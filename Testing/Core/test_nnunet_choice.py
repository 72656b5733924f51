"""The fastest way of running a network is taken only where its answers are the same."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from ctinsight.errors import WrongUseError
from ctinsight.inference.nnunet import choice, runners
from ctinsight.inference.nnunet.choice import PLAIN, Shapes, choose_runner
from ctinsight.inference.nnunet.runners import GroupNormRunner, OpenVinoRunner, TorchRunner, with_group_norm
from nnunet_cases import CASES, NNUNetCase, random_network

if TYPE_CHECKING:
    from torch import Tensor, nn

BY_NAME = {case.name: case for case in CASES}
needs_openvino = pytest.mark.skipif(not runners.has_openvino(), reason="package openvino is absent")


def _net_and_shapes(case: NNUNetCase) -> tuple[nn.Module, Shapes]:
    strides = [[1] * case.dimensions, [2] * case.dimensions]
    return random_network(case, 0).eval(), Shapes.of(len(case.schemes), case.patch, strides)


def _window(shapes: Shapes) -> Tensor:
    numbers = torch.Generator().manual_seed(1)
    return torch.randn(shapes.batch(shapes.window), generator=numbers)


@pytest.mark.parametrize("name", ["isotropic", "slices_2d", "residual", "two_channels_masked"])
def test_group_norm_gives_the_answers_of_instance_norm(name: str) -> None:
    """With one channel in each group both are the same formula, in two and three dimensions."""
    net, shapes = _net_and_shapes(BY_NAME[name])
    x = _window(shapes)

    plain, other = TorchRunner(net, "cpu")(x), GroupNormRunner(net)(x)

    assert not any("InstanceNorm" in type(m).__name__ for m in with_group_norm(net).modules())
    torch.testing.assert_close(other, plain, atol=1e-4, rtol=1e-4)


@needs_openvino
@pytest.mark.parametrize("name", ["isotropic", "slices_2d", "residual"])
def test_openvino_gives_the_answers_of_torch(name: str) -> None:
    """Single precision is asked for by name, and kept."""
    net, shapes = _net_and_shapes(BY_NAME[name])
    x = _window(shapes)

    plain = TorchRunner(net, "cpu")(x)
    other = OpenVinoRunner(net, shapes.batch(shapes.window), shapes.batch(shapes.small))(x)

    torch.testing.assert_close(other, plain, atol=1e-3, rtol=1e-3)


@needs_openvino
def test_openvino_opens_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversion and inference stay on this machine."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")  # noqa: EM101

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    net, shapes = _net_and_shapes(BY_NAME["isotropic"])

    run = OpenVinoRunner(net, shapes.batch(shapes.window), shapes.batch(shapes.small))

    assert run(_window(shapes)).isfinite().all()


def test_a_fast_way_with_other_answers_is_refused_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speed does not count where classes change."""

    class Wrong(GroupNormRunner):
        def __call__(self, x: Tensor, /) -> Tensor:
            return -super().__call__(x)

    monkeypatch.setattr(choice, "GroupNormRunner", Wrong)
    monkeypatch.setattr(choice, "has_openvino", lambda: False)
    net, shapes = _net_and_shapes(BY_NAME["isotropic"])

    _, chosen = choose_runner(net, shapes, "cpu")

    assert chosen.name == PLAIN
    assert chosen.refused is not None
    assert chosen.refused["torch f32, channels last"] < 0.5


def test_half_precision_is_not_even_tried_without_hardware_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AMX bfloat16 is several times slower than single precision."""
    monkeypatch.setattr(choice, "has_amx", lambda: False)
    net, shapes = _net_and_shapes(BY_NAME["slices_2d"])

    _, chosen = choose_runner(net, shapes, "cpu")

    assert chosen.seconds is not None
    assert not any("bf16" in name for name in chosen.seconds)
    assert chosen.agreement >= 0.999


def test_a_way_that_is_not_offered_is_refused_with_those_that_are() -> None:
    """The user reads the names to choose from."""
    net, shapes = _net_and_shapes(BY_NAME["isotropic"])

    with pytest.raises(WrongUseError, match="auto, torch f32"):
        choose_runner(net, shapes, "cpu", "TensorRT")


def test_the_small_window_fits_the_strides_of_the_network() -> None:
    """Five halvings along rows and three along slices: multiples of 32 and 8, within the window."""
    strides = [[1, 1, 1], [1, 2, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2]]
    shapes = Shapes.of(1, (56, 224, 192), strides)

    assert all(n % unit == 0 for n, unit in zip(shapes.small, (8, 32, 32), strict=True))
    assert all(n <= side for n, side in zip(shapes.small, shapes.window, strict=True))
    assert np.prod(shapes.small) <= 400_000
