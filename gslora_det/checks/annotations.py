"""A data set's annotation file: what it holds, and what has to agree with it."""

from collections.abc import Iterable
from pathlib import Path

from mmdet.registry import DATASETS
from mmengine.config import Config

from gslora_det.checks.annotation_file import check_annotations
from gslora_det.checks.image_files import check_images
from gslora_det.checks.settings import type_name
from gslora_det.datasets.selection import images_by_class
from gslora_det.files import read_json
from gslora_det.options import STRINGS, in_one_line

# They show images more often; a buffer is drawn from what they repeat. Each has a setting.
_REPEATING = dict(RepeatDataset='times', ClassBalancedDataset='oversample_thr')


def plain_dataset(loader: dict, name: str) -> dict:
    """The config of a loader's data set, without wrappers that only repeat its images.

    Args:
        loader (dict): Config of a data loader.
        name (str): What an error calls it.

    Raises:
        ValueError: The data set mixes or joins others, or a wrapper has a setting of the one
            inside; one line says what to set instead.
    """
    dataset, place = loader['dataset'], f'{name}.dataset'
    while type_name(dataset) in _REPEATING and isinstance(dataset.get('dataset'), dict):
        kind = type_name(dataset)
        lost = [key for key in dataset
                if key not in ('type', '_scope_', 'dataset', 'lazy_init', _REPEATING[kind])]
        if lost:
            raise ValueError(f'{place}.{lost[0]} is set on a {kind}, which has no such setting: '
                             f'set {place}.dataset.{lost[0]}')
        dataset, place = dataset['dataset'], f'{place}.dataset'
    inner = [key for key in ('dataset', 'datasets') if key in dataset]
    if inner:
        raise ValueError(
            f'{place} is a {type_name(dataset)}: buffers are drawn from one data set '
            f'with an annotation file of its own: set {name}.dataset to the one inside, '
            + ('with a pipeline that mixes no images' if inner == ['dataset'] else
               'or to one whose annotation file joins theirs'))
    return dataset


class Annotations:
    """The annotation file of a data set, checked.

    Args:
        dataset_cfg (dict): Config of the data set.
        hint (str): What to do about missing files.
        labelled (bool): Read its ``annotations``, which are else taken for none.

    Attributes:
        ann_file (Path): The file.
        classes (tuple[str]): The classes that are used.
        ids (dict[str, int]): Their category ids.
        images (dict[int, set[int]]): Image ids by category.
        boxed (dict[int, set[int]]): Those with a box that is no crowd and not ignored.
        warnings (list[str]): What is odd and tolerated.

    Raises:
        ValueError: The file is missing or cannot be used.
    """

    @classmethod
    def of(cls, cfg: Config, name: str, labelled: bool = True) -> 'Annotations':
        """Those of a config's loader, whose data set becomes its :func:`plain_dataset`."""
        cfg[name].dataset = plain_dataset(cfg[name], name)
        return cls(cfg[name].dataset, cfg.get('missing_data_hint', ''), labelled)

    def __init__(self, dataset_cfg: dict, hint: str, labelled: bool = True) -> None:
        try:
            dataset = DATASETS.build(dict(dataset_cfg, lazy_init=True))
        except Exception as error:  # an unknown type or option, a package that is not there
            raise ValueError(f'data set {dataset_cfg.get("type")}: {in_one_line(error)}'
                             ) from error
        if not hasattr(dataset, 'ann_file'):
            raise ValueError(f'data set {dataset_cfg.get("type")} has no annotation file')
        ann_file, self.classes = Path(dataset.ann_file), dataset.metainfo.get('classes')
        if not STRINGS.holds(self.classes):  # ('dog') is no tuple
            raise ValueError(f'the data set of {ann_file} has classes={self.classes!r}, which is '
                             "no list of names: set metainfo=dict(classes=['…'])")
        if not ann_file.is_file():
            raise ValueError(f'{ann_file} is missing. {hint}'.strip())
        self.ann_file, coco = ann_file, read_json(ann_file)
        if not labelled and isinstance(coco, dict):
            coco = dict(coco, annotations=[])
        self.warnings = check_annotations(coco, ann_file, self.classes)
        ids = {category['name']: category['id'] for category in coco['categories']}
        self.ids = {name: ids[name] for name in self.classes}
        self.images = images_by_class(coco['annotations'])
        self.boxed = images_by_class([a for a in coco['annotations']
                                      if not (a['iscrowd'] or a.get('ignore'))])
        self._entries = {image['id']: image for image in coco['images']}
        if 'img' not in dataset.data_prefix:
            raise ValueError(f'the data set of {ann_file} needs data_prefix=dict(img=…), the '
                             'folder of its images')
        self._folder, self._hint = Path(dataset.data_prefix['img']), hint

    def __len__(self) -> int:
        return len(self._entries)

    def evaluator(self, config: dict, name: str) -> dict:
        """An evaluator's config for these annotations, which it takes where it names none.

        Raises:
            ValueError: It names a file of other content.
        """
        given = config.get('ann_file')
        if given and '://' not in given:
            if not Path(given).is_file():
                raise ValueError(f'{name}.ann_file: {given} is missing. {self._hint}'.strip())
            if not self.ann_file.samefile(given) and read_json(self.ann_file) != read_json(given):
                raise ValueError(
                    f'{name}.ann_file is {given} and the data set has {self.ann_file}, which '
                    'differs: what is found in the images of one would be measured against the '
                    f'objects of the other; leave {name}.ann_file out')
        if config.get('sort_categories') and list(self.ids.values()) != sorted(self.ids.values()):
            raise ValueError(f'{name}.sort_categories numbers the classes by id and the data set '
                             f'of {self.ann_file} by the order of the file: leave it out')
        return dict(config, ann_file=given or str(self.ann_file))

    def check_images(self, chosen: Iterable[int] | None = None) -> None:
        """Checks the files of the chosen images, by default of all."""
        chosen = self._entries if chosen is None else chosen
        self.warnings += check_images(
            self._folder, (self._entries[key] for key in chosen), self._hint)
