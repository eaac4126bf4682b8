"""Brings the public data sets of docs/photos.md to data/, 256 pixels on the long side.

    python configs/photos/prepare.py cards REPOSITORY/images
    python configs/photos/prepare.py aquarium FOLDER_OF_THE_COCO_EXPORT
"""

import argparse
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

SIDE = 256
CARDS = ['nine', 'ten', 'jack', 'queen', 'king', 'ace']
Found = tuple[Path, list[tuple[str, list[float]]]]  # an image; names and x, y, width, height


def voc(folder: Path) -> Iterator[Found]:
    """Images with a Pascal VOC file beside each."""
    for path in sorted(folder.glob('*.xml')):
        image, = (p for p in folder.glob(f'{path.stem}.*') if p.suffix != '.xml')
        objects = []
        for each in ElementTree.parse(path).iter('object'):
            left, top, right, bottom = (float(each.find(f'bndbox/{side}').text)
                                        for side in ('xmin', 'ymin', 'xmax', 'ymax'))
            objects.append((each.find('name').text, [left, top, right - left, bottom - top]))
        yield image, objects


def coco(folder: Path) -> Iterator[Found]:
    """Images with one COCO file beside them."""
    data = json.loads((folder / '_annotations.coco.json').read_text())
    names = {each['id']: each['name'] for each in data['categories']}
    objects: dict[int, list] = {image['id']: [] for image in data['images']}
    for each in data['annotations']:
        objects[each['image_id']].append((names[each['category_id']], each['bbox']))
    for image in data['images']:
        yield folder / image['file_name'], objects[image['id']]


def convert(found: list[Found], out: Path, split: str, classes: list[str]) -> None:
    """Writes smaller images and one COCO file."""
    for folder in (out / split, out / 'annotations'):
        folder.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number, (path, objects) in enumerate(found, 1):
        with Image.open(path) as image:
            scale = min(1, SIDE / max(image.size))
            small = image.convert('RGB').resize([round(scale * side) for side in image.size])
        name = f'{path.stem}.jpg'
        small.save(out / split / name, quality=90)
        images.append(dict(id=number, file_name=name, width=small.width, height=small.height))
        for label, box in objects:
            box = [scale * side for side in box]
            annotations.append(dict(
                id=len(annotations) + 1, image_id=number, category_id=classes.index(label) + 1,
                bbox=box, area=box[2] * box[3], iscrowd=0))
    categories = [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
    (out / 'annotations' / f'{split}.json').write_text(json.dumps(
        dict(images=images, annotations=annotations, categories=categories)))


SETS = dict(cards=(voc, ('train', 'test')), aquarium=(coco, ('train', 'valid', 'test')))


def main(words: list[str] | None = None) -> None:
    """Converts all parts of a data set."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('name', choices=SETS)
    parser.add_argument('source', type=Path, help='folder with a folder for each part')
    args = parser.parse_args(words)
    read, parts = SETS[args.name]
    try:
        found = {part: list(read(args.source / part)) for part in parts}
    except OSError as error:
        parser.error(str(error))
    for part, images in found.items():
        if not images:
            parser.error(f'{args.source / part} has no annotated images')
    classes = CARDS if args.name == 'cards' else sorted(
        {label for images in found.values() for _, objects in images for label, _ in objects})
    for part, images in found.items():
        convert(images, Path('data') / args.name, part, classes)


if __name__ == '__main__':
    main()
