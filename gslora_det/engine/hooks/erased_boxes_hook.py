from collections.abc import Sequence
from pathlib import Path

import mmcv
from mmdet.registry import HOOKS
from mmengine.runner import Runner

from gslora_det.engine.hooks.detections_hook import DetectionsHook
from gslora_det.engine.hooks.fates_hook import detections
from gslora_det.evaluation import Objects, class_roles
from gslora_det.files import read_json
from gslora_det.visualization import draw_erased_boxes, write_picture


@HOOKS.register_module()
class ErasedBoxesHook(DetectionsHook):
    """Draws what was erased: some validation images before and after.

    The pictures go to ``out_dir`` and, through ``runner.visualizer``, to the backends that
    the config names, such as TensorBoard or Weights & Biases.

    Args:
        images (list[int]): Ids of the images.
        predictions (str): File of the original model's detections, see
            :class:`KeepDetectionsHook`.
        out_dir (str): Folder of the pictures.
        split (dict): The task's ``forgotten`` and ``old`` classes.
        score_thr (float): Detections below this score are not drawn.
    """

    def __init__(self, images: Sequence[int], predictions: str, out_dir: str,
                 split: dict[str, Sequence[str]], score_thr: float = 0.3) -> None:
        super().__init__(images, score_thr)
        self.predictions = predictions
        self.out_dir = out_dir
        self.split = split

    def look_at(self, runner: Runner, found: dict[str, dict]) -> None:
        """Draws the images."""
        before = read_json(self.predictions)
        dataset = runner.val_dataloader.dataset
        classes = dataset.metainfo['classes']
        for folder in (Path(self.out_dir).parent, Path(self.out_dir)):
            folder.mkdir(exist_ok=True)  # without parents: a work dir that is gone stays so
        roles = class_roles(classes, self.split['forgotten'], self.split['old'])
        for info in map(dataset.get_data_info, range(len(dataset))):
            key, image = str(info['img_id']), info['img_path']
            if key in found and key in before:
                picture = draw_erased_boxes(
                    mmcv.imread(image, channel_order='rgb'), Objects.of(info),
                    detections(before[key]), detections(found[key]), roles, classes,
                    self.score_thr)
                file = write_picture(picture, self.out_dir, image, dataset)
                runner.visualizer.add_image(f'erased_{file.stem}', picture, runner.iter)
