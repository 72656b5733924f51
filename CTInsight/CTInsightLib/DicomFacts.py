"""How a volume that came from DICOM was made: kernel, contrast medium, thickness, age; never whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ctinsight.dicom.headers import read_frames

#: The attribute under which 3D Slicer keeps the instances that a volume was loaded from.
INSTANCES_ATTRIBUTE = "DICOM.instanceUIDs"


def acquisitionOf(volumeNode, database: Any) -> dict[str, Any]:
    """Return what the header of one slice says, as ``ctinsight.volume.Acquisition`` names it.

    Slice positions are not read: that would open every file. 3D Slicer's own DICOM reader puts a transform
    above a volume whose slices are uneven, and ``VolumeBridge`` refuses or hardens that.

    Parameters
    ----------
    database
        ``slicer.dicomDatabase``; None where there is none.

    Returns
    -------
    dict
        Empty when the volume did not come from DICOM, or its files are no longer known.
    """
    instances = (volumeNode.GetAttribute(INSTANCES_ATTRIBUTE) or "").split()
    path = database.fileForInstance(instances[0]) if instances and database is not None else ""
    if not path or not Path(path).is_file():
        return {}
    frames, _others = read_frames([Path(path)])
    if not frames:
        return {}
    facts = frames[0].series
    return {
        "modality": facts.modality,
        "kernel": facts.kernel,
        "contrast_agent": facts.contrast,
        "age_years": facts.age_years,
        "slice_thickness_mm": frames[0].thickness_mm,
    }
