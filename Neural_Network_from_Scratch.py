# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=1.26", "pandas>=2.1", "matplotlib>=3.8"]
# ///

# %% [markdown]
"""
# A neural network from scratch

A picture of a digit is 784 numbers. A *neuron* multiplies each of them by a weight and adds up. The
*gradient* says which change of each weight would make the network worse. Ten neurons look at the
picture, ten more at those ten, all weights take 750 small steps the other way, and the network
reads handwriting. All of it is here, with no framework. Run it, then read it from top to bottom:

    pip install -r requirements.txt
    python Neural_Network_from_Scratch.py

1. The data                             6. Looking inside: what has it learnt?
2. The network                          7. Your own handwriting
3. The loss and its gradient            8. Everything else is efficiency
4. Is the mathematics right?            9. Lifting the limits
5. Learning: the algorithm is complete  10. The program: files, options, messages

"eq. 29" is equation 29 of docs/The_Core_Mathematics.md, which derives them. `# %%` begins a cell.
"""

# %%
# Skip this: it is for the machine.
import os
import sys
import threading
import warnings
from collections import namedtuple
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ONE_CORE = "numpy" not in sys.modules  # for each matrix product: Part 8 says why
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    ONE_CORE &= os.environ.setdefault(name, "1") == "1"  # NumPy reads it when it loads
warnings.filterwarnings("ignore", ".* encountered in matmul")  # false alarms of Apple's library

import numpy as np  # multiplies matrices
import pandas as pd  # reads the table of digits

PIXELS, CLASSES, TEST_SIZE, SEED = 28 * 28, 10, 1000, 1  # why seed 1? See the end of Part 5
HERE = Path(os.path.realpath(__file__)).parent if "__file__" in globals() else Path()
PLACES = [HERE / up / "mnist_data" / f"train.csv{gz}" for up in (".", "..") for gz in ("", ".gz")]
PLACES += [Path(f"/kaggle/input/{c}digit-recognizer/train.csv") for c in ("competitions/", "")]
PLACES += [Path("/content/sample_data/mnist_train_small.csv")]
DATA = next(filter(os.path.isfile, PLACES), PLACES[1])  # ours, or what Kaggle and Colab have

# %% [markdown]
# ## Part 1: The data
# Somebody wrote a 2. A scanner made 28 rows of 28 *pixels* of it, numbers from 0, paper, to 255,
# ink. Here is the middle, each pixel as a figure from 0, faint, to 9, for 255, and paper as a dot:
#
#     . . . 2 7 8 5 5 3 0 . . . . . . . . . .
#     . . . 5 8 8 8 8 8 7 4 0 . . . . . . . .
#     . . . 1 1 . 0 2 5 8 8 7 1 . . . . . . .
#     . . . . . . . . . 0 8 8 6 1 . . . . . .
#     . . . . . . . . . . 1 7 8 6 . . . . . .
#     . . . . . . . . . . . 0 8 8 2 . . . . .
#     . . . . . . 0 1 1 1 1 1 5 8 6 0 . . . .
#     . 0 4 7 7 7 7 8 8 8 8 8 8 8 8 7 7 3 3 3
#     0 7 8 8 8 8 8 8 8 7 8 8 8 8 8 8 8 8 8 6
#     4 8 7 5 2 1 3 0 0 0 2 7 8 8 3 0 0 0 0 0
#     6 8 3 0 . . . . 0 2 8 8 8 5 . . . . . .
#     1 8 8 5 5 4 5 5 8 8 8 8 5 . . . . . . .
#     . 2 8 8 8 8 8 8 8 7 6 1 . . . . . . . .
#     . . 1 2 5 5 2 2 0 . . . . . . . . . . .
#
# 42,000 such pictures come with this file, as a table. Each row holds a *label*, the digit that was
# meant, and the 784 pixels of one picture. Four things happen before a network sees them.
# - *Some are set aside.* Answering questions that one has seen proves nothing. So the network
#   learns from 41,000 *training* pictures, and is marked on 1,000 others, the *test* pictures.
# - *The table is transposed*: in X a COLUMN is a picture, a convention that lets the formulas
#   stand as in mathematics. Its *shape* is (784, m): 784 rows, m columns; (m,) is a list of m.
# - *Pixels are divided by 255*, to lie between 0 and 1. Part 5 shows what happens without.
# - *Labels become columns too*: a 2 becomes 0 0 1 0 0 0 0 0 0 0. This is called *one-hot*, and it
#   is what we want the network to say: ten probabilities, with everything on the 2.


# %%
def load_digits(path):
    """Read a table of digits: a label and 784 pixels in each row, below a header line or none.
    Returns pixels, uint8 (m, 784), from 0 to 255, and labels, uint8 (m,), from 0 to 9.
    Raises ValueError if a number is missing or is not one of these."""
    first = pd.read_csv(path, header=None, nrows=1).iat[0, 0]
    skip = 1 if isinstance(first, str) else 0  # a header begins with a word, a row with a number
    numbers = pd.read_csv(path, header=None, skiprows=skip, dtype=np.float32)
    table = numbers.astype(np.uint8)  # 8 bits hold 0 to 255, and nothing else
    if table.shape[1] != 1 + PIXELS or (table != numbers).any(axis=None) or table[0].max() > 9:
        raise ValueError("a row is not a label from 0 to 9 and 784 pixels from 0 to 255")
    table = np.ascontiguousarray(table)
    return table[:, 1:], table[:, 0]


def split(pixels, labels, test_size, rng):
    """Shuffle the rows (they may be sorted), set test_size aside: two pairs (pixels, labels)."""
    train_rows, test_rows = np.split(rng.permutation(len(labels)), [len(labels) - test_size])
    return (pixels[train_rows], labels[train_rows]), (pixels[test_rows], labels[test_rows])


def to_columns(pixels, divisor=255):
    """Turn rows of pixels, (m, n) from 0 to 255, into columns X, (n, m) from 0 to 1, float32.
    >>> to_columns(np.array([[0, 51], [255, 102], [0, 0]]))
    array([[0. , 1. , 0. ],
           [0.2, 0.4, 0. ]], dtype=float32)
    """
    return np.divide(pixels, divisor, dtype=np.float32).T  # rows become columns


def one_hot(labels, classes=CLASSES):
    """Turn labels (m,) into columns Y, (classes, m): a one in row `label`, zeros elsewhere.
    The number of classes is given, not taken from the labels: a few pictures may lack a 9.
    >>> one_hot(np.array([2, 0]), classes=3)
    array([[0., 1.],
           [0., 0.],
           [1., 0.]], dtype=float32)
    """
    column = np.arange(classes)[:, None]  # 0, 1, 2, ... as a column, (classes, 1)
    return np.equal(column, labels).astype(np.float32)  # each with each label: 1 if equal, else 0


# %% active="ipynb"
# # Try it, in docs/Neural_Network_from_Scratch.ipynb. What it prints is shown behind #->
# rng = np.random.default_rng(SEED)  # random numbers: the same seed gives the same ones again
# (pixels, y), (pixels_test, y_test) = split(*load_digits(DATA), TEST_SIZE, rng)
# X, X_test = to_columns(pixels), to_columns(pixels_test)
# print(X.shape, one_hot(y).shape, X_test.shape)
# #-> (784, 41000) (10, 41000) (784, 1000)
# for row in pixels[221].reshape(28, 28)[7:21, 6:26].tolist():  # the picture above
#     print("".join(f"{9 * ink // 255:2}" if ink else " ." for ink in row))

