# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=1.26", "pandas>=2.1", "matplotlib>=3.8"]
# ///

# %% [markdown]
"""
# A neural network from scratch

A picture of a digit is 784 numbers. A *neuron* multiplies each of them by a weight and adds up. The
*gradient* says of each weight which way it should go. Ten neurons look at the picture, ten more
look at those ten, all their weights take 750 small steps along the gradient, and the network reads
handwriting. All of it is in this file, and no framework hides anything: NumPy multiplies matrices,
pandas reads the digits, matplotlib draws the pictures. Run it, then read it from top to bottom:

    pip install -r requirements.txt
    python Neural_Network_from_Scratch.py

1. The data                             6. Looking inside: what has it learnt?
2. The network                          7. Your own handwriting
3. The loss and its gradient            8. Everything else is efficiency
4. Is the mathematics right?            9. Lifting the limits
5. Learning: the algorithm is complete  10. The program: files, options, messages

"eq. 29" is equation 29 of docs/The_Core_Mathematics.md, which derives each. `# %%` begins a
notebook cell; those that say "Try it" run in docs/Neural_Network_from_Scratch.ipynb.
"""

# %%
# Skip this: it is for the machine.
import os
from pathlib import Path
from typing import NamedTuple

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(name, "1")  # one core for each matrix product: Part 8 says why

import numpy as np
import pandas as pd

PIXELS, CLASSES, TEST_SIZE = 28 * 28, 10, 1000
SEED = 1  # a typical one: see the end of Part 5


def default_data():
    """The file of digits: in mnist_data/, or where Kaggle and Colab keep theirs."""
    here = os.path.realpath(globals().get("__file__", "notebook"))  # a notebook has no __file__
    names = """mnist_data/train.csv mnist_data/train.csv.gz ../mnist_data/train.csv.gz
        /kaggle/input/competitions/digit-recognizer/train.csv
        /kaggle/input/digit-recognizer/train.csv /content/sample_data/mnist_train_small.csv"""
    places = [Path(here).parent / name for name in names.split()]
    return next(filter(os.path.isfile, places), places[1])


# %% [markdown]
# ## Part 1: The data
#
# Somebody wrote a 3. A scanner made 28 rows of 28 *pixels* of it, numbers from 0, paper, to 255,
# ink. Here is the middle of them, each pixel shortened to one figure, paper to a dot:
#
#     . . . . . . 1 2 5 8 8 8 6 6 5 0 . .
#     . . . . . 2 7 8 8 8 8 8 7 7 8 7 1 .
#     . . . 1 5 8 7 3 3 3 0 . . 0 6 7 0 .
#     . . . 1 8 7 0 . . . . . . 4 8 7 . .
#     . . . . . . . . . . . . 4 8 8 6 . .
#     . . . . . . . . . . 1 5 8 8 6 0 . .
#     . . . . . . . . 0 4 8 8 7 4 . . . .
#     . . . . . . . 5 7 8 8 8 1 . . . . .
#     . . . 1 4 7 8 8 8 8 8 2 . . . . . .
#     . . . 8 8 8 8 8 8 8 8 7 4 1 . . . .
#     . . . 5 7 7 7 2 . 2 3 7 8 8 4 . . .
#     . . . . . . . . . . . . 1 7 8 2 . .
#     . . . . . . . . . . . . . 6 8 3 . .
#     . . . . . . . . . . . . . 8 8 3 . .
#     . . . . . . . . . . . . 0 8 8 4 . .
#     . . . . . . . . . . . 4 7 8 6 . . .
#     . . . 1 1 . . . . 0 3 8 8 7 0 . . .
#     . 0 3 8 8 1 . 0 3 7 8 8 7 2 . . . .
#     . 3 8 9 8 8 8 8 8 8 8 3 0 . . . . .
#     . 3 6 8 8 8 8 6 5 4 1 . . . . . . .
#
# 42,000 such pictures come with this file, as a table. Each row holds a *label*, the digit that was
# meant, and the 784 pixels of one picture. Four things happen before a network sees them.
#
# - *Some are set aside.* Who has seen the questions proves nothing by answering them. So the
#   network learns from 41,000 *training* pictures, and is marked on 1,000 *test* pictures that it
#   never learns from. Chance decides which, because the table may have an order.
# - *The table is transposed*: each picture becomes a column. This is a convention; it lets the
#   formulas stand in the order in which mathematics writes them. From here on a COLUMN is an
#   example, m is the number of examples, and (784, m) means 784 rows and m columns.
# - *Pixels are divided by 255*, to lie between 0 and 1. Part 5 shows what happens without.
# - *Labels become columns too*: a 3 becomes 0 0 0 1 0 0 0 0 0 0. This is called *one-hot*, and it
#   is what we want the network to say: ten probabilities, with everything on the 3.


