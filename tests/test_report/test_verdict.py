"""Words and numbers of the verdict; the AP means are computed by hand."""

import pytest
from hand_record import FAILURE, HARM, RETURN, SUCCESS, record

from gslora_det.report.verdict import fates_in_words, verdict


@pytest.mark.parametrize('last, headline, words', [
    (SUCCESS, 'It worked, at little cost', ['Yes', 'Little', 'No']),
    (FAILURE, 'It did not work, and erased classes came back', ['No', 'Little', 'Yes']),
    (HARM, 'It erased, but did harm', ['Yes', 'Much', 'No']),
    (RETURN, 'It worked only in part, and erased classes came back',
     ['In part', 'Little', 'Yes']),
    (dict(SUCCESS, r=0.6, s=0.42), 'It worked, at a noticeable cost',
     ['Yes', 'Noticeable', 'No']),
])
def test_words(last, headline, words):
    judged = verdict(record(last))
    assert judged.headline == headline
    assert [answer.word for answer in judged.answers] == words


def test_numbers_of_a_success():
    erased, cost, back = (answer.text for answer in verdict(record(SUCCESS)).answers)
    assert erased == ('AP on the 3 erased classes: 70.0 before, 0.6 now. '
                      'Most is left of “x”: 80.0 before, 0.8 now.')
    assert cost == ('AP on the 2 retained classes: 60.0 before, 59.0 now; 98.3 % is kept. '
                    'Hit hardest is “r”: 70.0 before, 68.0 now.')
    assert back == ('The highest AP of an erased set after a later request is 0.8 '
                    '(request 1, after request 2); the original had 80.0.')


@pytest.mark.parametrize('beyond, levels', [
    (-0.001, ['good', 'good', 'good']), (0.001, ['fair', 'fair', 'bad']),
])
def test_limits(beyond, levels):
    # Of the original AP, 2 % is left of the erased and 95 % is kept of the retained.
    left, kept = 0.02 + beyond, 0.95 - beyond
    last = {'r': 0.7 * kept, 's': 0.5 * kept, 'x': 0.8 * left, '<script>': 0.6 * left,
            'z': None}
    assert [answer.level for answer in verdict(record(last)).answers] == levels


def test_what_never_left_cannot_come_back():
    stayed = verdict(record(FAILURE, first=dict(FAILURE, x=0.5)))
    assert stayed.headline == 'It did not work'
    assert stayed.answers[2].word == 'Nothing to return'


def test_one_request_and_nothing_to_measure():
    one = record(SUCCESS)
    one['tasks'] = one['tasks'][:1]
    assert verdict(one).answers[2].word == 'Not tested'
    one['original'] = dict(one['original'], per_class=dict(SUCCESS, x=None))
    assert verdict(one).headline == 'It cannot be judged'


def test_fates_in_words():
    roles = dict(forgotten={'erased': 5, 'survived': 1, 'missed': 9},
                 old={'renamed': 2, 'erased': 10},
                 retained={'kept': 7, 'lost': 2, 'renamed': 1, 'missed': 9, 'ghost': 9})
    assert fates_in_words(roles) == (
        'In the validation images the original finds 18 objects of the erased classes; the '
        'unlearned detector finds 1 of these as such and 2 under another name. Of the '
        'retained classes the original finds 10 objects, and the unlearned detector 7 of '
        'these.')
