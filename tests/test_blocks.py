"""Part 8: the gradient in blocks is the gradient, and Tiles are the matrix that they stand for."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import Neural_Network_from_Scratch as nn

TYPES = [(np.float32, 1e-5), (np.float64, 1e-12)]  # and how far rounding may go


def pictures(m):
    """Rows of m pictures with ink in a box somewhere, the last of them blank; and their labels."""
    rng = np.random.default_rng(m)
    pixels = np.zeros((m, 28, 28), np.uint8)
    for picture in pixels[:-1]:
        (top, left), (height, width) = rng.integers(0, 20, 2), rng.integers(1, 9, 2)
        box = picture[top : top + height, left : left + width]
        box[:] = rng.integers(0, 256, box.shape)
    return pixels.reshape(m, 784), rng.integers(0, 10, m)


def columns(pixels, dtype, divisor=255):
    """The matrix that Tiles stand for."""
    return np.divide(pixels, divisor, dtype=dtype).T


def assert_close(ours, theirs, tolerance):
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    assert np.abs(ours - theirs).max(initial=0) <= tolerance * np.abs(theirs).max(initial=0)


def assert_same_look(ours, theirs, tolerance):
    """Loss, accuracy and the four gradients agree."""
    assert ours[0] == pytest.approx(theirs[0], rel=tolerance)
    assert ours[1] == pytest.approx(theirs[1], rel=1e-12)
    for slopes, expected in zip(ours[2], theirs[2]):
        assert_close(slopes, expected, tolerance)


# The gradient.


@pytest.mark.parametrize("hidden", [10, 20])  # with tiles, and without
@pytest.mark.parametrize("m", [1, 63, 64, 65, 3071, 3072, 5000])
@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
@pytest.mark.parametrize("size", [64, 3072])
def test_gradient_in_blocks_is_the_gradient(hidden, m, dtype, tolerance, size):
    pixels, labels = pictures(m)
    parameters = nn.initialize(np.random.default_rng(0), hidden=hidden, dtype=dtype)
    blocks = nn.make_blocks(pixels, labels, size=size)
    expected = nn.gradient(parameters, columns(pixels, dtype), labels)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(3) as three:
        for each in (map, one.map, three.map):
            ours = nn.gradient_in_blocks(parameters, blocks, each)
            assert_same_look(ours, expected, tolerance)


def test_cores_share_the_blocks_out(monkeypatch):
    """Two blocks meet in the middle of their work: one core alone would wait for ever. And no
    block is looked at twice."""
    together, gradient, seen = threading.Barrier(2, timeout=20), nn.gradient, []

    def meet(*arguments):
        seen.append(arguments[1])
        together.wait()
        return gradient(*arguments)

    pixels, labels = pictures(128)
    monkeypatch.setattr(nn, "gradient", meet)
    with ThreadPoolExecutor(2) as pool:
        blocks = nn.make_blocks(pixels, labels, size=64)
        nn.gradient_in_blocks(nn.initialize(np.random.default_rng(0)), blocks, pool.map)
    assert len(seen) == 2 and seen[0] is not seen[1]


def test_gradient_in_blocks_of_raw_pixels():
    pixels, labels = pictures(200)
    parameters = nn.initialize(np.random.default_rng(0), dtype=np.float64)
    ours = nn.gradient_in_blocks(parameters, nn.make_blocks(pixels, labels, 1, 64))
    expected = nn.gradient(parameters, nn.to_columns(pixels, 1).astype(np.float64), labels)
    assert_same_look(ours, expected, 1e-12)


def test_gradient_in_blocks_of_blank_pictures():
    pixels, labels = np.zeros((128, 784), np.uint8), np.arange(128) % 10
    parameters = nn.initialize(np.random.default_rng(0), dtype=np.float64)
    ours = nn.gradient_in_blocks(parameters, nn.make_blocks(pixels, labels, size=64))
    assert not ours[2].W1.any()
    assert_same_look(ours, nn.gradient(parameters, columns(pixels, np.float64), labels), 1e-12)


@pytest.mark.parametrize("line", range(8))
def test_ctrl_c_leaves_no_wrong_numbers_on_the_desk(line):
    """Wherever it comes while a block is spread out, the block before is still read rightly."""
    (X, _), (other, _) = nn.make_blocks(*pictures(128), size=64)
    W = nn.initialize(np.random.default_rng(0)).W1
    expected, lines = W @ X, iter(range(8))

    def interrupt(frame, event, _):
        if frame.f_code is nn.Tiles.tiles.__code__ and event == "line" and next(lines) == line:
            raise KeyboardInterrupt
        return interrupt

    before = sys.gettrace()
    try:
        sys.settrace(interrupt)
        W @ other
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    assert np.array_equal(W @ X, expected)


def test_overflow_in_a_thread_makes_no_noise():
    huge = nn.Parameters(*(P * np.float32(3e38) for P in nn.initialize(np.random.default_rng(0))))
    with np.errstate(all="ignore"), ThreadPoolExecutor(2) as pool:  # a warning would be an error
        loss, *_ = nn.gradient_in_blocks(huge, nn.make_blocks(*pictures(100)), pool.map)
    assert not np.isfinite(loss)


def test_blocks_give_the_same_bits_on_any_number_of_cores():
    """With the file's own setting, one core for each product, which it makes before NumPy loads."""
    code = """
import Neural_Network_from_Scratch as nn
import numpy as np
from concurrent.futures import ThreadPoolExecutor
rng = np.random.default_rng(0)
pixels = rng.integers(0, 256, (9000, 28, 28), np.uint8)
pixels[:5000, :, :8] = pixels[4000:, :, 20:] = 0
blocks = nn.make_blocks(pixels.reshape(9000, 784), np.arange(9000) % 10)
assert len(blocks) == 3 and any(len(X.ink) < 784 for X, _ in blocks)
for hidden in (10, 30):
    for workers in (1, 2, 3):
        with ThreadPoolExecutor(workers) as pool:
            def look(parameters):
                return nn.gradient_in_blocks(parameters, blocks, pool.map)
            start = nn.initialize(np.random.default_rng(1), hidden=hidden)
            for _, (learnt, loss, share) in zip(range(20), nn.train(start, look, 0.1)):
                pass
        print(loss.hex(), share.hex(), *(P.tobytes().hex() for P in learnt))
"""
    settings = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in settings}
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(nn.__file__).parent,
        check=True,
    )
    lines = result.stdout.splitlines()
    assert len(lines) == 6
    assert len(set(lines[:3])) == len(set(lines[3:])) == 1


