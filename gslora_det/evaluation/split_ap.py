"""AP of any set of classes, read from one finished COCO evaluation."""

import copy
from collections.abc import Iterable

import numpy as np

from gslora_det.quiet import quiet

PROTOCOLS = ('full', 'reference')


def class_ap(coco_eval, max_dets: int | None = None) -> dict:
    """AP of each class over all IoU thresholds and object sizes.

    Args:
        coco_eval: A ``COCOeval`` after ``evaluate()`` and ``accumulate()``.
        max_dets: Detections an image that count, one of ``params.maxDets``.
            Defaults to the last of them.

    Returns:
        Category id to AP, in [0, 1] and unrounded; None for a class without ground truth.
    """
    precision = _precision_of_all_sizes(coco_eval, max_dets)
    return {int(cat_id): mean_precision(precision[:, :, column])
            for column, cat_id in enumerate(coco_eval.params.catIds)}


def split_ap(coco_eval, cat_ids: Iterable[int], protocol: str = 'full',
             max_dets: int | None = None) -> float | None:
    """AP of a split of the classes, as if only these had been evaluated.

    Equals the AP of a new ``COCOeval`` with ``params.catIds`` set to the split and, in the
    ``reference`` protocol, ``params.imgIds`` to the images that have a ground truth box (crowds
    count) of the split. Nothing is matched anew and ``coco_eval`` stays as it is.

    Args:
        coco_eval: A ``COCOeval`` (pycocotools or faster_coco_eval with
            ``separate_eval``) after ``evaluate()`` and ``accumulate()``.
        cat_ids: Category ids of the split.
        protocol: ``full`` counts all images; ``reference`` is that of the GS-LoRA
            code, which hides false positives on images without the split's classes.
        max_dets: Detections an image that count, one of ``params.maxDets``.
            Defaults to the last of them.

    Returns:
        AP in [0, 1], unrounded; None if the split has no ground truth.

    Raises:
        ValueError: If the protocol, a category id or ``max_dets`` is unknown.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f'unknown protocol {protocol!r}; use one of {PROTOCOLS}')
    evaluated = [int(cat_id) for cat_id in coco_eval.params.catIds]
    cat_ids = sorted({int(cat_id) for cat_id in cat_ids})
    unknown = [cat_id for cat_id in cat_ids if cat_id not in evaluated]
    if unknown:
        raise ValueError(f'categories {unknown} were not evaluated; remove them')
    columns = [evaluated.index(cat_id) for cat_id in cat_ids]

    if protocol == 'reference':
        coco_eval = _narrowed(coco_eval, columns, cat_ids, max_dets)
        columns = range(len(columns))
    return mean_precision(_precision_of_all_sizes(coco_eval, max_dets)[:, :, list(columns)])


def _narrowed(coco_eval, columns: list, cat_ids: list, max_dets: int | None):
    """Accumulate again over the split's classes and the images that show them."""
    params = copy.copy(coco_eval.params)
    num_images, num_areas = len(params.imgIds), len(params.areaRng)
    shown = {annotation['image_id'] for annotation in coco_eval.cocoGt.anns.values()
             if annotation['category_id'] in cat_ids}
    images = [i for i, image_id in enumerate(params.imgIds) if image_id in shown]
    area = params.areaRngLbl.index('all')

    # faster_coco_eval keeps the same K x A x I list under a name of its own.
    matches = '_evalImgs_cpp' if hasattr(coco_eval, '_evalImgs_cpp') else 'evalImgs'
    per_image = getattr(coco_eval, matches)
    narrowed = copy.copy(coco_eval)
    setattr(narrowed, matches, [per_image[(column * num_areas + area) * num_images + image]
                                for column in columns for image in images])
    params.catIds = cat_ids
    params.imgIds = [params.imgIds[image] for image in images]
    params.areaRng, params.areaRngLbl = [params.areaRng[area]], ['all']
    params.maxDets = [params.maxDets[_max_dets_index(params, max_dets)]]
    # accumulate() reads the layout of the list from `_paramsEval`.
    narrowed.params = narrowed._paramsEval = params
    with quiet():
        narrowed.accumulate()
    return narrowed


def _precision_of_all_sizes(coco_eval, max_dets: int | None) -> np.ndarray:
    """Precision [IoU, recall, class] of objects of all sizes."""
    params = coco_eval.params
    area, index = params.areaRngLbl.index('all'), _max_dets_index(params, max_dets)
    return coco_eval.eval['precision'][:, :, :, area, index]


def _max_dets_index(params, max_dets: int | None) -> int:
    allowed = list(params.maxDets)
    if max_dets is not None and max_dets not in allowed:
        raise ValueError(f'max_dets {max_dets} was not evaluated; use one of {allowed}')
    return -1 if max_dets is None else allowed.index(max_dets)


def mean_precision(precision: np.ndarray) -> float | None:
    """Mean as in ``COCOeval.summarize``, where -1 marks a class without objects."""
    valid = precision[precision > -1]
    return float(np.mean(valid)) if valid.size else None
