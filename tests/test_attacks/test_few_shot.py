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
        showing = [i for i in indices
                   if shown[material.train.get_data_info(i)['img_id']] & erased]
        assert showing == material.shots(hidden.classes, number)
        assert len(indices) == 2 * len(showing)
