"""Parts 1 to 5 and 9: known answers, properties, three authorities for the gradient, and traps.

Tables are read in test_data.py; what the prose says in numbers is in test_prose.py.
"""

from math import exp, log, sqrt
from operator import attrgetter
from unittest.mock import Mock

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from micrograd.engine import Value
from numpy.random import default_rng
from pytest import approx

import Neural_Network_from_Scratch as nn

calm = settings(deadline=None)  # a test may take its time on a busy machine
number = st.floats(-1e4, 1e4)
scores = arrays(np.float64, array_shapes(min_dims=2, max_dims=2), elements=number)


def example(hidden=10, m=17, inputs=6, dtype=np.float64):
    """Parameters, X, labels and Y of a small network whose examples keep off ReLU's kink."""
    rng = default_rng([hidden, m])
    parameters = nn.initialize(rng, inputs, hidden, dtype=dtype)
    X = rng.random((inputs, 100 * m), dtype)
    Z1 = parameters.W1 @ X + parameters.b1
    smooth = (np.abs(Z1) > 1e-3).all(axis=0)
    labels = rng.integers(0, 10, m)
    Y = nn.one_hot(labels).astype(dtype)
    return parameters, X[:, smooth][:, :m], labels, Y


def our_gradient(parameters, X, Y):
    return nn.backward(parameters, X, Y, nn.forward(parameters, X))


def our_loss(parameters, X, Y):
    return nn.cross_entropy(nn.forward(parameters, X).Z2, Y)


def check(parameters, X, Y, h=1e-5):
    return nn.gradient_check(parameters, X, Y, default_rng(0), h)


def largest(array):
    return np.abs(array).max()


def assert_close(ours, theirs, tolerance=1e-8):
    """Each of the four arrays agrees, relative to its largest entry."""
    for name, a, b in zip(nn.Parameters._fields, ours, theirs):
        assert a.shape == b.shape, name
        assert largest(a - b) <= tolerance * largest(b), name


def wrong_backward(monkeypatch, name, change, *factor):
    """From now on the gradient of this parameter is change(gradient, *factor)."""
    right = nn.backward

    def wrong(*arguments):
        slopes = right(*arguments)._asdict()
        slopes[name] = change(slopes[name], *factor)
        return nn.Parameters(**slopes)

    monkeypatch.setattr(nn, "backward", wrong)


# Part 2.


@calm
@given(scores, number)
def test_softmax_gives_probabilities_in_order_and_does_not_see_a_shift(Z, shift):
    A = nn.softmax(Z)
    order = np.argsort(Z, axis=0)
    in_order = np.take_along_axis(A, order, axis=0)
    assert (A >= 0).all()
    assert largest(A.sum(axis=0) - 1) < 1e-12
    assert (np.diff(in_order, axis=0) >= 0).all()
    assert largest(nn.softmax(Z + shift) - A) < 1e-10


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_follows_the_parameters(dtype):
    parameters, X, _, Y = example(dtype=dtype)
    slopes = our_gradient(parameters, X, Y)
    moved = nn.descend(parameters, slopes, 0.1)
    arrays = [*nn.forward(parameters, X), *slopes, *moved]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


# Part 3: the gradient against three independent authorities.


@calm
@given(arrays(np.float64, (5, 7), elements=st.floats(-30, 30)), number)
def test_loss_is_the_mean_of_minus_log_probability(Z, shift):
    labels = [0, 1, 2, 3, 4, 0, 1]
    Y = nn.one_hot(np.array(labels), 5)
    p = nn.softmax(Z)[labels, range(7)]
    expected = np.mean(-np.log(p))
    assert nn.cross_entropy(Z, Y) == approx(expected, abs=1e-12)
    assert nn.cross_entropy(Z + shift, Y) == approx(expected, abs=1e-9)


def numeric_gradient(parameters, X, Y, h=3e-5):
    """Central differences, for every entry."""
    gradients = [np.zeros_like(P) for P in parameters]
    for P, slopes in zip(parameters, gradients):
        for index, value in np.ndenumerate(P):
            P[index] = value + h
            above = our_loss(parameters, X, Y)
            P[index] = value - h
            below = our_loss(parameters, X, Y)
            P[index] = value
            slopes[index] = (above - below) / (2 * h)
    return gradients


