"""The public head CT template and the arterial territories of Liu et al. 2023, as they are downloaded.

References
----------
Rorden C et al., NeuroImage 61:957 (2012), doi:10.1016/j.neuroimage.2012.03.020 (BSD-2-Clause)
Liu CF et al., Sci Data 10:74 (2023), doi:10.1038/s41597-022-01923-0 (CC BY-SA 4.0, (c) 2021 The Johns Hopkins
University)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import UnreadableFileError
from ctinsight.files.nifti import read_nifti
from ctinsight.finding import Side
from ctinsight.regions.template import Template, Territory, hu_from_cormack
from ctinsight.volume import Grid, Volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MNI_NAME = "mni-head-ct"
SOURCE = (
    "Template: scct, Rorden et al. 2012, BSD-2-Clause, (c) 2021 Chris Rorden. Territories: Digital 3D"
    " Brain MRI Arterial Territories Atlas, Liu et al. 2023, (c) 2021 The Johns Hopkins University, CC BY-SA"
    " 4.0, modified: moved onto the MNI grid (about 1 mm uncertain), smoothed to a prior, brought to this"
    " patient. Territory maps of this result stay under CC BY-SA 4.0."
)
#: The file holds 192 x 224 x 192 voxels, padded for a network; the MNI grid begins at these (R, A, S).
_PADDING_RAS, _PADDED_SHAPE, _MNI_SHAPE = (5, 3, 5), (192, 224, 192), (182, 218, 182)
_MNI_ORIGIN_RAS = (-91.0, -126.0, -72.0)
#: The table of labels says left for right and swaps two acronyms; numbers and long names are right: odd is
#: left. Name without side, artery; two labels each.
_PLACES = (
    ("anterior cerebral artery", "ACA"),
    ("medial lenticulostriate", "ACA"),
    ("lateral lenticulostriate", "MCA"),
    ("frontal pars of middle cerebral artery", "MCA"),
    ("parietal pars of middle cerebral artery", "MCA"),
    ("temporal pars of middle cerebral artery", "MCA"),
    ("occipital pars of middle cerebral artery", "MCA"),
    ("insular pars of middle cerebral artery", "MCA"),
    ("temporal pars of posterior cerebral artery", "PCA"),
    ("occipital pars of posterior cerebral artery", "PCA"),
    ("posterior choroidal and thalamoperforators", "PCA"),
    ("anterior choroidal and thalamoperforators", "PCA"),
    ("basilar", "VB"),
    ("superior cerebellar", "VB"),
    ("inferior cerebellar", "VB"),
    ("lateral ventricle", "LV"),
)


def mni_template(ct_file: Path, atlas_file: Path) -> Template:
    """Read template and territories from the files that their catalogue entries name.

    Parameters
    ----------
    ct_file
        ``scct.nii``.
    atlas_file
        ``ArterialAtlas_padding.nii.gz``.

    Raises
    ------
    UnreadableFileError
        A file is damaged or another one.
    """
    ct = read_nifti(ct_file)
    labels, grid = territories_on_mni(atlas_file)
    volume = Volume(hu_from_cormack(ct.array_kji), ct.ijk_to_ras)
    return Template(MNI_NAME, volume, labels, grid, liu_territories(), SOURCE)


def liu_territories() -> tuple[Territory, ...]:
    """Return what the labels 1 to 32 mean."""
    found = []
    for number, (place, artery) in enumerate(_PLACES):
        for shift, side in enumerate((Side.LEFT, Side.RIGHT)):
            found.append(Territory(2 * number + 1 + shift, f"{place} {side.value}", artery, side))
    return tuple(found)


def territories_on_mni(atlas_file: Path) -> tuple[NDArray[np.uint8], Grid]:
    """Move the published labels onto the MNI grid of 1 mm: whole voxels only, nothing is interpolated.

    Returns
    -------
    tuple
        uint8 (S, A, R), and its grid.
    """
    padded = read_nifti(atlas_file)
    if padded.array_kji.shape != _PADDED_SHAPE[::-1]:
        raise UnreadableFileError(
            found=f"{atlas_file.name} with {padded.array_kji.shape[::-1]} voxels",
            expected=f"the published file with {_PADDED_SHAPE} voxels",
            remedy="Get it again: ctinsight models get atlas-arterial-territories",
        )
    right_first = padded.array_kji if padded.ijk_to_ras[0, 0] > 0 else padded.array_kji[:, :, ::-1]
    part = tuple(slice(low, low + n) for low, n in zip(_PADDING_RAS, _MNI_SHAPE, strict=True))[::-1]
    labels = np.rint(right_first[part]).astype(np.uint8)
    matrix = np.eye(4)
    matrix[:3, 3] = _MNI_ORIGIN_RAS
    return np.ascontiguousarray(labels), Grid(_MNI_SHAPE[::-1], matrix)
