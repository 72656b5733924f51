"""Network architectures only: tensors in, tensors out. Weights are brought by :mod:`ctinsight.models`."""
