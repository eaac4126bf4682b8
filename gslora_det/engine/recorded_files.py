"""Files that the record of a sequence names by their sha256."""

from pathlib import Path

from mmdet.registry import DATASETS
from mmengine.config import Config

from gslora_det.checks.annotations import plain_dataset
from gslora_det.files import sha256


def check_file(work_dir: Path, entry: dict) -> str:
    """The sha256 of a recorded file.

    Raises:
        ValueError: The file is gone, or another one.
    """
    path = work_dir / entry['file']
    if not path.is_file() or sha256(path) != entry['sha256']:
        raise ValueError(f'{path} is not the file that was recorded: restore it, or start '
                         'again in another --work-dir')
    return entry['sha256']


def file_entry(work_dir: Path, path: Path) -> dict:
    """A file's name within the sequence's folder, and its sha256."""
    return dict(file=path.relative_to(work_dir).as_posix(), sha256=sha256(path))


def annotation_file(dataset: dict) -> str:
    """Where a data set's annotations are, from its config."""
    return DATASETS.build(dict(dataset, pipeline=[], lazy_init=True)).ann_file


def check_same_annotations(work_dir: Path, cfg: Config, record: dict, *names: str) -> None:
    """Refuses other annotations than those that a sequence was made with.

    Args:
        work_dir (Path): The folder of the sequence, for the message.
        cfg (Config): The config whose data are used.
        record (dict): The content of ``sequence.json``.
        names (str): Of the data: ``'train'``, ``'val'``.

    Raises:
        ValueError: The sha256 of a file is not the recorded one.
    """
    for name in names:
        path = annotation_file(plain_dataset(cfg[f'{name}_dataloader'], f'{name}_dataloader'))
        if sha256(path) != record['settings']['data'][name]['annotations_sha256']:
            raise ValueError(f'{path} is not what {work_dir} has the {name} annotations from: its '
                             'sha256 is not the recorded one')
