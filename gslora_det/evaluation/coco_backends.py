"""pycocotools and faster_coco_eval, and what each cannot take."""

from __future__ import annotations

import importlib
from types import ModuleType

from mmdet.datasets.api_wrappers import COCOeval, COCOevalMP


def import_faster() -> ModuleType:
    """The package ``faster_coco_eval``.

    Raises:
        ImportError: It is not installed; the line says what to do.
    """
    try:
        return importlib.import_module('faster_coco_eval')
    except ImportError as error:
        raise ImportError("backend='faster_coco_eval' is not installed; run: pip install "
                          'faster-coco-eval') from error


def number_annotations(coco) -> None:
    """Give annotations the ids 1, 2, …

    COCOeval notes by its id which object a detection found and takes 0 for none: what
    finds an object of id 0 would count as false.
    """
    for number, annotation in enumerate(coco.dataset['annotations'], 1):
        annotation['id'] = number
    coco.anns = {each['id']: each for each in coco.dataset['annotations']}


def refuse_rounded_ids(coco) -> None:
    """faster_coco_eval keeps ids as floating-point numbers."""
    for what, entries in (('image', coco.imgs), ('category', coco.cats)):
        far = [key for key in entries if abs(key) > 2**53]
        if far:
            raise ValueError(f'{what} ids beyond 2^53: {len(far)} (the first is {far[0]}), which '
                             'faster_coco_eval would round; use backend pycocotools')


def box_evaluation(coco, detections: list, faster: ModuleType | None, use_mp_eval: bool):
    """A ``COCOeval`` of boxes, in which nothing is matched yet.

    Args:
        coco: The annotations.
        detections: Entries of a COCO results file.
        faster: The package ``faster_coco_eval``, to match by that.
        use_mp_eval: Match in several processes.
    """
    if faster:
        coco = faster.COCO(coco.dataset)
        return faster.COCOeval_faster(coco, _loaded(coco, detections), 'bbox', separate_eval=True)
    evaluation = COCOevalMP if use_mp_eval else COCOeval
    return evaluation(coco, _loaded(coco, detections), 'bbox')


def _loaded(coco, detections: list):
    """``coco.loadRes``, which older tools cannot do for an empty list."""
    if detections:
        return coco.loadRes(detections)
    empty = type(coco)()
    empty.dataset = dict(images=coco.dataset['images'], categories=coco.dataset['categories'],
                         annotations=[])
    empty.createIndex()
    return empty
