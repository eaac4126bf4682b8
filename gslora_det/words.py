"""How numbers are written for people."""


def percent(fraction) -> str:
    """A fraction in percent with one decimal and no sign; ``—`` for None."""
    return '—' if fraction is None else f'{100 * fraction:.1f}'


def share(fraction, digits: int = 1) -> str:
    """A fraction as ``'1.4 %'``, with a space that does not break; ``—`` for None."""
    return '—' if fraction is None else f'{100 * fraction:.{digits}f}\N{NO-BREAK SPACE}%'


def plural(count: int, noun: str) -> str:
    """``'1 class'``, ``'2 classes'``; the noun is given in the singular."""
    return f'{count:,} {noun}' + ('' if count == 1 else 'es' if noun[-1] == 's' else 's')
