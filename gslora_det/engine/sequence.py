"""The sequence: one ordinary MMEngine run a task, each from the weights of the last."""

import sys
from pathlib import Path

from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmengine.registry import init_default_scope

from gslora_det.checks.settings import setting
from gslora_det.engine import origin
from gslora_det.engine.detector_labels import DetectorLabels
from gslora_det.engine.plan import TaskPlan, make_plan
from gslora_det.engine.progress import SequenceProgress
from gslora_det.engine.provenance import now, provenance
from gslora_det.engine.record import (
    FILE_NAME,
    class_precisions,
    null,
    save_record,
    split_metrics,
    weights_before,
    with_h,
)
from gslora_det.engine.recorded_files import file_entry
from gslora_det.engine.rehearsal import named, rehearse
from gslora_det.engine.runner import build_from_files
from gslora_det.engine.task_config import (
    BUFFERS,
    CONFIG,
    RunConfig,
    beside_config,
    evaluation_config,
    task_config,
)
from gslora_det.engine.task_run import TaskRun, measure
from gslora_det.evaluation import LEAST_AP
from gslora_det.files import check_writable, folder_lock, remove_drafts, write_file, write_json
from gslora_det.quiet import quiet
from gslora_det.reporting import print_table, write_results
from gslora_det.reporting.fates import objects_in_words
from gslora_det.reporting.filed import labels_in_words
from gslora_det.reporting.tables import metrics_in_words
from gslora_det.weights import dataset_meta, install_atomic_writer, install_safe_loader
from gslora_det.words import percent


