"""The original's class layers on another body."""

from gslora_det.attacks.original_head import OriginalHead


def test_the_head_mask_becomes_the_original(material, hidden, known):
    curve = OriginalHead(material).run(hidden)
    assert [point['x'] for point in curve] == [1, 2, 3]
    assert curve[-1] == {'x': 3, **known}


def test_nothing_is_found_behind_another_decoder(material, gone):
    assert all(point['AP_forgotten'] < 1 for point in OriginalHead(material).run(gone))