# %% [markdown]
# ## Part 2: The network
# A *neuron* has a *weight* for each of its inputs, and a *bias*. It multiplies each input by its
# weight, adds up the products and the bias, and has its *score*. Weights of 1, 2 and 0 and a bias
# of 5 turn the inputs 10, 20, 30 into 1 * 10 + 2 * 20 + 0 * 30 + 5 = 55.
#
# A *layer* is some neurons that look at the same inputs. Write the weights of each neuron as a row
# of a matrix W, the inputs as a column x, the biases as a column b: then W @ x + b holds all their
# scores at once. `@` is Python's matrix product: row by row, multiply by the column and add up.
#
#     [1   2  0]   [10]   [5]   [1 * 10 + 2 * 20 + 0 * 30 + 5]   [55]
#     [0  -1  3] @ [20] + [0] = [0 * 10 - 1 * 20 + 3 * 30 + 0] = [70]
#                  [30]
#
# (2, 3) @ (3, 1) gives (2, 1): the 3s must agree, and vanish. Many pictures side by side are many
# columns, X: `W @ X + b` does this for each of them, a whole layer; NumPy adds b to every column.
#
# This network has two layers. Ten neurons (or more: a choice), *hidden* between picture and answer,
# look at the pixels: `Z1 = W1 @ X + b1`. Each passes on its score if positive, else 0: *ReLU*,
# `A1 = relu(Z1)`. Ten more, one for each digit, look at these ten: `Z2 = W2 @ A1 + b2`. *Softmax*
# turns scores into probabilities: `A2 = softmax(Z2)`. The digit with the largest is the answer.
# Weights and biases are the *parameters*, 10 * 784 + 10 + 10 * 10 + 10 = 7,960 numbers.
# - *Why ReLU?* Without a bend in between, W2 @ (W1 @ X) = (W2 @ W1) @ X: two layers would be no
#   more than one. ReLU is about the simplest bend there is.
# - *Why exp in softmax?* exp(z), 2.718 to the power z, is positive, keeps the order of scores, and
#   turns equal differences into equal ratios: one point more is 2.7 times as probable, anywhere.


# %%
class Parameters(NamedTuple):
    """All that the network knows, and all that changes when it learns. (Gradients use it, too.)"""

    W1: np.ndarray  # (hidden, 784): row i holds the weights of hidden neuron i
    b1: np.ndarray  # (hidden, 1)
    W2: np.ndarray  # (10, hidden)
    b2: np.ndarray  # (10, 1)


# What flows through the network, kept because the gradient needs it again: scores of the hidden
# neurons, what they pass on, both (hidden, m); scores of the ten digits, probabilities, (10, m).
Activations = namedtuple("Activations", "Z1 A1 Z2 A2")

# For pencil and paper: one pixel, one hidden neuron (W1 = 1, b1 = -1), two classes (W2 = 0 and 1,
# b2 = 1 and 0), two pictures: one of class 0, whose pixel is 2, one of class 1, whose pixel is 0.
tiny = Parameters(*map(np.array, ([[1.0]], [[-1.0]], [[0.0], [1.0]], [[1.0], [0.0]])))
tiny_X, tiny_Y = np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])


def initialize(rng, inputs=PIXELS, hidden=10, classes=CLASSES, dtype=np.float32):
    """Draw every weight and bias at random, uniformly from [-0.5, 0.5). (Hidden neurons with equal
    weights, in and out, would get equal gradients and stay equal: ten times the same one.)"""
    shapes = (hidden, inputs), (hidden, 1), (classes, hidden), (classes, 1)
    return Parameters(*(rng.random(shape, dtype) - dtype(0.5) for shape in shapes))


def relu(Z):
    """Pass on what is positive, replace the rest by zero.
    >>> relu(np.array([[-2.0, 0.0, 3.0]]))
    array([[0., 0., 3.]])
    """
    return np.maximum(Z, 0)


def softmax(Z):
    """Turn each column of scores into probabilities: exp(score), divided by the sum of them all.
    First the column's largest score, c, is subtracted. That divides all ten, and their sum, by
    exp(c), and so it cancels; but exp(1000) would be infinite, and infinite / infinite no number.
    The sum runs down each column, axis 0 (axis 1 runs along the rows). np.sum without an axis would
    give all pictures one denominator; Python's own sum runs down the columns, right by accident.
    >>> softmax(np.array([[1.0], [2.0], [3.0]])).round(2).ravel().tolist()
    [0.09, 0.24, 0.67]
    >>> Z = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> Z.sum(axis=0).tolist(), Z.sum(axis=1).tolist(), float(np.sum(Z)), sum(Z).tolist()
    ([4.0, 6.0], [3.0, 7.0], 10.0, [4.0, 6.0])
    """
    E = np.exp(Z - Z.max(axis=0, keepdims=True))  # (10, m) - (1, m) -> (10, m), eq. 14
    return E / E.sum(axis=0, keepdims=True)  # keepdims: (1, m), a row that divides the ten rows


def forward(parameters, X):
    """What the network says to the columns of X, (784, m). Returns Activations.
    The tiny network, first picture: 1 * 2 - 1 = 1, passed on, scores 0 * 1 + 1 = 1 and
    1 * 1 + 0 = 1, a shrug. Second: 1 * 0 - 1 = -1, not passed on, scores 1 and 0.
    >>> for name, values in forward(tiny, tiny_X)._asdict().items():
    ...     print(name, values.round(2).tolist())
    Z1 [[1.0, -1.0]]
    A1 [[1.0, 0.0]]
    Z2 [[1.0, 1.0], [1.0, 0.0]]
    A2 [[0.5, 0.73], [0.5, 0.27]]
    """
    W1, b1, W2, b2 = parameters
    Z1 = W1 @ X + b1  # (10, 784) @ (784, m) + (10, 1) -> (10, m), eq. 3
    A1 = relu(Z1)  # (10, m) -> (10, m), eq. 4
    Z2 = W2 @ A1 + b2  # (10, 10) @ (10, m) + (10, 1) -> (10, m), eq. 5
    A2 = softmax(Z2)  # (10, m) -> (10, m), each column sums to 1, eq. 6
    return Activations(Z1, A1, Z2, A2)


# %% active="ipynb"
# # Try it: what does it say to a picture before it has learnt anything?
# start = initialize(rng)
# print(forward(start, X[:, :1]).A2[:, 0].round(2), "and it is a", y[0])
# #-> [0.02 0.04 0.01 0.01 0.03 0.73 0.04 0.02 0.08 0.02] and it is a 6

# %% [markdown]
# ## Part 3: The loss and its gradient
# How wrong is an answer? Take p, the probability that it gave to the true digit. The *loss* is
# -log(p), the natural logarithm: sure and right, p = 1, costs 0; each halving of p costs 0.69 more;
# a shrug, p = 1/10, costs 2.3; a confident mistake, p = 1/1000, 6.9. It is called *cross-entropy*;
# the loss of m examples (pictures) is their mean. It starts at 3.2: chance is confidently wrong.
#
# The *slope* (partial derivative) of the loss along a parameter is how fast the loss grows as that
# parameter alone grows. All 7,960 slopes are the *gradient*. The *chain rule* finds them. Let
# a = 3 * x and loss = a * a. At x = 1, a is 3 and the loss 9. Nudge x, and a moves 3 times as far.
# Nudge a by h: (a + h) * (a + h) is 2 * a * h more (h * h is tiny), 2 * a = 6 times as far. So
# nudge x, and the loss moves 6 * 3 = 18 times as far: x = 1.001 gives 9.018. Slopes along a chain
# multiply; where a number acts along several chains, their slopes add up.
#
# Our chain is X -> Z1 -> A1 -> Z2 -> A2 -> loss, and we walk it backwards: *backpropagation*. In
# one example, z_i is the score of digit i, p_i its probability, a_j what hidden neuron j passed on,
# and W2_ij the weight of a_j in z_i. A d in front means the loss's slope along it: dz_i, dZ2, dW2.
#
# - `dZ2 = A2 - Y`, *said minus wanted*. The loss is -log(exp(z_true) / sum) = log(sum) - z_true.
#   Along z_i, sum has slope exp(z_i), for exp is its own slope; log(sum) has 1 / sum of it: p_i.
#   And -z_true takes away 1 if i is the true digit. Each slope is how far its probability is off.
# - `dW2 = dZ2 @ A1.T / m`. z_i contains W2_ij * a_j, so the slope along W2_ij is dz_i * a_j. Row i
#   of dZ2 meets row j of A1, which adds this up over the examples; / m makes it the mean. So a
#   column of dZ is about *one example's own loss*, dW and db are about the *mean*. A1 @ dZ2.T,
#   wrong, is (10, 10) as well: with ten of both the shape does not tell, Part 4 does.
# - `db2` = row sums of dZ2, / m. b2_i is added to z_i in every example. (The sum over *all* of dZ2
#   would be 0, always: each column of A2 and of Y sums to 1.)
# - `dZ1 = (W2.T @ dZ2) * (Z1 > 0)`. a_j enters every z_i, W2_ij times: ten chains, so the sum of
#   W2_ij * dz_i over i: W2.T has them in a row. Then times ReLU's slope, entry by entry: 1 where
#   it passed the score on, 0 where not, a *mask*. (At 0, its *kink*, there is none; say 0.)
# - `dW1 = dZ1 @ X.T / m` and `db1` = row sums of dZ1, / m. As for W2 and b2, one layer down.


