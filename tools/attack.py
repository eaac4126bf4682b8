"""As ``gslora attack``, under the name that MMDetection's users know."""

from gslora_det_cli import attack
from gslora_det_cli.start import start

if __name__ == '__main__':
    start(attack)
