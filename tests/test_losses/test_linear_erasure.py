import numpy as np
import pytest
import torch

from gslora_det.losses import ErasureMap


def embedded(objects=400, dim=12, classes=5, seed=0):
    """Embeddings in which classes lie apart, with correlated noise, and their classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (objects,), generator=generator)
    centres = 3 * torch.randn(classes, dim, generator=generator)
    noise = torch.randn(objects, dim, generator=generator)
    mixing = torch.randn(dim, dim, generator=generator)
    return centres[labels] + noise @ mixing, labels


def one_hot(labels, chosen):
    return (labels[:, None] == torch.tensor(chosen)).float()


def explained(x, z):
    """Share of the variance of each concept that least squares explain, with a constant."""
    x, z = np.c_[np.ones(len(x)), x.double().numpy()], z.double().numpy()
    left = z - x @ np.linalg.lstsq(x, z, rcond=1e-5)[0]  # not by rounding errors
    return 1 - left.var(0) / z.var(0)


def test_no_least_squares_classifier_beats_the_constant_one():
    x, labels = embedded()
    z = one_hot(labels, [1, 3])
    assert (explained(x, z) > 0.3).all()
    erased = ErasureMap.of(x, z)(x)
    assert np.abs(explained(erased, z)).max() < 1e-4
    # What it does not erase can be told as before, nearly.
    others = one_hot(labels, [0, 2])
    assert (explained(erased, others) > 0.2).all()


def test_it_is_the_published_map():
    """r(x) = x - W^+ P W (x - mean), with SciPy-like roots by another way: SVD of the data."""
    x, labels = embedded(seed=1)
    z = one_hot(labels, [0, 4])
    centred = (x - x.mean(0)).double().numpy()
    _, sizes, axes = np.linalg.svd(centred / np.sqrt(len(x)), full_matrices=False)
    whiten, colour = (axes.T @ np.diag(sizes**power) @ axes for power in (-1.0, 1.0))
    cross = centred.T @ (z - z.mean(0)).double().numpy() / len(x)
    projection = (whiten @ cross) @ np.linalg.pinv(whiten @ cross)
    expected = centred - centred @ (colour @ projection @ whiten).T + x.mean(0).numpy()
    np.testing.assert_allclose(ErasureMap.of(x, z)(x), expected, atol=1e-4)


def test_the_order_of_classes_does_not_matter_nor_classes_without_objects():
    x, labels = embedded(seed=2)
    maps = [ErasureMap.of(x, one_hot(labels, chosen)) for chosen in (
        [0, 3], [3, 0], [3, 99, 0], [0, 3, 3])]
    for other in maps[1:]:
        torch.testing.assert_close(other.matrix, maps[0].matrix, atol=1e-4, rtol=1e-3)


def test_it_leaves_what_it_has_erased_and_the_mean():
    x, labels = embedded(seed=3)
    erase = ErasureMap.of(x, one_hot(labels, [2]))
    once = erase(x)
    torch.testing.assert_close(erase(once), once, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(once.mean(0), x.mean(0), atol=1e-3, rtol=1e-3)
    assert erase(x.reshape(4, 100, 12)).shape == (4, 100, 12)


def test_without_objects_there_is_no_map():
    with pytest.raises(ValueError, match='there is none in the buffers'):
        ErasureMap.of(torch.zeros(0, 3), torch.zeros(0, 1))
