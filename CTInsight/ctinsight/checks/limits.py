"""What each task asks of its input, as data: one frozen record per task, with its source."""

from __future__ import annotations

from dataclasses import dataclass

from ctinsight.finding import Outcome


@dataclass(frozen=True)
class InputLimits:
    """Limits of one task; a task with other needs makes its own record, the checks stay the same.

    Parameters
    ----------
    task
        Name of the task.
    spacing_warn_mm, spacing_refuse_mm
        Largest distance of slices that passes, and that is measured at all (``None``: no limit).
    noise_warn_hu, noise_refuse_hu
        Largest standard deviation of brain that passes, and that is measured at all (``None``: no limit).
    contrast, tilt, bone_kernel, metal, minor
        What follows when contrast medium, a corrected gantry tilt, a bone kernel, metal, or a patient
        younger than ``adult_years`` is found.
    source
        Where the limits come from.
    """

    task: str
    spacing_warn_mm: float
    spacing_refuse_mm: float | None = None
    noise_warn_hu: float | None = None
    noise_refuse_hu: float | None = None
    contrast: Outcome = Outcome.WARN
    tilt: Outcome = Outcome.PASS
    bone_kernel: Outcome = Outcome.WARN
    metal: Outcome = Outcome.WARN
    minor: Outcome = Outcome.WARN
    adult_years: float = 18.0
    source: str = ""


#: Proposals of this project, to be tuned on data. A corrected tilt passes, because the volume then comes from
#: true slice positions; cleared haemorrhage products are for adults. Noise as this project measured it, white
#: noise on a bleed of 25 mL: fine up to 20 HU; 30 HU changes the volume by 20 %; 60 HU gives 11 or 192 mL.
HEMATOMA_LIMITS = InputLimits(
    task="hematoma",
    spacing_warn_mm=5.0,
    noise_warn_hu=20.0,
    noise_refuse_hu=40.0,
    source="project proposal, noise by measurement; adults as in the intended use of 510(k) K231195",
)

#: Slices, contrast, tilt and age as this project's table of input checks asks; the age is that of the
#: intended use of 510(k) K202300 (35 years or older). A sharp kernel is usual for the lung and is only noted.
NODULE_LIMITS = InputLimits(
    task="nodule",
    spacing_warn_mm=1.5,
    spacing_refuse_mm=3.0,
    contrast=Outcome.WARN,
    tilt=Outcome.WARN,
    bone_kernel=Outcome.PASS,
    metal=Outcome.PASS,
    minor=Outcome.WARN,
    adult_years=35.0,
    source="project proposal; age as in the intended use of 510(k) K202300",
)

#: Contrast medium, slices, tilt and age as this project's table of input checks asks: enhanced vessels are
#: dense everywhere, so contrast is refused; above 1.25 mm a vessel of 3 mm shares its voxels with CSF.
LVO_LIMITS = InputLimits(
    task="lvo",
    spacing_warn_mm=1.25,
    noise_warn_hu=20.0,
    noise_refuse_hu=40.0,
    contrast=Outcome.REFUSE,
    source="project proposal; adults as in the intended use of 510(k) K222884",
)
