"""A first mask in seconds: sac from a click, bone and air from a box about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ctinsight.errors import WrongUseError
from ctinsight.regions.sinonasal import Box, bone_in_box, nasal_air_in_box, sac_from_click
from ctinsight.tasks.dcr.anatomy import Label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ctinsight.tasks.dcr.parameters import Parameters
    from ctinsight.volume import Volume

#: Extent of the box about the sac along R, A and S in which bone is taken, and how much further air is, mm.
BOX_MM, AIR_MARGIN_MM = (24.0, 24.0, 24.0), 16.0


def first_labelmap(volume: Volume, parameters: Parameters) -> NDArray[np.uint8]:
    """Outline sac, bone and nasal air; meant to be looked at and edited.

    Raises
    ------
    WrongUseError
        No point, or a point on no contrast medium.
    ProcessingFailedError
        What is connected to the point is no sac.
    """
    point = parameters.sac_point_ras
    if point is None:
        raise WrongUseError(
            found="neither masks nor a point in the sac",
            expected="masks of sac, maxilla and nasal cavity, or a click on contrast medium in the sac",
            remedy="Give --masks SEG, or --sac-point R,A,S.",
        )
    sac = sac_from_click(volume, point)
    center = parameters.box_center_ras or point
    size = parameters.box_size_mm or BOX_MM
    bone = bone_in_box(volume, Box(center, size), sac, parameters.bone_hu)
    wide = (size[0] + AIR_MARGIN_MM, size[1] + AIR_MARGIN_MM, size[2] + AIR_MARGIN_MM)
    air = nasal_air_in_box(volume, Box(center, wide), parameters.air_hu)
    labels = np.zeros(volume.grid.shape_kji, dtype=np.uint8)
    labels[air], labels[bone], labels[sac] = Label.NASAL, Label.MAXILLA, Label.SAC
    return labels
