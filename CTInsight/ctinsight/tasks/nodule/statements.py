"""What must be read with every number, and how the numbers were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.manifest import NO_NETWORK, input_facts, software_versions

if TYPE_CHECKING:
    from ctinsight.tasks.nodule.parameters import Parameters
    from ctinsight.volume import Scan

METHOD = "seeded outline with partial-volume balance"
RANGE = (
    "Made for nodules of 4 to 30 mm on thin slices. Nodules are not searched for: only what was clicked is"
    " measured."
)
VOLUME_MEANING = (
    "Volume and diameters follow a border finer than the voxels; counting voxels of the segment gives a"
    " slightly different volume, which is listed too. The interval says what a tenth of the contrast more or"
    " less changes; it is not a confidence interval."
)
CUTS = (
    "Vessels and the wall are cut off where they leave the compact body, so spicules are mostly not part of"
    " it. Every outline has a check that says how much of its surface was cut."
)
SOLID_PART = (
    "Solid means {threshold:.0f} HU or more; the interval of the solid part is that of {high:.0f} to"
    " {low:.0f} HU. Vessels inside ground glass count as solid. A ground-glass rim thinner than about two"
    " voxels cannot be told from blur."
)
NO_FISSURES = "Lobes and fissures are not found. The distance to the pleura includes the mediastinal surface."
EDITED = "The outline was edited or drawn by a person; the numbers follow that outline."


def statements_of(parameters: Parameters, *, edited: bool) -> tuple[str, ...]:
    """Return the limits of one run, in words."""
    low, high = parameters.solid_band_hu
    solid = SOLID_PART.format(threshold=parameters.solid_threshold_hu, low=low, high=high)
    edit = (EDITED,) if edited else ()
    return (RESEARCH_USE_ONLY, *edit, RANGE, VOLUME_MEANING, CUTS, solid, NO_FISSURES)


def manifest_of(scan: Scan, parameters: Parameters, *, edited: bool) -> dict[str, Any]:
    """Say how the numbers were made; no patient identity."""
    return {
        "task": "nodule",
        "method": f"{METHOD}, edited by a person" if edited else METHOD,
        "tier": "without weights",
        "weights": "",
        "edited": edited,
        "parameters": parameters.as_dict(),
        "device": "cpu",
        **NO_NETWORK,
        "software": software_versions(),
        "input": input_facts(scan),
    }
