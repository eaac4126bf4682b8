"""Pictures of validation images that show what an unlearned detector no longer finds."""

import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import mmcv
from mmengine.config import Config

from gslora_det.class_names import labels_of, resolve_classes
from gslora_det.engine.predict import predict, validation_set
from gslora_det.engine.progress import SequenceProgress
from gslora_det.evaluation import box_fates, class_roles, fate_summary
from gslora_det.evaluation.box_fates import UNWANTED
from gslora_det.files import check_writable, sha256
from gslora_det.options import COUNT, SCORE, check_flags
from gslora_det.visualization import draw_erased_boxes, write_picture
from gslora_det.weights import check_exists, fetch, read_meta


def unlearned_roles(weights: str, classes: Sequence[str]) -> tuple[str, ...]:
    """The role of each class by label, as an unlearned checkpoint states it.

    Raises:
        ValueError: It does not state what it forgot, or names an unknown class.
    """
    meta = read_meta(weights)
    if not meta.get('forgotten'):
        raise ValueError(f'{weights} does not state what it forgot: give the merged.pth of '
                         'a task')
    return class_roles(classes, meta['forgotten'], meta.get('old', ()))


def _named_images(infos: dict[int, tuple[int, dict]], images: Sequence[str]) -> list[int]:
    """Image ids from ids and file names, with or without folders."""
    found = []
    for image in images:
        ids = [i for i, (_, info) in infos.items()
               if image == str(i) or f'/{info["img_path"]}'.endswith(f'/{image}')]
        if len(ids) != 1:
            raise ValueError(f'--images {image}: {len(ids) or "no"} validation images have '
                             'this id or file name')
        found += ids
    return found


def _images_of_classes(infos: dict[int, tuple[int, dict]], names: Sequence[str],
                       classes: Sequence[str]) -> list[int]:
    labels = set(labels_of(resolve_classes(names, classes, where='--classes'), classes))
    found = [i for i, (_, info) in infos.items()
             if labels & {instance['bbox_label'] for instance in info['instances']}]
    if not found:
        raise ValueError(f'--classes {" ".join(names)}: no validation image shows them')
    return found


def visualize(cfg: Config, original: str, unlearned: str, out: Path,
              images: Sequence[str] | None = None,
              classes: Sequence[str] | None = None, worst: int = 20,
              score_thr: float = 0.3) -> dict:
    """Writes 'before | now | ground truth' of some validation images as PNG files.

    Args:
        cfg (Config): Names the detector and the validation images.
        original (str): Weights of the original detector.
        unlearned (str): Weights of the unlearned one; they state what was forgotten.
        out (Path): Folder of the pictures.
        images (list[str], optional): These images, by id or file name.
        classes (list[str], optional): The images that show one of these classes.
        worst (int): If neither is given: as many images with most unwanted fates, of all.
        score_thr (float): Only detections with a score above it count.

    Returns:
        dict: ``pictures``, their files, and ``fates``, the summary over all images that
        were looked at, see :func:`gslora_det.evaluation.fate_summary`.

    Raises:
        ValueError: A file, an image or a class is unknown, or an option out of range.
    """
    check_flags(score_thr=(score_thr, SCORE), worst=(worst, COUNT))
    check_writable(out / 'picture.png')
    meta = read_meta(unlearned)  # before any data are drawn
    check_exists(original)
    if meta.get('original') not in (None, sha256(fetch(original))):
        print(f'warning: {original} is not the detector that {unlearned} was at first: its '
              f'sha256 should begin with {meta["original"][:12]}', file=sys.stderr)
    dataset, infos = validation_set(cfg)
    names = dataset.metainfo['classes']
    roles = unlearned_roles(unlearned, names)
    ids = None
    if images:
        ids = _named_images(infos, images)
    elif classes:
        ids = _images_of_classes(infos, classes, names)
    before, after = (predict(cfg, weights, ids) for weights in (original, unlearned))
    fates = {i: box_fates(before[i].objects, before[i].detections, after[i].detections,
                          roles, score_thr) for i in before}

    def unwanted(image_id: int) -> int:
        return sum(fate.fate in UNWANTED for fate in fates[image_id])

    if ids is None:
        ids = sorted(filter(unwanted, fates), key=unwanted, reverse=True)[:worst]
    out.mkdir(parents=True, exist_ok=True)
    pictures = []
    with SequenceProgress(len(ids)) as progress:
        progress.stage('drawing')
        for i in ids:
            picture = draw_erased_boxes(
                mmcv.imread(before[i].path, channel_order='rgb'), before[i].objects,
                before[i].detections, after[i].detections, roles, names, score_thr)
            pictures.append(write_picture(picture, out, before[i].path, dataset))
            progress.step()
    return dict(pictures=pictures, fates=fate_summary(chain(*fates.values()), names, roles))
