"""Masks, volumes and scores against a reference: sums a reader can redo, and the published ones."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
import SimpleITK
from typer.testing import CliRunner

from ctinsight.cli.evaluate import evaluate_app
from ctinsight.errors import UnreadableFileError, WrongUseError
from ctinsight.evaluation.classification import (
    auc,
    held_out_point,
    net_benefit,
    operating_point,
    youden_threshold,
)
from ctinsight.evaluation.overlap import Overlap, published_overlap
from ctinsight.evaluation.pairs import pair_up
from ctinsight.evaluation.statistics import bootstrapped, proportion
from ctinsight.evaluation.volumes import agreement, by_group

if TYPE_CHECKING:
    from pathlib import Path

#: Order of the numbers in the reference file.
PUBLISHED = (
    "accuracy",
    "precision",
    "sensitivity",
    "jaccard",
    "dice",
    "voe",
    "relative_difference",
    "specificity",
)


def _said(*arguments: str) -> str:
    result = CliRunner().invoke(evaluate_app, list(arguments), standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


def _mask(path: Path, start: int, spacing: float = 1.0) -> None:
    """Write a cube of 10 voxels a side that begins at ``start`` along rows."""
    array = np.zeros((20, 40, 20), dtype=np.uint8)
    array[5:15, start : start + 10, 5:15] = 1
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((spacing, spacing, 2.0))
    path.parent.mkdir(exist_ok=True)
    SimpleITK.WriteImage(image, str(path))


def _rows(path: Path) -> list[dict[str, str]]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def test_the_published_sums_are_those_of_the_original_program(shared: Path) -> None:
    """Counts to the pixel and every measure, at 256 and 1400 pixels, empty masks included."""
    folder = shared / "reference" / "drunet"
    masks = [
        SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        for path in sorted((folder / "synthetic_masks").glob("*.png"))
    ]
    reference = json.loads((folder / "volume_metric_reference.json").read_text())
    cases = [key for key in reference if key.startswith("perf_pred")]
    for key in cases:
        mine, true, side = map(int, re.findall(r"[0-9]+", key))
        overlap = published_overlap(masks[mine], masks[true], side)
        assert [overlap.tp, overlap.tn, overlap.fp, overlap.fn] == reference[key][:4]
        found = overlap.as_published()
        assert [found[name] for name in PUBLISHED] == pytest.approx(reference[key][4:], rel=1e-9)
    assert len(cases) == 12


def test_a_shifted_cube_has_the_overlap_one_counts(tmp_path: Path) -> None:
    """Two of ten rows off: Dice 0.8; surfaces up to 2 mm apart; 2 mL each at 1 x 1 x 2 mm."""
    _mask(tmp_path / "a" / "7.nii.gz", 12)
    _mask(tmp_path / "b" / "007.nii.gz", 10)

    said = _said("segmentation", str(tmp_path / "a"), str(tmp_path / "b"), "-o", str(tmp_path / "o"))
    (row,) = _rows(tmp_path / "o" / "metrics.csv")

    assert float(row["dice"]) == pytest.approx(0.8)
    assert float(row["sensitivity"]) == pytest.approx(0.8)
    assert float(row["volume_ml"]) == pytest.approx(2.0)
    assert 0 < float(row["hd95_mm"]) <= 2.0
    assert "Research use only" in said


def test_two_empty_masks_are_left_out_of_the_mean_but_count_0_as_published(tmp_path: Path) -> None:
    """One right case and one empty one: Dice 1.0 of n = 1, or 0.5 as published."""
    empty = np.zeros((4, 16, 16), dtype=np.uint8)
    full = empty.copy()
    full[:, 4:12, 4:12] = 1
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name, array in (("1", full), ("2", empty)):
            SimpleITK.WriteImage(
                SimpleITK.GetImageFromArray(array), str(tmp_path / folder / f"{name}.nii.gz")
            )
    paths = str(tmp_path / "a"), str(tmp_path / "b")

    corrected = _said("segmentation", *paths, "-o", str(tmp_path / "o"))
    published = _said("segmentation", *paths, "-o", str(tmp_path / "p"), "--as-published", "--resize", "16")

    assert "Dice 1.000, n = 1" in corrected
    assert "Dice 0.500" in published
    assert "n = 8" in published


def test_every_file_without_a_partner_is_named(tmp_path: Path) -> None:
    """Both sides at once, before anything is computed."""
    _mask(tmp_path / "a" / "1.nii.gz", 10)
    _mask(tmp_path / "a" / "x.nii.gz", 10)
    _mask(tmp_path / "b" / "01.nii.gz", 10)
    _mask(tmp_path / "b" / "y.nii.gz", 10)

    with pytest.raises(WrongUseError) as caught:
        pair_up(tmp_path / "a", tmp_path / "b")
    assert "x.nii.gz has no reference" in caught.value.found
    assert "y.nii.gz has no mask" in caught.value.found


def test_masks_on_another_grid_are_refused(tmp_path: Path) -> None:
    """The same voxels at another spacing are another volume."""
    _mask(tmp_path / "a.nii.gz", 10, spacing=0.5)
    _mask(tmp_path / "b.nii.gz", 10, spacing=1.0)

    with pytest.raises(WrongUseError, match="another place or spacing"):
        _said(
            "segmentation", str(tmp_path / "a.nii.gz"), str(tmp_path / "b.nii.gz"), "-o", str(tmp_path / "o")
        )


def test_volumes_by_the_groups_of_the_paper(tmp_path: Path) -> None:
    """10, 30, 60 and 90 mL, each read 2 mL too large: bias 2 in every group, SD 0."""
    table = "case,reference_ml,ours,ours_seconds\n1,10,12,4\n2,30,32,\n3,60,62,6\n4,90,92,5\n"
    (tmp_path / "v.csv").write_text(table)

    said = _said("volume", str(tmp_path / "v.csv"), "-o", str(tmp_path / "o"))
    rows = {row["group"]: row for row in _rows(tmp_path / "o" / "summary.csv")}

    assert {group: int(row["n"]) for group, row in rows.items()} == {
        "all": 4,
        "< 30 mL": 1,
        "30-60 mL": 2,
        "> 60 mL": 1,
    }
    assert all(float(row["bias_ml"]) == 2.0 for row in rows.values())
    assert float(rows["all"]["sd_ml"]) == 0.0
    assert float(rows["all"]["seconds"]) == 5.0
    assert "bias +2.00 mL" in said


def test_concordance_counts_what_correlation_forgives() -> None:
    """Volumes read twice as large correlate perfectly and do not agree."""
    truth = np.array([10.0, 20.0, 30.0, 40.0])
    found = agreement(2 * truth, truth)

    assert found.r2 == pytest.approx(1.0)
    assert found.slope == pytest.approx(2.0)
    assert found.concordance is not None
    assert found.concordance < 0.6


def test_an_empty_group_is_none() -> None:
    """No case above 60 mL: no number is made up for it."""
    found = by_group(np.array([10.0, 12.0]), np.array([10.0, 11.0]))
    assert found["> 60 mL"] is None


def test_cells_that_are_no_numbers_are_all_named(tmp_path: Path) -> None:
    """Row and text of each; nothing is filled in."""
    (tmp_path / "v.csv").write_text("reference_ml,a\n1,2\nx,3\n,4\ninf,1\n")
    with pytest.raises(WrongUseError, match="row 3: 'x'; row 4: ''; row 5: 'inf'"):
        _said("volume", str(tmp_path / "v.csv"), "-o", str(tmp_path / "o"))


def test_a_table_with_short_rows_is_refused(tmp_path: Path) -> None:
    """Cells that slipped would be read as other columns."""
    (tmp_path / "v.csv").write_text("reference_ml,a\n1\n")
    with pytest.raises(UnreadableFileError, match="rows 2"):
        _said("volume", str(tmp_path / "v.csv"), "-o", str(tmp_path / "o"))


def test_auc_counts_ties_half() -> None:
    """One of two pairs right and one tied: 0.75; without controls there is none."""
    assert auc(np.array([0.2, 0.5, 0.5]), np.array([False, False, True])) == 0.75
    assert np.isnan(auc(np.array([0.5]), np.array([True])))


def test_eleven_of_eleven_is_not_certainty() -> None:
    """Wilson's interval of 100 % of eleven begins at 74 %."""
    found = proportion(11, 11)
    assert found.low == pytest.approx(0.741, abs=1e-3)
    assert found.high == pytest.approx(1.0)


