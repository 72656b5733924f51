"""Seconds per nodule of the nine networks of EMV-3D-CNN at full width, with random weights.

``./run python Testing/Benchmarks/nodule_networks.py`` prints a line for one nodule and one for four together,
each with the processor-seconds of this program and the machine's load. The original under TensorFlow 2.12
took 7.4 to 9.0 s for the nine networks of a nodule on two shared processors, 0.7 s for its cube and views.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import torch

from ctinsight.inference.nodulewise import NoduleEngine, NoduleOptions
from ctinsight.models.emv_weights import emv_architecture
from ctinsight.nets.emv_networks import EMV_NETWORKS
from ctinsight.tasks.nodule.emv import NoduleScorer
from ctinsight.tasks.nodule.emv_input import cut_all_views, cut_cube
from ctinsight.volume import Volume

CENTRE = (-60.0, -60.0, -60.0)


def main() -> None:
    """Draw a noisy CT, score it, and say how long each part took."""
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    array = np.random.default_rng(1).normal(-800, 150, (120, 150, 150)).astype(np.int16)
    volume = Volume(array, np.diag([-0.8, -0.8, -1.0, 1.0]))
    torch.manual_seed(1)
    nets = {network: emv_architecture(network).build(64) for network in EMV_NETWORKS}
    scorer = NoduleScorer(NoduleEngine(nets, NoduleOptions(device)))
    with _Clock("cube and views of one nodule"):
        cut_all_views([cut_cube(volume, CENTRE).array], [n.views for n in EMV_NETWORKS])
    for count in (1, 1, 4):
        centres = [(CENTRE[0] + 4 * n, CENTRE[1], CENTRE[2]) for n in range(count)]
        with _Clock(f"nine networks, {count} nodules"):
            scorer.answer(volume, centres)


class _Clock:
    """Measures what happens within it, and prints it with the load."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        wall, processor = time.perf_counter() - self._wall, time.process_time() - self._processor
        load = ", ".join(f"{v:.1f}" for v in os.getloadavg())
        sys.stdout.write(
            f"{self._name}: {wall:.1f} s, {processor:.1f} processor-seconds "
            f"(torch threads {torch.get_num_threads()}, load {load}, processors {os.cpu_count()})\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