# %%
def load_digits(path):
    """Read a table of digits: a label and 784 pixels in each row, below a header line or none.

    Returns pixels, uint8 (n, 784), from 0 to 255, and labels, uint8 (n,), from 0 to 9.
    Raises ValueError if a number is missing or is not one of these.
    """
    first = pd.read_csv(path, header=None, nrows=1).iat[0, 0]
    skip = 1 if isinstance(first, str) else 0  # a header begins with a word, a row with a number
    pieces = []
    for piece in pd.read_csv(path, header=None, skiprows=skip, dtype=np.float32, chunksize=5000):
        numbers = piece.to_numpy()  # (5000, 785); what is missing is NaN, which passes no test
        good = (numbers >= 0) & (numbers <= 255) & (numbers == np.round(numbers))
        if numbers.shape[1] != 1 + PIXELS or not good.all() or (numbers[:, 0] >= CLASSES).any():
            raise ValueError("a row is not a label from 0 to 9 and 784 pixels from 0 to 255")
        pieces.append(numbers.astype(np.uint8, order="C"))  # 8 bits hold 0 to 255
    table = np.concatenate(pieces)
    return table[:, 1:], table[:, 0]


def split(pixels, labels, test_size, rng):
    """Shuffle the rows, set test_size of them aside; returns two pairs (pixels, labels)."""
    train_rows, test_rows = np.split(rng.permutation(len(labels)), [len(labels) - test_size])
    return (pixels[train_rows], labels[train_rows]), (pixels[test_rows], labels[test_rows])


def to_columns(pixels, divisor=255):
    """Turn rows of pixels, (m, n) from 0 to 255, into columns X, (n, m) from 0 to 1, float32:
    numbers of 32 bits, with 7 digits, are exact enough to learn with, and fast.

    >>> to_columns(np.array([[0, 51], [255, 102], [0, 0]]))
    array([[0. , 1. , 0. ],
           [0.2, 0.4, 0. ]], dtype=float32)
    """
    return np.divide(pixels, divisor, dtype=np.float32).T  # .T: rows become columns


def one_hot(labels, classes=CLASSES):
    """Turn labels (m,) into columns Y, (classes, m): a one in row `label`, zeros elsewhere.

    The number of classes is given, not taken from the labels: a batch may lack a 9.

    >>> one_hot(np.array([2, 0]), classes=3)
    array([[0., 1.],
           [0., 0.],
           [1., 0.]], dtype=float32)
    """
    column = np.arange(classes)[:, None]  # (classes, 1): each is compared with each of m labels
    return np.equal(column, labels).astype(np.float32)


# %% active="ipynb"
# # Try it. What it prints is shown behind #->
# rng = np.random.default_rng(SEED)
# (pixels, y), (pixels_test, y_test) = split(*load_digits(default_data()), TEST_SIZE, rng)
# X, X_test = to_columns(pixels), to_columns(pixels_test)
# print(X.shape, one_hot(y).shape, X_test.shape)
# #-> (784, 41000) (10, 41000) (784, 1000)
# for row in pixels[2].reshape(28, 28)[5:25, 5:23].tolist():  # the picture above
#     print("".join(f"{9 * ink // 255:2}" if ink else " ." for ink in row))

# %% [markdown]
# ## Part 2: The network
#
# A *neuron* has a *weight* for each of its inputs, and a *bias*. It multiplies each input by its
# weight, adds up the products and the bias, and has its *score*. Weights of 1, 2 and 0 and a bias
# of 5 turn the inputs 10, 20, 30 into 1 * 10 + 2 * 20 + 0 * 30 + 5 = 55.
#
# A *layer* is some neurons that look at the same inputs. Write the weights of each neuron as a row
# of a matrix W, and the inputs as a column x: then W @ x has all their products at once. `@` is
# Python's matrix product: row by row, multiply by the column and add up.
#
#     [1   2  0]   [10]   [1 * 10 + 2 * 20 + 0 * 30]   [50]
#     [0  -1  3] @ [20] = [0 * 10 - 1 * 20 + 3 * 30] = [70]
#                  [30]
#
# Many pictures side by side are many columns, X, and W @ X does this for each of them. So a whole
# layer is `W @ X + b`; NumPy adds the column of biases, b, to every column.
#
# This network has two layers. Ten *hidden* neurons look at the pixels: `Z1 = W1 @ X + b1`. Each
# passes on its score if it is positive, and 0 if not, which is called *ReLU*: `A1 = relu(Z1)`. Ten
# more, one for each digit, look at these ten numbers: `Z2 = W2 @ A1 + b2`. *Softmax* turns their
# scores into ten probabilities: `A2 = softmax(Z2)`. The digit with the largest is the answer.
#
# Weights and biases are the *parameters*, 10 * 784 + 10 + 10 * 10 + 10 = 7,960 numbers: all that
# the network knows, and all that changes when it learns. More hidden neurons would read better;
# there are only ten so that you can look at each of them (Part 6).
#
# - *Why ReLU?* Without something that bends in between, W2 @ (W1 @ X) = (W2 @ W1) @ X: two layers
#   would be no more than one. ReLU is the simplest bend there is.
# - *Why exp in softmax?* It makes scores positive, keeps their order, and turns equal differences
#   into equal ratios: one point more is 2.7 times as probable, wherever one starts.


# %%
class Parameters(NamedTuple):
    """All that the network knows, by name. (Gradients have the same shapes, and are this too.)

    Two neurons that look at three pixels, and two pictures:

    >>> W, b = np.array([[1, 2, 0], [0, -1, 3]]), np.array([[5], [0]])
    >>> X = np.array([[10, 1], [20, 0], [30, 0]])
    >>> W @ X + b  # (2, 3) @ (3, 2) + (2, 1) -> (2, 2)
    array([[55,  6],
           [70,  0]])
    """

    W1: np.ndarray  # (hidden, 784): row i holds the weights of hidden neuron i
    b1: np.ndarray  # (hidden, 1)
    W2: np.ndarray  # (10, hidden)
    b2: np.ndarray  # (10, 1)


