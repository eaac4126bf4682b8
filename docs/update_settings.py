"""Writes the tables of docs/settings.md from the signatures and docstrings of what they list."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import gslora_det  # noqa: F401  (registers everything)
from gslora_det.attacks.run import attacks_named
from gslora_det.checks.settings import SequenceSettings
from gslora_det.datasets.selection import BUFFER, draw_buffer
from gslora_det.methods import Method
from gslora_det.methods.fine_tuning import FineTuning
from gslora_det.methods.gs_lora import GSLoRA
from gslora_det.registry import METHODS

PAGE = Path(__file__).with_name('settings.md')


def described(thing: Callable) -> tuple[str, dict[str, str]]:
    """What a docstring says: the text before its sections, and its arguments."""
    text, *sections = re.split(r'\n\n(?=\w+:\n)', _markdown(inspect.cleandoc(thing.__doc__ or '')))
    arguments = next((each for each in sections if each.startswith('Args:')), '')
    entries = re.findall(r'^ {4}(\S+?)(?: \(.+?\))?: (.+(?:\n {5,}.+)*)', arguments, re.M)
    return text, {name: ' '.join(words.split()) for name, words in entries}


def _markdown(text: str) -> str:
    """Docstrings have references as ``:class:`gslora_det.X` ``, which becomes `` `X` ``."""
    text = re.sub(r':\w+:`[\w.]*?(\w+)`', r'`\1`', text)
    return text.replace('``', '`')


def defaults(function: Callable) -> dict[str, object]:
    """The arguments of a function that a user may set, and their defaults."""
    return {p.name: p.default for p in inspect.signature(function).parameters.values()
            if p.kind is not p.VAR_KEYWORD and p.name not in ('self', 'target')}


def _shown(value: object) -> str:
    """A default as Markdown; ``—`` for none."""
    if isinstance(value, (list, tuple)):
        value = ', '.join(map(str, value)) or None
    elif isinstance(value, (str, float)):
        value = f"'{value}'" if isinstance(value, str) else f'{value:.4g}'
    return '—' if value in (None, inspect.Parameter.empty) else f'`{value}`'


def rows(thing: Callable, values: dict[str, object]) -> list[list[str]]:
    """Rows of name, default and description.

    Raises:
        ValueError: There is no description.
    """
    text, arguments = described(thing)
    missing = [name for name in values if name not in arguments] + ['what it does'] * (not text)
    if missing:
        raise ValueError(f'the docstring of {thing.__qualname__} lacks {missing[0]}')
    return [[f'`{name}`', _shown(value), arguments[name]] for name, value in values.items()]


def _table(titles: list[str], lines: Iterable[list[str]]) -> str:
    lines = [titles, ['---'] * len(titles), *lines]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def _settings(thing: Callable, values: dict[str, object]) -> str:
    return _table(['setting', 'default', 'what it does'], rows(thing, values))


def sequence_section() -> str:
    """The settings of ``sequence``, and those of its buffers."""
    buffer = {name: value for name, value in defaults(draw_buffer).items() if name in BUFFER}
    return (_settings(SequenceSettings, defaults(SequenceSettings))
            + '\n`forget` and `retain` are dicts of `batch_size`, the images of a step on each '
            'process, and of how many images there are:\n\n'
            + _settings(draw_buffer, buffer))


def method_classes() -> list[type]:
    """All methods and their bases, a base before what builds on it."""
    found = {cls for method in METHODS.module_dict.values() for cls in method.__mro__
             if issubclass(cls, Method) and cls is not Method}
    return sorted(found, key=lambda cls: (len(cls.__mro__), cls.__name__))


def methods_section(base: type, without: tuple[type, ...] = ()) -> str:
    """The methods that build on a class, and on none of others."""
    return '\n'.join('\n'.join(_method(cls)) for cls in method_classes()
                     if issubclass(cls, base) and not issubclass(cls, without))


def _method(cls: type) -> Iterator[str]:
    yield f'### {cls.__name__}\n'
    yield described(cls)[0] + '\n'
    yield _settings(cls, defaults(cls.__init__) if '__init__' in vars(cls) else {})
    if cls.__base__ is not Method:
        yield 'And the settings of ' + re.sub(
            r'See `(\w+)`', lambda base: f'[{base[1]}](#{base[1].lower()})',
            described(cls)[1]['**kwargs']) + '\n'


def attacks_section() -> str:
    """The attacks by name, with the values that they are made with."""
    return _table(['attack', 'what it does', 'made with'], (
        [f'`{kind.name}`', described(kind)[0].split('\n\n')[0].replace('\n', ' '),
         '<br>'.join(_made_with(kind))] for kind in attacks_named(None)))


def _made_with(kind: type) -> Iterator[str]:
    for name, default, words in rows(kind.run, defaults(kind.run)):
        values = (setting.get(name.strip('`')) for setting in kind.settings.values())
        shown = dict.fromkeys(default if value is None else _shown(value) for value in values)
        yield f'{name} {" and ".join(shown)}: {words}'


def updated() -> str:
    """The page with its sections in place."""
    sections = dict(
        sequence=sequence_section(), gslora=methods_section(GSLoRA),
        fine_tuning=methods_section(FineTuning),
        others=methods_section(Method, (GSLoRA, FineTuning)), attacks=attacks_section())
    text = PAGE.read_text('utf-8')
    for name, section in sections.items():
        begin, end = f'<!-- {name}: begin -->\n', f'<!-- {name}: end -->\n'
        head, rest = text.split(begin)
        text = head + begin + section + end + rest.split(end)[1]
    return text


if __name__ == '__main__':
    PAGE.write_text(updated(), 'utf-8')
