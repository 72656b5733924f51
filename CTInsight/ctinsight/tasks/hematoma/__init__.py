"""HematomaVolume: blood in a plain head CT, outlined four ways and measured in mL.

Three methods need no weights (seeded threshold, fuzzy c-means, active contour: the comparison methods of the
paper); the fourth is DR-UNet.
"""

from ctinsight.tasks.hematoma.batch import BatchCase, batch_exit_code, run_batch
from ctinsight.tasks.hematoma.parameters import (
    BatchNormMode,
    CleanUpRules,
    HoleRule,
    Method,
    NetworkOptions,
    Parameters,
)
from ctinsight.tasks.hematoma.run import Known, measure_labelmap, measure_segmentation, run

__all__ = [
    "BatchCase",
    "BatchNormMode",
    "CleanUpRules",
    "HoleRule",
    "Known",
    "Method",
    "NetworkOptions",
    "Parameters",
    "batch_exit_code",
    "measure_labelmap",
    "measure_segmentation",
    "run",
    "run_batch",
]
