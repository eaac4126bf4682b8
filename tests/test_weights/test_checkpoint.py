import functools
import http.server
import json
import math
import os
import pickle
import threading

import numpy as np
import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.optim import OneCycleLR
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import DataLoader

import gslora_det  # noqa: F401
from gslora_det.files import sha256
from gslora_det.weights import (
    CheckpointError,
    adapter,
    install_safe_loader,
    load_adapter,
    load_weights,
    read_checkpoint,
    read_meta,
    read_weights,
    save_adapter,
    save_weights,
)


class Canary:
    """Unpickling this makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path, )


@pytest.fixture
def malicious(tmp_path):
    path = tmp_path / 'malicious.pth'
    torch.save({'state_dict': {'weight': Canary(tmp_path / 'canary')}}, path)
    return path


def test_the_canary_works(malicious, tmp_path):
    torch.load(malicious, weights_only=False)
    assert (tmp_path / 'canary').exists()


def test_malicious_pickle_never_runs(malicious, tmp_path):
    install_safe_loader()
    for load in (read_weights, read_checkpoint, CheckpointLoader.load_checkpoint,
                 lambda path: load_weights(nn.Linear(2, 2), path)):
        with pytest.raises(CheckpointError, match='posix.mkdir, which could run code'):
            load(str(malicious))
    assert not (tmp_path / 'canary').exists()


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """The address of a server of ``tmp_path``; downloads go to ``tmp_path/hub``."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    monkeypatch.setenv('no_proxy', '*')
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_no_scheme_of_mmengine_runs_it(malicious, tmp_path, remote):
    install_safe_loader()
    (tmp_path / 'open_mmlab.json').write_text(
        json.dumps({'evil': f'{remote}/{malicious.name}'}))
    for source in (f'{remote}/{malicious.name}', 'open-mmlab://evil'):
        with pytest.raises(CheckpointError, match='posix.mkdir, which could run code'):
            CheckpointLoader.load_checkpoint(source)
    assert not (tmp_path / 'canary').exists()


def test_urls_are_downloaded_and_checked_against_their_name(tmp_path, remote):
    torch.save({'weight': torch.ones(2)}, tmp_path / 'good.pth')
    digest = sha256(tmp_path / 'good.pth')[:8]
    (tmp_path / f'good-{digest}.pth').write_bytes((tmp_path / 'good.pth').read_bytes())
    (tmp_path / 'good-00000000.pth').write_bytes((tmp_path / 'good.pth').read_bytes())
    assert list(read_weights(f'{remote}/good-{digest}.pth?download=1')) == ['weight']
    for name in ('good-00000000.pth', 'absent.pth'):
        with pytest.raises(CheckpointError, match=f'{name} could not .* put it at'):
            read_weights(f'{remote}/{name}')


def test_files_of_one_name_at_two_addresses_are_two(tmp_path, remote):
    for run in 'ab':
        (tmp_path / run).mkdir()
        torch.save({run: torch.ones(2)}, tmp_path / run / 'epoch_12.pth')
    assert [list(read_weights(f'{remote}/{run}/epoch_12.pth')) for run in 'aba'] == [
        ['a'], ['b'], ['a']]


def test_plain_malicious_pickle_never_runs(tmp_path):
    path = tmp_path / 'plain.pth'
    path.write_bytes(pickle.dumps(Canary(tmp_path / 'canary')))
    with pytest.raises(CheckpointError):
        read_weights(path)
    assert not (tmp_path / 'canary').exists()


@pytest.mark.parametrize('content', [b'', b'no checkpoint', b'PK\x03\x04 broken zip'])
@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_broken_files_give_one_line(tmp_path, content, suffix):
    path = tmp_path / f'broken{suffix}'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match='broken') as error:
        read_weights(path)
    assert '\n' not in str(error.value)


def test_truncated_file(tmp_path):
    path = tmp_path / 'whole.pth'
    save_weights(nn.Linear(64, 64).state_dict(), path, {})
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError):
        read_weights(path)


def test_a_flipped_bit_is_found(tmp_path):
    path = tmp_path / 'flipped.pth'
    save_weights({'weight': torch.ones(10_000)}, path, {})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match='flipped.pth is damaged'):
        read_weights(path)


@pytest.mark.parametrize('content', [
    {'state_dict': [1]}, {'state_dict': None}, {1: torch.ones(1)}, {'weight': 1}, {}])
def test_foreign_content_gives_one_line(tmp_path, content):
    torch.save(content, tmp_path / 'foreign.pth')
    with pytest.raises(CheckpointError, match='foreign.pth holds no weights'):
        read_weights(tmp_path / 'foreign.pth')


def test_missing_file():
    with pytest.raises(CheckpointError, match='does not exist'):
        read_weights('nowhere.pth')


class Reach:
    """Pickles as getattr(str, 'format')."""

    def __reduce__(self):
        return getattr, (str, 'format')


