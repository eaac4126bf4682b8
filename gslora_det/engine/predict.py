"""What a plain detector finds in a config's images."""

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader, Dataset, Subset

from gslora_det.checks.annotations import Annotations
from gslora_det.engine.progress import SequenceProgress
from gslora_det.evaluation import Detections, Objects
from gslora_det.quiet import quiet
from gslora_det.weights import check_classes, load_weights, read_meta


class Prediction(NamedTuple):
    """One image; all boxes are xyxy in pixels of the original image.

    Attributes:
        path (str): Its file.
        objects (Objects): The ground truth, crowds apart.
        detections (Detections): All detections, whatever their score.
    """

    path: str
    objects: Objects
    detections: Detections


def validation_set(cfg: Config) -> tuple[Any, dict[int, tuple[int, dict]]]:
    """A config's validation data set, and by image id each image's index and annotations.

    The annotations are in pixels of the original image; a pipeline may scale its boxes.

    Raises:
        ValueError: A file is missing; one line says which.
    """
    if 'val_dataloader' not in cfg:
        raise ValueError(f'{cfg.filename} has no val_dataloader')
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    Annotations.of(cfg, 'val_dataloader').check_images()  # may draw Glyph80
    with quiet():
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
    infos = map(dataset.get_data_info, range(len(dataset)))
    return dataset, {info['img_id']: (index, info) for index, info in enumerate(infos)}


def predict(cfg: Config, weights: str,
            image_ids: Sequence[int] | None = None) -> dict[int, Prediction]:
    """Runs a plain MMDet detector over the validation images, on a GPU where there is one.

    Args:
        cfg (Config): Names the detector (``model``) and the images (``val_dataloader``).
        weights (str): Weights of the plain detector, loaded strictly.
        image_ids (list[int], optional): Ids of some images; by default all.

    Returns:
        dict[int, Prediction]: By image id, in the order of the data set.

    Raises:
        ValueError: The weights do not fit or know other classes, or there is no image of an id.
    """
    meta = read_meta(weights)  # before any data are drawn
    dataset, infos = validation_set(cfg)
    check_classes(meta, weights, dataset.metainfo['classes'])
    unknown = [i for i in image_ids or () if i not in infos]
    if unknown:
        raise ValueError(f'there is no validation image of id {unknown[0]}')
    chosen = [infos[i][0] for i in infos if image_ids is None or i in image_ids]
    found = {}
    for samples in found_in(cfg, weights, Subset(dataset, chosen), Path(weights).name):
        for sample in samples:
            info = infos[sample.img_id][1]
            found[sample.img_id] = Prediction(
                info['img_path'], Objects.of(info), Detections.of(sample.pred_instances))
    return found


@torch.no_grad()
def found_in(cfg: Config, weights: str, dataset: Dataset,
             title: str) -> Iterator[list[DetDataSample]]:
    """Runs a plain MMDet detector over a data set, on a GPU where there is one, with a bar.

    Args:
        cfg (Config): Names the detector (``model``), and by ``val_dataloader`` the batches.
        weights (str): Weights of the plain detector, loaded strictly.
        dataset (Dataset): The images.
        title (str): What stands before the bar.

    Yields:
        list[DetDataSample]: What was found in the images of a batch.

    Raises:
        ValueError: The weights do not fit.
    """
    with quiet():
        detector = MODELS.build(copy.deepcopy(cfg.model))  # MMDet writes into its config
        load_weights(detector, weights)
        detector.to('cuda' if torch.cuda.is_available() else 'cpu').eval()
    loader = DataLoader(dataset, cfg.val_dataloader.batch_size, collate_fn=pseudo_collate,
                        num_workers=cfg.val_dataloader.get('num_workers', 0))
    with SequenceProgress(len(dataset)) as progress:
        progress.stage(title)
        for batch in loader:
            yield detector.test_step(batch)
            progress.step(len(batch['inputs']))