class Activations(NamedTuple):
    """What flows through the network, kept because the gradient needs it again."""

    Z1: np.ndarray  # (hidden, m) scores of the hidden neurons
    A1: np.ndarray  # (hidden, m) what they pass on
    Z2: np.ndarray  # (10, m) scores of the ten digits
    A2: np.ndarray  # (10, m) probabilities of the ten digits


# The example from here on, for pencil and paper: one pixel, one hidden neuron, two classes. And two
# pictures: pixel 2, which is of class 0, and pixel 0, which is of class 1.
tiny = Parameters(
    np.array([[1.0]]), np.array([[-1.0]]), np.array([[0.0], [1.0]]), np.array([[1.0], [0.0]])
)
tiny_X, tiny_Y = np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])


def initialize(rng, inputs=PIXELS, hidden=10, classes=CLASSES, dtype=np.float32):
    """Draw every weight and bias at random, uniformly from [-0.5, 0.5). (Hidden neurons that start
    equal would get equal gradients and stay equal: ten times the same one.)

    >>> [p.shape for p in initialize(np.random.default_rng(0))]
    [(10, 784), (10, 1), (10, 10), (10, 1)]
    """
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

    >>> softmax(np.array([[1.0], [2.0], [3.0]])).round(2).ravel().tolist()
    [0.09, 0.24, 0.67]

    First the column's largest score is subtracted. That changes nothing, as all ten are divided by
    the same factor, but exp(1000) would be infinite, and infinite / infinite is not a number.
    The sum runs down each column, axis 0 (axis 1 runs along the rows). np.sum without an axis
    adds up everything, and all pictures would share one denominator; Python's own sum happens to
    run down the columns, and copies of this network that use it are right by accident.

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
# print(forward(start, X[:, :1]).A2.ravel().round(2).tolist(), "and it is a", y[0])
# #-> [0.02, 0.04, 0.01, 0.01, 0.03, 0.73, 0.04, 0.02, 0.08, 0.02] and it is a 6

# %% [markdown]
# ## Part 3: The loss and its gradient
#
# How wrong is an answer? Take p, the probability that it gave to the true digit. The *loss* is
# -log(p). Sure and right, p = 1, costs 0; every halving of p costs 0.69 more; a shrug, p = 1/10,
# costs 2.3. This is called *cross-entropy*; the loss of m examples is the mean of theirs. It starts
# at 3.2, above a shrug: a network of random numbers does not shrug, it makes confident mistakes.
#
# The *slope* of the loss along a parameter is how fast the loss grows as that parameter alone
# grows. All 7,960 slopes together are the *gradient*. The *chain rule* finds them.
#
# *Two links of a chain.* Let a = 3 * x and loss = a * a. At x = 2, a is 6 and the loss 36. Nudge x,
# and a moves 3 times as far. Nudge a, and the loss moves 2 * a = 12 times as far. So nudge x, and
# the loss moves 12 * 3 = 36 times as far: x = 2.001 gives 36.036. Slopes along a chain multiply;
# and where a number acts along several chains, their slopes add up.
#
# Our chain is X -> Z1 -> A1 -> Z2 -> A2 -> loss, and we walk it backwards: *backpropagation*. For
# one example, z_i is the score of digit i, p_i its probability, a_j what hidden neuron j passed on,
# and W2_ij the weight by which a_j enters z_i. Then, one equation at a time:
#
# - `dZ2 = A2 - Y`, *said minus wanted*. The loss is -log(exp(z_true) / sum) = log(sum) - z_true.
#   The slope of log(sum) along z_i is exp(z_i) / sum = p_i, and - z_true takes away 1 if i is the
#   true digit: each score's slope is just what its probability is off.
# - `dW2 = dZ2 @ A1.T / m`. z_i contains W2_ij * a_j, so the slope along W2_ij is dz_i * a_j. In
#   this product each row of dZ2 meets each row of A1, which adds it up over the examples; / m makes
#   it the mean. So a column of dZ is about *one example's own loss*, while dW and db are about the
#   *mean*. And this transpose is no convention: nothing else would fit.
# - `db2` = row sums of dZ2, / m. b2_i is added to z_i in every example. (The sum over *all* of dZ2
#   would be 0, always: each column of A2 and of Y sums to 1.)
# - `dZ1 = W2.T @ dZ2 * (Z1 > 0)`. a_j enters every z_i, W2_ij times: ten chains, so add up W2_ij *
#   dz_i over i: a product with W2 on its side. Then back through ReLU, whose slope is 1 where it
#   passed the score on and 0 where not: a mask. (At 0, its *kink*, there is none; 0 is usual.)
# - `dW1 = dZ1 @ X.T / m` and `db1` = row sums of dZ1, / m. As for W2 and b2, one layer down.