def autograd_loss(parameters, rows, labels):
    """The same loss written apart from ours: rows as examples, labels as indices, log-softmax."""
    W1, b1, W2, b2 = parameters
    hidden = anp.dot(rows, W1.T) + b1.T
    hidden = anp.maximum(hidden, 0)
    scores = anp.dot(hidden, W2.T) + b2.T
    log_total = anp.log(anp.sum(anp.exp(scores), axis=1))
    true = scores[anp.arange(len(labels)), labels]
    return anp.mean(log_total - true)


def node(value, result, slope):
    """A node for micrograd, which has no exp and no log of its own."""
    made = Value(result, (value,))

    def pass_back():
        value.grad += slope * made.grad

    made._backward = pass_back
    return made


def micrograd_gradient(parameters, X, labels):
    """The slopes that Andrej Karpathy's engine finds, one number at a time."""
    to_nodes = np.vectorize(Value, otypes=[object])
    nodes = [to_nodes(P) for P in parameters]
    W1, b1, W2, b2 = nodes
    for x, label in zip(X.T, labels):
        A1 = [z.relu() for z in W1 @ x + b1[:, 0]]
        Z2 = W2 @ A1 + b2[:, 0]
        exps = [exp(z.data) for z in Z2]
        total = sum(node(z, e, e) for z, e in zip(Z2, exps))
        s = total.data
        log_total = node(total, log(s), 1 / s)
        loss = log_total - Z2[label]
        loss.backward()  # adds to the slopes of the pictures before
    to_slopes = np.vectorize(attrgetter("grad"))
    return [to_slopes(P) / len(labels) for P in nodes]


@pytest.mark.parametrize("m", [1, 2, 17])
@pytest.mark.parametrize("hidden", [1, 3, 10])
def test_gradient_equals_that_of_three_authorities(hidden, m):
    parameters, X, labels, Y = example(hidden, m)
    ours = our_gradient(parameters, X, Y)
    assert_close(ours, grad(autograd_loss)(tuple(parameters), X.T, labels))
    assert_close(ours, micrograd_gradient(parameters, X, labels))
    assert_close(ours, numeric_gradient(parameters, X, Y), 1e-7)


def test_relu_has_slope_zero_at_exactly_zero():
    parameters, X, _, Y = example()
    parameters.W1[:] = 0
    parameters.b1[:] = 0
    slopes = our_gradient(parameters, X, Y)
    assert not slopes.W1.any()
    assert not slopes.b1.any()
    assert slopes.b2.any()


# Part 4: the check.


@pytest.mark.parametrize(("hidden", "seeds"), [(1, 20), (3, 20), (10, 20), (256, 5)])
def test_the_check_passes_for_any_seed_and_width(hidden, seeds):
    for seed in range(seeds):
        rng = default_rng(seed)
        parameters = nn.initialize(rng, hidden=hidden)
        before = np.concatenate(parameters, axis=None)
        X = rng.random((784, 5), np.float32)
        X[rng.random(X.shape) < 0.8] = 0  # paper
        Y = nn.one_hot(rng.integers(0, 10, 5))
        assert nn.gradient_check(parameters, X, Y, rng) < 1e-6
        assert np.array_equal(np.concatenate(parameters, axis=None), before)


@pytest.mark.parametrize("name", nn.Parameters._fields)
def test_the_check_measures_how_wrong_a_gradient_is(monkeypatch, name):
    """Each entry is looked at here, so the largest slope is among them: 0.1 % is seen as 0.1 %."""
    wrong_backward(monkeypatch, name, np.multiply, 1.001)
    parameters, X, _, Y = example(hidden=2)
    assert check(parameters, X, Y) == approx(0.001 / 1.001, rel=1e-3)


@pytest.mark.parametrize("change", [np.ravel, np.transpose, np.sum])
@pytest.mark.parametrize("name", nn.Parameters._fields)
def test_the_check_names_a_gradient_of_another_shape(monkeypatch, name, change):
    wrong_backward(monkeypatch, name, change)
    parameters, X, _, Y = example(hidden=3)
    with pytest.raises(ValueError, match=name):
        check(parameters, X, Y)


