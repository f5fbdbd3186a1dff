"""Part 8: the gradient in blocks is the gradient, and Tiles are a matrix like any other."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import Neural_Network_from_Scratch as nn

ROUNDING = {np.float32: 1e-5, np.float64: 1e-12}  # how far it may go, by type


def example(m, hidden=10, dtype=np.float32, ink=255):
    """Parameters, pixels, labels, and what `gradient` finds. The last picture is blank."""
    rng = np.random.default_rng(m)
    pixels = rng.integers(0, ink + 1, (m, 28, 28), np.uint8)
    pixels[:, :4] = 0
    pixels[: m // 2, :, :8] = 0
    pixels[m // 2 :, :, 20:] = 0
    pixels[-1] = 0
    pixels = pixels.reshape(m, 784)
    labels = rng.integers(0, 10, m)
    parameters = nn.initialize(rng, hidden=hidden, dtype=dtype)
    X = np.divide(pixels, 255, dtype=dtype).T
    return parameters, pixels, labels, nn.gradient(parameters, X, labels)


def assert_close(ours, theirs, tolerance=1e-12):
    """Equal in shape and type, and in values relative to the largest."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    largest = np.abs(theirs).max(initial=0)
    assert np.abs(ours - theirs).max(initial=0) <= tolerance * largest


def assert_same(ours, theirs):
    """Loss, accuracy and the four gradients agree."""
    tolerance = ROUNDING[theirs[2].W1.dtype.type]
    assert ours[0] == pytest.approx(theirs[0], rel=tolerance)
    assert ours[1] == pytest.approx(theirs[1], rel=1e-12)
    for slopes, expected in zip(ours[2], theirs[2]):
        assert_close(slopes, expected, tolerance)


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("hidden", [10, 20])  # with tiles, and without
@pytest.mark.parametrize("m", [1, 63, 64, 3072, 7000])
def test_gradient_in_blocks_is_the_gradient(m, hidden, dtype):
    """To the last bit the same on any number of cores."""
    parameters, pixels, labels, expected = example(m, hidden, dtype)
    blocks = nn.make_blocks(pixels, labels)
    bits = set()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(3) as three:
        for map_blocks in (map, one.map, three.map):
            ours = nn.gradient_in_blocks(parameters, blocks, map_blocks)
            assert_same(ours, expected)
            bits.add((ours[0], *[dP.tobytes() for dP in ours[2]]))
    assert len(bits) == 1


def test_blank_pictures_have_a_gradient_too():
    parameters, pixels, labels, expected = example(100, ink=0)
    ours = nn.gradient_in_blocks(parameters, nn.make_blocks(pixels, labels))
    assert_same(ours, expected)


def test_every_picture_is_in_one_block_with_its_label(monkeypatch):
    monkeypatch.setattr(nn, "BLOCK", 128)
    _, pixels, labels, _ = example(300)
    pixels[:, 0] = np.arange(300) % 256  # a picture is known by its first two pixels
    pixels[:, 1] = np.arange(300) // 256
    found = []
    for kept, where, its_labels in nn.make_blocks(pixels, labels):
        assert kept.dtype == np.uint8  # bytes, not four times as much
        assert len(kept) <= 128
        rows = np.zeros((len(kept), 784), int)
        rows[:, where] = kept
        which = rows[:, 0] + 256 * rows[:, 1]
        assert np.array_equal(rows, pixels[which])
        assert np.array_equal(its_labels, labels[which])
        found += which.tolist()
    assert sorted(found) == list(range(300))


@pytest.mark.parametrize("fault", ["none", "no division", "another input", "X twice"])
def test_a_change_that_blocks_know_nothing_of_is_noticed(monkeypatch, fault):
    parameters, pixels, labels, _ = example(50)
    right_forward = nn.forward
    shift = 0.1 if fault == "another input" else 0
    D = np.ones((10, 784), np.float32) / 784

    def forward(parameters, X):
        activations = right_forward(parameters, X - shift)
        if fault == "X twice":
            Z2 = activations.Z2 + D @ X
            activations = activations._replace(Z2=Z2, A2=nn.softmax(Z2))
        return activations

    monkeypatch.setattr(nn, "forward", forward)
    if fault == "no division":
        monkeypatch.setattr(nn, "to_columns", lambda pixels: pixels.T.astype(np.float32))
    assert nn.agree(parameters, pixels, labels) == (fault == "none")


