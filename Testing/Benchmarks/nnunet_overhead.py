"""Seconds around the network: our nnU-Net engine beside nnunetv2's own functions, in one run.

    PYTHONPATH=CTInsight:Testing PYTHON Testing/Benchmarks/nnunet_overhead.py [--repeats 3]

PYTHON has nnunetv2; ``./run test --slow`` installs one into ``.venv-nnunet``. Both prepare the same image for
the patch of DeepDCR (1 mm), and bring the same scores of four classes back to it; ours and theirs take turns.
Cases: 16 x 256 x 256 voxels of 5 x 0.9 x 0.9 mm, and 60 x 512 x 512 of 5 x 0.45 x 0.45 mm.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ctinsight.inference.nnunet.export import labels_of
from ctinsight.inference.nnunet.prepare import prepare
from ctinsight.models.importers.nnunet_folder import convert_nnunet, read_stored_nnunet
from nnunet_cases import NNUNetCase, image_of, write_folder

if TYPE_CHECKING:
    from collections.abc import Callable

FOUR = {"background": 0, "sac": 1, "maxilla": 2, "nasal": 3}
SMALL = NNUNetCase(
    "small", patch=(56, 224, 192), labels=FOUR, image_shape=(16, 256, 256), image_spacing=(5.0, 0.9, 0.9)
)
BIG = replace(SMALL, name="big", image_shape=(60, 512, 512), image_spacing=(5.0, 0.45, 0.45))


def _predictor(folder: Path) -> Any:
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(folder), ("0",))
    return predictor


def _compare(case: NNUNetCase, folder: Path, repeats: int) -> list[str]:
    from nnunetv2.inference.export_prediction import (
        convert_predicted_logits_to_segmentation_with_correct_shape as export,
    )

    (folder / "stored").mkdir()
    model = write_folder(case, folder / "model")
    convert_nnunet(model, "dcr-seg", folder / "stored", dimensions=3)
    plans = read_stored_nnunet(folder / "stored").plans
    predictor = _predictor(model)
    managers = predictor.plans_manager, predictor.configuration_manager
    preprocessor = predictor.configuration_manager.preprocessor_class(verbose=False)
    image = image_of(case)
    facts: dict[str, Any] = {"spacing": list(case.image_spacing)}
    prepared = prepare(image, case.image_spacing, plans)
    numbers = torch.Generator().manual_seed(0)
    scores = torch.randn((4, *prepared.data.shape[1:]), generator=numbers).half()
    steps: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "preparing": (
            lambda: prepare(image, case.image_spacing, plans).data,
            lambda: preprocessor.run_case_npy(
                np.stack(image).astype(np.float32), None, facts, *managers, predictor.dataset_json
            )[0],
        ),
        "export": (
            lambda: labels_of(scores, prepared, plans),
            lambda: export(scores.clone(), *managers, predictor.label_manager, facts),
        ),
    }
    return [_row(f"{case.name}, {name}", pair, repeats) for name, pair in steps.items()]


def _row(name: str, pair: tuple[Callable[[], Any], Callable[[], Any]], repeats: int) -> str:
    times: tuple[list[float], list[float]] = ([], [])
    found: list[Any] = [None, None]
    for _ in range(repeats):
        for index, run in enumerate(pair):
            started = time.process_time()
            found[index] = run()
            times[index].append(time.process_time() - started)
    ours, theirs = (statistics.median(t) for t in times)
    same = float(np.mean(np.asarray(found[0]) == np.asarray(found[1])))
    return f"| {name} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.1f} | {same:.7f} |"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description="Seconds around the network, ours beside nnunetv2's.")
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    lines = [
        "| case and step | ours, processor-s | nnunetv2, processor-s | ratio | equal values |",
        "|---|---|---|---|---|",
    ]
    for case in (SMALL, BIG):
        with tempfile.TemporaryDirectory() as scratch:
            lines += _compare(case, Path(scratch), repeats)
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
