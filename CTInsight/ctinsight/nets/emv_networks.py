"""Which nine networks EMV-3D-CNN has, what each answers, and which views each sees; no torch in here.

References
----------
Zhou J, Hu B, Feng W et al. An ensemble deep learning model for risk stratification of invasive lung
adenocarcinoma using thin-slice CT. npj Digit Med 2023;6:119. https://doi.org/10.1038/s41746-023-00866-z
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

#: Voxel size of the cube from which views are cut, mm, the same along all axes (authors' program).
CUBE_SPACING_MM = 0.625
#: Voxels along each side of that cube: 62.5 mm.
CUBE_SIDE = 100


class EmvKind(StrEnum):
    """The three architectures; in this order their scores are averaged."""

    INCEPTION = "inception"
    VGG = "vgg"
    RESNET = "resnet"


class EmvTask(IntEnum):
    """The three questions, each asked of three networks.

    ``INVASIVE`` was trained on nodules that are not benign, ``GRADE`` on graded invasive ones only: both
    are conditional on the answer before.
    """

    MALIGNANT = 1
    INVASIVE = 2
    GRADE = 3

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs, in order of the network's classes."""
        return _CLASSES[self]


_CLASSES: dict[EmvTask, tuple[str, ...]] = {
    EmvTask.MALIGNANT: ("benign", "malignant"),
    EmvTask.INVASIVE: ("pre-invasive", "invasive"),
    EmvTask.GRADE: ("grade 1", "grade 2", "grade 3"),
}


@dataclass(frozen=True, order=True)
class ViewSet:
    """Three concentric cubes, in voxels of the 100-voxel cube; all come to ``middle`` voxels a side."""

    wide: int
    middle: int
    narrow: int

    @property
    def side(self) -> int:
        """Voxels along each side of a view as the network sees it."""
        return self.middle

    @property
    def sides(self) -> tuple[int, int, int]:
        """Sides in the order of the input channels."""
        return self.wide, self.middle, self.narrow


_40 = ViewSet(60, 40, 20)
_60 = ViewSet(80, 60, 40)
_80 = ViewSet(100, 80, 60)
#: Authors' file names (kind, side, task) of the networks that they evaluated.
_VIEWS: dict[tuple[EmvTask, EmvKind], ViewSet] = {
    (EmvTask.MALIGNANT, EmvKind.INCEPTION): _60,
    (EmvTask.MALIGNANT, EmvKind.VGG): _40,
    (EmvTask.MALIGNANT, EmvKind.RESNET): _60,
    (EmvTask.INVASIVE, EmvKind.INCEPTION): _40,
    (EmvTask.INVASIVE, EmvKind.VGG): _60,
    (EmvTask.INVASIVE, EmvKind.RESNET): _40,
    (EmvTask.GRADE, EmvKind.INCEPTION): _60,
    (EmvTask.GRADE, EmvKind.VGG): _80,
    (EmvTask.GRADE, EmvKind.RESNET): _40,
}


@dataclass(frozen=True, order=True)
class EmvNetwork:
    """One of the nine networks.

    Examples
    --------
    >>> EmvNetwork(EmvTask.GRADE, EmvKind.VGG).name, EmvNetwork(EmvTask.GRADE, EmvKind.VGG).views.side
    ('nodule-emv-task3-vgg', 80)
    """

    task: EmvTask
    kind: EmvKind

    @property
    def name(self) -> str:
        """The model's name in the catalogue."""
        return f"nodule-emv-task{int(self.task)}-{self.kind}"

    @property
    def views(self) -> ViewSet:
        """The views that it was trained on."""
        return _VIEWS[self.task, self.kind]

    @property
    def classes(self) -> int:
        """Number of its outputs."""
        return len(self.task.classes)


#: All nine, question by question.
EMV_NETWORKS = tuple(EmvNetwork(task, kind) for task in EmvTask for kind in EmvKind)


def networks_of(task: EmvTask) -> tuple[EmvNetwork, ...]:
    """Return the three networks that answer one question, in the order of averaging."""
    return tuple(network for network in EMV_NETWORKS if network.task is task)
