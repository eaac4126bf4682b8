"""What the package costs, as ratios of things that run in turn in one process."""

from gslora_det.benchmark.run import PARTS, benchmark

__all__ = ['PARTS', 'benchmark']