def test_getattr_reaches_nothing_else(tmp_path):
    torch.save({'state_dict': {'weight': Reach()}}, tmp_path / 'reach.pth')
    with pytest.raises(CheckpointError, match='refused|damaged'):
        read_checkpoint(tmp_path / 'reach.pth')


class Pointers:
    """Arrays of objects, made from bytes."""

    def __init__(self, way):
        self.way = way

    def __reduce__(self):
        if self.way == 'call':
            return np.ndarray, ((1,), 'O', b'A' * 8)
        make, arguments, state = np.zeros(1).__reduce__()
        version, shape, _, fortran, content = state
        return make, arguments, (version, shape, np.dtype(self.way), fortran, content)


@pytest.mark.parametrize('way', ['call', 'O', [('a', 'O')], 'V8'])
def test_no_array_of_pointers_is_made(tmp_path, way):
    path = tmp_path / 'pointers.pth'
    torch.save({'meta': Pointers(way)}, path)
    with pytest.raises(CheckpointError, match='numpy.(ndarray|dtype)'):
        read_checkpoint(path)


def test_mmengine_checkpoints_are_read(tmp_path):
    buffer = HistoryBuffer([1.0, 2.0], [1, 1])
    path = tmp_path / 'resume.pth'
    torch.save(dict(state_dict=dict(weight=torch.ones(2)), message_hub=dict(
        log_scalars=dict(loss=buffer), runtime_info=dict(value=np.float64(3.0)))), path)
    found = read_checkpoint(path)
    assert found['message_hub']['log_scalars']['loss'].mean() == 1.5
    assert found['message_hub']['runtime_info']['value'] == 3.0
    torch.save(found, path)  # as a resumed run does
    again = read_checkpoint(path)['message_hub']['log_scalars']['loss']
    assert again.data[0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize('strategy', ['cos', 'linear'])
def test_a_schedule_that_names_a_function_is_read(tmp_path, strategy):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = OneCycleLR(optimizer, eta_max=1.0, total_steps=9, anneal_strategy=strategy)
    torch.save(dict(param_schedulers=[scheduler.state_dict()]), tmp_path / 'resume.pth')
    found, = read_checkpoint(tmp_path / 'resume.pth')['param_schedulers']
    assert found['anneal_func'](2.0, 4.0, 0.5) == 3.0  # halfway, whatever the form
    assert found['anneal_func'](0.0, 1.0, 0.25) == (
        0.25 if strategy == 'linear' else pytest.approx((1 - math.cos(math.pi / 4)) / 2))


class Scheduler:
    """Asks for MMEngine's scheduler to be built, or for another of its functions."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize('asked', [
    (OneCycleParamScheduler, (None, 'lr', 1.0)),
    (getattr, (OneCycleParamScheduler, '__init__')),
    (getattr, (OneCycleParamScheduler, 'build_iter_from_epoch'))])
def test_no_scheduler_is_built(tmp_path, asked):
    torch.save({'meta': Scheduler(*asked)}, tmp_path / 'scheduler.pth')
    with pytest.raises(CheckpointError, match='getattr|OneCycle'):
        read_checkpoint(tmp_path / 'scheduler.pth')


@pytest.mark.parametrize('kind', ['uint8', 'int16', 'float16', 'float64', 'bool'])
def test_numpy_arrays_are_read(tmp_path, kind):
    array = np.eye(2, dtype=kind)
    torch.save({'meta': array}, tmp_path / 'array.pth')
    assert np.array_equal(read_checkpoint(tmp_path / 'array.pth')['meta'], array)


class Net(BaseModel):

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, inputs, mode='tensor'):
        return dict(loss=self.linear(inputs).square().mean())


def test_a_real_run_resumes_through_the_safe_loader(tmp_path):
    install_safe_loader()

    def run(epochs, **options):
        data = [dict(inputs=torch.ones(2))] * 4
        runner = Runner(
            Net(), str(tmp_path), train_dataloader=DataLoader(data, 2),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1)),
            param_scheduler=dict(type='LinearLR'), default_scope='mmdet',
            experiment_name=f'resume_{epochs}', log_level='ERROR', **options)
        runner.train()
        return runner

    run(1)
    path = str(tmp_path / 'epoch_1.pth')
    assert read_checkpoint(path)['meta']['iter'] == 2
    load_weights(Net(), path)
    content = torch.load(path, weights_only=False)
    content['meta']['config'] = f"import os; os.mkdir({str(tmp_path / 'canary')!r})"
    torch.save(content, path)
    assert run(2, resume=True, load_from=path).iter == 4
    assert not (tmp_path / 'canary').exists()  # which MMEngine's resume makes


def test_meta_of_another_type_gives_one_line(tmp_path):
    torch.save(dict(state_dict={}, meta='x'), tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='x.pth: meta holds str, not facts by name'):
        read_meta(tmp_path / 'x.pth')


def test_strict_loading_lists_everything_and_changes_nothing():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
    before = {key: value.clone() for key, value in module.state_dict().items()}
    given = {'0.weight': torch.zeros(2, 2), '1.weight': torch.zeros(4, 2),
             '1.bias': torch.zeros(3), 'extra': torch.zeros(1)}
    with pytest.raises(CheckpointError) as error:
        load_weights(module, given)
    assert 'missing: 0.bias' in str(error.value)
    assert 'unexpected: extra' in str(error.value)
    assert '1.weight (4, 2) instead of (3, 2)' in str(error.value)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())


def test_half_precision_round_trip(tmp_path):
    module = nn.BatchNorm2d(4)
    nn.init.normal_(module.weight)
    save_weights(module.state_dict(), tmp_path / 'half.pth', {'task': 1}, half=True)
    loaded = nn.BatchNorm2d(4)
    load_weights(loaded, tmp_path / 'half.pth')
    assert torch.equal(loaded.weight, module.weight.half().float())
    assert loaded.num_batches_tracked.dtype == torch.long
    assert read_checkpoint(tmp_path / 'half.pth')['meta'] == {'task': 1}


def test_ddp_prefix_is_stripped(tmp_path):
    save_file({'module.weight': torch.ones(2)}, tmp_path / 'ddp.safetensors')
    assert list(read_weights(tmp_path / 'ddp.safetensors')) == ['weight']


def test_a_child_named_module_keeps_its_name(tmp_path):
    module = nn.ModuleDict({'module': nn.Linear(2, 2), 'head': nn.Linear(2, 2)})
    save_weights(module.state_dict(), tmp_path / 'child.pth', {})
    load_weights(module, tmp_path / 'child.pth')


def test_a_file_holds_nothing_beyond_its_weights(tmp_path):
    save_weights({'weight': torch.randn(1000, 100)[:1]}, tmp_path / 'view.pth', {})
    stored = torch.load(tmp_path / 'view.pth', weights_only=True)['state_dict']['weight']
    assert stored.untyped_storage().nbytes() == 100 * 4


def test_meta_is_plain(tmp_path):
    save_weights({'w': torch.ones(1)}, tmp_path / 'a.pth',
                 {'name': np.str_('a'), 'x': (1, np.int64(2), np.eye(1))})
    meta = torch.load(tmp_path / 'a.pth', weights_only=True)['meta']
    assert meta == {'name': 'a', 'x': [1, 2, [[1.0]]]} and type(meta['name']) is str
    with pytest.raises(CheckpointError, match='meta holds'):
        save_weights({'w': torch.ones(1)}, tmp_path / 'b.pth', {'x': object()})
    assert not (tmp_path / 'b.pth').exists()


@pytest.mark.parametrize('state, message', [
    ({'ffn.lora_A': torch.ones(1)}, 'not merged'),
    ({'lora_B': torch.ones(1)}, 'not merged'),
    ({'weight': torch.tensor([1.0, float('nan')])}, 'NaN or Inf'),
])
def test_bad_weights_are_never_written(tmp_path, state, message):
    with pytest.raises(CheckpointError, match=message):
        save_weights(state, tmp_path / 'out.pth', {})
    assert not list(tmp_path.iterdir())


def test_adapter_round_trip(tmp_path):
    state = {'ffn.lora_A': torch.randn(2, 4), 'ffn.lora_B': torch.randn(4, 2)}
    save_adapter(state, tmp_path / 'adapter.safetensors', {'task': '1'})
    found, metadata = load_adapter(tmp_path / 'adapter.safetensors')
    assert metadata == {'task': '1'}
    assert all(torch.equal(found[key], state[key]) for key in state)


def test_any_flipped_bit_of_an_adapter_is_found(tmp_path):
    path = tmp_path / 'adapter.safetensors'
    save_adapter({'ffn.lora_A': torch.ones(1, 2), 'ffn.lora_B': torch.ones(2, 1)}, path,
                 {'task': '1', 'scaling': '2.0'})
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match='adapter.safetensors') as error:
            load_adapter(path)
        assert '\n' not in str(error.value)


def test_adapters_of_other_versions(tmp_path, monkeypatch):
    path, state = tmp_path / 'adapter.safetensors', {'ffn.lora_A': torch.ones(1, 2)}
    save_file(state, path, {'task': '1'})
    with pytest.raises(CheckpointError, match='is no adapter of this package'):
        load_adapter(path)
    monkeypatch.setattr(adapter, 'ADAPTER_FORMAT', '3')
    save_adapter(state, path, {'task': '1'})
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match='has format version 3, this package reads 2'):
        load_adapter(path)


@pytest.mark.parametrize('half', [False, True])
def test_what_has_two_names_is_written_once(tmp_path, half):
    """As the convolutions that the levels of an RTMDet's head share."""
    weight = torch.randn(100, 100)
    save_weights(dict(one=weight, other=weight), tmp_path / 'tied.pth', {}, half)
    save_weights(dict(one=weight), tmp_path / 'single.pth', {}, half)
    sizes = [(tmp_path / f'{name}.pth').stat().st_size for name in ('tied', 'single')]
    assert sizes[0] - sizes[1] < 1000
    found = read_weights(tmp_path / 'tied.pth')
    for value in found.values():
        assert torch.equal(value, weight.half() if half else weight)
