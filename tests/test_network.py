"""The mathematics: known answers, properties, finite differences, two autograd engines, traps."""

import itertools
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from micrograd.engine import Value

import Neural_Network_from_Scratch as nn

SIZES = [(hidden, m) for hidden in (1, 3, 10) for m in (1, 2, 17)]
INPUTS = 6


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


def train(parameters, training, test, iterations, learning_rate, **options):
    """Full-batch training as in Part 5."""
    work = itertools.repeat(training), test, nn.gradient
    return nn.train(parameters, *work, iterations, learning_rate, **options)


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
    *_, last = train(parameters, (X, labels), (X, labels), 20, 0.1)
    theirs = tuple(parameters)
    for _ in range(20):
        slopes = grad(autograd_loss)(theirs, X.T, labels)
        theirs = tuple(p - 0.1 * slope for p, slope in zip(theirs, slopes))
    assert last.iteration == 20
    assert_close(last.parameters, theirs)
    assert not np.array_equal(last.parameters.W1, parameters.W1)


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
def test_the_check_of_every_start_sees_a_wrong_gradient(monkeypatch, kind):
    right = nn.backward

    def wrong(*arguments):
        gradients = right(*arguments)
        return gradients._replace(**{kind: getattr(gradients, kind) * 1.001})

    monkeypatch.setattr(nn, "backward", wrong)
    parameters, X, _, Y = example(hidden=10, m=5, inputs=784, dtype=np.float32)
    assert nn.gradient_check(parameters, X, Y, np.random.default_rng(0)) > 1e-4


# The gradient in blocks, in batches, and with weight decay.


def pictures(m, dtype=np.float64):
    """X and labels of m pictures with ink in a box somewhere; the last of them is blank."""
    rng = np.random.default_rng(m)
    X = np.zeros((28, 28, m), dtype)
    for i in range(m - 1):
        (top, left), (height, width) = rng.integers(0, 20, 2), rng.integers(1, 9, 2)
        X[top : top + height, left : left + width, i] = rng.random((height, width))
    return X.reshape(784, m), rng.integers(0, 10, m)


@pytest.mark.parametrize("m", [1, 63, 64, 65, 2047, 2048, 5000])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("size", [64, 2048])
def test_gradient_in_blocks_is_the_gradient(m, dtype, tolerance, size):
    X, labels = pictures(m, dtype)
    parameters = nn.initialize(np.random.default_rng(0), dtype=dtype)
    blocks = nn.make_blocks(X, labels, size)
    assert sum(block.labels.size for block in blocks) == m
    if m == 5000:  # pixels are left out indeed
        assert all(len(block.pixels) < 784 for block in blocks)
    loss, fraction, gradients = nn.gradient(parameters, X, labels)
    with ThreadPoolExecutor(3) as pool:
        for each in (map, pool.map):
            ours = nn.gradient_in_blocks(parameters, *blocks, each=each)
            assert ours[0] == pytest.approx(loss, rel=tolerance)
            assert ours[1] == pytest.approx(fraction, rel=1e-12)
            assert_close(ours[2], gradients, tolerance)
            assert all(slope.dtype == dtype for slope in ours[2])


def test_gradient_in_blocks_of_blank_pictures():
    X, labels = np.zeros((784, 100)), np.arange(100) % 10
    parameters = nn.initialize(np.random.default_rng(0), dtype=np.float64)
    _, _, ours = nn.gradient_in_blocks(parameters, *nn.make_blocks(X, labels))
    assert not ours.W1.any()
    assert_close(ours[1:], nn.gradient(parameters, X, labels)[2][1:], 1e-12)


def test_overflow_in_a_thread_makes_no_noise():
    X, labels = pictures(100, np.float32)
    huge = nn.Parameters(*(p * np.float32(3e38) for p in nn.initialize(np.random.default_rng(0))))
    with np.errstate(all="ignore"), ThreadPoolExecutor(2) as pool:  # a warning would be an error
        loss, *_ = nn.gradient_in_blocks(huge, *nn.make_blocks(X, labels), each=pool.map)
    assert not np.isfinite(loss)


