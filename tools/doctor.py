"""As ``gslora doctor``, under the name that MMDetection's users know."""

from gslora_det_cli import doctor
from gslora_det_cli.start import start

if __name__ == '__main__':
    start(doctor)
