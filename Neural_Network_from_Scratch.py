# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=2.0", "pandas>=2.2.2", "matplotlib>=3.9"]
# ///

# %% [markdown]
"""
# A neural network from scratch

This file teaches a network of 7,960 numbers to read handwritten digits. Every gradient is
derived by hand, every line of the mathematics is here, and nothing is hidden in a framework:
NumPy multiplies matrices, pandas reads the digits, matplotlib draws the pictures.

Run it:

    pip install -r requirements.txt
    python Neural_Network_from_Scratch.py

then read it from top to bottom:

1. The data: a picture is a column of 784 numbers
2. The network: from 784 numbers to ten probabilities
3. The loss and its gradient: how wrong is it, and which way is better? Six equations
4. Is the mathematics right? A check that runs at every start
5. Learning: gradient descent is one line
6. Everything else is efficiency: the same gradient, added up in blocks on every core
7. Looking inside: curves, predictions, what each hidden neuron learnt
8. The command line: options, messages, the order of a run

Throughout, m is the number of examples and a COLUMN is an example: X has shape (784, m).
"eq. 29" is equation 29 of docs/The_Core_Mathematics.md, where each is derived step by step, and
where section 12 works a whole step of learning with pencil and paper. `# %%` begins a notebook
cell; those that say "Try it" are comments here, and run in docs/Neural_Network_from_Scratch.ipynb.
"""

# %%
import argparse
import math
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

AS_PROGRAM = __name__ == "__main__" and "ipykernel" not in sys.modules  # no import, no notebook
if AS_PROGRAM:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a quiet end if Ctrl-C comes while packages load
FULL_BATCH = not any(word.startswith("--batch-size") for word in sys.argv)
if __name__ == "__main__" and FULL_BATCH and "numpy" not in sys.modules:
    # One core for each product (Part 6). NumPy reads this when it loads, most builds the first
    # line, some the second. Mini-batches are too small to be cut into blocks, and do without.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("MKL_NUM_THREADS", "1")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

PIXELS = 28 * 28
CLASSES = 10
TEST_SIZE = 1000
SEED = 1  # the first, counting from 0, whose training accuracy reaches 87 %


class UserError(Exception):
    """One line that tells the person at the terminal what is wrong and what to do."""


# %% [markdown]
# ## Part 1: The data
#
# The file is a table: each row holds a label (the digit, 0 to 9) and 784 pixels, 0 (paper) to
# 255 (ink). Before a network can use it, three things happen.
#
# *It is transposed*, so that a picture becomes a column. A layer is then `W @ X + b`, in the
# order in which the mathematics is written: each row of W makes one number of the answer.
#
# *Pixels are divided by 255.* Steps of learning are proportional to the inputs (dW1 in Part 3).
# With raw pixels they are so large that after a few of them every hidden neuron usually answers 0
# to every picture, and the network cannot learn any more. See it die: --raw-pixels.
#
# *Labels become one-hot columns*: the digit 3 becomes the column 0 0 0 1 0 0 0 0 0 0, which is
# the answer that a perfect network would give as its ten probabilities.
#
# The functions before `split` only read the file and name its faults: skip them at first.


# %%
# Read every cell as it stands, without guessing.
AS_TEXT = {"header": None, "dtype": str, "na_filter": False, "skip_blank_lines": False}
ADVICE = (
    "Put a CSV file of labelled digits, such as Kaggle's train.csv, beside this file, "
    "or name it with --data."
)


def default_data():
    """The file to learn from: a train.csv of your own, else the digits that come with this file."""
    here = Path(globals().get("__file__", "notebook")).resolve().parent  # a notebook has no file
    beside, kaggle = here / "mnist_data", Path("/kaggle/input/digit-recognizer")
    folders = here, Path(), beside, here.parent / "mnist_data", kaggle
    candidates = [folder / name for folder in folders for name in ("train.csv", "train.csv.gz")]
    return next(filter(Path.is_file, candidates), beside / "train.csv.gz")


def load_digits(path):
    """Read digits from a CSV file: a label and 784 pixels in each row, a header line or none.

    Returns pixels, uint8 of shape (n, 784), and labels, uint8 of shape (n,).
    Raises UserError that names the file, the line and the column of the first fault.
    The layout is that of Kaggle's "Digit Recognizer" train.csv; it may be compressed.
    """
    try:
        open(path, "rb").close()  # only a file will do: pandas would also open web addresses
        first = pd.read_csv(path, nrows=1, **AS_TEXT).iloc[0].str.strip()
        has_header = first[0].lower() == "label"
        if len(first) != 1 + PIXELS or not (has_header or first[0].isdecimal()):
            raise UserError(
                f"{path}, line 1: expected a label and {PIXELS} pixels, but found {len(first)} "
                f"columns, the first of them {quoted(first[0])}. {ADVICE}"
            )
        if has_header and first.duplicated().any():
            twin = int(first.duplicated().idxmax())
            raise UserError(
                f"{path}, line 1, column {twin + 1}: there is a column {quoted(first[twin])} "
                "already. Each needs a name of its own."
            )
        try:
            digits = read_bytes(path, skip=int(has_header))
        except (ValueError, OverflowError):
            report_first_fault(path, has_header)  # where it is, if it is in a single cell
            raise
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}. {ADVICE}") from None
    except (UserError, MemoryError):
        raise
    except Exception as error:  # whatever else pandas says of a file that is no CSV file
        raise UserError(f"{path}: cannot be read as CSV ({str(error).strip()}). {ADVICE}") from None
    return digits[:, 1:], digits[:, 0]