# Tiles alone.


@pytest.mark.parametrize("inputs", [1, 64, 784])
@pytest.mark.parametrize("m", [1, 63, 64, 192])
@pytest.mark.parametrize("rows", [1, 10, 18, 19])
def test_tiles_multiply_like_the_matrix(rows, m, inputs):
    """However X lies in memory, and whichever of the two is transposed."""
    rng = np.random.default_rng([rows, m, inputs])
    W = rng.random((rows, inputs))
    dZ = rng.random((m, rows)).T
    X = rng.random((inputs, 2 * m))
    rightly = X[:, :m].copy(order="F")
    for plain in (rightly, X[:, :m].copy(), X[:, ::2], X[::-1, :m]):
        tiles = plain.view(nn.Tiles)
        assert_close(W @ tiles, W @ plain)
        assert_close(W[0] @ tiles, W[0] @ plain)
        assert_close(W @ tiles[:, 0], W @ plain[:, 0])
        assert_close(dZ @ tiles.T, dZ @ plain.T)
        assert_close(dZ.copy() @ tiles.T, dZ @ plain.T)


def test_tiles_are_an_array_on_which_everything_works():
    plain = np.random.default_rng(0).random((64, 128))
    W = np.random.default_rng(1).random((10, 64))
    X = plain.copy(order="F").view(nn.Tiles)
    assert_close(W.dot(X), W @ plain)
    assert_close(np.matmul(W, X), W @ plain)
    assert_close(W.dot(X).dot(X.T), W @ plain @ plain.T)
    assert_close(X.T @ W.T, plain.T @ W.T)
    assert X.max() == plain.max()
    assert np.array_equal(X * 2, plain * 2)
    for columns in (1, 63, 128):  # shapes that do not fit are refused
        with pytest.raises(ValueError):
            np.ones((10, columns)) @ X


# The cores.


def test_two_cores_work_at_once_each_at_a_desk_of_its_own(monkeypatch):
    """Two blocks meet in the middle of their work: one core alone would wait for ever."""
    monkeypatch.setattr(nn, "BLOCK", 64)
    parameters, pixels, labels, expected = example(128)
    together = threading.Barrier(2, timeout=20)
    gradient = nn.gradient

    def meet(parameters, X, labels):
        before = X.copy()
        together.wait()  # both have spread out their block
        assert np.array_equal(X, before)
        return gradient(parameters, X, labels)

    monkeypatch.setattr(nn, "gradient", meet)
    with ThreadPoolExecutor(2) as pool:
        blocks = nn.make_blocks(pixels, labels)
        ours = nn.gradient_in_blocks(parameters, blocks, pool.map)
    assert_same(ours, expected)


def test_overflow_in_a_thread_makes_no_noise():
    """A warning would be an error here."""
    parameters, pixels, labels, _ = example(100)
    huge = nn.Parameters(*[P * np.float32(3e38) for P in parameters])
    blocks = nn.make_blocks(pixels, labels)
    with ThreadPoolExecutor(2) as pool, np.errstate(all="ignore"):
        loss, *_ = nn.gradient_in_blocks(huge, blocks, pool.map)
    assert not np.isfinite(loss)


def test_threads_are_started_only_where_that_helps(monkeypatch):
    monkeypatch.setattr(nn, "ONE_CORE", False)
    assert nn.start_threads() is map
    monkeypatch.setattr(nn, "ONE_CORE", True)
    each = nn.start_threads()
    assert each is not map
    assert list(each(abs, [-1, 2])) == [1, 2]

    def no_threads(*arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_threads)
    assert nn.start_threads() is map
