"""Anatomy that more than one task needs: the intracranial space and the patient's own mid-plane."""
