import json
import math
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.visualization import LocalVisBackend
from support import CHECKPOINT, full_disk, locked_by_another

from gslora_det.engine.hooks import RandomStateHook
from gslora_det.engine.plan import make_plan
from gslora_det.engine.progress import SequenceProgress
from gslora_det.engine.record import load_record, new_record, save_record
from gslora_det.engine.sequence import UnlearningSequence
from gslora_det.engine.task_config import RunConfig, task_config
from gslora_det.files import read_json, sha256
from gslora_det.methods import HeadMask
from gslora_det.registry import METHODS
from gslora_det.weights import (
    CheckpointError,
    dataset_meta,
    load_adapter,
    read_checkpoint,
    read_meta,
    read_weights,
    save_adapter,
    save_weights,
)
from gslora_det.weights.export import export

# isort: split
from mmdet.registry import HOOKS, OPTIM_WRAPPER_CONSTRUCTORS, VISBACKENDS


def weights_of(folder, task):
    return read_weights(folder / f'task_{task}/merged.pth')


def same(a, b):
    return set(a) == set(b) and all(torch.equal(a[key], b[key]) for key in a)


def without_times(folder):
    record = read_json(folder / 'sequence.json')
    del record['config'], record['runs'], record['sha256']
    for task in record['tasks']:
        task.pop('seconds')
        task.pop('peak_memory')
        task['merged'].pop('sha256')
        task['adapter'].pop('sha256')
    return record


def test_everything_is_there(finished):
    for name in ('sequence.json', 'results.md', 'results.csv', 'curves.png'):
        assert (finished / name).stat().st_size > 100
    for task in (1, 2):
        assert {'merged.pth', 'adapter.safetensors', 'buffers.json'} <= {
            f.name for f in (finished / f'task_{task}').iterdir()}
        assert not list((finished / f'task_{task}').glob('iter_*.pth'))
        assert len(list((finished / f'erased/task_{task}').glob('*.png'))) == 1


@VISBACKENDS.register_module()
class OnceBackend(LocalVisBackend):
    """Like W&B, takes nothing any more once it is closed."""
    closed = 0

    def add_scalars(self, *args, **kwargs):
        assert not self.__dict__.get('ended')

    add_image = add_scalars

    def close(self):
        self.ended = True
        OnceBackend.closed += 1


def test_visualizers_are_closed_after_the_last_measurement(config, tmp_path):
    UnlearningSequence(config(tmp_path, **{
        'visualizer.vis_backends': [dict(type='OnceBackend')], 'sequence.num_tasks': 1})).run()
    assert OnceBackend.closed == 2  # the original's and the task's


def test_the_kept_config_is_the_run(finished, config):
    kept, given = Config.fromfile(finished / 'config.py'), config(finished)
    assert kept.to_dict() == given.to_dict()


def test_record_says_what_was_done(finished):
    record = read_json(finished / 'sequence.json')
    first, second = record['tasks']
    assert first['trainable_parameters'] == 51_200  # 5 blocks * 2 * 8 * (128 + 512)
    assert first['images_seen'] == 5 * 4
    assert first['metrics']['AP_old'] is None and second['metrics']['AP_old'] is not None
    assert second['buffers'] == read_json(finished / 'task_2/buffers.json')
    for task in record['tasks']:
        for kind in ('merged', 'adapter'):
            assert sha256(finished / task[kind]['file']) == task[kind]['sha256']
        assert set(task['metrics']['reference']) == set(task['metrics']) - {'reference'}


def test_recorded_groups_are_the_sizes_of_their_updates(finished):
    for number, task in enumerate(read_json(finished / 'sequence.json')['tasks'], 1):
        matrices, metadata = load_adapter(finished / f'task_{number}/adapter.safetensors')
        squares = {}
        for name in matrices:
            if name.endswith('.lora_A'):
                a, b = (matrices[name[:-1] + part].double() for part in 'AB')
                block = name.split('.ffn.')[0]
                size = (float(metadata['scaling']) * b @ a).square().sum().item()
                squares[block] = squares.get(block, 0) + size
        assert task['groups'] == pytest.approx(
            {block: math.sqrt(size) for block, size in squares.items()}, rel=1e-4)
        assert min(task['groups'].values()) > 0