# %%
def cross_entropy(Z2, Y):
    """Mean over the examples of -log(probability of the true digit), from the scores Z2, (10, m).

    In the tiny network that is the mean of -log(0.5) = 0.69 and -log(0.27) = 1.31.

    >>> round(float(cross_entropy(forward(tiny, tiny_X).Z2, tiny_Y)), 4)
    1.0032

    From scores, not from A2: in float32 a probability below 1e-45 is 0 and its logarithm infinite,
    while log(sum) - z_true is finite even for the most confident mistake.
    """
    S = Z2 - Z2.max(axis=0, keepdims=True)  # (10, m) - (1, m) -> (10, m), eq. 16
    log_sum = np.log(np.exp(S).sum(axis=0))  # (10, m) -> (m,), eq. 17
    score = (S * Y).sum(axis=0)  # (10, m) -> (m,): the 1 of each column of Y picks the true score
    return np.mean(log_sum - score)  # (m,) -> one number, eq. 17


def backward(parameters, X, Y, activations):
    """The gradient: slopes of the mean cross-entropy along each parameter, as Parameters.

    In the tiny network dZ2 is -0.5, 0.73 in its first row, so dW2 is (-0.5 * 1 + 0.73 * 0) / 2
    and db2 is (-0.5 + 0.73) / 2 there. dZ1 is 0.5, 0: in the second picture the neuron was off.

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
    dZ1 = parameters.W2.T @ dZ2 * (Z1 > 0)  # (10, 10) @ (10, m) * (10, m) -> (10, m), eq. 32
    dW1 = dZ1 @ X.T / m  # (10, m) @ (m, 784) -> (10, 784), eq. 35
    db1 = dZ1.sum(axis=1, keepdims=True) / m  # (10, m) -> (10, 1), eq. 36
    return Parameters(dW1, db1, dW2, db2)


# %% [markdown]
# ## Part 4: Is the mathematics right?
#
# Do not believe the six equations: measure. Nudge a parameter up by a small h, then down: the loss
# changes by about 2h times the slope (these are *central differences*), and that slope must be what
# `backward` says. The *relative error* is their distance, divided by the largest slope of the kind:
# 2.5e-10 for the default start. Above 1e-6 the program stops.
#
# - *Why float64?* It has 16 digits, float32 only 7, and the difference of two nearly equal losses
#   loses most of them. *Why h = 1e-5?* A larger h feels how the loss bends, a smaller one only its
#   rounding (eqs. 50 to 52). *Why leave pictures out?* At ReLU's kink there is no slope.
# - *What it cannot see.* It compares the loss with its gradient; a fault that both share (`forward`
#   without b1, say) makes another network, with the right gradient.


# %%
def gradient_check(parameters, X, Y, rng, h=1e-5):
    """Largest relative error of `backward` against central differences, in float64.

    Nudges 20 entries of each of W1, b1, W2, b2, drawn by rng, on the columns of X, (784, m).
    """
    parameters = Parameters(*(P.astype(np.float64) for P in parameters))  # copies: we nudge them
    X, Y = X.astype(np.float64), Y.astype(np.float64)
    margin = h * max(1, np.abs(X).max())  # a nudge of W1 moves a score by up to h times a pixel
    smooth = (np.abs(forward(parameters, X).Z1) > margin).all(axis=0)  # (m,): far from the kink?
    X, Y = X[:, smooth], Y[:, smooth]
    gradients = backward(parameters, X, Y, forward(parameters, X))
    errors = []
    for P, dP in zip(parameters, gradients):
        for i in rng.choice(P.size, min(P.size, 20), replace=False):
            value = P.flat[i]  # entry i, counted row by row
            P.flat[i] = value + h
            above = cross_entropy(forward(parameters, X).Z2, Y)
            P.flat[i] = value - h
            below = cross_entropy(forward(parameters, X).Z2, Y)
            P.flat[i] = value
            slope = (above - below) / (2 * h)  # eq. 49
            # If all slopes are tiny, 1e-4 keeps rounding from being divided by rounding.
            errors.append(abs(slope - dP.flat[i]) / max(np.abs(dP).max(), 1e-4))
    return float(np.max(errors))


# %% active="ipynb"
# # Try it: break a line of `backward` (swap a sign, drop a / m, forget the mask), and check again.
# print(f"{gradient_check(start, X_test[:, :50], one_hot(y_test[:50]), rng):.0e}")
# #-> 2e-10

# %% [markdown]
# ## Part 5: Learning
#
# Where its slope is positive, less of a parameter is less loss; where it is negative, more is. So
# subtract from each parameter its slope times a small number, the *learning rate*. That is
# *gradient descent*, and doing it once is a *step*, or iteration.


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
    """One step of gradient descent; returns new Parameters. The tiny loss falls from 1.0032:

    >>> gradients = backward(tiny, tiny_X, tiny_Y, forward(tiny, tiny_X))
    >>> better = descend(tiny, gradients, 0.1)
    >>> [p.round(3).ravel().tolist() for p in better]
    [[0.95], [-1.025], [0.025, 0.975], [0.988, 0.012]]
    >>> round(float(cross_entropy(forward(better, tiny_X).Z2, tiny_Y)), 4)
    0.9597
    """
    return Parameters(*(P - learning_rate * dP for P, dP in zip(parameters, gradients)))  # eq. 41


def train(parameters, look, learning_rate):
    """Learn, for ever: before each step, yields (parameters, loss, accuracy).

    `look(parameters)` looks at the pictures of the step, and returns what `gradient` returns.
    """
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
#         pass
#     right = accuracy(forward(learnt, X_test).A2, y_test)
#     print(f"{learning_rate:5}: loss {loss:.3f}, test {right:.1%}")
# #->  0.01: loss 2.254, test 14.6%
# #->   0.1: loss 1.190, test 57.3%
# #->    10: loss 2.301, test 12.3%

# %% [markdown]
# - *Which learning rate?* At 0.01 it crawls. At 10, and at 3 too, the steps leap over the valley,
#   and soon hardly any hidden neuron has a positive score for any picture. What it passes on is 0,
#   and so are its slopes: it never comes back. It is *dead*.
# - *That is why pixels are divided by 255.* dW1 contains X, and the new W1 meets X again: a step
#   changes scores by an amount that grows with the *square* of the pixels. Without the division it
#   is 255 * 255 = 65,025 times as much, and two steps kill all ten neurons. See it: --raw-pixels.
# - *How wide a start?* If all parameters are 0, only b2 ever moves, and the answer to every picture
#   is 1, the most frequent digit. A hundred times as wide, in [-50, 50), it shouts: a first loss of
#   21,163, and 15.9 % right after a hundred steps. Part 9 knows a better width.
# - *What to expect.* 750 steps at 0.1 read 86.9 % of the test pictures rightly. Other seeds, that
#   is, other test pictures and another start, give 87.0 % in the mean of seeds 0 to 19, with a
#   standard deviation of 1.0 (tests/seeds.py); chance alone moves a share of 1,000 pictures by 1.
#   Seed 1 is the default because it is typical; 0 happens to be the worst of the twenty.
# - *More layers* would stand between A1 and Z2, each one more `W @ A + b` and `relu`; `backward`
#   would repeat its last three lines for each (eqs. 63 to 65).
#
# **The algorithm is complete.** What follows looks at it, plays with it, speeds it up, and wraps it
# into a program.

# %% [markdown]
# ## Part 6: Looking inside
#
# Curves show how learning went; predictions, and the worst mistakes, what came of it. The third
# picture shows what a weight is. The 784 weights of a hidden neuron, laid out as 28 by 28, are a
# stencil that is laid over each digit: ink where weights are positive excites the neuron, ink where
# they are negative silences it. Drawn is what training CHANGED, `W1` after minus `W1` before; the
# weights themselves look like noise, because the random start was noise.

# %%
import sys

try:
    import matplotlib.pyplot as plt
except ValueError:  # MPLBACKEND names a kind of window that matplotlib does not know: no windows
    os.environ["MPLBACKEND"] = "agg"
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        del sys.modules[name]
    import matplotlib.pyplot as plt

BLUE, ORANGE = "#0072B2", "#D55E00"  # a pair that the colour-blind can tell apart


def plot_training(training, test, window=1):
    """Draw loss and accuracy against the iteration. Returns a Figure.

    `training` and `test` are lists of (iteration, loss, accuracy from 0 to 1). Mini-batches are
    noisy: for them, each point of the training curves is the mean of the last `window` steps.
    """
    figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    window = max(1, min(window, len(training)))
    name = "training" if window == 1 else f"training, mean of {window} batches"
    curves = (name, training, "-", BLUE, window), ("test", test, "--", ORANGE, 1)
    for label, seen, style, color, width in curves:
        iterations, losses, fractions = np.transpose(seen)
        for axes, values, form in zip(panels, (losses, 100 * fractions), ("{:.3f}", "{:.1f} %")):
            means = np.convolve(values, np.full(width, 1 / width), mode="valid")
            text = f"{label}: {form.format(means[-1])}"
            axes.plot(iterations[width - 1 :], means, style, color=color, label=text)
    panels[0].set(title="Loss", ylabel="mean cross-entropy", ylim=(0, None))
    panels[1].set(title="Accuracy", ylabel="accuracy in %", ylim=(0, 100))
    for axes in panels:
        axes.set_xlabel("iteration")
        axes.legend(title="pictures, value at the end")
        axes.grid(alpha=0.3)
    return figure


def plot_predictions(pixels, labels, A2, columns=8):
    """Draw the first test pictures with the network's answers, and below them its worst mistakes:
    the wrong answers that it gave with the highest probability.

    `pixels` is (m, 784), `labels` (m,), `A2` (10, m). Returns a Figure.
    """
    answers, certainty = A2.argmax(axis=0), A2.max(axis=0)
    wrong = np.flatnonzero(answers != labels)
    worst = wrong[np.argsort(-certainty[wrong])]
    figure = plt.figure(figsize=(1.3 * columns, 8), layout="constrained")
    rows = (
        (f"The first of {len(labels):,} test pictures: answer, probability", range(len(labels))),
        (f"The worst of {len(wrong):,} mistakes on test pictures", worst),
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
    """Draw what training changed in the weights of the hidden neurons, as 28 x 28 stencils.

    `before` and `after` are Parameters. A neuron that fires on no column of X, (784, m), gets no
    gradient and learns no more; its title says so. Returns a Figure.
    """
    change = (after.W1 - before.W1)[:most]
    fires = (forward(after, X).Z1 > 0).any(axis=1)
    columns = 5 if len(change) <= 10 else 10
    rows = -(-len(change) // columns)  # rounded up
    size = (1.6 * columns + 1.5, 1.8 * rows + 1)
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    limit = max(np.abs(change).max(), 1e-9)  # symmetric, so that white is zero
    for axes in grid.ravel():
        axes.axis("off")
    for i, (axes, weights) in enumerate(zip(grid.ravel(), change)):
        picture = axes.imshow(weights.reshape(28, 28), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(f"{i + 1}" if fires[i] else f"{i + 1} never fires", fontsize=10)
    of_all = "" if len(fires) <= most else f" (the first {most} of {len(fires):,})"
    figure.suptitle(f"What training changed: + where ink excites a neuron more{of_all}")
    figure.colorbar(picture, ax=grid, shrink=0.8, label="change of weight")
    return figure


# %% [markdown]
# ## Part 8: Everything else is efficiency


# %%
class Block(NamedTuple):
    pixels: np.ndarray
    X: np.ndarray
    labels: np.ndarray


def make_blocks(pixels, labels, divisor=255, size=2048):
    ink = pixels.reshape(-1, 28, 28).any(axis=1)
    left, right = ink.argmax(axis=1), 27 - ink[:, ::-1].argmax(axis=1)
    order = np.lexsort((right, left))
    blocks = []
    for chosen in np.split(order, range(size, len(order), size)):
        X = to_columns(pixels[chosen], divisor)
        kept = np.flatnonzero(X.any(axis=1))
        blocks.append(Block(kept, np.ascontiguousarray(X[kept]), labels[chosen]))
    return blocks


def gradient_in_blocks(parameters, blocks, each=map):
    @np.errstate(all="ignore")
    def of_block(block):
        seen = parameters._replace(W1=parameters.W1[:, block.pixels])
        return gradient(seen, block.X, block.labels)

    m = sum(len(block.labels) for block in blocks)
    mean_loss, mean_accuracy, total = 0, 0, Parameters(*map(np.zeros_like, parameters))
    for block, (loss, fraction, slopes) in zip(blocks, each(of_block, blocks)):
        share = len(block.labels) / m
        mean_loss += share * loss
        mean_accuracy += share * fraction
        total.W1[:, block.pixels] += share * slopes.W1
        for sum_of_slopes, slope in zip(total[1:], slopes[1:]):
            sum_of_slopes += share * slope
    return mean_loss, mean_accuracy, total


# %% [markdown]
# ## Part 9: Lifting the limits
#
# This network is small so that you can see all of it. Two ideas of a few lines each, and more
# hidden neurons, take it from 87 to 98 % of the test pictures (tests/limits.py):
#
# - *Mini-batches.* Why look at all pictures before each step? The slope on 128 of them points about
#   the same way, and costs a three-hundredth. In the time of 750 exact steps one makes thousands
#   that are each a little wrong. A pass over all pictures is an *epoch*.
# - *A start that fits the layer.* A score is a sum of 784 products: the more inputs, the larger it
#   gets, so the weights should start smaller. He's start makes scores about as large as inputs.


# %%
def mini_batches(pixels, labels, size, rng, divisor=255):
    """Shuffle the rows of pixels, (m, 784), deal them out `size` at a time, and so on for ever.

    Yields (X, labels). The last batch of an epoch may be smaller: every picture is seen once.
    """
    while True:
        order = rng.permutation(len(labels))
        for first in range(0, len(labels), size):
            batch = order[first : first + size]
            yield to_columns(pixels[batch], divisor), labels[batch]


def initialize_he(rng, inputs=PIXELS, hidden=10, classes=CLASSES, dtype=np.float32):
    """Draw weights normally with variance 2 / (inputs of their layer), and set biases to 0.

    A sum of n terms has n times the variance of one, so 1 / n keeps scores about as large from
    layer to layer, and the 2 makes up for the half that ReLU cuts away (eqs. 66 to 68).
    From He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015.
    """
    W1 = rng.standard_normal((hidden, inputs), dtype) * dtype(np.sqrt(2 / inputs))
    W2 = rng.standard_normal((classes, hidden), dtype) * dtype(np.sqrt(2 / hidden))
    return Parameters(W1, np.zeros((hidden, 1), dtype), W2, np.zeros((classes, 1), dtype))


# %% [markdown]
# ## Part 10: The program
#
# Nothing new about networks: files and their faults, options, messages, and the order of a run.


# %%
import argparse
import math
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

AS_PROGRAM = (
    __name__ == "__main__" and Path(sys.argv[0]).name == Path(globals().get("__file__", "")).name
)


class UserError(Exception):
    """One line that tells the person at the terminal what is wrong and what to do."""


def read_digits(options, rng):
    pixels, labels = load_digits(options.data)
    if options.test_data is None:
        return split(
            pixels, labels, TEST_SIZE if len(labels) >= 10_000 else max(1, len(labels) // 10), rng
        )
    return (pixels, labels), load_digits(options.test_data)


def load_network(path):
    with np.load(path, allow_pickle=False) as file:
        return Parameters(*(file[name] for name in Parameters._fields))


def save_network(path, parameters):
    np.savez(path, **parameters._asdict())


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


def parse_options(arguments):
    """Read the command line; --help lists the options."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        description="Trains a two-layer neural network, written from scratch in NumPy, to read "
        "handwritten digits. Without options it learns from the digits that come with it.",
    )
    for name, metavar, kind, default, text in (
        ("--data", "PATH", Path, default_data(), "CSV file to learn from: label, 784 pixels a row"),
        ("--test-data", "PATH", Path, None, "CSV file to test on, instead of a part of --data"),
        ("--iterations", "N", in_range(int, 0, 10**6), 750, "how many steps of gradient descent"),
        ("--batch-size", "N", in_range(int, 1, 10**6), None, "pictures in a step, instead of all"),
        ("--learning-rate", "X", in_range(float, 1e-9, 1e6), 0.1, "how far to go in each step"),
        ("--hidden", "N", in_range(int, 1, 10**4), 10, "how many hidden neurons"),
        ("--seed", "N", in_range(int, 0, 2**32 - 1), SEED, "start of the random numbers"),
        ("--load", "FILE", Path, None, "start from a network that --save saved"),
        ("--save", "FILE", Path, None, "save what was learnt, as an .npz file"),
        ("--figures", "DIR", Path, Path("figures"), "folder for the pictures, made if need be"),
    ):
        text += "" if default is None else " (default: %(default)s)"
        parser.add_argument(name, metavar=metavar, type=kind, default=default, help=text)
    parser.add_argument(
        "--digit",
        metavar="FILE",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="pictures of digits to read (Part 7)",
    )
    parser.add_argument(
        "--init",
        choices=("uniform", "he"),
        default="uniform",
        help="how the weights start (default: %(default)s)",
    )
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


