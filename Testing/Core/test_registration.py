"""A head is brought to a template and back: by symmetry, affine, and deformed; territories follow."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from ctinsight.finding import Side
from ctinsight.phantoms import Ellipsoid, HeadSpec, PhantomCase, Pose, head_grid, head_phantom
from ctinsight.phantoms.cranium import Cranium
from ctinsight.regions.arterial_atlas import liu_territories, mni_template, territories_on_mni
from ctinsight.regions.bleed import find_bleeds
from ctinsight.regions.carry import carried
from ctinsight.regions.hemispheres import (
    LEFT_LABEL,
    RIGHT_LABEL,
    DifferenceOptions,
    hemispheres,
    hemispheric_difference,
    published_difference,
)
from ctinsight.regions.midline import Plane, midsagittal_plane
from ctinsight.regions.phantom_template import phantom_template
from ctinsight.regions.registration import Alignment, Head, align

SCALE = (0.96, 1.01, 0.97)


@pytest.fixture(scope="module")
def a_turned_head() -> PhantomCase:
    """Return a narrow head, nodding and turned, with a bleed of 7.5 mL on its left."""
    bleed = Ellipsoid((-30.0, -5.0, 20.0), (12.0, 15.0, 10.0))
    pose = Pose((8.0, -6.0, 12.0), (5.0, -12.0, 9.0))
    return head_phantom(
        HeadSpec(
            grid=head_grid((1.5, 1.5, 3.0)),
            seed=3,
            cranium=Cranium(SCALE),
            pose=pose,
            lesions=(bleed,),
            sample_mm=3,
        )
    )


@pytest.fixture(scope="module")
def its_midplane(a_turned_head: PhantomCase) -> Plane:
    """Return the plane found by symmetry."""
    return midsagittal_plane(a_turned_head.volume, a_turned_head.brain_kji)


@pytest.fixture(scope="module")
def its_alignment(a_turned_head: PhantomCase, its_midplane: Plane) -> Alignment:
    """Return the affine alignment with the phantom's own template."""
    return align(Head(a_turned_head.volume, a_turned_head.brain_kji, its_midplane), phantom_template())