# %%
def cross_entropy(Z2, Y):
    """Mean over the examples of -log(probability of the true digit), from the scores Z2, (10, m).
    From A2 it could be infinite: in float32 a probability below 1e-45 or so is 0; log(sum) - z_true
    cannot. In the tiny network it is the mean of -log(0.5) = 0.69 and -log(0.27) = 1.31:
    >>> round(float(cross_entropy(forward(tiny, tiny_X).Z2, tiny_Y)), 4)
    1.0032
    """
    S = Z2 - Z2.max(axis=0, keepdims=True)  # (10, m) - (1, m) -> (10, m), eq. 16
    log_sum = np.log(np.exp(S).sum(axis=0))  # (10, m) -> (m,), eq. 17
    score = (S * Y).sum(axis=0)  # (10, m) -> (m,): the 1 of each column of Y picks the true score
    return np.mean(log_sum - score)  # (m,) -> one number, eq. 17


def backward(parameters, X, Y, activations):
    """The gradient: slopes of the mean cross-entropy along each parameter, as Parameters.
    In its first row dZ2 of the tiny network is -0.5, 0.73; so dW2 is (-0.5 * 1 + 0.73 * 0) / 2,
    and db2 (-0.5 + 0.73) / 2. dZ1 is 0.5, 0: in the second picture the neuron was off.
    >>> gradients = backward(tiny, tiny_X, tiny_Y, forward(tiny, tiny_X))
    >>> for name, slopes in gradients._asdict().items():
    ...     print(name, slopes.round(2).tolist())
    W1 [[0.5]]
    b1 [[0.25]]
    W2 [[-0.25], [0.25]]
    b2 [[0.12], [-0.12]]
    """
    Z1, A1, _, A2 = activations
    m = X.shape[1]
    dZ2 = A2 - Y  # (10, m) - (10, m) -> (10, m), eq. 29
    dW2 = dZ2 @ A1.T / m  # (10, m) @ (m, 10) -> (10, 10), eq. 33
    db2 = dZ2.sum(axis=1, keepdims=True) / m  # (10, m) -> (10, 1), eq. 34
    dZ1 = (parameters.W2.T @ dZ2) * (Z1 > 0)  # (10, 10) @ (10, m) * (10, m) -> (10, m), eq. 32
    dW1 = dZ1 @ X.T / m  # (10, m) @ (m, 784) -> (10, 784), eq. 35
    db1 = dZ1.sum(axis=1, keepdims=True) / m  # (10, m) -> (10, 1), eq. 36
    return Parameters(dW1, db1, dW2, db2)


# %% [markdown]
# ## Part 4: Is the mathematics right?
# Do not believe the six equations: measure. Nudge a parameter up by a small h, and down: the two
# losses differ by about 2h times the slope (*central differences*). The *relative error* is how far
# that slope is from what `backward` says, divided by the largest slope in its array (at least 1e-4:
# rounding shall not be divided by rounding). It is 2.5e-10 at first; the limit is 1e-6.
# - *Why float64?* It has 16 digits, float32 only 7, and subtracting losses that are so nearly equal
#   costs at least 5. *Why h = 1e-5?* The formula's error grows like h * h, rounding's like 1 / h
#   (eqs. 50 to 52). Pictures within a nudge of ReLU's kink are left out: it has no slope.
# - *What it cannot see*: a fault that loss and gradient share, such as labels that are off by one.


# %%
def gradient_check(parameters, X, Y, rng, h=1e-5):
    """Largest relative error of `backward` against central differences, in float64.
    Nudges up to 20 entries each of W1, b1, W2, b2, drawn by rng, on the columns of X, (784, m)."""
    parameters = Parameters(*(P.astype(np.float64) for P in parameters))  # copies: we nudge them
    margin = h * max(1, np.abs(X).max())  # a nudge of W1 moves a score by up to h times a pixel
    smooth = (np.abs(forward(parameters, X).Z1) > margin).all(axis=0)  # (m,): far from the kink?
    X, Y = X[:, smooth], Y[:, smooth]  # float32 times float64 gives float64
    errors = []
    for P, dP in zip(parameters, backward(parameters, X, Y, forward(parameters, X))):
        for i in rng.choice(P.size, min(P.size, 20), replace=False):
            value = P.flat[i]  # entry i, counted row by row
            P.flat[i] = value + h
            above = cross_entropy(forward(parameters, X).Z2, Y)
            P.flat[i] = value - h
            below = cross_entropy(forward(parameters, X).Z2, Y)
            P.flat[i] = value
            slope = (above - below) / (2 * h)  # eq. 49
            errors.append(abs(slope - dP.flat[i]) / max(np.abs(dP).max(), 1e-4))
    return float(np.max(errors))


# %% active="ipynb"
# # Try it: break a line of `backward` (swap a sign, drop a / m, forget the mask), and check again.
# print(f"{gradient_check(start, X_test[:, :50], one_hot(y_test[:50]), rng):.0e}")
# #-> 2e-10

# %% [markdown]
# ## Part 5: Learning
# Where a slope is positive, a smaller parameter means less loss; where negative, a larger one. So
# subtract from each its slope times a small number, the *learning rate*: *gradient descent*. Doing
# it once is a *step*, or iteration. *Full batch* means that each step looks at all 41,000 pictures:
# the slope is exact, and costs a pass over all of them, an *epoch*. Part 9 steps more often.


# %%
def accuracy(A2, labels):
    """Fraction of the columns of A2, (10, m), whose most probable digit is the label, 0 to 1.
    >>> accuracy(np.array([[0.2, 0.9], [0.8, 0.1]]), np.array([1, 1]))
    0.5
    """
    return float(np.mean(A2.argmax(axis=0) == labels))


def gradient(parameters, X, labels):
    """Loss, accuracy and gradients on all columns of X, (784, m), with their labels, (m,)."""
    Y = one_hot(labels)
    activations = forward(parameters, X)
    gradients = backward(parameters, X, Y, activations)
    return float(cross_entropy(activations.Z2, Y)), accuracy(activations.A2, labels), gradients


def descend(parameters, gradients, learning_rate):
    """One step of gradient descent; returns new Parameters. The tiny network's loss was 1.0032:
    >>> gradients = backward(tiny, tiny_X, tiny_Y, forward(tiny, tiny_X))
    >>> better = descend(tiny, gradients, 0.1)
    >>> [p.round(3).ravel().tolist() for p in better]
    [[0.95], [-1.025], [0.025, 0.975], [0.988, 0.012]]
    >>> round(float(cross_entropy(forward(better, tiny_X).Z2, tiny_Y)), 4)
    0.9597
    """
    return Parameters(*(P - learning_rate * dP for P, dP in zip(parameters, gradients)))  # eq. 41


def train(parameters, look, learning_rate):
    """Learn for ever: hand out (parameters, loss, accuracy) before each step.
    `look(parameters)` chooses the pictures of the step, and returns what `gradient` returns."""
    while True:
        loss, fraction, gradients = look(parameters)
        yield parameters, loss, fraction  # hands these out, and waits here until asked for more
        parameters = descend(parameters, gradients, learning_rate)


