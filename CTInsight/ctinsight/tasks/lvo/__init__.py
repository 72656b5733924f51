"""LVODetect: evidence of a large vessel occlusion on a plain head CT.

Works without weights: bleed first, registration to a template with a quality gate, arterial territories,
hemispheric difference, and dense-vessel candidates with their numbers. Networks add a score, where weights
are.
"""

from ctinsight.tasks.lvo.parameters import EvidenceRules, Parameters, TemplateChoice
from ctinsight.tasks.lvo.run import Prepared, conclude, measure_labelmap, prepare, run

__all__ = [
    "EvidenceRules",
    "Parameters",
    "Prepared",
    "TemplateChoice",
    "conclude",
    "measure_labelmap",
    "prepare",
    "run",
]
