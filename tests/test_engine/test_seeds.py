"""What a run draws follows ``randomness.seed``, also in methods that do not train."""

import pytest
import torch

from gslora_det.engine.hooks.export_hook import ExportHook
from gslora_det.engine.sequence import UnlearningSequence
from gslora_det.weights import read_weights


def test_random_drop_follows_the_seed_also_after_a_stop(config, tmp_path, monkeypatch):
    def sequence(name, seed, resume=False):
        options = {'randomness.seed': seed, 'sequence.num_tasks': 1, 'sequence.pictures': 0}
        if name != 'first':  # measured once
            options['sequence.original'] = str(tmp_path / 'first/sequence.json')
        cfg = config(tmp_path / name, **options)
        cfg.method = dict(type='RandomDrop')
        return UnlearningSequence(cfg, resume)

    def weights(name):
        return read_weights(tmp_path / name / 'task_1/merged.pth')['encoder.layers.0.ffn'
                                                                   '.layers.1.weight']

    sequence('first', 5).run()
    sequence('other', 6).run()

    def stop(*args):
        raise InterruptedError

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(ExportHook, 'after_train', stop)
        sequence('stopped', 5).run()
    torch.manual_seed(1)
    sequence('stopped', 5, resume=True).run()
    assert (weights('first') == 0).any()
    assert torch.equal(weights('first'), weights('stopped'))
    assert not torch.equal(weights('first'), weights('other'))
