import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from gslora_det.engine.checkpoint import CheckpointError
from gslora_det.engine.plain import train_plain


@pytest.mark.parametrize('out_dir', [None, 'elsewhere'])
def test_resuming_goes_on_from_the_run_and_not_from_where_it_started(
        tmp_path, monkeypatch, out_dir):
    started = []

    class Started:

        def __init__(self, cfg):
            self.cfg = cfg

        def train(self):
            started.append((self.cfg.resume, self.cfg.load_from))

    monkeypatch.setattr(Runner, 'from_cfg', Started)

    def train(resume):
        cfg = Config(dict(load_from='first_stage.pth', work_dir=str(tmp_path / 'run')))
        if out_dir:
            cfg.default_hooks = dict(checkpoint=dict(out_dir=str(tmp_path / out_dir)))
        train_plain(cfg, resume)
        return started.pop()

    assert train(None) == train('auto') == (False, 'first_stage.pth')
    newest = tmp_path / (out_dir or '') / 'run/epoch_1.pth'
    newest.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(meta={}, message_hub={}, optimizer={}), newest)
    assert train('auto') == (True, str(newest))
    assert train(str(newest)) == (True, str(newest))
    torch.save(dict(state_dict={}, meta={}), tmp_path / 'weights.pth')
    with pytest.raises(CheckpointError, match='weights.pth is no checkpoint of a run'):
        train(str(tmp_path / 'weights.pth'))
