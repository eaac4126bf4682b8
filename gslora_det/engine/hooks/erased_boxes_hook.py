from pathlib import Path
from typing import Dict, Optional, Sequence

import mmcv
import torch
from mmdet.registry import HOOKS
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from PIL import Image

from gslora_det.files import atomic_write, read_json, write_json
from gslora_det.visualization import draw_erased_boxes


@HOOKS.register_module()
class ErasedBoxesHook(Hook):
    """Draws what was erased: some validation images before and after.

    Args:
        images (list[int]): Ids of the images.
        predictions (str): File that keeps their predictions by the original model. It is
            written where ``split`` is None, and read otherwise.
        out_dir (str, optional): Folder of the pictures.
        split (dict, optional): The task's ``forgotten`` and ``old`` classes.
        score_thr (float): Detections below this score are not drawn.
    """

    def __init__(self, images: Sequence[int], predictions: str,
                 out_dir: Optional[str] = None,
                 split: Optional[Dict[str, Sequence[str]]] = None,
                 score_thr: float = 0.3) -> None:
        self.images = set(images)
        self.predictions = predictions
        self.out_dir = out_dir
        self.split = split
        self.score_thr = score_thr
        self._found: Dict[str, dict] = {}

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None,
                       outputs=()) -> None:
        for sample in outputs:
            if sample.img_id in self.images:
                found = sample.pred_instances
                self._found[str(sample.img_id)] = dict(
                    path=sample.img_path, bboxes=found.bboxes.tolist(),
                    scores=found.scores.tolist(), labels=found.labels.tolist())

    def after_val_epoch(self, runner: Runner, metrics=None) -> None:
        # Every process has seen a part of the images.
        found = {image_id: prediction for part in all_gather_object(self._found)
                 for image_id, prediction in part.items()}
        if is_main_process():
            self._write(runner, found)

    def _write(self, runner: Runner, found: Dict[str, dict]) -> None:
        if self.split is None:
            write_json(self.predictions, found)
            return
        before = read_json(self.predictions)
        classes = runner.val_dataloader.dataset.metainfo['classes']
        for image_id, after in found.items():
            picture = draw_erased_boxes(
                mmcv.imread(after['path'], channel_order='rgb'),
                _instances(before[image_id]), _instances(after), self.split, classes,
                self.score_thr)
            path = Path(self.out_dir) / f'{Path(after["path"]).stem}.png'
            with atomic_write(path) as draft:
                Image.fromarray(picture).save(draft, 'PNG')


def _instances(found: dict) -> InstanceData:
    return InstanceData(bboxes=torch.tensor(found['bboxes']).reshape(-1, 4),
                        scores=torch.tensor(found['scores']),
                        labels=torch.tensor(found['labels'], dtype=torch.long))