class Looks(HeadMask):
    """Looks at more images than there are."""

    def before_task(self, detector, images):
        self.seen.update({branch: sorted(sample.img_id for _, sample in images(branch, 10_000))
                          for branch in ('forget', 'retain')})
        self.few.append(len(list(images('retain', 2))))


def test_a_method_measures_on_each_image_once(config, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS.module_dict, 'Looks', Looks)
    Looks.seen, Looks.few = {}, []
    task, = UnlearningSequence(config(tmp_path, **{
        'method': dict(_delete_=True, type='Looks'), 'sequence.num_tasks': 1})).run()['tasks']
    assert Looks.seen == {branch: sorted(ids) for branch, ids in task['buffers'].items()}
    assert Looks.few == [1, 2]  # the rehearsal gives one
    assert task['images_seen'] == sum(map(len, Looks.seen.values())) + 2


def test_merged_file_is_a_plain_mmdet_checkpoint(finished):
    content = torch.load(finished / 'task_2/merged.pth', weights_only=True)
    assert set(content['state_dict']) == set(read_weights(CHECKPOINT))
    assert content['meta']['dataset_meta']['classes'][0] == 'digit 2'


def test_only_ffns_change_and_by_the_adapter(finished):
    before, after = weights_of(finished, 1), weights_of(finished, 2)
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed and all('.ffn.layers.' in key and key.endswith('weight') for key in changed)


def test_adapters_fold_into_the_merged_weights(finished, config, tmp_path):
    cfg = config(tmp_path)
    adapters = [str(finished / f'task_{t}/adapter.safetensors') for t in (1, 2)]
    export(cfg, str(CHECKPOINT), str(tmp_path / 'new/out.pth'), adapters)
    found = read_weights(tmp_path / 'new/out.pth')
    expected = weights_of(finished, 2)
    assert max((found[k] - expected[k]).abs().max() for k in found
               if found[k].is_floating_point()) < 1e-5


def test_an_export_says_what_its_last_adapter_forgot(finished, config, tmp_path):
    cfg, (first, second) = config(tmp_path), (finished / f'task_{task}' for task in (1, 2))
    adapters = [str(task / 'adapter.safetensors') for task in (first, second)]
    for i, (weights, given, expected) in enumerate((
            (CHECKPOINT, adapters, second), (first / 'merged.pth', adapters[1:], second),
            (CHECKPOINT, adapters[:1], first), (second / 'merged.pth', [], second))):
        out = str(tmp_path / f'{i}.pth')
        export(cfg, str(weights), out, given)
        assert read_meta(out) == read_meta(expected / 'merged.pth')


def test_adapters_fold_only_into_the_weights_that_they_were_trained_on(
        finished, config, tmp_path):
    first, second = (str(finished / f'task_{t}/adapter.safetensors') for t in (1, 2))
    merged, out = str(finished / 'task_1/merged.pth'), tmp_path / 'out.pth'
    erased = ', '.join(read_meta(merged)['forgotten'])
    for weights, adapters, named in (
            (CHECKPOINT, [second], second), (CHECKPOINT, [second, first], second),
            (merged, [first], first), (CHECKPOINT, [first, first], first),
            (CHECKPOINT, [first, second, second], second)):
        with pytest.raises(CheckpointError, match='was trained on weights of digest') as error:
            export(config(tmp_path), str(weights), str(out), adapters)
        before = 'nothing' if named == first else erased
        assert str(error.value).startswith(f'{named} (erases ')
        assert f'; erased before: {before})' in str(error.value) and not out.exists()
    # The same weights in another file are the same weights.
    save_weights(read_weights(CHECKPOINT), tmp_path / 'copy.pth', dict(epoch=12))
    export(config(tmp_path), str(tmp_path / 'copy.pth'), str(out), [first, second])


def test_an_adapter_of_another_detector_is_refused(finished, config, tmp_path):
    path = tmp_path / 'adapter.safetensors'
    matrices, metadata = load_adapter(finished / 'task_1/adapter.safetensors')
    name = next(key for key in matrices if key.endswith('lora_A'))
    for wrong in ({name: matrices[name]},  # no B
                  {f'{key}.weight': value for key, value in matrices.items()},  # PEFT's names
                  dict(matrices, **{name: matrices[name][:, 1:]}),
                  dict(matrices, **{name: matrices[name][1:]}),  # another rank
                  {}):
        save_adapter(wrong, path, metadata)
        with pytest.raises(CheckpointError, match=f'{path} (does not fit|holds no layers)'):
            export(config(tmp_path), str(CHECKPOINT), str(tmp_path / 'out.pth'), [str(path)])
    assert not (tmp_path / 'out.pth').exists()