# %% active="ipynb"
# # Try it: a hundred steps at three learning rates. What will happen at 10?
# def look(parameters):
#     return gradient(parameters, X, y)
# for learning_rate in (0.01, 0.1, 10):
#     for _, (learnt, loss, _) in zip(range(101), train(start, look, learning_rate)):
#         pass  # handed out before each step: the 101st have a hundred steps behind them
#     right = accuracy(forward(learnt, X_test).A2, y_test)
#     print(f"{learning_rate:5}: loss {loss:.3f}, test {right:.1%}")
# #->  0.01: loss 2.254, test 14.6%
# #->   0.1: loss 1.190, test 57.3%
# #->    10: loss 2.301, test 12.3%

# %% [markdown]
# - *Which learning rate?* 0.01 crawls; 1 does better here (85 %), though its loss jumps later. At
#   10, and at 3 as well, steps leap across the lowest point and up the far side, until next to no
#   picture makes a hidden neuron score above 0: *dead*, for good. Only b2 still learns.
# - *That is why pixels are divided by 255.* dW1 contains X, and the new W1 meets X again: a step
#   changes scores by an amount that grows with the *square* of the pixels. Undivided, it is, all
#   else equal, 255 * 255 = 65,025 times as much, and two steps kill all ten neurons.
# - *How wide a start?* If all parameters are 0, only b2 ever moves, and the answer to every picture
#   is 1, the most frequent digit. A hundred times as wide, in [-50, 50), scores are huge: a loss of
#   21,163 at first, and some 15 % right after a hundred steps. Part 9 knows a better width.
# - *What to expect.* 750 steps at 0.1 get 86.9 % of the test pictures right. Over seeds 0 to 19,
#   each with other test pictures and another start, the mean is 87.0 %, the standard deviation 1.0
#   point (tests/seeds.py): about the luck of drawing 1,000, sqrt(0.87 * 0.13 / 1000), 1.1 points.
#   Seed 1 is the default because it is typical; 0 happens to be the worst of the twenty.
# - *More layers* would stand between A1 and Z2, each one more `W @ A + b` and `relu`, with its Z
#   and A kept; `backward` would repeat the lines of dZ1, dW1 and db1 for each (eqs. 63 to 65).
#
# **The algorithm is complete.** What follows looks at it, plays with it, speeds it up, and wraps it
# into a program.

# %% [markdown]
# ## Part 6: Looking inside
# Curves show how learning went, predictions what came of it. The third picture shows what a weight
# is: a hidden neuron's 784 weights, as 28 by 28, are a stencil. Where they are positive, ink makes
# it fire, where negative, fall silent. It shows what training CHANGED: the start was noise.

# %%
backend = "" if {"matplotlib", "ipykernel"} & {*sys.modules} else os.environ.pop("MPLBACKEND", "")
import matplotlib.pyplot as plt

if backend:
    with suppress(ValueError, ImportError):  # if this fails, matplotlib chooses what opens here
        plt.switch_backend(backend)

BLUE, ORANGE = "#0072B2", "#D55E00"  # a pair that the colour-blind can tell apart
INK = {"cmap": "gray_r", "vmin": 0, "vmax": 255}  # how to draw pixels: 0 white, 255 black
BARE = {"frame_on": False, "xticks": [], "yticks": []}


