"""Synthetic CTs with known truth, for samples, tests and training. They are never patients.

``head_phantom`` draws a head from formulas; ``implant_lesion`` puts a lesion into a real head, which makes
that case semi-synthetic.
"""

from ctinsight.phantoms.head import (
    HeadSpec,
    PhantomCase,
    Pose,
    clinical_grid,
    head_grid,
    head_phantom,
    isotropic_head_grid,
)
from ctinsight.phantoms.implant import Implanted, implant_lesion
from ctinsight.phantoms.lesions import Ellipsoid, ExtraAxial, Lobulated, crescent, epidural
from ctinsight.phantoms.placement import ImplantRecipe
from ctinsight.phantoms.samples import StandardPhantom, demo_head, standard_phantoms

__all__ = [
    "Ellipsoid",
    "ExtraAxial",
    "HeadSpec",
    "ImplantRecipe",
    "Implanted",
    "Lobulated",
    "PhantomCase",
    "Pose",
    "StandardPhantom",
    "clinical_grid",
    "crescent",
    "demo_head",
    "epidural",
    "head_grid",
    "head_phantom",
    "implant_lesion",
    "isotropic_head_grid",
    "standard_phantoms",
]
