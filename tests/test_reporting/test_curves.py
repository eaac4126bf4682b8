"""The picture of a sequence: written, of a sensible size, showing what it should."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from gslora_det.reporting import draw_curves
from gslora_det.reporting.curves import _spread, draw_ap


def record(num_tasks, groups=True):
    tasks = []
    for t in range(num_tasks):
        tasks.append({
            'task': t + 1,
            'forgotten': ['a'],
            'metrics': {
                'AP_retained': 0.7 - 0.01 * t,
                'AP_forgotten': 0.01 * (t % 2),
                'AP_old': 0.004 * t if t else None,
            },
            'original': {'AP_retained': 0.73, 'AP_forgotten': 0.6, 'AP_old': None},
            'groups': {
                f'{part}.layers.{i}': 0.0 if (i + t) % 4 == 0 else 0.3 * i + 0.1 * t
                for part in ('encoder', 'decoder') for i in range(6)
            } if groups else {},
        })
    return {'name': 'ddetr_forget_80-10x7', 'method': 'GSLoRA', 'tasks': tasks}


def picture(path):
    return np.asarray(Image.open(path).convert('RGB')).astype(int)


def has_colour(pixels, colour):
    return bool((pixels == colour).all(-1).any())


@pytest.mark.parametrize('num_tasks', [1, 2, 7])
def test_picture_shows_the_curves(tmp_path, num_tasks):
    draw_curves(record(num_tasks), tmp_path / 'curves.png')
    pixels = picture(tmp_path / 'curves.png')
    assert pixels.shape == (600, 1560, 3)
    assert has_colour(pixels, (0x00, 0x72, 0xB2))
    assert has_colour(pixels, (0xD5, 0x5E, 0x00))
    # Nothing was erased earlier in the first task.
    assert has_colour(pixels, (0xB0, 0x50, 0x8A)) == (num_tasks > 1)


def test_each_task_has_its_own_height():
    axes = Figure().subplots()
    draw_ap(axes, record(3)['tasks'])
    heights = {line.get_marker(): line.get_ydata() for line in axes.lines if line.get_marker()}
    np.testing.assert_allclose(heights['o'], [70, 69, 68])
    np.testing.assert_allclose(heights['s'], [0, 1, 0])
    np.testing.assert_allclose(heights['^'], [np.nan, 0.4, 0.8])


def test_exact_zeros_are_white_and_the_smallest_norm_is_not(tmp_path):
    shares = []
    for norm in (0.0, 1e-9):
        one = record(1)
        one['tasks'][0]['groups'] = {'a': 1.0, 'b': norm}
        draw_curves(one, tmp_path / 'curves.png')
        shares.append((picture(tmp_path / 'curves.png') == 255).all(-1).mean())
    assert shares[0] - shares[1] > 0.05


def test_method_without_groups_and_nothing_measured(tmp_path):
    bare = record(2, groups=False)
    for task in bare['tasks']:
        task['metrics'] = dict.fromkeys(task['metrics'])
        task['original'] = dict.fromkeys(task['original'])
    draw_curves(bare, tmp_path / 'curves.png')
    assert picture(tmp_path / 'curves.png').shape == (600, 960, 3)


def test_all_groups_zero(tmp_path):
    zero = record(2)
    for task in zero['tasks']:
        task['groups'] = dict.fromkeys(task['groups'], 0.0)
    draw_curves(zero, tmp_path / 'curves.png')
    assert (tmp_path / 'curves.png').stat().st_size > 0


def test_no_task_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(ValueError, match='no finished task'):
        draw_curves(record(0), tmp_path / 'curves.png')
    assert not list(tmp_path.iterdir())


def test_labels_are_spread_apart():
    np.testing.assert_allclose(_spread([5.0, 0.0, 1.0, 20.0], 4), [8, 0, 4, 20])
