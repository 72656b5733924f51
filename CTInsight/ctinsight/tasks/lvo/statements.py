"""What must be read with every number, and how the numbers were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.manifest import NO_NETWORK, input_facts, software_versions

if TYPE_CHECKING:
    from ctinsight.regions.registration import Alignment
    from ctinsight.regions.template import Template
    from ctinsight.tasks.lvo.parameters import Parameters
    from ctinsight.volume import Scan

METHOD = "dense-vessel evidence and territories"
EVIDENCE = (
    "Candidates are evidence with numbers, never a probability: a vessel can be dense without a clot (high"
    " haematocrit, calcified wall), and of 154 proven MCA occlusions only 69 % showed a dense vessel"
    " (doi 10.1186/s12883-015-0358-5)."
)
NOT_COVERED = (
    "Not covered: posterior circulation, A1 and A2, branches beyond M2, both sides dense alike (a"
    " candidate must differ from the other side), arteries outside our corridors, thin blood along the skull."
)
CORRIDORS = (
    "Corridors are this project's own: {radius:g} mm about centrelines that we read from the public"
    " CT template, each landmark 3 to 6 mm uncertain (table of landmarks). They are no outline of any vessel."
)
THICK = "Slices of more than 1.25 mm share a vessel's voxels with CSF: dense vessels are missed more often."
AS_PUBLISHED = (
    "As published: the difference map is absolute, on the patient's RIGHT half only, which the"
    " published system calls left_brain; the other half is called right_brain there. Mirrored about"
    " the patient's own mid-plane instead of by deformable registration. All other sides in this"
    " result are the patient's."
)
DIFFERENCE = (
    "The difference map is signed: denser than the place opposite is positive. It mirrors about the"
    " patient's own mid-plane and deforms nothing, so sulci and the rim of the brain differ for"
    " their shape alone."
)
EDITED = (
    "The candidates were edited or drawn by a person; their numbers follow that outline, no rule chose them."
)
DESPITE_BLEED = "A bleed was seen and the case was run in spite of it, as asked."


def statements_of(parameters: Parameters, template: Template, *, thick: bool, bleed: bool) -> tuple[str, ...]:
    """Return the limits of one run, in words."""
    found = [
        RESEARCH_USE_ONLY,
        EVIDENCE,
        NOT_COVERED,
        CORRIDORS.format(radius=parameters.evidence.corridor_radius_mm),
        AS_PUBLISHED if parameters.as_published else DIFFERENCE,
    ]
    if thick:
        found.append(THICK)
    if bleed:
        found.append(DESPITE_BLEED)
    return (*found, template.source)


def manifest_of(
    scan: Scan, parameters: Parameters, alignment: Alignment, template: Template
) -> dict[str, Any]:
    """Say how the numbers were made; no patient identity."""
    quality = alignment.quality
    return {
        "task": "lvo",
        "method": METHOD,
        "tier": "without weights",
        "weights": "",
        "edited": False,
        "parameters": parameters.as_dict(),
        "template": template.name,
        "registration": {
            "method": alignment.method,
            "score": quality.score,
            "brain_dice": quality.brain_dice,
            "correlation": quality.correlation,
            "covered": quality.covered,
            "template_from_patient_ras": alignment.template_from_patient.tolist(),
        },
        "device": "cpu",
        **NO_NETWORK,
        "software": software_versions(),
        "input": input_facts(scan),
    }
