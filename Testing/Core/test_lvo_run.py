"""LVODetect without weights: sides, numbers of the dense vessel, gate, bleed, files."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ctinsight.errors import InputRefusedError, WrongUseError
from ctinsight.files import read_scan, write_volume
from ctinsight.finding import Outcome, Side
from ctinsight.phantoms import Ellipsoid, HeadSpec, Pose, head_grid, head_phantom
from ctinsight.phantoms.vessels import dense_basilar, dense_m1
from ctinsight.progress import Progress
from ctinsight.regions.corridors import centrelines, landmarks
from ctinsight.report import read_result, write_result
from ctinsight.tasks.lvo import Parameters, Prepared, conclude, prepare, run
from ctinsight.tasks.lvo.suitability import check_registration
from ctinsight.volume import Acquisition, Scan

if TYPE_CHECKING:
    from pathlib import Path

    from ctinsight.result import CaseResult

PHANTOM = Parameters(template="phantom")
CLOT = dense_m1(Side.LEFT, 14.0, mean_hu=68.0)


def head_scan(*lesions, spacing=(1.0, 1.0, 1.25), **spec) -> Scan:
    """Draw a head with lesions."""
    case = head_phantom(HeadSpec(grid=head_grid(spacing), lesions=lesions, sample_mm=3, **spec))
    return Scan(case.volume, Acquisition("phantom"))


@pytest.fixture(scope="module")
def a_scan() -> Scan:
    """Return a nodding, turned head whose left M1 has 68 HU over 14 mm; its basilar is dense too."""
    return head_scan(CLOT, dense_basilar(), pose=Pose((6.0, -5.0, 9.0), (4.0, -6.0, 3.0)), seed=2)


@pytest.fixture(scope="module")
def a_case(a_scan: Scan) -> Prepared:
    """Return it, checked and brought to its template."""
    return prepare(a_scan, PHANTOM, Progress())


@pytest.fixture(scope="module")
def its_result(a_case: Prepared) -> CaseResult:
    """Return what is found in it."""
    return conclude(a_case, Progress())


def test_the_dense_vessel_is_found(its_result: CaseResult) -> None:
    """One candidate: M1 at the patient's left, its length within 3 mm, its attenuation within 10 HU."""
    table = its_result.table("candidates")
    (row,) = (dict(zip([c.key for c in table.columns], row, strict=True)) for row in table.rows)
    assert (row["side"], row["corridor"], row["calcified"]) == ("left", "M1", "no")
    assert row["length_mm"] == pytest.approx(14.0, abs=3.0)
    assert row["hu"] == pytest.approx(68.0, abs=10.0)
    assert row["ratio"] > 1.2


def test_it_lies_where_it_was_drawn(a_scan: Scan, its_result: CaseResult) -> None:
    """The middle of the segment is the middle of the clot, within 2 mm."""
    mask = its_result.segmentation.mask_kji("candidate_left")
    middle = a_scan.volume.grid.ras_from_ijk(np.argwhere(mask).mean(axis=0)[::-1])
    drawn = Pose((6.0, -5.0, 9.0), (4.0, -6.0, 3.0)).to_ras(np.add(CLOT.start, CLOT.end) / 2)
    assert np.linalg.norm(middle - drawn) < 2.0


def test_it_is_never_called_probable(its_result: CaseResult) -> None:
    """No finding has a probability; the statements say what it is and what is not covered."""
    said = " ".join(its_result.statements)
    assert not [f for f in its_result.findings if "probab" in f.name.lower()]
    assert "never a probability" in said
    assert "Not covered: posterior circulation" in said


@pytest.mark.slow
def test_nothing_in_an_even_head() -> None:
    """A head without a dense vessel gives an explicit none, and reasons for what does not apply."""
    result = run(head_scan(seed=4), PHANTOM)
    assert result.finding("dense_vessels").value == "none"
    assert result.finding("candidate_hu").note == "no candidate"


@pytest.mark.slow
def test_calcification_is_flagged() -> None:
    """A dense stretch of 150 HU is called calcified."""
    result = run(head_scan(dense_m1(Side.RIGHT, 10.0, mean_hu=150.0), seed=1), PHANTOM)
    assert result.finding("candidate_side").value == "right"
    assert result.finding("candidate_calcified").value == "yes"


def test_a_poor_registration_withholds(a_case: Prepared) -> None:
    """Below the gate neither candidates nor territories are given, and the check says why."""
    poor = replace(a_case.alignment.quality, correlation=0.6)
    check = check_registration(poor, least_score=a_case.parameters.least_registration_score)
    result = conclude(replace(a_case, reliable=False, checks=(check,)), Progress())
    assert result.finding("dense_vessels").value is None
    assert "withheld" in result.finding("dense_vessels").note
    assert [layer.key for layer in result.layers] == ["hemispheres"]
    assert check.outcome is Outcome.WARN
    assert "Withheld" in check.remedy


