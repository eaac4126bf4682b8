"""Between and beyond two sets of weights."""

import pytest
import torch

from gslora_det.attacks.interpolation import Interpolation, interpolated


def test_floating_point_weights_move_in_a_line():
    one = dict(w=torch.tensor([1.0, -2.0]), steps=torch.tensor(3))
    other = dict(w=torch.tensor([5.0, 2.0]), steps=torch.tensor(9))
    for share, expected in ((0.25, [2, -1]), (-0.5, [-1, -4]), (1.5, [7, 4])):
        moved = interpolated(one, other, share)
        torch.testing.assert_close(moved['w'], torch.tensor(expected, dtype=torch.float))
        assert moved['steps'] == 3 and moved['steps'].dtype == torch.int64


@pytest.mark.parametrize('share', [-0.5, 0.1, 0.25, 0.5, 0.75])
def test_what_is_equal_stays_so_to_the_last_bit(original, share):
    assert all(torch.equal(value, original[name])
               for name, value in interpolated(original, original, share).items())


def test_the_ends_are_both_detectors(material, hidden, known):
    detector = material.detector(hidden.weights)
    mine = material.measure(detector, material.prefix(detector), material.erased)
    assert Interpolation(material).run(hidden, shares=(0.0, 1.0)) == [
        dict(x=0.0, **mine), dict(x=1.0, **known)]


def test_hidden_classes_are_found_half_the_way_and_gone_ones_are_not(
        material, hidden, gone, known):
    attack = Interpolation(material)
    assert attack.run(hidden, [0.5])[0]['AP_forgotten'] > 0.9 * known['AP_forgotten']
    assert attack.run(gone, [0.5])[0]['AP_forgotten'] < 0.3 * known['AP_forgotten']
