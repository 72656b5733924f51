"""Settings of a training: the published ones, and ours beside them under another name."""

from __future__ import annotations

from dataclasses import dataclass

from ctinsight.errors import WrongUseError


@dataclass(frozen=True)
class Preset:
    """How DR-UNet is trained.

    Parameters
    ----------
    name
        ``published`` or ``corrected``.
    learning_rate, epochs, batch_size
        Of Adam; the program's range(1, 50) makes 49 passes of its 50 epochs.
    adam_epsilon
        Keras has 1e-7, torch 1e-8.
    cosine
        Let the learning rate fall to 0 along a cosine; the program keeps it.
    augmented
        Turn, mirror, shift grey values and add noise; the program does not.
    corrected_loss
        See :mod:`ctinsight.training.losses`.
    empty_counts
        In validation, count a slice without blood in mask and truth as Dice 0, as the program does.
    """

    name: str
    learning_rate: float = 2e-4
    epochs: int = 49
    batch_size: int = 16
    adam_epsilon: float = 1e-7
    cosine: bool = False
    augmented: bool = False
    corrected_loss: bool = False
    empty_counts: bool = True


PUBLISHED = Preset("published")
CORRECTED = Preset(
    "corrected",
    learning_rate=1e-3,
    epochs=60,
    cosine=True,
    augmented=True,
    corrected_loss=True,
    empty_counts=False,
)
_PRESETS = {preset.name: preset for preset in (PUBLISHED, CORRECTED)}


def preset_of(name: str) -> Preset:
    """Return a preset by name.

    Raises
    ------
    WrongUseError
        No such preset.
    """
    if name not in _PRESETS:
        raise WrongUseError(
            found=f"preset {name!r}", expected=", ".join(_PRESETS), remedy="Choose one of these."
        )
    return _PRESETS[name]
