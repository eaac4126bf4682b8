import sys

import pytest

from gslora_det.config_file import load_config


def load(path, **options):
    return load_config(path, options)


@pytest.mark.parametrize('text', [
    'a = ', 'a = b', 'a = 1 / 0', "_base_ = 'nowhere.py'", 'a = None\na.b = 1',
    "custom_imports = dict(imports=['nowhere'], allow_failed_imports=False)"])
def test_a_config_that_cannot_be_read_gives_one_line(tmp_path, text):
    path = tmp_path / 'config.py'
    path.write_text(text)
    with pytest.raises(ValueError, match=f'config {path} cannot be read: ') as error:
        load(path)
    assert '\n' not in str(error.value)


def test_options_that_do_not_fit_give_one_line(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text('a = 1\nb = [1]')
    for options in ({'a.c': 2}, {'b.7': 2}):
        with pytest.raises(ValueError, match='--cfg-options do not fit'):
            load(path, **options)


def test_a_misspelt_name_is_refused_where_nothing_reads_it(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text('val_dataloader = dict()\nmy_own = 1')
    for option, meant in (('sequnce.iters', 'sequence'), ('methd.beta', 'method'),
                          ('optim_wraper.optimizer.lr', 'optim_wrapper'), ('my_onw', 'my_own')):
        with pytest.raises(ValueError, match=f'{option}: .* did you mean {meant}?'):
            load(path, **{option: 1})
    options = {'test_dataloader.batch_size': 4, 'sequence.iters': 3, 'another': 5}
    cfg = load(path, **options)
    assert cfg.test_dataloader == dict(batch_size=4) and cfg.another == 5


def test_modules_that_an_option_names_are_imported(tmp_path, monkeypatch):
    (tmp_path / 'mine_alone.py').write_text('here = 1')
    (tmp_path / 'config.py').write_text('a = 1')
    monkeypatch.syspath_prepend(tmp_path)
    load(tmp_path / 'config.py', **{'custom_imports.imports': ['mine_alone']})
    assert sys.modules.pop('mine_alone').here == 1
    with pytest.raises(ValueError, match='--cfg-options do not fit .*mine_absent'):
        load(tmp_path / 'config.py', **{'custom_imports.imports': ['mine_absent']})


def test_parts_of_a_list_can_be_set(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("backends = [dict(type='A')]")
    assert load(path, **{'backends.0.type': 'B'}).backends == [dict(type='B')]


def test_a_home_folder_is_found_wherever_a_config_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', '/home/me')
    path = tmp_path / 'config.py'
    path.write_text("a = '~/x'\nb = dict(c=['~/y', ('~/z', 1)], d='a~/b', e='~')")
    cfg = load(path, f='~/w')
    assert (cfg.a, cfg.f) == ('/home/me/x', '/home/me/w')
    assert cfg.b.to_dict() == dict(c=['/home/me/y', ('/home/me/z', 1)], d='a~/b', e='~')