def test_two_runs_with_one_seed_are_bit_identical(finished, config, tmp_path):
    UnlearningSequence(config(tmp_path)).run()
    assert all(same(weights_of(finished, t), weights_of(tmp_path, t)) for t in (1, 2))
    assert without_times(finished) == without_times(tmp_path)


def test_resumed_after_a_task_ends_the_same(finished, config, tmp_path):
    folder = tmp_path / 'run'
    shutil.copytree(finished, folder)
    record = read_json(folder / 'sequence.json')
    record['tasks'] = record['tasks'][:1]
    save_record(folder, record)
    shutil.rmtree(folder / 'task_2')
    UnlearningSequence(config(folder), resume=True).run()
    assert same(weights_of(finished, 2), weights_of(folder, 2))
    assert without_times(finished) == without_times(folder)


def test_more_pictures_than_at_the_start_are_drawn(finished, config, tmp_path):
    folder = tmp_path / 'run'
    shutil.copytree(finished, folder)
    record = read_json(folder / 'sequence.json')
    record['tasks'] = record['tasks'][:1]
    save_record(folder, record)
    for part in ('task_2', 'erased/task_2'):
        shutil.rmtree(folder / part)
    UnlearningSequence(config(folder, **{'sequence.pictures': 12}), resume=True).run()
    drawn, before = ({p.name for p in path.glob('erased/task_2/*')} for path in (folder, finished))
    assert before < drawn and len(before) == 1
    assert without_times(finished) == without_times(folder)


