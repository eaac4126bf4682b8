"""Ctrl-C and SIGTERM end a run with one line; nothing of it stays alive."""

import os
import signal
import time

import pytest
from support import running_tool


@pytest.mark.parametrize('kind, code, whole_group', [
    (signal.SIGTERM, 143, False), (signal.SIGINT, 130, True)])
def test_a_signal_ends_training_with_one_line(glyph80, tmp_path, kind, code, whole_group):
    command = [
        'tools/train.py', 'configs/glyph80/ddetr_forget_80-1.py',
        '--work-dir', tmp_path / 'run', '--cfg-options', 'sequence.iters=1000',
        'sequence.retain.batch_size=2', 'sequence.forget.batch_size=2',
        'train_dataloader.num_workers=1', 'train_dataloader.persistent_workers=True',
        f'val_evaluator.ann_file={glyph80}/annotations/val.json',
        *(f'{split}_dataloader.dataset.data_root={glyph80}'
          for split in ('train', 'val', 'test'))]
    with running_tool(*command) as (process, out, errors):
        while 'trainable' not in out.read():
            assert process.is_alive()
            time.sleep(0.1)
        time.sleep(2)  # into the steps, where the worker runs
        # Ctrl-C reaches all processes of a terminal; a scheduler signals the first alone.
        (os.killpg if whole_group else os.kill)(process.pid, kind)
        process.join(timeout=600)
        assert process.exitcode == code
        assert errors.read().strip() == 'stopped: the same command with --resume continues'
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
