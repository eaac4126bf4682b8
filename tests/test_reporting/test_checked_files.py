"""The tool hashes every recorded file again; the files and the record are made by hand."""

import hashlib
import json

import pytest
from hand_record import SUCCESS, record
from support import ROOT, run_tool

from gslora_det.engine.record import run_id, save_record


def made(path, content):
    """Writes a file; gives its entry."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return dict(file=path.name, sha256=hashlib.sha256(content).hexdigest())


@pytest.fixture
def run(tmp_path):
    """A record whose files are all there, in the folder ``run`` beside its original."""
    found, folder = record(SUCCESS), tmp_path / 'run'
    found.update(weights=made(tmp_path / 'original.pth', b'original'),
                 config=made(folder / 'config.py', b'lr = 1'))
    for task in found['tasks']:
        for kind in ('merged.pth', 'adapter.safetensors'):
            entry = made(folder / f'task_{task["task"]}' / kind, f'{task["task"]}{kind}'.encode())
            task[kind.split('.')[0]] = dict(entry, file=f'task_{task["task"]}/{kind}')
    save_record(folder, found)
    return found


@pytest.fixture
def report(tmp_path):
    """Runs the tool beside the original; gives its exit code, last words and page."""
    def report(*flags):
        out = tmp_path / 'new/report.html'
        result = run_tool(ROOT / 'tools/report.py', 'run', '--out', out, *flags, cwd=tmp_path)
        page = ' '.join(out.read_text('utf-8').split()) if out.exists() else None
        return result.returncode, result.stderr, page
    return report


def said(page, entry):
    """What the page says beside the hash of a file."""
    return page.split(f'<code>{entry["sha256"]}</code>: ')[1].split('</dd>')[0]


def test_what_is_as_recorded_is_checked(run, report):
    code, error, page = report('--no-gallery')
    assert code == 0, error
    assert said(page, run['weights']) == said(page, run['tasks'][1]['merged']) == 'checked'


def test_what_is_not_there_is_not_checked(run, report, tmp_path):
    (tmp_path / 'original.pth').unlink()
    code, error, page = report('--no-gallery')
    assert code == 0, error
    assert said(page, run['weights']) == 'not checked'
    assert said(page, run['tasks'][1]['merged']) == 'checked'
    code, error, _ = report()  # pictures need it
    assert code == 2 and error == (
        'error: checkpoint original.pth does not exist; run from the folder that the config '
        'expects, or add --no-gallery\n')


@pytest.mark.parametrize('file', [
    'original.pth', 'run/config.py', 'run/task_1/merged.pth', 'run/task_1/adapter.safetensors',
    'run/task_2/merged.pth'])
@pytest.mark.parametrize('flags', [[], ['--no-gallery']])
def test_another_file_ends_with_one_line_before_any_work(run, report, tmp_path, file, flags):
    path = tmp_path / file
    path.write_bytes(path.read_bytes() + b' ')
    code, error, page = report(*flags)
    assert code == 2 and page is None and not (tmp_path / 'new').exists()
    assert error.count('\n') == 1 and f'{file} is not the file that was recorded' in error


def test_load_from_is_another_place_of_the_same_file(run, report, tmp_path):
    (tmp_path / 'original.pth').rename(tmp_path / 'moved.pth')
    place = ['--no-gallery', '--cfg-options', 'load_from=moved.pth']
    code, error, page = report(*place)
    assert code == 0, error
    assert said(page, run['weights']) == 'checked'
    (tmp_path / 'moved.pth').write_bytes(b'another')
    assert report(*place)[:2] == (2, 'error: load_from=moved.pth is not the original of run: '
                                  'its sha256 is not the recorded one\n')
    (tmp_path / 'moved.pth').unlink()
    assert report(*place)[:2] == (2, 'error: checkpoint moved.pth does not exist\n')


def test_the_first_original_is_checked_beside_the_weights_at_the_start(run, report, tmp_path):
    run['original_weights'] = made(tmp_path / 'first.pth', b'first')
    save_record(tmp_path / 'run', run)
    code, error, page = report('--no-gallery')
    assert code == 0, error
    assert said(page, run['weights']) == said(page, run['original_weights']) == 'checked'
    (tmp_path / 'first.pth').write_bytes(b'another')
    code, error, _ = report('--no-gallery')
    assert code == 2 and 'first.pth is not the file that was recorded' in error


def test_where_nothing_can_be_written_is_said_before_any_work(run, report, tmp_path):
    (tmp_path / 'new/report.html').mkdir(parents=True)
    (tmp_path / 'original.pth').write_bytes(b'another')  # which would be said next
    result = run_tool(ROOT / 'tools/report.py', 'run', '--out', 'new', cwd=tmp_path)
    assert result.returncode == 2 and result.stderr.startswith('error: new is a folder')
    result = run_tool(ROOT / 'tools/report.py', 'run', '--out', 'original.pth/a/report.html',
                      cwd=tmp_path)
    assert result.returncode == 2 and 'original.pth takes no files' in result.stderr


def test_a_report_lies_in_the_work_dir_and_replaces_only_an_earlier_one(run, tmp_path):
    def report(*arguments):
        result = run_tool(ROOT / 'tools/report.py', *arguments, '--no-gallery', cwd=tmp_path)
        return result.returncode, result.stderr

    place = tmp_path / 'run/report.html'
    assert report('run') == (0, '') and 'not verified' in place.read_text('utf-8')
    assert report('run', '--requester', 'A. Person') == (0, '')
    assert 'A. Person (said for this report)' in place.read_text('utf-8')
    for words in ('my notes', place.read_text('utf-8').replace(run_id(run), 'f' * 64)):
        place.write_text(words, 'utf-8')
        assert report('run') == (2, 'error: run/report.html is there and not an earlier report of '
                                 'the same run: move it away, or name another file with --out\n')
        assert place.read_text('utf-8') == words
    assert report('run', 'run') == (2, 'error: a report of several runs has no folder of its own: '
                                    'name the file with --out\n')
    assert report('run', 'run', '--out', 'both.html') == (0, '')
    assert report('run', '--out', 'both.html') == (0, '')  # of the same run


def test_what_contradicts_the_record_ends_with_one_line(run, report, tmp_path):
    run['filing'] = dict(requester='A. Person', request_id=None, operator=None)
    save_record(tmp_path / 'run', run)
    code, error, page = report('--no-gallery', '--requester', 'Another')
    assert (code, page) == (2, None)
    assert error == ("error: requester is 'Another', but run was begun with 'A. Person': leave it "
                     'out\n')
    assert report('--no-gallery', '--operator', ' ')[1] == (
        "error: --operator is ' ': set text, in quotes\n")
    code, error, page = report('--no-gallery', '--requester', 'A. Person', '--request-id', '17')
    assert code == 0 and '<dd>A. Person</dd>' in page
    assert '<dd>17 (said for this report)</dd>' in page


def test_what_verify_found_stands_on_the_page(run, report, tmp_path):
    result = run_tool(ROOT / 'tools/verify.py', 'run', '--no-metrics', cwd=tmp_path)
    assert result.returncode == 1  # the buffers of a record by hand are in no file
    code, error, page = report('--no-gallery')
    assert code == 0, error
    assert '<dd>Failed: task 1: buffers; task 2: buffers.</dd>' in page
    assert '; task 2: adapter; task 2: merged.</dd>' in page
    assert '2 of 9 checks failed (task 1: buffers; task 2: buffers)' in page


@pytest.fixture
def attacks(run, tmp_path):
    """Writes attacks on the last task, with changes to their record; gives its file."""
    def write(**changes):
        entries = [dict(
            task=2, attack='new head', setting='', detector=detector, seed=0, title='',
            x_title='epochs', measures='AP_forgotten', chance=0.0, finds_hidden=True,
            needs_original=False, curve=[dict(x=1, AP_forgotten=found)], seconds=1.0)
            for detector, found in (
                ('unlearned', 41.5), ('oracle', 40.5), ('head mask', 69.5))]
        detectors = {'original': run['weights']['sha256'],
                     'task 2': run['tasks'][1]['merged']['sha256']}
        path = tmp_path / 'run/attacks.json'
        path.write_text(json.dumps({
            **dict(format_version=1, detectors=detectors, attacks=entries), **changes}))
        return path
    return write


def test_attacks_stand_on_the_page(attacks, report):
    attacks()
    code, error, page = report('--no-gallery')
    assert code == 0, error
    assert 'AP 41.5 on the forgotten classes (original 70.0); the same attack finds 40.5' in page
    assert '<p class="word">Not by these attacks</p>' in page


@pytest.mark.parametrize('name', ['original', 'task 2'])
def test_attacks_on_other_weights_end_with_one_line(attacks, report, name):
    detectors = json.loads(attacks().read_text())['detectors']
    attacks(detectors={**detectors, name: 64 * 'f'})
    assert report('--no-gallery') == (
        2, f'error: run/attacks.json is of other weights than the sequence ({name}): move it away '
        'and run gslora attack run again\n', None)


def test_a_damaged_record_of_attacks_ends_with_one_line(attacks, report):
    attacks().write_text('{"format_version"')
    code, error, page = report('--no-gallery')
    assert code == 2 and page is None and error.count('\n') == 1
    assert 'run/attacks.json is not valid JSON' in error
