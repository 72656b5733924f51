"""DICOM CT series to a :class:`~ctinsight.volume.Scan`: slice positions decide, not tags.

The only place, with :mod:`ctinsight.files`, that meets DICOM's left-posterior-superior coordinates.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ctinsight.dicom.headers import files_below, read_frames
from ctinsight.dicom.options import ReadOptions
from ctinsight.dicom.pixels import HounsfieldReader
from ctinsight.dicom.regrid import Placement, fill, place
from ctinsight.dicom.series import Series, choose_series, group_series
from ctinsight.dicom.stack import Stack, build_stack, drop_doubles, find_holes, gap_error
from ctinsight.dicom.values import looks_like_dicom
from ctinsight.errors import GeometryError, UnreadableFileError
from ctinsight.volume import Acquisition, Scan, Volume

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ReadOptions", "Series", "list_series", "looks_like_dicom", "read_dicom"]

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_DEFAULT = ReadOptions()


def list_series(source: Path | Iterable[Path]) -> tuple[Series, ...]:
    """List the image series in a folder (with its sub-folders) or among some files.

    Files that are not DICOM images are passed over.
    """
    return _series(source)[0]


def _series(source: Path | Iterable[Path]) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    frames, others = read_frames(files_below(source) if isinstance(source, Path) else source)
    notes = (
        (f"{others} files that are no DICOM image, or a damaged one, were passed over.",) if others else ()
    )
    return tuple(group_series(frames)), notes


def read_dicom(source: Path | Iterable[Path], options: ReadOptions = _DEFAULT) -> Scan:
    """Read one CT series from a folder (with its sub-folders) or from some files.

    Raises
    ------
    UnreadableFileError
        No DICOM image there, or damaged pixels.
    NotCTError
        No CT series in Hounsfield units.
    SliceGapError
        Slices missing (unless ``options.allow_gaps``), or different ones at one place.
    GeometryError
        Slices without position, or impossible ones.
    WrongUseError
        ``options.series`` fits no series, or several.
    DependencyMissingError
        Pixels compressed in a way that no installed decoder reads.
    """
    series, others = _series(source)
    if not series:
        raise UnreadableFileError(
            found="no DICOM image",
            expected="the DICOM files of a CT series",
            remedy="Choose the folder that holds the series.",
        )
    chosen, notes = choose_series(series, options.series)
    if chosen.left_out_parallel:
        raise GeometryError(
            found=f"{chosen.label}, and {chosen.left_out_parallel} slices of another matrix or pixel spacing",
            expected="one matrix and one pixel spacing in a series",
            remedy="Separate the slices by their field of view, or read another series.",
        )
    return _read_stack(chosen, options, (*notes, *others, *chosen.notes))


def _read_stack(chosen: Series, options: ReadOptions, notes: tuple[str, ...]) -> Scan:
    stack, doubles = drop_doubles(build_stack(chosen.frames), HounsfieldReader().read)
    holes = find_holes(stack)
    if holes and not options.allow_gaps:
        raise gap_error(stack, holes)
    placement = place(stack, stack.frames[0].thickness_mm)
    reader = HounsfieldReader()
    volume = Volume(fill(stack, placement, reader.read), _LPS_TO_RAS @ placement.ijk_to_lps)
    acquisition = replace(
        _acquisition(chosen, stack),
        gantry_tilt_degrees=stack.shear_degrees if placement.sheared else 0.0,
        gaps=tuple(_hole_ends(stack, holes)),
        resampled=placement.resampled,
        notes=(*notes, *doubles, *_geometry_notes(stack, placement, holes), *reader.notes()),
    )
    facts = chosen.facts
    return Scan(volume, acquisition, facts.acquired_on, facts.patient_key if facts.has_patient else None)


def _hole_ends(stack: Stack, holes: tuple[int, ...]) -> list[tuple[float, float]]:
    s = stack.along_normal_mm
    return [(float(s[n]), float(s[n + 1])) for n in holes]


def _acquisition(chosen: Series, stack: Stack) -> Acquisition:
    facts = chosen.facts
    thicknesses = [frame.thickness_mm for frame in stack.frames if frame.thickness_mm is not None]
    return Acquisition(
        file_format="DICOM",
        modality=facts.modality,
        series_description=facts.description,
        kernel=facts.kernel,
        contrast_agent=facts.contrast,
        age_years=facts.age_years,
        slice_thickness_mm=float(np.median(thicknesses)) if thicknesses else None,
        slice_positions_mm=tuple(float(value) for value in stack.along_normal_mm),
    )


def _geometry_notes(stack: Stack, placement: Placement, holes: tuple[int, ...]) -> tuple[str, ...]:
    notes = []
    tag = stack.frames[0].series.tilt_tag_degrees
    if placement.sheared:
        notes.append(f"A gantry tilt of {stack.shear_degrees:.1f} degrees was corrected by resampling.")
    elif tag is not None and abs(tag) > 0.5:
        notes.append(f"The header states a gantry tilt of {tag:g} degrees; the slices are stacked straight.")
    if placement.uneven:
        steps = stack.steps_mm
        notes.append(
            f"Slice steps of {steps.min():.2f} to {steps.max():.2f} mm were resampled to even steps of "
            f"{np.diff(placement.positions_mm)[0]:.2f} mm."
        )
    if holes:
        missing = ", ".join(f"{a:.2f}-{b:.2f}" for a, b in _hole_ends(stack, holes))
        notes.append(f"Slices are missing at {missing} mm; as asked, the values there are interpolated.")
    if len(stack.frames) == 1:
        notes.append("A single slice; its stated thickness is taken as its height.")
    return tuple(notes) + _thin_slices(stack)


def _thin_slices(stack: Stack) -> tuple[str, ...]:
    known = [frame.thickness_mm for frame in stack.frames if frame.thickness_mm is not None]
    if len(stack.frames) < 2 or not known or np.median(stack.steps_mm) <= 1.5 * max(known):
        return ()
    apart = f"{np.median(stack.steps_mm):.2f} mm apart"
    return (f"Slices of {max(known):g} mm lie {apart}; between them nothing was imaged.",)
