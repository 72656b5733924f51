"""One HTML file with the tables and figures of an evaluation, without anything from elsewhere."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ctinsight import RESEARCH_USE_ONLY, __version__
from ctinsight.errors import DependencyMissingError

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class PageTable:
    """A table in words."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Page:
    """What stands on the page: statements, tables, and figures as title and PNG."""

    title: str
    statements: Sequence[str]
    tables: Sequence[PageTable]
    figures: Sequence[tuple[str, Path]]


def write_page(page: Page, path: Path) -> None:
    """Write the page; figures are inside, names from files are escaped.

    Raises
    ------
    DependencyMissingError
        Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment
    except ImportError as error:
        raise DependencyMissingError(
            found="no Python package Jinja2",
            expected="Jinja2, which fills the page",
            remedy='pip install "Jinja2>=3.1" (about 1 MB).',
        ) from error
    template = Environment(autoescape=True).from_string(_TEMPLATE.read_text(encoding="utf-8"))
    figures = [
        {"title": title, "data": base64.b64encode(png.read_bytes()).decode("ascii")}
        for title, png in page.figures
    ]
    text = template.render(
        title=page.title,
        statements=page.statements,
        tables=page.tables,
        figures=figures,
        research=RESEARCH_USE_ONLY,
        version=__version__,
    )
    path.write_text(text, encoding="utf-8")
