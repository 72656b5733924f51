"""What is said about a mask: mL, components, slices and ABC/2, on masks that a reader can count."""

from __future__ import annotations

import numpy as np
import pytest

from ctinsight.errors import GeometryError
from ctinsight.finding import Side
from ctinsight.tasks.hematoma import Known, Parameters, measure_segmentation
from ctinsight.tasks.hematoma.abc import FORMULAS
from ctinsight.volume import Acquisition, Scan, Volume

NOTHING_KNOWN = Known()


def a_scan(shape_kji=(12, 60, 60), spacing_ijk_mm=(1.0, 1.0, 5.0), rotation=None) -> Scan:
    """Make a CT of 60 HU everywhere, straight or turned."""
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if rotation is None else rotation) @ np.diag(spacing_ijk_mm)
    return Scan(Volume(np.full(shape_kji, 60, dtype=np.int16), matrix), Acquisition("made"))


def a_mask(*boxes, shape_kji=(12, 60, 60)) -> np.ndarray:
    """Mark boxes of voxels: (k, j, i) slices each."""
    mask = np.zeros(shape_kji, dtype=bool)
    for box in boxes:
        mask[box] = True
    return mask


TURNED = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]) @ np.array(
    [[1.0, 0.0, 0.0], [0.0, 0.96, -0.28], [0.0, 0.28, 0.96]]
)


@pytest.mark.parametrize("rotation", [None, TURNED])
def test_volume_is_the_count_times_the_voxel(rotation):
    """2 x 20 x 10 voxels of 5 mm³ are 2 mL, straight and oblique."""
    mask = a_mask(np.s_[3:5, 10:30, 10:20])
    result = measure_segmentation(a_scan(rotation=rotation), mask, known=NOTHING_KNOWN)
    assert result.finding("volume_ml").value == pytest.approx(2.0)
    low, high = result.finding("volume_ml").interval.low, result.finding("volume_ml").interval.high
    assert low < 2.0 < high


def test_slice_areas_times_spacing_add_up_to_the_volume():
    """20 x 10 mm on two slices are 2 cm² each; times 0.5 cm they are 2 mL."""
    result = measure_segmentation(a_scan(), a_mask(np.s_[3:5, 10:30, 10:20]), known=NOTHING_KNOWN)
    rows = result.table("slices").rows
    assert [row[2] for row in rows] == pytest.approx([2.0, 2.0])
    assert sum(row[3] for row in rows) == pytest.approx(result.finding("volume_ml").value)


def test_components_run_from_large_to_small_and_add_up():
    """Boxes of 2 mL and 0.5 mL are two components with their own centers."""
    mask = a_mask(np.s_[3:5, 10:30, 10:20], np.s_[8:9, 40:50, 40:50])
    rows = measure_segmentation(a_scan(), mask, known=NOTHING_KNOWN).table("components").rows
    assert [row[1] for row in rows] == pytest.approx([2.0, 0.5])
    assert rows[0][2:5] == pytest.approx((14.5, 19.5, 17.5))
    assert rows[0][7] == pytest.approx(60.0)


def test_nothing_found_is_a_result_with_a_zero_row():
    """An empty mask gives 0 mL, no formula value and one row of zero, never an error."""
    result = measure_segmentation(a_scan(), a_mask(), known=NOTHING_KNOWN)
    assert result.finding("volume_ml").value == 0.0
    assert result.table("components").rows == ((0, 0.0, None, None, None, None, None, None),)
    assert result.finding("abc2_simple_ml").value is None
    assert result.finding("abc2_simple_ml").note == "nothing was found"
    assert result.lines == ()


def a_kothari_mask() -> np.ndarray:
    """Five slices of 5 mm: a plus of A = 50 and B = 40 mm, and others of 80, 60, 30 and 20 % of its area.

    The largest slice holds 50 + 39 voxels plus a block that makes 150; the others are rows of voxels.
    """
    mask = np.zeros((12, 60, 60), dtype=bool)
    mask[5, 30, 5:55] = True
    mask[5, 10:50, 30] = True
    extra = np.argwhere(~mask[5, 20:40, 20:40])[:61] + 20
    mask[5, extra[:, 0], extra[:, 1]] = True
    inside = np.argwhere(mask[5])
    order = np.argsort(np.abs(inside - (30, 30)).sum(axis=1), kind="stable")
    for index, count in ((6, 120), (4, 90), (7, 45), (3, 30)):
        chosen = inside[order[:count]]
        mask[index, chosen[:, 0], chosen[:, 1]] = True
    return mask


