import math
from collections.abc import Sequence

from mmdet.registry import HOOKS
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from gslora_det.files import write_json


class DetectionsHook(Hook):
    """Base of hooks that look at what an evaluation found, in all processes together.

    Args:
        images (list[int], optional): Ids of the images that are looked at; by default all.
        score_thr (float): Only detections with a score above it are kept.
    """

    def __init__(self, images: Sequence[int] | None = None, score_thr: float = 0.0) -> None:
        self.images = None if images is None else set(images)
        self.score_thr = score_thr
        self._found: dict[str, dict] = {}

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=()) -> None:
        for sample in outputs:
            if self.images is None or sample.img_id in self.images:
                self._found[str(sample.img_id)] = self._kept(sample.pred_instances)

    def _kept(self, found) -> dict[str, list]:
        # A broken detector's boxes may be NaN, which no file and no picture takes.
        rows = [row for row in zip(found.bboxes.tolist(), found.scores.tolist(),
                                   found.labels.tolist())
                if row[1] > self.score_thr and all(map(math.isfinite, (*row[0], row[1])))]
        return {name: [row[i] for row in rows]
                for i, name in enumerate(('bboxes', 'scores', 'labels'))}

    def after_val_epoch(self, runner: Runner, metrics=None) -> None:
        # Every process has seen a part of the images.
        found = {image_id: detections for part in all_gather_object(self._found)
                 for image_id, detections in part.items()}
        if is_main_process():
            self.look_at(runner, found)

    def look_at(self, runner: Runner, found: dict[str, dict]) -> None:
        """Called once an evaluation is over, in the main process.

        Args:
            runner (Runner): The runner.
            found (dict): ``bboxes``, ``scores`` and ``labels`` of each image, by its id as text.
        """
        raise NotImplementedError


@HOOKS.register_module()
class KeepDetectionsHook(DetectionsHook):
    """Writes what an evaluation found to a JSON file.

    Args:
        file (str): The file.
        **kwargs: See :class:`DetectionsHook`.
    """

    def __init__(self, file: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self.file = file

    def look_at(self, runner: Runner, found: dict[str, dict]) -> None:
        """Writes the file."""
        write_json(self.file, found)
