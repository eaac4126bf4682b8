"""The benchmark compares what does the same, and counts what it says."""

import sys
import time
from functools import partial

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from pycocotools.coco import COCO
from support import CHECKPOINT, CONFIGS, ROOT, run, samples

from gslora_det.benchmark import evaluations, steps, timing
from gslora_det.benchmark import run as table
from gslora_det.weights import load_weights
from gslora_det_cli.benchmark import _PARTS


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves only when somebody works."""
    now = [0.0]
    monkeypatch.setattr(time, 'perf_counter', lambda: now[0])
    monkeypatch.setattr(time, 'process_time', lambda: 2 * now[0])
    return now


def test_times_are_medians_of_runs_in_turn_without_the_first(clock):
    order = []

    def start(name, seconds):
        seconds = iter(seconds)

        def work():
            order.append(name)
            clock[0] += next(seconds)
        return lambda: work

    found = timing.in_turn([start('a', [9, 1, 5, 2]), start('b', [9, 4, 4, 8])], repeats=3)
    assert ''.join(order) == 'ab' * 4
    assert [cost[:2] for cost in found] == [(2, 4), (4, 8)]
    assert timing.in_turn([start('a', [9])], repeats=0)[0][:2] == (9, 18)


def _holds(size):
    return lambda: torch.ones(size // 4)


def test_memory_is_that_of_a_process_of_its_own():
    small, large = (timing.cost_in_a_child(partial(_holds, size), 1).memory
                    for size in (2**20, 2**30))
    assert large - small == pytest.approx(2**30, rel=0.3)  # imports vary by tens of MiB


def test_the_reference_is_mmdets_own_loss_of_all_decoder_layers(monkeypatch):
    """One pass a branch, and gradients down to the first layer of the encoder."""
    seen, total = [], []
    monkeypatch.setattr(steps, '_update', lambda optimizer, trained, loss: (
        loss.backward(), total.append(loss.item()),
        seen.append(all(p.grad is not None for p in trained))))
    step = steps.reference_step(steps.GLYPH80, (64, 64), 2)
    step()
    cfg = Config.fromfile(CONFIGS / 'glyph80/ddetr_forget_80-10x7_linear.py')
    detector = MODELS.build(cfg.model)
    load_weights(detector, str(CHECKPOINT))
    (inputs, found), *_ = steps.paired_batches((64, 64), 2, 10)
    losses = {branch: detector.train().loss(inputs[branch], found[branch]) for branch in inputs}
    assert len(losses['retain']) == 3 * 3  # terms of three layers
    forget = sum((15 - v).clamp(min=0) if 'cls' in k else v for k, v in losses['forget'].items())
    wanted = sum(losses['retain'].values()) + 0.15 * forget
    assert total[0] == pytest.approx(wanted.item(), rel=1e-4) and seen == [True]


@pytest.mark.parametrize('gib', [0.0, 1.0])
def test_our_step_trains_what_the_recipe_names(gib):
    step = steps.our_step(steps.GLYPH80, (64, 64), 2, gib=gib)
    model = dict(zip(step.__code__.co_freevars, step.__closure__))['model'].cell_contents
    before = {n: p.clone() for n, p in model.named_parameters()}
    step()
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved and all('decoder.layers.2.ffn' in n or 'cls_branches.2' in n for n in moved)
    assert bool(model.detector.prefix.seen) == bool(gib)


def test_random_images_hold_objects_of_their_branch():
    for inputs, found in steps.paired_batches((48, 96), 3, 70):
        for branch, known in (('forget', range(70)), ('retain', range(70, 80))):
            assert inputs[branch].shape == (3, 3, 48, 96)
            for sample in found[branch]:
                assert set(sample.gt_instances.labels.tolist()) <= set(known)
                boxes = sample.gt_instances.bboxes
                assert (boxes[:, 2:] <= torch.tensor([96, 48])).all() and len(boxes) == len(
                    samples([[0] * steps._OBJECTS])[0].gt_instances)


@pytest.mark.parametrize('everywhere', [False, True])
def test_a_split_is_measured_alone_on_its_images_or_on_all(glyph80, tmp_path, everywhere):
    file, alone = glyph80 / 'annotations/val.json', tmp_path / 'alone.json'
    api = COCO(str(file))
    wanted = {api.anns[1]['category_id'], api.anns[2]['category_id']}
    names = [api.cats[each]['name'] for each in wanted]
    shown = set().union(*(api.catToImgs[each] for each in wanted))
    assert 0 < len(shown) < len(api.imgs)
    expected = set(api.imgs) if everywhere else shown
    assert evaluations._narrowed(str(file), names, alone, everywhere) == expected
    written = COCO(str(alone))
    assert set(written.imgs) == expected and written.cats == api.cats
    assert written.anns == {k: v for k, v in api.anns.items() if v['category_id'] in wanted}


def test_a_command_has_to_succeed():
    cost = timing.cost_of_command(sys.executable, '-c', 'x = b"1" * 2**30')
    assert cost.memory == pytest.approx(2**30, rel=0.1) and cost.cpu > 0
    with pytest.raises(ValueError, match='NameError'):
        timing.cost_of_command(sys.executable, '-c', 'nothing')


def test_a_row_has_ratios_of_the_reference_to_ours():
    cells = table._cells('what', timing.Cost(6, 9, 2**31), timing.Cost(2, 4, 2**30))
    assert cells == ['what', '6', '2', '3.00', '2.25', '2.00', '1.00']
    assert table._cells('alone', None, timing.Cost(2, 4)) == ['alone', '', '2', '', '', '', '']


def test_a_plot_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ValueError, match='cannot be written'):
        table.benchmark(['import'], plot=str(tmp_path / 'file/plot.png'))


def test_the_command_knows_the_parts():
    assert _PARTS.split(',') == list(table.PARTS)
    result = run(ROOT / 'tools/benchmark.py', '--parts', 'steps')
    assert result.returncode == 2
    assert result.stderr == f'error: --parts steps: there are {_PARTS}\n'