def read_bytes(path, skip):
    """Read whole numbers from 0 to 255, after `skip` lines, into uint8 of shape (n, 785).

    In pieces of 64-bit numbers, eight times the memory of what is kept: asked for 8 bits, pandas
    before version 3 would silently turn 256 into 0.
    """
    pieces = []
    options = {"header": None, "skiprows": skip, "dtype": np.int64, "chunksize": 5000}
    with pd.read_csv(path, **options) as tables:
        for numbers in map(pd.DataFrame.to_numpy, tables):
            if numbers.shape[1] != 1 + PIXELS:
                raise ValueError(f"a row has {numbers.shape[1]} columns, not {1 + PIXELS}")
            pieces.append(numbers.astype(np.uint8, order="C"))  # "C": each picture in one piece
            if (pieces[-1] != numbers).any() or (numbers[:, 0] >= CLASSES).any():
                raise ValueError("a number is out of range")
    return np.concatenate(pieces)


def report_first_fault(path, has_header):
    """Raise UserError for the first cell that is not the whole number that it should be."""
    with pd.read_csv(path, chunksize=1000, **AS_TEXT) as chunks:
        for chunk in chunks:
            suspects = ~chunk.isin([str(value) for value in range(256)])
            suspects[0] |= ~chunk[0].isin([str(digit) for digit in range(CLASSES)])
            for row in chunk.index[suspects.any(axis=1)]:
                cells = chunk.loc[row].fillna("")  # a line that ends too early lacks cells
                if (row == 0 and has_header) or not any(cells):  # the header, or a blank line
                    continue
                for column, text in enumerate(cells):
                    name, most = ("a pixel", 255) if column else ("a label", CLASSES - 1)
                    if not re.fullmatch(r"\s*\+?[0-9]+\s*", text) or float(text) > most:
                        raise UserError(
                            f"{path}, line {row + 1}, column {column + 1}: {name} must be a whole "
                            f"number from 0 to {most}, but here is {quoted(text)}. Correct it."
                        )


def quoted(text):
    """The text in quotes, ASCII and short, to be shown in a message."""
    return ascii(text if len(text) <= 40 else text[:37] + "...") if text else "nothing"


def split(pixels, labels, test_size, rng):
    """Shuffle the rows and set the last test_size of them aside: the network never learns from
    them, so its accuracy on them says how it does on digits that it has never seen.

    Returns ((pixels, labels) for training, (pixels, labels) for the test).
    """
    if len(labels) <= test_size:
        raise UserError(
            f"{len(labels):,} digits are too few: {test_size:,} are held out for the test, "
            "and at least one must be left to learn from."
        )
    train, test = np.split(rng.permutation(len(labels)), [len(labels) - test_size])
    return (pixels[train], labels[train]), (pixels[test], labels[test])


def to_columns(pixels, divisor=255):
    """Turn rows of pixels, (m, n) from 0 to 255, into columns X, (n, m) from 0 to 1.

    float32, numbers of 32 bits with about 7 digits, is exact enough to learn with, and fast.

    >>> to_columns(np.array([[0, 51], [255, 102], [0, 0]]))
    array([[0. , 1. , 0. ],
           [0.2, 0.4, 0. ]], dtype=float32)
    """
    return np.divide(pixels, divisor, dtype=np.float32).T  # .T: rows become columns


def one_hot(labels, classes=CLASSES):
    """Turn labels (m,) into columns Y, (classes, m): a one in row y, zeros elsewhere.

    The number of classes is given, not taken from the labels: a batch may lack a 9.

    >>> one_hot(np.array([2, 0]), classes=3)
    array([[0., 1.],
           [0., 0.],
           [1., 0.]], dtype=float32)
    """
    # A column of digits against a row of labels: every digit is compared with every label.
    return np.equal(np.arange(classes)[:, None], labels).astype(np.float32)


# %% active="ipynb"
# # Try it: what does a picture look like to the network?
# rng = np.random.default_rng(SEED)
# (pixels, y), (pixels_test, y_test) = split(*load_digits(default_data()), TEST_SIZE, rng)
# X, X_test = to_columns(pixels), to_columns(pixels_test)
# print("X", X.shape, "labels", y.shape, "Y", one_hot(y).shape)
# for row in X[:, 0].reshape(28, 28):  # the first picture, "." for paper
#     print("".join(f"{9 * ink:2.0f}" if ink else " ." for ink in row))

# %% [markdown]
# ## Part 2: The network
#
# A *neuron* multiplies each of its inputs by a *weight*, and adds the products and a *bias*: its
# score. Ten *hidden* neurons look at the 784 pixels. Each passes on its score if that is positive,
# else 0; this is called *ReLU*. Ten more, one for each digit, look at these ten numbers. *Softmax*
# turns their scores into probabilities: exp(score), which is never negative, divided by the sum of
# all ten. Weights and biases are the *parameters*: 10 * 784 + 10 + 10 * 10 + 10 = 7,960.
#
#     X (784, m) -> Z1 = W1 @ X + b1 (10, m) -> A1 = relu(Z1) -> Z2 = W2 @ A1 + b2 (10, m)
#       -> A2 = softmax(Z2): ten probabilities in each column
#
# `@` is the matrix product. A bias is one column, which NumPy adds to each of the m columns.
#
# Why ReLU? Without something that is not linear in between, W2 @ (W1 @ X) = (W2 @ W1) @ X, and
# two layers are no more than one. Why only 10 hidden neurons? So that you can look at each of
# them (Part 7); more are more accurate: try --hidden 32.
#
# Why a random start? Hidden neurons that start equal (all their weights, in and out) get equal
# gradients and stay equal. The range [-0.5, 0.5) is a plain choice, not a tuned one.


# %%
class Parameters(NamedTuple):
    """All that the network knows, by name. Gradients have the same shapes, so they are this too."""

    W1: np.ndarray  # (hidden, 784)
    b1: np.ndarray  # (hidden, 1)
    W2: np.ndarray  # (10, hidden)
    b2: np.ndarray  # (10, 1)