def plot_training(training, test):
    """Draw loss and accuracy, lists of (iteration, loss, accuracy from 0 to 1), in a Figure."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, style, color, seen in ("training", "-", BLUE, training), ("test", "--", ORANGE, test):
        steps, loss, fraction = np.transpose(seen)
        left.plot(steps, loss, style, color=color, label=f"{name}: {loss[-1]:.3f}")
        right.plot(steps, 100 * fraction, style, color=color, label=f"{name}: {fraction[-1]:.1%}")
    left.set(title="Loss", xlabel="iteration", ylabel="mean cross-entropy", ylim=(0, None))
    right.set(title="Accuracy", xlabel="iteration", ylabel="accuracy in %", ylim=(0, 100))
    for axes in left, right:
        axes.legend(title="pictures, value at the end")
        axes.grid(alpha=0.3)
    return figure


def plot_predictions(pixels, labels, A2, columns=8):
    """Draw the first of pixels, (m, 784), with their labels, (m,), and answers A2, (10, m); below
    them the wrong answers of the highest probability. Returns a Figure."""
    answers, certainty = A2.argmax(axis=0), A2.max(axis=0)
    wrong = sorted(np.flatnonzero(answers != labels), key=lambda i: -certainty[i])
    figure = plt.figure(figsize=(1.3 * columns, 8), layout="constrained")
    first, second = figure.subfigures(2, 1)
    first.suptitle(f"The first of {len(labels):,} test pictures: answer, probability")
    second.suptitle(f"The worst of {len(wrong):,} mistakes on test pictures")
    for part, chosen in (first, range(len(labels))), (second, wrong):
        for axes, i in zip(part.subplots(2, columns, subplot_kw=BARE).flat, chosen):
            axes.imshow(pixels[i].reshape(28, 28), **INK)
            title = axes.set_title(f"{answers[i]}  {100 * certainty[i]:.0f} %", fontsize=10)
            if answers[i] != labels[i]:  # marked by more than colour
                marked = f"\N{BALLOT X} {title.get_text()}\nis {labels[i]}"
                title.set(text=marked, color=ORANGE, weight="bold")
    return figure


def plot_neurons(before, after, X, most=25):
    """Draw how training changed each hidden neuron's weights, as 28 x 28, in a Figure. One that
    fires on no column of X, (784, m), has probably stopped learning: its title says so."""
    change, fires = (after.W1 - before.W1)[:most], (forward(after, X).Z1 > 0).any(axis=1)
    rows = -(-len(change) // 5)  # rounded up
    figure = plt.figure(figsize=(9.5, 1.8 * rows + 1), layout="constrained")
    grid = figure.subplots(rows, 5, squeeze=False, subplot_kw=BARE)
    limit = max(np.abs(change).max(), 1e-9)  # symmetric, so that white is zero
    for i, (axes, weights) in enumerate(zip(grid.flat, change)):
        picture = axes.imshow(weights.reshape(28, 28), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(f"{i + 1}" if fires[i] else f"{i + 1} never fires", fontsize=10)
    of_all = "" if len(fires) <= most else f" (the first {most} of {len(fires):,})"
    figure.suptitle(f"What training changed: + where ink excites a neuron more{of_all}")
    figure.colorbar(picture, ax=grid, shrink=0.8, label="change of weight")
    return figure


# %% [markdown]
# ## Part 7: Your own handwriting
# A weight belongs to a place: shift a 7 by four pixels, and its ink meets weights that were learnt
# from other strokes. So do to your digit what LeCun, Bottou, Bengio and Haffner did to theirs
# ("Gradient-based learning applied to document recognition", 1998, section III.A): shrink it into
# 20 by 20 pixels, and move its centre of mass to the middle of 28 by 28. Four functions do that:
#
#     open_picture   as a person would see it: upright, on white, in grey
#     remove_paper   light and shadow go; paper becomes 0, and ink positive
#     find_digit     which ink is the digit, and not a shadow, a ruled line, the edge of the desk?
#     prepare        the pen, then the size and the place, as in MNIST
#
# Leave one out, and see what the network makes of your digits. README.md has the commands.

# %%
from PIL import Image, ImageDraw, ImageOps  # matplotlib reads pictures with it

PEN = 2.4  # the width of a stroke, in pixels of the 28 by 28: the median of the training digits
Image.MAX_IMAGE_PIXELS = 120_000_000  # Pillow warns of more, and refuses twice as many


def open_picture(path, side=320):
    """Brightness, (height, width) from 0 to 255, at most `side` pixels a side."""
    with Image.open(path) as picture:
        picture.draft("L", (side, side))  # a large JPEG need not be unpacked in full
        picture = picture.convert("RGBA") if "transparency" in picture.info else picture
        grey = picture.convert("F" if picture.mode[0] in "IF" else "L")  # F: beyond 8 bits
        if "A" in picture.getbands():
            grey.paste(255, mask=ImageOps.invert(picture.getchannel("A")))
    grey.thumbnail((side, side))
    grey = np.asarray(ImageOps.exif_transpose(grey), np.float32)  # as the phone was held
    return grey * (255 / max(grey.max(), 255))


def threshold(values):
    """Between paper and ink: halfway between the mean of all below it and of all above it."""
    middle = (values.min() + values.max()) / 2
    for _ in range(20):
        middle = (values[values <= middle].mean() + values[values >= middle].mean()) / 2
    return middle


def remove_paper(picture):
    """Subtract the paper, whose brightness changes smoothly from place to place: products of powers
    of x and y, fitted by least squares to all that is not ink. Returns ink, 0 for paper. Is it dark
    or light? It is what lies far from the paper, and in a sum of cubes the far weighs most: its
    sign tells. ValueError if nothing stands out."""
    y, x = (np.linspace(-1, 1, n) for n in picture.shape)
    terms = np.stack([np.outer(y**i, x ** (d - i)) for d in range(5) for i in range(d + 1)], axis=2)
    paper, step = np.full(picture.shape, True), 1 + picture.size // 20_000  # every step-th will do
    for n in 1, 3, 6, 10, 15:  # the better ink is known, the more the surface may bend
        surface = np.linalg.lstsq(terms[paper, :n][::step], picture[paper][::step], rcond=None)[0]
        ink = picture - terms[:, :, :n] @ surface
        ink *= np.sign(np.sum(ink**3)) or 1
        paper = ink <= threshold(ink.clip(0))
    if ink.max() < 3 or ink[~paper].mean() < 4 * ink[paper].std():  # nothing but grain
        raise ValueError("the page is empty")
    return ink.clip(0)


def grow(A, axis):
    """The largest of each pixel and its neighbours along an axis, whose two ends are joined."""
    return np.maximum(A, np.maximum(np.roll(A, 1, axis), np.roll(A, -1, axis)))


def loose_pieces(ink):
    """The connected pieces of ink, as a list of masks: number the pixels of ink, and let the
    largest number spread. Left out: dust, and what touches the edge, as desk and shadows do."""
    framed = np.pad(ink, 1, constant_values=True)  # all that touches the edge is one with it
    names = np.arange(framed.size, dtype=np.int32).reshape(framed.shape) * framed
    while (names != (names := grow(grow(names, 0), 1) * framed)).any():
        pass
    values, areas = np.unique(names[names > 0], return_counts=True)  # the frame comes last
    chosen = values[:-1][areas[:-1] > max(ink.shape) / 8]
    return [names[1:-1, 1:-1] == name for name in chosen]


def find_digit(ink):
    """Which ink is the digit? Returns it, from 0 to 1, and how many digits there seem to be.
    It is the largest loose piece, and what is near it: the bar of a 5, the other side of a gap. A
    piece over half as tall, beside it, is another digit. If no piece is loose, the digit may touch
    a ruled line, which is paler: raise the threshold until they part, or else take all."""
    levels = np.linspace(threshold(ink), ink.max(), 8)[:-1]
    found = filter(None, (loose_pieces(ink > level) for level in levels))
    pieces = next(found, [ink > levels[0]])
    digit, count = max(pieces, key=np.sum), 1
    left, top, right, bottom = Image.fromarray(digit).getbbox()
    size = max(right - left, bottom - top)
    for piece in pieces:
        x, y, x_end, y_end = Image.fromarray(piece).getbbox()
        beside, above = max(x - right, left - x_end), max(y - bottom, top - y_end)
        if beside >= 0 and y_end - y > size / 2:
            count += 1
        elif max(beside, above) < 0.3 * size:
            digit = digit | piece
    soft = grow(grow(np.pad(digit, 1), 0), 1)[1:-1, 1:-1]  # the edges of its strokes are paler
    return (ink / np.median(ink[digit])).clip(0, 1) * soft, count


def pen_width(ink):
    """Twice the area over the outline (two sides), the sum of differences between neighbours."""
    ink = np.pad(ink, 1)
    down, across = np.diff(ink, axis=0)[:, 1:], np.diff(ink, axis=1)[1:]
    return 2 * ink.sum() / np.hypot(down, across).sum()


def fit(ink, longer):
    """Cut off the margin; average areas so that the longer side becomes `longer` pixels."""
    box = left, top, right, bottom = Image.fromarray(ink > ink.max() / 2).getbbox()
    scale = longer / max(right - left, bottom - top)
    size = [max(1, round(scale * n)) for n in (right - left, bottom - top)]
    return np.asarray(Image.fromarray(ink.astype(np.float32)).resize(size, Image.BOX, box))


def prepare(ink):
    """Turn ink, (height, width) from 0 to 1, into 784 pixels from 0 to 255 like those of MNIST."""
    ink = fit(ink, 80)  # four times as fine as in the end, to thicken it gently
    ink = (ink / np.median(ink[ink > ink.max() / 2])).clip(0, 1)  # hairlines have become pale
    while pen_width(ink) < 4 * PEN - 1:  # a thin pen leaves less ink than the weights expect
        ink = np.pad(ink, 1)  # each round adds about 2 to its width: end as near as possible
        ink = np.maximum(grow(ink, 0), grow(ink, 1))
    ink = Image.fromarray(np.rint(255 * fit(ink, 20)).astype(np.uint8))
    middle = [np.average(places, weights=ink) for places in np.indices(np.shape(ink))]
    top, left = np.clip(np.rint(middle) - 14, np.subtract(np.shape(ink), 28), 0)  # to index 14
    return np.ravel(ink.crop((left, top, left + 28, top + 28)))  # beyond its edge is paper, 0


def read_picture(path):
    """The digit in a picture as 784 pixels from 0 to 255, like a row of the table in Part 1."""
    return prepare(find_digit(remove_paper(open_picture(path)))[0])


def plot_answer(axes, title, picture, pixels, parameters):
    """Draw into four axes: a picture (see `open_picture`), its 784 pixels as the network sees them,
    what its hidden neurons pass on, and its ten probabilities."""
    _, A1, _, P = (pixels.any() * A[:, 0] for A in forward(parameters, to_columns(pixels[None])))
    for drawn in [*axes[0].images, *axes[1].images, *axes[2].patches, *axes[3].containers]:
        drawn.remove()
    axes[0].imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes[0].set(title=title.replace("$", r"\$"), xticks=[], yticks=[])  # $ would be mathematics
    axes[1].imshow(pixels.reshape(28, 28), **INK)
    axes[1].set(title="what the network sees", xticks=[], yticks=[])
    axes[2].stairs(A1, np.arange(len(A1) + 1) + 0.5, fill=True, color=BLUE)
    axes[2].set(title="hidden neurons pass on", ylim=(0, A1.max() + 0.1))
    axes[2].locator_params(axis="x", integer=True)  # they are counted from 1
    axes[3].bar(range(10), 100 * P, color=[ORANGE if p == P.max() else BLUE for p in P])
    axes[3].set(xticks=range(10), ylim=(0, 100), ylabel="%")
    axes[3].set_title(f"read as {P.argmax()} ({P.max():.0%})" if P.any() else "read as")


def drawing_board(parameters, side=112, radius=4):
    """A window to draw in: at each movement of the mouse, the network reads what is there."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.6))
    page, last = Image.new("L", (side, side), 255), None  # where the pen was; None while it is up
    pen, how = ImageDraw.Draw(page), "Draw with the mouse.\nRight click or key w: wipe"

    def listen(event=None):
        nonlocal last
        button = getattr(event, "button", getattr(event, "key", "w"))  # at the beginning, a wipe
        draws = button == 1 and event.inaxes is axes[0] and event.name != "button_release_event"
        here = (event.xdata, event.ydata) if draws else None
        if draws:
            pen.line([last or here, here], 0, 2 * radius)
            pen.ellipse([n + d for d in (-radius, radius) for n in here], 0)
        elif button in (3, "w"):
            page.paste(255, (0, 0, side, side))
        last = here
        ink = 1 - np.asarray(page) / 255
        pixels = prepare(ink) if ink.any() else np.zeros(PIXELS)
        plot_answer(axes, how, page, pixels, parameters)
        figure.canvas.draw_idle()

    for event in "button_press", "motion_notify", "button_release", "key_press":
        figure.canvas.mpl_connect(f"{event}_event", listen)
    listen()
    figure.tight_layout()
    return figure


