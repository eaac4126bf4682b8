from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from gslora_det.visualization import write_picture


@pytest.mark.parametrize('images, names', [
    (['data/val/0001.jpg', 'data/val/0002.jpg'], ['0001.png', '0002.png']),
    (['data/val/a/0001.jpg', 'data/val/b/0001.jpg'], ['a_0001.png', 'b_0001.png']),
    (['/x/0001.jpg', '/y/0001.jpg'], ['x_0001.png', 'y_0001.png']),  # as file_name may say
])
def test_images_of_one_name_in_two_folders_do_not_overwrite_each_other(
        tmp_path, monkeypatch, images, names):
    monkeypatch.chdir('/')
    dataset = SimpleNamespace(data_prefix=dict(img='data/val/'))
    pictures = [np.full((2, 3, 3), value, np.uint8) for value in (10, 20)]
    files = [write_picture(picture, tmp_path, image, dataset)
             for picture, image in zip(pictures, images)]
    assert [file.name for file in files] == names
    for file, picture in zip(files, pictures):
        np.testing.assert_array_equal(np.asarray(Image.open(file)), picture)