class Activations(NamedTuple):
    """What flows through the network, kept because the gradient needs it again."""

    Z1: np.ndarray  # (hidden, m) scores of the hidden neurons
    A1: np.ndarray  # (hidden, m) what they pass on
    Z2: np.ndarray  # (10, m) scores of the ten digits
    A2: np.ndarray  # (10, m) probabilities of the ten digits


def initialize(rng, inputs=PIXELS, hidden=10, classes=CLASSES, dtype=np.float32):
    """Draw every weight and bias uniformly from [-0.5, 0.5).

    >>> [p.shape for p in initialize(np.random.default_rng(0))]
    [(10, 784), (10, 1), (10, 10), (10, 1)]
    """
    shapes = (hidden, inputs), (hidden, 1), (classes, hidden), (classes, 1)
    return Parameters(*(rng.random(shape, dtype) - dtype(0.5) for shape in shapes))


def initialize_he(rng, inputs=PIXELS, hidden=10, classes=CLASSES, dtype=np.float32):
    """For --init he: weights of variance 2 / (inputs of the layer), normally distributed; biases 0.

    A sum of n terms has n times the variance of one, so this keeps scores about as large from
    layer to layer, however wide; the 2 makes up for the half that ReLU cuts away (eqs. 66-68).
    From He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015.
    """
    W1 = rng.standard_normal((hidden, inputs), dtype) * dtype(math.sqrt(2 / inputs))
    W2 = rng.standard_normal((classes, hidden), dtype) * dtype(math.sqrt(2 / hidden))
    return Parameters(W1, np.zeros((hidden, 1), dtype), W2, np.zeros((classes, 1), dtype))


def relu(Z):
    """Pass on what is positive, replace the rest by zero.

    >>> relu(np.array([[-2.0, 3.0]]))
    array([[0., 3.]])
    """
    return np.maximum(Z, 0)


def softmax(Z):
    """Turn each column of scores into probabilities, from 0 to 1, that sum to one.

    Subtracting the column's maximum changes nothing (numerator and denominator shrink by the
    same factor) but keeps exp from overflowing. The sum runs down each column, which is axis -2;
    without an axis, np.sum() would let all columns share one denominator. (keepdims keeps the
    shape (1, m), so that each column is divided by its own.)

    >>> softmax(np.array([[1000.0, 0.0], [1000.0, 0.0], [-1000.0, np.log(2)]]))
    array([[0.5 , 0.25],
           [0.5 , 0.25],
           [0.  , 0.5 ]])
    """
    E = np.exp(Z - Z.max(axis=-2, keepdims=True))  # eq. 14
    return E / E.sum(axis=-2, keepdims=True)


def forward(parameters, X):
    """Compute what the network answers to the columns of X, (784, m). Returns Activations.

    One pixel, one hidden neuron, two classes; the input is 2, so 3 * 2 - 1 = 5, and so on:

    >>> W1, b1 = np.array([[3.0]]), np.array([[-1.0]])
    >>> W2, b2 = np.array([[0.0], [1.0]]), np.array([[5.0], [0.0]])
    >>> tiny = Parameters(W1, b1, W2, b2)
    >>> Z1, A1, Z2, A2 = forward(tiny, np.array([[2.0]]))
    >>> Z1.item(), A1.item(), Z2.ravel().tolist(), A2.ravel().tolist()
    (5.0, 5.0, [5.0, 5.0], [0.5, 0.5])
    """
    W1, b1, W2, b2 = parameters
    Z1 = W1 @ X + b1  # eq. 3
    A1 = relu(Z1)  # eq. 4
    Z2 = W2 @ A1 + b2  # eq. 5
    return Activations(Z1, A1, Z2, softmax(Z2))  # eq. 6


# %% active="ipynb"
# # Try it: what does it answer before it has learnt anything?
# start = initialize(rng)
# print(forward(start, X[:, :3]).A2.round(2))

# %% [markdown]
# ## Part 3: The loss and its gradient
#
# The loss of an example, its *cross-entropy*, is -log(the probability given to the true digit):
# 0 for a sure and correct answer, log(10) = 2.3 for a shrug, large for a confident mistake. The
# loss is its mean over the m examples. That mean is where every 1/m below comes from; it keeps
# steps about as large for any large number of examples.
#
# The *slope* along a number: how fast the loss grows with it while all others stay fixed. All
# 7,960 slopes together are the *gradient*. The chain rule finds them, from the loss backwards.
# `dW2` holds the slope along each entry of W2, and so on; but `dZ1` and `dZ2` hold the slopes of
# each example's own loss, before the mean.
#
#     dZ2 = A2 - Y                  loss = -log(exp(z_true) / sum) = log(sum) - z_true; its slope
#                                   along z_i: exp(z_i) / sum, less 1 if true; said minus wanted
#     dW2 = dZ2 @ A1.T / m          W2_ij is multiplied by a1_j, so its slope is dz2_i * a1_j;
#                                   the matrix product adds up the examples
#     db2 = row sums of dZ2 / m     b2_i is added to z2_i in every example
#     dZ1 = W2.T @ dZ2 * (Z1 > 0)   a1_j enters z2_i times W2_ij: add up W2_ij * dz2_i over i;
#                                   ReLU's slope is 1, or 0 where it passed nothing on
#     dW1 = dZ1 @ X.T / m           as for W2, one layer down
#     db1 = row sums of dZ1 / m     as for b2


# %%
def cross_entropy(Z2, Y):
    """Mean over the examples of -log(probability of the true class), from the scores Z2.

    From scores, not from probabilities: a probability below about 1e-45 is 0 in float32 and
    its logarithm infinite, while log(exp(s) / sum(exp)) = s - log(sum(exp)) stays finite.

    >>> Y = one_hot(np.array([0, 1]), classes=2)
    >>> loss = cross_entropy(np.array([[0.0, 10_000.0], [0.0, 0.0]]), Y)
    >>> round(float(loss), 6)  # the mean of log 2 and 10,000
    5000.346574
    """
    S = Z2 - Z2.max(axis=-2, keepdims=True)  # eqs. 16-17
    return np.mean(np.log(np.exp(S).sum(axis=-2)) - (S * Y).sum(axis=-2))