# The blocks.


def test_every_picture_is_in_one_block_with_its_label():
    pixels, labels = pictures(300)
    pixels[:, 0] = np.arange(300) % 256  # makes every picture known by its first two pixels
    pixels[:, 1] = np.arange(300) // 256
    blocks = nn.make_blocks(pixels, labels, size=128)
    assert [len(labels) for _, labels in blocks] == [128, 128, 44]
    found = []
    for X, its_labels in blocks:
        assert X.pixels.dtype == np.uint8  # bytes, not four times as much
        rows = np.zeros((len(its_labels), 784), int)
        rows[:, X.ink] = X.pixels
        which = rows[:, 0] + 256 * rows[:, 1]
        assert (rows == pixels[which]).all()
        assert (its_labels == labels[which]).all()
        found += which.tolist()
    assert sorted(found) == list(range(300))


def test_pictures_with_ink_in_the_same_place_come_together():
    """Sorted by the left end of the ink, and then by its right end, blocks have blank pixels."""
    pixels = np.zeros((90, 28, 28), np.uint8)
    for i, picture in enumerate(pixels):  # nine places, in turn
        left, width = 5 * (i % 3), 1 + 4 * (i // 3 % 3)
        picture[3, left : left + width] = 255
    blocks = nn.make_blocks(pixels.reshape(90, 784), np.zeros(90, int), size=10)
    ends = [(X.ink[0] % 28, X.ink[-1] % 28) for X, _ in blocks]
    assert ends == [(left, left + more) for left in (0, 5, 10) for more in (0, 4, 8)]
    assert all(X.pixels.all() for X, _ in blocks)  # nothing blank is left


# Tiles alone.


@pytest.mark.parametrize("m", [1, 2, 63, 64, 65, 128, 200, 2048])
@pytest.mark.parametrize("inputs", [1, 7, 784])
@pytest.mark.parametrize(("dtype", "tolerance"), TYPES)
def test_tiles_multiply_like_the_matrix(m, inputs, dtype, tolerance):
    rng = np.random.default_rng([m, inputs])
    pixels = rng.integers(0, 256, (m, inputs), np.uint8)
    pixels[:, ::3] = 0
    X, matrix = nn.Tiles(pixels), columns(pixels, dtype)
    other = nn.Tiles(rng.integers(0, 256, (192, inputs), np.uint8))
    assert X.shape == matrix.shape
    for hidden in (*range(1, 41), 64):
        W = rng.random((hidden, inputs), dtype) - dtype(0.5)
        dZ = rng.random((hidden, m), dtype) - dtype(0.5)
        assert_close(W @ X, W @ matrix, tolerance)
        assert_close(dZ @ X.T, dZ @ matrix.T, tolerance)
        W @ other  # now these lie on the desk
        assert_close(dZ @ X.T, dZ @ matrix.T, tolerance)
        assert_close(np.asfortranarray(W) @ X, W @ matrix, tolerance)
        assert_close(np.asfortranarray(dZ) @ X.T, dZ @ matrix.T, tolerance)


def test_up_to_18_rows_are_multiplied_in_tiles_and_more_in_one_piece():
    X = nn.Tiles(np.ones((128, 5), np.uint8))
    assert X.tiles(18).shape == (2, 64, 5)
    assert X.tiles(19).shape == (1, 128, 5)
    assert nn.Tiles(np.ones((100, 5), np.uint8)).tiles(10).shape == (1, 100, 5)


@pytest.mark.parametrize("hidden", [3, 30])
def test_blank_pixels_drop_out_exactly(hidden):
    pixels, _ = pictures(128)
    pixels[:, 100:] = 0
    X = nn.Tiles(pixels)
    blank = ~pixels.any(axis=0)
    assert X.pixels.shape == (128, np.sum(~blank))
    W = np.random.default_rng(0).random((hidden, 784), np.float32)
    Z = W @ X
    W[:, blank] = np.nan  # whatever meets them
    assert (W @ X == Z).all()
    dW = Z @ X.T
    assert not dW[:, blank].any()
    assert (dW[:, ~blank] != 0).all()


def test_39_percent_of_all_pixels_are_left_out(default):
    """As Part 8 says, of the digits that the default run learns from."""
    blocks = nn.make_blocks(default.pixels, default.labels)
    assert round(1 - sum(X.pixels.size for X, _ in blocks) / default.pixels.size, 2) == 0.39


def test_tiles_do_nothing_but_multiply():
    X, W = nn.Tiles(np.ones((64, 5), np.uint8)), np.ones((2, 5))
    for wrong in (lambda: W + X, lambda: X @ W.T, lambda: W @ X.T, lambda: np.exp(X)):
        with pytest.raises((TypeError, ValueError)):
            wrong()


def test_a_block_is_spread_out_once_for_both_products():
    X = nn.Tiles(np.ones((64, 5), np.uint8))
    dZ = np.ones((1, 5)) @ X
    X.pixels[:] = 0  # which is not seen any more
    assert (dZ @ X.T).all()


def test_every_thread_has_its_own_desk_and_keeps_it():
    large, small = (nn.Tiles(np.full((m, 9), m, np.uint8), 1) for m in (128, 64))
    both_here = threading.Barrier(2, timeout=30)

    def work(X, then):
        ones = np.ones((1, 9))
        ones @ X
        first = nn.Tiles.desk.numbers  # what a thread calls so is its own
        both_here.wait()  # both have spread out their block
        assert (first[: X.pixels.size] == X.pixels[0, 0]).all()  # and mine is still there
        ones @ then
        return first, nn.Tiles.desk.numbers

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(work, (large, small), (small, large))
    assert not any(np.shares_memory(a, b) for a in one for b in two)
    assert one[0] is one[1]  # a smaller block needs no new desk
    assert two[0].size == 64 * 9  # a larger one does
    assert two[1].size == 128 * 9
