from gslora_det.datasets.branch_dataset import BranchDataset
from gslora_det.datasets.glyph80 import Glyph80Dataset, GlyphCrops, ensure_glyph80
from gslora_det.datasets.selection import draw_buffer, images_by_class

__all__ = ['BranchDataset', 'Glyph80Dataset', 'GlyphCrops', 'draw_buffer', 'ensure_glyph80',
           'images_by_class']
