from types import SimpleNamespace

import numpy as np
from mmdet.registry import DATASETS, VISUALIZERS
from mmengine.config import Config
from mmengine.structures import InstanceData
from PIL import Image
from support import CONFIGS

from gslora_det.engine.hooks import ErasedBoxesHook, KeepDetectionsHook


def test_pictures_reach_the_folder_and_the_visualizer(glyph80, tmp_path):
    cfg = Config.fromfile(CONFIGS / 'glyph80/ddetr_forget_80-1.py')
    dataset = DATASETS.build(dict(cfg.val_dataloader.dataset, data_root=str(glyph80)))
    backends = [dict(type='LocalVisBackend')]
    runner = SimpleNamespace(
        val_dataloader=SimpleNamespace(dataset=dataset), iter=20,
        visualizer=VISUALIZERS.build(dict(
            type='DetLocalVisualizer', name='test', vis_backends=backends,
            save_dir=str(tmp_path / 'run'))))
    info = dataset.get_data_info(4)
    truth = InstanceData(
        bboxes=np.array([i['bbox'] for i in info['instances']]),
        labels=np.array([i['bbox_label'] for i in info['instances']]))
    truth.scores = np.full(len(truth), .9)
    forgotten = dataset.metainfo['classes'][truth.labels[0]]
    original = str(tmp_path / 'original.json')
    for hook, found in (
            (KeepDetectionsHook(original, images=[info['img_id']]), truth),
            (ErasedBoxesHook([info['img_id']], original, str(tmp_path / 'erased'),
                             dict(forgotten=[forgotten], old=[])), truth[truth.labels < 0])):
        others = [SimpleNamespace(img_id=99)]
        hook.after_val_iter(runner, 0, outputs=others + [
            SimpleNamespace(img_id=info['img_id'], pred_instances=found)])
        hook.after_val_epoch(runner)
    name = info['img_path'].rsplit('/', 1)[-1][:-len('.png')]
    assert [f.name for f in (tmp_path / 'erased').iterdir()] == [f'{name}.png']
    picture = np.asarray(Image.open(tmp_path / f'erased/{name}.png'))
    vermillion = (picture == (0xD5, 0x5E, 0)).all(-1)
    third = picture.shape[1] // 3
    assert vermillion[:, :third].sum() > vermillion[:, third:2 * third].sum() > 0
    logged, = (tmp_path / 'run').rglob(f'erased_{name}_20.png')
    np.testing.assert_array_equal(np.asarray(Image.open(logged)), picture)