@pytest.mark.parametrize("ink", [0.1, 1, 200])
def test_the_check_leaves_out_pictures_near_the_kink(monkeypatch, ink):
    """A nudge of b1 moves a score by 1e-5, one of W1 by 1e-5 times the ink. Near is: by less."""
    reach = 1e-5 * max(1, ink)
    near = [0, 0.9 * reach, -0.9 * reach]
    far = [1.1 * reach, -1.1 * reach, ink]
    X = np.array([near + far])
    Y = nn.one_hot(np.arange(6) % 2, 2)
    network = nn.tiny._replace(b1=np.zeros((1, 1)))  # its score is the pixel
    looked_at = Mock(side_effect=nn.backward)
    monkeypatch.setattr(nn, "backward", looked_at)
    assert check(network, X, Y) < 1e-6
    assert looked_at.call_args.args[1].tolist() == [far]


@pytest.mark.parametrize(("sure", "limit"), [(40, 1e-14), (8, 0.01)])
def test_the_check_sees_small_slopes_but_no_rounding(monkeypatch, sure, limit):
    """A network that is right and sure has slopes of nearly 0: all rounding, if it is very sure."""
    parameters, X, _, _ = example()
    parameters.b2[:] = 0
    parameters.b2[0] = sure
    Y = nn.one_hot(np.zeros(17, int))
    assert largest(our_gradient(parameters, X, Y).b2) < limit
    assert check(parameters, X, Y) < 1e-6
    wrong_backward(monkeypatch, "b2", np.multiply, 2)
    seen = check(parameters, X, Y) > 0.1
    assert seen == (sure == 8)


# Part 5.


def test_train_yields_what_is_before_each_step_and_after_the_last():
    parameters, X, labels, _ = example()
    before = [P.copy() for P in parameters]
    gradient_of_step = Mock(side_effect=lambda current: nn.gradient(current, X, labels))
    states = list(nn.train(parameters, gradient_of_step, 0.5, 3))
    numbers = [state[0] for state in states]
    assert numbers == [0, 1, 2, 3]
    assert gradient_of_step.call_count == 4
    expected = parameters
    for _, shown, loss, fraction in states:
        assert_close(shown, expected, tolerance=0)
        *seen, slopes = nn.gradient(shown, X, labels)
        assert [loss, fraction] == seen
        expected = [P - 0.5 * dP for P, dP in zip(shown, slopes)]
    assert_close(parameters, before, tolerance=0)  # nothing was changed in place


# Part 9.


@pytest.mark.parametrize("size", [1, 7, 17, 40])
def test_mini_batches_of_an_epoch_hold_every_picture_once(size):
    """So their gradients, each with its share of the pictures, average to the full gradient."""
    pixels = default_rng(0).integers(0, 256, (17, 6))
    pixels[:, 0] = range(17)  # by which to know a picture
    labels = np.arange(17) % 10
    X = nn.to_columns(pixels)
    batches = nn.mini_batches(pixels, labels, size, default_rng(3))
    orders = []
    for _ in range(2):
        order = []
        while len(order) < 17:
            columns, digits = next(batches)
            assert len(digits) == min(size, 17 - len(order))
            rows = np.rint(255 * columns[0]).astype(int)
            assert np.array_equal(columns, X[:, rows])
            assert np.array_equal(digits, labels[rows])
            order += rows.tolist()
        assert sorted(order) == list(range(17))
        orders.append(order)
    assert orders[0] != orders[1]  # shuffled anew


def test_he_start_has_variance_two_over_inputs():
    start = nn.initialize_he(default_rng(0), hidden=400)
    shapes = [P.shape for P in nn.initialize(default_rng(0), hidden=400)]
    assert [P.shape for P in start] == shapes
    assert {P.dtype for P in start} == {np.dtype(np.float32)}
    assert not start.b1.any()
    assert not start.b2.any()
    rng = default_rng(0)  # a seed gives the same start in every version
    for W in (start.W1, start.W2):
        inputs = W.shape[1]
        drawn = rng.standard_normal(W.shape, np.float32)
        assert largest(W - drawn * sqrt(2 / inputs)) < 1e-6


# The traps that most tutorials of this network fall into, each beside its wrong version.


