from collections.abc import Sequence
from types import SimpleNamespace

from mmdet.registry import HOOKS
from mmengine.runner import Runner

from gslora_det.engine.hooks.detections_hook import DetectionsHook
from gslora_det.evaluation import (
    ComparedImage,
    Detections,
    Objects,
    box_fates,
    class_roles,
    found_again,
)
from gslora_det.files import read_json


@HOOKS.register_module()
class FatesHook(DetectionsHook):
    """Counts what became of the objects that the original model found.

    AP is a ranking: it does not show that scores fall below the threshold of a user.

    Args:
        predictions (str): File of the original model's detections, see
            :class:`KeepDetectionsHook`.
        split (dict): The task's ``forgotten`` and ``old`` classes.
        score_thrs (list[float]): Only detections with a score above it count, for each.

    Attributes:
        counts (dict): By score threshold as text, see :func:`gslora_det.evaluation.found_again`.
    """

    def __init__(self, predictions: str, split: dict[str, Sequence[str]],
                 score_thrs: Sequence[float]) -> None:
        super().__init__(score_thr=min(score_thrs))
        self.predictions = predictions
        self.split = split
        self.score_thrs = score_thrs
        self.counts: dict[str, dict] = {}

    def look_at(self, runner: Runner, found: dict[str, dict]) -> None:
        """Counts, image by image."""
        before = read_json(self.predictions)
        dataset = runner.val_dataloader.dataset
        classes = dataset.metainfo['classes']
        roles = class_roles(classes, self.split['forgotten'], self.split['old'])
        images = []
        for info in map(dataset.get_data_info, range(len(dataset))):
            key = str(info['img_id'])
            images.append(ComparedImage.of(
                Objects.of(info), detections(before[key]), detections(found[key])))
        for score_thr in self.score_thrs:
            fates = (fate for image in images for fate in box_fates(
                image.objects, *image.detections, roles, score_thr, image.matched))
            self.counts[f'{score_thr:g}'] = found_again(fates, roles)


def detections(kept: dict[str, list]) -> Detections:
    """The detections of an image that a :class:`DetectionsHook` has kept."""
    return Detections.of(SimpleNamespace(**kept))
