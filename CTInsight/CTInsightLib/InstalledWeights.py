"""Which weights of a model are installed on this machine, worded for a chooser."""

from __future__ import annotations

from dataclasses import dataclass

from ctinsight.models.store import Store, user_store


@dataclass(frozen=True)
class WeightsChoice:
    """One installed set of weights: the name that a task takes, and the words a person reads."""

    name: str
    words: str


def openStore() -> Store:
    """Return the model folder of this machine's settings.

    Raises
    ------
    StoreUnusableError, WrongUseError
        The settings are damaged.
    """
    return user_store()


def installedWeights(model: str) -> tuple[WeightsChoice, ...]:
    """Return what is installed of a model and of its variants, the model itself first."""
    store = openStore()
    names = sorted({item.name for item in store.installed()}, key=lambda name: (name != model, name))
    chosen = [name for name in names if name == model or name.startswith(f"{model}-")]
    found = [(name, store.find(name)) for name in chosen]
    return tuple(
        WeightsChoice(name, f"{name} {item.version} ({item.origin})")
        for name, item in found
        if item is not None
    )