def test_abc2_follows_kothari_under_both_rules():
    """Areas of 100, 80, 60, 30 and 20 % weigh 1, 1, 0.5, 0.5 and 0: C is 1.5 cm, or 2.5 cm when all count."""
    result = measure_segmentation(a_scan(), a_kothari_mask(), known=NOTHING_KNOWN)
    lengths = {line.key: line.length_mm for line in result.lines}
    assert lengths["abc_c_weighted"] == pytest.approx(15.0)
    assert lengths["abc_c_simple"] == pytest.approx(25.0)
    product = lengths["abc_a"] / 10 * lengths["abc_b"] / 10
    assert result.finding("abc2_weighted_ml").value == pytest.approx(product * 1.5 / 2)
    assert result.finding("abc2_simple_ml").value == pytest.approx(product * 2.5 / 2)
    assert result.finding("abc3_ml").value == pytest.approx(product * 2.5 / 3)
    assert (lengths["abc_a"], lengths["abc_b"]) == pytest.approx((50, 40), abs=1)


def test_a_5_4_and_weighted_c_of_1_5_cm_are_15_ml():
    """The worked example: A 5 cm, B 4 cm, slices of 100, 80, 60, 30 and 20 % of 0.5 cm are 15.0 mL."""
    from ctinsight.scores.abc2 import abc2_ml, c_cm, slice_weights

    weighted = slice_weights([100, 80, 60, 30, 20], "weighted")
    assert abc2_ml(5, 4, c_cm(weighted, 5.0)) == pytest.approx(15.0)


def test_each_formula_states_its_difference_to_the_segmentation():
    """Difference in mL is formula minus segmentation, and in % of the segmentation."""
    result = measure_segmentation(a_scan(), a_kothari_mask(), known=NOTHING_KNOWN)
    reference = result.finding("largest_volume_ml").value
    for key, _name in FORMULAS:
        value = result.finding(f"{key}_ml").value
        assert result.finding(f"{key}_difference_ml").value == pytest.approx(value - reference)
        percent = result.finding(f"{key}_difference_percent").value
        assert percent == pytest.approx(100 * (value - reference) / reference)


def test_two_components_have_formulas_of_the_largest_and_of_the_sum():
    """Two equal boxes: the sum of the formulas is twice that of the largest, and so is the segmentation."""
    mask = a_mask(np.s_[3:5, 10:30, 10:20], np.s_[8:10, 10:30, 40:50])
    rows = measure_segmentation(a_scan(), mask, known=NOTHING_KNOWN).table("formulas").rows
    largest = [row for row in rows if row[1] == "largest component"]
    both = [row for row in rows if row[1] == "sum over components"]
    for one, two in zip(largest, both, strict=True):
        assert two[2:4] == pytest.approx((2 * one[2], 2 * one[3]))


def test_c_is_drawn_through_the_whole_height():
    """Slices 3 and 4 of 5 mm reach from S = 12.5 to 22.5 mm, and C stands on the middle of A."""
    result = measure_segmentation(a_scan(), a_mask(np.s_[3:5, 10:30, 10:20]), known=NOTHING_KNOWN)
    line = next(line for line in result.lines if line.key == "abc_c_simple")
    assert sorted((line.start_ras[2], line.end_ras[2])) == pytest.approx([12.5, 22.5])