# %% [markdown]
# ## Part 8: Everything else is efficiency
# This part finds what `gradient` finds, up to rounding, only sooner. A full-batch step takes 23 ms
# on two cores with AVX-512 (tests/benchmark.py). Four ideas, one upon the other:
# - *Blocks*, 19.5 ms. The gradient is a sum over examples (eq. 44): let each core take the next
#   3,072 pictures, and add up. Left alone, NumPy shares out single products: see the first cell.
# - *Blank pixels*, 11.6 ms. A pixel that is blank in a whole block adds exactly nothing, to Z1 and
#   to dW1 (eq. 45). Sort digits by the columns where ink begins and ends: 39 % can be left out.
# - *Bytes*, 9.6 ms. A pixel fits into one byte, float32 takes four, and memory is slower than
#   arithmetic. So keep bytes; a core turns a block into float32 when it wants it, always at the
#   same place, its desk. And (W1 / 255) @ bytes is cheaper than W1 @ (bytes / 255).
# - *Tiles*, 6.8 ms. OpenBLAS, which multiplies for NumPy, first copies a large matrix into a better
#   order; for ten rows the copy costs more than the product. Small matrices it takes as they are,
#   if the processor has AVX-512: so give it 64 pictures at a time.
#
# Bytes, tiles and blanks hide in a class that can only be multiplied: `W1 @ X` and `dZ1 @ X.T`. So
# `forward` and `backward` never learn that X is no matrix any more. Frameworks do it the same way.


