"""Who asked for an erasure, under which number, and who carried it out: free text, optional."""

from collections.abc import Mapping
from typing import Any

FILING = ('requester', 'request_id', 'operator')  # settings of ``sequence``


def filing_of(settings: Mapping[str, Any]) -> dict[str, str | None]:
    """The texts among the settings of a sequence, None where there is none."""
    return {key: settings.get(key) for key in FILING}


def filled_in(record: Mapping[str, Any], given: Mapping[str, Any],
              where: object) -> dict[str, str | None]:
    """What a record says, and what is given now where it says nothing.

    Args:
        record (dict): The content of ``sequence.json``.
        given (dict): By name a text, or None.
        where (Path): The run, for the message.

    Raises:
        ValueError: What is given contradicts the record; one line says so.
    """
    known = record['filing']
    for key, text in filing_of(given).items():
        if text is not None and known[key] not in (None, text):
            raise ValueError(f'{key} is {text!r}, but {where} was begun with {known[key]!r}: '
                             'leave it out')
    return {key: text if known[key] is None else known[key]
            for key, text in filing_of(given).items()}
