"""The lab's metrics, by hand."""

import numpy as np
import pytest

from benchmarks.credit.metrics import (
    Moments,
    batch_cosine,
    dead_groups,
    direction,
    jackknife,
    leak,
    rank_correlation,
    rank_within,
    relative_to_last,
    sign_accuracy,
    signal_to_noise,
    true_profile,
    turn_directions,
    turn_profile,
)

TRUE = np.array([[0.5, -0.5, 0.0], [-1.0, 0.25, 0.0]])
MASK = np.array([[True, True, True], [True, True, False]])


def moments(gradients, batches=0):
    """Of gradients (N, R, H, O, A)."""
    whole, turns = gradients.sum(2), gradients
    return Moments(
        gradients.mean(1),
        (whole**2).sum((2, 3)).mean(1),
        (turns**2).sum((3, 4)).mean(1),
        batches and gradients.shape[1],
    )


def test_direction_and_noise_by_hand():
    # Two turns, one observation each; batches at (1, 0) and (1, 2) in the plane: mean (1, 1), variance 0 and 1.
    gradients = np.array([[[[[1.0], [0.0]]], [[[1.0], [2.0]]]]])
    exact = moments(gradients)
    assert direction(exact, np.array([[1.0], [1.0]])) == pytest.approx(1.0)
    assert direction(exact, np.array([[1.0], [0.0]])) == pytest.approx(np.sqrt(0.5))
    assert np.isnan(direction(exact, np.zeros((2, 1))))
    assert signal_to_noise(exact) == pytest.approx(2.0 / 1.0)
    assert signal_to_noise(exact, 0.25) == pytest.approx(0.5)
    # The two batches as a sample: variance 2 with Bessel's correction, squared length 2 - 2/2.
    assert signal_to_noise(moments(gradients, 2)) == pytest.approx((2.0 - 1.0) / 2.0)


def test_noise_alone_has_no_direction():
    rng = np.random.default_rng(0)
    values = [signal_to_noise(moments(rng.normal(size=(4, 50, 1, 3, 2)), 50)) for _ in range(200)]
    # Uncorrected, 200 batches of noise would show 1/200.
    assert np.mean(values) < 0.5 / 200


def test_profiles_by_hand():
    gradients = np.zeros((1, 1, 3, 1, 2))
    gradients[0, 0, 0, 0], gradients[0, 0, 1, 0] = (3.0, 4.0), (0.0, 2.0)
    truth = np.zeros((3, 1, 2))
    truth[0, 0], truth[1, 0] = (1.0, 0.0), (0.0, 1.0)
    exact = moments(gradients)
    np.testing.assert_allclose(turn_profile(exact), [5.0, 2.0, 0.0])
    np.testing.assert_allclose(turn_directions(exact, truth), [0.6, 1.0, np.nan])
    # The third turn does not matter: the second is the last that does.
    np.testing.assert_allclose(relative_to_last(turn_profile(exact), true_profile(truth)), [2.5, 1.0, 0.0])
    assert np.isnan(relative_to_last(np.array([1.0, 0.0, 3.0]), true_profile(truth))).all()


def test_ranks_and_signs_by_hand():
    assert rank_correlation(TRUE, TRUE, MASK) == pytest.approx(1.0)
    assert rank_correlation(-TRUE, TRUE, MASK) == pytest.approx(-1.0)
    flat = np.array([[1.0, 1.0, 1.0], [-1.0, -1.0, 0.0]])
    assert np.isnan(rank_within(flat, TRUE, MASK))
    assert np.isnan(rank_correlation(np.ones((2, 3)), TRUE, MASK))
    half = np.array([[1.0, 0.0, 0.5], [1.0, 1.0, 0.0]])
    assert rank_within(half, TRUE, MASK) == pytest.approx((1.0 + 0.0) / 2)
    assert sign_accuracy(flat, TRUE, MASK) == pytest.approx(2 / 4)
    assert leak(flat, TRUE, MASK) == pytest.approx(1.0)
    assert leak(TRUE, TRUE, MASK) == 0.0
    assert np.isnan(leak(np.zeros((2, 3)), TRUE, MASK))


def test_dead_groups_and_dead_batches():
    advantages = np.zeros((4, 2))
    advantages[3, 1] = 1.0
    assert dead_groups(advantages, 2) == 0.5
    gradients = np.array([[[1.0, 0.0]], [[0.0, 0.0]]])
    assert batch_cosine(gradients, np.array([[2.0, 0.0]])) == 0.5


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=12)
    found, error = jackknife(12, lambda block: float(values[np.arange(12) != (12 if block is None else block)].mean()))
    assert found == pytest.approx(values.mean())
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(12))