def test_a_bleed_stops() -> None:
    """A bleed of 7.5 mL refuses the case; asked for in spite of it, it runs and says so."""
    scan = head_scan(Ellipsoid((-30.0, -5.0, 20.0), (12.0, 15.0, 10.0)), spacing=(1.5, 1.5, 2.5))
    with pytest.raises(InputRefusedError, match="Bleed"):
        run(scan, PHANTOM)
    case = prepare(scan, Parameters(template="phantom", despite_bleed=True), Progress())
    result = conclude(replace(case, reliable=False), Progress())
    assert any("in spite of it" in line for line in result.statements)


def test_contrast_is_refused(a_scan: Scan) -> None:
    """A series that names contrast medium is refused."""
    enhanced = Scan(a_scan.volume, Acquisition("DICOM", modality="CT", contrast_agent="IOHEXOL"))
    with pytest.raises(InputRefusedError, match="Contrast"):
        run(enhanced, PHANTOM)


def test_as_published_is_one_sided_and_says_so(a_case: Prepared, its_result: CaseResult) -> None:
    """The published map lies on the patient's right half alone, under the name left_brain."""
    chosen = Parameters(template="phantom", as_published=True)
    published = conclude(replace(a_case, parameters=chosen), Progress())
    halves = published.layers[0].segmentation
    (image,) = (i for i in published.images if i.key == "difference")
    assert image.volume.array_kji[halves.labelmap_kji != 2].max() == 0
    assert image.volume.array_kji.min() == 0
    assert "left_brain" in next(s.name for s in halves.segments if s.key == "half_right")
    assert published.finding("candidate_side").value == its_result.finding("candidate_side").value


@pytest.mark.parametrize("ending", ["nrrd", pytest.param("nii.gz", marks=pytest.mark.slow)])
def test_flipped_storage_keeps_the_side(tmp_path: Path, ending: str) -> None:
    """Stored from left to right, front to back and top to bottom, obliquely, in RAS or LPS: still left."""
    grid = head_grid((1.0, 1.0, 1.25), flip_ijk=(False, True, True), rotation_degrees=(8.0, 5.0, 10.0))
    case = head_phantom(HeadSpec(grid=grid, lesions=(CLOT,), sample_mm=3))
    write_volume(case.volume, tmp_path / f"head.{ending}")
    result = run(read_scan(tmp_path / f"head.{ending}"), PHANTOM)
    assert result.finding("candidate_side").value == "left"


def test_a_drawn_candidate_is_measured_as_drawn(a_case: Prepared) -> None:
    """A drawn ball of 4 mm radius at the right M1 is one candidate: right, 8 mm long, called edited."""
    grid = a_case.scan.volume.grid
    middle = Pose((6.0, -5.0, 9.0), (4.0, -6.0, 3.0)).to_ras(np.array([20.0, 4.0, -17.0]))
    ijk = np.stack(np.indices(grid.shape_kji)[::-1], axis=-1)
    drawn = np.linalg.norm(grid.ras_from_ijk(ijk) - middle, axis=-1) <= 4.0
    result = conclude(replace(a_case, drawn_kji=drawn), Progress())
    assert result.finding("dense_vessels").value == "M1 right"
    assert result.finding("candidate_length_mm").value == pytest.approx(8.0, abs=1.5)
    assert result.manifest["edited"]


def test_files_come_back(a_scan: Scan, its_result: CaseResult, tmp_path: Path) -> None:
    """Everything is written, named in result.json and read back."""
    written = write_result(its_result, a_scan, tmp_path / "out")
    document = json.loads(written.files["result"].read_text(encoding="utf-8"))
    assert {"territories", "arteries", "hemispheres", "difference", "mca_prior"} <= set(document["files"])
    back = read_result(tmp_path / "out")
    assert back.result.finding("candidate_side").value == "left"


def test_parameters_survive_plain_values() -> None:
    """Parameters come back from their own plain form; an unknown name is refused."""
    given = Parameters(template="phantom", deformable=True)
    assert Parameters.from_dict(given.as_dict()) == given
    with pytest.raises(WrongUseError, match="corridor"):
        Parameters.from_dict({"evidence": {"corridor": 3}})


@pytest.mark.parametrize("template", ["mni-head-ct", "phantom-head"])
def test_every_landmark_has_a_reason(template: str) -> None:
    """Landmarks have a reason, an uncertainty below the corridor's radius, and vessels that join."""
    marks = landmarks(template)
    assert all(len(m.reason) > 20 and 0 < m.uncertainty_mm <= 6 for m in marks)
    lines = {(line.vessel, line.side): line.points_ras for line in centrelines(template)}
    assert np.allclose(lines["ICA-T", Side.LEFT][-1], lines["M1", Side.LEFT][0])
    assert np.allclose(lines["M1", Side.RIGHT][-1], lines["M2 inferior", Side.RIGHT][0])
    assert lines["M1", Side.LEFT][:, 0].max() < 0 < lines["M1", Side.RIGHT][:, 0].min()
