import inspect
import json

import pytest
from mmengine.dataset import ClassBalancedDataset, RepeatDataset

from gslora_det.checks.annotations import Annotations, plain_dataset


@pytest.mark.parametrize('wrapper', [RepeatDataset, ClassBalancedDataset])
def test_a_wrapper_takes_what_mmengine_takes_and_nothing_else(wrapper):
    inner, taken = dict(type='CocoDataset'), inspect.signature(wrapper).parameters
    for key in {*taken, 'times', 'oversample_thr', 'ann_file', 'pipeline'} - {'dataset'}:
        wrapped = {'type': wrapper.__name__, 'dataset': inner, key: 1}
        for place, dataset in (('', wrapped),
                               ('.dataset', dict(type='RepeatDataset', dataset=wrapped))):
            if key in taken:
                assert plain_dataset(dict(dataset=dataset), 'loader') is inner
                continue
            with pytest.raises(ValueError, match=(
                    f'^loader.dataset{place}.{key} is set on a {wrapper.__name__}, .*: '
                    f'set loader.dataset{place}.dataset.{key}$')):
                plain_dataset(dict(dataset=dataset), 'loader')


@pytest.mark.parametrize('classes', [[['a']], [7], [None], 'dog'])
def test_classes_are_a_list_of_names(tmp_path, classes):
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=[], annotations=[], categories=[])))
    with pytest.raises(ValueError, match='a.json has classes=.*, which is no list of names: set'):
        Annotations(dict(type='mmdet.CocoDataset', ann_file=str(tmp_path / 'a.json'),
                         metainfo=dict(classes=classes)), '')
