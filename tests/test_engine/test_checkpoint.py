import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import save_file
from torch import nn

import gslora_det  # noqa: F401
from gslora_det.engine.checkpoint import (
    CheckpointError,
    install_safe_loader,
    load_adapter,
    load_weights,
    read_checkpoint,
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


def test_mmengine_checkpoints_are_read(tmp_path):
    buffer = HistoryBuffer([1.0, 2.0], [1, 1])
    path = tmp_path / 'resume.pth'
    torch.save(dict(state_dict=dict(weight=torch.ones(2)), message_hub=dict(
        log_scalars=dict(loss=buffer), runtime_info=dict(value=np.float64(3.0)))), path)
    found = read_checkpoint(path)
    assert found['message_hub']['log_scalars']['loss'].mean() == 1.5
    assert found['message_hub']['runtime_info']['value'] == 3.0


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


def test_keys_that_are_made_later_may_be_missing():
    module = nn.Linear(2, 2)
    module.lora_A = nn.Parameter(torch.ones(1, 2))
    weights = {'weight': torch.zeros(2, 2), 'bias': torch.zeros(2)}
    load_weights(module, weights, created=['lora_A'])
    assert module.weight.sum() == 0
    with pytest.raises(CheckpointError, match='missing: lora_A'):
        load_weights(module, weights)


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


@pytest.mark.parametrize('state, message', [
    ({'ffn.lora_A': torch.ones(1)}, 'not merged'),
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