def save_figures(figures, folder):
    """Save each of the named figures as a PNG file, which appears whole or not at all."""
    for name, figure in figures.items():
        unfinished = folder / f".{name}-{os.getpid()}.png"
        try:
            figure.savefig(unfinished, dpi=100)
            unfinished.replace(folder / f"{name}.png")
        finally:
            unfinished.unlink(missing_ok=True)
    print(f"   pictures in {folder}: " + ", ".join(f"{name}.png" for name in figures), flush=True)


def on_terminal():
    """Whether the output goes to a terminal that can write a line anew (IDLE can't)."""
    return sys.stdout is not None and sys.stdout.isatty() and "idlelib" not in sys.modules


def show_progress(line, seconds, done):
    """Keep one line up to date on a terminal; print each line into a file."""
    if on_terminal():
        width = shutil.get_terminal_size().columns - 1
        line += f"  {seconds * (1 - done) / max(done, 1e-9):.0f} s left"
        print("\r" + line[:width].ljust(width), end="\n" if done == 1 else "", flush=True)
    else:
        print(f"{line}  {seconds:.1f} s", flush=True)


def broke_down(iteration, what, options):
    """The UserError that says so."""
    return UserError(
        f"learning broke down at iteration {iteration}: {what}. Steps that are too large are the "
        f"usual cause; try a --learning-rate smaller than {options.learning_rate:g}, and no "
        "--raw-pixels."
    )


