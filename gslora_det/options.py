"""Checks of option names and values; everything wrong is said at once."""

import difflib
import math
import traceback
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """What a value must be, in words and as a test."""
    words: str
    holds: Callable[[Any], bool]


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


POSITIVE = Rule('a number above 0', lambda v: _number(v) and v > 0)
NOT_NEGATIVE = Rule('a number from 0 on', lambda v: _number(v) and v >= 0)
# More than a million of anything that is counted here is a slip.
COUNT = Rule('a whole number from 1 to 1,000,000', lambda v: is_whole(v) and 1 <= v <= 1_000_000)
COUNT_OR_ZERO = Rule('a whole number from 0 to 1,000,000',
                     lambda v: is_whole(v) and 0 <= v <= 1_000_000)
SEED = Rule('a whole number from 0 to 4,294,967,295', lambda v: is_whole(v) and 0 <= v < 2**32)
SHARE = Rule('a number in (0, 1]', lambda v: _number(v) and 0 < v <= 1)
SCORE = Rule('a number from 0 to below 1', lambda v: _number(v) and 0 <= v < 1)
LIST = Rule('a list', lambda v: isinstance(v, (list, tuple)))
STRINGS = Rule('a list of strings',
               lambda v: LIST.holds(v) and all(isinstance(each, str) for each in v))
TEXT = Rule('text, in quotes', lambda v: isinstance(v, str) and bool(v.strip()))
FLAG = Rule('True or False', lambda v: isinstance(v, bool))


def one_of(*values: str) -> Rule:
    """The rule of an option with a few values."""
    return Rule('one of ' + ', '.join(values), lambda v: v in values)


def problem(name: str, value: Any, rule: Rule) -> list[str]:
    """What is wrong with a value: one message, or none."""
    return [] if rule.holds(value) else [f'{name} is {value!r}: set {rule.words}']


def unknown(name: str, known: Iterable[str], what: str) -> str:
    """Says that there is no such name, and what there is.

    Args:
        name (str): What was given.
        known (list[str]): All names.
        what (str): Such as ``"sequence has no setting"``.
    """
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else 'there are ' + ', '.join(known)
    return f"{what} '{name}': {hint}"


def each(rule: Rule) -> Rule:
    """The rule of an option that is one value, or a list with one a task."""
    return Rule(f'{rule.words}, or a list of such, one a task', lambda v: (
        bool(v) and all(map(rule.holds, v)) if LIST.holds(v) else rule.holds(v)))


def check_flags(**flags: tuple[Any, Rule]) -> None:
    """Checks flags of a tool, each a value and its rule; ``score_thr`` is ``--score-thr``.

    Raises:
        ValueError: At least one is out of range; one line lists all.
    """
    found = [text for name, (value, rule) in flags.items()
             for text in problem('--' + name.replace('_', '-'), value, rule)]
    if found:
        raise ValueError('; '.join(found))


def in_one_line(error: BaseException) -> str:
    """What a library's error says, without line breaks; its kind where that is too little."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    if ' ' not in text.strip():  # a bare assertion, or the key that was not there
        where = traceback.extract_tb(error.__traceback__)
        text = f'{type(error).__name__}: {text or where and where[-1].line}'
    elif not isinstance(error, (ValueError, KeyError, TypeError, ImportError)):
        text = f'{type(error).__name__}: {text}'
    return ' '.join(text.split())


class OptionError(ValueError):
    """Options are out of range.

    Args:
        message (str): One line about all of them.
        options (list[str]): Their names.
    """

    def __init__(self, message: str, options: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.options = tuple(options)


def require(owner: str, **options: tuple[Any, Rule]) -> None:
    """Checks options where they are declared, each a value and its rule.

    Raises:
        OptionError: At least one is out of range; one line lists all.
    """
    found = {name: text for name, (value, rule) in options.items()
             for text in problem(name, value, rule)}
    if found:
        raise OptionError(f'{owner}: ' + '; '.join(found.values()), found)
