"""What can be wrong with image files, found without decoding them where that will do."""

import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, UnidentifiedImageError

_ENDS = dict(PNG=b'IEND', JPEG=b'\xff\xd9')
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_ORIENTATION = 0x0112
_RESIZED = 'resized'


def check_images(folder: Path, images: Iterable[dict], hint: str = '') -> list[str]:
    """Checks that images exist, are whole and have the size that their entries say.

    Args:
        folder (Path): Where the files are.
        images (list[dict]): Entries of a COCO file.
        hint (str): What to do about missing files.

    Returns:
        list[str]: Warnings with counts.

    Raises:
        ValueError: Files are missing or broken; one line says how many.
    """
    if not folder.is_dir():
        raise ValueError(f'the folder of images {folder} is missing. {hint}'.strip())
    found: dict[str, list[Path]] = {}
    for image in images:
        path = folder / image['file_name']
        kind = _problem(path, image['width'], image['height'])
        if kind:
            found.setdefault(kind, []).append(path)
    resized = found.pop(_RESIZED, [])
    if found:
        text = '; '.join(f'{kind} images: {len(paths)} (the first is {paths[0]})'
                         for kind, paths in found.items())
        raise ValueError(f'{text}. {hint}'.strip() if 'missing' in found else text)
    return [f'images of another size than their entry says, whose boxes may be misplaced: '
            f'{len(resized)} (the first is {resized[0]})'] if resized else []


def _decode(path: Path, end: bytes) -> None:
    """Decodes a file up to its last end marker: a motion photo's film comes after it."""
    content = path.read_bytes()
    with Image.open(io.BytesIO(content[:content.rfind(end) + len(end)])) as image:
        image.load()


def _problem(path: Path, width: float, height: float) -> str | None:
    if not path.is_file():
        return 'missing'
    try:
        with Image.open(path) as image, open(path, 'rb') as content:
            size = image.size
            if image.format == 'JPEG' and image.getexif().get(_ORIENTATION) in _SIDEWAYS:
                size = size[::-1]  # MMDetection turns it upright when it loads
            content.seek(max(0, path.stat().st_size - 4096))
            if _ENDS.get(image.format, b'') not in content.read():
                _decode(path, _ENDS[image.format])
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError,
            SyntaxError):
        return 'broken'
    return None if size == (width, height) else _RESIZED
