"""LungNoduleRisk: from a click to the outline of a nodule and everything that is measured on it."""

from ctinsight.tasks.nodule.measures import NoduleMeasures
from ctinsight.tasks.nodule.parameters import Parameters
from ctinsight.tasks.nodule.run import (
    Readings,
    measure_labelmap,
    measure_segmentation,
    read_nodules,
    result_of,
    run,
)
from ctinsight.tasks.nodule.type import NoduleType

__all__ = [
    "NoduleMeasures",
    "NoduleType",
    "Parameters",
    "Readings",
    "measure_labelmap",
    "measure_segmentation",
    "read_nodules",
    "result_of",
    "run",
]
