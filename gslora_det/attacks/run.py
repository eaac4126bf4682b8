"""Attacks on the detectors of a finished sequence, and their record."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from gslora_det.attacks.controls import targets
from gslora_det.attacks.material import Material
from gslora_det.checks.settings import setting
from gslora_det.engine.attack_record import FILE_NAME, FORMAT_VERSION, read_attacks
from gslora_det.engine.progress import SequenceProgress
from gslora_det.engine.record import read_record, weights_before
from gslora_det.engine.recorded_files import check_file, check_same_annotations
from gslora_det.evaluation import LEAST_AP, erased_up_to, most
from gslora_det.files import check_writable, folder_lock, sha256, write_json
from gslora_det.options import unknown
from gslora_det.quiet import quiet
from gslora_det.registry import ATTACKS
from gslora_det.weights import check_exists, fetch, read_weights

# Of n classes one label in n is right by chance: of three, half of what an attack can find.
_CLASSES_TO_SHUFFLE = 4


class Round(NamedTuple):
    """One attack, with one setting, on one detector after one task."""
    task: int
    attack: str
    setting: str
    detector: str


def attacks_named(names: Sequence[str] | None) -> list[type]:
    """Classes of attacks, by default all.

    Raises:
        ValueError: There is none of a name.
    """
    names = [names] if isinstance(names, str) else names
    # What is quick first, and before that what there is without an attack.
    known = {kind.name: kind for kind in sorted(
        ATTACKS.module_dict.values(), key=lambda kind: (kind.trains, kind.name != 'as it is'))}
    for name in names or ():
        if name not in known:
            raise ValueError(unknown(name, known, '--attacks: there is no'))
    return [known[name] for name in known if not names or name in names]


class AttackRun:
    """Makes attacks on tasks of a finished sequence and keeps what they find.

    Args:
        work_dir (Path): The folder of the sequence.
        cfg (Config): Its config.
        attacks (list[str], optional): Names; by default all.
        tasks (list[int], optional): By default the first and the last that is finished.
        oracles (dict[int, str], optional): By task, weights of a detector that was trained
            without the classes that were erased up to then; by default the config's
            ``oracles``, a list from the first task on.
        seed (int): Of all that is drawn; one record is of one seed.
        controls (bool): Attack the controls, too.

    Raises:
        ValueError: Something is missing or contradicts the record. Nothing is written then.
    """

    def __init__(self, work_dir: Path, cfg: Config, attacks: Sequence[str] | None = None,
                 tasks: Sequence[int] | None = None,
                 oracles: dict[int, str] | None = None, seed: int = 0,
                 controls: bool = True) -> None:
        self.work_dir, self.cfg, self.seed = Path(work_dir), cfg, seed
        self.sequence = read_record(self.work_dir)
        done = len(self.sequence['tasks'])
        if not done:
            raise ValueError(f'{work_dir} has no finished task to attack: continue it with '
                             'gslora erase and --resume')
        self.tasks = sorted(set(tasks or (1, done)))
        for task in self.tasks:
            if not 1 <= task <= done:
                raise ValueError(f'--tasks: {task} is none of the finished tasks 1 to {done}')
            if all(each['original']['AP_forgotten'] is None
                   for each in self.sequence['tasks'][:task]):
                raise ValueError(f'task {task} of {work_dir}: no validation image shows what was '
                                 'erased, so that nobody can see whether it comes back: add '
                                 'images that do')
        self.kinds, self.controls = attacks_named(attacks), controls
        self.oracles = oracles or dict(enumerate(cfg.get('oracles') or (), 1))
        check_writable(self.work_dir / FILE_NAME)
        self.record = read_attacks(self.work_dir) or dict(
            format_version=FORMAT_VERSION, detectors={}, attacks=[])
        for other in {entry['seed'] for entry in self.record['attacks']} - {seed}:
            raise ValueError(f'{self.work_dir / FILE_NAME} was made with seed {other}: give '
                             f'--seed {other}, or move it away to attack with seed {seed}')
        self._files = self._check_files()

    def run(self) -> dict:
        """Makes what was not made yet; gives the content of ``attacks.json``."""
        with folder_lock(self.work_dir / '.lock', blocking=False):
            rounds = list(self._rounds())
            with SequenceProgress(len(rounds)) as self.progress, quiet():
                for task in self.tasks:
                    mine = [each for each in rounds if each.task == task]
                    left = [each for each in mine if self._find(each) is None]
                    self.progress.step(len(mine) - len(left))
                    if left:
                        self._attack(task, left)
        return self.record

    def _check_files(self) -> dict[str, Path]:
        """The weights by name; what was found in others of that name is forgotten."""
        before = weights_before(self.sequence)
        files = {'original': fetch(before['file'])}
        check_exists(files['original'])
        if sha256(files['original']) != before['sha256']:
            raise ValueError(f'{files["original"]} is not the original of {self.work_dir}: its '
                             'sha256 is not the recorded one')
        for task in self.tasks:
            entry = self.sequence['tasks'][task - 1]['merged']
            check_file(self.work_dir, entry)
            files[f'task {task}'] = self.work_dir / entry['file']
            if self.oracles.get(task):
                check_exists(self.oracles[task])
                files[f'oracle of task {task}'] = fetch(self.oracles[task])
        found = {name: sha256(path) for name, path in files.items()}
        known = self.record['detectors']
        stale = {name for name in found if known.get(name, found[name]) != found[name]}
        self.record['attacks'] = [
            entry for entry in self.record['attacks']
            if not stale.intersection(_files_of(entry['task']))]
        self.record['detectors'] = {**known, **found}
        return files

    def _rounds(self) -> Iterator[Round]:
        for task in self.tasks:
            for kind in self.kinds:
                for each in kind.settings:
                    for name in ('unlearned', *(kind.controls if self.controls else ())):
                        if self._can_be_attacked(name, task):
                            yield Round(task, kind.name, each, name)

    def _can_be_attacked(self, name: str, task: int) -> bool:
        if name == 'shuffled labels':  # of few classes the drawn label is right too often
            return len(erased_up_to(self.sequence, task)) >= _CLASSES_TO_SHUFFLE
        return name != 'oracle' or self.oracles.get(task) is not None

    def _find(self, wanted: Round) -> dict | None:
        return next((entry for entry in self.record['attacks']
                     if all(entry[key] == value for key, value in wanted._asdict().items())),
                    None)

    def _check_oracle(self, material: Material, task: int) -> None:
        """Refuses an oracle that finds what was erased."""
        self.progress.stage(f'task {task}: the oracle')
        detector = material.detector(read_weights(str(self._files[f'oracle of task {task}'])))
        found = material.measure(detector, material.prefix(detector), material.erased)
        if found['AP_forgotten'] > 100 * LEAST_AP:
            raise ValueError(
                f'{self.oracles[task]} knows the classes that were erased up to task {task} (AP '
                f'{found["AP_forgotten"]:.1f}): an oracle is trained from the start without them')

    def _attack(self, task: int, rounds: list[Round]) -> None:
        material = self._material(task)
        if any(each.detector == 'oracle' for each in rounds):
            self._check_oracle(material, task)
        weights = {name: read_weights(str(path)) for name, path in self._files.items()
                   if name in _files_of(task)}
        names = dict.fromkeys(each.detector for each in rounds)
        found = targets(list(names), material, weights[f'task {task}'], weights['original'],
                        weights.get(f'oracle of task {task}'), self.seed)
        detector = material.detector(weights['original'])
        for each in rounds:
            kind = next(kind for kind in self.kinds if kind.name == each.attack)
            attack = kind(material)
            title = f'task {task}: {each.attack}' + f' ({each.setting})' * bool(each.setting)
            self.progress.stage(f'{title}, {each.detector}')
            missing = attack.misses(detector, **kind.settings[each.setting])
            if not missing and each.detector in found:
                material.seed_all()
                begin = time.perf_counter()
                curve = attack.run(found[each.detector], **kind.settings[each.setting])
                if curve:
                    entry = self._keep(each, kind, curve, time.perf_counter() - begin)
                    self.progress.say(f'{title}, {each.detector}: {most(entry):.1f} '
                                      f'{kind.measures}{self.progress.left()}')
                else:
                    missing = ('objects of an erased class in both the drawn training images and '
                               'the validation images')
            if missing and each.detector == 'unlearned':
                self.progress.say(f'{title}: left out for lack of {missing}')
            self.progress.step()

    def _material(self, task: int) -> Material:
        missing = self.sequence['settings']['sequence'].get('missing') or ()
        first = self.sequence['tasks'][0]['forgotten'] if task > 1 else ()
        material = Material(self.cfg, erased_up_to(self.sequence, task), missing, first,
                            self.seed, setting(self.cfg.sequence, 'cache_gib'))
        check_same_annotations(self.work_dir, self.cfg, self.sequence, 'train', 'val')
        return material

    def _keep(self, each: Round, kind: type, curve: list[dict], seconds: float) -> dict:
        entry = dict(
            each._asdict(), seed=self.seed, title=kind.title, x_title=kind.x,
            measures=kind.measures, chance=kind.chance, finds_hidden=kind.finds_hidden,
            needs_original=kind.needs_original, curve=curve, seconds=round(seconds, 1))
        self.record['attacks'].append(entry)
        write_json(self.work_dir / FILE_NAME, self.record)
        return entry


def _files_of(task: int) -> Sequence[str]:
    """The names of the weights that attacks on a task are made on."""
    return 'original', f'task {task}', f'oracle of task {task}'
