"""What every manifest says: the software that computed, and the input without whose it is."""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctinsight.volume import Scan

#: What every task computes with.
STOCK_PACKAGES = ("numpy", "scipy", "SimpleITK", "pydicom")
#: What tables say where no weights took part, and where a result does not tell which ones.
NO_WEIGHTS, NOT_RECORDED = "none", "not recorded"


@dataclass(frozen=True)
class Provenance:
    """How a result was made, in the words of its tables.

    Parameters
    ----------
    method
        As the manifest has it.
    weights, weights_sha256
        Name with version, and checksum, of every set of weights, with semicolons between them; both are
        "none" where no network took part.
    version
        Of CT Insight when the result was made.
    """

    method: str
    weights: str = NO_WEIGHTS
    weights_sha256: str = NO_WEIGHTS
    version: str = VERSION


#: What the manifest says of engine and precision where numbers come from no network.
NO_NETWORK = {"engine": "no network took part", "precision": "no network took part"}


def network_engine(
    engine: str, precision: str = "float32: reduced precision is not used here"
) -> dict[str, str]:
    """Say for the manifest in which way networks were computed, and in how many bits."""
    return {"engine": engine, "precision": precision}


def provenance_of(manifest: Mapping[str, Any]) -> Provenance:
    """Say in words how a result was made.

    Parameters
    ----------
    manifest
        Of a result: ``method``, ``weights`` in words, ``software``; ``model_card``, a list ``model_cards``,
        or ``networks`` with a list ``cards``.

    Examples
    --------
    >>> card = {"name": "hematoma-drunet", "version": "1", "sha256": "ab12"}
    >>> found = provenance_of({"method": "DR-UNet", "model_card": card, "software": {"ctinsight": "0.1"}})
    >>> found.weights, found.weights_sha256, found.version
    ('hematoma-drunet 1', 'ab12', '0.1')
    >>> provenance_of({"method": "seeded threshold"}).weights
    'none'
    """
    method = str(manifest.get("method") or NOT_RECORDED)
    version = str(manifest.get("software", {}).get("ctinsight", VERSION))
    only = manifest.get("model_card")
    several = manifest.get("model_cards") or manifest.get("networks", {}).get("cards") or []
    cards = [*([only] if only else []), *several]
    if cards:
        names = "; ".join(f"{card['name']} {card['version']}" for card in cards)
        return Provenance(method, names, "; ".join(str(card["sha256"]) for card in cards), version)
    words = str(manifest.get("weights") or "")
    return Provenance(method, words or NO_WEIGHTS, NOT_RECORDED if words else NO_WEIGHTS, version)


def refuse_odd_card(card: object) -> None:
    """Refuse a model card that came from outside and has not what results say of weights.

    Raises
    ------
    WrongUseError
        Neither None nor an object with texts for ``name``, ``version`` and ``sha256``.
    """
    keys = ("name", "version", "sha256")
    if card is None or (isinstance(card, dict) and all(isinstance(card.get(key), str) for key in keys)):
        return
    raise WrongUseError(
        found=f"model_card = {str(card)[:80]}",
        expected=f"an object with texts for {', '.join(keys)}, or null",
        remedy="Hand over the model_card of the earlier result's manifest as it is.",
    )


def software_versions(*more: str) -> dict[str, str]:
    """Return the versions of everything that computed: the stock packages and those named in ``more``."""
    found = {"ctinsight": VERSION, "python": platform.python_version(), "system": platform.system()}
    for package in (*STOCK_PACKAGES, *more):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            # In 3D Slicer some packages come without metadata, but the imported module knows.
            found[package] = str(getattr(sys.modules.get(package), "__version__", "unknown"))
    return found


def input_facts(scan: Scan) -> dict[str, Any]:
    """Describe the input without saying whose it is: geometry and a checksum of the voxels."""
    array = np.ascontiguousarray(scan.volume.array_kji)
    grid = scan.volume.grid
    return {
        "file_format": scan.acquisition.file_format,
        "shape_kji": list(grid.shape_kji),
        "spacing_ijk_mm": list(grid.spacing_ijk_mm),
        "ijk_to_ras": grid.ijk_to_ras.tolist(),
        "voxel_type": str(array.dtype),
        "voxels_sha256": hashlib.sha256(array.view(np.uint8).data).hexdigest(),
        "resampled": scan.acquisition.resampled,
        "gaps": [list(gap) for gap in scan.acquisition.gaps],
    }
