"""What a method needs to know of a detector, whatever its family."""

from collections.abc import Sequence
from itertools import takewhile

import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor, nn

from gslora_det.datasets.branch_dataset import CROWD
from gslora_det.readers.batch import Batch
from gslora_det.readers.embedding_block import EmbeddingBlock
from gslora_det.readers.prefix import Link, is_frozen
from gslora_det.readers.reading import Losses, Reading


class Reader:
    """Base class of all readers, one a family.

    Args:
        detector (BaseDetector): A plain MMDet detector, with whatever a method added.

    Attributes:
        head_name (str): Where the class head stands in the detector.
        moving_places (bool): Whether a detector that trains looks at other places than before.
        embeds (bool): Whether the class layer reads one vector a place.
    """
    head_name = 'bbox_head'
    moving_places = False
    embeds = False

    def __init__(self, detector: nn.Module) -> None:
        self.detector = detector

    @classmethod
    def misses(cls, detector: nn.Module) -> str | None:
        """What the detector lacks for this reader, in a few words; None where it fits."""
        raise NotImplementedError

    def read(self, *batches: Batch, places: Tensor | None = None) -> list[Reading]:
        """Runs all that comes after the neck, once over all batches; one result a batch.

        Args:
            *batches (Batch): Batches of images of one size.
            places (Tensor, optional): Where to look, of all images, as in :class:`Reading`.
        """
        raise NotImplementedError

    def losses(self, reading: Reading, aux_losses: bool = False,
               sink: Tensor | None = None) -> Losses:
        """MMDet's own loss on a batch that was read.

        What is unmatched and lies on an ignored object (crowds; other classes' objects where
        ``mixed_images='ignore'``) has no weight in it.

        Args:
            reading (Reading): One of the results of :meth:`read`.
            aux_losses (bool): Supervise a DETR's other decoder layers, too.
            sink (Tensor, optional): A row of the class layer for one class more, shape (dim,).
        """
        raise NotImplementedError

    def labels(self, reading: Reading) -> Tensor:
        """The class matched to each place, ``num_classes`` for none, (images, places)."""
        raise NotImplementedError

    def nearby(self, reading: Reading, labels: Tensor) -> Tensor:
        """As :meth:`labels` gave, and of the places beside: the class of what they overlap most.

        Places that overlap no object by IoU 0.5 and are matched to none have ``num_classes``.
        """
        return labels

    def embedding_block(self) -> EmbeddingBlock | None:
        """What makes the embeddings last, where it is known."""
        return None

    def last_layers(self) -> list[nn.Module]:
        """The layers of :meth:`embedding_block` and the class layer behind it, where known."""
        return []

    def class_layers(self) -> list[nn.Module]:
        """The Linear or Conv2d layers that give the logits."""
        raise NotImplementedError

    def rows(self, classes: Sequence[int]) -> list[int]:
        """The rows of a class layer that give these classes' logits."""
        return list(classes)

    def telling(self, reading: Reading) -> Reading:
        """The reading at the places that are worth comparing with another detector."""
        return reading

    def at(self, reading: Reading, other: Reading) -> Reading:
        """The reading at the places of another one, which :meth:`telling` has given."""
        return reading

    @property
    def head(self) -> nn.Module:
        """The module that has the class layers and their loss."""
        return self.detector.get_submodule(self.head_name)

    @property
    def num_classes(self) -> int:
        """Number of classes that the detector tells apart."""
        return self.head.num_classes

    @property
    def softmax(self) -> bool:
        """Whether the classes, and the background as the last, exclude each other."""
        return not self.head.loss_cls.use_sigmoid

    @property
    def background(self) -> int | None:
        """The background's row in a class layer, where the classes exclude each other."""
        return self.num_classes if self.softmax else None

    def stem(self) -> list[nn.Module]:
        """What runs before the heads: backbone and neck."""
        detector = self.detector
        return [detector.backbone] + ([detector.neck] if detector.with_neck else [])

    def frozen_links(self) -> list[Link]:
        """The longest chain of modules from the images on in which nothing trains."""
        return list(takewhile(lambda link: is_frozen(link.module), self.chain()))

    def chain(self) -> list[Link]:
        """Modules in the order in which they run, as far as they only read each other."""
        return [Link(part) for part in self.stem()]

    def read_by(self, links: Sequence[Link]) -> dict[str, Tensor]:
        """The frozen weights and statistics by which links make what they make, by name."""
        return {f'{number}.{name}': value for number, link in enumerate(links)
                for name, value in link.module.state_dict().items()}

    def batch(self, images: Tensor, samples: list) -> Batch:
        """Images after backbone and neck, or remembered.

        Args:
            images (Tensor): Shape (images, 3, H, W).
            samples (list[DetDataSample]): Their annotations.
        """
        prefix = vars(self.detector).get('prefix')
        if prefix is None or not prefix.remember(images, samples):
            return Batch(self.features(images), samples, images)
        if prefix.beyond_stem:
            return Batch(None, samples, images)
        with prefix.recalled(samples):
            return Batch(self.features(images), samples, images)

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """What the stem makes of images of shape (N, 3, H, W)."""
        return self.detector.extract_feat(images)


@torch.no_grad()
def on_ignored(boxes: Tensor, samples: Sequence) -> Tensor | None:
    """Which boxes overlap an ignored object by IoU 0.5, or lie by half in a crowd, as in COCO.

    Args:
        boxes (Tensor): In pixels, shape (images, places, 4).
        samples (list[DetDataSample]): The images' annotations.

    Returns:
        Tensor: Shape (images, places); None where nothing is ignored.
    """
    ignored = [sample.get('ignored_instances') for sample in samples]
    if not any(map(len, filter(None, ignored))):
        return None
    return torch.stack([
        _covered(each, objects.bboxes.to(each), objects.labels == CROWD) if objects else
        torch.zeros_like(each[:, 0], dtype=torch.bool) for each, objects in zip(boxes, ignored)])


def _covered(boxes: Tensor, objects: Tensor, crowd: Tensor) -> Tensor:
    one, many = (bbox_overlaps(boxes, objects, mode) >= 0.5 for mode in ('iou', 'iof'))
    return torch.where(crowd.to(boxes.device), many, one).any(1)


def image_sizes(samples: Sequence, like: Tensor) -> Tensor:
    """Width, height, width, height of each image, shape (images, 1, 4)."""
    return like.new_tensor([2 * sample.img_shape[1::-1] for sample in samples])[:, None]