def backward(parameters, X, Y, activations):
    """Gradient of the mean cross-entropy with respect to each parameter, as Parameters.

    A bias is added to every column, so its slope is a sum over the columns, one for each row.
    (The sum over all of dZ2 is always zero, as each column of A2 and of Y sums to one.)

    >>> W1, b1 = np.array([[3.0]]), np.array([[-1.0]])
    >>> W2, b2 = np.array([[0.0], [1.0]]), np.array([[5.0], [0.0]])
    >>> tiny = Parameters(W1, b1, W2, b2)
    >>> X, Y = np.array([[2.0]]), np.array([[1.0], [0.0]])
    >>> for name, slope in backward(tiny, X, Y, forward(tiny, X))._asdict().items():
    ...     print(name, slope.ravel().tolist())
    W1 [1.0]
    b1 [0.5]
    W2 [-2.5, 2.5]
    b2 [-0.5, 0.5]
    """
    Z1, A1, _, A2 = activations
    m = X.shape[-1]
    dZ2 = A2 - Y  # eq. 29
    dW2 = dZ2 @ A1.mT / m  # eq. 33; .mT is the transpose (of a stack of matrices, of each)
    db2 = dZ2.sum(axis=-1, keepdims=True) / m  # eq. 34
    dZ1 = (parameters.W2.mT @ dZ2) * (Z1 > 0)  # eq. 32; True counts as 1, False as 0
    dW1 = dZ1 @ X.mT / m  # eq. 35
    db1 = dZ1.sum(axis=-1, keepdims=True) / m  # eq. 36
    return Parameters(dW1, db1, dW2, db2)


# %% [markdown]
# ## Part 4: Is the mathematics right?
#
# Do not believe the six equations: measure. Nudge one parameter up and down by a small h; the
# loss changes by about 2h times the slope, and that slope must be what `backward` says.
#
# In float64, numbers of 64 bits, the default start gives a relative error of 2.5e-10; above 1e-6
# the program stops. A larger h than 1e-5 adds an error that grows with h squared, a smaller one
# divides the rounding of the loss by less (the paper's section 11 measures both).


# %%
def gradient_check(parameters, X, Y, rng, samples=20, h=1e-5):
    """Largest relative error of `backward` against central differences, in float64.

    Checks `samples` random entries of each of W1, b1, W2 and b2 on the columns of X, (784, m).
    The error of each kind is relative to its largest slope.
    """
    parameters = Parameters(*(p.astype(np.float64) for p in parameters))  # a copy: it is nudged
    X, Y = X.astype(np.float64), Y.astype(np.float64)
    # A nudge across the kink of ReLU spoils the measurement: leave out pictures so near to it.
    smooth = (np.abs(forward(parameters, X).Z1) > h * max(1, np.abs(X).max())).all(axis=0)
    X, Y = X[:, smooth], Y[:, smooth]
    gradients = backward(parameters, X, Y, forward(parameters, X))

    def loss():
        return cross_entropy(forward(parameters, X).Z2, Y)

    errors = []
    for P, dP in zip(parameters, gradients):
        chosen = rng.choice(P.size, min(samples, P.size), replace=False)
        slopes = []
        for i in chosen:
            value = P.flat[i]
            P.flat[i] = value + h
            above = loss()
            P.flat[i] = value - h
            slopes.append((above - loss()) / (2 * h))  # eq. 49
            P.flat[i] = value
        # At least 1e-4, or tiny slopes would be compared with nothing but rounding.
        largest = max(np.abs(slopes).max(), np.abs(dP).max(), 1e-4)
        errors.append(np.abs(slopes - dP.flat[chosen]).max() / largest)
    return float(max(errors))


# %% active="ipynb"
# # Try it: the check on 50 test pictures. Then break a line of `backward`, and check again.
# gradient_check(start, X_test[:, :50], one_hot(y_test[:50]), rng)

# %% [markdown]
# ## Part 5: Learning
#
# Where the slope is positive, less of the parameter is less loss. So subtract from each parameter
# its slope times a small number, the *learning rate*: this line is gradient descent, and doing it
# once is a step, or *iteration*. *Full batch* means that every step looks at all pictures: the
# slope is exact, and the price is a pass over all of the data for a single step. *Mini-batches*
# are the same line with fewer pictures in X: each step is a little wrong, but far cheaper.
#
# Two options, off by default: *weight decay* pulls every weight towards zero in each step, and a
# *cosine schedule* takes long steps first and short ones in the end.


# %%
class Record(NamedTuple):
    """How the network does after so many iterations."""

    iteration: int
    loss: float
    accuracy: float  # fraction of the training images in this step's batch
    test_loss: float
    test_accuracy: float  # fraction of the test images
    parameters: Parameters


def predict(A2):
    """The most probable digit of each column.

    >>> predict(np.array([[0.2, 0.9], [0.8, 0.1]]))
    array([1, 0])
    """
    return A2.argmax(axis=-2)


def accuracy(A2, labels):
    """Fraction of the columns whose most probable digit is the label, 0 to 1.

    >>> accuracy(np.array([[0.2, 0.9], [0.8, 0.1]]), np.array([1, 1]))
    0.5
    """
    return float(np.mean(predict(A2) == labels))


def gradient(parameters, X, labels):
    """Loss, accuracy and gradients (as Parameters) on the columns of X, (784, m); labels (m,)."""
    Y = one_hot(labels)
    activations = forward(parameters, X)
    gradients = backward(parameters, X, Y, activations)
    return float(cross_entropy(activations.Z2, Y)), accuracy(activations.A2, labels), gradients


