"""Result files: what one run of a task leaves in a folder, written and read back.

``write_result`` needs the stock tier only; the axial picture needs matplotlib and is left out, with a
note, where that is missing.
"""

from ctinsight.report.result_folder import (
    RESULT_FILES,
    ResultFiles,
    StoredResult,
    read_result,
    refuse_existing,
    write_result,
)
from ctinsight.report.result_json import from_document, to_document
from ctinsight.report.wording import display_finding, display_interval

__all__ = [
    "RESULT_FILES",
    "ResultFiles",
    "StoredResult",
    "display_finding",
    "display_interval",
    "from_document",
    "read_result",
    "refuse_existing",
    "to_document",
    "write_result",
]
