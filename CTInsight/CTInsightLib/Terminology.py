"""How Slicer writes a coded name: category, type and region in one string."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctinsight.terms import Code, Term

#: The lists that Slicer ships; the entry is kept as codes, so it reads the same where they are absent.
_TYPE_LIST = "Segmentation category and type - 3D Slicer General Anatomy list"
_REGION_LIST = "Anatomic codes - DICOM master list"


def terminologyEntry(term: Term) -> str:
    """Return the terminology entry of a term as ``vtkSegment`` stores it.

    It has seven parts, joined by ``~``: list, category, type, type modifier, region list, region, region
    modifier; each code is ``scheme^value^meaning``.
    """
    kind = (_TYPE_LIST, _coded(term.category), _coded(term.type), "^^")
    return "~".join((*kind, _REGION_LIST, _coded(term.region), "^^"))


def _coded(code: Code | None) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}" if code else "^^"
