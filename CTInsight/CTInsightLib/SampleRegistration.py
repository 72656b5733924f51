"""The synthetic samples in 3D Slicer's module Sample Data; they are drawn on this machine, not downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

if TYPE_CHECKING:
    from collections.abc import Callable

CATEGORY = "CT Insight"
_ICONS = Path(__file__).resolve().parents[1] / "Resources" / "Icons"


def registerSample(module: str, name: str) -> None:
    """Offer a module's sample; choosing it opens the module and tries it there.

    Parameters
    ----------
    module
        Its panel has a ``sampleButton``; its picture is called ``<module>Sample.png``, among the icons.
    name
        What Sample Data calls it.
    """
    import SampleData

    logic = SampleData.SampleDataLogic
    # Titles of categories came with 3D Slicer 5.12.
    if hasattr(logic, "registerCustomSampleDataCategory"):
        logic.registerCustomSampleDataCategory(CATEGORY, title=CATEGORY)
    thumbnail = _thumbnail(module)
    logic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=name,
        uris=[],
        fileNames=[],
        nodeNames=[],
        loadFiles=[],
        checksums=[],
        thumbnailFileName=thumbnail,
        customDownloader=_trier(module),
    )


def _trier(module: str) -> Callable[[Any], list[Any]]:
    def tryIt(_source: Any = None) -> list[Any]:
        slicer.util.selectModule(module)
        slicer.app.moduleManager().module(module).widgetRepresentation().self().ui.sampleButton.click()
        return []

    return tryIt


def _thumbnail(module: str) -> str | None:
    # In an installed extension all modules share one folder; in a checkout each has its own.
    folders = (_ICONS, _ICONS.parents[2] / module / "Resources" / "Icons")
    found = [folder / f"{module}Sample.png" for folder in folders]
    return next((str(path) for path in found if path.is_file()), None)