def test_a_known_original_needs_no_measurement(finished, config, tmp_path, capsys):
    UnlearningSequence(config(tmp_path, **{'sequence.original': str(finished)})).run()
    assert without_times(finished) == without_times(tmp_path)
    assert 'Pictures of' in capsys.readouterr().out
    assert {'erased'} == {'original', 'erased'} & {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize('palette, kept', [
    (None, None), ([], None), ('random', 'random'), ([(1, 2, 3)], [[1, 2, 3]]),
    (np.array([[1, 2, 3]]), [[1, 2, 3]])])
def test_a_palette_is_stored_as_mmdetection_reads_it(palette, kept, tmp_path):
    meta = dataset_meta(SimpleNamespace(metainfo=dict(
        classes=('a',), palette=palette, version='2.1', made_by=print)))
    expected = dict(classes=['a'], version='2.1')
    assert meta == (dict(expected, palette=kept) if kept else expected)


def test_a_kept_config_holds_numbers_and_classes_of_any_kind(tmp_path):
    given = dict(a=dict(x=math.inf, y=(-math.inf, 1)), b=[math.nan], kind=dict(type=Path),
                 numbers=[np.int64(1), np.float32(0.5), np.eye(1)], path=Path('x'))
    (tmp_path / 'a.py').write_text(RunConfig(given).pretty_text)
    found = Config.fromfile(tmp_path / 'a.py')
    assert (found.a.x, found.a.y) == (math.inf, (-math.inf, 1)) and math.isnan(found.b[0])
    assert (found.kind.type, found.path) == ('pathlib.Path', 'x')
    assert found.numbers == [1, 0.5, [[1.0]]]


def test_moved_weights_and_data_are_the_same(finished, config, glyph80, tmp_path):
    for source, name in ((finished, 'run'), (glyph80, 'data')):
        shutil.copytree(source, tmp_path / name)
    shutil.copy(CHECKPOINT, tmp_path / 'moved.pth')

    def resumed():
        cfg = config(tmp_path / 'run', load_from=str(tmp_path / 'moved.pth'))
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            loader.dataset.data_root = str(tmp_path / 'data')
        cfg.val_evaluator.ann_file = str(tmp_path / 'data/annotations/val.json')
        return UnlearningSequence(cfg, resume=True)

    assert len(resumed().record['tasks']) == 2
    path = tmp_path / 'data/annotations/val.json'
    path.write_text(path.read_text().replace('"iscrowd": 0', '"iscrowd": 1', 1))
    with pytest.raises(ValueError, match='was started with data.val.annotations_sha256'):
        resumed()
    save_weights(read_weights(CHECKPOINT), tmp_path / 'moved.pth', dict(epoch=12))
    with pytest.raises(ValueError, match='moved.pth, which has another sha256'):
        resumed()


def test_a_detector_that_finds_nothing_is_not_trained(config, tmp_path, capsys):
    state, other = read_weights(CHECKPOINT), tmp_path / 'other.pth'
    save_weights({key: 0 * value if '.reg_branches.' in key else value
                  for key, value in state.items()}, other, {})
    with pytest.raises(ValueError, match=r'other.pth finds next to nothing .*\(AP [01]\.'):
        UnlearningSequence(config(tmp_path / 'run', load_from=str(other))).run()
    assert not (tmp_path / 'run/task_1').exists()
    save_weights({key: torch.randn_like(value) if value.is_floating_point() else value
                  for key, value in state.items()}, other, {})
    with pytest.raises(ValueError, match='the first validation image: boxes .* not finite'):
        UnlearningSequence(config(tmp_path / 'new', load_from=str(other)))


def test_a_checkpoint_of_other_classes_is_refused(config, tmp_path):
    known = read_meta(CHECKPOINT)['dataset_meta']['classes']
    for names in (known[::-1], known[:-1]):
        save_weights(read_weights(CHECKPOINT), tmp_path / 'w.pth', dict(
            dataset_meta=dict(CLASSES=names)))
        with pytest.raises(ValueError, match='w.pth was trained on other classes'):
            UnlearningSequence(config(tmp_path / 'run', load_from=str(tmp_path / 'w.pth')))


def test_what_is_logged_of_groups_is_what_the_proximal_step_has_left(config, tmp_path):
    record = UnlearningSequence(config(tmp_path, **{
        'sequence.num_tasks': 1, 'sequence.iters': 1, 'sequence.pictures': 0,
        'method.update': 'proximal', 'method.alpha': 1e6,
        'default_hooks.logger.interval': 1})).run()
    norms = record['tasks'][0]['groups']
    assert len(norms) == 5 and set(norms.values()) == {0}
    log = next((tmp_path / 'task_1').rglob('scalars.json')).read_text().splitlines()
    last, = (entry for entry in map(json.loads, log) if 'active_groups' in entry)
    assert last['step'] == 1 and last['active_groups'] == 0
    assert all(last[f'norm/{name}'] == 0 for name in norms)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LooksAtTheBackbone(DefaultOptimWrapperConstructor):
    """As MMDetection's LearningRateDecayOptimizerConstructor, which goes by names, too."""
    seen = []

    def add_params(self, params, module, **kwargs):
        if hasattr(module, 'backbone'):
            names = [name for name, _ in module.named_parameters()]
            self.seen.append(any(name.startswith('backbone.') for name in names))
        super().add_params(params, module, **kwargs)


def test_constructors_of_optimizers_see_a_plain_detector(finished, config, tmp_path):
    LooksAtTheBackbone.seen.clear()
    UnlearningSequence(config(tmp_path, **{
        'optim_wrapper.constructor': 'LooksAtTheBackbone', 'sequence.iters': 1,
        'optim_wrapper.paramwise_cfg': dict(norm_decay_mult=0.0), 'sequence.pictures': 0,
        'sequence.original': str(finished)})).run()
    assert LooksAtTheBackbone.seen == [True] * 4  # twice before the sequence, and in its tasks
    with pytest.raises(ValueError, match='optim_wrapper: NotImplementedError'):
        UnlearningSequence(config(tmp_path / 'run', **{
            'optim_wrapper.constructor': 'LearningRateDecayOptimizerConstructor',
            'optim_wrapper.paramwise_cfg': dict(decay_rate=0.7, decay_type='layer_wise',
                                                num_layers=6)}))


def test_names_are_printed_as_they_are(capsys):
    with SequenceProgress(3) as progress:
        progress.stage('task [red]')
        progress.say('erases [bold]sign[/x] :smile:')
    assert 'erases [bold]sign[/x] :smile:' in capsys.readouterr().out


def test_a_later_sequence_goes_on_from_the_merged_weights(finished, config, tmp_path):
    cfg = config(tmp_path, **{'load_from': str(finished / 'task_2/merged.pth'),
                              'sequence.tasks': [['Latin A']], 'sequence.pictures': 0})
    for key in ('order', 'num_tasks', 'classes_per_task'):
        del cfg.sequence[key]
    erased = [name for task in read_json(finished / 'sequence.json')['request'] for name in task]
    assert len(erased) == 20 and 'Latin A' not in erased
    record = UnlearningSequence(cfg).run()
    task, = record['tasks']
    assert read_meta(tmp_path / 'task_1/merged.pth')['old'] == erased
    assert None not in (task['metrics']['AP_old'], task['original']['AP_old'])
    run = Config.fromfile(next((tmp_path / 'task_1').rglob('vis_data/config.py')))
    assert run.model.method.split.old == erased
    assert not {*erased, 'Latin A'} & {*run.train_dataloader.dataset.datasets[1].keep}


def test_an_original_of_other_data_is_refused(finished, config, tmp_path):
    with pytest.raises(ValueError, match='is about other classes, weights or data'):
        UnlearningSequence(config(tmp_path, **{
            'sequence.original': str(finished), 'val_dataloader.dataset.test_mode': False}))


def test_checkpoints_are_those_that_a_resumption_needs(config, tmp_path):
    cfg = config(tmp_path, **{'default_hooks.checkpoint': dict(
        type='CheckpointHook', save_best='coco/bbox_mAP_50', save_optimizer=False,
        out_dir='elsewhere', filename_tmpl='my_{}.pth', save_param_scheduler=False)})
    run = task_config(cfg, make_plan(cfg)[0], tmp_path, [], 'weights.pth', {}, {})
    hook = HOOKS.build(run.default_hooks.checkpoint)
    assert hook.save_optimizer and hook.save_param_scheduler and not hook.save_best
    assert (hook.out_dir, hook.filename_tmpl, hook.by_epoch) == (None, 'iter_{}.pth', False)


@pytest.fixture
def recorded(config, tmp_path):
    """A folder with the record of a sequence that has just started."""
    save_record(tmp_path, new_record(config(tmp_path), []))
    return tmp_path


@HOOKS.register_module()
class StopHook(Hook):
    """Stops a run in the middle of a task, by default its second."""

    def __init__(self, task=2):
        self.task = task

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if f'task_{self.task}' in runner.work_dir and runner.iter == 3:
            raise KeyboardInterrupt


def test_resumed_within_a_task_ends_the_same(finished, config, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        UnlearningSequence(config(tmp_path, custom_hooks=[dict(type='StopHook')])).run()
    assert (tmp_path / 'task_2/iter_2.pth').exists()
    kept = read_checkpoint(tmp_path / 'task_2/iter_2.pth')
    assert 'random_state' in kept and 0 < kept['seconds'] < 600
    kept['seconds'] += 1000  # as after a longer first part
    torch.save(kept, tmp_path / 'task_2/iter_2.pth')
    UnlearningSequence(config(tmp_path), resume=True).run()
    assert 1000 < read_json(tmp_path / 'sequence.json')['tasks'][1]['seconds'] < 1600
    assert same(weights_of(finished, 2), weights_of(tmp_path, 2))
    assert without_times(finished) == without_times(tmp_path)


def test_every_start_is_recorded(config, tmp_path, monkeypatch):
    def killed(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(UnlearningSequence, '_measure_original', killed)
    for starts, resume in ((1, False), (2, True)):
        with pytest.raises(KeyboardInterrupt):
            UnlearningSequence(config(tmp_path), resume=resume).run()
        runs = read_json(tmp_path / 'sequence.json')['runs']
        assert [run['finished'] for run in runs] == [None] * starts


def test_random_augmentation_and_dropout_go_on_where_they_were(config, tmp_path):
    options = {'sequence.num_tasks': 1, 'method.cache_teachers': False,
               'model.encoder.layer_cfg.ffn_cfg.ffn_drop': 0.1}

    def cfg(name, **more):
        cfg = config(tmp_path / name, **options, **more)
        cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='RandomFlip', prob=0.5))
        return cfg

    UnlearningSequence(cfg('whole')).run()
    with pytest.raises(KeyboardInterrupt):
        UnlearningSequence(cfg('stopped', custom_hooks=[dict(type='StopHook', task=1)])).run()
    UnlearningSequence(cfg('stopped'), resume=True).run()
    assert same(weights_of(tmp_path / 'whole', 1), weights_of(tmp_path / 'stopped', 1))


def test_a_full_disk_loses_nothing(config, tmp_path):
    message = f'cannot write {tmp_path}/task_1/.*: File too large'
    with pytest.raises(OSError, match=message), full_disk(5_000_000):
        UnlearningSequence(config(tmp_path)).run()
    continued = UnlearningSequence(config(tmp_path), resume=True)
    assert continued.record['original']['AP'] > 0


@HOOKS.register_module()
class VanishHook(Hook):
    """Removes the work dir in the middle of a task."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 3:
            shutil.rmtree(Path(runner.work_dir).parent)


def test_a_vanished_work_dir_is_named_and_not_made_again(config, tmp_path):
    vanish = dict(type='VanishHook', priority='HIGH')
    with pytest.raises(OSError, match=f'cannot write {tmp_path}/run/task_1/iter_4.pth: No such'):
        UnlearningSequence(config(tmp_path / 'run', custom_hooks=[vanish])).run()
    assert not (tmp_path / 'run').exists()


@HOOKS.register_module()
class SpoilHook(Hook):
    """Makes a weight infinite after a step, as an exploding update does."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 3:
            next(p for p in runner.model.parameters() if p.requires_grad).data[:] = math.inf


def test_weights_that_are_not_finite_stop_the_run(config, tmp_path):
    spoil = dict(type='SpoilHook', priority='HIGH')
    with pytest.raises(ValueError, match='task 1, step 4: a trained weight is not finite'):
        UnlearningSequence(config(tmp_path, custom_hooks=[spoil])).run()
    assert not (tmp_path / 'task_1/merged.pth').exists()
    assert [p.name for p in (tmp_path / 'task_1').glob('iter_*.pth')] == ['iter_2.pth']
    good = read_weights(tmp_path / 'task_1/iter_2.pth')
    assert all(value.isfinite().all() for value in good.values())


def test_one_step_less_ends_differently(finished, config, tmp_path):
    UnlearningSequence(config(tmp_path, **{'sequence.iters': 4, 'sequence.num_tasks': 1})).run()
    assert not same(weights_of(finished, 1), weights_of(tmp_path, 1))


def test_a_finished_folder_is_not_overwritten(finished, config):
    with pytest.raises(ValueError, match='add --resume'):
        UnlearningSequence(config(finished))


def test_a_second_process_is_refused(config, tmp_path):
    with locked_by_another(tmp_path / '.lock'), pytest.raises(
            ValueError, match=f'another process works in {tmp_path}'):
        UnlearningSequence(config(tmp_path)).run()
    assert not (tmp_path / 'sequence.json').exists()


@pytest.mark.parametrize('resume', [False, True])
def test_tasks_of_a_sequence_whose_record_is_gone_are_not_taken_for_its_own(
        finished, config, tmp_path, resume):
    shutil.copytree(finished / 'task_1', tmp_path / 'task_1')
    with pytest.raises(ValueError, match='holds a task, and its record sequence.json is gone'):
        UnlearningSequence(config(tmp_path), resume=resume)


def test_another_sequence_is_not_continued(finished, config):
    with pytest.raises(ValueError, match='another sequence .request differs'):
        UnlearningSequence(config(finished, **{'sequence.order': 7}), resume=True)


@pytest.mark.parametrize('key, value, was', [
    ('optim_wrapper.optimizer.lr', 0.001, 0.002), ('optim_wrapper.type', 'AmpOptimWrapper',
                                                   'OptimWrapper'),
    ('param_scheduler.0.eta_min', 1e-4, 0), ('sequence.iters', 4, 5),
    ('model.decoder.num_layers', 2, 3),
    ('sequence.retain.batch_size', 4, 2), ('randomness.seed', 1, 0),
    ('randomness.deterministic', True, None), ('auto_scale_lr.enable', True, False),
    ('data.val.data_prefix.img', 'train/', 'val/'),
    ('data.train.pipeline.0.type', 'LoadImage', 'LoadImageFromFile'),
    ('data.val_evaluator.metric', 'proposal', 'bbox')])
def test_other_settings_are_not_continued(recorded, config, key, value, was):
    where = re.sub(r'data.(train|val)\.', r'\1_dataloader.dataset.', key)
    cfg = config(recorded, **{where.replace('data.val_', 'val_'): value})
    with pytest.raises(ValueError, match=f'was started with {key} {was}, not {value}: resume'):
        load_record(recorded, new_record(cfg, []))


def test_another_number_of_processes_does_not_continue(recorded, config, monkeypatch):
    monkeypatch.setattr('gslora_det.engine.record.get_world_size', lambda: 2)
    with pytest.raises(ValueError, match='was started with processes 1, not 2: resume'):
        load_record(recorded, new_record(config(recorded), []))


def test_a_sequence_that_another_process_has_begun_is_not_overwritten(config, tmp_path):
    slow = UnlearningSequence(config(tmp_path))
    (tmp_path / 'sequence.json').write_text('of the other one')
    with pytest.raises(ValueError, match='another process has worked in'):
        slow.run()
    assert (tmp_path / 'sequence.json').read_text() == 'of the other one'


def test_random_state_is_restored_from_any_device(monkeypatch):
    """MMEngine moves a checkpoint's tensors to the GPU; PyTorch takes them on the CPU only."""
    state = torch.get_rng_state()

    class OnGPU:

        def cpu(self):
            return state

    for available in (True, False):
        restored = []
        torch.rand(1)
        monkeypatch.setattr(torch.cuda, 'is_available', lambda found=available: found)
        monkeypatch.setattr(torch.cuda, 'set_rng_state', restored.append)
        hook = RandomStateHook()
        hook.after_load_checkpoint(None, dict(random_state=dict(
            torch=OnGPU(), cuda=[OnGPU()])))
        hook.before_train_iter(None, 0)
        assert torch.equal(torch.get_rng_state(), state)
        assert len(restored) == available


def test_settings_that_change_no_result_may_change(recorded, config):
    cfg = config(recorded, **{
        'default_hooks.logger.interval': 1, 'sequence.checkpoint_interval': 1,
        'sequence.original': 'sequence.json', 'sequence.pictures': 0, 'custom_hooks': [],
        'train_dataloader.num_workers': 1})
    load_record(recorded, new_record(cfg, []))


def test_settings_of_any_type_are_recorded(recorded, config):
    cfg = config(recorded, **{'optim_wrapper.optimizer.betas': (0.9, 0.99),
                              'optim_wrapper.clip_grad.norm_type': math.inf,
                              'method.beta': (0.3, 0.2), 'method.targets': ('encoder.*',)})
    save_record(recorded, new_record(cfg, []))
    load_record(recorded, new_record(cfg, []))


def test_changed_weights_are_noticed(finished, config, tmp_path):
    folder = tmp_path / 'run'
    shutil.copytree(finished, folder)
    with open(folder / 'task_1/merged.pth', 'ab') as file:
        file.write(b'x')
    with pytest.raises(ValueError, match='task_1/merged.pth is not the file that was recorded'):
        UnlearningSequence(config(folder), resume=True)


@pytest.mark.parametrize('options, message', [
    ({'method.rank': 0}, 'rank is 0'),
    ({'method.type': 'GSLora'}, "no method 'GSLora': did you mean 'GSLoRA'"),
    ({'method.betta': 1.0}, "has no option 'betta': did you mean 'beta'"),
    ({'method.rank': 200}, 'rank is 200: a layer of 128 inputs'),
    ({'method.targets': ['encoder.layer.*']}, "target 'encoder.layer"),
    ({'method.beta': [0.1]}, 'beta has 1 values for 2 tasks'),
    ({'model.bbox_head.num_classes': 79}, 'num_classes is 79 and the data set names 80'),
    ({'model.num_queries': 20}, 'of another shape'),
    ({'model.decoder.num_layers': 2}, 'unexpected'),
    ({'load_from': 'nowhere.pth'}, 'nowhere.pth does not exist'),
])
def test_bad_configs_give_one_line_and_write_nothing(config, tmp_path, options, message):
    folder = tmp_path / 'run'
    with pytest.raises(ValueError, match=message) as error:
        UnlearningSequence(config(folder, **options))
    assert '\n' not in str(error.value)
    assert not folder.exists()
