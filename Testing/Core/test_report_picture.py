"""The axial picture: its sides, its slices, and what it says when nothing was found."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.report import axial_picture
from ctinsight.report.axial_picture import write_axial_picture
from ctinsight.report.axial_slices import choose_slices, shown_region
from made_cases import made_case, made_grid

pytest.importorskip("matplotlib", reason="matplotlib (extra 'report') draws the picture")

GRIDS = {
    "as DICOM": {},
    "one axis mirrored": {"signs": (1, -1, 1)},
    "oblique": {"turned_degrees": (14, -9, 17), "signs": (1, 1, 1)},
    "thin slices": {"spacing_ijk_mm": (3.0, 3.0, 1.5)},
}


def pixels_of(path):
    """Read a picture as (rows, columns, RGB) integers."""
    from matplotlib.image import imread

    return np.round(imread(path)[:, :, :3] * 255).astype(int)


def outline_of_one_panel(case, path):
    """Return rows and columns (0 to 1) of the outline in the panel that shows most of it."""
    write_axial_picture(case.result, case.scan, path)
    montage = axial_picture._montage(case.result, case.scan)
    layout = axial_picture._layout(montage)
    width, height = layout.panel
    number = int(np.argmax([np.count_nonzero(montage.stack.labelmap_kji[k]) for k in montage.slices]))
    gutter = axial_picture.GUTTER_PX
    top = round(axial_picture.HEADER_PX + (number // layout.columns) * (height + gutter))
    left = round(layout.left + (number % layout.columns) * (width + gutter))
    panel = pixels_of(path)[top : top + round(height), left : left + round(width)]
    # The area in cm² is written in the same colour in the panel's upper eighth.
    orange = np.abs(panel - (213, 94, 0)).max(axis=2) < 12
    orange[: orange.shape[0] // 8] = False
    rows, columns = np.nonzero(orange)
    return rows / height, columns / width


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_patient_left_and_front_are_right_and_up_in_the_picture(tmp_path, grid):
    """A blob at the patient's left and in front lies in the right upper quarter, however voxels lie."""
    case = made_case(made_grid(**grid))
    rows, columns = outline_of_one_panel(case, tmp_path / "picture.png")
    assert len(rows) > 50
    assert columns.min() > 0.5
    assert rows.mean() < 0.5


def test_the_picture_has_no_outline_when_nothing_was_found(tmp_path):
    """Without a finding the panels hold no orange at all."""
    case = made_case(made_grid((4.0, 4.0, 8.0)), empty=True)
    write_axial_picture(case.result, case.scan, tmp_path / "picture.png")
    panels = pixels_of(tmp_path / "picture.png")[axial_picture.HEADER_PX : -axial_picture.FOOTER_PX]
    assert not (np.abs(panels - (213, 94, 0)).max(axis=2) < 12).any()


def test_the_largest_slice_is_always_shown():
    """Of 100 marked slices at most 15 are chosen, from below upwards, slice 61 with most voxels too."""
    labelmap = np.zeros((120, 4, 4), np.uint8)
    labelmap[10:110, 0, 0] = 1
    labelmap[61] = 1
    slices = choose_slices(labelmap, (0, 119))
    assert 61 in slices
    assert len(slices) <= 15
    assert slices == sorted(slices)


def test_a_single_slice_is_a_picture_too(tmp_path):
    """A scan of one slice is drawn."""
    whole = made_case(made_grid((4.0, 4.0, 190.0)))
    assert whole.scan.volume.array_kji.shape[0] == 1
    write_axial_picture(whole.result, whole.scan, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_the_shown_region_leaves_the_air_out_and_the_finding_in():
    """A mask in the air beside the head widens the region to hold it."""
    from dataclasses import replace

    from ctinsight.report.axial_slices import axial_stack

    case = made_case()
    stack = axial_stack(case.scan.volume, case.result.segmentation)
    labelmap = stack.labelmap_kji.copy()
    labelmap[0, 0, 0] = 1
    rows, columns = shown_region(replace(stack, labelmap_kji=labelmap), margin_mm=0.0)
    assert (rows.start, columns.start) == (0, 0)
    assert shown_region(stack, margin_mm=0.0)[1].start > 0


def test_a_long_name_of_weights_ends_before_the_headlines_words():
    """Both lines of words stand beside each other, never over each other; what was cut ends in dots."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(18, 5), dpi=100)
    FigureCanvasAgg(figure)
    words = figure.text(0.01, 0.5, "nodule-emv-task1-inception user-supplied, " * 9, size=13)
    headline = figure.text(0.99, 0.5, "nodule 1, on the plane with the greatest mean", size=13, ha="right")

    axial_picture._shorten_before(words, headline)

    assert words.get_window_extent().x1 < headline.get_window_extent().x0
    assert words.get_text().endswith("supplied …") or words.get_text().endswith("inception …")


def test_the_footer_counts_no_check_as_passed_that_was_not_made():
    """Of three checks, one of them "not checked", two passed and one is told apart."""
    from dataclasses import replace

    from ctinsight.finding import Check, Outcome

    measured = ("CT", "not checked: not stated in the file", "5.0 mm")
    checks = tuple(Check(f"key{n}", "Name", Outcome.PASS, words, "") for n, words in enumerate(measured))
    result = replace(made_case().result, checks=checks)
    assert axial_picture._check_words(result) == "2 input checks passed, 1 not fully made: see result.json"
    complete = replace(result, checks=checks[::2])
    assert axial_picture._check_words(complete) == "2 input checks passed"
