"""What several test files share: the digits, the default start, one run of the program."""

# ruff: noqa: E402
import os

# No setting of one machine shall decide a test: neither here, nor in programs that tests start.
for name in list(os.environ):
    if name.startswith(("MPL", "MATPLOTLIB", "PYTHON")) or name == "COLUMNS":
        del os.environ[name]
os.environ["PYTHONUTF8"] = "1"  # as which the tests read what programs print

import Neural_Network_from_Scratch as nn  # isort: skip  # first: each matrix product on one core

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image, ImageOps

SCRIPT = Path(nn.__file__)
SOURCE = SCRIPT.read_text(encoding="utf-8")
# Not nn.DATA, which somebody's own digits may have taken the place of.
EMBEDDED = SCRIPT.parent / "mnist_data" / "train.csv.gz"


@pytest.fixture(autouse=True)
def no_windows():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def photograph(digit, times=6, margin=30, paper=220, ink=40):
    """A digit of MNIST, (784,), enlarged and cut to its ink, on a sheet with this margin."""
    picture = Image.fromarray(digit.reshape(28, 28))
    half = picture.point([0] * 128 + [255] * 128)
    picture = ImageOps.scale(picture.crop(half.getbbox()), times, Image.BICUBIC)
    share = np.pad(picture, margin) / 255
    return Image.fromarray(np.uint8(paper + (ink - paper) * share))


def agrees(shown, value, tolerance=0):
    """Whether a number, as text, is this value, as far as its last digit goes.

    A number such as 2e-10 consists of rounding: it is right within a factor of five.
    """
    number = float(shown.replace(",", ""))
    digits, _, power = shown.partition("e")
    decimals = len(digits.partition(".")[2])
    if power and decimals == 0:
        return value / 5 < number < value * 5
    if decimals == 0 and abs(value) < 10 and value % 1 != 0:
        return False  # a small number is not rounded to a whole one
    unit = 10.0 ** (int(power or 0) - decimals)
    return abs(number - value) <= max(tolerance, 0.6 * unit)  # a half may go either way


def train_plainly(start, X, labels, learning_rate, steps):
    """What `nn.train` yields in full-batch training on the columns of X, plainly."""

    def of_all(parameters):
        return nn.gradient(parameters, X, labels)

    with np.errstate(all="ignore"):
        return list(nn.train(start, of_all, learning_rate, steps))


@pytest.fixture(scope="session")
def digits():
    """The pixels and labels of the embedded file, read once."""
    return nn.load_digits(EMBEDDED)


@pytest.fixture(scope="session")
def default(digits):
    """What a default run begins with: its digits, split with the default seed, and its start."""
    rng = np.random.default_rng(nn.SEED)
    (pixels, labels), (pixels_test, labels_test) = nn.split(*digits, nn.TEST_SIZE, rng)
    start = nn.initialize(rng)
    return SimpleNamespace(
        start=start,
        pixels=pixels,
        labels=labels,
        pixels_test=pixels_test,
        labels_test=labels_test,
        X_test=nn.to_columns(pixels_test),
    )


@pytest.fixture(scope="session")
def default_run(tmp_path_factory):
    """One run of the program with its default options, for all tests that need what it learns.

    Holds output (text), folder (with the figures and network.npz) and learnt (Parameters).
    """
    folder = tmp_path_factory.mktemp("default")
    file = folder / "network.npz"
    command = [sys.executable, SCRIPT, "--no-show", "--data", EMBEDDED]
    command += ["--figures", folder, "--save", file]
    output = subprocess.check_output(command, encoding="utf-8")
    learnt = nn.load_network(file)
    return SimpleNamespace(output=output, folder=folder, learnt=learnt)
