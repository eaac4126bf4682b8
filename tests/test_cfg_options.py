import argparse
import math

import pytest

from gslora_det_cli.cfg_options import CfgOptions, parse_value


@pytest.mark.parametrize('text, value', [
    ("[['7']]", [['7']]), ('[[7]]', [[7]]), ("[['Latin M']]", [['Latin M']]),
    ('[[Latin M]]', [['Latin M']]), ("['traffic light', 'stop sign']",
                                     ['traffic light', 'stop sign']),
    ('["O\'Brien", \'a, b]\']', ["O'Brien", 'a, b]']), ("[O'Brien]", ["O'Brien"]),
    (r"['a\'b']", ["a'b"]), ("[' x ']", [' x ']), ('[ x ]', ['x']),
    ('[sign (new)]', ['sign (new)']), ("['true', 'None', 'nan', '1e3']",
                                      ['true', 'None', 'nan', '1e3']),
    (r"'C:\users\new\x.pth'", r'C:\users\new\x.pth'), (r"['C:\\a\\', '\N']", ['C:\\a\\', r'\N']),
    ('"a\nb"', 'a\nb'), (r'"\""', '"'),
    ('[７, köpfe, 猫]', ['７', 'köpfe', '猫']), ('007', '007'), ("'7'", '7'),
    ('/my data/a b.pth', '/my data/a b.pth'), ('a=b', 'a=b'), ('', ''),
    # As MMEngine has them:
    ('1', 1), ('-3', -3), ('1e-3', 0.001), ('.5', 0.5), ('true', True), ('False', False),
    ('None', None), ('abc', 'abc'), ('1,2', [1, 2]), ('a, b', ['a', 'b']), ('(1,2)', (1, 2)),
    ('[(1, 2, 3), [a, b], c]', [(1, 2, 3), ['a', 'b'], 'c']), ('[]', []), ('x,', ['x']),
    ('[1,2],[3]', [[1, 2], [3]]), ('inf', math.inf)])
def test_a_value_is_what_was_written(text, value):
    found = parse_value(text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize('text, message', [
    ('[1', 'brackets do not match'), ('(1]', 'brackets do not match'),
    ("['a", 'do not match'), ("['4' '5']", 'the quotes of .* do not match'),
     ("'a' b", 'quotes'), ('dict(type=B)', 'dicts cannot be given'),
    ('[dict(type=B)]', 'dicts cannot be given'), ('{}', 'dicts cannot be given')])
def test_what_cannot_be_read_is_said(text, message):
    with pytest.raises(ValueError, match=message):
        parse_value(text)


def test_options_are_collected_by_key():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions)
    found = parser.parse_args(['--cfg-options', 'a.b=1', "c=[['x y']]", '--cfg-options', 'd=e=f'])
    assert found.cfg_options == {'a.b': 1, 'c': [['x y']], 'd': 'e=f'}
    for wrong in ('a', '=1', 'a=[1'):
        with pytest.raises(ValueError, match='^--cfg-options'):
            parser.parse_args(['--cfg-options', wrong])
