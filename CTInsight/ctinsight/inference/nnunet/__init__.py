"""nnU-Net v2 models in our own engine: nnU-Net's arithmetic without its processes.

Preprocessing gives the same bits as nnU-Net's, export the same labels; what is left out is waste: pools of
processes, an empty segmentation that is resampled along, slices that are interpolated and then not chosen.

References
----------
Isensee F et al. nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation.
Nat Methods 2021;18:203-211. https://doi.org/10.1038/s41592-020-01008-z
"""
