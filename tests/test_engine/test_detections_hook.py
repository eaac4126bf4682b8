import math
from types import SimpleNamespace

import torch
from mmengine.structures import InstanceData

from gslora_det.engine.hooks import KeepDetectionsHook
from gslora_det.files import read_json


def test_what_is_not_finite_or_not_above_the_threshold_is_not_kept(tmp_path):
    box = [1.0, 2.0, 3.0, 4.0]
    boxes = [box, [math.nan, *box[1:]], [*box[:3], math.inf], box, box, [5.0, 6.0, 7.0, 8.0]]
    found = InstanceData(bboxes=torch.tensor(boxes), labels=torch.arange(6),
                         scores=torch.tensor([0.75, 0.75, 0.75, math.inf, 0.25, 0.5]))
    hook = KeepDetectionsHook(str(tmp_path / 'found.json'), score_thr=0.25)
    hook.after_val_iter(None, 0, outputs=[SimpleNamespace(img_id=3, pred_instances=found)])
    hook.after_val_epoch(None)
    assert read_json(tmp_path / 'found.json') == {'3': dict(
        bboxes=[box, [5.0, 6.0, 7.0, 8.0]], scores=[0.75, 0.5], labels=[0, 5])}
