"""Parts 1 to 5 and 9: known answers, properties, finite differences, two autograd engines, traps,
and the numbers in the prose of Parts 1 to 5, computed (those over twenty seeds: seeds.py)."""

import itertools
import math
import re
import sys
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from micrograd.engine import Value

import Neural_Network_from_Scratch as nn

SOURCE = Path(nn.__file__).read_text(encoding="utf-8")
PROSE = re.sub(r"\s*\n#? *", " ", SOURCE)  # so that a sentence is found wherever its lines break
SIZES = [(hidden, m) for hidden in (1, 3, 10) for m in (1, 2, 17)]
INPUTS = 6


def stated(pattern):
    """The number that the script states there; the pattern has one group."""
    found = re.search(pattern, PROSE)
    assert found, f"the script no longer says {pattern!r}: mend this test with it"
    return found[1]


def assert_stated(pattern, value, tolerance=0.0):
    """The script states this number there, rounded to the digits that it shows."""
    text = stated(pattern).replace(",", "")
    half = 0.5 * 10.0 ** -len(text.partition(".")[2])
    assert float(text) == pytest.approx(value, abs=max(1.001 * half, tolerance)), pattern


def example(hidden=3, m=17, inputs=INPUTS, dtype=np.float64):
    """Parameters, X, labels and Y of a small network whose examples keep off ReLU's kink."""
    rng = np.random.default_rng([hidden, m])
    parameters = nn.initialize(rng, inputs, hidden, dtype=dtype)
    X = rng.random((inputs, 100 * m), dtype)
    X = X[:, (np.abs(parameters.W1 @ X + parameters.b1) > 1e-3).all(axis=0)][:, :m]
    labels = rng.integers(0, 10, m)
    return parameters, X, labels, nn.one_hot(labels).astype(dtype)


def our_gradient(parameters, X, Y):
    return nn.backward(parameters, X, Y, nn.forward(parameters, X))


def our_loss(parameters, X, Y):
    return nn.cross_entropy(nn.forward(parameters, X).Z2, Y)


def states(parameters, look, learning_rate, steps):
    """What `train` yields before each of these steps, and after the last."""
    return list(itertools.islice(nn.train(parameters, look, learning_rate), steps + 1))


def assert_close(ours, theirs, tolerance=1e-8):
    """Each of the four gradients agrees, relative to its largest entry."""
    for name, a, b in zip(nn.Parameters._fields, ours, theirs):
        assert a.shape == b.shape, name
        assert np.abs(a - b).max() <= tolerance * np.abs(b).max(), name


# Gradients against three independent authorities.


def numeric_gradient(parameters, X, Y, h=1e-4):
    """Central differences of fourth order: error near h**4 from curvature, 1e-12 from rounding."""
    slopes = []
    for k, P in enumerate(parameters):
        slope = np.zeros_like(P)
        for index in np.ndindex(P.shape):

            def loss(step, k=k, index=index):
                moved = [p.copy() for p in parameters]
                moved[k][index] += step
                return our_loss(nn.Parameters(*moved), X, Y)

            slope[index] = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
        slopes.append(slope)
    return slopes


@pytest.mark.parametrize(("hidden", "m"), SIZES)
def test_gradient_equals_finite_differences(hidden, m):
    parameters, X, _, Y = example(hidden, m)
    assert_close(our_gradient(parameters, X, Y), numeric_gradient(parameters, X, Y))


def autograd_loss(parameters, rows, labels):
    """The same loss written apart from ours: rows as examples, labels as indices, log-softmax."""
    W1, b1, W2, b2 = parameters
    hidden = anp.maximum(anp.dot(rows, W1.T) + b1.T, 0)
    scores = anp.dot(hidden, W2.T) + b2.T
    log_total = anp.log(anp.sum(anp.exp(scores), axis=1))
    return anp.mean(log_total - scores[anp.arange(len(labels)), labels])


@pytest.mark.parametrize(("hidden", "m"), SIZES)
def test_gradient_equals_autograd(hidden, m):
    parameters, X, labels, Y = example(hidden, m)
    theirs = grad(autograd_loss)(tuple(parameters), X.T, labels)
    assert_close(our_gradient(parameters, X, Y), theirs)


def unary(value, result, slope):
    """A node for micrograd, which has no exp and no log of its own."""
    out = Value(result, (value,))

    def pass_back():
        value.grad += slope * out.grad

    out._backward = pass_back
    return out