def descend(parameters, gradients, learning_rate):
    """One step of gradient descent; returns new Parameters and leaves the old ones alone.

    >>> descend(Parameters(1.0, 2.0, 3.0, 4.0), Parameters(1.0, 1.0, -1.0, 0.0), 0.5)
    Parameters(W1=0.5, b1=1.5, W2=3.5, b2=4.0)
    """
    return Parameters(*(p - learning_rate * dp for p, dp in zip(parameters, gradients)))  # eq. 41


def decay(gradients, parameters, weight_decay):
    """Gradients of the loss plus weight_decay / 2 times the sum of all squared weights.

    Biases are left out, as usual (Goodfellow, Bengio and Courville, "Deep Learning", section 7.1).
    """
    dW1 = gradients.W1 + weight_decay * parameters.W1  # eq. 69
    dW2 = gradients.W2 + weight_decay * parameters.W2
    return gradients._replace(W1=dW1, W2=dW2)


def cosine(progress):
    """The part of the learning rate that is left when progress goes from 0 to 1.

    >>> [round(cosine(progress), 2) for progress in (0, 0.25, 0.5, 1)]
    [1.0, 0.85, 0.5, 0.0]
    """
    return (1 + math.cos(math.pi * progress)) / 2  # eq. 71


def mini_batches(X, labels, size, rng):
    """Shuffle the columns of X, deal them out `size` at a time, and begin again, for ever.

    Each round is an *epoch*: every example is seen once. Its last batch may be smaller.
    This is a generator: the next batch is made only when somebody asks for it.
    """
    while True:
        order = rng.permutation(labels.size)
        for first in range(0, labels.size, size):
            batch = order[first : first + size]
            yield X[:, batch], labels[batch]


def train(
    parameters,
    batches,
    test,
    compute,
    iterations,
    learning_rate,
    weight_decay=0,
    schedule=lambda progress: 1,
    test_every=1,
):
    """Learn; a generator that yields a Record before the first step and after every step.

    `batches` is an endless supply of (X, labels): mini_batches(...), or repeat((X, labels)), the
    full batch again and again. `compute` is `gradient`, or what does the same to each batch.
    `schedule` tells from the progress, 0 to 1, how much of the learning rate to use.
    `test` is (X, labels), looked at every so many iterations; in between, Records repeat it.
    Raises UserError if learning breaks down.
    """
    X_test, labels_test = test
    Y_test = one_hot(labels_test)
    for iteration, batch in zip(range(iterations + 1), batches):  # the last round only looks
        loss, fraction, gradients = compute(parameters, *batch)
        if iteration % test_every == 0 or iteration == iterations:
            on_test = forward(parameters, X_test)
            test_loss = float(cross_entropy(on_test.Z2, Y_test))
            test_accuracy = accuracy(on_test.A2, labels_test)
        # dW2 = 0 means that A1 was 0 in the whole batch; a small batch may just have been unlucky.
        dead = not gradients.W2.any() and not forward(parameters, X_test).A1.any()
        if dead or not np.isfinite(loss):
            what = "every hidden neuron is dead" if dead else f"the loss is {loss}"
            smaller = ", a smaller --weight-decay" if weight_decay else ""
            raise UserError(
                f"learning broke down at iteration {iteration}: {what}. Steps that are too large "
                f"are the usual cause; try a --learning-rate smaller than {learning_rate:g}"
                f"{smaller}, and no --raw-pixels."
            )
        yield Record(iteration, loss, fraction, test_loss, test_accuracy, parameters)
        rate = float(learning_rate) * schedule(iteration / max(iterations, 1))
        if weight_decay:
            gradients = decay(gradients, parameters, weight_decay)
        parameters = descend(parameters, gradients, rate)


# %% active="ipynb"
# # Try it: a hundred steps. What does twice the learning rate do, and what a hundred times?
# for record in train(start, repeat((X, y)), (X_test, y_test), gradient, 100, learning_rate=0.1):
#     if record.iteration % 20 == 0:
#         print(f"{record.iteration:3}  loss {record.loss:.3f}  test {record.test_accuracy:.1%}")

# %% [markdown]
# ## Part 6: Everything else is efficiency
#
# You can skip this part: it computes what `gradient` computes, up to rounding, only sooner. The
# gradient is a sum over examples (eq. 44), so it can be added up in blocks, by every core. On two
# cores an iteration takes 56 milliseconds without this part, and 32 with it (tests/benchmark.py):
#
# *Blocks* of 2,048 pictures bring nothing by themselves (56), but they allow the other two.
#
# *Blank pixels* are left out where they are blank in all pictures of the block. A zero adds exactly
# nothing, to Z1 and to dW1 (eq. 45). With digits of equal width together, 40 % of pixels go (39).
#
# *Every core* works on a block of its own, from the first product to the last (32). Left to itself,
# NumPy shares out only the products, and everything else runs on one core. So the settings at the
# top of this file keep each product on one core: or else both kinds of sharing would fight.


# %%
class Block(NamedTuple):
    """Some of the examples, without the pixels that are blank in all of them."""

    pixels: np.ndarray  # (p,) which of the 784 are left
    X: np.ndarray  # (p, size)
    labels: np.ndarray  # (size,)


def make_blocks(X, labels, size=2048):
    """Sort the columns of X, (784, m), and cut them into a list of Blocks; the last is the rest."""
    ink = X.T.reshape(-1, 28, 28).any(axis=1)  # (m, 28): is there ink at this place, left to right?
    left, right = ink.argmax(axis=1), 27 - ink[:, ::-1].argmax(axis=1)  # argmax: the first True
    order = np.lexsort((left, right - left))  # by width (the last key counts first), then by left
    blocks = []
    for chosen in np.split(order, range(size, len(order), size)):
        pixels = np.flatnonzero(X[:, chosen].any(axis=1))
        blocks.append(Block(pixels, X[np.ix_(pixels, chosen)], labels[chosen]))
    return blocks


