import io

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from gslora_det.checks.image_files import check_images

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


def entry(name, width=60, height=40):
    return dict(file_name=name, width=width, height=height)


def write(folder, kind):
    """Writes one image of 60 x 40 pixels; returns its name."""
    image, name, options = Image.fromarray(PIXELS), f'{kind}.png', {}
    if kind == 'grey':
        image = image.convert('L')
    elif kind == '16-bit':
        image = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 256)
    elif kind == 'palette':
        image = image.convert('P')
    elif kind == 'alpha':
        image = image.convert('RGBA')
    elif kind == 'cmyk':
        image, name = image.convert('CMYK'), 'cmyk.jpg'
    elif kind == 'rotated':
        exif = Image.Exif()
        exif[0x0112] = 6
        image, name, options = image.transpose(Image.ROTATE_90), 'rotated.jpg', dict(exif=exif)
    image.save(folder / name, **options)
    return name


@pytest.mark.parametrize('kind', [
    'colour', 'grey', '16-bit', 'palette', 'alpha', 'cmyk', 'rotated'])
def test_unusual_images_are_loaded_as_colour(tmp_path, kind):
    name = write(tmp_path, kind)
    assert check_images(tmp_path, [entry(name)]) == []
    loaded = LoadImageFromFile()(dict(img_path=str(tmp_path / name)))['img']
    assert loaded.shape == (40, 60, 3) and loaded.dtype == np.uint8
    assert loaded.std() > 10  # not black


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
@pytest.mark.parametrize('damage', [
    lambda content: b'', lambda content: b'no image', lambda content: content[:-50],
    lambda content: content[:len(content) // 2]])
def test_broken_images_are_named(tmp_path, suffix, damage):
    path = tmp_path / f'a{suffix}'
    Image.fromarray(PIXELS).save(path)
    assert check_images(tmp_path, [entry(path.name)]) == []
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=f'broken images: 1 .the first is {path}'):
        check_images(tmp_path, [entry(path.name)])


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_bytes_may_follow_an_image_but_not_replace_its_end(tmp_path, suffix):
    path, smaller, exif = tmp_path / f'a{suffix}', io.BytesIO(), Image.Exif()
    Image.fromarray(PIXELS[::4, ::4]).save(smaller, 'JPEG')
    exif[0x927c] = smaller.getvalue()  # as a thumbnail, with an end of its own
    Image.fromarray(PIXELS).save(path, exif=exif)
    whole, film = path.read_bytes(), b'ftypmp42' + bytes(range(250)) * 40
    path.write_bytes(whole + film)
    assert check_images(tmp_path, [entry(path.name)]) == []
    assert LoadImageFromFile()(dict(img_path=str(path)))['img'].shape == (40, 60, 3)
    for cut in (len(whole) // 2, len(whole) - 50):
        for rest in (film, bytes(9000)):
            path.write_bytes(whole[:cut] + rest)
            with pytest.raises(ValueError, match='broken images: 1'):
                check_images(tmp_path, [entry(path.name)])


def test_missing_images_are_counted_and_say_what_to_do(tmp_path):
    name = write(tmp_path, 'colour')
    entries = [entry(name), entry('b.png'), entry('c.png')]
    with pytest.raises(ValueError, match=r'missing images: 2 .*b.png.*\. Unpack them') as error:
        check_images(tmp_path, entries, 'Unpack them.')
    assert '\n' not in str(error.value)


def test_another_size_is_a_warning_that_counts(tmp_path):
    name = write(tmp_path, 'rotated')
    warning, = check_images(tmp_path, [entry(name, 40, 60), entry(name)])
    assert 'another size' in warning and ': 1 (the first' in warning
