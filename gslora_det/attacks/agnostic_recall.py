from collections import Counter

import numpy as np

from gslora_det.attacks.base import Attack, Target
from gslora_det.evaluation.box_fates import IOU_THR
from gslora_det.evaluation.boxes import Detections, Objects, overlaps
from gslora_det.registry import ATTACKS


@ATTACKS.register_module()
class AgnosticRecall(Attack):
    """Counts the objects that are still detected, whatever they are called."""
    name = 'class-agnostic recall'
    title = 'objects detected as anything'
    x = 'score above'
    measures = 'recall'

    def run(self, target: Target, score_thr: float = 0.3) -> list[dict]:
        """Counts on the validation images, see :meth:`Attack.run`.

        Args:
            target (Target): What is attacked.
            score_thr (float): Boxes of lower scores do not count.

        Returns:
            list[dict]: One point. ``recall`` and ``recall_of_all`` are the percent of the
            objects on which a box lies above the score, and one of any score (of most configs'
            100 an image); ``names`` are the five most frequent classes of the best box on an
            object above the score, with how many.
        """
        material, detector = self.material, self.material.detector(target.weights)
        number, best = 0, []
        for i, sample in enumerate(material.found(detector, material.prefix(detector))):
            objects = Objects.of(material.val.get_data_info(i))
            wanted = np.isin(objects.labels, list(target.classes))
            found = Detections.of(sample.pred_instances)
            number += wanted.sum()
            for on in overlaps(objects.bboxes[wanted], found.bboxes) >= IOU_THR:
                if on.any():
                    best.append(max(zip(found.scores[on].tolist(), found.labels[on].tolist())))
        names = Counter(material.classes[label] for score, label in best if score > score_thr)
        recall, of_all = (round(100 * count / max(int(number), 1), 2)
                          for count in (sum(names.values()), len(best)))
        return [dict(x=score_thr, recall=recall, recall_of_all=of_all,
                     names=dict(names.most_common(5)))]
