import math
from pathlib import Path
from types import SimpleNamespace
from typing import Dict, Optional, Sequence

import mmcv
from mmdet.registry import HOOKS
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from gslora_det.evaluation import Detections, Objects, class_roles
from gslora_det.files import read_json, write_json
from gslora_det.visualization import draw_erased_boxes, write_picture


@HOOKS.register_module()
class ErasedBoxesHook(Hook):
    """Draws what was erased: some validation images before and after.

    The pictures go to ``out_dir`` and, through ``runner.visualizer``, to the backends that
    the config names, such as TensorBoard or Weights & Biases.

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
                # A broken detector's boxes may be NaN, which no file and no picture takes.
                rows = [row for row in zip(found.bboxes.tolist(), found.scores.tolist(),
                                           found.labels.tolist())
                        if all(map(math.isfinite, (*row[0], row[1])))]
                self._found[str(sample.img_id)] = {
                    name: [row[i] for row in rows]
                    for i, name in enumerate(('bboxes', 'scores', 'labels'))}

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
        dataset = runner.val_dataloader.dataset
        classes = dataset.metainfo['classes']
        for folder in (Path(self.out_dir).parent, Path(self.out_dir)):
            folder.mkdir(exist_ok=True)  # without parents: a work dir that is gone stays so
        roles = class_roles(classes, self.split['forgotten'], self.split['old'])
        for info in map(dataset.get_data_info, range(len(dataset))):
            key, image = str(info['img_id']), info['img_path']
            if key in found:
                picture = draw_erased_boxes(
                    mmcv.imread(image, channel_order='rgb'), Objects.of(info),
                    _detections(before[key]), _detections(found[key]), roles, classes,
                    self.score_thr)
                file = write_picture(picture, self.out_dir, image, dataset)
                runner.visualizer.add_image(f'erased_{file.stem}', picture, runner.iter)


def _detections(found: dict) -> Detections:
    return Detections.of(SimpleNamespace(**found))
