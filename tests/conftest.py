"""What several test files share."""

# ruff: noqa: E402
import os

# No setting of one machine shall decide a test: neither here, nor in the programs that tests start.
for name in "MPLBACKEND", "MATPLOTLIBRC", "COLUMNS", *(k for k in os.environ if k[:6] == "PYTHON"):
    if name not in ("PYTHONPATH", "PYTHONHOME"):  # by which Python finds itself
        os.environ.pop(name, None)

import Neural_Network_from_Scratch as nn  # isort: skip  # first: each matrix product on one core

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest


@pytest.fixture(scope="session")
def digits():
    """The pixels and labels of the embedded file, read once."""
    return nn.load_digits(nn.Path(nn.__file__).parent / "mnist_data" / "train.csv.gz")


@pytest.fixture(scope="session")
def default(digits):
    """What a default run begins with: digits split with the default seed, and the start.

    `after(parameters, learning_rate, steps, divisor=255)` takes steps of full-batch training, and
    returns what `nn.train` yields before each of them and after the last.
    """
    rng = np.random.default_rng(nn.SEED)
    (pixels, labels), (pixels_test, labels_test) = nn.split(*digits, nn.TEST_SIZE, rng)
    start = nn.initialize(rng)
    blocks = {}

    def after(parameters, learning_rate, steps, divisor=255):
        if divisor not in blocks:
            blocks[divisor] = nn.make_blocks(pixels, labels, divisor)
        with np.errstate(all="ignore"), ThreadPoolExecutor(os.cpu_count()) as pool:
            look = partial(nn.gradient_in_blocks, blocks=blocks[divisor], each=pool.map)
            seen = nn.train(parameters, look, learning_rate)
            return [state for _, state in zip(range(steps + 1), seen)]

    return SimpleNamespace(
        start=start,
        pixels=pixels,
        labels=labels,
        pixels_test=pixels_test,
        labels_test=labels_test,
        X_test=nn.to_columns(pixels_test),
        after=after,
    )


@pytest.fixture(scope="session")
def trained(default):
    """The default network, trained once for all tests: 750 steps on the full batch.

    Beside what `default` holds: learnt, seen and seen_test, which are lists of (iteration, loss,
    accuracy); the test pictures are looked at before every tenth step and after the last.
    """
    states = default.after(default.start, 0.1, 750)
    seen, seen_test = [], []
    for iteration, (parameters, loss, fraction) in enumerate(states):
        seen.append((iteration, loss, fraction))
        if iteration % 10 == 0:
            test = nn.gradient(parameters, default.X_test, default.labels_test)
            seen_test.append((iteration, *test[:2]))
    return SimpleNamespace(**vars(default), learnt=states[-1][0], seen=seen, seen_test=seen_test)
