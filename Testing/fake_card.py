"""A graphics card that is none: it computes on the processor, but has a name, and memory that runs out.

Every tensor that torch makes of a tensor on the card is charged to the card's memory and given back when it
dies; where that does not suffice, torch's own error is raised in the middle of the network, as by a card.
"""

from __future__ import annotations

import weakref

import torch

NAME = "a made-up card"


class FakeCard:
    """The card. ``free_bytes`` is what is left, ``peak_bytes`` the most that was held at once."""

    def __init__(self, monkeypatch, total_bytes: int) -> None:
        self.total_bytes = self.free_bytes = total_bytes
        self._charged = set()
        self.peak_bytes = 0
        _OnCard.card = self
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _index: NAME)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _index: (self.free_bytes, self.total_bytes))
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
        processor_to, processor_cpu = torch.Tensor.to, torch.Tensor.cpu

        def to(tensor, *place, **options):
            if place == ("cuda",):
                return self.take(tensor.clone().as_subclass(_OnCard))
            return processor_to(tensor, *place, **options)

        monkeypatch.setattr(torch.Tensor, "to", to)
        monkeypatch.setattr(torch.Tensor, "cpu", lambda t: processor_cpu(t.as_subclass(torch.Tensor)))

    def take(self, tensor):
        """Charge a tensor, unless it is a view of one that is charged already."""
        place, size = tensor.data_ptr(), tensor.numel() * tensor.element_size()
        if place in self._charged:
            return tensor
        if size > self.free_bytes:
            msg = f"CUDA out of memory. Tried to allocate {size / 2**20:.2f} MiB."
            raise torch.OutOfMemoryError(msg)
        self._charged.add(place)
        self.free_bytes -= size
        self.peak_bytes = max(self.peak_bytes, self.total_bytes - self.free_bytes)
        weakref.finalize(tensor, self._give_back, place, size)
        return tensor

    def _give_back(self, place, size) -> None:
        self._charged.discard(place)
        self.free_bytes += size


class _OnCard(torch.Tensor):
    """A tensor whose results lie on the card too."""

    card: FakeCard

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        """Compute on the processor and charge what comes out."""
        result = super().__torch_function__(func, types, args, kwargs or {})
        return cls.card.take(result) if isinstance(result, _OnCard) and result.numel() else result


class Carried:
    """A network that follows the engine from device to device, and refuses tensors that lie elsewhere."""

    def __init__(self, net) -> None:
        self.net, self.kind = net, "cpu"
        self.places = []

    def to(self, kind):
        """Move."""
        self.kind = kind
        self.places.append(kind)
        return self

    def eval(self):
        """Switch dropout off."""
        self.net.eval()
        return self

    def __call__(self, x):
        """Compute where the network is."""
        assert isinstance(x, _OnCard) == (self.kind == "cuda")
        return self.net(x)
