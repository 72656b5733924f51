"""What must be read with every number, and how the numbers were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.manifest import NO_NETWORK, input_facts, network_engine, software_versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.tasks.dcr.parameters import Parameters
    from ctinsight.tasks.dcr.segmentation import NetworkMasks
    from ctinsight.volume import Scan

FIRST, DRAWN = "masks from a click and a box", "drawn masks"
SIDES = "Left and right are the patient's own. The operated side is the one stated; it is never swapped."
PUBLISHED = (
    "Lines 'As published' follow DeepDCR v1 voxel by voxel, for its model. Its thickness is"
    " two-dimensional, on one axial slice; bone thickness in 3-D is another quantity and usually differs."
)
INTERVAL = (
    "Intervals show what masks one voxel smaller or larger would give. They say how much depends on the"
    " outline; they are no confidence intervals."
)
WINDOW = (
    "The planned opening is an aid to measuring: bone along parallel lines of drilling, through the mask"
    " alone. It knows nothing of vessels, the skull base or instruments."
)
BY_NETWORK = "masks by nnU-Net"
CLICKED = "The masks came from a click and thresholds: look at them and correct them before using any number."
NOT_SEGMENTED = "Sac, bone and nasal cavity were not found by a network; no weights were used."


def statements_of(*, answered: bool, clicked: bool, network: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the limits of one run, in words; ``network`` is what the masks' network has to say."""
    first = network or ((CLICKED,) if clicked else ())
    last = () if answered or network else (NOT_SEGMENTED,)
    return (RESEARCH_USE_ONLY, *first, SIDES, PUBLISHED, INTERVAL, WINDOW, *last)


def weights_of(card: Mapping[str, Any]) -> dict[str, Any]:
    """Say which weights answered; nothing where none did."""
    if not card:
        return {}
    name = f"{card['model']} ({card['name']} {card['version']}, SHA-256 {str(card['sha256'])[:12]})"
    answered = {"tier": "with weights", "weights": name, "model_card": dict(card)}
    return answered | network_engine(f"{card['model']}, by its own arithmetic")


def network_facts(network: NetworkMasks | None) -> dict[str, Any]:
    """Say which networks made the masks; nothing where none did."""
    if network is None:
        return {}
    cards = network.cards
    return {
        "tier": "with weights",
        "method": BY_NETWORK,
        "edited": False,
        "weights": ", ".join(f"{c.name} {c.version} (SHA-256 {c.sha256[:12]})" for c in cards),
        "model_card": cards[-1].as_manifest(),
        **network_engine(", ".join(network.facts["segmentation_engine"]), "as the engine's name says"),
        **network.facts,
    }


def manifest_of(scan: Scan, parameters: Parameters, *, clicked: bool) -> dict[str, Any]:
    """Say how the numbers were made; no patient identity."""
    return {
        "task": "dcr",
        "method": FIRST if clicked else DRAWN,
        "tier": "without weights",
        "weights": "",
        "edited": not clicked,
        "parameters": parameters.as_dict(),
        "device": "cpu",
        **NO_NETWORK,
        "software": software_versions(),
        "input": input_facts(scan),
    }
