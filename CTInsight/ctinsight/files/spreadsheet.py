"""Tables as spreadsheet programs read them: encoding, and text that must not become a formula."""

from __future__ import annotations

#: With its mark at the start of the file a spreadsheet program recognises the encoding.
CSV_ENCODING = "utf-8-sig"

#: What makes a spreadsheet program take a cell for a formula (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_cell(value: float | int | str | None) -> str:
    """Return the text of one cell: numbers as they are, text never as a formula, nothing for ``None``.

    Text that begins like a formula gets an apostrophe in front, which a spreadsheet program does not run.

    Examples
    --------
    >>> csv_cell(-2.5), csv_cell("-2.5"), csv_cell("=1+1"), csv_cell("ct"), csv_cell(None)
    ('-2.5', "'-2.5", "'=1+1", 'ct', '')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" ").startswith(_FORMULA_STARTS) else value
    return f"{value:.10g}" if isinstance(value, float) else str(value)
