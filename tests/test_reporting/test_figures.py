"""What the plots of classes say, read from their SVG."""

import re
from xml.etree import ElementTree

import pytest
from hand_record import SUCCESS
from hand_record import record as hand_record

from gslora_det.reporting.figures import COLUMN, classes_svgs, comparison_svg


def names_in(svg):
    found = [text.strip().replace('\N{NO-BREAK SPACE}', ' ')
             for text in re.findall(r'<text[^>]*>([^<]*)</text>', svg)]
    return [text for text in found if text[0].isalpha()
            and text not in ('before', 'now', 'limit', 'AP in percent')]


def record(**classes):
    first, last = ({name: ap[i] for name, ap in classes.items()} for i in (0, 1))
    return dict(original=dict(per_class=first), tasks=[dict(per_class=last)])


APS = dict(p=(0.8, 0.02), q=(0.4, 0.02), r=(0.5, 0.49), s=(0.5, 0.008), t=(None, None))


@pytest.mark.parametrize('role, names', [
    # 2.5 % and 5 % of the original are above 2 %; 98 % is above 95 %.
    ('forgotten', ['r: 98.0 %', 'q: 5.0 %', 'p: 2.5 %', 's']),
    ('retained', ['s: 1.6 %', 'p: 2.5 %', 'q: 5.0 %', 'r']),
])
def test_the_worst_come_first_and_those_beyond_the_limit_have_a_number(role, names):
    plot, = classes_svgs(record(**APS), [*APS], role)
    assert names_in(plot) == names


def test_many_classes_are_drawn_in_two_halves_and_none_in_no_plot():
    many = {f'c{i}': (0.5, 0.0) for i in range(COLUMN + 2)}
    halves = classes_svgs(record(**many), [*many], 'forgotten')
    assert [len(names_in(plot)) for plot in halves] == [14, 13]
    assert classes_svgs(record(**APS), ['t'], 'forgotten') == []


def test_a_class_that_the_original_hardly_finds_is_not_drawn():
    plot, = classes_svgs(record(p=(0.5, 0.4), q=(0.009, 0.9)), ['p', 'q'], 'retained')
    assert names_in(plot) == ['p: 80.0 %']


@pytest.mark.parametrize('name', [
    '<img src=x onerror=1>', '</text></svg><script>', '"&amp;"', ']]> -->', '$a$ $\\bad{'])
def test_names_are_text_in_the_svg(name):
    plots = classes_svgs(record(**{name: (0.5, 0.5)}), [name], 'retained')
    for plot in [*plots, comparison_svg([hand_record(SUCCESS)] * 2, [name, 'b'])]:
        # Well-formed, with no element or attribute made of the name.
        svg = ElementTree.fromstring(plot.replace('xlink:href', 'href'))
        assert name in [text.text.strip() for text in svg.iter('text')]
        assert {element.tag for element in svg.iter()} <= {
            'svg', 'g', 'defs', 'style', 'path', 'use', 'text', 'clipPath', 'rect', 'metadata'}
