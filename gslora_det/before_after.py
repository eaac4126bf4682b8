"""A look at detections before and after an erasure, for notebooks."""

import copy
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from mmdet.apis import inference_detector, init_detector
from PIL import Image

from gslora_det.config_file import read_config
from gslora_det.engine.plain import settle_test_data
from gslora_det.engine.predict import Prediction, predict
from gslora_det.engine.visualize import unlearned_roles
from gslora_det.evaluation import (
    ComparedImage,
    Detections,
    Objects,
    box_fates,
    class_scores,
    fate_summary,
)
from gslora_det.options import SCORE, check_flags
from gslora_det.process import prepare_process
from gslora_det.quiet import quiet
from gslora_det.reporting import over_thresholds, render_thresholds
from gslora_det.visualization import draw_panels
from gslora_det.weights import fetch, load_weights

_SURE = 0.3  # what the original finds above it stands in for ground truth


class BeforeAfter:
    """Two detectors of one config: before an erasure and after it.

    Examples:
        >>> look = gslora_det.BeforeAfter('my_detector.py', 'my.pth', erasure.weights)
        >>> look.picture('photo.jpg', score_thr=0.05)
        >>> look.fates(score_thr=0.3)['roles']

    Args:
        config (str | Path): The detector's MMDetection config.
        before (str | Path): Weights of the original detector.
        after (str | Path): Weights of the unlearned one; they state what was forgotten.
        device (str): Where :meth:`picture` runs them. Over the validation images both run on a GPU
            where there is one.

    Attributes:
        classes (tuple[str]): Names of all classes, in the detector's order.
        roles (tuple[str]): Of each class: ``'retained'``, ``'forgotten'`` or ``'old'``.

    Raises:
        ValueError: A file does not fit; one line says what.
    """

    def __init__(self, config: str | Path, before: str | Path,
                 after: str | Path, device: str = 'cpu') -> None:
        prepare_process()
        self._cfg, self._weights = read_config(config), (str(before), str(after))
        settle_test_data(self._cfg)  # whose pipeline is that of a picture
        with quiet():
            self._detectors = [  # MMDet writes into its config
                init_detector(copy.deepcopy(self._cfg), str(fetch(weights)), device=device)
                for weights in self._weights]
        for detector, weights in zip(self._detectors, self._weights):
            load_weights(detector, weights)  # MMDet takes what fits and leaves the rest
        self.classes = tuple(self._detectors[1].dataset_meta['classes'])
        self.roles = unlearned_roles(str(after), self.classes)

    def picture(self, image: str | Path | Image.Image | np.ndarray,
                score_thr: float = 0.3) -> Image.Image:
        """What both find in an image of your own, side by side.

        What the original finds above 0.3 stands in for the ground truth that there is not.

        Args:
            image (str | Path | Image | ndarray): A file, or RGB of shape (H, W, 3).
            score_thr (float): Only detections with a score above it are drawn.
        """
        check_flags(score_thr=(score_thr, SCORE))
        if isinstance(image, (str, Path)):
            image = Image.open(image)
        if isinstance(image, Image.Image):
            image = np.asarray(image.convert('RGB'))
        before, after = (
            Detections.of(inference_detector(detector, image[..., ::-1]).pred_instances)
            for detector in self._detectors)
        sure = before.scores > _SURE
        panels = draw_panels(image, Objects(before.bboxes[sure], before.labels[sure]), before,
                             after, self.roles, self.classes, score_thr)
        return Image.fromarray(np.hstack([panels['before'], panels['after']]))

    def fates(self, score_thr: float = 0.3) -> dict:
        """What became of the objects of all validation images.

        Args:
            score_thr (float): Only detections with a score above it count.

        Returns:
            dict: See :func:`gslora_det.evaluation.fate_summary`.
        """
        check_flags(score_thr=(score_thr, SCORE))
        fates = [fate for objects, before, after in self._found() for fate in box_fates(
            objects, before, after, self.roles, score_thr)]
        return fate_summary(fates, self.classes, self.roles)

    def thresholds(self) -> str:
        """Kept and lost objects of the validation images over the score threshold, as HTML."""
        scores = class_scores((ComparedImage.of(*each) for each in self._found()),
                              len(self.classes))
        return render_thresholds(over_thresholds(scores, self.classes, self.roles))

    def _found(self) -> Iterator[tuple[Objects, Detections, Detections]]:
        before, after = self._predictions
        for image_id, one in before.items():
            yield one.objects, one.detections, after[image_id].detections

    @cached_property
    def _predictions(self) -> list[dict[int, Prediction]]:
        """Of both detectors, made when they are asked for."""
        return [predict(self._cfg, weights) for weights in self._weights]
