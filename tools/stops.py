"""A stop while packages are imported, which takes seconds, is one line, too.

Every tool imports this before anything else; ``run_tool`` puts its own handlers in place.
"""

import os
import signal


def _end(number, _) -> None:
    os.write(2, b'stopped\n')
    os._exit(128 + number)


for kind in (signal.SIGINT, signal.SIGTERM):
    if signal.getsignal(kind) is not signal.SIG_IGN:  # as after nohup
        signal.signal(kind, _end)