def follow(steps, test, options, epoch):
    """Let `train` work until the end or Ctrl-C, look at the test pictures about a hundred times,
    show progress, and refuse to go on when learning breaks down.

    `epoch` is the number of iterations to an epoch, or None if each step sees all pictures.
    Returns the parameters, and for training and test a list of (iteration, loss, accuracy).
    """
    X_test, y_test = test
    n, width = options.iterations, len(str(options.iterations))
    looks = {n * k // 105 for k in range(106)}  # the iterations at which we look at the test
    shown = looks if on_terminal() else {n * k // 15 for k in range(16)}
    began, seen, seen_test = time.perf_counter(), [], []

    def look_at_test():
        activations = forward(parameters, X_test)
        loss = float(cross_entropy(activations.Z2, one_hot(y_test)))
        seen_test.append((iteration, loss, accuracy(activations.A2, y_test)))
        return activations.A1.any(axis=0).mean()  # of how many pictures is anything passed on?

    try:
        for iteration, (parameters, loss, fraction) in zip(range(n + 1), steps):  # noqa: B007
            seen.append((iteration, loss, fraction))
            if not math.isfinite(loss):
                raise broke_down(iteration, f"the loss is {loss}", options)
            if iteration in looks and look_at_test() < 0.01:
                raise broke_down(iteration, "hardly any hidden neuron is alive", options)
            if iteration in shown:
                seconds = time.perf_counter() - began
                line = f"   iteration {iteration:>{width}}/{n}  "
                line += f"epoch {iteration / epoch:.1f}  " if epoch else ""
                line += f"loss {loss:.4f}  "
                line += "" if epoch else f"train {100 * fraction:.1f} %  "  # of a batch: too noisy
                line += f"test {100 * seen_test[-1][2]:.1f} %"
                show_progress(line, seconds, iteration / n if n else 1)
    except KeyboardInterrupt:
        if not seen:
            raise
        print(f"\n   stopped at iteration {iteration}; here is what came of it so far")
        if seen_test[-1][0] != iteration:
            look_at_test()
    return parameters, seen, seen_test


def learn(options, start, train_digits, test, rng):
    """Parts 5, 8 and 9: full batches in blocks, or mini-batches. Returns what `follow` returns."""
    pixels, labels = train_digits
    divisor = 1 if options.raw_pixels else 255
    rate = options.learning_rate
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        if options.batch_size:
            size = min(options.batch_size, len(labels))
            epoch = math.ceil(len(labels) / size)
            print(f"   mini-batches of {size:,}, {epoch:,} to an epoch, learning rate {rate:g}")
            batches = mini_batches(pixels, labels, size, rng, divisor)

            def look(parameters):
                return gradient(parameters, *next(batches))

        else:
            epoch = None
            print(f"   full batch, learning rate {rate:g}", flush=True)
            each = pool.map if os.environ.get("OPENBLAS_NUM_THREADS") == "1" else map
            look = partial(
                gradient_in_blocks, blocks=make_blocks(pixels, labels, divisor), each=each
            )
        return follow(train(start, look, float(rate)), test, options, epoch)


def report(learnt, test, known):
    """Say what the network answers to the first test pictures, and how many it reads rightly."""
    X_test, y_test = test
    A2 = forward(learnt, X_test).A2
    answers = A2.argmax(axis=0)
    for i, (answer, label) in enumerate(zip(answers[:8], y_test)):
        verdict = "right" if answer == label else "WRONG"
        print(f"   test picture {i}: a {label}, read as {answer} ({A2[answer, i]:4.0%}) {verdict}")
    correct = np.count_nonzero(answers == y_test)
    print(f"   final training accuracy: {known:.1%}")
    print(f"   final test accuracy: {correct / len(y_test):.1%} ({correct:,} of {len(y_test):,})")
    if correct <= np.bincount(y_test).max():
        print("   no better than a guess: try more --iterations, or another --learning-rate")
    return A2


def study(options):
    """Parts 1 to 6: from the file of digits to what was learnt. Returns Parameters and figures."""
    rng = np.random.default_rng(options.seed)
    print("1. The data")
    (pixels, labels), (pixels_test, y_test) = read_digits(options, rng)
    divisor = 1 if options.raw_pixels else 255
    test = X_test, _ = to_columns(pixels_test, divisor), y_test
    print(f"   read {options.data}" + (f" and {options.test_data}" if options.test_data else ""))
    print(f"   {len(labels) + len(y_test):,} pictures of 28 x 28 = {PIXELS} pixels")
    print(f"   to learn from: X {pixels.T.shape}, labels {labels.shape}")
    print(f"   to be tested:  X {X_test.shape}, labels {y_test.shape}")

    print("2. The network")
    drawn = (initialize_he if options.init == "he" else initialize)(rng, hidden=options.hidden)
    start = load_network(options.load) if options.load else drawn
    hidden = len(start.W1)
    print(f"   {PIXELS} pixels -> {hidden} hidden (ReLU) -> {CLASSES} digits (softmax)")
    print("   " + ", ".join(f"{name} {P.shape}" for name, P in start._asdict().items()))
    origin = f"from {options.load}" if options.load else f"drawn at random with seed {options.seed}"
    print(f"   {sum(P.size for P in start):,} parameters, {origin}")

    print("3. and 4. The gradient, checked")
    # On divided pixels: with raw ones, scores are too large to be measured by small nudges.
    inked = pixels_test[pixels_test.any(axis=1)][:50]
    error = gradient_check(
        start,
        to_columns(inked),
        one_hot(y_test[pixels_test.any(axis=1)][:50]),
        np.random.default_rng(0),
    )
    print(f"   largest relative error against finite differences: {error:.1e}")
    if not error < 1e-6:
        raise UserError(
            "the gradient is wrong: its relative error must be below 1e-6. "
            "Look at your last change to forward, cross_entropy or backward."
        )

    print("5. Learning")
    learnt, seen, seen_test = learn(options, start, (pixels, labels), test, rng)

    print("6. Looking inside")
    known = seen[-1][2]
    if options.batch_size:  # that was the last batch only
        known = gradient_in_blocks(learnt, make_blocks(pixels, labels, divisor))[1]
    A2 = report(learnt, test, known)
    return learnt, {
        "training": plot_training(
            seen, seen_test, options.iterations // 50 if options.batch_size else 1
        ),
        "predictions": plot_predictions(pixels_test, y_test, A2),
        "neurons": plot_neurons(start, learnt, X_test),
    }


def run(options):
    """The story of a run. Returns the exit status."""
    prepare_figures(options.figures, options.no_show)
    learnt, figures = study(options)
    if options.save:
        save_network(options.save, learnt)
    save_figures(figures, options.figures)
    if figures["training"].canvas.required_interactive_framework:  # there are windows to show
        print("   close the windows to end", flush=True)
        plt.show()
    return 0


def main(arguments=()):
    """Run the program; returns its exit status: 0, 2 after an error, 130 after Ctrl-C, 1 if
    nobody reads its output any more."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path that this terminal can't print
    status, message = 2, None
    try:
        with np.errstate(all="ignore"):  # `follow` looks at the loss itself
            status = run(parse_options(arguments))
        print(end="", flush=True)
    except SystemExit as end:  # argparse has said what is wrong, or printed its help
        status = end.code
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        status = 1
    except (UserError, OSError) as error:
        message = str(error)
    except MemoryError:
        message = "not enough memory; use fewer --hidden neurons or fewer digits"
    try:
        print(end="\n" if message and on_terminal() else "", flush=True)  # end a line of progress
    except OSError:  # closed or full: let Python not try again when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = status or 1
    if message:
        print("error: " + " ".join(message.split()), file=sys.stderr)
    return status


# %%
if AS_PROGRAM:
    sys.exit(main(sys.argv[1:]))
elif __name__ == "__main__":
    print("In a notebook, run the cells that say 'Try it', or the whole program with main([]).")
