"""What a training says of itself: a table, curves, and TensorBoard's file where that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ctinsight import RESEARCH_USE_ONLY
from ctinsight.evaluation.table_file import write_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LOG, CURVES = "log.csv", "curves.png"


class RunLog:
    """Writes after every epoch.

    Parameters
    ----------
    run
        The run's folder.
    earlier
        Epochs that are written already, when a run goes on.
    """

    def __init__(self, run: Path, earlier: Sequence[Mapping[str, float]]) -> None:
        self._run, self._board = run, _board(run, len(earlier))

    def write(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write table and curves anew, and the last epoch for TensorBoard."""
        header = list(rows[-1])
        write_rows(self._run / LOG, header, [[row[key] for key in header] for row in rows], RESEARCH_USE_ONLY)
        if self._board is not None:
            for key in header[1:]:
                self._board.add_scalar(key, rows[-1][key], int(rows[-1]["epoch"]))
            self._board.flush()
        _draw(rows, self._run / CURVES)


def _board(run: Path, done: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(run / "tensorboard"), purge_step=done + 1)


def _draw(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(8.0, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    epochs = [row["epoch"] for row in rows]
    for axis, key, title in zip(
        figure.subplots(1, 2), ("loss", "validation_dice"), ("Training loss", "Validation Dice"), strict=True
    ):
        axis.plot(epochs, [row[key] for row in rows], marker=".", color="#0072B2")
        axis.set(title=title, xlabel="epoch")
        axis.grid(alpha=0.3)
    figure.supxlabel(RESEARCH_USE_ONLY, fontsize=8, color="#555555")
    figure.savefig(path, dpi=120)
