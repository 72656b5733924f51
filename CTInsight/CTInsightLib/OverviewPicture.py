"""``overview.png``: the axial slices that the core drew, beside two 3-D views of the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import vtk
from vtk.util import numpy_support

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.report import RESULT_FILES
from ctinsight.report.wording import display_number
from ctinsight.terms import terms
from CTInsightLib.ThreeDView import BACKGROUND_RGB, Caption, ThreeDView, ViewFrom

if TYPE_CHECKING:
    from pathlib import Path

    from ctinsight.result import CaseResult, Segmentation
    from CTInsightLib.CaseOutput import CaseNodes
    from CTInsightLib.HeadlessScene import HeadlessScene

#: Pixels. The margins are those of the axial picture, so that both look as one.
_VIEW_WIDTH, _PAGE_HEIGHT_ALONE, _MARGIN, _GUTTER = 860, 1258, 28, 8
_NOTICE_RGB = (230 / 255, 184 / 255, 77 / 255)


def writeOverview(headless: HeadlessScene, result: CaseResult, nodes: CaseNodes, folder: Path) -> None:
    """Write the overview picture of a scene into the result folder.

    Parameters
    ----------
    headless
        The scene that holds the nodes.
    result, nodes
        What was found, and the nodes that hold it; the body surface fills the views.
    folder
        Where the core's axial picture lies; where that is absent the 3-D views stand alone.
    """
    axialPicture = folder / RESULT_FILES["axial_picture"]
    axial = _readPng(axialPicture) if axialPicture.is_file() else None
    height = axial.shape[0] if axial is not None else _PAGE_HEIGHT_ALONE
    column = _viewColumn(headless, result, nodes, height)
    picture = column if axial is None else np.hstack([axial[:, :, :3], column])
    _writePng(picture, folder / RESULT_FILES["overview"])


def _viewColumn(headless: HeadlessScene, result: CaseResult, nodes: CaseNodes, height: int) -> np.ndarray:
    viewHeight = (height - 2 * _MARGIN - _GUTTER) // 2
    bounds = [0.0] * 6
    nodes.surface.GetRASBounds(bounds)
    captions = (_segmentCaptions(result), (Caption(RESEARCH_USE_ONLY, (0.02, 0.015), 18, rgb=_NOTICE_RGB),))
    page = np.empty((height, _VIEW_WIDTH + _MARGIN, 3), dtype=np.uint8)
    page[:] = np.round(np.array(BACKGROUND_RGB) * 255)
    directions = (ViewFrom.FRONT, lateralView(result.segmentation))
    view = ThreeDView(headless, "CTInsight", (_VIEW_WIDTH, viewHeight))
    for number, (direction, texts) in enumerate(zip(directions, captions, strict=True)):
        top = _MARGIN + number * (viewHeight + _GUTTER)
        page[top : top + viewHeight, :_VIEW_WIDTH] = view.picture(direction, tuple(bounds), texts)
    view.close()
    return page


#: More captions would reach into the view.
MOST_CAPTIONS = 3


def lateralView(segmentation: Segmentation) -> ViewFrom:
    """Return the side from which the findings are nearest; the patient's left when there are none."""
    k, j, i = np.nonzero(segmentation.labelmap_kji)
    if len(k) == 0:
        return ViewFrom.LEFT
    center_ijk = (np.array(segmentation.grid.shape_kji[::-1]) - 1) / 2
    finding_ras = segmentation.grid.ras_from_ijk((i.mean(), j.mean(), k.mean()))
    towardsRight = finding_ras[0] - segmentation.grid.ras_from_ijk(center_ijk)[0]
    return ViewFrom.RIGHT if towardsRight > 0 else ViewFrom.LEFT


def _segmentCaptions(result: CaseResult) -> tuple[Caption, ...]:
    labels = result.segmentation.labelmap_kji
    sized = [(segment, np.count_nonzero(labels == segment.label)) for segment in result.segmentation.segments]
    shown = [(segment, voxels) for segment, voxels in sized if voxels] or sized
    lines = []
    for segment, voxels in shown[:MOST_CAPTIONS]:
        volumeMl = int(voxels) * result.segmentation.grid.voxel_volume_ml
        words = f"{display_number(volumeMl)} mL" if voxels else "nothing found"
        color = tuple(value / 255 for value in terms()[segment.term].color_rgb)
        lines.append((f"{segment.name}: {words}", color))
    if len(shown) > MOST_CAPTIONS:
        lines.append((f"and {len(shown) - MOST_CAPTIONS} more", lines[-1][1]))
    return tuple(
        Caption(text, (0.98, 0.985 - 0.05 * line), 19, rgb=color) for line, (text, color) in enumerate(lines)
    )


def _readPng(path: Path) -> np.ndarray:
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutput()
    columns, rows, _ = image.GetDimensions()
    pixels = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return pixels.reshape(rows, columns, -1)[::-1]


def _writePng(pixels: np.ndarray, path: Path) -> None:
    rows, columns, _ = pixels.shape
    image = vtk.vtkImageData()
    image.SetDimensions(columns, rows, 1)
    flat = np.ascontiguousarray(pixels[::-1]).reshape(-1, 3)
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(flat, deep=True))
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    writer.Write()
