"""As ``gslora benchmark``."""

from gslora_det_cli import benchmark
from gslora_det_cli.start import start

if __name__ == '__main__':
    start(benchmark)
