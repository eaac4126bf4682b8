"""The DETR family: places are queries."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile

import torch
from mmdet.models.dense_heads import DeformableDETRHead, DETRHead, DINOHead
from mmdet.models.detectors import (
    DDQDETR,
    DINO,
    DeformableDETR,
    DetectionTransformer,
    GroundingDINO,
)
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps
from torch import Tensor, nn

from gslora_det.class_rows import fresh_logit
from gslora_det.readers.base import Reader, image_sizes, on_ignored
from gslora_det.readers.batch import Batch, join
from gslora_det.readers.embedding_block import EmbeddingBlock
from gslora_det.readers.odds import softmax_odds
from gslora_det.readers.prefix import Link, is_frozen
from gslora_det.readers.reading import Losses, Matched, Reading
from gslora_det.readers.tap import Call, tapped
from gslora_det.registry import READERS


@READERS.register_module()
class DETRReader(Reader):
    """DETR, Conditional, DAB and Deformable DETR of one and two stages, and DINO.

    The queries are those of inference, without the noisy objects that DINO adds in training;
    losses are those of the decoder, not of the encoder's proposals.
    """
    embeds = True

    @classmethod
    def misses(cls, detector: nn.Module) -> str | None:
        """Queries that are the same for every image, or proposals of a known kind."""
        if not isinstance(detector, DetectionTransformer):
            return 'a Transformer decoder (DetectionTransformer)'
        if isinstance(detector, (DDQDETR, GroundingDINO)):
            return 'queries that neither a text nor a second selection chooses'
        known = DeformableDETR.pre_decoder, DINO.pre_decoder
        if _two_stages(detector) and type(detector).pre_decoder not in known:
            return "proposals as MMDet's Deformable DETR or DINO make them (its own pre_decoder)"
        if type(detector.bbox_head).loss_by_feat not in {
                head.loss_by_feat for head in (DETRHead, DeformableDETRHead, DINOHead)}:
            return "the loss of MMDet's DETRHead (its own loss_by_feat)"
        return None

    def chain(self) -> list[Link]:
        """Stem and encoder, then the decoder's layers, into the first that trains."""
        detector = self.detector
        trains = {p for p in detector.parameters() if p.requires_grad}
        links = super().chain()
        if not trains.isdisjoint(detector.parameters(recurse=False)):  # levels' embeddings
            return links
        layers = detector.decoder.layers
        before = len(list(takewhile(is_frozen, layers)))  # layers before the first that trains
        # Later layers look at what the encoder made, too.
        links.append(Link(detector.encoder, self.moving_places or before < len(layers) - 1))
        known = [p for part in (*layers, *self.class_layers()) for p in part.parameters()]
        if self.moving_places or trains - set(known):
            return links
        links += [Link(layer, read_later=True) for layer in layers[:before]]
        for layer in layers[before:before + 1]:
            links += [Link(layer.self_attn), Link(layer.cross_attn)]
        return links

    def read_by(self, links: Sequence[Link]) -> dict[str, Tensor]:
        """Of the decoder's links, also what makes and moves their queries."""
        if len(links) <= len(self.stem()):
            return super().read_by(links)
        later = {id(value) for part in (*self.detector.decoder.layers, *self.class_layers())
                 for value in part.state_dict(keep_vars=True).values()}
        others = {name: value for name, value in
                  self.detector.state_dict(keep_vars=True).items()
                  if id(value) not in later and not value.requires_grad}
        return {**super().read_by(links), **others}

    @property
    def moving_places(self) -> bool:
        """Whether the queries are proposals of the encoder."""
        return _two_stages(self.detector)

    def read(self, *batches: Batch, places: Tensor | None = None) -> list[Reading]:
        """Runs transformer and head, see :meth:`Reader.read`.

        Args:
            *batches (Batch): Batches of images of one size.
            places (Tensor, optional): The encoder's proposals that a two-stage detector takes
                for queries, shape (images, queries).
        """
        whole, head = join(*batches), self.head
        decoded, places = self._decode(whole, places)
        states = decoded['hidden_states']
        logits, boxes = head(**{name: decoded[name]
                                for name in inspect.signature(head.forward).parameters})
        readings, end = [], 0
        for batch in batches:
            images = slice(end, end := end + len(batch))
            outputs = tuple(part[:, images] for part in (logits, boxes, states))
            readings.append(Reading(
                outputs[0][-1], self.softmax, outputs[1][-1], outputs[2][-1],
                None if places is None else places[images], batch.data_samples, outputs))
        return readings

    def _decode(self, batch: Batch, places: Tensor | None
                ) -> tuple[dict, Tensor | None]:
        detector = self.detector
        if batch.features is None:
            with detector.prefix.recalled(batch.data_samples):
                return self._decode(
                    replace(batch, features=self.features(batch.images)), places)
        if not _two_stages(detector):
            return detector.forward_transformer(batch.features, batch.data_samples), None
        inputs, decoder = detector.pre_transformer(batch.features, batch.data_samples)
        queries, places = self._proposals(places, **detector.forward_encoder(**inputs))
        return detector.forward_decoder(**decoder, **queries), places

    def _proposals(self, places: Tensor | None, memory: Tensor, memory_mask: Tensor,
                   spatial_shapes: Tensor) -> tuple[dict, Tensor]:
        """The decoder's inputs, as ``pre_decoder`` makes them, from proposals at given places."""
        detector, layer = self.detector, self.detector.decoder.num_layers
        found, anchors = detector.gen_encoder_output_proposals(
            memory, memory_mask, spatial_shapes)
        if places is None:
            scores = self.head.cls_branches[layer](found)
            ranks = scores.amax(-1) if isinstance(detector, DINO) else scores[..., 0]
            places = ranks.topk(detector.num_queries, dim=1).indices
        boxes = (self.head.reg_branches[layer](found) + anchors).gather(
            1, places[..., None].expand(-1, -1, 4)).detach()
        inputs = dict(memory=memory, reference_points=boxes.sigmoid())
        if isinstance(detector, DINO):
            query = detector.query_embedding.weight
            return dict(inputs, query=query.expand(len(memory), -1, -1)), places
        encoded = detector.pos_trans_norm(detector.pos_trans_fc(
            detector.get_proposal_pos_embed(boxes)))
        query_pos, query = encoded.chunk(2, dim=2)
        return dict(inputs, query=query, query_pos=query_pos), places

    def losses(self, reading: Reading, aux_losses: bool = False,
               sink: Tensor | None = None) -> Losses:
        """MMDet's loss of the last decoder layer or of all, see :meth:`Reader.losses`."""
        logits, boxes, states = (part if aux_losses else part[-1:] for part in reading.outputs)
        if sink is not None:
            column = (states @ sink.to(states) + fresh_logit())[..., None]
            known = self.num_classes
            logits = torch.cat([logits[..., :known], column, logits[..., known:]], -1)
        sizes = image_sizes(reading.samples, boxes)
        with self._one_more_class(sink is not None):
            def reweight(layer: int, call: Call) -> Tensor:
                ignored = on_ignored(bbox_cxcywh_to_xyxy(boxes[layer]) * sizes, reading.samples)
                if ignored is None:
                    return call.weight
                background = call.target == self.num_classes
                return call.weight.masked_fill(ignored.flatten() & background, 0)

            with tapped(self.head.loss_cls, reweight) as calls:
                # What all heads of the family have for the decoder; DINO's own fails without
                # denoising queries.
                terms = DETRHead.loss_by_feat(
                    self.head, logits, boxes, [s.gt_instances for s in reading.samples],
                    [s.metainfo for s in reading.samples])
            names = [f'd{layer}.' for layer in range(len(calls) - 1)] + ['']
            matched = {name: self._matched(call, layer.flatten(0, 1))
                       for name, call, layer in zip(names, calls, states)}
        return Losses(terms, {name: matched[name] for name in names[-1:] + names[:-1]})

    def _matched(self, call: Call, states: Tensor) -> Matched:
        found = call.target < self.num_classes
        labels = call.target[found]
        logits = call.logits[found]
        odds = softmax_odds(logits) if self.softmax else logits
        return Matched(odds.gather(1, labels[:, None])[:, 0], labels, states[found])

    @torch.no_grad()
    def labels(self, reading: Reading) -> Tensor:
        """The classes that the head's own assigner matches."""
        return torch.stack(self.head.get_targets(
            list(reading.logits), list(reading.boxes),
            [s.gt_instances for s in reading.samples],
            [s.metainfo for s in reading.samples])[0])

    @torch.no_grad()
    def nearby(self, reading: Reading, labels: Tensor) -> Tensor:
        """See :meth:`Reader.nearby`: several queries look at an object, and one is matched."""
        labels = labels.clone()
        boxes = bbox_cxcywh_to_xyxy(reading.boxes) * image_sizes(reading.samples, reading.boxes)
        for found, near, sample in zip(labels, boxes, reading.samples):
            objects = sample.gt_instances
            if len(objects):
                overlap, nearest = bbox_overlaps(near, objects.bboxes.to(near)).max(1)
                beside = (overlap >= 0.5) & (found == self.num_classes)
                found[beside] = objects.labels.to(found)[nearest[beside]]
        return labels

    def embedding_block(self) -> EmbeddingBlock | None:
        """The last decoder layer's FFN."""
        decoder = self.detector.decoder
        last = decoder.layers[-1]
        after = [getattr(decoder, name, None) for name in ('post_norm', 'norm')]
        norms = [last.norms[-1], *(norm for norm in after if isinstance(norm, nn.LayerNorm))]
        if last.ffn.add_identity and all(isinstance(norm, nn.LayerNorm) for norm in norms):
            return EmbeddingBlock(self.last_layers()[-2], norms)
        return None

    def last_layers(self) -> list[nn.Module]:
        """The last decoder layer's FFN, and its class layer."""
        ffn = self.detector.decoder.layers[-1].ffn.layers
        return [*(m for m in ffn.modules() if isinstance(m, nn.Linear)), self.class_layers()[-1]]

    def class_layers(self) -> list[nn.Module]:
        """A layer a decoder layer, or one for all."""
        if hasattr(self.head, 'fc_cls'):
            return [self.head.fc_cls]
        # That of the encoder's proposals comes last.
        return list(self.head.cls_branches)[:-1 if self.head.as_two_stage else None]

    @contextmanager
    def _one_more_class(self, wanted: bool) -> Iterator[None]:
        """Within the block, the head's loss knows one class more."""
        head, weights = self.head, getattr(self.head.loss_cls, 'class_weight', None)
        head.num_classes += wanted
        head.cls_out_channels += wanted
        if wanted and weights is not None:  # of the background as the last
            head.loss_cls.class_weight = [*weights[:1], *weights]
        try:
            yield
        finally:
            head.num_classes -= wanted
            head.cls_out_channels -= wanted
            if wanted and weights is not None:
                head.loss_cls.class_weight = weights


def _two_stages(detector: nn.Module) -> bool:
    return getattr(detector, 'as_two_stage', False)
