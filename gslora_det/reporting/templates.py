"""The Jinja templates of the report."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gslora_det.reporting.captions import alt_before, alt_now, by_fate
from gslora_det.words import percent, plural, share


def css_text(text: str) -> str:
    """A text for a quoted string in a style sheet; what is no letter or digit is escaped."""
    return ''.join(each if each.isascii() and each.isalnum() else f'\\{ord(each):x} '
                   for each in text)


def environment() -> Environment:
    """The environment of all templates; names in them are escaped."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / 'template'), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters.update(alt_before=alt_before, alt_now=alt_now, by_fate=by_fate,
                         css_text=css_text, percent=percent, plural=plural, share=share)
    return found
