"""Published calculators, each with its source and its worked numbers."""
