"""Our engine beside nnunetv2 itself, in one environment: preprocessing bit by bit, labels voxel by voxel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("nnunetv2")

from ctinsight.inference.nnunet.engine import NNUNetEngine
from ctinsight.inference.nnunet.prepare import prepare
from ctinsight.models.importers.nnunet_folder import convert_nnunet, read_stored_nnunet
from NNUNet.reference import reference_of
from nnunet_cases import CASES, NNUNetCase, image_of, write_folder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_engine_gives_the_labels_that_nnunetv2_gives(case: NNUNetCase, tmp_path: Path) -> None:
    """The same bits go into the network, and the same label comes out for every voxel."""
    folder = write_folder(case, tmp_path / "model")
    expected = reference_of(case, folder)
    (tmp_path / "stored").mkdir()
    convert_nnunet(folder, case.name, tmp_path / "stored", dimensions=case.dimensions)
    model = read_stored_nnunet(tmp_path / "stored")

    prepared = prepare(image_of(case), case.image_spacing, model.plans)
    found = NNUNetEngine(model).segment(image_of(case), case.image_spacing)

    np.testing.assert_array_equal(prepared.data, expected["prepared"])
    np.testing.assert_array_equal(found.labels_kji, expected["labels"])