@pytest.mark.parametrize(("hidden", "m"), SIZES)
def test_gradient_equals_micrograd(hidden, m):
    parameters, X, labels, Y = example(hidden, m)
    scalars = [[[Value(float(v)) for v in row] for row in p] for p in parameters]
    W1, b1, W2, b2 = scalars
    total = Value(0.0)
    for x, label in zip(X.T, labels):
        A1 = [sum((w * v for w, v in zip(W1[i], x)), b1[i][0]).relu() for i in range(hidden)]
        Z2 = [sum((w * a for w, a in zip(W2[k], A1)), b2[k][0]) for k in range(10)]
        exps = [unary(z, math.exp(z.data), math.exp(z.data)) for z in Z2]
        p = exps[label] * sum(exps) ** -1
        total = total + unary(p, -math.log(p.data), -1 / p.data)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)  # micrograd walks the graph by recursion
    try:
        (total * (1 / m)).backward()
    finally:
        sys.setrecursionlimit(limit)
    theirs = [np.array([[v.grad for v in row] for row in p]) for p in scalars]
    assert_close(our_gradient(parameters, X, Y), theirs)


def test_twenty_steps_equal_twenty_steps_driven_by_autograd():
    parameters, X, labels, _ = example(hidden=10, m=200, inputs=784)
    last, *_ = states(parameters, lambda p: nn.gradient(p, X, labels), 0.1, 20)[-1]
    theirs = tuple(parameters)
    for _ in range(20):
        slopes = grad(autograd_loss)(theirs, X.T, labels)
        theirs = tuple(p - 0.1 * slope for p, slope in zip(theirs, slopes))
    assert_close(last, theirs)
    assert not np.array_equal(last.W1, parameters.W1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_has_slope_zero_at_exactly_zero(dtype):
    W2 = nn.initialize(np.random.default_rng(0), dtype=dtype).W2
    parameters = nn.Parameters(np.zeros((10, 4), dtype), np.zeros((10, 1), dtype), W2, W2[:, :1])
    X, Y = np.ones((4, 3), dtype), nn.one_hot(np.array([1, 2, 3]))
    slopes = our_gradient(parameters, X, Y)
    assert not slopes.W1.any() and not slopes.b1.any()
    assert slopes.b2.any()
    assert nn.relu(np.array([-1e-30, 0.0, 1e-30])).tolist() == [0, 0, 1e-30]


# The check of every start.


@pytest.mark.parametrize("hidden", [1, 3, 10, 256])
def test_the_check_of_every_start_passes_for_any_seed(hidden):
    for seed in range(50):
        rng = np.random.default_rng(seed)
        parameters = nn.initialize(rng, hidden=hidden)
        X = (rng.random((784, 5)) * (rng.random((784, 5)) < 0.2)).astype(np.float32)  # 80 % paper
        Y = nn.one_hot(rng.integers(0, 10, 5))
        before = [p.copy() for p in parameters]
        assert nn.gradient_check(parameters, X, Y, rng) < 1e-6
        assert all(np.array_equal(p, q) for p, q in zip(parameters, before))


@pytest.mark.parametrize("kind", nn.Parameters._fields)
def test_the_check_measures_how_wrong_a_gradient_is(monkeypatch, kind):
    """Each entry is looked at here, so the largest slope is among them: 0.1 % is seen as 0.1 %."""
    right = nn.backward

    def wrong(*arguments):
        slopes = right(*arguments)
        return slopes._replace(**{kind: getattr(slopes, kind) * 1.001})

    monkeypatch.setattr(nn, "backward", wrong)
    parameters, X, _, Y = example(hidden=2, m=5, dtype=np.float32)
    error = nn.gradient_check(parameters, X, Y, np.random.default_rng(0))
    assert error == pytest.approx(0.001 / 1.001, rel=1e-3)


@pytest.mark.parametrize("broken", ["a sign", "no / m", "no mask", "a transpose", "not a number"])
def test_the_check_sees_a_broken_line(monkeypatch, broken):
    right = nn.backward

    def wrong(parameters, X, Y, activations):
        slopes = right(parameters, X, Y, activations)
        if broken == "a sign":
            return slopes._replace(b1=-slopes.b1)
        if broken == "no / m":
            return slopes._replace(W2=slopes.W2 * X.shape[1])
        if broken == "a transpose":
            return slopes._replace(W2=slopes.W2.T)
        if broken == "not a number":
            return slopes._replace(W2=slopes.W2 * np.nan)
        passed = activations._replace(Z1=np.ones_like(activations.Z1))
        return right(parameters, X, Y, passed)

    monkeypatch.setattr(nn, "backward", wrong)
    parameters, X, _, Y = example(hidden=10, m=5, inputs=784, dtype=np.float32)
    # The program stops unless the error is below 1e-6, which "not a number" is not.
    assert not nn.gradient_check(parameters, X, Y, np.random.default_rng(0)) < 1e-6


def test_the_check_cannot_see_a_fault_that_loss_and_gradient_share():
    parameters, X, _, Y = example(hidden=10, m=5)
    wrong = np.roll(Y, 1, axis=0)  # labels one row too low: another task, and the right gradient
    assert nn.gradient_check(parameters, X, wrong, np.random.default_rng(0)) < 1e-6


def test_the_check_sees_a_bias_that_forward_forgets(monkeypatch):
    """`backward` says that b1 has a slope; nudging it changes nothing."""
    right = nn.forward
    without = lambda p, X: right(p._replace(b1=0 * p.b1), X)  # noqa: E731
    monkeypatch.setattr(nn, "forward", without)
    parameters, X, _, Y = example(hidden=10, m=5)
    assert nn.gradient_check(parameters, X, Y, np.random.default_rng(0)) > 1e-3


@pytest.mark.parametrize(
    ("ink", "score", "left_out"),
    [
        (1, 0.0, True),
        (1, 9e-6, True),
        (1, -9e-6, True),
        (0.1, 9e-6, True),  # a nudge of b1 does it
        (200, 1.9e-3, True),  # a nudge of W1, times the ink
        (200, -1.9e-3, True),
        (1, 2e-5, False),
        (200, 3e-3, False),
    ],
)
def test_the_check_leaves_out_pictures_that_a_nudge_may_carry_over_the_kink(ink, score, left_out):
    """One neuron, one pixel, and two pictures, of which the first is near the kink."""
    W1 = np.array([[(score - 0.3) / ink]])
    W2 = np.array([[0.2], [-0.2]])
    parameters = nn.Parameters(W1, np.array([[0.3]]), W2, np.zeros((2, 1)))
    X, Y = np.array([[ink, -ink]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    Z1 = nn.forward(parameters, X).Z1
    assert Z1.tolist() == [pytest.approx([score, 0.6 - score])]
    without = nn.gradient_check(parameters, X[:, 1:], Y[:, 1:], np.random.default_rng(0))
    error = nn.gradient_check(parameters, X, Y, np.random.default_rng(0))
    assert error < 1e-6
    assert (error == without) == left_out


def test_the_check_does_not_divide_rounding_by_rounding():
    """A network that is right and sure has slopes of nearly 0."""
    parameters, X, _, _ = example(hidden=3, m=17)
    sure = parameters._replace(b2=np.array([[40.0]] + 9 * [[0.0]]))
    Y = nn.one_hot(np.zeros(17, int))
    assert max(np.abs(dP).max() for dP in our_gradient(sure, X, Y)) < 1e-14
    assert nn.gradient_check(sure, X, Y, np.random.default_rng(0)) < 1e-6


def test_the_check_sees_a_fault_in_small_slopes(monkeypatch):
    right = nn.backward
    double = lambda *a: nn.Parameters(*(2 * dP for dP in right(*a)))  # noqa: E731
    parameters, X, _, _ = example(hidden=3, m=17)
    sure = parameters._replace(b2=np.array([[8.0]] + 9 * [[0.0]]))
    Y = nn.one_hot(np.zeros(17, int))
    assert np.abs(our_gradient(sure, X, Y).b2).max() < 1e-2
    monkeypatch.setattr(nn, "backward", double)
    assert nn.gradient_check(sure, X, Y, np.random.default_rng(0)) > 0.1


def test_why_float64_and_why_that_h(default):
    X, Y = default.X_test[:, :50], nn.one_hot(default.labels_test[:50])
    errors = {
        h: nn.gradient_check(default.start, X, Y, np.random.default_rng(0), h)
        for h in (1e-3, 1e-5, 1e-8)
    }
    assert errors[1e-5] < errors[1e-3] / 10  # which feels how the loss bends
    assert errors[1e-5] < errors[1e-8] / 10  # which feels its rounding
    # Rounding decides the last digits of 2.5e-10, and rounding is the machine's affair.
    assert 1 / 3 < errors[1e-5] / float(stated(r"([0-9.]+e-[0-9]+) at first")) < 3
    assert [round(-math.log10(np.finfo(t).eps)) for t in (np.float64, np.float32)] == [
        int(stated(r"It has ([0-9]+) digits")),
        int(stated(r"float32 only ([0-9]+)")),
    ]
    assert stated(r"a small h.*?the limit is ([0-9]+e-[0-9]+)") == "1e-6"


# Training: what is looked at, and when.


def test_train_tells_what_it_saw_before_each_step_and_looks_only_when_asked():
    parameters, X, labels, _ = example(hidden=10)
    before = [P.copy() for P in parameters]
    looked = []

    def look(parameters):
        looked.append(parameters)
        return nn.gradient(parameters, X, labels)

    steps = nn.train(parameters, look, 0.5)
    assert looked == []
    expected = parameters
    for step in range(5):
        shown, loss, fraction = next(steps)
        assert len(looked) == step + 1
        assert looked[-1] is shown
        right_loss, right_fraction, slopes = nn.gradient(expected, X, labels)
        assert (loss, fraction) == (right_loss, right_fraction)
        assert all(np.array_equal(P, Q) for P, Q in zip(shown, expected))
        expected = nn.Parameters(*(P - 0.5 * dP for P, dP in zip(expected, slopes)))
    assert looked[0] is parameters
    assert all(np.array_equal(P, Q) for P, Q in zip(parameters, before))  # not changed in place


def test_what_train_has_yielded_does_not_change_later():
    parameters, X, labels, _ = example(hidden=10)
    shown, copies = [], []
    for state, *_ in itertools.islice(
        nn.train(parameters, lambda p: nn.gradient(p, X, labels), 1), 6
    ):
        shown.append(state)
        copies.append([P.copy() for P in state])
    for state, copy in zip(shown, copies):
        assert all(np.array_equal(P, Q) for P, Q in zip(state, copy))


def test_train_goes_on_for_ever_even_with_nothing_to_learn():
    one = nn.Parameters(*(np.ones((1, 1)) for _ in range(4)))
    nothing = 0.0, 1.0, nn.Parameters(*(np.zeros((1, 1)) for _ in range(4)))
    seen = states(one, lambda _: nothing, 0.1, 10_000)
    assert len(seen) == 10_001
    assert seen[-1] == (one, 0, 1)


def test_full_batch_mini_batches_and_blocks_are_only_other_ways_to_look():
    """Blocks learn as the full batch does; mini-batches do the step that their pictures say."""
    pixels, labels = uint8_pictures(70)
    start = nn.initialize(np.random.default_rng(0), dtype=np.float64)
    X, blocks = nn.to_columns(pixels), nn.make_blocks(pixels, labels)
    full = states(start, lambda p: nn.gradient(p, X, labels), 0.3, 5)
    in_blocks = states(start, lambda p: nn.gradient_in_blocks(p, blocks), 0.3, 5)
    assert_close(in_blocks[-1][0], full[-1][0], 1e-7)  # 1 / 255 is rounded to float32
    assert [loss for _, loss, _ in in_blocks] == pytest.approx([loss for _, loss, _ in full])

    batches = nn.mini_batches(pixels, labels, 32, np.random.default_rng(0))
    again = nn.mini_batches(pixels, labels, 32, np.random.default_rng(0))
    expected = start
    for shown, loss, fraction in states(start, lambda p: nn.gradient(p, *next(batches)), 0.3, 5):
        assert_close(shown, expected, 1e-14)
        right_loss, right_fraction, slopes = nn.gradient(expected, *next(again))
        assert (loss, fraction) == (right_loss, right_fraction)
        expected = nn.descend(expected, slopes, 0.3)


def test_gradient_puts_the_parts_together():
    parameters, X, labels, Y = example(hidden=10)
    loss, fraction, slopes = nn.gradient(parameters, X, labels)
    assert (type(loss), type(fraction)) == (float, float)
    assert loss == our_loss(parameters, X, Y)
    answers = nn.forward(parameters, X).A2.argmax(axis=0)
    assert fraction == sum(answers == labels) / len(labels)
    assert all(np.array_equal(a, b) for a, b in zip(slopes, our_gradient(parameters, X, Y)))


# Part 9.


def uint8_pictures(m, inputs=784):
    """Rows of pixels, different from one another, and labels."""
    rng = np.random.default_rng(m)
    pixels = rng.integers(0, 256, (m, inputs), np.uint8)
    return pixels * (rng.random((m, inputs)) < 0.2).astype(np.uint8), rng.integers(0, 10, m)


@pytest.mark.parametrize("size", [1, 7, 17, 40])
def test_mini_batches_of_an_epoch_average_to_the_full_gradient(size):
    pixels, labels = uint8_pictures(17, INPUTS)
    pixels[:, 0] = np.arange(17)  # by which to know a picture
    parameters = nn.initialize(np.random.default_rng(1), INPUTS, 3, dtype=np.float64)
    batches = nn.mini_batches(pixels, labels, size, np.random.default_rng(0), divisor=1)
    total, seen = nn.Parameters(*(np.zeros_like(p) for p in parameters)), []
    while len(seen) < 17:
        x, y = next(batches)
        assert x.shape == (INPUTS, min(size, 17 - len(seen)))
        rows = x[0].astype(int)
        assert np.array_equal(x.T, pixels[rows]) and np.array_equal(y, labels[rows])
        slopes = nn.gradient(parameters, x, y)[2]
        total = nn.Parameters(*(t + s * len(y) / 17 for t, s in zip(total, slopes)))
        seen += rows.tolist()
    assert sorted(seen) == list(range(17))  # every picture once
    assert_close(total, nn.gradient(parameters, nn.to_columns(pixels, 1), labels)[2], 1e-12)
    epoch = list(itertools.islice(batches, -(-17 // size)))
    again = np.concatenate([x[0] for x, _ in epoch]).tolist()
    assert sorted(again) == sorted(seen)
    if size > 1:
        assert again != seen  # shuffled anew


def test_mini_batches_divide_their_pixels_and_are_drawn_by_the_generator():
    pixels, labels = uint8_pictures(17)
    x, y = next(nn.mini_batches(pixels, labels, 17, np.random.default_rng(3)))
    order = np.random.default_rng(3).permutation(17)
    assert np.array_equal(x, nn.to_columns(pixels[order])) and np.array_equal(y, labels[order])
    assert x.dtype == np.float32 and x.max() <= 1


def test_a_mini_batch_points_about_the_same_way_at_a_three_hundredth_of_the_cost(default):
    """The cosine of the angle between two gradients is 1 if they point the same way."""
    flat = lambda slopes: np.concatenate([P.ravel() for P in slopes])  # noqa: E731
    part, whole = (
        flat(nn.gradient(default.start, nn.to_columns(default.pixels[:m]), default.labels[:m])[2])
        for m in (128, 10_000)
    )
    assert part @ whole / np.linalg.norm(part) / np.linalg.norm(whole) > 0.9
    assert "gradient on 128 of them points about the same way" in PROSE
    assert round(len(default.labels) / 128, -2) == 300


def test_he_start_has_variance_two_over_inputs():
    W1, b1, W2, b2 = nn.initialize_he(np.random.default_rng(0), hidden=400)
    assert W1.var() == pytest.approx(2 / 784, rel=0.02)
    assert W2.var() == pytest.approx(2 / 400, rel=0.1)
    assert abs(W1.mean()) < 1e-3 and abs(W2.mean()) < 5e-3
    assert (np.abs(W1) > 2 * W1.std()).mean() == pytest.approx(0.0455, abs=0.003)  # it is normal
    assert not b1.any() and not b2.any()
    assert [P.shape for P in (W1, b1, W2, b2)] == [(400, 784), (400, 1), (10, 400), (10, 1)]
    assert {p.dtype for p in (W1, b1, W2, b2)} == {np.dtype(np.float32)}


def test_he_start_keeps_scores_about_as_large_from_layer_to_layer():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((784, 500))
    activations = nn.forward(nn.initialize_he(rng, hidden=784, classes=784, dtype=np.float64), X)
    assert np.mean(activations.Z1**2) == pytest.approx(2 * np.mean(X**2), rel=0.05)  # no ReLU yet
    assert np.mean(activations.Z2**2) == pytest.approx(np.mean(activations.Z1**2), rel=0.05)


# Properties of the small functions.

scores = arrays(
    np.float64, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.floats(-1e4, 1e4)
)


@given(scores)
def test_softmax_columns_are_probabilities(Z):
    A = nn.softmax(Z)
    assert (A >= 0).all()
    assert np.allclose(A.sum(axis=0), 1, rtol=1e-12)


@given(scores, st.floats(-1e4, 1e4))
def test_softmax_and_loss_do_not_see_a_shift(Z, shift):
    Y = nn.one_hot(np.zeros(Z.shape[1], int), Z.shape[0])
    assert np.allclose(nn.softmax(Z + shift), nn.softmax(Z), atol=1e-10)
    assert np.isclose(nn.cross_entropy(Z + shift, Y), nn.cross_entropy(Z, Y), atol=1e-9)


@given(scores)
def test_softmax_keeps_the_order_of_scores(Z):
    order = np.argsort(Z, axis=0)
    assert (np.diff(np.take_along_axis(nn.softmax(Z), order, axis=0), axis=0) >= 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_and_loss_are_exact_for_scores_of_ten_thousand(dtype):
    Z = np.array([[10_000, -10_000, 0], [-10_000, -10_000, 10_000]], dtype)
    assert nn.softmax(Z).tolist() == [[1, 0.5, 0], [0, 0.5, 1]]
    Y = nn.one_hot(np.array([0, 0, 0]), 2)
    for column, loss in enumerate([0, math.log(2), 10_000]):
        ours = nn.cross_entropy(Z[:, [column]], Y[:, [column]])
        assert ours == pytest.approx(loss, rel=1e-6 if dtype == np.float32 else 1e-15)


@given(
    arrays(np.float64, (5, 7), elements=st.floats(-30, 30)),
    st.lists(st.integers(0, 4), min_size=7, max_size=7),
)
def test_loss_is_the_mean_of_minus_log_probability(Z, labels):
    Y = nn.one_hot(np.array(labels), 5)
    by_definition = np.mean([-math.log(nn.softmax(Z)[y, i]) for i, y in enumerate(labels)])
    assert nn.cross_entropy(Z, Y) == pytest.approx(by_definition, rel=1e-9, abs=1e-12)


@given(st.lists(st.integers(0, 9)))
def test_one_hot_marks_each_label_once(labels):
    Y = nn.one_hot(np.array(labels, dtype=np.uint8))
    assert Y.shape == (10, len(labels))
    assert Y.sum(axis=0).tolist() == [1] * len(labels)
    assert Y.argmax(axis=0).tolist() == labels


@given(st.lists(st.integers(0, 9), min_size=1), st.data())
def test_accuracy_counts_hits(labels, data):
    answers = data.draw(st.lists(st.integers(0, 9), min_size=len(labels), max_size=len(labels)))
    hits = sum(a == b for a, b in zip(answers, labels))
    assert nn.accuracy(nn.one_hot(np.array(answers)), np.array(labels)) == hits / len(labels)


def test_start_is_uniform_small_and_of_7960_parameters():
    parameters = nn.initialize(np.random.default_rng(0))
    values = np.concatenate([p.ravel() for p in parameters])
    assert len(values) == 7960
    assert values.dtype == np.float32
    assert -0.5 <= values.min() < -0.499
    assert 0.499 < values.max() < 0.5
    assert values.var() == pytest.approx(1 / 12, rel=0.05)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_type_follows_the_parameters(dtype):
    parameters, X, _, Y = example(dtype=dtype)
    gradients = our_gradient(parameters, X, Y)
    moved = nn.descend(parameters, gradients, 0.1)
    for array in (*nn.forward(parameters, X), *gradients, *moved):
        assert array.dtype == dtype


# The traps.


def test_trap_bias_gradient_summed_over_the_whole_matrix():
    """All of dZ2 adds up to 0: whoever sums over both axes never moves b2."""
    parameters, X, labels, Y = example()
    slopes = our_gradient(parameters, X, Y).b2
    assert slopes.shape == (10, 1)
    assert abs(slopes.sum()) < 1e-15
    assert np.abs(slopes).max() > 0.01
    p = nn.forward(parameters, X).A2  # a bias adds to its digit's score: mean of said minus wanted
    assert slopes.ravel() == pytest.approx(p.mean(axis=1) - np.bincount(labels, minlength=10) / 17)


def test_trap_loss_as_a_sum_of_differences():
    """The sum of Y - A2 is 0, however bad the network; the loss is 0 only if sure and right."""
    Y = nn.one_hot(np.array([3]))
    assert nn.cross_entropy(100 * Y, Y) == pytest.approx(0, abs=1e-9)
    assert nn.cross_entropy(-100 * Y, Y) == pytest.approx(100 + math.log(9))


def test_trap_softmax_of_large_scores():
    assert nn.softmax(np.array([[1000.0], [0.0]])).tolist() == [[1], [0]]
    assert nn.softmax(np.array([[-1000.0], [-1000.0]])).tolist() == [[0.5], [0.5]]


def test_trap_softmax_with_one_denominator_for_all_columns():
    Z = np.random.default_rng(0).standard_normal((10, 4))
    columns = [nn.softmax(Z[:, [i]]) for i in range(4)]
    assert np.allclose(nn.softmax(Z), np.hstack(columns), rtol=1e-14)
    assert nn.softmax(Z).sum(axis=0) == pytest.approx([1] * 4)


def test_trap_one_hot_sized_by_the_largest_label():
    Y = nn.one_hot(np.array([3, 1]))  # a batch without a 9
    assert Y.shape == (10, 2)
    assert nn.one_hot(np.array([3, 1]), classes=4).shape == (4, 2)


def test_trap_test_pictures_among_the_training_pictures():
    pixels = np.arange(50)[:, None] * np.ones((1, 784), int)
    labels = np.arange(50) % 10
    training, test = nn.split(pixels, labels, 20, np.random.default_rng(0))
    seen, unseen = set(training[0][:, 0]), set(test[0][:, 0])
    assert (len(seen), len(unseen)) == (30, 20)
    assert not seen & unseen
    for part in (training, test):
        assert (part[0][:, 0] % 10 == part[1]).all()  # each picture keeps its label
    assert unseen != set(range(30, 50)) and unseen != set(range(20))  # chance decides
    other = nn.split(pixels, labels, 20, np.random.default_rng(1))[1]
    assert set(other[0][:, 0]) != unseen


# The numbers in the prose, Parts 1 to 5.


def test_prose_the_picture_of_the_two(default):
    shown = re.findall(r"^#     ([.0-9](?: [.0-9]){19})$", SOURCE, re.M)
    picture = default.pixels[221].reshape(28, 28)
    middle = [
        " ".join(str(9 * int(ink) // 255) if ink else "." for ink in row[6:26])
        for row in picture[7:21]
    ]
    assert shown == middle
    assert np.count_nonzero(picture) - np.count_nonzero(picture[7:21, 6:26]) < 10  # hardly any ink
    assert default.labels[221] == 2


def test_prose_how_many_pictures(default):
    assert_stated(r"([0-9,]+) such pictures", len(default.labels) + len(default.labels_test))
    assert_stated(r"([0-9,]+) \*training\* pictures", len(default.labels))
    assert_stated(r"([0-9,]+) others, the \*test\* pictures", len(default.labels_test))
    two = re.search(r"a 2 becomes ([01 ]{19})\.", PROSE)[1]
    assert nn.one_hot(np.array([2])).ravel().tolist() == list(map(int, two.split()))


def test_prose_the_matrix_product():
    pattern = r"^#     \[(-?\d) +(-?\d) +(-?\d)\].*\[(\d)\] [ =] \[(.*)\] [ =] \[(\d+)\]$"
    rows = re.findall(pattern, SOURCE, re.M)
    W, b, products, scores = zip(*((row[:3], *row[3:]) for row in rows))
    x = re.findall(r"^#     .{11}[ @]+\[(\d\d)\](?: |$)", SOURCE, re.M)
    W, b, x, scores = (np.array(part, int) for part in (W, b, x, scores))
    assert (W.shape, x.tolist()) == ((2, 3), [10, 20, 30])
    assert (W @ x[:, None] + b[:, None]).ravel().tolist() == scores.tolist() == [55, 70]
    assert [eval(product) for product in products] == scores.tolist()
    assert_stated(r"0 \* 30 \+ 5 = ([0-9]+)\.", np.array([1, 2, 0]) @ x + 5)


def test_prose_how_many_parameters(default):
    assert_stated(r"10 \+ 10 \* 10 \+ 10 = ([0-9,]+) numbers", sum(P.size for P in default.start))
    assert_stated(r"All ([0-9,]+) slopes", sum(P.size for P in default.start))


def test_prose_one_point_more_is_2_7_times_as_probable():
    for z in (-3.0, 0.0, 5.0):
        p = nn.softmax(np.array([[z + 1], [z], [1.0]]))
        assert_stated(r"exp\(z\), ([0-9.]+) to the power z", p[0, 0] / p[1, 0])
        assert_stated(r"one point more is ([0-9.]+) times", p[0, 0] / p[1, 0])


def test_prose_the_loss_of_a_shrug_of_a_halving_and_of_the_start(default):
    def loss(p, classes=2):
        Z = np.log([[p]] + (classes - 1) * [[(1 - p) / (classes - 1)]])
        return nn.cross_entropy(Z, nn.one_hot(np.array([0]), classes))

    assert loss(1 - 1e-12) == pytest.approx(0, abs=1e-11)  # sure and right
    for p in (0.8, 0.4, 0.2):
        assert_stated(r"halving of p costs ([0-9.]+) more", loss(p / 2) - loss(p))
    shrug = loss(0.1, 10)
    assert_stated(r"a shrug, p = 1/10, costs ([0-9.]+);", shrug)
    assert_stated(r"confident mistake, p = 1/1000, ([0-9.]+)\. ", loss(0.001, 10))
    first = nn.gradient(default.start, nn.to_columns(default.pixels), default.labels)[0]
    assert_stated(r"It starts at ([0-9.]+): ", first)
    assert first > shrug


def test_prose_two_links_of_a_chain():
    loss = lambda x: (3 * x) ** 2  # noqa: E731
    assert re.search(r"a = 3 \* x and loss = a \* a\. At x = 1, a is 3 and the loss 9\.", PROSE)
    assert loss(1) == 9
    assert_stated(r"2 \* a = ([0-9]+) times", (3.001**2 - 2.999**2) / 0.002)
    h = 0.001
    assert (3 + h) * (3 + h) - 9 == pytest.approx(2 * 3 * h + h * h)
    assert_stated(r"6 \* 3 = ([0-9]+) times", (loss(1.001) - loss(0.999)) / 0.002)
    assert_stated(r"x = 1\.001 gives ([0-9]+\.[0-9]+)\. ", loss(1.001))


def test_prose_the_smallest_probability_of_float32():
    limit = float(stated(r"in float32 a probability below (\S+) or so is 0"))
    smallest = float(np.finfo(np.float32).smallest_subnormal)
    assert limit < smallest < 2 * limit
    Z = np.array([[0.0], [200.0]], np.float32)
    assert nn.softmax(Z)[0, 0] == 0
    assert nn.cross_entropy(Z, np.array([[1], [0]], np.float32)) == 200


def test_prose_three_learning_rates(trained):
    for rate, loss, right in re.findall(r"#-> +([0-9.]+): loss ([0-9.]+), test ([0-9.]+)%", SOURCE):
        if rate == "0.1":
            ours = trained.seen[100][1], trained.seen_test[10][2]
            assert trained.seen_test[10][0] == 100
        else:
            learnt, our_loss, _ = trained.after(trained.start, float(rate), 100)[-1]
            activations = nn.forward(learnt, trained.X_test)
            ours = our_loss, nn.accuracy(activations.A2, trained.labels_test)
            if rate == "10":
                assert not activations.A1.any()  # all dead
        assert ours == pytest.approx((float(loss), float(right) / 100), rel=0.01), rate
    assert len(re.findall(r"#-> +[0-9.]+: loss", SOURCE)) == 3


def test_prose_a_learning_rate_of_1_does_well_for_a_hundred_steps(trained):
    """How well, rounding has a say in: 84.6 to 85.7 % were seen."""
    learnt = trained.after(trained.start, 1, 100)[-1][0]
    right = nn.accuracy(nn.forward(learnt, trained.X_test).A2, trained.labels_test)
    assert_stated(r"\b1 [a-z ]+ \((?:about )?([0-9.]+) %\)", 100 * right, tolerance=1.5)
    assert right > trained.seen_test[10][2] + 0.2


def test_prose_a_learning_rate_of_3_silences_the_network(trained):
    """Which neurons die, and when, rounding decides; that hardly any is left, it does not."""
    X = nn.to_columns(trained.pixels[:5000])
    learnt = trained.after(trained.start, 3, 300)[-1][0]
    reached = [nn.forward(p, X).A1.any(axis=0).mean() for p in (trained.start, learnt)]
    assert reached[0] > 0.9  # of the pictures make some hidden neuron pass something on
    assert reached[1] < 0.05


def test_prose_a_step_grows_with_the_square_of_the_pixels(default):
    """Same dZ1, pixels 255 times as large: the step changes scores 255 * 255 times as much."""
    X, Y = default.X_test[:, :50].astype(np.float64), nn.one_hot(default.labels_test[:50])
    activations = nn.forward(default.start, X)
    plain, raw = (nn.backward(default.start, k * X, Y, activations).W1 @ (k * X) for k in (1, 255))
    assert_stated(r"255 \* 255 = ([0-9,]+) times", np.abs(raw).max() / np.abs(plain).max())
    assert np.allclose(raw, 65_025 * plain)


def test_prose_raw_pixels_kill_all_ten_neurons_in_two_steps(default):
    X = nn.to_columns(default.pixels, 1)
    assert (X.min(), X.max()) == (0, 255)
    alive = [
        (nn.forward(p, X).Z1 > 0).any(axis=1).sum()
        for p, *_ in default.after(default.start, 0.1, 2, divisor=1)
    ]
    assert alive[0] == 10 and alive[1] > 0 and alive[2] == 0
    assert "two steps kill all ten neurons" in PROSE


def test_prose_from_zero_only_b2_moves_and_the_answer_is_1(default):
    zero = nn.Parameters(*(np.zeros_like(P) for P in default.start))
    learnt = default.after(zero, 0.1, 20)[-1][0]
    assert [bool(P.any()) for P in learnt] == [False, False, False, True]
    answers = set(nn.forward(learnt, default.X_test).A2.argmax(axis=0).tolist())
    assert answers == {int(stated(r"the answer to every picture is ([0-9]),"))}
    assert answers == {np.bincount(default.labels).argmax()}  # the most frequent digit


def test_prose_a_start_a_hundred_times_as_wide_shouts(default):
    """How much is right later depends on rounding; that it is little does not."""
    wide = nn.Parameters(*(100 * P for P in default.start))
    states = default.after(wide, 0.1, 100)
    assert_stated(r"a loss of ([0-9,]+) at first,", states[0][1])
    right = nn.accuracy(nn.forward(states[-1][0], default.X_test).A2, default.labels_test)
    assert_stated(r"([0-9.]+) % right after a hundred steps", 100 * right, tolerance=5)


def test_prose_750_steps(trained):
    assert len(trained.seen) == 751 and trained.seen_test[-1][0] == 750
    assert_stated(r"750 steps at 0\.1 get ([0-9.]+) % of", 100 * trained.seen_test[-1][2], 0.25)
    assert trained.seen[-1][2] > 0.86
    losses = [loss for _, loss, _ in trained.seen]
    assert all(after < before for before, after in itertools.pairwise(losses[::10]))
    p = float(stated(r"sqrt\(([0-9.]+) \* 0\.13 / 1000\)"))
    assert p == round(trained.seen_test[-1][2], 2) and 1 - p == pytest.approx(0.13)
    assert_stated(r"0\.13 / 1000\), ([0-9.]+) points", 100 * math.sqrt(p * (1 - p) / 1000))
