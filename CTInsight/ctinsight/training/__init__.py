"""Data sets, losses and loops with which the networks are trained: as published, and corrected beside it."""
