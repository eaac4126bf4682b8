"""The numbers of the slider and of the table, counted by hand."""

import re

from hand_record import ORIGINAL, ROLES, SCORES

from gslora_det.reporting import over_thresholds, render_thresholds


def test_every_step_has_its_numbers():
    found = over_thresholds(SCORES, [*ORIGINAL], ROLES, 0.33)
    assert found.steps[:3] == ['0.05', '0.1', '0.15'] and found.steps[-1] == '0.95'
    assert found.steps[found.start] == '0.33' and len(found.steps) == 20
    at = {step: i for i, step in enumerate(found.steps)}

    def role(name, step):
        return [texts[at[step]] for texts in found.roles[name]]

    # `x` and `<script>` have three objects; one `x` is still found with 0.1, which is not above.
    assert role('forgotten', '0.05') == ['3', '1', '2']
    assert role('forgotten', '0.1') == ['3', '0', '3']
    assert role('forgotten', '0.75') == ['2', '0', '2']
    assert role('retained', '0.5') == ['5', '2', '3']
    assert role('retained', '0.85') == ['2', '0', '2']

    def row(name, step):
        texts, = (cells for title, _, cells in found.classes if title == name)
        return [cell[at[step]] for cell in texts]

    assert [(name, number) for name, number, _ in found.classes] == [('r', 3), ('s', 2)]
    # precision and found: of the original, now; the threshold proposed, and found above it
    assert row('r', '0.33') == ['75.0', '3', '100.0', '3', '0.20', '3']
    assert row('r', '0.65') == ['100.0', '3', '—', '0', '0.30', '3']
    assert row('s', '0.33') == ['100.0', '2', '100.0', '2', '0.01', '2']
    assert row('s', '0.95') == ['—', '0', '—', '0', '—', '—']


def test_what_none_reaches_is_said():
    def clumsy(each):
        return each._replace(wrong=(each.wrong[0], each.found[:, 1].clip(0) + .1))

    found = over_thresholds([*map(clumsy, SCORES)], [*ORIGINAL], ROLES, 0.3)
    name, _, cells = found.classes[0]
    assert name == 'r' and [texts[found.start] for texts in cells][4:] == ['none reaches it', '—']


def test_for_a_notebook_it_stands_alone():
    page = render_thresholds(over_thresholds(SCORES, ['<b>', *'sxyz'], ROLES, 0.3))
    assert '&lt;b&gt;' in page and '<b>' not in page and 'http' not in page
    assert page.count('<script>') == 1 and '<svg role="img"' in page
    label = re.search('aria-label="(Objects found still[^"]*)"', page)[1]
    assert 'retained 5 of 5 above 0.1, 5 of 5 above 0.3, 2 of 5 above 0.5' in label
