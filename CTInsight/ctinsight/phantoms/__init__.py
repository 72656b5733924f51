"""Synthetic CTs with known truth, for samples, tests and training. They are never patients.

``head_phantom`` draws a head from formulas; ``implant_lesion`` puts a lesion into a real head, which makes
that case semi-synthetic.
"""

from ctinsight.phantoms.head import HeadSpec, PhantomCase, Pose, head_grid, head_phantom

__all__ = ["HeadSpec", "PhantomCase", "Pose", "head_grid", "head_phantom"]
