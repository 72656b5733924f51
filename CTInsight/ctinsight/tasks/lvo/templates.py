"""The template of a case: drawn here, or the public one through the model store."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from ctinsight.models.catalogue import catalogue
from ctinsight.models.obtain import How, obtain
from ctinsight.models.settings import load_settings
from ctinsight.models.store import Store
from ctinsight.regions.arterial_atlas import mni_template
from ctinsight.regions.phantom_template import phantom_template
from ctinsight.tasks.lvo.parameters import TemplateChoice

if TYPE_CHECKING:
    from pathlib import Path

    from ctinsight.progress import Progress
    from ctinsight.regions.template import Template

CT_ENTRY, CT_FILE = "atlas-head-ct", "scct.nii"
ATLAS_ENTRY, ATLAS_FILE = "atlas-arterial-territories", "ArterialAtlas_padding.nii.gz"


def template_of(choice: TemplateChoice, progress: Progress) -> Template:
    """Return a template; the public one is fetched on first use and compared with its checksums.

    Raises
    ------
    OfflineError, DownloadFailedError
        It is not here and cannot be fetched; the message names the files to import by hand.
    WrongWeightsError
        An installed file was changed.
    """
    if choice is TemplateChoice.PHANTOM:
        return phantom_template()
    settings = load_settings()
    store = Store(settings.models_folder, catalogue())
    paths = []
    for entry, file in ((CT_ENTRY, CT_FILE), (ATLAS_ENTRY, ATLAS_FILE)):
        if store.find(entry) is None:
            progress.report(f"fetching {entry} (once)", 0.2)
            obtain(store, entry, How(settings, environ=os.environ))
        paths.append(store.checked_file(entry, file))
    return _read(paths[0], paths[1])


@cache
def _read(ct_file: Path, atlas_file: Path) -> Template:
    return mni_template(ct_file, atlas_file)
