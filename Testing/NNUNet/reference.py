"""What nnunetv2 itself says of the small cases: the numbers that the engine is held against.

    python Testing/NNUNet/reference.py Testing/Core/fixtures/nnunet

writes them as fixtures, for machines without nnunetv2. Made with nnunetv2 2.8.1 and torch 2.13.0.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nnunet_cases import CASES, NNUNetCase, image_of, write_folder

#: Of the preprocessed image every so many voxels are kept: it is compared, not restored.
STRIDE = 11


def reference_of(case: NNUNetCase, folder: Path) -> dict[str, Any]:
    """Let nnunetv2 preprocess and segment a case with the model in ``folder``."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    folds = tuple(fold.removeprefix("fold_") for fold in case.folds)
    predictor.initialize_from_trained_model_folder(str(folder), folds)
    image = np.stack(image_of(case)).astype(np.float32)
    facts = {"spacing": list(case.image_spacing)}
    preprocessor = predictor.configuration_manager.preprocessor_class(verbose=False)
    settings = predictor.plans_manager, predictor.configuration_manager, predictor.dataset_json
    prepared = preprocessor.run_case_npy(image, None, dict(facts), *settings)[0]
    labels = predictor.predict_single_npy_array(image, dict(facts), None, None, False)
    return {"prepared": np.asarray(prepared), "labels": np.asarray(labels, dtype=np.uint8)}


def _write(case: NNUNetCase, target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_folder(case, Path(scratch) / "model")
        found = reference_of(case, folder)
        weights: dict[str, Any] = {}
        for fold in case.folds:
            state = torch.load(folder / fold / "checkpoint_final.pth", weights_only=True)["network_weights"]
            kept = {k: v for k, v in state.items() if "all_modules" not in k and "decoder.encoder" not in k}
            weights |= {f"{fold}/{name}": tensor.numpy() for name, tensor in kept.items()}
    prepared = found["prepared"]
    np.savez_compressed(
        target / f"{case.name}.npz",
        labels=found["labels"],
        prepared=prepared.ravel()[::STRIDE],
        prepared_shape=prepared.shape,
        **weights,
    )


if __name__ == "__main__":
    for made in CASES:
        _write(made, Path(sys.argv[1]))
