"""pycocotools and faster_coco_eval, and what each cannot take."""

import contextlib
import gc
import importlib
import importlib.metadata
from collections.abc import Iterator
from types import ModuleType

from mmdet.datasets.api_wrappers import COCOeval, COCOevalMP
from mmengine.utils import digit_version

BACKENDS = ('pycocotools', 'faster_coco_eval')
# The oldest that was compared with pycocotools.
OLDEST = '1.6.0'


def import_faster() -> ModuleType:
    """The package ``faster_coco_eval``.

    Raises:
        ImportError: It is not installed, or too old; the line says what to do.
    """
    try:
        faster = importlib.import_module('faster_coco_eval')
    except ImportError as error:
        raise ImportError("backend='faster_coco_eval' is not installed; run: pip install "
                          'faster-coco-eval') from error
    if digit_version(faster.__version__) < digit_version(OLDEST):
        raise ImportError(f"backend='faster_coco_eval' is {faster.__version__}, older than "
                          f'{OLDEST}; run: pip install -U faster-coco-eval')
    return faster


def choose_backend(backend: str | None, coco, use_mp_eval: bool) -> ModuleType | None:
    """The package ``faster_coco_eval`` where it is to match, None where pycocotools is.

    Args:
        backend: One of :data:`BACKENDS`, or None for the faster one where it is installed and
            gives the same.
        coco: The annotations, None where they are not known yet.
        use_mp_eval: Whether pycocotools is to match in several processes.

    Raises:
        ValueError: If the backend that is asked for is unknown, or cannot do this.
        ImportError: If it is not installed.
    """
    if backend not in (None, *BACKENDS):
        raise ValueError(f'unknown backend {backend!r}; use {" or ".join(BACKENDS)}')
    if backend == 'faster_coco_eval' and use_mp_eval:
        raise ValueError('use_mp_eval does not go with faster_coco_eval; remove it')
    if backend == 'pycocotools' or use_mp_eval:
        return None
    try:
        faster = import_faster()
        refuse_rounded_ids(coco)
    except (ImportError, ValueError):
        if backend:
            raise
        return None
    return faster


def describe_backend(faster: ModuleType | None) -> str:
    """Its name and version."""
    name = 'faster_coco_eval' if faster else 'pycocotools'
    return f'{name} {importlib.metadata.version(name)}'


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
    for what, entries in (('image', coco.imgs), ('category', coco.cats)) if coco else ():
        far = [key for key in entries if abs(key) > 2**53]
        if far:
            raise ValueError(f'{what} ids beyond 2^53: {len(far)} (the first is {far[0]}), which '
                             'faster_coco_eval would round; use backend pycocotools')


def box_evaluation(coco, detections: list, faster: ModuleType | None, use_mp_eval: bool):
    """A ``COCOeval`` of boxes, in which nothing is matched yet.

    Args:
        coco: The annotations.
        detections: Entries of a COCO results file, which get ids.
        faster: The package ``faster_coco_eval``, to match by that.
        use_mp_eval: Match in several processes.
    """
    if faster:
        coco = faster.COCO(coco.dataset)
        return faster.COCOeval_faster(coco, _loaded(coco, detections), 'bbox', separate_eval=True)
    evaluation = COCOevalMP if use_mp_eval else _PairedCOCOeval
    return evaluation(coco, _loaded(coco, detections), 'bbox')


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Within the block, Python looks for no garbage.

    COCOeval makes some hundred thousand small things that all stay, and each search looks at all
    of them: nearly half of the time that it takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _PairedCOCOeval(COCOeval):
    """Sorts nothing where an image shows no object of a class, or none is found."""

    def computeIoU(self, imgId, catId):
        if self._gts[imgId, catId] and self._dts[imgId, catId]:
            return super().computeIoU(imgId, catId)
        return []


def _loaded(coco, detections: list):
    """``coco.loadRes`` without an outline for each box; older tools take no empty list."""
    unknown = {each['image_id'] for each in detections} - coco.imgs.keys()
    if unknown:
        raise ValueError(f'detections in {len(unknown)} images (one is {unknown.pop()}) that '
                         'the annotation file lacks; give the metric the ann_file of the data set')
    for number, each in enumerate(detections, 1):
        each.update(id=number, area=each['bbox'][2] * each['bbox'][3], iscrowd=0)
    found = type(coco)()
    found.dataset = dict(images=coco.dataset['images'], categories=coco.dataset['categories'],
                         annotations=detections)
    found.createIndex()
    return found
