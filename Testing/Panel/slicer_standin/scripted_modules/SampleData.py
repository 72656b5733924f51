# ruff: noqa: N802, N803, N815 - the names are Slicer's
"""The module Sample Data: keeps what modules register, downloads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModule


class SampleData(ScriptedLoadableModule):
    """The module."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "Sample Data"
        slicer.modules.sampleDataSources = {}
        slicer.modules.sampleDataSourceCategories = {}


@dataclass
class SampleDataSource:
    """One data set as it was registered."""

    category: str
    sampleName: str
    uris: Any = None
    fileNames: Any = None
    nodeNames: Any = None
    checksums: Any = None
    customDownloader: Any = None
    thumbnailFileName: str | None = None
    loadFileTypes: Any = None
    loadFiles: Any = None
    loadFileProperties: Any = None


class SampleDataLogic:
    """Where modules register."""

    @staticmethod
    def registerCustomSampleDataCategory(category, title):
        """Keep a category's title."""
        slicer.modules.sampleDataSourceCategories.setdefault(category, {})["title"] = title

    @staticmethod
    def registerCustomSampleDataSource(category="Custom", sampleName=None, **described):
        """Keep a data set; refuse a thumbnail that is not there, and a download without a checksum."""
        source = SampleDataSource(category, sampleName, **described)
        if source.thumbnailFileName is not None and not Path(source.thumbnailFileName).is_file():
            raise FileNotFoundError(source.thumbnailFileName)
        if source.uris and source.customDownloader is None and not source.checksums:
            msg = f"{sampleName}: a download without a checksum"
            raise ValueError(msg)
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)


def downloadSample(sampleName):
    """Load a registered data set by its own function.

    Raises
    ------
    RuntimeError
        There is none of that name, or it would be downloaded.
    """
    for sources in slicer.modules.sampleDataSources.values():
        for source in sources:
            if source.sampleName == sampleName and source.customDownloader is not None:
                return source.customDownloader(source)
    msg = f"the stand-in has no sample data {sampleName!r} without a download"
    raise RuntimeError(msg)
