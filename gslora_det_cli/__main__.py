"""Make a detector forget classes, attack what it forgot, and report it."""

import argparse
import importlib
import sys

from gslora_det_cli.start import start

COMMANDS = ('erase', 'attack', 'report', 'verify', 'doctor', 'export', 'compare', 'visualize',
            'train', 'test', 'benchmark')


def main() -> None:
    """Runs ``gslora COMMAND …``."""
    commands = {name: importlib.import_module(f'gslora_det_cli.{name}') for name in COMMANDS}
    parser = argparse.ArgumentParser(
        prog='gslora', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='commands:\n' + '\n'.join(f'  {name:<10} {command.__doc__.splitlines()[0]}'
                                         for name, command in commands.items())
        + '\n\ngslora COMMAND --help lists what a command takes.')
    parser.add_argument('command', choices=COMMANDS, metavar='COMMAND', help='one of those below')
    name = parser.parse_args(sys.argv[1:2]).command
    start(commands[name], sys.argv[2:], f'gslora {name}')


if __name__ == '__main__':
    main()
