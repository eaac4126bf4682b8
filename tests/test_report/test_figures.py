"""What the plots of classes say, read from their SVG."""

import re

import pytest

from gslora_det.report.figures import COLUMN, classes_svgs


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
