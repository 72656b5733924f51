"""Pulmonary nodule from a click: measures, published scores, and the EMV-3D-CNN networks."""
