import math

import pytest

from gslora_det.options import (
    COUNT,
    COUNT_OR_ZERO,
    FLAG,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    SHARE,
    STRINGS,
    each,
    one_of,
    require,
    unknown,
)


@pytest.mark.parametrize('rule, good, bad', [
    (POSITIVE, [1e-9, 3], [0, -1, math.nan, math.inf, True, '1', None]),
    (NOT_NEGATIVE, [0, 2.5], [-1e-9, math.nan, math.inf, None]),
    (COUNT, [1, 10**6], [0, 1.0, True, 10**6 + 1]),
    (COUNT_OR_ZERO, [0, 5], [-1, 0.5]),
    (SEED, [0, 2**32 - 1], [-1, 2**32, 1.5]),
    (SHARE, [0.1, 1], [0, 1.1, math.nan]),
    (FLAG, [True, False], [1, 'yes', None]),
    (STRINGS, [[], ['a', 'b'], ('a', )], ['a', None, [1], ['a', None]]),
    (one_of('a', 'b'), ['a'], ['c', None]),
    (each(SHARE), [0.5, [0.1, 1.0]], [[], [0.5, 2], (math.nan, ), '0.5']),
])
def test_rules(rule, good, bad):
    assert all(rule.holds(value) for value in good)
    assert not any(rule.holds(value) for value in bad)


def test_all_problems_are_in_one_line():
    require('Method', rank=(4, COUNT))
    with pytest.raises(ValueError) as error:
        require('Method', rank=(0, COUNT), share=(2, SHARE))
    assert str(error.value) == ('Method: rank is 0: set a whole number from 1 to 1,000,000; '
                                'share is 2: set a number in (0, 1]')


def test_an_unknown_name_gets_the_nearest_or_all():
    names = ['rank', 'alpha']
    assert unknown('rnk', names, 'no option') == "no option 'rnk': did you mean 'rank'?"
    assert unknown('xyz', names, 'no option') == "no option 'xyz': there are alpha, rank"
