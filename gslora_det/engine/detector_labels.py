"""What the original detector finds in the training images, taken for their annotations."""

import contextlib
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import encode_mask_results
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from torch.utils.data import Dataset

from gslora_det.checks.settings import from_detector, setting
from gslora_det.engine.origin import first_original
from gslora_det.engine.plan import check_request
from gslora_det.engine.predict import found_in
from gslora_det.engine.record import digest
from gslora_det.engine.recorded_files import file_entry
from gslora_det.files import read_json, sha256, write_json
from gslora_det.quiet import quiet
from gslora_det.weights import fetch

FILE_NAME = 'detected_annotations.json'


class DetectorLabels:
    """A COCO file of the original's detections, which the training data set of a config reads.

    There is none, and nothing happens, unless ``sequence.labels`` is ``'detector'``.

    Args:
        cfg (Config): A config with a ``sequence``.
        work_dir (Path): The folder of the sequence, where the file is or will be.
        resume (bool): Use the file that is there.

    Attributes:
        pending (bool): Whether the file is still to be made, by :meth:`make`.
        facts (dict): Its name, sha256, number of images and of objects, and ``score_thr``, once
            it is there; else None.

    Raises:
        ValueError: Something is wrong that can be seen without labels, or the file that is there
            was made from something else.
    """

    def __init__(self, cfg: Config, work_dir: Path, resume: bool) -> None:
        self.pending, self.facts = False, None
        if not from_detector(cfg.get('sequence')):
            return
        train, val, _ = check_request(cfg, labelled=False)
        first_original(cfg)
        val.check_images()
        train.check_images()  # the detector will look at all
        self._cfg, self._dataset = cfg, cfg.train_dataloader.dataset
        self._path, self._ids = work_dir.absolute() / FILE_NAME, list(train.ids.values())
        given = read_json(train.ann_file)
        self._listed = {key: given[key] for key in ('images', 'categories')}
        self._made_from = dict(
            weights_sha256=sha256(fetch(cfg.load_from)), images_sha256=digest(self._listed),
            score_thr=setting(cfg.sequence, 'label_score_thr'))
        self.pending = not (resume and self._path.is_file())
        if not self.pending:
            found = read_json(self._path)
            if not isinstance(found, dict) or found.get('info') != self._made_from:
                raise ValueError(f'{self._path} was made with other weights, images or '
                                 'sequence.label_score_thr: resume with those, remove it, or set '
                                 'another --work-dir')
            self._use(found)

    @contextlib.contextmanager
    def stand_ins(self) -> Iterator[None]:
        """Within the block, an image shows one class, in turn, if the file is still to be made.

        By these is checked what does not depend on the labels, before the detector looks.
        """
        if not self.pending:
            yield
            return
        images = self._listed['images']
        turns = zip(range(max(len(images), len(self._ids))), cycle(images), cycle(self._ids))
        with self._reading(_annotation(image['id'], category, [
                0, 0, image['width'], image['height']]) for _, image, category in turns):
            yield

    def make(self) -> None:
        """Writes the file in the main process, with a bar; the others wait."""
        val = self._cfg.val_dataloader
        with self._reading(iter(())), quiet():  # everywhere: Glyph80 waits for all processes
            images = DATASETS.build(dict(
                self._dataset, pipeline=val.dataset.pipeline, test_mode=True, indices=None))
        if is_main_process():
            write_json(self._path, self._content(self._detect(images)))
        else:  # for each batch: one wait for all would be longer than process groups allow
            for _ in range(0, len(images), val.batch_size):
                barrier()
        barrier()
        self._use(read_json(self._path))

    def _use(self, found: dict) -> None:
        self._dataset.ann_file, self.pending = str(self._path), False
        self.facts = dict(
            file_entry(self._path.parent, self._path), images=len(found['images']),
            objects=len(found['annotations']), score_thr=self._made_from['score_thr'])

    def _content(self, annotations: Iterator[dict]) -> dict:
        return dict(self._listed, info=self._made_from, annotations=[
            dict(one, id=number) for number, one in enumerate(annotations, 1)])

    @contextlib.contextmanager
    def _reading(self, annotations: Iterator[dict]) -> Iterator[None]:
        """Within the block, the data set reads these annotations."""
        given = self._dataset.ann_file
        with tempfile.TemporaryDirectory() as folder:
            self._dataset.ann_file = str(Path(folder) / FILE_NAME)
            write_json(self._dataset.ann_file, self._content(annotations))
            try:
                yield
            finally:
                self._dataset.ann_file = given

    def _detect(self, images: Dataset) -> Iterator[dict]:
        for samples in found_in(self._cfg, self._cfg.load_from, images, 'training images'):
            barrier()
            for sample in samples:
                yield from self._confident(sample)

    def _confident(self, sample: DetDataSample) -> Iterator[dict]:
        found = sample.pred_instances
        found = found[(found.scores >= self._made_from['score_thr'])
                      & found.bboxes.isfinite().all(1)].cpu()
        masks = encode_mask_results(found.masks.numpy()) if 'masks' in found else None
        for i, (left, top, right, bottom) in enumerate(found.bboxes.tolist()):
            yield dict(_annotation(
                sample.img_id, self._ids[found.labels[i]],
                [left, top, right - left, bottom - top],
                masks and dict(masks[i], counts=masks[i]['counts'].decode())),
                score=found.scores[i].item())


def _annotation(image_id: int, category: int, bbox: list[float],
                segmentation: dict | None = None) -> dict:
    """An entry of a COCO file; without a mask, the box is its own."""
    x, y, width, height = bbox
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    return dict(image_id=image_id, category_id=category, bbox=bbox, area=width * height,
                iscrowd=0, segmentation=segmentation or [corners])