class UnlearningSequence:
    """Erases the classes of a config's ``sequence``, task by task.

    Args:
        cfg (Config): An MMDet config with ``sequence``, ``method`` and ``work_dir``.
        resume (bool): Continue an unfinished sequence in ``work_dir``.

    Raises:
        ValueError: The config contradicts itself or the data, or names what cannot be built,
            or ``work_dir`` holds another or, without ``resume``, an earlier sequence. Nothing
            is written then.
    """

    def __init__(self, cfg: Config, resume: bool = False) -> None:
        install_safe_loader()
        install_atomic_writer()
        init_default_scope(cfg.get('default_scope', 'mmdet'))
        self.cfg = cfg
        self.work_dir = Path(cfg.work_dir)
        check_writable(self.work_dir / FILE_NAME)
        self._found = self._last_change()
        if self._found and not resume:
            raise ValueError(f'{self.work_dir} holds a sequence already: add --resume '
                             'to continue it, or set another --work-dir')
        if not self._found and (self.work_dir / 'task_1').exists():
            raise ValueError(f'{self.work_dir} holds a task, and its record {FILE_NAME} is gone: '
                             'restore it, or set another --work-dir')
        self._labels = DetectorLabels(cfg, self.work_dir, resume)
        with self._labels.stand_ins():
            self._settle()
            self._rehearse()
        if not self._labels.pending:
            self._warn()

    def _settle(self) -> None:
        self.plan = make_plan(self.cfg)  # may draw Glyph80, with a bar
        dataset = DATASETS.build(dict(self.cfg.val_dataloader.dataset, lazy_init=True))
        self.classes = list(dataset.metainfo['classes'])
        begun = self._found and not self._labels.pending
        self.record = origin.settled_record(self.cfg, self.plan, self.work_dir if begun else None)
        self._teacher = origin.teacher_file(self.record)
        self._meta = dict(original=weights_before(self.record)['sha256'],
                          dataset_meta=dataset_meta(dataset))

    def _rehearse(self) -> None:
        cfg = self.cfg
        runs = [self._task_config(task, original={}) for task in self.plan]
        with quiet():
            with named(f'{cfg.filename}: model'):  # wrong weights, targets or options show here
                build_from_files(runs[0].model)
            rehearsed = rehearse(cfg, self.plan, runs)
        self._val_batches = rehearsed.val_batches
        self._memory: dict[str, dict] = {}  # what frozen parts made of images
        self._room = 2**30 * rehearsed.looks_alike * setting(cfg.sequence, 'cache_gib')

    def _warn(self) -> None:
        if is_main_process():
            for warning in self.plan.warnings:
                print(f'warning: {warning}', file=sys.stderr)

    def run(self) -> dict:
        """Runs what is not finished yet and writes the results.

        Returns:
            dict: The content of ``sequence.json``.
        """
        self.work_dir.mkdir(parents=True, exist_ok=True)
        if not is_main_process():
            return self._run()
        with folder_lock(self.work_dir / '.lock', blocking=False):
            if self._last_change() != self._found:
                raise ValueError(f'another process has worked in {self.work_dir} meanwhile: '
                                 'start again')
            remove_drafts(self.work_dir)
            return self._run()

    def _last_change(self) -> int | None:
        path = self.work_dir / FILE_NAME
        return path.stat().st_mtime_ns if path.exists() else None

    def _run(self) -> dict:
        if self._labels.pending:
            self._labels.make()
            self._settle()
            self._warn()
        barrier()  # the others look for a record, too, before it is written
        val_batches = self._val_batches
        done = len(self.record['tasks'])
        steps = sum(task.iters + val_batches for task in self.plan)
        self._save_config()
        if self._labels.facts:
            self.record['labels'] = self._labels.facts
        self.record['runs'].append(
            provenance((self.cfg.get('randomness') or {}).get('seed') or 0))
        self._save()  # a start that is killed at once leaves a trace
        with SequenceProgress(steps + val_batches) as self.progress, quiet():
            if self._labels.facts:
                self.progress.say(f'training labels: {labels_in_words(self._labels.facts)}')
            if self.record['original'] is None:
                self._measure_original()
            else:
                self.progress.step(val_batches)
            self.progress.step(sum(t.iters + val_batches for t in self.plan[:done]))
            origin.check_original(self.record)
            self.progress.say(f'original model: AP {percent(self.record["original"]["AP"])}')
            barrier()  # the main process has written what the original found
            for task in self.plan[done:]:
                self._run_task(task)
        self.record['runs'][-1]['finished'] = now()
        self._save()
        self._write_results()
        return self.record

    def _save_config(self) -> None:
        """Keeps the whole config, so that the folder alone is enough to look at a run."""
        if is_main_process():
            kept = RunConfig(self.cfg.to_dict())
            if self._labels.facts:
                kept.train_dataloader.dataset.ann_file = beside_config(self._labels.facts['file'])
            write_file(self.work_dir / CONFIG, kept.pretty_text)
            self.record['config'] = file_entry(self.work_dir, self.work_dir / CONFIG)

    def _measure_original(self) -> None:
        self.progress.stage('original model')
        folder = self.work_dir / 'original'
        folder.mkdir(exist_ok=True)
        results = measure(evaluation_config(self.cfg, folder, self.plan),
                          weights_before(self.record)['file'], self.progress.step)
        self.record['original'] = dict(
            AP=null(results['coco/AP']), per_class=class_precisions(results, self.classes),
            splits=[split_metrics(results, f'_{task.number}') for task in self.plan])
        self._save()

    def _run_task(self, task: TaskPlan) -> None:
        names = ', '.join(task.split.forgotten)
        buffers = ' and '.join(f'{len(ids):,} {branch}' for branch, ids in task.buffers.items())
        self.progress.say(f'task {task.number}/{len(self.plan)}: {buffers} images, '
                          f'{task.iters:,} steps; erases {names}')
        self.progress.stage(f'task {task.number}/{len(self.plan)}')
        before = self.record['original']['splits'][task.number - 1]
        if before['AP_forgotten'] is not None and before['AP_forgotten'] < LEAST_AP:
            self.progress.say('  the original finds next to nothing of these classes (AP '
                              f'{percent(before["AP_forgotten"])}): nobody can see whether they '
                              'are erased')
        run_cfg = self._task_config(task, before)
        folder = Path(run_cfg.work_dir)
        folder.mkdir(exist_ok=True)  # without parents: a work dir that is gone stays so
        if is_main_process():
            write_json(folder / BUFFERS, task.buffers)
        barrier()
        run = TaskRun(run_cfg, self.progress.step)
        run.model.remember(self._memory, self._room)
        if task.number == 1:
            total = run.model.num_parameters
            self.progress.say(f'trainable: {run.trainable:,} parameters, '
                              f'{100 * run.trainable / total:.2f} % of {total:,}')
        results = run.run()
        if task.number == 1 and run.remembered(self._room):
            self.progress.say(f'  {run.remembered(self._room)}')
        metrics = with_h(split_metrics(results), before)
        barrier()
        images = sum(self.cfg.sequence[name].batch_size for name in run.model.method.branches)
        entry = dict(
            task=task.number, forgotten=list(task.split.forgotten), metrics=metrics,
            original=before, per_class=class_precisions(results, self.classes),
            **run.facts(images), buffers=task.buffers)
        self.record['tasks'].append(entry)
        self._save()
        if is_main_process():
            run.remove_checkpoints()
        self.progress.say(f'  {metrics_in_words(metrics, before)}{self.progress.left()}')
        if entry['objects']:
            self.progress.say(f'  {objects_in_words(entry["objects"])}')

    def _task_config(self, task: TaskPlan, original: dict) -> Config:
        return task_config(self.cfg, task, self.work_dir, self.classes, self._start_weights(),
                           original, self._meta,
                           origin.original_predictions(self.cfg, self.work_dir), self._teacher)

    def _start_weights(self) -> str:
        if not self.record['tasks']:
            return self.cfg.load_from
        return str(self.work_dir / self.record['tasks'][-1]['merged']['file'])

    def _save(self) -> None:
        if is_main_process():
            save_record(self.work_dir, self.record)

    def _write_results(self) -> None:
        if not is_main_process():
            return
        print_table(self.record)
        write_results(self.record, self.work_dir)
        erased = self.work_dir / 'erased'
        pictures = f'\nPictures of erased boxes: {erased}' if erased.exists() else ''
        self.progress.say(
            f'\nTable: {self.work_dir / "results.md"}'
            f'\nCurves: {self.work_dir / "curves.png"}{pictures}'
            f'\nUnlearned detector: {self._start_weights()}')

