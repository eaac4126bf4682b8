"""MMDetection's COCO metric with the AP of each class split and H."""

import os.path as osp
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np
from mmdet.datasets.api_wrappers import COCO, COCOeval
from mmdet.evaluation import CocoMetric
from mmdet.registry import METRICS
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from gslora_det.class_names import resolve_classes
from gslora_det.evaluation.coco_backends import (
    box_evaluation,
    choose_backend,
    collector_paused,
    describe_backend,
    number_annotations,
)
from gslora_det.evaluation.measures import h_mean
from gslora_det.evaluation.split_ap import PROTOCOLS, class_ap, mean_precision, split_ap
from gslora_det.quiet import quiet

# The order of `COCOeval.stats` under MMDetection's names.
STATS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l',
         'AR@100', 'AR@300', 'AR@1000', 'AR_s@1000', 'AR_m@1000', 'AR_l@1000')


@METRICS.register_module()
class SplitCocoMetric(CocoMetric):
    """COCO metric that also measures each split of the classes.

    Beside the results of ``CocoMetric`` (those of boxes here unrounded) it gives ``AP`` over all
    classes and, for each split, ``AP_<split>`` over all images and ``AP_<split>_reference`` over
    the images that show the split's classes. With ``original`` and the splits ``retained`` and
    ``forgotten`` it adds ``H`` and ``H_reference``. They count 100 detections an image, like
    ``bbox_mAP``, and so does here the AP of a class, ``<class>_precision``, which MMDetection
    gives with the most of ``proposal_nums``. A split without ground truth is NaN. However many
    splits there are, boxes are matched once; where ``metric_items`` asks for no object size, for
    objects of all sizes only, which is four times less work.

    Args:
        splits: Split name to class names, e.g. ``dict(retained=[...],
            forgotten=[...], old=[...])``.
        original: What the original model reached on the forgotten classes, as
            ``dict(forgotten=AP, forgotten_reference=AP)``, in [0, 1].
        backend: ``pycocotools``, or ``faster_coco_eval`` to match boxes in C++; by default the
            latter where it is installed. The log says which.
        **kwargs: All options of ``CocoMetric``.

    Raises:
        ValueError: If an option is unknown or does not go with another, if the backend would round
            ids, or, once the data set is known, if a split names a class that it does not have.
        ImportError: If the backend is not installed.
    """

    def __init__(self, *args, splits: Mapping[str, Sequence[str]] | None = None,
                 original: Mapping[str, float | None] | None = None,
                 backend: str | None = None, **kwargs):
        with quiet():
            super().__init__(*args, **kwargs)
        if self._coco_api is not None:
            number_annotations(self._coco_api)
        # As in COCOeval's own mAP, which asks for 100 whatever `proposal_nums` says.
        self._max_dets = 100 if 100 in self.proposal_nums else self.proposal_nums[-1]
        self.splits = dict(splits or {})
        self.original = dict(original or {})
        if self.splits and 'bbox' not in self.metrics:
            raise ValueError(f'splits are measured on boxes but metric is {self.metrics}; add '
                             "'bbox'")
        unknown = set(self.original) - {'forgotten', 'forgotten_reference'}
        if unknown:
            raise ValueError(f'original has unknown keys {sorted(unknown)}; it may give '
                             'forgotten and forgotten_reference')
        self.backend = backend
        self.faster = choose_backend(backend, self._coco_api, self.use_mp_eval)

    @property
    def dataset_meta(self) -> dict | None:
        """Meta information of the data set; setting it checks the splits."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict) -> None:
        for name, names in self.splits.items():
            # A split may be empty: nothing is old in the first task.
            if len(names):
                resolve_classes(names, meta['classes'], where=f'split {name!r}')
        self._dataset_meta = meta

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of a batch, without those that are not finite.

        COCOeval takes a box of NaN for one that overlaps every object.

        Args:
            data_batch: Not looked at.
            data_samples: Data samples as dicts, with ``pred_instances``.
        """
        for sample in data_samples:
            found = sample['pred_instances']
            finite = found['bboxes'].isfinite().all(1) & found['scores'].isfinite()
            if not finite.all():
                sample['pred_instances'] = {key: value[finite] for key, value in found.items()}
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list) -> dict:
        """Compute all metrics from the processed results.

        Args:
            results: Pairs of ground truth and prediction, one an image.

        Returns:
            Metric name (without prefix) to value.
        """
        # A logger born inside `quiet` would stay silent for ever.
        MMLogger.get_current_instance()
        if self.format_only:
            return super().compute_metrics(results)
        metrics, values = self.metrics, {}
        for metric in metrics:
            if metric == 'bbox':
                values.update(self._compute_boxes(results))
                continue
            try:
                self.metrics = [metric]
                with quiet():
                    values.update(super().compute_metrics(results))
            finally:
                self.metrics = metrics
        return values

    @collector_paused()
    def _compute_boxes(self, results: list) -> dict:
        names = STATS[:6] if self.metric_items is None else self.metric_items
        unknown = [name for name in names if name not in STATS]
        if unknown:
            raise KeyError(f'metric item "{unknown[0]}" is not supported')
        with quiet():
            coco_eval = self._evaluate_boxes(results, any('_' + size in name for name in names
                                                          for size in 'sml'))
        values = {f'bbox_{name}': float(coco_eval.stats[STATS.index(name)]) for name in names}
        if self.classwise:
            values.update(self._classwise(coco_eval))
        values.update(self._splitwise(coco_eval))
        return values

    def _evaluate_boxes(self, results: list, by_size: bool):
        """Match all boxes once and accumulate precision and recall."""
        ground_truth, predictions = zip(*results)
        if self._coco_api is None:
            with tempfile.TemporaryDirectory() as folder:
                self._coco_api = COCO(self.gt_to_coco_json(
                    ground_truth, self.outfile_prefix or osp.join(folder, 'results')))
        if self.cat_ids is None:
            self.cat_ids = self._coco_api.get_cat_ids(cat_names=self.dataset_meta['classes'])
        if self.img_ids is None:
            self.img_ids = self._coco_api.get_img_ids()
        if self.outfile_prefix:  # somebody wants the files
            self.results2json(predictions, self.outfile_prefix)

        detections = [
            dict(image_id=found['img_id'], category_id=self.cat_ids[label], score=score,
                 bbox=[left, top, right - left, bottom - top])
            for found in predictions for (left, top, right, bottom), score, label in zip(*(
                found[key].tolist() for key in ('bboxes', 'scores', 'labels')))]
        # Only now are the ids known of annotations that came with the images.
        self.faster = choose_backend(self.backend, self._coco_api, self.use_mp_eval)
        coco_eval = box_evaluation(self._coco_api, detections, self.faster, self.use_mp_eval)
        coco_eval.params.catIds = self.cat_ids
        coco_eval.params.imgIds = self.img_ids
        coco_eval.params.maxDets = list(self.proposal_nums)
        # summarize() finds 0.50 and 0.75 only in an array.
        coco_eval.params.iouThrs = np.atleast_1d(self.iou_thrs)
        if not by_size:
            coco_eval.params.areaRng = coco_eval.params.areaRng[:1]
            coco_eval.params.areaRngLbl = coco_eval.params.areaRngLbl[:1]
        coco_eval.evaluate()
        coco_eval.accumulate()
        # faster_coco_eval has a summary of its own, with another mAP.
        summarize = COCOeval.summarize if self.faster else type(coco_eval).summarize
        summarize(coco_eval)
        return coco_eval

    def _splitwise(self, coco_eval) -> dict:
        """AP of all classes and of each split, H, and a table of them in the log."""
        id_of = self._category_ids()
        values = {'AP': split_ap(coco_eval, self.cat_ids, 'full', self._max_dets)}
        rows = [['split', 'classes', 'AP', 'AP (reference)']]
        rows.append(['all', len(self.cat_ids), _shown(values['AP']), ''])
        for name, names in self.splits.items():
            # An annotation file may lack a class of the data set: no ground truth.
            cat_ids = [id_of[each] for each in names if each in id_of]
            full, reference = (split_ap(coco_eval, cat_ids, protocol, self._max_dets)
                               for protocol in PROTOCOLS)
            values[f'AP_{name}'], values[f'AP_{name}_reference'] = full, reference
            rows.append([name, len(names), _shown(full), _shown(reference)])

        if {'retained', 'forgotten'} <= set(self.splits) and self.original:
            for suffix in ('', '_reference'):
                if f'forgotten{suffix}' in self.original:
                    values[f'H{suffix}'] = h_mean(
                        values[f'AP_retained{suffix}'], self.original[f'forgotten{suffix}'],
                        values[f'AP_forgotten{suffix}'])
            rows.append(['H', '', *(_shown(values.get(key)) for key in ('H', 'H_reference'))])
        _log_table(rows, f'Boxes were matched by {describe_backend(self.faster)}.')
        return {key: _number(value) for key, value in values.items()}

    def _classwise(self, coco_eval) -> dict:
        """AP of each class, and MMDetection's table of them in the log."""
        name_of = {cat_id: name for name, cat_id in self._category_ids().items()}
        params, precision = coco_eval.params, coco_eval.eval['precision']
        aps, index = class_ap(coco_eval, self._max_dets), params.maxDets.index(self._max_dets)
        sizes = range(1, precision.shape[3])
        rows = [['category', *STATS[:3 + len(sizes)]]]
        for column, (cat_id, ap) in enumerate(aps.items()):
            curve = precision[:, :, column, :, index]  # [IoU, recall, object size]
            parts = [curve[np.isclose(params.iouThrs, iou), :, 0] for iou in (0.5, 0.75)]
            parts += [curve[:, :, size] for size in sizes]
            rows.append([name_of[cat_id], _shown(ap), *(_shown(mean_precision(p)) for p in parts)])
        _log_table(rows)
        return {f'{name_of[cat_id]}_precision': _number(ap) for cat_id, ap in aps.items()}

    def _category_ids(self) -> dict:
        """Class name to category id of the annotation file."""
        categories = self._coco_api.load_cats(self.cat_ids)
        return {category['name']: category['id'] for category in categories}


def _number(value: float | None) -> float:
    # MMEngine's loggers take numbers only.
    return float('nan') if value is None else value


def _shown(value: float | None) -> str:
    return '—' if value is None else f'{value:.3f}'


def _log_table(rows: list, first: str = '') -> None:
    MMLogger.get_current_instance().info(f'{first}\n{AsciiTable(rows).table}')
