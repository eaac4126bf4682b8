"""Contrast of the page's colours by the formula of WCAG 2.2, level AA."""

import re

import pytest
from support import ROOT

from gslora_det.reporting.figures import _COLOURS
from gslora_det.visualization import fate_marks

FOLDER = ROOT / 'gslora_det/reporting/template'
LIGHT, DARK = (dict(re.findall(r'--([\w-]+): (#\w+);', part))
               for part in (FOLDER / 'style.css').read_text('utf-8').split('@media screen')[:2])


def channels(colour):
    digits = colour[1:] if len(colour) == 7 else ''.join(2 * digit for digit in colour[1:])
    return [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula():
    assert contrast([0, 0, 0], [1, 1, 1]) == pytest.approx(21)
    assert contrast(channels('#777'), channels('#fff')) == pytest.approx(4.48, abs=.005)


@pytest.mark.parametrize('theme', [LIGHT, DARK])
def test_text_stands_out(theme):
    assert LIGHT.keys() == DARK.keys()
    for name in ('ink', 'dim', 'link', 'good', 'fair', 'bad', 'unknown', 'retained', 'forgotten',
                 'old'):
        for ground in ('paper', 'card'):
            assert contrast(*(channels(theme[x]) for x in (name, ground))) >= 4.5, (name, ground)
    # Cells of the matrix: at most 40 % of the colour of what is forgotten lie over the paper.
    assert 'calc(var(--ap, 0%) * .4)' in (FOLDER / 'style.css').read_text('utf-8')
    over, under = (channels(theme[name]) for name in ('forgotten', 'paper'))
    mixed = [.4 * a + .6 * b for a, b in zip(over, under)]
    assert contrast(channels(theme['ink']), mixed) >= 4.5


@pytest.mark.parametrize('theme', [LIGHT, DARK])
def test_lines_of_plots_stand_out(theme):
    names = {shown[6:-1] for shown in _COLOURS.values() if shown.startswith('var')}
    for name in names - {'paper', 'grid'}:  # the grid only helps
        assert contrast(channels(theme[name]), channels(theme['paper'])) >= 3, name


def test_the_legend_has_the_colours_of_the_pictures():
    css = (FOLDER / 'pictures.css').read_text('utf-8')
    for swatch, style in (('.kept', fate_marks.RETAINED), ('.target', fate_marks.TARGET),
                          ('.erased', fate_marks.ERASED), ('.swatch.ghost', fate_marks.UNWANTED)):
        rule = css[css.index(f'{swatch} {{'):].split('}')[0]
        assert style.line.lower() in rule and ('dashed' in rule) == style.dashed
    assert f'outline: 1px solid {fate_marks.LOST.casing.lower()}' in css
