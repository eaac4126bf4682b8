import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gslora_det.files import atomic_write


def write_picture(picture: np.ndarray, folder: str | Path, image: str, dataset: Any) -> Path:
    """Writes the picture of a validation image as PNG, atomically.

    It is named as the image below the data set's folder of images: ``video1/0001.jpg``
    becomes ``video1_0001.png``, for file names alone need not differ.

    Args:
        picture (np.ndarray): (h, w, 3), RGB.
        folder (str | Path): Where to write; it exists.
        image (str): ``img_path`` of the image.
        dataset (BaseDetDataset): The data set of the image.

    Returns:
        Path: The file.
    """
    below = Path(os.path.relpath(image, dataset.data_prefix['img'])).with_suffix('.png')
    file = Path(folder) / '_'.join(part for part in below.parts if part != os.pardir)
    with atomic_write(file) as draft:
        Image.fromarray(picture).save(draft, 'PNG')
    return file
