"""A record of two requests by hand: first `x`, then `<script>` and `z`."""

import numpy as np

from gslora_det.evaluation import ClassScores

ORIGINAL = {'r': 0.7, 's': 0.5, 'x': 0.8, '<script>': 0.6, 'z': None}
# AP after the first request, and after both.
FIRST = {'r': 0.7, 's': 0.5, 'x': 0.012, '<script>': 0.6, 'z': None}
SUCCESS = {'r': 0.68, 's': 0.5, 'x': 0.008, '<script>': 0.004, 'z': None}
FAILURE = {'r': 0.68, 's': 0.5, 'x': 0.5, '<script>': 0.6, 'z': None}
HARM = {'r': 0.2, 's': 0.1, 'x': 0.008, '<script>': 0.004, 'z': None}
RETURN = {'r': 0.68, 's': 0.5, 'x': 0.12, '<script>': 0.0, 'z': None}

ROLES = ('retained', 'retained', 'old', 'forgotten', 'forgotten')  # of the classes, in their order


def scores(before=(), now=(), wrong_before=(), wrong_now=()):
    """The ``ClassScores`` of a class: each object's, and those of wrong detections."""
    return ClassScores(np.array([before, now], float).T.reshape(-1, 2),
                       (np.array(wrong_before, float), np.array(wrong_now, float)))


START = dict(
    started='2026-11-20T23:59:59Z', finished=None, seed=3, processes=2, device='1 x GPU',
    python='3.11.7', code=dict(version='0.2.0', sha256='c' * 64), packages=dict(torch='2.9.0'))
GONE = -np.inf
SCORES = (  # `r` is kept but less sure, one `s` is lost above 0.5, `x` and `<script>` are gone
    scores([.9, .8, .7], [.6, .4, .35], [.6], [.3, .2]), scores([.9, .6], [.8, .45]),
    scores([.9, .8], [GONE, .1], [], [.5]), scores([.7], [GONE]), scores())


def _task(number, forgotten, per_class, retained):
    ap_retained = sum(per_class[name] for name in retained) / len(retained)
    metrics = dict(AP_retained=ap_retained, AP_forgotten=0.0, AP_old=None, H=0.5, H_max=0.6)
    original = dict(AP_retained=sum(ORIGINAL[n] for n in retained) / len(retained),
                    AP_forgotten=0.7, AP_old=None)
    return dict(
        task=number, forgotten=forgotten, per_class=per_class, metrics=metrics,
        original=original, seconds=60.0, images_seen=1200, trainable_parameters=51200,
        groups={'encoder.layers.0': 0.0, 'decoder.layers.0': 1.5},
        merged=dict(file=f'task_{number}/merged.pth', sha256='0' * 64))


def record(last, first=FIRST):
    """The content of sequence.json, from AP by class after the two requests."""
    return dict(
        format_version=1, name='by_hand', method='GSLoRA',
        method_config=dict(type='GSLoRA', rank=8), request=[['x'], ['<script>', 'z']],
        buffers=[dict(forget=[1], retain=[2])] * 2,
        weights=dict(file='original.pth', sha256=None), runs=[START],
        filing=dict.fromkeys(('requester', 'request_id', 'operator')),
        settings=dict(sequence={}, model={}, data=dict(
            train=dict(annotations_sha256='d' * 64), val=dict(annotations_sha256='e' * 64),
            val_evaluator={})),
        original=dict(AP=0.65, per_class=ORIGINAL),
        tasks=[_task(1, ['x'], first, ['r', 's', '<script>']),
               _task(2, ['<script>', 'z'], last, ['r', 's'])])


def unfinished(first=FIRST):
    """The same when one of the two requests is carried out: one class of three."""
    half = record(SUCCESS, first)
    half['tasks'] = half['tasks'][:1]
    return half
