"""CT Insight: four published CT methods, on your own machine.

Research use only. Not a medical device.

This package is the core. It runs anywhere and knows nothing of 3D Slicer; ``CTInsightLib`` brings
its results into a MRML scene. Importing it is cheap: neither torch nor scipy is loaded until a
function needs it.
"""

from ctinsight.version import VERSION

RESEARCH_USE_ONLY = "Research use only. Not a medical device."

__version__ = VERSION

__all__ = ["RESEARCH_USE_ONLY", "__version__"]
