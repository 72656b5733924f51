"""Run a network over a case, by slices or patches. Engines are given networks, they never seek them."""
