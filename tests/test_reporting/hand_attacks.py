"""Attacks by hand, on the record by hand."""

HIDDEN = dict(head_mask=69.0, original=70.0)


def attack(name, task=2, title='', setting='', x_title='epochs', measures='AP_forgotten',
           needs_original=False, **found):
    """Entries whose course rises from zero to what is found at last."""
    return [dict(task=task, attack=name, setting=setting, detector=detector.replace('_', ' '),
                 title=title, x_title=x_title, measures=measures, chance=0.0, finds_hidden=True,
                 needs_original=needs_original,
                 curve=[{'x': 1, measures: 0.0}, {'x': 3, measures: value}])
            for detector, value in found.items()]