def test_side_is_the_patients():
    """A box whose center has R = -14.5 mm lies left of a plane through the origin."""
    from ctinsight.regions.midline import Plane
    from ctinsight.tasks.hematoma.findings import measure_mask

    scan = a_scan()
    flipped = Volume(scan.volume.array_kji, np.diag([-1.0, 1.0, 5.0, 1.0]))
    plane = Plane((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    measured = measure_mask(a_mask(np.s_[3:5, 10:30, 10:20]), flipped, plane)
    assert measured.sides == (Side.LEFT,)


def test_a_mask_of_another_shape_is_refused():
    """Measuring a mask on the wrong grid would give a wrong volume."""
    with pytest.raises(GeometryError, match="mask of shape"):
        measure_segmentation(a_scan(), np.zeros((3, 4, 5), dtype=bool), known=NOTHING_KNOWN)


def test_limits_and_research_use_stand_in_every_result():
    """One class only, how ABC/2 was taken, the sources of error, and research use."""
    result = measure_segmentation(a_scan(), a_mask(), Parameters(), NOTHING_KNOWN)
    text = " ".join(result.statements)
    for words in ("Not a medical device", "not told apart", "largest component", "partial volume", "edited"):
        assert words in text


def test_the_manifest_says_how_and_with_what():
    """Method, tier, versions, seconds, geometry and a checksum of the voxels, and that a person edited."""
    manifest = measure_segmentation(a_scan(), a_mask(), known=NOTHING_KNOWN).manifest
    assert manifest["edited"] is True
    assert manifest["tier"] == "without weights"
    assert len(manifest["input"]["voxels_sha256"]) == 64
    assert manifest["input"]["spacing_ijk_mm"] == [1.0, 1.0, 5.0]
    assert {"numpy", "scipy", "SimpleITK", "python"} <= manifest["software"].keys()
    assert "measuring" in manifest["stage_seconds"]


@pytest.mark.parametrize(
    ("box", "place"),
    [
        (np.s_[0:2, 10:30, 10:20], "bottom 2.0 cm2"),
        (np.s_[10:12, 10:30, 10:20], "top 2.0 cm2"),
        (np.s_[3:5, 0:20, 10:20], "back 1.0 cm2"),
        (np.s_[3:5, 10:30, 50:60], "right 2.0 cm2"),
    ],
)
def test_a_lesion_cut_by_the_image_is_at_least_so_large(box, place):
    """A box of 2 mL that touches a border warns, names the patient's side and is a lower bound."""
    result = measure_segmentation(a_scan(), a_mask(box), known=NOTHING_KNOWN)
    check = next(c for c in result.checks if c.key == "lesion_at_edge")
    assert (check.outcome, place in check.measured) == ("warn", True)
    for key in ("volume_ml", "largest_volume_ml"):
        assert result.finding(key).note == "touches the edge of the image: at least 2.0 mL"
    assert any("at least 2.0 mL" in words for words in result.statements)


def test_only_the_component_that_is_cut_is_said_to_be():
    """The largest lies inside; the total is a lower bound all the same."""
    mask = a_mask(np.s_[3:5, 10:30, 10:20], np.s_[11:12, 40:50, 40:50])
    result = measure_segmentation(a_scan(), mask, known=NOTHING_KNOWN)
    assert result.finding("volume_ml").note == "touches the edge of the image: at least 2.5 mL"
    assert result.finding("largest_volume_ml").note == ""


@pytest.mark.parametrize(
    ("padding", "place"), [(np.s_[:3], "bottom 2.0 cm2"), (np.s_[:, 5:50, 20:22], "filled area 2.0 cm2")]
)
def test_filled_planes_and_voxels_are_an_edge_as_well(padding, place):
    """What the scanner padded with -1024 HU, below or beside the lesion, was not scanned."""
    volume = a_scan().volume
    array = volume.array_kji.copy()
    array[padding] = -1024
    scan = Scan(Volume(array, volume.grid.ijk_to_ras), Acquisition("made"))
    result = measure_segmentation(scan, a_mask(np.s_[3:5, 10:30, 10:20]), known=NOTHING_KNOWN)
    assert result.finding("volume_ml").note.endswith("at least 2.0 mL")
    assert place in result.checks[-1].measured


def test_a_lesion_inside_the_image_passes_and_is_judged_anew_after_an_edit():
    """An earlier warning, handed over with the checks, does not stay beside the new one."""
    cut = measure_segmentation(a_scan(), a_mask(np.s_[0:2, 10:30, 10:20]), known=NOTHING_KNOWN)
    inside = a_mask(np.s_[3:5, 10:30, 10:20])
    result = measure_segmentation(a_scan(), inside, known=Known(cut.checks))
    assert [c.outcome for c in result.checks if c.key == "lesion_at_edge"] == ["pass"]
    assert result.finding("volume_ml").note == ""


A_CARD = {"name": "hematoma-drunet", "version": "1", "sha256": "ab" * 32}
BY_NETWORK = Parameters(method="drunet")


def test_an_edited_outline_keeps_the_model_that_made_the_first_one():
    """Card, weights and a sentence stand in the result of the edit, which says that a person edited."""
    known = Known(model_card=A_CARD)
    result = measure_segmentation(a_scan(), a_mask(np.s_[3:5, 10:30, 10:20]), BY_NETWORK, known)
    assert result.manifest["model_card"] == A_CARD
    assert result.manifest["tier"] == "with weights"
    assert result.manifest["weights"] == "hematoma-drunet 1 (SHA-256 abababababab)"
    assert result.manifest["edited"] is True
    assert any("before editing was made by DR-UNet with hematoma-drunet 1" in s for s in result.statements)


def test_a_lost_model_card_is_not_called_without_weights():
    """Who forgets to hand it over reads that the weights are not recorded."""
    result = measure_segmentation(a_scan(), a_mask(), BY_NETWORK, NOTHING_KNOWN)
    assert (result.manifest["tier"], result.manifest["model_card"]) == ("with weights", None)
    assert "not recorded" in result.manifest["weights"]


def test_only_the_card_known_means_that_the_rest_is_found():
    """Without checks they are made; what has no brain in it is measured without sides."""
    result = measure_segmentation(a_scan(), a_mask(), BY_NETWORK, Known(checks=None, model_card=A_CARD))
    assert {"field_of_view", "lesion_at_edge"} <= {c.key for c in result.checks}
    assert result.manifest["model_card"] == A_CARD