def gradient_in_blocks(parameters, *blocks, each=map):
    """What `gradient` returns for all examples in the blocks; `each` is map, or the map of a pool
    of threads, to use all cores."""

    @np.errstate(all="ignore")  # as in `main`, whose setting threads do not inherit
    def of_block(block):
        seen = parameters._replace(W1=parameters.W1[:, block.pixels])
        return gradient(seen, block.X, block.labels)

    m = sum(block.labels.size for block in blocks)
    mean_loss, mean_accuracy, total = 0, 0, Parameters(*map(np.zeros_like, parameters))
    # In the order of the blocks, whichever is ready first: the same bits on any number of cores.
    for block, (loss, fraction, slopes) in zip(blocks, each(of_block, blocks)):
        share = block.labels.size / m  # eq. 46
        mean_loss += share * loss
        mean_accuracy += share * fraction
        total.W1[:, block.pixels] += share * slopes.W1
        for sum_of_slopes, slope in zip(total[1:], slopes[1:]):
            sum_of_slopes += share * slope
    return mean_loss, mean_accuracy, total


# %% active="ipynb"
# # Try it: the same steps in blocks, and all of them.
# with ThreadPoolExecutor(os.cpu_count()) as pool:
#     in_blocks = partial(gradient_in_blocks, each=pool.map)
#     work = repeat(make_blocks(X, y)), (X_test, y_test), in_blocks
#     history = list(train(start, *work, 750, learning_rate=0.1))
# for record in history[::150]:
#     print(f"{record.iteration:3}  loss {record.loss:.3f}  test {record.test_accuracy:.1%}")

# %% [markdown]
# ## Part 7: Looking inside
#
# Curves show how learning went, predictions show what came of it. The last picture shows, for each
# hidden neuron, what training CHANGED in its 784 weights: `W1` after minus `W1` before. The
# weights themselves look like noise, because the random start was noise.

# %%
BLUE, ORANGE = "#0072B2", "#D55E00"  # a pair that the colour-blind can tell apart


def running_mean(values, width):
    """Mean of each value and the width - 1 before it; the first mean belongs to value width - 1.

    >>> running_mean([1, 2, 6, 7], 2)
    array([1.5, 4. , 6.5])
    """
    return np.convolve(values, np.full(width, 1 / width), mode="valid")


