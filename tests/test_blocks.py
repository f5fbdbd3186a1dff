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
    pages = rng.integers(0, ink + 1, (m, 28, 28), np.uint8)
    pages[:, :4] = 0
    pages[: m // 2, :, :8] = 0
    pages[m // 2 :, :, 20:] = 0
    pages[-1] = 0
    pixels = pages.reshape(m, 784)
    labels = rng.integers(0, 10, m)
    parameters = nn.initialize(rng, hidden=hidden, dtype=dtype)
    X = np.divide(pixels, 255, dtype=dtype).T
    return parameters, pixels, labels, nn.gradient(parameters, X, labels)


def assert_close(ours, theirs):
    """Equal in shape and type, and in values relative to the largest."""
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    most = ROUNDING[theirs.dtype.type] * np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=most)


def assert_same(ours, theirs):
    """Loss, accuracy and the four gradients agree."""
    assert ours[:2] == pytest.approx(theirs[:2], rel=1e-5)
    for slopes, expected in zip(ours[2], theirs[2]):
        assert_close(slopes, expected)


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("hidden", [10, 20])  # with tiles, and without
@pytest.mark.parametrize(("m", "ink"), [(1, 255), (64, 255), (64, 0), (7000, 255)])
def test_gradient_in_blocks_is_the_gradient(m, ink, hidden, dtype):
    """To the last bit the same on any number of cores."""
    parameters, pixels, labels, expected = example(m, hidden, dtype, ink)
    blocks = nn.make_blocks(pixels, labels)
    bits = set()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(3) as three:
        for map_blocks in (map, one.map, three.map):
            ours = nn.gradient_in_blocks(parameters, blocks, map_blocks)
            assert_same(ours, expected)
            bits.add((ours[0], *[dP.tobytes() for dP in ours[2]]))
    assert len(bits) == 1
    for kept, *_ in blocks:
        assert kept.dtype == np.uint8  # bytes, not four times as much


def test_a_change_that_blocks_know_nothing_of_is_noticed(monkeypatch):
    """They leave out blank pixels: so here the shapes do not fit."""
    parameters, pixels, labels, _ = example(50)
    assert nn.agree(parameters, pixels, labels)
    forward = nn.forward

    def let_X_meet_more(parameters, X):
        activations = forward(parameters, X)
        Z2 = activations.Z2 + np.ones(nn.PIXELS) @ X
        return activations._replace(Z2=Z2)

    monkeypatch.setattr(nn, "forward", let_X_meet_more)
    assert not nn.agree(parameters, pixels, labels)


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
        assert_close(W.dot(tiles), W @ plain)
        assert_close(W[0] @ tiles, W[0] @ plain)
        assert_close(W @ tiles[:, 0], W @ plain[:, 0])
        assert_close(dZ @ tiles.T, dZ @ plain.T)
        assert_close(dZ.copy() @ tiles.T, dZ @ plain.T)
        with pytest.raises(ValueError):  # shapes that do not fit
            np.ones((rows, inputs + 64)) @ tiles


# The cores.


def test_two_threads_work_at_once_each_at_a_desk_of_its_own(monkeypatch):
    """Two blocks meet in the middle of their work: one thread alone would wait for ever."""
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
    assert nn.start_threads() is not map

    def no_threads(*arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_threads)
    assert nn.start_threads() is map
