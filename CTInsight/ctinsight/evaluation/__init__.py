"""How well masks, volumes and scores agree with a reference: as published, and corrected beside it."""