def plot_training(history, window=1):
    """Draw loss and accuracy against the iteration, from a list of Records. Returns a Figure.

    Mini-batches are noisy: their curves are means over the last `window` iterations.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    window = max(1, min(window, len(history)))
    name = "training" if window == 1 else f"training, mean of {window} batches"
    curves = (
        (name, BLUE, "-", "loss", "accuracy", window),
        ("test", ORANGE, "--", "test_loss", "test_accuracy", 1),
    )
    for label, color, style, loss, fraction, width in curves:
        iterations = [record.iteration for record in history[width - 1 :]]
        losses = running_mean([getattr(record, loss) for record in history], width)
        percent = running_mean([100 * getattr(record, fraction) for record in history], width)
        left.plot(iterations, losses, style, color=color, label=f"{label}: {losses[-1]:.3f}")
        right.plot(iterations, percent, style, color=color, label=f"{label}: {percent[-1]:.1f} %")
    left.set(title="Loss", xlabel="iteration", ylabel="mean cross-entropy", ylim=(0, None))
    right.set(title="Accuracy", xlabel="iteration", ylabel="accuracy in %", ylim=(0, 100))
    for axes in (left, right):
        axes.legend(title="images, value at the end")
        axes.grid(alpha=0.3)
    return figure


def plot_predictions(pixels, labels, A2, columns=8):
    """Draw the first test images with the network's answers, and below them its worst mistakes:
    the wrong answers that it gave with the highest probability.

    `pixels` is (m, 784), `labels` (m,), `A2` (10, m). Returns a Figure.
    """
    answers, certainty = predict(A2), A2.max(axis=0)
    wrong = np.flatnonzero(answers != labels)
    worst = wrong[np.argsort(-certainty[wrong])]
    figure = plt.figure(figsize=(1.3 * columns, 8), layout="constrained")
    rows = (
        (f"The first of {len(labels):,} test images: answer, probability", np.arange(len(labels))),
        (f"The worst of {len(wrong):,} mistakes on test images", worst),
    )
    for part, (title, chosen) in zip(figure.subfigures(2, 1), rows):
        part.suptitle(title)
        grid = part.subplots(2, columns).ravel()
        for axes in grid:
            axes.axis("off")
        for axes, i in zip(grid, chosen):
            axes.imshow(pixels[i].reshape(28, 28), cmap="gray_r", vmin=0, vmax=255)
            text, style = f"{answers[i]}  {100 * certainty[i]:.0f} %", {}
            if answers[i] != labels[i]:  # marked by more than colour
                text = f"\N{BALLOT X} {text}\nis a {labels[i]}"
                style = {"color": ORANGE, "weight": "bold"}
            axes.set_title(text, fontsize=10, **style)
    return figure


def plot_neurons(before, after, X, most=50):
    """Draw what training changed in the weights of the hidden neurons, as 28 x 28 pictures.

    `before` and `after` are Parameters. A neuron that fires on no column of X, (784, m), gets no
    gradient and learns no more; its title says so. Returns a Figure.
    """
    change = (after.W1 - before.W1)[:most]
    slices = [X[:, i : i + 2048] for i in range(0, X.shape[1], 2048)]  # all at once may be too much
    fires = np.any([(forward(after, part).Z1 > 0).any(axis=1) for part in slices], axis=0)
    columns = 5 if len(change) <= 10 else 10
    rows = -(-len(change) // columns)  # rounded up
    size = (1.6 * columns + 1.5, 1.8 * rows + 1)
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    limit = max(np.abs(change).max(), 1e-9)  # symmetric, so that white is zero
    for axes in grid.ravel():
        axes.axis("off")
    for axes, weights, i in zip(grid.ravel(), change, range(most)):
        picture = axes.imshow(weights.reshape(28, 28), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(f"{i + 1}" if fires[i] else f"{i + 1} never fires", fontsize=10)
    of_all = "" if len(fires) <= most else f" (the first {most} of {len(fires):,})"
    figure.suptitle(f"What training changed: + where ink excites a neuron more{of_all}")
    figure.colorbar(picture, ax=grid, shrink=0.8, label="change of weight")
    return figure


def save_figures(figures, folder):
    """Save each of the named figures as a PNG file, which appears whole or not at all."""
    for name, figure in figures.items():
        unfinished = folder / f".{name}-{os.getpid()}.png"
        try:
            figure.savefig(unfinished, dpi=100)
            unfinished.replace(folder / f"{name}.png")
        finally:
            unfinished.unlink(missing_ok=True)


# %% active="ipynb"
# # Try it: what has it learnt?
# learnt = history[-1].parameters
# plot_training(history)
# plot_predictions(pixels_test, y_test, forward(learnt, X_test).A2)
# plot_neurons(start, learnt, X);

# %% [markdown]
# ## Part 8: The command line
#
# Nothing new about networks: options, messages, and `run`, which tells the story in order.


# %%
def in_range(kind, low, high):
    """A converter for argparse: text to an int or a float from low to high, or one clear line."""

    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            value = np.nan
        if not low <= value <= high:  # true of nan as well
            noun = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {noun} from {low} to {high}")
        return value

    return convert


def parse_options(arguments=None):
    """Read the command line; --help lists the options."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description="Trains a two-layer neural network, written from scratch in NumPy, to read "
        "handwritten digits. Without options it learns from the digits that come with it.",
    )
    options = (
        ("--data", "PATH", Path, default_data(), "CSV file to learn from: label, 784 pixels a row"),
        ("--test-data", "PATH", Path, None, "CSV file to test on, instead of 1,000 rows of --data"),
        ("--iterations", "N", in_range(int, 1, 10**6), 750, "how many steps of gradient descent"),
        ("--batch-size", "N", in_range(int, 1, 10**6), None, "pictures in a step, instead of all"),
        ("--learning-rate", "X", in_range(float, 1e-9, 1e6), 0.1, "how far to go in each step"),
        ("--weight-decay", "X", in_range(float, 0, 1e3), 0, "how hard to pull weights to zero"),
        ("--hidden", "N", in_range(int, 1, 10**4), 10, "how many hidden neurons"),
        ("--seed", "N", in_range(int, 0, 2**32 - 1), SEED, "start of the random numbers"),
        ("--figures", "DIR", Path, Path("figures"), "folder for the pictures, made if need be"),
    )
    for name, metavar, kind, default, text in options:
        text += "" if default is None else " (default: %(default)s)"
        parser.add_argument(name, metavar=metavar, type=kind, default=default, help=text)
    for name, choices, text in (
        ("--schedule", ("constant", "cosine"), "how the learning rate goes on"),
        ("--init", ("uniform", "he"), "how the weights start"),
    ):
        text += " (default: %(default)s)"
        parser.add_argument(name, choices=choices, default=choices[0], help=text)
    parser.add_argument("--raw-pixels", action="store_true", help="do not divide pixels by 255")
    parser.add_argument("--no-show", action="store_true", help="save pictures, open no windows")
    return parser.parse_args(arguments)


def prepare_figures(folder, no_show):
    """Find out before the training, not after it, whether pictures can be drawn and saved."""
    try:
        plt.switch_backend("agg" if no_show else plt.get_backend())
    except ImportError as error:
        raise UserError(f"no windows ({error}). Use --no-show, or unset MPLBACKEND.") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(
            f"{folder}: cannot save pictures there ({error.strerror}). "
            "Name another folder with --figures."
        ) from None


