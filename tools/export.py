"""As ``gslora export``, under the name that MMDetection's users know."""

from gslora_det_cli import export
from gslora_det_cli.start import start

if __name__ == '__main__':
    start(export)
