"""Glyph80: the embedded benchmark, generated on first use."""

import colorsys
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.dist import barrier, is_main_process
from PIL import Image
from rich.progress import track

from gslora_det.class_names import labels_of, resolve_classes
from gslora_det.datasets.glyph_rendering import (
    CHARACTERS,
    CLASSES,
    TRAIN_FACES,
    VAL_FACES,
    render_crop,
    render_scene,
)
from gslora_det.files import folder_lock, read_json, sha256

VERSION = 1


def _write_split(folder: Path, name: str, num_images: int, faces: tuple[str, ...],
                 stream: int) -> None:
    """Renders one split as PNG files and a COCO JSON file."""
    (folder / name).mkdir(parents=True)
    images, annotations = [], []
    for index in track(range(num_images), f'Drawing Glyph80 {name}'):
        # A generator of its own for every image: the same pixels in any order.
        rng = np.random.default_rng([VERSION, stream, index])
        pixels, labels, boxes = render_scene(rng, faces)
        file_name = f'{index + 1:06d}.png'
        Image.fromarray(pixels).save(folder / name / file_name)
        height, width = pixels.shape[:2]
        images.append(dict(id=index + 1, file_name=file_name, height=height, width=width))
        annotations += [
            dict(id=len(annotations) + i + 1, image_id=index + 1, category_id=label + 1,
                 bbox=list(box), area=box[2] * box[3], iscrowd=0)
            for i, (label, box) in enumerate(zip(labels, boxes))]
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(CLASSES)]
    (folder / 'annotations').mkdir(exist_ok=True)
    (folder / 'annotations' / f'{name}.json').write_text(json.dumps(
        dict(images=images, annotations=annotations, categories=categories)))


def _is_there(folder: Path) -> bool:
    manifest = folder / 'manifest.json'
    if not manifest.exists():
        return False
    found = read_json(manifest).get('version')
    if found != VERSION:
        raise ValueError(f'{folder} holds version {found} of Glyph80, this package needs '
                         f'{VERSION}: remove the folder and run again')
    return True


def ensure_glyph80(root: str, num_train: int = 4000, num_val: int = 500) -> None:
    """Generates the data set at ``root`` unless it is there; about half a minute.

    The folder appears at once and complete: it is drawn beside its place and then
    renamed. A second process that needs it waits for the first.

    Args:
        root (str): The folder, for example ``data/glyph80``.
        num_train (int): Number of training images.
        num_val (int): Number of validation images, in faces that training never shows.

    Raises:
        ValueError: There is something else at ``root``, or another version of Glyph80.
    """
    folder = Path(root)
    if _is_there(folder):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder.with_name(folder.name + '.lock')):
        if _is_there(folder):  # by now
            return
        if folder.exists() and any(folder.iterdir()):
            raise ValueError(f'{folder} is not empty and is not Glyph80: remove it, or set '
                             'another data_root')
        for left in folder.parent.glob(f'.{folder.name}.draft-*'):  # by a killed process
            shutil.rmtree(left)
        draft = Path(tempfile.mkdtemp(prefix=f'.{folder.name}.draft-', dir=folder.parent))
        try:
            _write_split(draft, 'train', num_train, TRAIN_FACES, stream=0)
            _write_split(draft, 'val', num_val, VAL_FACES, stream=1)
            annotations = sorted((draft / 'annotations').iterdir())
            (draft / 'manifest.json').write_text(json.dumps(dict(
                name='Glyph80', version=VERSION, characters=CHARACTERS,
                train=dict(images=num_train, faces=TRAIN_FACES),
                val=dict(images=num_val, faces=VAL_FACES),
                sha256={f'annotations/{f.name}': sha256(f) for f in annotations}),
                indent=2))
            draft.chmod(0o755)
            draft.replace(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def _labels(without: Sequence[str]) -> set[int]:
    names = resolve_classes(without, CLASSES, where='without') if without else ()
    return set(labels_of(names, CLASSES))


@DATASETS.register_module()
class Glyph80Dataset(CocoDataset):
    """80 letters and digits on smooth backgrounds, 128 x 128 pixels, COCO format.

    Takes all arguments of :class:`mmdet.datasets.CocoDataset`; where ``data_root`` does
    not exist yet, the data set is drawn there first.

    Args:
        without (list[str]): Classes whose objects are not annotated: what a detector is trained
            on that never learned them.
    """

    METAINFO = dict(
        classes=CLASSES,
        palette=[tuple(round(255 * c) for c in colorsys.hsv_to_rgb(i * 0.618 % 1, .75, .9))
                 for i in range(len(CLASSES))])

    def __init__(self, *args, data_root: str = 'data/glyph80/', without: Sequence[str] = (),
                 **kwargs) -> None:
        self.without = _labels(without)
        if is_main_process():
            ensure_glyph80(data_root)
        barrier()
        super().__init__(*args, data_root=data_root, **kwargs)

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """As COCO's, less the objects that are not annotated."""
        info = super().parse_data_info(raw_data_info)
        info['instances'] = [instance for instance in info['instances']
                             if instance['bbox_label'] not in self.without]
        return info


@DATASETS.register_module()
class GlyphCrops:
    """Single glyphs in training faces, drawn on the fly: the backbone learns on these.

    Args:
        num_crops (int): Number of different crops.
        size (int): Side of a crop in pixels.
        without (list[str]): Classes that are not shown.
    """

    def __init__(self, num_crops: int, size: int = 48, without: Sequence[str] = ()) -> None:
        self.num_crops = num_crops
        self.size = size
        hidden = _labels(without)
        self.labels = [label for label in range(len(CLASSES)) if label not in hidden]

    def __len__(self) -> int:
        return self.num_crops

    def __getitem__(self, index: int) -> dict:
        label = self.labels[index % len(self.labels)]
        rng = np.random.default_rng([VERSION, 2, index])
        crop = render_crop(rng, TRAIN_FACES, label, self.size)
        return dict(inputs=crop[..., ::-1].transpose(2, 0, 1).copy(), data_samples=label)