def test_block_gradients_do_not_average_to_the_gradient_without_their_shares():
    """The wrong version: the last block is smaller, and its examples would count for more."""
    X, labels = pictures(65)
    parameters = nn.initialize(np.random.default_rng(0), dtype=np.float64)
    parts = [nn.gradient_in_blocks(parameters, b)[2].b2 for b in nn.make_blocks(X, labels, 64)]
    right = nn.gradient(parameters, X, labels)[2].b2
    assert np.abs(np.mean(parts, axis=0) - right).max() > 1e-3 * np.abs(right).max()


def test_blocks_give_the_same_bits_on_any_number_of_cores():
    code = (
        "import os, sys; os.environ['OPENBLAS_NUM_THREADS'] = '1'\n"
        f"sys.path.insert(0, {str(nn.Path(nn.__file__).parent)!r})\n"
        "import numpy as np, Neural_Network_from_Scratch as nn\n"
        "X = np.random.default_rng(0).random((784, 9000), dtype=np.float32)\n"
        "X = X.reshape(28, 28, -1)\n"
        "X[:, :8, :5000] = X[:, 20:, 4000:] = 0\n"
        "X = X.reshape(784, -1)\n"
        "blocks = nn.make_blocks(X, np.arange(9000) % 10)\n"
        "assert all(block.pixels.size < 784 for block in blocks[:2])\n"
        "start = nn.initialize(np.random.default_rng(1))\n"
        "for cores in (1, 2, 4):\n"
        "    with nn.ThreadPoolExecutor(cores) as pool:\n"
        "        gradient = nn.partial(nn.gradient_in_blocks, each=pool.map)\n"
        "        test = X[:, :10], np.arange(10)\n"
        "        *_, last = nn.train(start, nn.repeat(blocks), test, gradient, 20, 0.1)\n"
        "    print(last.loss.hex(), hash(b''.join(p.tobytes() for p in last.parameters)))\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    assert len(set(lines)) == 1


@pytest.mark.parametrize("size", [1, 7, 17, 40])
def test_mini_batches_of_an_epoch_average_to_the_full_gradient(size):
    parameters, X, labels, Y = example(m=17)
    batches = nn.mini_batches(X, labels, size, np.random.default_rng(0))
    total, seen = nn.Parameters(*(np.zeros_like(p) for p in parameters)), []
    while len(seen) < 17:
        x, y = next(batches)
        assert len(y) == min(size, 17 - len(seen))
        slopes = nn.gradient(parameters, x, y)[2]
        total = nn.Parameters(*(t + s * len(y) / 17 for t, s in zip(total, slopes)))
        seen += x[0].tolist()
    assert sorted(seen) == sorted(X[0])  # every example once
    assert_close(total, our_gradient(parameters, X, Y), 1e-13)
    epoch = list(itertools.islice(batches, -(-17 // size)))
    again = np.concatenate([x[0] for x, _ in epoch]).tolist()
    assert sorted(again) == sorted(seen)
    if size < 17:
        assert again != seen  # reshuffled


def test_weight_decay_is_the_gradient_of_the_penalised_loss():
    parameters, X, labels, Y = example()
    ours = nn.decay(nn.gradient(parameters, X, labels)[2], parameters, 0.3)
    h = 1e-5
    for k, P in enumerate(parameters):
        for i in range(P.size):

            def penalised(step, k=k, i=i):
                moved = [p.copy() for p in parameters]
                moved[k].flat[i] += step
                squares = (moved[0] ** 2).sum() + (moved[2] ** 2).sum()
                return our_loss(nn.Parameters(*moved), X, Y) + 0.3 / 2 * squares

            slope = (penalised(h) - penalised(-h)) / (2 * h)
            assert ours[k].flat[i] == pytest.approx(slope, abs=1e-8)


def test_training_with_decay_and_cosine_takes_the_steps_that_it_says():
    parameters, X, labels, Y = example(hidden=10, m=17)
    options = {"weight_decay": 0.3, "schedule": nn.cosine}
    records = list(train(parameters, (X, labels), (X, labels), 4, 0.5, **options))
    for before, after in itertools.pairwise(records):
        rate = 0.5 * (1 + math.cos(math.pi * before.iteration / 4)) / 2
        slopes = our_gradient(before.parameters, X, Y)
        W1, b1 = before.parameters.W1, before.parameters.b1
        assert np.allclose(after.parameters.W1, W1 - rate * (slopes.W1 + 0.3 * W1), rtol=1e-12)
        assert np.allclose(after.parameters.b1, b1 - rate * slopes.b1, rtol=1e-12)


def test_cosine_from_all_through_half_to_nothing():
    assert [nn.cosine(t) for t in (0, 0.5, 1)] == pytest.approx([1, 0.5, 0], abs=1e-15)
    assert (np.diff([nn.cosine(t) for t in np.linspace(0, 1, 100)]) < 0).all()


def test_he_start_has_variance_two_over_inputs():
    W1, b1, W2, b2 = nn.initialize_he(np.random.default_rng(0), hidden=400)
    assert W1.var() == pytest.approx(2 / 784, rel=0.02)
    assert W2.var() == pytest.approx(2 / 400, rel=0.1)
    assert abs(W1.mean()) < 1e-3
    assert not b1.any() and not b2.any()
    assert {p.dtype for p in (W1, b1, W2, b2)} == {np.dtype(np.float32)}


def test_looking_at_the_test_images_less_often_changes_nothing_else():
    parameters, X, labels, _ = example(hidden=10, m=17)
    often, seldom = (
        list(train(parameters, (X, labels), (X, labels), 7, 0.5, test_every=n)) for n in (1, 3)
    )
    for a, b in zip(often, seldom):
        assert (a.loss, a.parameters.W1.tobytes()) == (b.loss, b.parameters.W1.tobytes())
        looked = often[b.iteration if b.iteration == 7 else b.iteration // 3 * 3]
        assert (b.test_loss, b.test_accuracy) == (looked.test_loss, looked.test_accuracy)


# Properties of the small functions.

scores = arrays(
    np.float64, array_shapes(min_dims=2, max_dims=3, max_side=12), elements=st.floats(-1e4, 1e4)
)


@given(scores)
def test_softmax_columns_are_probabilities(Z):
    A = nn.softmax(Z)
    assert (A >= 0).all()
    assert np.allclose(A.sum(axis=-2), 1, rtol=1e-12)


@given(scores, st.floats(-1e4, 1e4))
def test_softmax_and_loss_do_not_see_a_shift(Z, shift):
    Y = nn.one_hot(np.zeros(Z.shape[-1], int), Z.shape[-2])
    assert np.allclose(nn.softmax(Z + shift), nn.softmax(Z), atol=1e-10)
    assert np.isclose(nn.cross_entropy(Z + shift, Y), nn.cross_entropy(Z, Y), atol=1e-9)


@given(scores)
def test_softmax_keeps_the_order_of_scores(Z):
    order = np.argsort(Z, axis=-2)
    assert (np.diff(np.take_along_axis(nn.softmax(Z), order, axis=-2), axis=-2) >= 0).all()


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


def test_a_stack_of_matrices_gives_the_results_of_each():
    parameters, X, _, Y = example(m=12)
    stack_X, stack_Y = (np.stack(np.split(M, 4, axis=1)) for M in (X, Y))
    activations = nn.forward(parameters, stack_X)
    gradients = nn.backward(parameters, stack_X, stack_Y, activations)
    assert np.allclose(np.hstack(activations.A2), nn.forward(parameters, X).A2)
    for stacked, whole in zip(gradients, our_gradient(parameters, X, Y)):
        assert np.allclose(stacked.mean(axis=0), whole)


def test_train_tells_the_state_after_each_step_and_computes_only_when_asked():
    parameters, X, labels, Y = example(hidden=10, m=17)
    records = list(train(parameters, (X, labels), (X[:, :5], labels[:5]), 3, 0.5))
    assert [record.iteration for record in records] == [0, 1, 2, 3]
    assert records[0].parameters is parameters
    for before, after in itertools.pairwise(records):
        expected = nn.descend(before.parameters, our_gradient(before.parameters, X, Y), 0.5)
        assert all(np.array_equal(p, q) for p, q in zip(after.parameters, expected))
    for record in records:
        A2 = nn.forward(record.parameters, X).A2
        assert record.loss == our_loss(record.parameters, X, Y)
        assert record.accuracy == nn.accuracy(A2, labels)
        assert record.test_loss == our_loss(record.parameters, X[:, :5], Y[:, :5])
        assert record.test_accuracy == nn.accuracy(A2[:, :5], labels[:5])


@pytest.mark.parametrize(("rate", "what"), [(1e3, "neuron is dead"), (1e30, "loss is nan")])
def test_train_stops_when_learning_breaks_down(rate, what):
    parameters, X, labels, _ = example(hidden=10, m=17, dtype=np.float32)
    with np.errstate(all="ignore"), pytest.raises(nn.UserError, match=f"{what}.*smaller than"):
        for record in train(parameters, (X, labels), (X, labels), 200, rate):
            assert np.isfinite(record.loss)


# The traps: each wrong version is written out and seen to fail where ours passes.


def test_a_batch_on_which_no_neuron_fires_is_no_breakdown():
    """One hidden neuron and batches of one picture: it is often silent, and yet alive."""
    parameters, X, labels, _ = example(hidden=1, m=17)
    silent = ~(nn.forward(parameters, X).Z1 > 0).any(axis=0)
    assert 0 < silent.sum() < 17
    batches = nn.mini_batches(X, labels, 1, np.random.default_rng(0))
    records = list(nn.train(parameters, batches, (X, labels), nn.gradient, 50, 0.01, test_every=20))
    assert len(records) == 51


def test_trap_bias_gradient_summed_over_the_whole_matrix():
    parameters, X, _, Y = example()
    dZ2 = nn.forward(parameters, X).A2 - Y
    assert abs(np.sum(dZ2) / X.shape[1]) < 1e-15  # so b2 would never learn
    assert np.abs(our_gradient(parameters, X, Y).b2).max() > 0.01


def test_trap_loss_as_a_sum_of_differences():
    parameters, X, _, Y = example()
    assert abs(np.sum(Y - nn.forward(parameters, X).A2)) < 1e-13  # zero, however bad the network
    assert our_loss(parameters, X, Y) > 1


def test_trap_softmax_without_subtracting_the_maximum():
    Z = np.array([[1000.0], [0.0]])
    with np.errstate(all="ignore"):
        assert np.isnan(np.exp(Z) / np.exp(Z).sum(axis=0)).any()
    assert nn.softmax(Z).tolist() == [[1], [0]]


def test_trap_softmax_with_one_denominator_for_all_columns():
    Z = np.zeros((10, 4))
    assert (np.exp(Z) / np.sum(np.exp(Z))).sum(axis=0) == pytest.approx([0.25] * 4)
    assert nn.softmax(Z).sum(axis=0) == pytest.approx([1] * 4)
    assert np.allclose(np.exp(Z) / sum(np.exp(Z)), nn.softmax(Z))  # Python's sum() adds up rows


def test_trap_one_hot_sized_by_the_largest_label():
    labels = np.array([3, 1])  # a batch without a 9
    wrong = np.zeros((labels.max() + 1, labels.size))
    A2 = np.full((10, 2), 0.1)
    with pytest.raises(ValueError, match="broadcast"):
        A2 - wrong
    assert (A2 - nn.one_hot(labels)).shape == (10, 2)


def test_trap_test_images_among_the_training_images():
    pixels = np.arange(50)[:, None] * np.ones((1, 784), int)
    labels = np.arange(50) % 10
    training, test = nn.split(pixels, labels, 20, np.random.default_rng(0))
    seen, unseen = set(training[0][:, 0]), set(test[0][:, 0])
    assert (len(seen), len(unseen)) == (30, 20)
    assert not seen & unseen
    for part in (training, test):
        assert (part[0][:, 0] % 10 == part[1]).all()  # each picture keeps its label
    wrong = set(pixels[:20, 0])  # pictures taken from the file's top, whatever was held out
    assert wrong & seen


def test_trap_raw_pixels_kill_the_network(digits):
    pixels, labels = digits
    rng = np.random.default_rng(nn.SEED)
    parameters = nn.initialize(rng)
    X = pixels[:2000].T.astype(np.float32)
    Z2 = nn.forward(parameters, X).Z2
    with np.errstate(all="ignore"):
        assert np.isnan(np.exp(Z2) / np.exp(Z2).sum(axis=0)).any()  # a naive softmax, at once
    assert np.isfinite(nn.forward(parameters, X).A2).all()
    with pytest.raises(nn.UserError, match="every hidden neuron is dead"):
        for record in train(parameters, (X, labels[:2000]), (X, labels[:2000]), 20, 0.1):
            assert record.iteration < 6
    divided = nn.to_columns(pixels[:2000]), labels[:2000]
    *_, last = train(parameters, divided, divided, 20, 0.1)
    assert last.accuracy > 0.15