# %%
class Tiles:
    """Pictures as a matrix X, (784, m), that can only be multiplied: W @ X and dZ @ X.T."""

    __array_ufunc__ = None  # so NumPy leaves `W @ X` to X, that is, to __rmatmul__
    desk = threading.local()  # each thread has its own, and spreads out block after block on it
    T = property(lambda X: Transposed(X))

    def __init__(self, pixels, divisor=255):  # pixels: uint8, rows, (m, 784)
        self.shape, self.divisor = pixels.T.shape, divisor
        self.ink = np.flatnonzero(pixels.any(axis=0))  # (p,): which pixels have ink at all
        self.pixels = pixels.take(self.ink, axis=1)  # (m, p)

    def tiles(self, rows):
        """The pixels as float32, (tiles, 64, p); in one piece, (1, m, p), if that is better."""
        desk, (m, p), size = vars(self.desk), self.pixels.shape, self.pixels.size
        if desk.pop("pixels", None) is not self.pixels:  # else they lie there since `forward`
            if "numbers" not in desk or desk["numbers"].size < size:
                desk["numbers"] = np.empty(size, np.float32)
            desk["numbers"][:size] = self.pixels.ravel()
        desk["pixels"] = self.pixels  # only now: Ctrl-C may come at any time
        width = 64 if rows <= 18 and m % 64 == 0 else m  # for more rows, tiles are no faster
        return desk["numbers"][:size].reshape(m // width, width, p)

    def __rmatmul__(self, W):
        W = W.take(self.ink, axis=1) / self.divisor  # (hidden, p)
        Z = self.tiles(len(W)) @ W.T  # (tiles, 64, p) @ (p, hidden) -> (tiles, 64, hidden)
        return Z.reshape(-1, len(W)).T.copy()  # (hidden, m), row by row in memory


class Transposed(NamedTuple):  # X.T, for Tiles X
    X: Tiles
    __array_ufunc__ = None

    def __rmatmul__(self, dZ):
        tiles = self.X.tiles(len(dZ))
        dW = np.zeros((len(dZ), self.X.shape[0]), dZ.dtype)  # blank pixels have slope 0
        dZ = dZ.reshape(len(dZ), *tiles.shape[:2]).swapaxes(0, 1)  # (tiles, hidden, 64)
        dW[:, self.X.ink] = (dZ @ tiles).sum(axis=0) / self.X.divisor
        return dW


def make_blocks(pixels, labels, divisor=255, size=3072):
    """Sort rows of pixels, uint8 (m, 784), and cut them into blocks: a list of (X, labels)."""
    ink = pixels.reshape(-1, 28, 28).any(axis=1)  # (m, 28): ink in this column of the picture?
    left, right = ink.argmax(axis=1), 27 - ink[:, ::-1].argmax(axis=1)  # argmax: the first True
    order = np.lexsort((right, left))  # by left; where that is equal, by right
    cuts = np.split(order, range(size, len(order), size))  # the last may be smaller
    return [(Tiles(pixels[chosen], divisor), labels[chosen]) for chosen in cuts]


def gradient_in_blocks(parameters, blocks, each=map):
    """What `gradient` returns, for all blocks. `each` is map, or the map of a pool of threads."""
    m = sum(len(labels) for _, labels in blocks)

    @np.errstate(all="ignore")  # threads do not inherit the setting of `main`
    def part(block):
        loss, fraction, gradients = gradient(parameters, *block)
        return [len(block[1]) / m * value for value in (loss, fraction, *gradients)]  # eq. 46

    loss, fraction, *gradients = map(sum, zip(*each(part, blocks)))  # in order: the same bits
    return loss, fraction, Parameters(*gradients)


# %% [markdown]
# ## Part 9: Lifting the limits
# This network is small so that you can see all of it. Two ideas of a few lines each, and more
# hidden neurons, take it from 87 to 98 % of the test pictures (tests/limits.py), with the options
# --hidden 256 --init he --batch-size 128 --iterations 6420 --learning-rate 0.5.
# - *Mini-batches.* Why look at all pictures before each step? The gradient on 128 of them points
#   about the same way, and costs a three-hundredth. In the time of 750 exact steps one makes
#   thousands that are each a little wrong. 6,420 steps of 128 are 20 epochs.
# - *A start that fits the layer.* A score is a sum of n = 784 products, with n times the variance
#   of one: so weights of variance 1 / n keep scores about as large from layer to layer, and 2 / n
#   makes up for the half that ReLU cuts away (eqs. 66 to 68).


# %%
def mini_batches(pixels, labels, size, rng, divisor=255):
    """Shuffle the rows of pixels, (m, 784), deal them out `size` at a time, and so on for ever.
    Yields (X, labels). The last batch of an epoch may be smaller: every picture is seen once."""
    while True:
        order = rng.permutation(len(labels))
        for batch in np.split(order, range(size, len(order), size)):
            yield to_columns(pixels[batch], divisor), labels[batch]


def initialize_he(rng, inputs=PIXELS, hidden=10, classes=CLASSES, dtype=np.float32):
    """Draw weights normally with variance 2 / (inputs of their layer), and set biases to 0.
    From He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015."""
    W1 = rng.standard_normal((hidden, inputs), dtype) * dtype(np.sqrt(2 / inputs))
    W2 = rng.standard_normal((classes, hidden), dtype) * dtype(np.sqrt(2 / hidden))
    return Parameters(W1, np.zeros((hidden, 1), dtype), W2, np.zeros((classes, 1), dtype))


# %% [markdown]
# ## Part 10: The program
# Nothing new about networks: options, messages, files and their faults. `run` tells the story.

# %%
import argparse
import csv
import re
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice


def run(options):
    """The story of a run. Returns the exit status."""
    options.figures.mkdir(parents=True, exist_ok=True)
    for file in filter(None, (options.figures / "training.png", options.save)):
        if file.is_dir() or not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
            sys.exit(f"{file}: can't save there; --figures and --save name other places")
    learnt, figures = load_network(options.load) if options.load else None, {}
    if options.iterations or options.save or not (learnt and options.digit):
        learnt = study(learnt, options, figures)
    status = read_pictures(options.digit, learnt, figures) if options.digit else 0
    for name, figure in figures.items():
        write_whole(options.figures / f"{name}.png", partial(figure.savefig, dpi=100, format="png"))
        if options.no_show:
            plt.close(figure)
    opens = any(figure.canvas.required_interactive_framework for figure in figures.values())
    if opens and not options.no_show:
        drawing_board(learnt)
        print("   close the windows to end")
        with suppress(KeyboardInterrupt):  # all is saved
            plt.show()
    return status


def study(loaded, options, figures):
    """Parts 1 to 6; adds figures. Returns what was learnt, for pixels divided by 255."""
    print("1. The data")
    rng = np.random.default_rng(options.seed)
    (pixels, labels), (pixels_test, y_test) = read_digits(options, rng)
    divisor = 1 if options.raw_pixels else 255
    X_test = to_columns(pixels_test, divisor)
    print(f"   X {pixels.T.shape} to learn from, {X_test.shape} for the test, from {options.data}")
    draw = initialize_he if options.init == "he" else initialize
    start = loaded or draw(rng, hidden=options.hidden)
    print("2. The network\n   " + ", ".join(f"{k} {P.shape}" for k, P in start._asdict().items()))
    print(f"   {sum(P.size for P in start):,} parameters, {options.load or f'seed {options.seed}'}")
    some = np.flatnonzero(pixels.any(axis=1))[:50]  # an empty page says nothing about W1
    X, y = to_columns(pixels[some]), labels[some]  # divided even with --raw-pixels
    error = gradient_check(start, X, one_hot(y), np.random.default_rng(0))
    print(f"3. and 4. The gradient: relative error against finite differences {error:.1e}")
    both = zip(gradient(start, X, y)[2], gradient_in_blocks(start, make_blocks(pixels[some], y))[2])
    if not (error < 1e-6 and all(np.allclose(P, Q, 1e-3, 1e-4) for P, Q in both)):  # or NaN
        sys.exit("the gradient is wrong: look at your last change (nan: is all at ReLU's kink?)")
    size, rate = min(options.batch_size or len(labels), len(labels)), options.learning_rate
    print(f"5. Learning\n   {size:,} pictures in a step, learning rate {rate:g}")
    blocks = make_blocks(pixels, labels, divisor)
    each = ThreadPoolExecutor(os.cpu_count()).map if ONE_CORE else map  # else NumPy shares out
    if options.batch_size:
        batches = mini_batches(pixels, labels, size, rng, divisor)
        steps = train(start, lambda parameters: gradient(parameters, *next(batches)), rate)
    else:
        steps = train(start, partial(gradient_in_blocks, blocks=blocks, each=each), rate)
    learnt, seen, seen_test = follow(steps, X_test, y_test, options)
    kept = learnt._replace(W1=learnt.W1 * (255 / divisor))
    if options.save:
        write_whole(options.save, partial(np.savez, **kept._asdict()))
    print("6. Looking inside")
    seen_test.append((len(seen) - 1, *gradient(learnt, X_test, y_test)[:2]))
    A2 = forward(learnt, X_test).A2
    right = A2.argmax(axis=0) == y_test
    for i, P in enumerate(A2.T[:8]):
        said = f"read as {P.argmax()} ({P.max():4.0%}) {'right' if right[i] else 'WRONG'}"
        print(f"   test picture {i} is {y_test[i]}, {said}")
    seen[-1] = (len(seen) - 1, *gradient_in_blocks(learnt, blocks)[:2])  # not of the last batch
    print(f"   final training accuracy: {seen[-1][2]:.1%}")
    print(f"   final test accuracy: {right.mean():.1%} ({right.sum():,} of {len(right):,})")
    if right.sum() <= np.bincount(y_test).max() < len(y_test):
        print("   no better than a guess: try more --iterations, or another --learning-rate")
    figures["training"] = plot_training(seen, seen_test)
    figures["predictions"] = plot_predictions(pixels_test, y_test, A2)
    figures["neurons"] = plot_neurons(start, learnt, X_test)
    return kept


def follow(steps, X_test, y_test, options):
    """Take the steps, to the end or to Ctrl-C, and tell how training and test pictures fare.
    Returns the last parameters, and (iteration, loss, accuracy) of all steps and of the tests."""
    n, began, seen, seen_test = options.iterations, time.perf_counter(), [], []
    looks = [n * k // 105 for k in range(106)]  # at the test; every seventh is told about
    try:
        for i, (parameters, loss, fraction) in zip(range(n + 1), steps):
            seen.append((i, loss, fraction))
            if i not in looks and np.isfinite(loss):
                continue
            seen_test.append((i, *gradient(parameters, X_test, y_test)[:2]))
            firing = forward(parameters, X_test).A1.any(axis=0)  # is any neuron, for this picture?
            if not np.isfinite(loss) or (i and len(firing) > 9 and firing.mean() < 0.01):
                advice = "try a smaller --learning-rate" + ", no --raw-pixels" * options.raw_pixels
                sys.exit(f"learning broke down at iteration {i}, loss {loss:.3g}: {advice}")
            if i in looks[::7]:
                seconds = time.perf_counter() - began
                left = f"{seconds * (n / i - 1):.0f} s left" if 0 < i < n else f"{seconds:.1f} s"
                line = f"   iteration {i:{len(str(n))}}/{n}  loss {loss:.4f}  train {fraction:.1%}"
                print(line + f"  test {seen_test[-1][2]:.1%}  {left}")
    except KeyboardInterrupt:
        if not seen:
            raise
        print(f"   stopped at iteration {i}; here is what came of it so far")
    return parameters, seen, seen_test


def read_pictures(paths, parameters, figures):
    """Part 7 for each picture; adds a figure of them. Returns the exit status."""
    print("7. Your own handwriting")
    rows = []
    for path in paths:
        try:
            picture = open_picture(path)
            digit, count = find_digit(remove_paper(picture))
        except Exception as error:  # Pillow has many kinds; a ValueError says what is wrong
            reason = getattr(error, "strerror", None) or (type(error) is ValueError and error)
            reason = reason or "cannot be read; is it HEIC or huge? Save it as a small JPEG"
            print(f"error: {path}: {reason}", file=sys.stderr)
            continue
        pixels = prepare(digit)
        P = forward(parameters, to_columns(pixels[None])).A2[:, 0]
        several = ", the largest of several digits" if count > 1 else ""
        print(f"   {path}: read as {P.argmax()} ({100 * P.max():.0f} %){several}")
        rows.append((path.name.encode(errors="replace").decode(), picture, pixels))
    if rows:
        n = min(len(rows), 20)
        figures["digits"], grid = plt.subplots(n, 4, figsize=(11, 2.2 * n), squeeze=False)
        for axes, row in zip(grid, rows):
            plot_answer(axes, *row, parameters)
        figures["digits"].tight_layout()
    return 0 if len(rows) == len(paths) else 2


FORM = "each row: a label from 0 to 9, then 784 pixels from 0, paper, to 255, ink; commas between"
MOST = np.array([9] + 784 * [255])  # the largest number in each column
WHOLE = {f"{number}{end}" for number in range(256) for end in ("", ".0")}
KINDS = {  # how a file begins, as a regular expression, and what it therefore is
    rb"\0\0\x08|\x93NUMPY|PK\x03\x04|\x80|PAR1": "binary, as idx, npy, npz, zip, pickle or parquet",
    rb"\x89PNG|\xff\xd8\xff": "a picture: --digit reads it",
    rb"\x1f\x8b|BZh\d|\xfd7z": "compressed: let its name end in .gz, .bz2 or .xz",
    rb"version https://git-lfs": "a pointer of Git LFS: 'git lfs pull' fetches the file",
    rb"\xff\xfe|\xfe\xff": "text in UTF-16: save it as UTF-8",
    rb'("?[A-Za-z][^\r\n]*)?\s*\Z': "an empty file, or a header that no row follows",
    rb'\s*\n"?[A-Za-z]': "a table whose line 1 is empty, with its header below",
    rb'"?ImageId"?,"?Label': "a list of answers without pictures, as in sample_submission.csv",
    rb"(0,)?1,2,3,4,5,": "a table whose line 1 only numbers the columns (pandas: header=False)",
    rb"\d,(0,)?0\.1,0\.2,": "a table whose line 1 was a digit that pandas took for a header",
    rb"([^;\t ,\n]*[;\t ]){99}": "a table with ';', tabs or blanks between its cells, not commas",
    rb'(""|),"?[A-Za-z]': "a table whose column 1 only numbers the rows (pandas: index=False)",
    rb"(([^,\n]*,){785}[^,\n]*\n){2}": "a table of 786 columns, not 785: perhaps with an index",
    rb"(([^,\n]*,){783}[^,\n]*\n){2}": "a table of 784 columns, not 785: perhaps without labels",
    rb"(\D.*\s)?\d[^,]*(?=.*\.[1-9])(,-?\d(\.\d*)?(e-..|e.00)?){784}": "a table of divided pixels",
}


def causes(path, file):
    """Yield what is wrong with a file that load_digits refused; the first is the plainest."""
    start = file.buffer.read(50_000).removeprefix(b"\xef\xbb\xbf")
    file.buffer.seek(0)
    yield from (f"this is {KINDS[known]}" for known in KINDS if re.match(known, start))
    first = pd.read_csv(path, header=None, nrows=1, encoding_errors="replace").iat[0, 0]
    lines = csv.reader(map(str.strip, file))
    for row in filter(None, islice(lines, int(isinstance(first, str)), None)):
        if len(row) != 785:
            yield f"line {lines.line_num} has {len(row)} columns, not 785, from {row[0][:40]!a} on"
        if not WHOLE.issuperset(row) or float(row[0]) > 9:  # a quick look, which few rows fail
            numbers = pd.to_numeric(row, errors="coerce")  # 5.0 is 5, a word is NaN
            for column in np.flatnonzero(~np.isin(numbers, range(256)) | (numbers > MOST)):
                found = f"{row[column][:40]!a}, no whole number from 0 to {MOST[column]}"
                yield f"line {lines.line_num}, column {column + 1}: here is {found}"


def load_or_explain(path, one_label=False):
    """load_digits for a person at a terminal: says in one line what is wrong with a file, where."""
    cause = 'no such file, or a folder or pipe; name another: --data PATH, main(["--data", "PATH"])'
    if os.path.isfile(path):  # pandas would also open pipes and addresses
        try:
            pixels, labels = load_digits(path)
            if pixels.max() < 64:
                raise ValueError(f"the largest pixel is {pixels.max()}, too faint for ink")
            if np.mean(pixels > 200) > 1 / 2:
                raise ValueError("paper is darker than ink: most pixels are above 200")
            if (labels == labels[0]).all() and not one_label:
                raise ValueError(f"all labels are {labels[0]}, or are not in column 1")
            return pixels, labels
        except Exception as error:  # pandas has many kinds
            cause = ascii(" ".join(str(error).split())[:200])[1:-1] or "not enough memory"
            how = {"encoding": "utf-8-sig", "errors": "replace", "compression": "infer"}
            with suppress(Exception), pd.io.common.get_handle(path, "r", **how) as file:
                cause = next(causes(path, file.handle), cause)
    sys.exit(f"{path}: {cause}. Expected in {FORM} (README.md: 'Data of your own').")


def read_digits(options, rng):
    """The digits to learn from and those to be tested on: two pairs (pixels, labels)."""
    pixels, labels = load_or_explain(options.data)
    if options.test_data:
        test = load_or_explain(options.test_data, one_label=True)
    else:  # a tenth of them, at most 1,000
        (pixels, labels), test = split(pixels, labels, min(TEST_SIZE, -(-len(labels) // 10)), rng)
    tested = set(map(bytes, test[0]))
    new = np.array([bytes(picture) not in tested for picture in pixels])
    if not new.any():
        sys.exit(f"{options.data}: no picture is left to learn from, all are in the test.")
    if not new.all():
        print(f"   {np.sum(~new):,} pictures left out: they are test pictures as well")
    return (pixels[new], labels[new]), test


def write_whole(path, write):
    """Let `write` fill a file, which appears at `path` whole or not at all."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        with open(Path(folder, path.name), "wb") as file:
            write(file)
        Path(folder, path.name).replace(path)
    print(f"   saved {path}")


def load_network(path):
    """The Parameters that --save saved. Ends the program if the file holds anything else."""
    reason = "holds no network that --save wrote"
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = Parameters(**{k: P.astype(np.float32) for k, P in arrays.items()})
        wanted = initialize(np.random.default_rng(), hidden=max(1, len(found.W1)))
        if all(P.shape == Q.shape and np.isfinite(P).all() for P, Q in zip(found, wanted)):
            return found
    except Exception as error:
        reason = getattr(error, "strerror", None) or reason
    sys.exit(f"{path}: {reason}")


def parse_options(arguments):
    """Read the command line; --help lists the options."""

    def refuse(message):
        others = {"--epoch": "--iterations", "--lr": "--learning-rate", "_rate": "--learning-rate"}
        hints = (f"here it is {ours}" for other, ours in others.items() if other in message)
        sys.exit(f"{message}; {next(hints, '--help lists the options')}")

    def number(low, high, text):
        with suppress(ValueError):
            if low <= (value := type(low)(text)) <= high:
                return value
        raise argparse.ArgumentTypeError(f"{text} is no {type(low).__name__} from {low} to {high}")

    parser = argparse.ArgumentParser(allow_abbrev=False, description="Learns to read digits.")
    parser.error = refuse  # in one line
    parser.print_help = lambda: print(parser.format_help())  # not silent when the disk is full
    for name, kind, default, text in (
        ("--data", Path, DATA, "table to learn from: a label and 784 pixels a row [%(default)s]"),
        ("--test-data", Path, None, "table to be tested on, instead of a part of --data"),
        ("--iterations", (0, 10**6), 750, "how many steps of gradient descent [%(default)s]"),
        ("--batch-size", (1, 10**6), None, "pictures in a step, if not all of them"),
        ("--learning-rate", (1e-9, 1e6), 0.1, "how far to go in each step [%(default)s]"),
        ("--hidden", (1, 10**4), 10, "how many hidden neurons [%(default)s]"),
        ("--seed", (0, 2**32 - 1), SEED, "start of the random numbers [%(default)s]"),
        ("--load", Path, None, "go on from a network that --save saved (give the same --seed)"),
        ("--save", Path, None, "save what was learnt, as an .npz file"),
        ("--figures", Path, Path("figures"), "folder for the figures [%(default)s]"),
    ):
        form, read = ("FILE", Path) if kind is Path else ("N", partial(number, *kind))
        parser.add_argument(name, type=read, default=default, metavar=form, help=text)
    parser.add_argument("--init", choices=("uniform", "he"), default="uniform", help="[uniform]")
    parser.add_argument("--digit", type=Path, nargs="+", metavar="FILE", help="pictures to read")
    parser.add_argument("--raw-pixels", action="store_true", help="do not divide pixels by 255")
    parser.add_argument("--no-show", action="store_true", help="save pictures, open no windows")
    options = parser.parse_args(arguments)
    if options.load and any(word.startswith(("--hidden", "--init", "--raw")) for word in arguments):
        refuse("--load brings a finished network: leave out --hidden, --init and --raw-pixels")
    return options


def main(arguments=()):
    """Run the program. Returns its exit status: 0, 2 after an error, 1 or 130 if cut short."""
    ends, reason = {BrokenPipeError: 1, KeyboardInterrupt: 130}, ""  # cut short: | head, Ctrl-C
    with suppress(AttributeError):  # the output of a notebook has no such thing
        sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)
    try:
        with np.errstate(all="ignore"):  # `follow` looks at the loss itself
            status = run(parse_options(arguments))
    except (SystemExit, OSError, ImportError, MemoryError, KeyboardInterrupt) as end:
        reason = str(end) or "not enough memory: try fewer --hidden neurons or fewer digits"
        status = 0 if reason == "0" else ends.get(type(end), 2)  # --help ends with a 0
    error = f"error: {' '.join(reason.split())}\n" if reason and status == 2 else ""
    for stream, words in (sys.stdout, ""), (sys.stderr, error):
        try:
            print(words, end="", file=stream, flush=True)
        except OSError:  # it is closed or full: Python shall not try again when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return status


# %%
if __name__ == "__main__" and Path(sys.argv[0]).name == Path(globals().get("__file__", "?")).name:
    sys.exit(main(sys.argv[1:]))

# %% [markdown]
# In a notebook, `main([])` runs the whole program, with options, as in `main(["--seed", "2"])`.
# What now? docs/Exercises.md has fourteen: predict, break, derive, fool the network, and more.
