"""Images of a few shots, against the annotation file."""

import pytest

from gslora_det.attacks import FewShot, PrototypeHead


@pytest.mark.parametrize('kind, looks, settings', [
    (FewShot, 'train', dict(shots=(1, 4))), (PrototypeHead, '_look', dict(images=(1, 4)))])
def test_others_show_no_erased_object(material, hidden, shown, monkeypatch, kind, looks,
                                      settings):
    chosen = []

    def look(_, *given):
        chosen.append(next(each for each in given if isinstance(each, list)))
        return [{}] if looks == 'train' else []

    monkeypatch.setattr(kind, looks, look)
    monkeypatch.setattr(material, 'measure', lambda *_: {})
    assert kind(material).run(hidden, **settings) == [dict(x=1), dict(x=4)]
    erased = {material.classes[label] for label in hidden.classes}
    for number, indices in zip((1, 4), chosen):
        seen = [shown[material.train.get_data_info(i)['img_id']] & erased for i in indices]
        counts = {name: sum(name in names for names in seen) for name in erased}
        showing = sum(map(bool, seen))
        assert min(counts.values()) >= number and showing <= 4 * number
        assert len({*indices}) == len(indices) == 2 * showing


def test_so_many_epochs_that_as_many_images_are_seen(material, hidden, monkeypatch):
    trained = []
    monkeypatch.setattr(FewShot, 'train', lambda _, target, indices, lr, epochs: trained.append(
        (len(indices), *epochs)) or [{}])
    FewShot(material).run(hidden, shots=(1, 4))
    for images, epochs in trained:  # 40 batches of 16, but for the rest of an epoch
        assert 640 - images < images * epochs <= 640
    assert trained[0][1] > trained[1][1] > 1
