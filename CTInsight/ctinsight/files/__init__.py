"""Read and write images: NIfTI, NRRD, MetaImage, DICOM files and folders, zips, folders of PNG or JPG slices.

The only place, with :mod:`ctinsight.dicom`, that meets left-posterior-superior coordinates.
"""

from __future__ import annotations

from ctinsight.dicom import ReadOptions
from ctinsight.files.read import read_labelmap, read_scan
from ctinsight.files.write import write_segmentation, write_volume

__all__ = ["ReadOptions", "read_labelmap", "read_scan", "write_segmentation", "write_volume"]
