"""Networks that stay loaded: once per file, within the budget, the least recently used out first."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctinsight.errors import WrongUseError
from ctinsight.models.resident import Loaded, ModelKey, ResidentModels, budget_from


class Loader:
    """Loads made-up networks of 4 bytes and remembers which."""

    def __init__(self, size_bytes: int = 4) -> None:
        self.loaded: list[str] = []
        self.size_bytes = size_bytes

    def get(self, models: ResidentModels, name: str, sha256: str = "1", variant: str = "") -> str:
        """Ask for a network through the cache."""

        def load() -> Loaded[str]:
            self.loaded.append(name)
            return Loaded(f"network {name}", self.size_bytes)

        return models.get(ModelKey(Path(name), sha256, variant), load)


def test_the_second_case_loads_nothing() -> None:
    """The same file is loaded once."""
    models, loader = ResidentModels(10), Loader()
    assert [loader.get(models, "a"), loader.get(models, "a")] == ["network a", "network a"]
    assert loader.loaded == ["a"]


def test_the_least_recently_used_goes_first() -> None:
    """Room for two: a is used again, so c takes the place of b."""
    models, loader = ResidentModels(10), Loader()
    for name in ("a", "b", "a", "c", "a", "b"):
        loader.get(models, name)
    assert loader.loaded == ["a", "b", "c", "b"]
    assert [key.path.name for key in models.keys] == ["a", "b"]
    assert models.used_bytes == 8


def test_a_replaced_file_is_loaded_anew() -> None:
    """Another checksum under the same path: the old network is let go."""
    models, loader = ResidentModels(100), Loader()
    loader.get(models, "a")
    loader.get(models, "a", "2")
    assert (loader.loaded, len(models.keys)) == (["a", "a"], 1)


def test_another_preparation_is_another_network() -> None:
    """The same file prepared in two ways stays in both."""
    models, loader = ResidentModels(100), Loader()
    for variant in ("moving", "slice", "moving"):
        loader.get(models, "a", variant=variant)
    assert len(loader.loaded) == 2


def test_larger_than_the_budget_is_used_and_not_kept() -> None:
    """It is loaded each time, and does not drive the others out."""
    models, small, large = ResidentModels(10), Loader(), Loader(11)
    small.get(models, "a")
    assert [large.get(models, "b"), large.get(models, "b")] == ["network b"] * 2
    assert (large.loaded, len(models.keys)) == (["b", "b"], 1)


def test_room_is_made_before_loading() -> None:
    """What is expected to come takes its place first, so that memory never holds both."""
    models, loader = ResidentModels(10), Loader(8)
    loader.get(models, "a")
    seen = []
    models.get(
        ModelKey(Path("b"), "1"),
        lambda: seen.append(models.used_bytes) or Loaded("b", 8),  # type: ignore[func-returns-value]
        expected_bytes=8,
    )
    assert seen == [0]


def test_a_failed_load_keeps_nothing() -> None:
    """The error is passed on, and the next request tries again."""
    models, loader = ResidentModels(10), Loader()
    with pytest.raises(ZeroDivisionError):
        models.get(ModelKey(Path("a"), "1"), lambda: Loaded("", 1 // 0))
    assert loader.get(models, "a") == "network a"


def test_clear_lets_everything_go() -> None:
    """After an out-of-memory nothing is held."""
    models, loader = ResidentModels(10), Loader()
    loader.get(models, "a")
    models.clear()
    assert models.used_bytes == 0


@pytest.mark.parametrize(("text", "budget"), [("", 2_000_000_000), ("0", 0), (" 500 ", 500_000_000)])
def test_the_budget_is_settable(text: str, budget: int) -> None:
    """In megabytes, from the environment."""
    assert budget_from({"CTINSIGHT_RESIDENT_MB": text}) == budget


@pytest.mark.parametrize("text", ["much", "-1", "1.5", "²"])
def test_a_wrong_budget_is_told(text: str) -> None:
    """Only whole megabytes."""
    with pytest.raises(WrongUseError, match="CTINSIGHT_RESIDENT_MB"):
        budget_from({"CTINSIGHT_RESIDENT_MB": text})
