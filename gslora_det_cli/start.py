"""From the words of a command line to the work."""

import argparse
import sys
from types import ModuleType

from gslora_det_cli.stops import end_in_one_line


def start(command: ModuleType, words: list[str] | None = None,
          prog: str | None = None) -> None:
    """Runs a command. What is wrong with its words is said before anything large is imported.

    Args:
        command (module): One of this package: its ``add_arguments`` and ``check`` are quick, its
            ``run`` works, and ``WHEN_STOPPED`` says how to continue.
        words (list[str], optional): By default those that the process was started with.
        prog (str, optional): What the help calls the command; by default the script's name.
    """
    end_in_one_line()
    parser = argparse.ArgumentParser(prog=prog, description=command.__doc__)
    command.add_arguments(parser)
    try:
        args = parser.parse_args(words)
        command.check(args)
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
    from gslora_det.process import prepare_process, run_tool

    def work() -> None:
        prepare_process(getattr(args, 'launcher', 'none'), getattr(args, 'local_rank', 0))
        command.run(args)

    run_tool(work, getattr(command, 'WHEN_STOPPED', ''))