def brain_points(case: PhantomCase) -> np.ndarray:
    """Return about a hundred brain voxels, RAS mm."""
    kji = np.argwhere(case.brain_kji)
    return case.volume.grid.ras_from_ijk(kji[:: len(kji) // 100][:, ::-1])


def test_affine_error(a_turned_head: PhantomCase, its_alignment: Alignment) -> None:
    """A turned, nodding, scaled head comes to its template within 1 mm (95th percentile 1.5 mm)."""
    points = brain_points(a_turned_head)
    truth = a_turned_head.spec.pose.to_head(points) / SCALE
    error = np.linalg.norm(its_alignment.to_template(points) - truth, axis=1)
    assert error.mean() < 1.0
    assert np.percentile(error, 95) < 1.5


def test_there_and_back(a_turned_head: PhantomCase, its_alignment: Alignment) -> None:
    """The way back undoes the way there."""
    points = brain_points(a_turned_head)
    assert np.allclose(its_alignment.to_patient(its_alignment.to_template(points)), points, atol=1e-6)


def test_a_good_alignment_says_so(its_alignment: Alignment) -> None:
    """The score of a right alignment is far above the gate of 0.7."""
    assert its_alignment.quality.score > 0.85


def test_a_deformation_is_invertible(
    a_turned_head: PhantomCase, its_midplane: Plane, its_alignment: Alignment
) -> None:
    """With a deformation the way back meets the start within 0.2 mm, and the images agree better."""
    head = Head(a_turned_head.volume, a_turned_head.brain_kji, its_midplane)
    found = align(head, phantom_template(), deformable=True)
    points = brain_points(a_turned_head)
    assert np.abs(found.to_patient(found.to_template(points)) - points).max() < 0.2
    assert found.quality.correlation > its_alignment.quality.correlation


def test_territories_keep_their_side(a_turned_head: PhantomCase, its_alignment: Alignment) -> None:
    """At least 97 % of the voxels of each left territory lie at the patient's left."""
    template = phantom_template()
    grid = a_turned_head.volume.grid
    labels = carried(
        template.labels_kji, template.label_grid, its_alignment, within_kji=a_turned_head.brain_kji, grid=grid
    )
    ras = grid.ras_from_ijk(np.argwhere(np.isin(labels, (1, 3, 5, 7)))[:, ::-1])
    assert np.mean(a_turned_head.spec.pose.to_head(ras)[:, 0] < 0) > 0.97


def test_hemispheres_are_the_patients(a_turned_head: PhantomCase, its_midplane: Plane) -> None:
    """The bleed at the patient's left lies in the half called left, whatever the storage."""
    halves = hemispheres(a_turned_head.brain_kji, a_turned_head.volume.grid, its_midplane)
    inside = halves[a_turned_head.truth_kji]
    assert (inside == LEFT_LABEL).all()
    assert abs((halves == LEFT_LABEL).sum() / (halves == RIGHT_LABEL).sum() - 1) < 0.05


def test_difference_has_two_signs(a_turned_head: PhantomCase, its_midplane: Plane) -> None:
    """A dense place is positive where it lies and negative, by as much, opposite."""
    case = a_turned_head
    signed = hemispheric_difference(case.volume, case.brain_kji, its_midplane)
    ijk = np.argwhere(case.truth_kji)[:, ::-1]
    mirrored = case.volume.grid.ijk_from_ras(its_midplane.mirrored(case.volume.grid.ras_from_ijk(ijk)))
    i, j, k = np.rint(mirrored).astype(int).T
    assert np.median(signed[case.truth_kji]) > 15
    assert abs(np.median(signed[k, j, i]) + np.median(signed[case.truth_kji])) < 3


def test_published_difference(shared) -> None:
    """The arithmetic of the published map is met exactly."""
    reference = np.load(shared / "reference/lvo/difference_map_reference.npz")
    left, right, wanted = (reference[name] for name in ("left", "right_registered", "difference"))
    assert np.abs(published_difference(left, right, DifferenceOptions()) - wanted).max() < 1e-4


def test_a_bleed_is_noticed(a_turned_head: PhantomCase) -> None:
    """A bleed of 7.5 mL is found where it lies, within 20 % of its volume."""
    (found,) = find_bleeds(a_turned_head.volume, a_turned_head.brain_kji)
    centre = a_turned_head.spec.pose.to_ras(np.array([-30.0, -5.0, 20.0]))
    assert np.linalg.norm(np.array(found.center_ras) - centre) < 3
    assert abs(found.volume_ml / 7.54 - 1) < 0.2


def test_no_bleed_without_one() -> None:
    """A phantom without blood has no bleed: sinuses, falx and calcifications are none."""
    case = head_phantom(HeadSpec(grid=head_grid((1.5, 1.5, 5.0)), seed=5, sample_mm=3))
    assert find_bleeds(case.volume, case.brain_kji) == ()


def test_the_atlas_is_the_catalogued_one(shared) -> None:
    """The labels, moved onto the MNI grid, have the checksum of the catalogue's derived file."""
    labels, grid = territories_on_mni(shared / "atlas/ArterialAtlas_padding_182.nii.gz")
    wanted = "8872423b08a596e1c659e345e93c0560d362e8705a498df0ab8d815c00b9ba8b"
    stored = np.ascontiguousarray(labels)
    sums = {hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest() for a in (stored, stored.T)}
    assert wanted in sums
    assert grid.ijk_to_ras[:3, 3].tolist() == [-91.0, -126.0, -72.0]


def test_every_liu_territory_lies_on_its_side(shared) -> None:
    """Odd labels are left: the centroid of each territory lies on the side of its name."""
    labels, grid = territories_on_mni(shared / "atlas/ArterialAtlas_padding_182.nii.gz")
    for territory in liu_territories():
        x = grid.ras_from_ijk(np.argwhere(labels == territory.label)[:, ::-1])[:, 0].mean()
        assert (x < 0) == (territory.side is Side.LEFT), territory.name


def test_the_ct_template_is_in_hu(shared) -> None:
    """Brain of the public template reads 20 to 40 HU, and the MCA prior is symmetric."""
    atlas = shared / "atlas"
    template = mni_template(atlas / "scct.nii", atlas / "ArterialAtlas_padding_182.nii.gz")
    middle = template.volume.array_kji[template.brain_kji]
    assert 20 < np.median(middle) < 40
    assert np.allclose(template.mca_prior_kji[90, 120, 91 + 45], template.mca_prior_kji[90, 120, 91 - 45])