def test_trap_bias_gradient_summed_over_the_whole_matrix():
    """All of dZ2 adds up to 0: whoever sums over both axes never moves b2."""
    parameters, X, _, Y = example()
    dZ2 = nn.forward(parameters, X).A2 - Y
    wrong = np.sum(dZ2) / 17
    right = our_gradient(parameters, X, Y).b2
    assert abs(wrong) < 1e-15
    assert largest(right) > 0.01
    assert right[:, 0] == approx(dZ2.mean(axis=1))


@pytest.mark.parametrize(("score", "loss"), [(100, 0), (-100, 100 + log(9))])
def test_trap_loss_as_a_sum_of_differences(score, loss):
    """It is 0, however bad the network; the loss is 0 only if sure and right."""
    Y = nn.one_hot(np.array([3]))
    wrong = abs(np.sum(Y - nn.softmax(score * Y)))
    assert wrong < 1e-6
    assert nn.cross_entropy(score * Y, Y) == approx(loss, abs=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_trap_softmax_of_large_scores(dtype):
    Z = np.array([[1, -1, 0], [-1, -1, 1]], dtype)
    Z = 1000 * Z
    with np.errstate(all="ignore"):
        wrong = np.exp(Z) / np.exp(Z).sum(axis=0)
    assert np.isnan(wrong).any(axis=0).all()
    right = nn.softmax(Z)
    assert right[0].tolist() == [1, 0.5, 0]
    Y = nn.one_hot(np.array([1, 1, 0]), 2)
    loss = (2000 + log(2) + 1000) / 3
    assert nn.cross_entropy(Z, Y) == approx(loss, rel=1e-6)


def test_trap_softmax_with_one_denominator_for_all_columns():
    Z = default_rng(0).standard_normal((10, 4))
    wrong = np.exp(Z) / np.sum(np.exp(Z))
    assert wrong.sum(axis=0).max() < 0.9
    right = nn.softmax(Z)
    assert np.allclose(right.sum(axis=0), 1)
    alone = nn.softmax(Z[:, :1])
    assert np.allclose(right[:, :1], alone)


def test_trap_one_hot_sized_by_the_largest_label():
    labels = np.array([3, 1])  # a batch without a 9
    wrong = np.eye(labels.max() + 1)[labels].T
    assert wrong.shape == (4, 2)
    assert nn.one_hot(labels).shape == (10, 2)


def test_trap_test_pictures_among_the_training_pictures():
    numbers = np.arange(50)
    rng = default_rng(0)
    training, test = nn.split(numbers[:, None], numbers, 20, rng)
    wrong = rng.choice(numbers, 20)
    assert np.isin(wrong, training[1]).any()
    assert not np.isin(test[1], training[1]).any()
    everything = [*training[1], *test[1]]
    assert sorted(everything) == numbers.tolist()
    for pixels, labels in (training, test):
        assert np.array_equal(pixels[:, 0], labels)  # each picture keeps its label
    _, other = nn.split(numbers[:, None], numbers, 20, rng)
    assert len(other[1]) == 20
    assert sorted(test[1]) != sorted(other[1])  # chance decides


def test_trap_bias_gradient_as_a_list():
    """NumPy takes (10,) for a row, without a word: b2 becomes (10, 10). (The check names it.)"""
    parameters, X, _, Y = example()
    right = our_gradient(parameters, X, Y)
    wrong = right._replace(b2=right.b2[:, 0])
    assert nn.descend(parameters, wrong, 0.1).b2.shape == (10, 10)
    assert nn.descend(parameters, right, 0.1).b2.shape == (10, 1)


def test_trap_a_claim_handed_on_unchecked():
    """Equal weights do not make neurons equal for ever, unless their biases are equal too."""
    parameters, X, _, Y = example()
    parameters.W1[:] = parameters.W1[0]
    parameters.W2[:] = parameters.W2[:, :1]
    wrong = our_gradient(parameters, X, Y).W1
    assert largest(wrong - wrong[0]) > 1e-3
    parameters.b1[:] = 0.5
    right = our_gradient(parameters, X, Y).W1
    assert largest(right - right[0]) < 1e-15
    assert largest(right) > 1e-3
