"""DeepDCRModule: lacrimal sac, bone and nose before a dacryocystorhinostomy, measured from masks."""

from ctinsight.tasks.dcr.anatomy import Label
from ctinsight.tasks.dcr.parameters import Parameters
from ctinsight.tasks.dcr.published import LabelledMasks, PublishedFeatures, published_features
from ctinsight.tasks.dcr.run import SEGMENTS, measure_labelmap, measure_segmentation, run

__all__ = [
    "SEGMENTS",
    "Label",
    "LabelledMasks",
    "Parameters",
    "PublishedFeatures",
    "measure_labelmap",
    "measure_segmentation",
    "published_features",
    "run",
]
