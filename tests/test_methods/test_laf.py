"""LAF's loss on a detector, and its VAEs, against formulas written out."""

import copy
import math

import pytest
import torch
from support import samples

from gslora_det.methods.vae import VAE, trained_vae

OPTIONS = dict(type='LAF', weight=0.7, align=0.3, temperature=2.0, vae_steps=20)


def images(branch, number):
    labels = dict(forget=[[4], [4, 4]], retain=[[0, 1], [2]])[branch]
    torch.manual_seed(3)
    return zip(torch.randn(2, 3, 64, 64), samples(labels))


@torch.no_grad()
def states(detector, inputs):
    """The last decoder layer's, by MMDet's own forward."""
    detector = copy.deepcopy(detector).eval()
    decoded = detector.forward_transformer(
        detector.extract_feat(inputs), samples([[]] * len(inputs)))
    logits, boxes = detector.bbox_head(**decoded)
    return decoded['hidden_states'][-1], logits[-1], boxes[-1]


def at_objects(detector, original, inputs, data_samples):
    """Embeddings where the original's own assigner matches objects: the detector's, its own."""
    theirs, logits, boxes = states(original, inputs)
    matched = torch.stack(original.bbox_head.get_targets(
        list(logits), list(boxes), [s.gt_instances for s in data_samples],
        [s.metainfo for s in data_samples])[0]) < 5
    return states(detector, inputs)[0][matched].double(), theirs[matched].double()


def error(vae, embeddings):
    """The mean of exp(e / (e + 1)), by the VAE's layers one after another."""
    total, vae = 0.0, copy.deepcopy(vae).double()
    for row in embeddings:
        code = row
        for layer in vae.encoder:
            code = layer(code)
        out = code[:len(code) // 2]
        for layer in vae.decoder:
            out = layer(out)
        e = sum((a - b)**2 for a, b in zip(row.tolist(), out.tolist())) / len(row)
        total += math.exp(e / (e + 1))
    return total / len(embeddings)


def cosine(a, b):
    return (a @ b / a.norm() / b.norm()).item()


@pytest.mark.parametrize('contrast', ['retain', 'forget'])
@pytest.mark.parametrize('repair', [0.0, 0.4])
def test_laf_is_its_formula(build_unlearning, pair, contrast, repair):
    torch.manual_seed(0)
    model = build_unlearning(contrast=contrast, repair=repair, **OPTIONS).train()
    model.method.before_task(model.detector, images)
    original = copy.deepcopy(model.detector).eval()
    with torch.no_grad():
        for parameter in model.detector.parameters():
            if parameter.requires_grad:
                parameter += 0.05 * torch.randn_like(parameter)
    inputs, data_samples = copy.deepcopy(pair)
    (f, f0), (r, r0) = (at_objects(model.detector, original, inputs[b], data_samples[b])
                        for b in ('forget', 'retain'))
    assert len(f) == len(r) == 3
    of_forget, of_retain = model.method.vaes
    if contrast == 'retain':
        aligned = sum(math.log(sum(math.exp(cosine(a, c) / 2) for c in f0)) - cosine(a, b) / 2
                      for a, b in zip(r, r0)) / 3
    else:
        away = sum(math.exp((1 - cosine(a, b)) / 2) for a, b in zip(f, f0))
        aligned = sum(1 - cosine(a, b) for a, b in zip(r, r0)) / 3 - math.log(away)
    wanted = dict(extractor_loss=0.7 * (error(of_retain, r) - error(of_forget, f)),
                  alignment_loss=0.3 * aligned)
    if repair:
        terms = model.detector.loss(inputs['retain'], data_samples['retain'])
        wanted.update({f'retain_{key}': repair * value.item() for key, value in terms.items()
                       if not key.startswith('d0')})
    found = model.loss(*copy.deepcopy(pair))
    assert {key: value.item() for key, value in found.items()} == pytest.approx(wanted, rel=1e-3)


def test_the_vaes_learn_the_two_kinds_apart(build_unlearning, pair):
    """And are of the sizes that the options say, and frozen."""
    torch.manual_seed(0)
    model = build_unlearning(type='LAF', latent=3, vae_steps=400).train()
    model.method.before_task(model.detector, images)
    of_forget, of_retain = model.method.vaes
    assert of_forget.encoder[-1].out_features == 6
    assert not any(p.requires_grad for vae in model.method.vaes for p in vae.parameters())
    for branch, own, other in (('forget', of_forget, of_retain),
                               ('retain', of_retain, of_forget)):
        inputs, shown = zip(*images(branch, 2))
        embeddings, _ = at_objects(model.detector, model.detector, torch.stack(inputs), shown)
        assert error(own, embeddings) < error(other, embeddings)


def test_the_vaes_loss_is_the_error_of_a_drawn_code_and_its_divergence():
    vae = VAE(8, 2)
    embeddings = torch.randn(5, 8)
    mean, log_variance = vae.code(embeddings)
    torch.manual_seed(1)
    found = vae.loss(embeddings, 0.3).item()
    torch.manual_seed(1)
    code = torch.distributions.Normal(mean, (log_variance / 2).exp())
    error = (vae.decoder(mean + code.stddev * torch.randn(5, 2)) - embeddings)**2
    divergence = torch.distributions.kl_divergence(code, torch.distributions.Normal(0.0, 1.0))
    assert found == pytest.approx((error.sum() / 5 + 0.3 * divergence.sum() / 5).item(), rel=1e-5)


def test_a_trained_vae_reconstructs_better_than_the_mean():
    embeddings = torch.randn(64, 2) @ torch.randn(2, 16)  # two features in sixteen
    vae = trained_vae(embeddings, latent=2, steps=400, lr=1e-2, kl=0.0)
    left = (vae(embeddings) - embeddings).square().mean()
    assert left < 0.2 * (embeddings - embeddings.mean(0)).square().mean()
