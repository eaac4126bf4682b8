from hand_record import RETURN, record

from gslora_det.reporting.erased_sets import ErasedSet, erased_sets


def test_matrix_holds_each_set_before_and_after_every_later_task():
    last = dict(RETURN, z=None)
    assert erased_sets(record(last)) == [
        ErasedSet(1, ['x'], 0.8, [0.012, 0.12]),
        # `z` has no object to find and does not count.
        ErasedSet(2, ['<script>', 'z'], 0.6, [None, 0.0]),
    ]


def test_what_earlier_sequences_erased_is_a_set_from_the_start_on():
    later = dict(record(RETURN), erased_before=['s'])
    first, *_ = erased_sets(later)
    assert first == ErasedSet(0, ['s'], 0.5, [0.5, 0.5]) and first.left == 0.5


def test_ap_of_a_set_is_the_mean_of_its_classes():
    two = record(RETURN)
    two['tasks'] = [dict(two['tasks'][1], task=1, forgotten=['x', '<script>'])]
    assert erased_sets(two) == [ErasedSet(1, ['x', '<script>'], 0.7, [0.06])]
