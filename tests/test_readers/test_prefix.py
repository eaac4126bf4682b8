"""Frozen parts run once for an image, and nothing else changes."""

import pytest
import torch
from mmdet.registry import MODELS
from support import samples
from torch import nn

from gslora_det.lora import inject_lora
from gslora_det.readers import Batch, reader_of
from gslora_det.readers.prefix import FrozenPrefix, is_frozen
from gslora_det.weights import load_weights

PARTS = ['encoder', 'decoder.layers.*.ffn', 'decoder.layers.1.ffn', 'bbox_head']


@pytest.fixture
def detector(tiny_config, tiny_weights):
    detector = MODELS.build(tiny_config)
    load_weights(detector, tiny_weights)
    return detector.eval().requires_grad_(False)


@pytest.fixture
def shown():
    found = samples([[0, 1], [4], [2, 3]])
    for number, sample in enumerate(found):
        sample.set_metainfo(dict(img_path=f'{number}.png', img_id=number))
    return torch.randn(3, 3, 64, 64), found


def train(detector, part):
    """Lets the class layers or a part train; a Transformer's layers get LoRA."""
    if part == 'bbox_head':
        for layer in reader_of(detector).class_layers():
            layer.requires_grad_(True)
    else:
        inject_lora(detector, 2, [f'{part}.*ffn.*' if part == 'encoder' else f'{part}.*'])
        for name, weight in detector.named_parameters():
            if name.endswith('lora_B'):
                nn.init.normal_(weight)
    return FrozenPrefix(reader_of(detector), 1e9)


def read(detector, images, found):
    reader = reader_of(detector)
    return reader.read(Batch(reader.features(images), found, images))[0]


def counted(module):
    """How many images a module looks at."""
    counts = []
    module.register_forward_pre_hook(
        lambda _, args, kwargs: counts.append(len((*args, *kwargs.values())[0])),
        with_kwargs=True)
    return counts


@pytest.mark.parametrize('part', PARTS)
def test_what_is_said_is_the_same_to_the_last_bit(detector, shown, part):
    images, found = shown
    prefix = train(detector, part)
    plain = read(detector, images, found)
    for _ in range(2):  # when it fills, and when it is full
        with prefix.of(images, found):
            again = read(detector, images, found)
        for name in ('logits', 'boxes', 'embeddings'):
            assert torch.equal(getattr(again, name), getattr(plain, name)), name
    assert torch.equal(read(detector, images, found).logits, plain.logits)


@pytest.mark.parametrize('part', PARTS)
def test_gradients_are_the_same(detector, shown, part):
    images, found = shown
    prefix = train(detector, part)
    trained = [p for p in detector.parameters() if p.requires_grad]
    plain = torch.autograd.grad(read(detector, images, found).logits.square().sum(), trained,
                                allow_unused=True)
    with prefix.of(images, found):
        again = torch.autograd.grad(read(detector, images, found).logits.square().sum(), trained,
                                    allow_unused=True)
    for one, other in zip(plain, again):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other)


def test_images_are_found_again_in_any_order_and_with_new_ones(detector, shown):
    images, found = shown
    prefix = train(detector, 'decoder.layers.1.ffn')
    looked = counted(detector.backbone.conv1)
    with prefix.of(images[:2], found[:2]):
        pass
    order = [2, 0, 1]
    with prefix.of(images[order], [found[i] for i in order]):
        again = read(detector, images[order], [found[i] for i in order])
    assert looked == [2, 1]  # the third alone was new
    torch.testing.assert_close(again.logits, read(detector, images, found).logits[order],
                               rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('part', PARTS)
def test_what_runs_again(detector, shown, part):
    images, found = shown
    prefix = train(detector, part)
    with prefix.of(images, found):
        pass
    attention = 'decoder.layers.0.self_attn.attn'
    looked = {name: counted(detector.get_submodule(name)) for name in (
        'backbone.conv1', 'neck.convs.0.conv', 'encoder.layers.0', attention)}
    with prefix.of(images, found):
        read(detector, images, found)
    assert {name for name, counts in looked.items() if counts} == (
        {'encoder.layers.0', attention} if part == 'encoder' else set())


def test_nothing_is_remembered_of_what_trains_or_is_random(detector):
    links = len(FrozenPrefix(reader_of(detector), 1).links)
    assert links == 5  # backbone, neck, encoder, two decoder layers
    detector.level_embed.requires_grad_(True)  # in front of the encoder
    assert len(FrozenPrefix(reader_of(detector), 1).links) == 2
    detector.level_embed.requires_grad_(False)
    detector.query_embedding.requires_grad_(True)  # in front of the decoder
    assert len(FrozenPrefix(reader_of(detector), 1).links) == 3
    detector.query_embedding.requires_grad_(False)
    detector.neck.convs[0].conv.weight.requires_grad_(True)
    assert len(FrozenPrefix(reader_of(detector), 1).links) == 1


@pytest.mark.parametrize('module, frozen', [
    (nn.Dropout(0.1), False), (nn.Dropout(0.0), True), (nn.BatchNorm2d(2), False),
    (nn.MultiheadAttention(4, 2, dropout=0.1), False), (nn.MultiheadAttention(4, 2), True)])
def test_what_is_random_in_training_is_not_frozen(module, frozen):
    module.requires_grad_(False)
    assert is_frozen(module.train()) == frozen
    assert is_frozen(module.eval())


def test_without_room_all_runs_as_it_is(detector, shown):
    images, found = shown
    train(detector, 'decoder.layers.1.ffn')
    prefix = FrozenPrefix(reader_of(detector), 0)
    with prefix.of(images, found):
        assert torch.equal(read(detector, images, found).logits,
                           read(detector, images, found).logits)
    assert not prefix.seen


def test_size_is_what_is_kept(detector, shown):
    images, found = shown
    prefix = train(detector, 'decoder.layers.1.ffn')
    with prefix.of(images, found):
        pass
    # Of 12 queries with 32 numbers: the first layer and the last one's cross-attention; of
    # the modules before, one zero a tensor.
    least = 3 * 2 * 12 * 32 * 4
    assert least <= prefix.size <= least + 3 * 16 * 4


def test_other_weights_have_another_digest(detector):
    prefix = train(detector, 'decoder.layers.1.ffn')
    before = prefix.digest
    detector.decoder.layers[1].ffn.layers[1].lora_B.data.add_(1)  # trains
    reader_of(detector).class_layers()[0].bias.data.add_(1)  # runs later
    assert prefix.digest == before
    detector.encoder.layers[0].ffn.layers[1].bias.data.add_(1)
    assert prefix.digest != before
