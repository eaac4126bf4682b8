"""An answer of the report's first screen, and the conventions by which it is given."""

from typing import NamedTuple

# Conventions of this report, stated in it; all are shares of what the original model has
# on the same classes; where that is below LEAST_AP, nothing is judged.
GONE, PARTLY_GONE = 0.02, 0.20  # at most this is left of the forgotten classes
SMALL_COST, FAIR_COST = 0.95, 0.85  # at least this is kept of the retained classes
NAMED = 3  # at most so many classes or attacks are named


class Answer(NamedTuple):
    """One question with its answer.

    Attributes:
        question: What a reader asks.
        level: ``'good'``, ``'fair'``, ``'bad'`` or ``'unknown'``; of an unfinished sequence
            never ``'good'``.
        word: The answer in one or a few words.
        text: The numbers behind it, in sentences.
        rule: What decides the word.
        finding: What "What is shown" says of it, in a sentence; empty if nothing.
        doubt: What "What is not shown" says of it.
    """

    question: str
    level: str
    word: str
    text: str
    rule: str
    finding: str = ''
    doubt: str = ''
