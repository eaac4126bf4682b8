"""MMDet's ``--cfg-options``, read so that a value stays what was written.

MMEngine's own reader takes quotes and spaces out of values, so that the name ``'7'`` becomes
the number 7 and ``'Latin M'`` the word LatinM.
"""

import argparse
import re
from typing import Any

_OPENING, _CLOSING = '([', ')]'
_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|nan)', re.ASCII | re.I)
# A quote opens at the begin of a value only: O'Brien is a name.
_QUOTED = r'''(["'])(?:\\.|(?!\1).)*\1'''
_TOKEN = re.compile(rf'(?:(?<=[\[(,])|^)\s*{_QUOTED}|[\[\](),]', re.S)
_WORDS = {'true': True, 'false': False}


class CfgOptions(argparse.Action):
    """Collects ``KEY=VALUE`` arguments into a dict, see :func:`parse_value`.

    Raises:
        ValueError: An argument is no such pair, or its value cannot be read.
    """

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        options = dict(getattr(namespace, self.dest, None) or {})
        for text in values:
            key, sign, value = text.partition('=')
            if not sign or not key:
                raise ValueError(f"{option_string}: '{text}' is not KEY=VALUE")
            try:
                options[key] = parse_value(value)
            except ValueError as error:
                raise ValueError(f'{option_string} {key}: {error}') from None
        setattr(namespace, self.dest, options)


def parse_value(text: str) -> Any:
    r"""The value of an option.

    ``[a, b]`` and ``a,b`` are lists and ``(a, b)`` is a tuple, nested as deep as needed. What
    stands in quotes is that text, whatever it is: ``'C:\new'`` is a folder, and a backslash only
    says that a quote or a backslash after it is meant. Of the rest, what reads as a number, True,
    False or None is that; anything else is text, its inner spaces included.

    Raises:
        ValueError: Brackets or quotes do not match, or it is a dict.
    """
    text = text.strip()
    parts = _split(text)
    if len(parts) > 1:
        return [parse_value(part) for part in parts if part.strip()]
    if text[:1] in tuple(_OPENING) and text[-1] == _CLOSING[_OPENING.index(text[0])]:
        inner = [parse_value(part) for part in _split(text[1:-1]) if part.strip()]
        return tuple(inner) if text[0] == '(' else inner
    return _scalar(text)


def _split(text: str) -> list[str]:
    """The parts between commas that are in no brackets and no quotes."""
    parts, open_brackets, start = [], [], 0
    for token in _TOKEN.finditer(text):
        found = token.group().strip()
        if found in _OPENING:
            open_brackets.append(_CLOSING[_OPENING.index(found)])
        elif found in _CLOSING and (not open_brackets or open_brackets.pop() != found):
            open_brackets = [found]
            break
        elif found == ',' and not open_brackets:
            parts.append(text[start:token.start()])
            start = token.end()
    if open_brackets:
        raise ValueError(f'brackets do not match in {text}: names with brackets need quotes')
    return [*parts, text[start:]]


def _scalar(text: str) -> Any:
    if text[:1] in ('"', "'"):
        if not re.fullmatch(_QUOTED, text, re.S):
            raise ValueError(f'the quotes of {text} do not match')
        return re.sub(r'''\\(["'\\])''', r'\1', text[1:-1])
    if re.match(r'(dict\(|\{)', text):
        raise ValueError('dicts cannot be given here; set their parts, as KEY.name=… or, in a '
                         'list, KEY.0.name=… (a name that looks like one needs quotes)')
    if _NUMBER.fullmatch(text):
        # 007 is text: as a number it would not be what was written.
        whole = text.lstrip('+-').isdigit()
        if not whole:
            return float(text)
        if str(int(text)) == text.lstrip('+'):
            return int(text)
    return _WORDS.get(text.lower(), None if text == 'None' else text)
