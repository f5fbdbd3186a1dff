# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=1.24", "pandas>=2.0", "matplotlib>=3.7"]
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
2. The network: two linear maps, ReLU, softmax
3. The loss and its gradient: the six equations that everything rests on
4. Is the mathematics right? A check that runs at every start
5. Learning: gradient descent is one line
6. Everything else is efficiency: a gradient is a sum, so add it up in blocks
7. Looking inside: curves, predictions, what each hidden neuron learnt
8. The command line

Throughout, m is the number of examples and a COLUMN is an example: X has shape (784, m).
"""

# %%
import argparse
import math
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

PIXELS = 28 * 28
CLASSES = 10
TEST_SIZE = 1000


class UserError(Exception):
    """One line that tells the person at the terminal what is wrong and what to do."""


# %% [markdown]
# ## Part 1: The data
#
# The file is a table: each row holds a label (the digit, 0 to 9) and 784 pixels, 0 (paper) to
# 255 (ink). Before a network can use it, three things happen.
#
# *It is transposed*, so that a picture becomes a column. A layer is then `W @ X + b`, in the
# order in which the mathematics is written: row i of W holds the weights of neuron i.
#
# *Pixels are divided by 255.* A step of gradient descent moves a weight in proportion to its
# input; inputs 255 times too large make every step 255 times too large. With raw pixels this
# network dies: after three iterations no hidden neuron answers to any picture.
#
# *Labels become one-hot columns*: the digit 3 becomes the column 0 0 0 1 0 0 0 0 0 0, which is
# the answer that a perfect network would give as its ten probabilities.


# %%
def load_digits(path):
    """Read digits from a CSV file: a label and 784 pixels in each row, a header line or none.

    Returns pixels, uint8 of shape (n, 784), and labels, uint8 of shape (n,).
    Raises UserError naming the file, the line and the column of the first thing that is wrong.
    The layout is that of Kaggle's "Digit Recognizer" train.csv; compressed files are welcome.
    """
    as_text = {"header": None, "dtype": str, "na_filter": False, "skip_blank_lines": False}
    try:
        with open(path, "rb"):  # a missing or forbidden file says so before pandas sees it
            pass
        first = pd.read_csv(path, nrows=1, **as_text).iloc[0]
        has_header = not first[0].strip().isdecimal()
        if len(first) != PIXELS + 1 or (has_header and first[0].strip().lower() != "label"):
            raise UserError(
                f"{path}, line 1: expected {PIXELS + 1} columns, 'label' and {PIXELS} pixels, "
                f"but found {len(first)}, the first of them '{printable(first[0])}'. "
                "Is this a CSV file of labelled MNIST digits, such as Kaggle's train.csv?"
            )
        if has_header and first.duplicated().any():
            column = int(first.duplicated().idxmax())
            raise UserError(
                f"{path}, line 1, column {column + 1}: '{printable(first[column])}' heads two "
                "columns. Each column needs a name of its own."
            )
        try:
            # Bytes, not pandas' usual 64-bit integers: an eighth of the memory.
            table = pd.read_csv(path, header=0 if has_header else None, dtype=np.uint8)
            digits = table.to_numpy()
        except (ValueError, OverflowError):  # some cell is no whole number from 0 to 255
            digits = None
        if digits is None or digits.shape[1] != PIXELS + 1 or (digits[:, 0] >= CLASSES).any():
            report_first_fault(path, has_header, pd.read_csv(path, chunksize=1000, **as_text))
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}. Give a CSV file with --data.") from None
    except Exception as error:  # whatever else pandas meets in a file that is no CSV
        reason = printable(str(error).strip().splitlines()[-1] if str(error) else repr(error))
        raise UserError(f"{path}: not a readable CSV file of digits ({reason}).") from None
    if len(np.unique(digits[:, 0])) < 2:
        raise UserError(f"{path}: needs rows of at least two different digits to learn from.")
    return digits[:, 1:], digits[:, 0]


def report_first_fault(path, has_header, chunks):
    """Raise UserError for the first cell, read as text, that is not what it must be."""
    good = {str(value) for value in range(256)}
    for chunk in chunks:
        suspects = ~chunk.isin(good)
        suspects[0] |= ~chunk[0].isin({str(digit) for digit in range(CLASSES)})
        for row in chunk.index[suspects.any(axis=1)]:
            cells = [cell if isinstance(cell, str) else None for cell in chunk.loc[row]]
            if (row == 0 and has_header) or not any(cells):  # the header, or a blank line
                continue
            for column, text in enumerate(cells):
                limit, name = (255, "a pixel") if column else (CLASSES - 1, "a label")
                number = (text or "").strip().removeprefix("+")
                if not (re.fullmatch("[0-9]+", number) and int(number[-99:]) <= limit):
                    found = f"'{printable(text)}'" if text else "nothing"
                    raise UserError(
                        f"{path}, line {row + 1}, column {column + 1}: {name} must be a whole "
                        f"number from 0 to {limit}, but found {found}. Correct or delete the line."
                    )
    raise UserError(f"{path}: expected {PIXELS + 1} columns of whole numbers.")


def printable(text, width=40):
    """At most 40 ASCII characters of a text, so that any terminal can show it."""
    return ascii(str(text))[1:-1][:width]


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
    order = rng.permutation(len(labels))
    train, test = order[:-test_size], order[-test_size:]
    return (pixels[train], labels[train]), (pixels[test], labels[test])


def to_columns(pixels):
    """Turn rows of pixels, (m, n) from 0 to 255, into columns X, (n, m) from 0 to 1, float32.

    >>> to_columns(np.array([[0, 51], [255, 102], [0, 0]]))
    array([[0. , 1. , 0. ],
           [0.2, 0.4, 0. ]], dtype=float32)
    """
    return np.divide(pixels.T, 255, dtype=np.float32, order="C")


def one_hot(labels, classes=CLASSES):
    """Turn labels (m,) into columns Y, (classes, m): a one in row y, zeros elsewhere.

    The number of classes is given, not taken from the labels: a batch may lack a 9.

    >>> one_hot(np.array([2, 0]), classes=3)
    array([[0., 1.],
           [0., 0.],
           [1., 0.]], dtype=float32)
    """
    return np.equal(np.arange(classes)[:, None], labels).astype(np.float32)


# %% [markdown]
# ## Part 2: The network
#
#     X (784, m) -> Z1 = W1 @ X + b1 (10, m) -> A1 = relu(Z1) -> Z2 = W2 @ A1 + b2 (10, m)
#       -> A2 = softmax(Z2): ten probabilities in each column
#
# Why ReLU? Without something that is not linear in between, W2 @ (W1 @ X) = (W2 @ W1) @ X, and
# two layers are no more than one. Why only 10 hidden neurons? So that you can look at each of
# them (Part 7): the bottleneck costs accuracy and buys insight.
#
# Why a random start? Neurons that start equal get equal gradients and stay equal for ever. The
# draw from [-0.5, 0.5) is a plain choice, not a tuned one; docs/The_Core_Mathematics.md would
# scale it with the size of the layer.


# %%
class Parameters(NamedTuple):
    """All that the network knows. Gradients have the same four shapes, and the same type."""

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


def relu(Z):
    """Pass on what is positive, replace the rest by zero.

    >>> relu(np.array([[-2.0, 3.0]]))
    array([[0., 3.]])
    """
    return np.maximum(Z, 0)


def softmax(Z):
    """Turn each column of scores into positive probabilities that sum to one.

    Subtracting the column's maximum changes nothing (numerator and denominator shrink by the
    same factor) but keeps exp from overflowing. The sum runs down each column, axis -2: Python's
    own sum() does the same to a matrix, but np.sum() without an axis would let all columns share
    one denominator.

    >>> softmax(np.array([[1000.0, 0.0], [1000.0, 0.0], [-1000.0, np.log(2)]]))
    array([[0.5 , 0.25],
           [0.5 , 0.25],
           [0.  , 0.5 ]])
    """
    E = np.exp(Z - Z.max(axis=-2, keepdims=True))
    return E / E.sum(axis=-2, keepdims=True)


def forward(parameters, X):
    """Compute what the network answers to the columns of X, (784, m). Returns Activations.

    One pixel, one hidden neuron, two classes; the input is 2:

    >>> tiny = Parameters(*map(np.array, ([[3.0]], [[-1.0]], [[0.0], [1.0]], [[5.0], [0.0]])))
    >>> Z1, A1, Z2, A2 = forward(tiny, np.array([[2.0]]))
    >>> Z1.item(), A1.item(), Z2.ravel().tolist(), A2.ravel().tolist()
    (5.0, 5.0, [5.0, 5.0], [0.5, 0.5])
    """
    W1, b1, W2, b2 = parameters
    Z1 = W1 @ X + b1
    A1 = relu(Z1)
    Z2 = W2 @ A1 + b2
    return Activations(Z1, A1, Z2, softmax(Z2))


# %% [markdown]
# ## Part 3: The loss and its gradient
#
# The loss of an example is -log(the probability given to the true digit): 0 for a sure and
# correct answer, log(10) = 2.3 for a shrug, large for a confident mistake. The loss is its mean
# over the m examples; that mean is where every 1/m below comes from, and it keeps the size of
# a step independent of the number of examples.
#
# Working backwards by the chain rule, from the loss to the pixels, gives six equations. Two
# deserve a word. The gradient of softmax followed by cross-entropy collapses to `A2 - Y`: what
# the network said minus what it should have said. And ReLU's derivative is a mask of ones and
# zeros: a neuron that passed nothing on cannot be blamed.


# %%
def cross_entropy(Z2, Y):
    """Mean over the examples of -log(probability of the true class), from the scores Z2.

    From scores, not from probabilities: a probability below 1e-45 is 0 in float32 and its
    logarithm infinite, while log(exp(s) / sum(exp)) = s - log(sum(exp)) is exact.

    >>> Y = one_hot(np.array([0, 1]), classes=2)
    >>> float(cross_entropy(np.array([[0.0, 10_000.0], [0.0, 0.0]]), Y))  # (log 2 + 10,000) / 2
    5000.346573590279
    """
    S = Z2 - Z2.max(axis=-2, keepdims=True)
    return np.mean(np.log(np.exp(S).sum(axis=-2)) - (S * Y).sum(axis=-2))


def backward(parameters, X, Y, activations):
    """Gradient of the mean cross-entropy with respect to each parameter, as Parameters.

    A bias is added to every column, so its gradient is the sum over the columns, one for each
    row. (The sum over the whole of dZ2 would be zero, always: both A2 and Y sum to one.)

    >>> tiny = Parameters(*map(np.array, ([[3.0]], [[-1.0]], [[0.0], [1.0]], [[5.0], [0.0]])))
    >>> X, Y = np.array([[2.0]]), np.array([[1.0], [0.0]])
    >>> for name, slope in backward(tiny, X, Y, forward(tiny, X))._asdict().items():
    ...     print(name, slope.ravel().tolist())
    W1 [1.0]
    b1 [0.5]
    W2 [-2.5, 2.5]
    b2 [-0.5, 0.5]
    """
    Z1, A1, Z2, A2 = activations
    m = X.shape[-1]
    dZ2 = A2 - Y
    dW2 = dZ2 @ A1.swapaxes(-1, -2) / m  # swapaxes: the transpose, of each matrix of a stack too
    db2 = dZ2.sum(axis=-1, keepdims=True) / m
    dZ1 = parameters.W2.T @ dZ2 * (Z1 > 0)
    dW1 = dZ1 @ X.swapaxes(-1, -2) / m
    db1 = dZ1.sum(axis=-1, keepdims=True) / m
    return Parameters(dW1, db1, dW2, db2)


# %% [markdown]
# ## Part 4: Is the mathematics right?
#
# Do not believe the six equations: measure. Nudge one parameter up and down by a small h; the
# loss changes by about 2h times the slope, and that slope must be what `backward` says.
#
# In float64, the loss carries a rounding error near 1e-16, which the division by 2h = 2e-5
# enlarges to 1e-11 or so: a relative error of about 1e-9 is the best that can be expected here.
# A larger h would leave the curvature in, a smaller one more of the rounding.


# %%
def gradient_check(parameters, X, Y, rng, samples=20, h=1e-5):
    """Largest relative error of `backward` against central differences, in float64.

    Checks `samples` random entries of each of W1, b1, W2 and b2 on the columns of X, (784, m).
    The error of each kind is relative to its largest slope.
    """
    parameters = Parameters(*(p.astype(np.float64) for p in parameters))  # a copy: it is nudged
    X, Y = X.astype(np.float64), Y.astype(np.float64)
    # At the kink of ReLU there is no slope to measure: leave out pictures that sit on it.
    smooth = (np.abs(forward(parameters, X).Z1) > h * np.abs(X).max()).all(axis=0)
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
            slopes.append((above - loss()) / (2 * h))
            P.flat[i] = value
        largest = max(np.abs(slopes).max(), np.abs(dP).max(), 1e-4)
        errors.append(np.abs(slopes - dP.flat[chosen]).max() / largest)
    return max(errors)


# %% [markdown]
# ## Part 5: Learning
#
# Gradient descent is one line: step from each parameter against its slope. "Full batch" means
# that every step looks at all training pictures: the slope is exact, and the price is a pass
# over all of the data for a single step.


# %%
class Record(NamedTuple):
    """How the network does after so many iterations."""

    iteration: int
    loss: float
    accuracy: float  # fraction of the training images
    test_loss: float
    test_accuracy: float  # fraction of the test images
    parameters: Parameters


def descend(parameters, gradients, learning_rate):
    """One step of gradient descent; returns new Parameters and leaves the old ones alone.

    >>> start, slope = Parameters(*np.eye(4)), Parameters(*np.ones((4, 4)))
    >>> descend(start, slope, 0.5).W1
    array([ 0.5, -0.5, -0.5, -0.5])
    """
    return Parameters(*(p - learning_rate * dp for p, dp in zip(parameters, gradients)))


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


def train(parameters, training, test, iterations, learning_rate):
    """Learn, and yield a Record before the first step and after every step.

    `training` and `test` are (X, labels). Whoever asks for the records prints, draws or stops:
    nothing is computed until the next one is asked for. Raises UserError if learning breaks down.
    """
    (X, labels), (X_test, labels_test) = training, test
    Y, Y_test = one_hot(labels), one_hot(labels_test)
    for iteration in range(iterations + 1):
        activations = forward(parameters, X)
        loss = float(cross_entropy(activations.Z2, Y))
        on_test = forward(parameters, X_test)
        yield Record(
            iteration,
            loss,
            accuracy(activations.A2, labels),
            float(cross_entropy(on_test.Z2, Y_test)),
            accuracy(on_test.A2, labels_test),
            parameters,
        )
        gradients = backward(parameters, X, Y, activations)
        if not (math.isfinite(loss) and gradients.W1.any()):
            what = "every hidden neuron is dead" if math.isfinite(loss) else f"the loss is {loss}"
            raise UserError(
                f"learning broke down at iteration {iteration}: {what}. The steps are too large; "
                f"try a --learning-rate below {learning_rate:g} (0.1 works)."
            )
        parameters = descend(parameters, gradients, learning_rate)