def test_the_threshold_is_chosen_on_other_folds() -> None:
    """In fold b controls score high: the threshold of fold a, 0.6, lets one of them pass."""
    scores = np.array([0.1, 0.2, 0.6, 0.8, 0.5, 0.7, 0.8, 0.9])
    truth = np.array([False, False, True, True, False, False, True, True])
    folds = np.array(["a"] * 4 + ["b"] * 4)

    assert youden_threshold(scores[:4], truth[:4]) == 0.6
    assert youden_threshold(scores[4:], truth[4:]) == 0.8
    found = held_out_point(scores, truth, folds)
    assert (found.tp, found.fp, found.tn, found.fn) == (3, 1, 3, 1)


def test_folds_that_cannot_be_judged_are_refused() -> None:
    """One fold alone has no other that could choose."""
    with pytest.raises(WrongUseError, match="cannot be judged"):
        held_out_point(np.array([0.1, 0.9]), np.array([False, True]), np.array(["a", "a"]))


def test_net_benefit_of_acting_on_everybody() -> None:
    """Half have it: at a threshold of 0.5 acting on all is worth nothing, acting by a perfect score 0.5."""
    scores, truth = np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])
    by_score, everybody = net_benefit(scores, truth, [0.5])
    assert by_score[0] == pytest.approx(0.5)
    assert everybody[0] == pytest.approx(0.0)


