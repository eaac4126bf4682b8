"""One progress bar with the time left over a whole sequence."""

import sys

from mmengine.dist import is_main_process
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class SequenceProgress(Progress):
    """A :class:`rich.progress.Progress` of the main process, one bar for all tasks.

    Args:
        total (int): Training steps and validation batches of the whole sequence.
    """

    def __init__(self, total: int) -> None:
        super().__init__(
            TextColumn('{task.description}', markup=False), BarColumn(None), MofNCompleteColumn(),
            TimeElapsedColumn(), TextColumn('left'),
            TimeRemainingColumn(elapsed_when_finished=False),
            # The stream of this moment: the libraries are silenced by replacing it.
            console=Console(file=sys.stdout, highlight=False, markup=False, emoji=False),
            redirect_stdout=False, redirect_stderr=False, disable=not is_main_process(),
            speed_estimate_period=120)
        self.bar = self.add_task('', total=total)

    def stage(self, description: str) -> None:
        """Says what runs now."""
        self.update(self.bar, description=description)

    def step(self, count: int = 1) -> None:
        """One training step or validation batch is done."""
        self.advance(self.bar, count)

    def left(self) -> str:
        """The time left, in words; a log file has no bar to show it."""
        task = self.tasks[self.bar]
        if task.finished or not task.completed:
            return ''
        rest = (task.total - task.completed) * task.elapsed / task.completed
        return f'; about {max(1, round(rest / 60))} min left'

    def say(self, line: str) -> None:
        """Prints a line above the bar."""
        if is_main_process():
            self.console.print(line, soft_wrap=True)