def on_terminal():
    """Whether the output goes to a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def show_progress(record, iterations, began, epoch):
    """Keep one line up to date on a terminal; print a line now and then into a file.

    `epoch` is the number of iterations to an epoch, or None if every step sees all pictures.
    """
    done, seconds = record.iteration, time.perf_counter() - began
    if done % max(iterations // (200 if on_terminal() else 15), 1) and done < iterations:
        return
    line = f"   iteration {done:>{len(str(iterations))}}/{iterations}  "
    line += f"epoch {done / epoch:.1f}  " if epoch else ""
    line += f"loss {record.loss:.4f}  "
    line += "" if epoch else f"train {100 * record.accuracy:.1f} %  "  # of a batch: too noisy
    line += f"test {100 * record.test_accuracy:.1f} %  "
    if on_terminal():
        line += f"{seconds / max(done, 1) * (iterations - done):.0f} s left"
        width = shutil.get_terminal_size().columns - 1
        print("\r" + line[:width].ljust(width), end="" if done < iterations else "\n", flush=True)
    else:
        print(f"{line}{seconds:.1f} s", flush=True)


def follow(records, iterations, epoch):
    """Let `train` work, showing progress, until the end or Ctrl-C. Returns a list of Records; only
    the last keeps its parameters, because wide layers would fill the memory with 751 copies."""
    history = []
    began = time.perf_counter()
    try:
        for record in records:
            history.append(record)
            if len(history) > 1:
                history[-2] = history[-2]._replace(parameters=None)
            show_progress(record, iterations, began, epoch)
    except KeyboardInterrupt:
        if not history:
            raise
        print(f"\n   stopped at iteration {history[-1].iteration}; here is what came of it so far")
    return history


def read_digits(options, rng):
    """The digits to learn from and those to be tested on: two pairs (pixels, labels)."""
    if options.test_data is None:
        return split(*load_digits(options.data), TEST_SIZE, rng)
    (pixels, labels), test = load_digits(options.data), load_digits(options.test_data)
    known = set(map(bytes, test[0]))
    unknown = np.array([bytes(picture) not in known for picture in pixels])
    if not unknown.any():
        raise UserError(
            f"{options.data}: every picture is in {options.test_data} as well, so none is left to "
            "learn from. Give --test-data other digits."
        )
    if not unknown.all():
        print(f"   {np.sum(~unknown):,} pictures left out: they are test pictures as well")
    return (pixels[unknown], labels[unknown]), test


def run(options):
    """The story of a run, from the file of digits to the pictures."""
    prepare_figures(options.figures, options.no_show)
    rng = np.random.default_rng(options.seed)

    print("1. The data")
    (pixels, y_train), (pixels_test, y_test) = read_digits(options, rng)
    divisor = 1 if options.raw_pixels else 255
    x_train, x_test = to_columns(pixels, divisor), to_columns(pixels_test, divisor)
    if (y_train == y_train[0]).all():
        raise UserError(f"{options.data}: all labels are the same: nothing to tell apart. {ADVICE}")
    print(f"   read {options.data}" + (f" and {options.test_data}" if options.test_data else ""))
    print(f"   {len(y_train) + len(y_test):,} pictures of 28 x 28 = {PIXELS} pixels")
    print(f"   to learn from: x_train {x_train.shape}, y_train {y_train.shape}")
    print(f"   to be tested:  x_test {x_test.shape}, y_test {y_test.shape}")

    print("2. The network")
    start = (initialize_he if options.init == "he" else initialize)(rng, hidden=options.hidden)
    print(f"   {PIXELS} pixels -> {options.hidden} hidden (ReLU) -> {CLASSES} digits (softmax)")
    print("   " + ", ".join(f"{name} {p.shape}" for name, p in start._asdict().items()))
    print(f"   {sum(p.size for p in start):,} parameters, drawn at random with seed {options.seed}")

    print("3. and 4. The gradient, checked")
    error = gradient_check(start, x_test[:, :50], one_hot(y_test[:50]), rng)
    print(f"   largest relative error against finite differences: {error:.1e}")
    if not error < 1e-6:
        raise UserError(
            "the gradient is wrong: its relative error must be below 1e-6. "
            "Look at your last change to forward, cross_entropy or backward."
        )

    print("5. and 6. Learning")
    size = min(options.batch_size or len(y_train), len(y_train))
    epoch = math.ceil(len(y_train) / size) if options.batch_size else None
    how = f"mini-batches of {size:,}, {epoch:,} to an epoch" if epoch else "full batch"
    print(f"   {how}, learning rate {options.learning_rate:g} ({options.schedule})", end="")
    print(f", weight decay {options.weight_decay:g}" if options.weight_decay else "", flush=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        if epoch:
            batches, compute = mini_batches(x_train, y_train, size, rng), gradient
        else:
            # A block for each core, if each product keeps to one core: that was settled at the top.
            each = pool.map if os.environ.get("OPENBLAS_NUM_THREADS") == "1" else map
            batches = repeat(make_blocks(x_train, y_train))
            compute = partial(gradient_in_blocks, each=each)
        records = train(
            start,
            batches,
            (x_test, y_test),
            compute,
            options.iterations,
            options.learning_rate,
            weight_decay=options.weight_decay,
            schedule=cosine if options.schedule == "cosine" else lambda progress: 1,
            # To look at a picture takes half the products of learning from it (one with X instead
            # of two): the test stays under 10 % of the products.
            test_every=1 + 5 * len(y_test) // size,
        )
        history = follow(records, options.iterations, epoch)
    learnt = history[-1].parameters

    print("7. Looking inside")
    A2 = forward(learnt, x_test).A2
    for i, (answer, label) in enumerate(zip(predict(A2)[:8], y_test)):
        verdict = "right" if answer == label else "WRONG"
        print(f"   test picture {i}: a {label}, read as {answer} ({A2[answer, i]:4.0%}) {verdict}")
    correct = np.count_nonzero(predict(A2) == y_test)
    known = history[-1].accuracy
    if epoch:  # that was the last batch only
        _, known, _ = gradient_in_blocks(learnt, *make_blocks(x_train, y_train))
    print(f"   final training accuracy: {known:.1%}")
    print(f"   final test accuracy: {correct / len(y_test):.1%} ({correct:,} of {len(y_test):,})")
    figures = {
        "training": plot_training(history, options.iterations // 50 if epoch else 1),
        "predictions": plot_predictions(pixels_test, y_test, A2),
        "neurons": plot_neurons(start, learnt, x_train),
    }
    save_figures(figures, options.figures)
    files = ", ".join(f"{name}.png" for name in figures)
    print(f"   pictures in {options.figures}: {files}", flush=True)
    if figures["training"].canvas.required_interactive_framework:  # there are windows to show
        print("   close the windows to end", flush=True)
        plt.show()


def main(arguments=None):
    """Run the program; returns its exit status: 0, 2 after an error, 130 after Ctrl-C, 1 if
    nobody reads its output any more."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path that this terminal can't print
    options = parse_options(arguments)
    try:
        with np.errstate(all="ignore"):  # `train` looks at the loss itself
            run(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (UserError, OSError) as error:
        message = str(error)
    except MemoryError:
        message = "not enough memory; use fewer --hidden neurons or fewer digits"
    else:
        return 0
    if on_terminal():
        print()  # the line of progress may not have ended
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return 2


# %%
if AS_PROGRAM:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # from here on, main decides
    sys.exit(main())
elif __name__ == "__main__":
    print("In a notebook, run the cells that say 'Try it', or the whole program with main([]).")
