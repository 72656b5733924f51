"""A surface with values becomes a coloured model that follows its segmentation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctinsight.files.polydata import read_surface, write_surface
from ctinsight.result import Surface
from CTInsightLib.CaseOutput import CaseOutput
from CTInsightLib.ValueSurface import findValueSurface, polyDataOf
from CTInsightLib.VolumeBridge import addVolumeNode


@pytest.fixture
def surface():
    """Return a triangle at the patient's left with a thickness at each corner."""
    vertices = np.array([[-20.0, 30.0, 5.0], [-20.0, 40.0, 5.0], [-20.0, 30.0, 15.0]])
    values = np.array([1.0, 2.0, 4.0])
    return Surface(
        "bone_thickness", "Bone by thickness", vertices, np.array([[0, 1, 2]]), values, "thickness", "mm"
    )


def test_poly_data_holds_places_and_values(surface):
    """Points are RAS, and the scalars are the values under a name with the unit."""
    polyData = polyDataOf(surface)
    assert polyData.GetPoint(1) == (-20.0, 40.0, 5.0)
    assert polyData.GetPointData().GetScalars().GetName() == "thickness_mm"
    assert polyData.GetPointData().GetScalars().GetTuple1(2) == 4.0


def test_the_model_follows_its_segmentation(case, headless, surface):
    """A recomputed result fills the same model node with its new values."""
    volumeNode = addVolumeNode(headless.scene, case.scan.volume, "CT")
    output = CaseOutput(headless.scene)
    nodes = output.write(replace(case.result, surface=surface), volumeNode)
    model = findValueSurface(headless.scene, "bone_thickness", nodes.segmentation)
    output.rewriteNumbers(replace(case.result, surface=replace(surface, values=surface.values + 1)), nodes)
    assert findValueSurface(headless.scene, "bone_thickness", nodes.segmentation) is model
    assert model.GetPolyData().GetPointData().GetScalars().GetTuple1(0) == 2.0
    assert model.GetDisplayNode().GetScalarVisibility()


def test_slicer_reads_the_file_at_the_same_place(tmp_path, headless, surface):
    """The file of the core says that it is LPS; the model's storage node brings it to RAS."""
    path = tmp_path / "surface.vtk"
    write_surface(surface, path)
    storage = headless.scene.AddNewNodeByClass("vtkMRMLModelStorageNode")
    model = headless.scene.AddNewNodeByClass("vtkMRMLModelNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(model)
    assert model.GetPolyData().GetPoint(1) == pytest.approx((-20.0, 40.0, 5.0))
    assert read_surface(path).vertices_ras == pytest.approx(surface.vertices_ras)
