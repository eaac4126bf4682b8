"""Single-stage detectors with a dense head: places are locations, or the anchors there."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from mmdet.models import dense_heads
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.losses import CrossEntropyLoss, FocalLoss, QualityFocalLoss
from mmdet.models.utils import unpack_gt_instances
from torch import Tensor, nn

from gslora_det.readers.base import Reader, image_sizes, on_ignored
from gslora_det.readers.batch import Batch, join
from gslora_det.readers.reading import Losses, Matched, Reading
from gslora_det.readers.tap import Call, tapped
from gslora_det.registry import READERS


@READERS.register_module()
class DenseReader(Reader):
    """RetinaNet, FCOS, ATSS, GFL, RTMDet and YOLOX.

    Attributes:
        heads (dict[type, str]): The name of the class layers, by type of head. A subclass is
            not the head that was tried: its loss may be another.
        num_telling (int): Number of places to compare, as many as most of MMDet's configs
            report of an image. The background of all others would drown them in a sum.
    """
    heads: dict[type[nn.Module], str] = {
        dense_heads.RetinaHead: 'retina_cls', dense_heads.RetinaSepBNHead: 'retina_cls',
        dense_heads.FCOSHead: 'conv_cls', dense_heads.ATSSHead: 'atss_cls',
        dense_heads.GFLHead: 'gfl_cls', dense_heads.RTMDetHead: 'rtm_cls',
        dense_heads.RTMDetSepBNHead: 'rtm_cls', dense_heads.YOLOXHead: 'multi_level_conv_cls'}
    num_telling = 100

    @classmethod
    def misses(cls, detector: nn.Module) -> str | None:
        """A head that was tried, whose class layers alone give the logits."""
        head = getattr(detector, 'bbox_head', None)
        if not isinstance(detector, SingleStageDetector) or type(head) not in cls.heads:
            return f"one stage with a {' or '.join(kind.__name__ for kind in cls.heads)}"
        if type(detector).loss is not SingleStageDetector.loss:
            return "SingleStageDetector's own loss"
        known = FocalLoss, QualityFocalLoss, CrossEntropyLoss
        if not isinstance(head.loss_cls, known) or not head.loss_cls.use_sigmoid:
            return 'a focal loss or cross-entropy with a sigmoid a class'
        if getattr(head, 'with_objectness', False):
            return 'logits that no objectness is mixed into (with_objectness=False)'
        if any(layer.bias is None for layer in cls(detector).class_layers()):
            return 'a bias in the class layer'
        return None

    def read(self, *batches: Batch, places: Tensor | None = None) -> list[Reading]:
        """Runs the head, see :meth:`Reader.read`; it always looks at all places."""
        whole, head = join(*batches), self.head
        outputs = head(whole.features)
        if getattr(head, 'norm_on_bbox', False) and not head.training:
            # FCOS: distances are in pixels then, and in its loss always in strides.
            distances = [level / stride for level, stride in zip(outputs[1], head.strides)]
            outputs = outputs[0], distances, outputs[2]
        logits = torch.cat([_by_place(level, self.num_classes) for level in outputs[0]], 1)
        boxes = self._boxes(outputs[1])
        boxes = boxes / image_sizes(whole.data_samples, boxes)
        readings, end = [], 0
        for batch in batches:
            images = slice(end, end := end + len(batch))
            readings.append(Reading(
                logits[images], False, boxes[images], samples=batch.data_samples,
                outputs=[[level[images] for level in levels] for levels in outputs]))
        return readings

    def _boxes(self, levels: Sequence[Tensor]) -> Tensor:
        """The boxes in pixels by MMDet's own decoders, shape (images, places, 4)."""
        head, generator, boxes = self.head, self.head.prior_generator, []
        yolox = hasattr(head, '_bbox_decode')
        priors = generator.grid_priors(
            [level.shape[-2:] for level in levels], device=levels[0].device,
            **(dict(with_stride=True) if yolox else {}))
        for level, prior, (stride, _) in zip(levels, priors, generator.strides):
            said = _by_place(level, level.shape[1] // generator.num_base_priors[0])
            if yolox:
                boxes.append(head._bbox_decode(prior, said))
                continue
            if hasattr(head, 'integral'):  # GFL: a distribution over each distance
                prior, said = head.anchor_center(prior), head.integral(said) * stride
            elif getattr(head, 'norm_on_bbox', False):
                said = said * stride
            decoded = head.bbox_coder.decode(prior.repeat(len(level), 1), said.reshape(-1, 4))
            boxes.append(decoded.view(len(level), -1, 4))
        return torch.cat(boxes, 1)

    def losses(self, reading: Reading, aux_losses: bool = False,
               sink: Tensor | None = None) -> Losses:
        """MMDet's own loss, see :meth:`Reader.losses`.

        There are no other layers for ``aux_losses``, and no ``sink``: it needs embeddings.
        """
        head = self.head
        objects, ignored, metas = unpack_gt_instances(reading.samples)
        # YOLOX classifies what is matched alone, and tells it from the rest by another loss.
        everywhere = getattr(head, 'loss_obj', head.loss_cls)
        with tapped(head.loss_cls) as calls, tapped(everywhere, self._reweight(reading)):
            terms = head.loss_by_feat(*reading.outputs, objects, metas, ignored)
        return Losses({name: sum(term) if isinstance(term, (list, tuple)) else term
                       for name, term in terms.items() if 'loss' in name},
                      {'': self._matched(calls, reading)})

    def _reweight(self, reading: Reading) -> Callable[[int, Call], Tensor] | None:
        """Takes ignored objects out of the loss that has a row for each place of each image."""
        boxes = reading.boxes * image_sizes(reading.samples, reading.boxes)
        rows, unmatched, done = on_ignored(boxes, reading.samples), 0, 0
        if rows is None:
            return None
        if not hasattr(self.head, 'loss_obj'):  # level by level, in one call or more
            sizes = [level[0].numel() // self.num_classes for level in reading.outputs[0]]
            rows = torch.cat([level.flatten() for level in rows.split(sizes, 1)])
            unmatched = self.num_classes
        rows = rows.flatten()

        def reweight(_: int, call: Call) -> Tensor:
            nonlocal done
            begin, done = done, done + len(call.target)
            weight = call.weight
            if weight is None:
                weight = torch.ones_like(call.target, dtype=call.logits.dtype)
            here = rows[begin:done].view_as(call.target)
            return weight.masked_fill(here & (call.target == unmatched), 0)

        return reweight

    def _matched(self, calls: Sequence[Call], reading: Reading) -> Matched:
        """What is matched, over all levels."""
        nothing = reading.logits[0, :0]  # YOLOX does not call its loss then
        logits = torch.cat([call.logits for call in calls] or [nothing])
        labels = torch.cat([call.target for call in calls] or [nothing])
        if labels.dim() == 2:  # YOLOX: the IoU in the column of the class; 0 is of no class
            found, labels = labels.amax(1) > 0, labels.argmax(1)
        else:
            found = labels < self.num_classes
        labels = labels[found]
        return Matched(logits[found, labels], labels)

    def class_layers(self) -> list[nn.Module]:
        """One layer for all levels, or one a level."""
        layers = getattr(self.head, self.heads[type(self.head)])
        return list(layers) if isinstance(layers, nn.ModuleList) else [layers]

    def rows(self, classes: Sequence[int]) -> list[int]:
        """The rows of all anchors of a location."""
        anchors = self.head.prior_generator.num_base_priors[0]
        return [anchor * self.num_classes + c for anchor in range(anchors) for c in classes]

    def telling(self, reading: Reading) -> Reading:
        """The reading at the best detections of each image.

        They are ranked as in MMDet, by score times centerness or objectness where there is
        one: what YOLOX says of classes means nothing where it sees no object.
        """
        scores = reading.odds.amax(-1).sigmoid()
        for levels in reading.outputs[2:]:
            factors = torch.cat([_by_place(level, 1) for level in levels], 1)
            scores = scores * factors[..., 0].sigmoid()
        places = scores.topk(min(self.num_telling, scores.shape[1])).indices
        return self.at(reading, replace(reading, places=places))

    def at(self, reading: Reading, other: Reading) -> Reading:
        """The reading at the places of another one, see :meth:`Reader.at`."""
        if other.places is None:
            return reading
        logits, boxes = (torch.take_along_dim(part, other.places[..., None], 1)
                         for part in (reading.logits, reading.boxes))
        return replace(reading, logits=logits, boxes=boxes, places=other.places)


def _by_place(level: Tensor, size: int) -> Tensor:
    """A level (images, anchors x size, h, w) as (images, places, size), in MMDet's order."""
    return level.permute(0, 2, 3, 1).reshape(len(level), -1, size)
