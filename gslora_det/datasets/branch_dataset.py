"""One branch of the paired stream: some images of a data set, some of their boxes."""

from collections.abc import Sequence

from mmdet.registry import DATASETS
from torch.utils.data import Dataset

from gslora_det.class_names import labels_of
from gslora_det.files import read_json
from gslora_det.options import one_of, require

BRANCHES = ('forget', 'retain')
# What the objects are that a branch does not keep, and the regions of many.
READINGS = dict(mixed_images=one_of('background', 'ignore', 'keep'),
                crowds=one_of('background', 'ignore'))
# The label of an ignored region of many objects, in which each of them lies.
CROWD = -1


@DATASETS.register_module()
class BranchDataset(Dataset):
    """A COCO-format data set reduced to a buffer and to the boxes of some classes.

    Items follow MMDet's multi-branch convention: every entry is a dict over the branches,
    with None for the other branch, as :class:`MultiBranchDataPreprocessor` expects.

    Args:
        dataset (dict): Config of a :class:`mmdet.datasets.BaseDetDataset`.
        branch (str): ``'forget'`` or ``'retain'``.
        buffers (str): JSON file with the image ids of both branches.
        keep (list[str]): Classes whose boxes are kept.
        mixed_images (str): What the objects of all other classes are in these images:
            ``'background'`` (the authors' reading) or ``'ignore'``, neither object nor
            background; ``'keep'`` is the same here: the plan of a task gives such images to the
            branch that keeps these objects, too.
        crowds (str): The same of regions with many objects (``iscrowd``): ``'ignore'``, or
            ``'background'`` (the authors' reading, and what MMDet's DETRs make of them).

    Raises:
        ValueError: A reading is neither, or the data set lacks images of the buffer.
    """

    def __init__(self, dataset: dict, branch: str, buffers: str, keep: Sequence[str],
                 mixed_images: str = 'background', crowds: str = 'ignore') -> None:
        require('BranchDataset', mixed_images=(mixed_images, READINGS['mixed_images']),
                crowds=(crowds, READINGS['crowds']))
        self.branch = branch
        self.ignore_others = mixed_images != 'background'
        self.ignore_crowds = crowds == 'ignore'
        self.dataset = DATASETS.build(dict(
            dataset, serialize_data=False, filter_cfg=dict(filter_empty_gt=False)))
        self.dataset.full_init()
        # Without a palette: that of NumPy breaks the comparison of the two branches.
        self.metainfo = dict(classes=self.dataset.metainfo['classes'])
        keep_labels = set(labels_of(keep, self.metainfo['classes']))
        buffer = set(read_json(buffers)[branch])
        self.dataset.data_list = [
            dict(info, instances=self._select(info['instances'], keep_labels))
            for info in self.dataset.data_list if info['img_id'] in buffer]
        if len(self) != len(buffer):
            raise ValueError(f'the {branch} buffer has {len(buffer)} images, of which the data '
                             f'set gives {len(self)}: remove indices and filters of its own')

    def _select(self, instances: list[dict], keep_labels: set) -> list[dict]:
        kept = []
        for instance in instances:
            of_branch = instance['bbox_label'] in keep_labels
            if instance['ignore_flag']:
                if self.ignore_crowds and (of_branch or self.ignore_others):
                    kept.append(dict(instance, bbox_label=CROWD))
            elif of_branch:
                kept.append(instance)
            elif self.ignore_others:
                kept.append(dict(instance, ignore_flag=1))
        return kept

    def full_init(self) -> None:
        """Part of MMEngine's data set interface; the data are loaded already."""

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        return {key: {branch: value if branch == self.branch else None
                      for branch in BRANCHES}
                for key, value in self.dataset[index].items()}