def test_a_score_at_the_threshold_is_positive() -> None:
    """It is stated, and it holds."""
    point = operating_point(np.array([0.5]), np.array([True]), 0.5, "")
    assert (point.tp, point.fn) == (1, 0)


def test_scores_of_classes_by_the_command(tmp_path: Path) -> None:
    """No threshold and no folds: no sensitivity; with names of classes a confusion table."""
    (tmp_path / "s.csv").write_text("truth,score\n" + "".join(f"{i % 2},{0.1 * i}\n" for i in range(10)))
    (tmp_path / "k.csv").write_text("truth,found\nM1,M1\nM1,M2\nM2,M2\n")

    scored = _said("classification", str(tmp_path / "s.csv"), "-o", str(tmp_path / "o"))
    confused = _said("classification", str(tmp_path / "k.csv"), "-o", str(tmp_path / "c"))

    assert "sensitivity is not given" in scored
    assert "recall of M1: 0.500" in confused
    assert _rows(tmp_path / "c" / "confusion.csv")[0] == {"truth / found": "M1", "M1": "1", "M2": "1"}


def test_names_from_files_cannot_write_html(tmp_path: Path) -> None:
    """A method called like a tag stays text on the page."""
    (tmp_path / "v.csv").write_text("reference_ml,<script>x</script>\n1,2\n3,4\n5,6\n")
    _said("volume", str(tmp_path / "v.csv"), "-o", str(tmp_path / "o"))
    page = (tmp_path / "o" / "evaluation.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "Research use only. Not a medical device." in page


def test_an_evaluation_is_not_overwritten_without_asking(tmp_path: Path) -> None:
    """The second run needs another folder or --overwrite."""
    (tmp_path / "v.csv").write_text("reference_ml,a\n1,2\n3,4\n5,6\n")
    arguments = "volume", str(tmp_path / "v.csv"), "-o", str(tmp_path / "o")
    _said(*arguments)
    with pytest.raises(WrongUseError, match="holds an evaluation"):
        _said(*arguments)
    assert "bias" in _said(*arguments, "--overwrite")


def test_the_bootstrap_gives_the_same_interval_twice() -> None:
    """Its seed is fixed; the interval holds the value."""
    values = np.arange(20.0)
    first = bootstrapped([values], lambda v: float(v.mean()))
    assert first == bootstrapped([values], lambda v: float(v.mean()))
    assert first.low is not None
    assert first.high is not None
    assert first.low < 9.5 < first.high


def test_measures_that_divide_by_nothing_are_none() -> None:
    """No mask at all: no precision; no reference: no sensitivity."""
    nothing_found = Overlap(tp=0, tn=5, fp=0, fn=3)
    assert nothing_found.precision is None
    assert nothing_found.sensitivity == 0.0
    assert Overlap(tp=0, tn=5, fp=3, fn=0).sensitivity is None
