import random

import pytest

import gslora_det  # noqa: F401
from gslora_det.datasets.selection import candidate_images, draw_buffer, images_by_class

ANNOTATIONS = [dict(category_id=c, image_id=i, iscrowd=crowd) for c, i, crowd in [
    (1, 10, 0), (1, 11, 0), (2, 11, 0), (2, 12, 1), (3, 13, 0), (3, 13, 0)]]
MANY = {category: set(range(category, 200, 3)) for category in (0, 1, 2)}


def test_images_by_class_counts_crowds():
    assert images_by_class(ANNOTATIONS) == {1: {10, 11}, 2: {11, 12}, 3: {13}}


def test_candidates_are_a_sorted_union():
    assert candidate_images(images_by_class(ANNOTATIONS), [2, 1]) == [10, 11, 12]


def test_fraction_is_pythons_sample_over_sorted_ids():
    expected = sorted(random.Random(123).sample(sorted(MANY[0] | MANY[1]), 13))
    assert draw_buffer(MANY, [1, 0], seed=123, fraction=0.1) == expected


def test_a_small_fraction_is_one_image():
    drawn, = draw_buffer(MANY, [0, 1], seed=1, fraction=0.001)  # of 134
    assert drawn in MANY[0] | MANY[1]


def test_the_order_of_the_classes_does_not_matter():
    for options in (dict(shots=4), dict(shots=4, per='total'), dict(fraction=0.1)):
        assert (draw_buffer(MANY, [0, 1], seed=1, **options)
                == draw_buffer(MANY, [1, 0], seed=1, **options))


def test_global_random_state_is_untouched():
    random.seed(5)
    state = random.getstate()
    draw_buffer(MANY, [0], seed=1, fraction=0.5)
    assert random.getstate() == state


def test_shots_per_class_and_in_total():
    per_class = draw_buffer(MANY, [0, 1], seed=1, shots=4)
    assert [len(MANY[c] & set(per_class)) for c in (0, 1)] == [4, 4]
    assert len(draw_buffer(MANY, [0, 1], seed=1, shots=4, per='total')) == 8
    assert draw_buffer({1: {7}}, [1], seed=1, shots=4) == [7]


@pytest.mark.parametrize('options, message', [
    (dict(), 'either fraction'), (dict(fraction=0.1, shots=2), 'either fraction'),
    (dict(fraction=0.0), 'fraction is 0'), (dict(fraction=1.5), 'fraction is 1.5'),
    (dict(shots=0), 'shots is 0'), (dict(shots=1, per='image'), "per is 'image'")])
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        draw_buffer(MANY, [0], seed=1, **options)


def test_no_images_are_refused():
    with pytest.raises(ValueError, match='no training image'):
        draw_buffer(MANY, [9], seed=1, fraction=0.1)
