"""The eight clinical variables of the difficulty model: names, ranges, and how a form is read."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ctinsight.errors import UnreadableFileError, WrongUseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ctinsight.finding import Side

    Value = float | str | None


@dataclass(frozen=True)
class Variable:
    """One variable: either words, or a number within a range."""

    name: str
    meaning: str
    words: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    unit: str = ""

    @property
    def expected(self) -> str:
        """What may stand there, in words."""
        if self.words:
            return "one of " + ", ".join(self.words)
        return f"{self.low:g} to {self.high:g}" + (f" {self.unit}" if self.unit else "")


#: Schema of DeepDCR v1 (configs/feature_schema.json); units are the schema's, ranges are plausibility limits
#: of this project. The categories' codings are not published: the words here are translated by a model's own
#: codes.
VARIABLES = (
    Variable("surgical_eye", "operated eye", words=("left", "right")),
    Variable("sex", "sex", words=("female", "male")),
    Variable("age", "age", low=1, high=120, unit="a"),
    Variable("symptoms", "symptoms", words=("tearing", "discharge", "both", "other")),
    Variable("duration_of_symptoms", "duration of symptoms", low=0, high=1200, unit="mo"),
    Variable(
        "severity_of_symptoms(MUNK)", "severity of epiphora (Munk)", words=("0", "1", "2", "3", "4", "5")
    ),
    Variable("previous_treatment_history", "treated before", words=("no", "yes")),
    Variable("systemic_medical_history", "systemic disease", words=("no", "yes")),
)
_BY_NAME = {variable.name: variable for variable in VARIABLES}
#: Names in the older data sheets, and short forms.
_ALIASES = {
    "eye": "surgical_eye",
    "symptoms_eye": "symptoms",
    "duration": "duration_of_symptoms",
    "severity_of_symptoms": "severity_of_symptoms(MUNK)",
    "severity_of_symptoms(munk)": "severity_of_symptoms(MUNK)",
    "munk": "severity_of_symptoms(MUNK)",
    "previous_treatment": "previous_treatment_history",
    "systemic_history": "systemic_medical_history",
}
_SAME = {"l": "left", "r": "right", "f": "female", "m": "male", "0": "no", "1": "yes", "n": "no", "y": "yes"}
_NOTHING = {"", "na", "n/a", "nan", "none", "null", "-", "unknown", "missing"}
#: Columns that name the case.
CASE_COLUMNS = ("case_id", "patient_id", "id")
#: Columns that data sheets hold beside the variables.
_PASSED_OVER = {"difficulty", "target", "result", "cohort", *CASE_COLUMNS}


def clinical_values(given: Mapping[str, Any], side: Side | None = None) -> dict[str, Value]:
    """Check a form.

    Parameters
    ----------
    given
        Name -> value; what is absent, empty or "NA" is missing and stays ``None``, never 0.
    side
        The operated side; a form that names the other eye is refused.

    Returns
    -------
    dict
        All eight variables.

    Raises
    ------
    WrongUseError
        An unknown name, a value out of range, or the other eye.
    """
    found: dict[str, Value] = {variable.name: None for variable in VARIABLES}
    for key, raw in given.items():
        name = _ALIASES.get(key.strip().lower(), key.strip().lower())
        if name in _PASSED_OVER:
            continue
        if name not in _BY_NAME:
            raise _wrong(found=f"the variable {key!r}", expected="only " + ", ".join(_BY_NAME))
        found[name] = _checked(_BY_NAME[name], raw)
    eye = found["surgical_eye"]
    if side is not None and eye is not None and eye != side.value:
        raise _wrong(
            found=f"surgical_eye = {eye} in the form, operated side {side.value}",
            expected="the same side in both",
        )
    return found


def read_clinical(path: Path, case: str) -> dict[str, Any]:
    """Read a form from CSV (a header and rows) or JSON (an object).

    Parameters
    ----------
    path
        ``.csv`` or ``.json``.
    case
        Name of the case: of several rows that with this ``case_id`` or ``patient_id`` is taken.

    Raises
    ------
    UnreadableFileError
        Neither, or damaged.
    WrongUseError
        No row, or several, of this case.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            content = json.loads(text)
            if not isinstance(content, dict):
                msg = "no JSON object"
                raise ValueError(msg)
            return content
        rows = list(csv.DictReader(text.splitlines(), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise UnreadableFileError(
            found=f"{path.name}: {error}",
            expected="a CSV with a header and one row per case, or a JSON object",
            remedy="Correct the file, or export it again as UTF-8.",
        ) from error
    return _row_of(rows, case, path)


def _row_of(rows: list[dict[str, Any]], case: str, path: Path) -> dict[str, Any]:
    key = next((k for k in (rows[0] if rows else {}) if k and k.strip().lower() in CASE_COLUMNS), None)
    own = rows if key is None else [row for row in rows if _same_case(str(row[key]), case)]
    if len(own) != 1 and not (len(rows) == 1 and key is None):
        raise _wrong(
            found=f"{len(own)} rows of the case {case!r} in {path.name}",
            expected="one row per case, with its name in case_id",
        )
    if None in own[0]:
        raise _wrong(
            found=f"more cells than the header of {path.name} has", expected="as many cells as columns"
        )
    return {k: v for k, v in own[0].items() if k}


def _same_case(cell: str, case: str) -> bool:
    return cell.strip().removesuffix("_0000") == case.removesuffix("_0000")


def case_name(path: Path) -> str:
    """Return the name of a case without its endings.

    Examples
    --------
    >>> from pathlib import Path
    >>> case_name(Path("images/case_7_0000.nii.gz"))
    'case_7'
    """
    name = path.name
    for ending in (".gz", ".nii", ".nrrd", ".mha", ".mhd", ".zip"):
        name = name.removesuffix(ending)
    return name.removesuffix("_0000")


def _checked(variable: Variable, raw: Any) -> Value:
    text = "" if raw is None else str(raw).strip()
    if text.lower() in _NOTHING:
        return None
    if variable.words:
        word = text.lower().removesuffix(".0")
        word = word if word in variable.words else _SAME.get(word, word)
        if word not in variable.words:
            raise _wrong(found=f"{variable.name} = {text!r}", expected=variable.expected)
        return word
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not variable.low <= number <= variable.high:
        raise _wrong(found=f"{variable.name} = {text!r}", expected=variable.expected)
    return number


def _wrong(*, found: str, expected: str) -> WrongUseError:
    return WrongUseError(found=found, expected=expected, remedy="Correct the clinical form.")
