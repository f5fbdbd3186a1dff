# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=1.26", "pandas>=2.1", "matplotlib>=3.8"]
# ///

# %% [markdown]
"""
# A neural network from scratch

A picture of a digit is 784 numbers. A *neuron* multiplies each of them by a weight and adds up. The
*gradient* says which change of each weight would make the network worse. Ten neurons look at the
picture, ten more look at those ten, all weights take 750 small steps the other way, and the network
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
# Skip this as far as PIXELS: it is for the machine. (Each matrix product gets one core, as Part 8
# explains, and false alarms of Apple's library are silenced. Importing changes nothing else.)
import os
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

SETTINGS = ["OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"]
ONE_CORE = "numpy" not in sys.modules  # its library reads the settings when it is loaded
for setting in SETTINGS:
    if os.environ.setdefault(setting, "1") != "1":
        ONE_CORE = False
warnings.filterwarnings("ignore", ".* encountered in matmul")

import matplotlib.pyplot as plt  # draws
import numpy as np  # computes with whole tables of numbers at a time
import pandas as pd  # reads the table of digits

PIXELS = 28 * 28
CLASSES = 10
HIDDEN = 10
TEST_SIZE = 1000
SEED = 1  # why 1? The end of Part 5 says it

HERE = Path(__file__).resolve().parent if "__file__" in globals() else Path()
PLACES = [
    "mnist_data/train.csv",  # Kaggle's table, if you put it there
    "mnist_data/train.csv.gz",  # ours
    "../mnist_data/train.csv.gz",  # ours, seen from the notebook in docs/
    "/kaggle/input/competitions/digit-recognizer/train.csv",
    "/kaggle/input/digit-recognizer/train.csv",
    "/content/sample_data/mnist_train_small.csv",  # Colab's
]
found = [HERE / place for place in PLACES if (HERE / place).is_file()]
DATA = found[0] if found else HERE / PLACES[1]

# %% [markdown]
# ## Part 1: The data
# Somebody wrote a 2. A scan in black and white was shrunk to 20 by 20 *pixels*, which made greys,
# and laid on 28 rows of 28: numbers from 0, for paper, to 255, for ink. Here is the middle of it,
# each pixel as one figure, 9 * pixel / 255 rounded down, and paper as a dot:
#
#     . . . . . . . . . . . . 0 4 8 8 8 8 8 3
#     . . . . . . . . . . 0 2 7 8 8 8 8 8 8 3
#     . . . . . . . . . 1 6 8 8 8 8 7 3 8 8 5
#     . . . . . . . . 0 8 8 8 8 7 4 0 3 8 8 1
#     . . . . . . . . 2 8 8 7 4 . . . 5 8 7 .
#     . . . . . . . . . 2 2 0 . . . 3 8 8 2 .
#     . . . . . . . . . . . . . . 0 8 8 4 . .
#     . . . . . . . . . . . . . 0 6 8 7 0 . .
#     . . . . . . . . . . . . 0 7 8 7 1 . . .
#     . . . . . 0 2 0 . . . 1 8 8 8 3 . . . .
#     . . 0 2 6 7 8 7 0 0 3 7 8 7 1 . . . . .
#     . 2 6 8 7 6 6 8 6 7 8 8 7 . . . . . . .
#     1 8 8 3 0 . 0 8 8 8 8 3 0 . . . 0 3 2 .
#     5 8 6 0 0 3 7 8 8 8 5 . . . 1 2 7 8 7 .
#     8 8 4 5 8 8 8 7 7 8 8 8 8 8 8 8 8 8 4 .
#     8 8 8 8 8 7 3 0 0 4 8 8 8 8 8 6 3 0 . .
# We shall meet this 2 again and again. It is one of 42,000 in a table: each row is a *label*,
# the digit that was meant, and the 784 pixels of a picture, line by line: number 400 is in line 14,
# column 8, as 400 = 14 * 28 + 8. (All counting begins at 0.) NumPy keeps a table as an *array*.
#
#     A = np.array([[1, 2, 3], [4, 5, 6]])    two rows, three columns: the *shape* is (2, 3)
#     A[1, 2]          is 6                   row 1, column 2, counted from 0
#     A[:, 1:]         is [[2, 3], [5, 6]]    a *slice*: of all rows (:), the columns from 1 on
#     A.sum(axis=0)    is [5, 7, 9]           *axis* 0 runs down: a sum for each column
#     A.sum(axis=1)    is [6, 15]             axis 1 runs along: a sum for each row
#     A.T              is [[1, 4], [2, 5], [3, 6]]    the *transpose*: rows become columns
#     A * A            is [[1, 4, 9], [16, 25, 36]]   number by number; so are +, -, / and >
#     A + [[10], [20]] is [[11, 12, 13], [24, 25, 26]]    a column is added to every column
#     A + [10, 20, 30] is [[11, 22, 33], [14, 25, 36]]    a list is added to every row
# Before a network sees the pictures, four things happen.
# - *Some are set aside*: the network learns from 41,000 *training* pictures, and is marked on 1,000
#   *test* pictures that it never learnt from. Our 2 is the first 2 of these: number 8.
# - *The table is transposed*: a COLUMN of X is a picture. (A convention: see the end of Part 3.)
#   For m pictures X has the shape (784, m). A plain list of m numbers, such as labels, has (m,).
# - *Pixels are divided by 255*, to lie between 0 and 1. Part 5 shows what happens without.
# - *Labels become columns too*: a 2 becomes 0 0 1 0 0 0 0 0 0 0. This is called *one-hot*, and it
#   is what we want the network to say: ten probabilities, with everything on the 2.


# %%
def load_digits(path):
    """Read a table of digits: in each row a label and 784 pixels, below a header line or none.

    Returns pixels, uint8 (m, 784), from 0 to 255, and labels, uint8 (m,), from 0 to 9.
    Raises ValueError if a number is missing or is not one of these.
    """
    first_row = pd.read_csv(path, header=None, nrows=1)
    skip = 1 if isinstance(first_row.iat[0, 0], str) else 0  # a word begins a header
    numbers = pd.read_csv(path, header=None, skiprows=skip, dtype=np.float32)
    table = numbers.astype(np.uint8)  # uint8 holds whole numbers from 0 to 255 only
    changed = (table != numbers).any(axis=None)  # anywhere
    fits = table.shape[1] == 1 + PIXELS and table[0].max() < CLASSES  # [0]: column 0
    if changed or not fits:
        raise ValueError("a row is not a label from 0 to 9 and 784 pixels from 0 to 255")
    table = np.ascontiguousarray(table)  # each row in one piece of memory
    return table[:, 1:], table[:, 0]


def split(pixels, labels, test_size, rng):
    """Shuffle the rows (a table may be sorted), and set test_size of them aside.

    rng draws random numbers. Returns two pairs (pixels, labels): to learn from, and for the test.
    """
    order = rng.permutation(len(labels))  # 0, 1, 2, ... in random order
    cut = len(labels) - test_size
    rest = order[:cut]
    test = order[cut:]
    return (pixels[rest], labels[rest]), (pixels[test], labels[test])  # rows by number


def to_columns(pixels):
    """Turn rows of pixels, (m, n) from 0 to 255, into columns X, (n, m) from 0 to 1, float32.

    float32 has 7 digits. NumPy's usual float64 has 16, takes twice the memory and the time, and
    learning needs no more than 7. An example: what one types, behind >>>, and what Python answers.

    >>> to_columns(np.array([[0, 51], [255, 102], [0, 0]]))
    array([[0. , 1. , 0. ],
           [0.2, 0.4, 0. ]], dtype=float32)
    """
    return np.divide(pixels, 255, dtype=np.float32).T


def one_hot(labels, classes=CLASSES):
    """Turn labels (m,) into columns Y, (classes, m): a one in row `label`, zeros elsewhere.

    The number of classes is given, not taken from the labels: a few pictures may lack a 9.

    >>> one_hot(np.array([2, 0]), classes=3)
    array([[0., 1.],
           [0., 0.],
           [1., 0.]], dtype=float32)
    """
    digits = np.arange(classes)[:, None]  # 0, 1, 2, ... as a column, (classes, 1)
    matches = digits == labels  # each digit with each label
    return matches.astype(np.float32)  # True becomes 1, False 0


# %% active="ipynb"
# # Try it. In docs/Neural_Network_from_Scratch.ipynb this is a cell that runs, and prints what
# # stands behind #-> here. In the script it is a comment.
# all_pixels, all_labels = load_digits(DATA)
# rng = np.random.default_rng(SEED)  # random numbers; the same seed gives the same ones again
# (pixels, y), (pixels_test, y_test) = split(all_pixels, all_labels, TEST_SIZE, rng)
# X, X_test = to_columns(pixels), to_columns(pixels_test)
# print(X.shape, one_hot(y).shape, X_test.shape)
# #-> (784, 41000) (10, 41000) (784, 1000)
# plt.imshow(pixels_test[8].reshape(28, 28), cmap="gray_r");  # our 2

# %% [markdown]
# ## Part 2: The network
# A *neuron* has a *weight* for each of its inputs, and a *bias*. It multiplies each input by its
# weight, adds up the products and the bias, and has its *score*. Weights of 1, 2 and 0 and a bias
# of 5 turn the inputs 10, 20, 30 into 1 * 10 + 2 * 20 + 0 * 30 + 5 = 55.
#
# A *layer* is some neurons that look at the same inputs. Write the weights of each neuron as a row
# of a table, the *matrix* W, the inputs as a column x, the biases as a column b: then W @ x + b
# holds all their scores. `@` is the matrix product: multiply each row by the column and add up.
#
#     [1   2  0]   [10]   [5]   [1 * 10 + 2 * 20 + 0 * 30 + 5]   [55]
#     [0  -1  3] @ [20] + [0] = [0 * 10 - 1 * 20 + 3 * 30 + 0] = [70]
#                  [30]
# (2, 3) @ (3, 1) gives (2, 1): the inner 3s must be equal, the outer numbers are the new shape.
# Many pictures side by side are the columns of X: `W @ X + b` does the same for each of them.
#
# This network has two layers. Here is all of it, each array with its shape:
#
#      pixels         scores      passed on         scores      probabilities
#         X    ------>  Z1  ------>  A1    ------>    Z2  ------>   A2
#     (784, m) W1, b1 (10, m) ReLU (10, m) W2, b2  (10, m) softmax (10, m)
# - The first layer is ten neurons (or more: that is a choice) that look at the pixels. They are
#   *hidden* between picture and answer. `Z1 = W1 @ X + b1` holds their scores. Each passes on its
#   score if it is positive, and 0 if not. This is called *ReLU*: `A1 = relu(Z1)`.
# - The second layer is ten neurons, one for each digit, that look at what the hidden ones pass on:
#   `Z2 = W2 @ A1 + b2`. *Softmax* turns their scores into ten probabilities: `A2 = softmax(Z2)`.
#   The digit with the largest one is the answer.
#
# Softmax by hand, for the scores 1, 2 and 3: exp(1), exp(2), exp(3) are 2.72, 7.39 and 20.09, their
# sum is 30.19. Divide each by the sum: 0.09, 0.24 and 0.67. These are positive and add up to 1.
# Weights and biases are the *parameters*: 10 * 784 + 10 + 10 * 10 + 10 = 7,960 numbers.
# - *Why ReLU?* Without it, W2 @ (W1 @ X) = (W2 @ W1) @ X, for brackets may be moved: two layers
#   would be no more than one, and biases change nothing in this. It takes a bend between them, and
#   ReLU has just one: flat up to 0, then straight up.
# - *Why exp?* It is positive, keeps the order, and one more point of score multiplies it by 2.718.


# %%
class Parameters(NamedTuple):  # several values under names, as in parameters.W1
    """All that the network knows, and all that changes when it learns."""

    W1: np.ndarray  # (hidden, 784): row i holds the weights of hidden neuron i
    b1: np.ndarray  # (hidden, 1)
    W2: np.ndarray  # (10, hidden): row i holds the weights of digit i
    b2: np.ndarray  # (10, 1)


class Activations(NamedTuple):
    """What flows through the network. It is kept, because the gradient needs it again."""

    Z1: np.ndarray  # (hidden, m): scores of the hidden neurons
    A1: np.ndarray  # (hidden, m): what they pass on
    Z2: np.ndarray  # (10, m): scores of the ten digits
    A2: np.ndarray  # (10, m): probabilities of the ten digits


# A network for pencil and paper: one pixel, one hidden neuron, two classes. And two pictures for
# it: one of class 0, whose pixel is 2, and one of class 1, whose pixel is 0.
tiny_W1 = np.array([[1.0]])
tiny_b1 = np.array([[-1.0]])
tiny_W2 = np.array([[0.0], [1.0]])
tiny_b2 = np.array([[1.0], [0.0]])
tiny = Parameters(W1=tiny_W1, b1=tiny_b1, W2=tiny_W2, b2=tiny_b2)
tiny_X = np.array([[2.0, 0.0]])
tiny_Y = np.array([[1.0, 0.0], [0.0, 1.0]])


def initialize(rng, inputs=PIXELS, hidden=HIDDEN, classes=CLASSES, dtype=np.float32):
    """Draw every weight and bias at random, uniformly from -0.5 to 0.5. Returns Parameters.

    Why at random? Neurons equal in W1, b1 and W2 learn the same: they stay equal (eqs. 55, 56).
    """
    W1 = rng.random((hidden, inputs), dtype) - 0.5  # from 0 to 1, less a half
    b1 = rng.random((hidden, 1), dtype) - 0.5
    W2 = rng.random((classes, hidden), dtype) - 0.5
    b2 = rng.random((classes, 1), dtype) - 0.5
    return Parameters(W1, b1, W2, b2)


def relu(Z):
    """Pass on what is positive, replace the rest by zero.

    >>> relu(np.array([[-2.0, 0.0, 3.0]]))
    array([[0., 0., 3.]])
    """
    return np.maximum(Z, 0)


def softmax(Z):
    """Turn each column of scores into probabilities: exp(score), divided by the sum of them all.

    First the largest score of the column, c, is subtracted. This divides each exp by exp(c), and
    their sum too, so the quotients stay as they are. Without it exp(1000) would be infinite, and
    infinite / infinite is no number. The sum runs down each column: with a plain np.sum, all
    pictures would share one denominator.

    >>> softmax(np.array([[1.0], [2.0], [3.0]])).round(2).tolist()
    [[0.09], [0.24], [0.67]]
    """
    E = np.exp(Z - Z.max(axis=0, keepdims=True))  # (10, m) - (1, m) -> (10, m), eq. 14
    return E / E.sum(axis=0, keepdims=True)  # keepdims: sums as a row, (1, m)


def forward(parameters, X):
    """What the network says to the columns of X, (784, m). Returns Activations.

    The tiny network's first picture: 1 * 2 - 1 = 1 is passed on, its scores are 0 * 1 + 1 = 1 and
    1 * 1 + 0 = 1. The second: 1 * 0 - 1 = -1 is not passed on.

    >>> for name, values in forward(tiny, tiny_X)._asdict().items():  # as a dictionary
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
# # Try it: what does it say to our 2 before it has learnt anything? "A 5, with 65 %": the weights
# # are random, and so is the answer. ([8], not 8, so that the result stays a column.)
# start = initialize(rng)
# print(forward(start, X_test[:, [8]]).A2[:, 0].round(2))
# #-> [0.04 0.05 0.01 0.02 0.06 0.65 0.03 0.01 0.1  0.02]

# %% [markdown]
# ## Part 3: The loss and its gradient
# How wrong is an answer? Take p, the probability that it gave to the true digit. The *loss* is
# -log(p), the natural logarithm: sure and right, p = 1, costs 0; each halving of p costs 0.69 more;
# equal chances for all ten, p = 1/10, cost 2.3; a confident mistake, p = 1/1000, 6.9. It is called
# *cross-entropy*. The loss of m examples (pictures) is the mean of theirs. To our 2 the untrained
# network gives 0.008 (0.01 above, rounded), and that costs 4.8. Over all training pictures the mean
# is 3.2, more than the 2.3 of equal chances: of one picture in three it is more than 50 % sure, and
# mostly wrong. (Why the logarithm? Confident mistakes shall cost much; and see step 1 below.)
#
# *Slopes.* The slope of the loss along a number is its derivative, with all other numbers held
# still (a partial derivative): move it by 0.001, and the loss moves by about slope * 0.001. The
# 7,960 slopes along all parameters are the *gradient*. The *chain rule* finds them, in two halves.
# - *Slopes along a chain multiply.* Let a = 3 * x and loss = a * a. At x = 1, a is 3, the loss 9.
#   Nudge x, and a moves 3 times as far. Nudge a by h: (a + h) * (a + h) is 2 * a * h more (h * h is
#   tiny), so the loss moves 2 * a = 6 times as far as a, 6 * 3 = 18 times as x: 1.001 gives 9.018.
# - *Where chains meet, their slopes add up.* Let a = 3 * x, b = 2 * x and loss = a * b. At x = 1
#   the loss is 3 * 2 = 6, its slope along a is b = 2, along b it is a = 3. x moves it by way of a:
#   2 * 3 = 6 times as far; by way of b: 3 * 2 = 6 times. Together 12 times: 1.001 gives 6.012.
# - *Two slopes to know.* That of exp(z) is exp(z) itself: exp(2) is 7.389, and exp(2.001) is 7.396.
#   That of log(s) is 1 / s: log(2) is 0.6931, and log(2.001) is 0.6936.
#
# *The tiny network, there and back.* This is its first picture: the pixel x is 2, the class is 0.
# The numbers above the arrows go forward, as `forward` found them. The slopes below come back: dZ1
# means the slope of this picture's loss along Z1. a is A1; z_0 and z_1 are the two scores in Z2.
#
#                                                W2_0 = 0, b2_0 = 1
#                                              .------------------>   z_0 = 1   --.
#         W1 = 1, b1 = -1          ReLU        |    dW2_0 = -0.5     dz_0 = -0.5   \
#     x = 2 -----------> Z1 = 1 -------> a = 1 +                                    > loss = 0.69
#           dW1 = 1     dZ1 = 0.5     da = 0.5 |                                   /
#                                              |  W2_1 = 1, b2_1 = 0              /
#                                              '------------------>   z_1 = 1   -'
#                                                   dW2_1 = 0.5      dz_1 = 0.5
# 1. *Along the scores.* Let s = exp(z_0) + exp(z_1) and p_1 = exp(z_1) / s, the probability of
#    class 1. The loss is -log(exp(z_0) / s) = log(s) - z_0. Nudge z_1: s moves exp(z_1) times as
#    far, and log(s) moves exp(z_1) / s = p_1 times as far. So dz_1 = p_1 = 0.5. Along z_0, log(s)
#    gives p_0 = exp(z_0) / s, and -z_0 gives -1. So dz_0 = p_0 - 1 = -0.5. In words, *said minus
#    wanted*: the probability, less 1 for the true class, and less 0 for the other.
# 2. *Along W2 and b2.* z_0 contains W2_0 * a: nudge W2_0, and z_0 moves a = 1 times as far. So
#    dW2_0 = dz_0 * a = -0.5 * 1 = -0.5, and dW2_1 = 0.5 * 1 = 0.5. And db2_0 = dz_0, db2_1 = dz_1.
# 3. *Along a.* Here chains meet: a enters z_0 with the weight 0, and z_1 with the weight 1. So
#    da = 0 * dz_0 + 1 * dz_1 = 0 * -0.5 + 1 * 0.5 = 0.5.
# 4. *Along Z1.* ReLU passed Z1 on as it was, which has the slope 1: dZ1 = 0.5 * 1 = 0.5. Had Z1
#    been negative, a nudge would leave a at 0: the slope would be 0.
# 5. *Along W1 and b1.* As in 2: dW1 = dZ1 * x = 0.5 * 2 = 1, and db1 = dZ1 = 0.5.
#
# The second picture (x = 0, class 1) has probabilities of 0.73 and 0.27. Said minus wanted is 0.73
# and -0.73. Its Z1 = -1 was not passed on: dZ1, dW1 and db1 are 0; as a = 0, so is dW2. The
# gradient is the mean: dW1 = (1 + 0) / 2 = 0.5, and db2 of class 0 is (-0.5 + 0.73) / 2 = 0.12.
#
# *The six equations* are these steps for ten scores z_i, ten hidden neurons a_j, 784 pixels and m
# pictures, one column each. dZ is about each picture's own loss, dW and db about the mean: so / m.
# - `dZ2 = A2 - Y`, (10, m). Step 1: said minus wanted. For our 2 this is the column 0.04 0.05 -0.99
#   0.02 0.06 0.65 0.03 0.01 0.10 0.02: less of the 5 is wanted, more of the 2.
# - `dW2 = dZ2 @ A1.T / m`, (10, 10). Step 2: one picture's slope along the weight in row i and
#   column j is dz_i * a_j. Row i of dZ2 holds dz_i for all pictures, row j of A1 holds a_j, and .T
#   makes it a column: so the product adds up dz_i * a_j over the pictures. In the tiny network it
#   is [[-0.5, 0.73], [0.5, -0.73]] @ [[1], [0]] / 2 = [[-0.25], [0.25]].
# - `db2`, (10, 1): the sum of each row of dZ2, divided by m. Step 2 again. (Without keepdims, db2
#   is a list, (10,). Then b2 - db2 is (10, 10), a column minus a row, and NumPy gives no error.
#   Without axis=1, dZ2.sum() adds up all of dZ2, which gives 0: b2 would never learn.)
# - `dZ1 = (W2.T @ dZ2) * (Z1 > 0)`, (10, m). Steps 3 and 4. a_j enters all ten scores, z_i with the
#   weight W2_ij. So ten chains meet: da_j = W2_0j * dz_0 + W2_1j * dz_1 + ... + W2_9j * dz_9. These
#   ten weights are column j of W2. The product multiplies rows by columns, so they must become a
#   row: that is why W2 is transposed. W2.T @ dZ2 finds da_j for every j and every picture. (Tiny:
#   [[0, 1]] @ the column -0.5, 0.5 is 0 * -0.5 + 1 * 0.5.) Then `Z1 > 0`, the *mask*, is 1 where a
#   score was passed on and 0 where not: ReLU's slope. (At 0, its *kink*, it has none; we take 0.)
# - `dW1 = dZ1 @ X.T / m`, (10, 784), and `db1`, (10, 1): step 5. As for W2 and b2, a layer below.
#
# *Which transposes are forced?* That a column of X is a picture is a choice. Then the sums decide:
# dW2 and dW1 add up over pictures, (10, m) @ (m, ...), so A1 and X are turned; W2.T @ dZ2 adds up
# over digits. Fitting shapes prove little: with ten neurons W2 @ dZ2 fits too, and it is wrong.


# %%
def cross_entropy(Z2, Y):
    """Mean over the examples of -log(probability of the true digit), from the scores Z2, (10, m).

    Why from scores, as log(sum) - z_true? A probability too small for float32, below about 1e-45,
    becomes 0, and its loss infinite. (The sum of Y - A2, often seen as a loss, is always 0.) The
    tiny network's two pictures cost -log(0.5) = 0.69 and -log(0.27) = 1.31; the mean is

    >>> round(float(cross_entropy(forward(tiny, tiny_X).Z2, tiny_Y)), 4)
    1.0032
    """
    S = Z2 - Z2.max(axis=0, keepdims=True)  # (10, m) - (1, m) -> (10, m), eq. 16
    log_sum = np.log(np.exp(S).sum(axis=0))  # (10, m) -> (m,), eq. 17
    score = (S * Y).sum(axis=0)  # (10, m) -> (m,): Y picks the true score
    return np.mean(log_sum - score)  # (m,) -> one number, eq. 17


def backward(parameters, X, Y, activations):
    """The gradient: slopes of the mean cross-entropy along each parameter, as Parameters.

    X is (784, m), Y (10, m), activations what `forward` found for X. The tiny network, as above:

    >>> gradients = backward(tiny, tiny_X, tiny_Y, forward(tiny, tiny_X))
    >>> for name, slopes in gradients._asdict().items():
    ...     print(name, slopes.round(2).tolist())
    W1 [[0.5]]
    b1 [[0.25]]
    W2 [[-0.25], [0.25]]
    b2 [[0.12], [-0.12]]
    """
    Z1, A1, _, A2 = activations  # Z2 is not needed
    m = X.shape[1]
    dZ2 = A2 - Y  # (10, m) - (10, m) -> (10, m), eq. 29
    dW2 = dZ2 @ A1.T / m  # (10, m) @ (m, 10) -> (10, 10), eq. 33
    db2 = dZ2.sum(axis=1, keepdims=True) / m  # (10, m) -> (10, 1), eq. 34
    dZ1 = (parameters.W2.T @ dZ2) * (Z1 > 0)  # (10, 10) @ (10, m) * (10, m), eq. 32
    dW1 = dZ1 @ X.T / m  # (10, m) @ (m, 784) -> (10, 784), eq. 35
    db1 = dZ1.sum(axis=1, keepdims=True) / m  # (10, m) -> (10, 1), eq. 36
    return Parameters(dW1, db1, dW2, db2)


# %% [markdown]
# ## Part 4: Is the mathematics right?
# Do not believe the six equations: measure. Nudge a parameter up by a small h, and down: the two
# losses differ by about 2h times the slope (*central differences*). The *relative error* is how far
# this slope is from that of `backward`, divided by the largest slope in its array. It comes out as
# a few times 1e-10, the machine's rounding. The limit is 1e-6: a wrong line exceeds it by far.
# - *Why float64?* The two losses share some 5 digits, which cancel: of 16, 11 remain; of 7, only 2.
# - *Why h = 1e-5?* A larger h misses more of how the loss bends; this error grows like h * h. With
#   a smaller one the rounding weighs more; this error grows like 1 / h (eqs. 50 and 51).
# - *What it cannot see*: a fault that loss and gradient share, such as labels that are off by one.


# %%
def gradient_check(parameters, X, Y, rng, h=1e-5):
    """Largest relative error of `backward` against central differences, in float64.

    Nudges up to 20 entries of each parameter array, drawn by rng, and looks at the columns of X,
    (784, m), and Y, (10, m). Raises ValueError if slopes have another shape than their parameters.
    """
    copies = [P.astype(np.float64) for P in parameters]  # a list: for each P a copy
    parameters = Parameters(*copies)  # * hands the entries of a list over one by one
    farthest = h * max(1, np.abs(X).max())  # no nudge moves a score farther, eq. 54
    Z1 = forward(parameters, X).Z1
    smooth = (np.abs(Z1) > farthest).all(axis=0)  # (m,): does no nudge cross the kink?
    X = X[:, smooth]  # keep only these: at the kink there is no slope to compare
    Y = Y[:, smooth]
    activations = forward(parameters, X)
    gradients = backward(parameters, X, Y, activations)
    errors = []
    for name, P, dP in zip(Parameters._fields, parameters, gradients):  # side by side
        if np.shape(dP) != P.shape:
            raise ValueError(f"{name} is {P.shape}, but its gradient is {np.shape(dP)}")
        largest = max(np.abs(dP).max(), 1e-4)  # slopes near 0 are rounding
        count = min(P.size, 20)
        for i in rng.choice(P.size, count, replace=False):  # each at most once
            value = P.flat[i]  # entry i, counted row by row
            P.flat[i] = value + h
            loss_above = cross_entropy(forward(parameters, X).Z2, Y)
            P.flat[i] = value - h
            loss_below = cross_entropy(forward(parameters, X).Z2, Y)
            P.flat[i] = value
            slope = (loss_above - loss_below) / (2 * h)  # eq. 49
            error = abs(slope - dP.flat[i]) / largest  # eq. 52
            errors.append(error)
    return float(np.max(errors))


# %% active="ipynb"
# # Try it: break a line of `backward` (swap a sign, drop a / m, forget the mask), and check again.
# print(gradient_check(start, X_test[:, :50], one_hot(y_test[:50]), rng) < 1e-6)
# #-> True

# %% [markdown]
# ## Part 5: Learning
# Where a slope is positive, a smaller parameter means less loss; where negative, a larger one. So
# subtract from each its slope times a small number, the *learning rate*. Doing so once is a *step*,
# or iteration; again and again, it is *gradient descent*. *Full batch* means that each step looks
# at all 41,000 pictures; once through all is an *epoch*. Steps 1, 2, 3 end here (height: the loss):
#
#   learning rate too small            right                      too large
#     \                  /      \                  /      \                  /
#      1                /        1                /        3                /
#       2              /          \              /          \              2
#        3            /            2            /            1            /
#         \          /              \          /              \          /
#          '-.____.-'                '-.__3_.-'                '-.____.-'


# %%
def accuracy(A2, labels):
    """Fraction of the columns of A2, (10, m), whose most probable digit is the label, 0 to 1.

    >>> accuracy(np.array([[0.2, 0.9], [0.8, 0.1]]), np.array([1, 1]))
    0.5
    """
    answers = A2.argmax(axis=0)  # in each column the row of the largest
    return float(np.mean(answers == labels))  # True counts 1, False 0


def evaluate(parameters, X, labels):
    """Loss and accuracy on the columns of X, (784, m), with their labels, (m,)."""
    activations = forward(parameters, X)
    loss = cross_entropy(activations.Z2, one_hot(labels))
    return float(loss), accuracy(activations.A2, labels)


def gradient(parameters, X, labels):
    """Loss, accuracy and gradients on the columns of X, (784, m), with their labels, (m,)."""
    Y = one_hot(labels)
    activations = forward(parameters, X)
    loss = cross_entropy(activations.Z2, Y)
    gradients = backward(parameters, X, Y, activations)
    return float(loss), accuracy(activations.A2, labels), gradients


def descend(parameters, gradients, learning_rate):
    """One step of gradient descent; returns new Parameters. (The tiny network's loss was 1.0032.)

    >>> gradients = backward(tiny, tiny_X, tiny_Y, forward(tiny, tiny_X))
    >>> better = descend(tiny, gradients, 0.1)
    >>> print(*[P.round(3).tolist() for P in better])
    [[0.95]] [[-1.025]] [[0.025], [0.975]] [[0.988], [0.012]]
    >>> round(float(cross_entropy(forward(better, tiny_X).Z2, tiny_Y)), 4)
    0.9597
    """
    better = [P - learning_rate * dP for P, dP in zip(parameters, gradients)]  # eq. 41
    return Parameters(*better)


def train(parameters, gradient_of_step, learning_rate, steps):
    """Learn: yield (step, parameters, loss, accuracy) before each step, and after the last one.

    gradient_of_step is a function: it takes parameters, and returns what `gradient` returns.
    `yield` hands these out and pauses; the next round of `for ... in train(...):` resumes here.
    """
    for step in range(steps + 1):  # when this loop ends, so does the loop that asks
        loss, fraction, gradients = gradient_of_step(parameters)
        yield step, parameters, loss, fraction
        parameters = descend(parameters, gradients, learning_rate)


# %% active="ipynb"
# # Try it: learn. For our 2 it first learns to be less sure; after 100 steps its best guess is a 2.
# history, history_test = [], []
# def all_pictures(parameters):
#     return gradient(parameters, X, y)
# for step, learnt, loss, fraction in train(start, all_pictures, 0.1, 750):
#     history.append((step, loss, fraction))
#     history_test.append((step, *evaluate(learnt, X_test, y_test)))
#     if step in (0, 10, 100, 750):
#         two = forward(learnt, X_test[:, [8]]).A2[:, 0].round(2)
#         print(f"{step:3} steps: loss {loss:.2f}, right {fraction:3.0%}, our 2", two)
# #->   0 steps: loss 3.21, right  9%, our 2 [0.04 0.05 0.01 0.02 0.06 0.65 0.03 0.01 0.1  0.02]
# #->  10 steps: loss 2.25, right 16%, our 2 [0.09 0.12 0.07 0.08 0.12 0.13 0.09 0.06 0.14 0.08]
# #-> 100 steps: loss 1.19, right 59%, our 2 [0.07 0.05 0.34 0.16 0.01 0.08 0.06 0.02 0.2  0.01]
# #-> 750 steps: loss 0.43, right 87%, our 2 [0.   0.   0.99 0.   0.   0.   0.   0.   0.   0.  ]
# plt.plot([loss for _, loss, _ in history]);  # the loss before each step

# %% [markdown]
# - *Which learning rate?* After 100 steps at 0.01, 15 % of the test pictures are right, at 0.1
#   57 %. At 1 the loss jumps, and after 750 steps 92 % are right, not 87 (Part 9). The default is
#   0.1 because its loss falls smoothly: so you see what a change of yours does. At 3, steps go so
#   far that one neuron after another has a negative score for every picture. It is *dead*: its mask
#   is 0, so are its slopes, it never changes again. When all are dead, only b2 learns.
# - *That is why pixels are divided by 255.* dW1 contains X, and the new W1 meets X again: a step
#   changes scores by an amount that grows with the *square* of the pixels, 255 * 255 = 65,025 times
#   as much. Two steps kill all ten neurons. After 750 the loss is 2.30, 12.3 % are right: the 1s.
# - *What to expect.* Seeds 0 to 19, each with other test pictures and another start, get 87.0 % of
#   them right on average, give or take 1.0 (the standard deviation, tests/seeds.py). Drawing 1,000
#   pictures, each right with a chance of 0.87, alone gives sqrt(1000 * 0.87 * 0.13) = 11 pictures,
#   or 1.1 %: luck alone explains it. The default, seed 1, is typical: 86.9 %.
#
# **The algorithm is complete.** What follows looks at it, plays with it, speeds it up, and wraps it
# into a program. (As Andrej Karpathy says of his microgpt: all else is efficiency.)

# %% [markdown]
# ## Part 6: Looking inside
# Lay the 784 weights of a hidden neuron out as 28 by 28, and they are a stencil: ink where a weight
# is positive raises the neuron's score, ink where it is negative lowers it. Below is hidden neuron
# 2 (it has this number by chance), which adds most to our picture's score for a 2. Of the part of
# the page that Part 1 shows, + is where training raised a weight, and - where it lowered one, each
# by a quarter of the largest change or more. (The weights themselves show little but the noise of
# the start.)
#
#               + + + + + + + + +
#           + + + + + + + + +
#           + + + + + + + +         -
#           +       +
#               -       - - -               -
#           - - -     - - - -             - -
#           - - -     - - - -           - - -
#         - - - -     - - -             - - -
#         - - - -                         -
#         - - -     + + + + + +
#           -     + + + + + + + + + +
#                   + + + + + + + + + + + +
#                   + + +     + + +   + + +
#                   +         + + + + + + +
#                 + +       + + + + + + + + +
#               + + +     + + + + + + + + +
#
# These are the bow, the loop and the foot of most 2s; the bow of ours lies farther right. For our 2
# the neuron passes on 6.9. Over the test pictures it passes on 10.5 on average for 2s, 0.9 for 9s.

# %%
BLUE = "#0072B2"  # blue and orange: a pair that the colour-blind can tell apart
ORANGE = "#D55E00"
INK = {"cmap": "gray_r", "vmin": 0, "vmax": 255, "origin": "upper"}  # 0 white, 255 black
BARE = {"frame_on": False, "xticks": [], "yticks": []}


def predict(parameters, X):
    """The probabilities of the ten digits, (10, m), for the columns of X, (784, m)."""
    return forward(parameters, X)[-1]  # the last activations, also in a deeper network


def plot_training(history, history_test):
    """Draw curves of loss and accuracy, from lists of (step, loss, accuracy), in a Figure."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    dot = {"marker": ".", "markevery": [-1]}  # at the end of the curve
    curves = [("training", history, BLUE, "-"), ("test", history_test, ORANGE, "--")]
    for name, points, colour, style in curves:
        steps, losses, fractions = np.transpose(points)
        percent = 100 * fractions
        line = {"color": colour, "linestyle": style, **dot}
        left.plot(steps, losses, label=f"{name}: {losses[-1]:.3f}", **line)
        right.plot(steps, percent, label=f"{name}: {percent[-1]:.1f} %", **line)
    left.set_title("Loss")
    left.set_ylabel("mean cross-entropy")
    left.set_ylim(bottom=0)
    right.set_title("Accuracy")
    right.set_ylabel("accuracy in %")
    right.set_ylim(0, 100)
    for axes in (left, right):
        axes.set_xlabel("iteration")
        axes.legend(title="pictures, value at the end")
        axes.grid(alpha=0.3)
    return figure


def plot_predictions(pixels, labels, A2):
    """Draw the first 16 pictures, and the 16 mistakes of the highest probability, in a Figure.

    Takes pixels, (m, 784), their labels, (m,), and what the network said, A2, (10, m).
    """
    answers = A2.argmax(axis=0)
    certainty = A2.max(axis=0)
    mistakes = np.flatnonzero(answers != labels)
    worst = mistakes[np.argsort(-certainty[mistakes], kind="stable")]  # the surest first
    figure, grid = plt.subplots(4, 8, figsize=(10.4, 6.4), subplot_kw=BARE)
    above = zip(grid[:2].flat, range(len(labels)))  # ends with the shorter of the two
    below = zip(grid[2:].flat, worst)
    for axes, i in [*above, *below]:
        axes.imshow(pixels[i].reshape(28, 28), **INK)
        title = f"{answers[i]}, {certainty[i]:.0%}"
        if answers[i] == labels[i]:
            axes.set_title(title, fontsize=10)
        else:  # marked by more than colour
            axes.set_title(f"{title}, is {labels[i]}", fontsize=10, color=ORANGE)
    upper = f"The first of {len(labels):,} test pictures: answer, probability"
    figure.suptitle(f"{upper}; below, the worst of {len(mistakes):,} mistakes")
    figure.tight_layout()
    return figure


def plot_neurons(before, after, X, most=20):
    """Draw what training changed in the weights of the first hidden neurons, in a Figure.

    One that passes on nothing for all columns of X, (784, m), is marked "never fires".
    """
    change = after.W1 - before.W1
    passed_on = forward(after, X).A1
    limit = max(np.abs(change).max(), 1e-9)  # the same up and down, so that white is zero
    colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, "origin": "upper"}
    count = min(len(change), most)
    columns = (count + 1) // 2
    figure = plt.figure(figsize=(10.4, 4.4), layout="constrained")
    grid = figure.subplots(2, columns, squeeze=False, subplot_kw=BARE)
    for i, axes in zip(range(count), grid.flat):
        image = axes.imshow(change[i].reshape(28, 28), **colours)
        silent = "" if passed_on[i].any() else " never fires"
        axes.set_title(f"{i}{silent}", fontsize=10)
    figure.suptitle(f"What training changed in {count} of {len(change):,} hidden neurons")
    figure.colorbar(image, ax=grid, shrink=0.8, label="change of weight")
    return figure


# %% active="ipynb"
# # Try it: the curves, the predictions, what training changed in W1, and neuron 2 alone.
# plot_training(history, history_test)
# plot_predictions(pixels_test, y_test, forward(learnt, X_test).A2)
# plot_neurons(start, learnt, X_test)
# print(forward(learnt, X_test).A1[2, 8].round(1))  # what neuron 2 passes on for our 2
# #-> 6.9
# change = (learnt.W1 - start.W1)[2].reshape(28, 28)
# plt.matshow(change, cmap="RdBu_r", vmin=-0.5, vmax=0.5);  # white is zero

# %% [markdown]
# ## Part 7: Your own handwriting
# A weight belongs to a place: shift a 7 by four pixels, and its ink meets weights that were learnt
# from other strokes. So do to your digit what LeCun, Bottou, Bengio and Haffner did to theirs
# ("Gradient-based learning applied to document recognition", 1998, section III.A): shrink it into
# 20 by 20 pixels, and move its centre of mass to the middle of 28 by 28. Before that the digit must
# be found. Each row of this table leaves one step out, and says how many of 118 photographs, scans
# and drawings by other people are then read rightly: as they are, and cut tightly round the digit,
# by the default network and by the large one of Part 9 (mean of seeds 0 to 2,
# tests/handwriting.py). Yours: `python Neural_Network_from_Scratch.py --digit photo.jpg`.
#
#                                             as they are          cut tightly
#     left out                              default   large      default   large
#     nothing                                  98      113          97      112
#     darken         make ink dark             85       98          83       96
#     remove_paper   level the light           98      113          96      111
#     find_digit     keep only the digit       89       99         100      113
#     thicken        widen a thin pen          83      108          85      109
#     prepare        centre the mass           74      107          70      105
#
# The small network depends most on the centre of mass, the large one on dark ink. remove_paper is
# for light from one side and for shadows, which few of these pictures have. Where a picture is cut
# tightly, there is nothing beside the digit, and find_digit can only lose a part of it.
#
# Two of Pillow's filters do much of the work. MaxFilter(5) gives each pixel the largest value of
# the 5 by 5 around it: what is bright grows by two pixels on every side. MinFilter takes the
# smallest: what is bright shrinks, and what is narrow vanishes.

# %%
from matplotlib.animation import FuncAnimation
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

SIDE = 200  # pixels: the longer side of a picture while its digit is looked for


def open_picture(path):
    """Open a picture as a person would see it: upright, on paper, in grey.

    Returns a Pillow image of mode "L", 0 black to 255 white, its longer side SIDE pixels.
    Raises OSError if it is no picture.
    """
    with Image.open(path) as picture:
        picture.draft("L", (SIDE, SIDE))  # a large JPEG need not be unpacked in full
        picture = ImageOps.exif_transpose(picture)  # as the phone was held
    if picture.mode.startswith("I"):  # 16 bits, 0 to 65535
        picture = Image.fromarray(np.uint8(np.asarray(picture) / 257))
    picture = picture.convert("RGBA")  # A says how opaque a pixel is
    paper = Image.new("RGBA", picture.size, "silver")  # shows dark ink, and white ink too
    grey = Image.alpha_composite(paper, picture).convert("L")
    return ImageOps.contain(grey, (SIDE, SIDE))


def darken(grey):
    """Make ink dark and paper light: ink is what differs most from its surroundings.

    A digit that is cut out tightly may have more ink than paper. So, only to judge this, the
    picture is laid on paper as grey as the middle one of its edge pixels. Returns the picture,
    or its negative.
    """
    values = np.asarray(grey)
    edges = [values[0], values[-1], values[:, 0], values[:, -1]]
    paper = np.median(np.concatenate(edges))
    page = ImageOps.expand(grey, SIDE // 5, int(paper))
    surroundings = page.filter(ImageFilter.GaussianBlur(SIDE // 7))
    difference = np.subtract(page, surroundings, dtype=float)
    if np.sum(difference**3) > 0:  # ink is lighter: in cubes, large differences decide
        return ImageOps.invert(grey)
    return grey


def remove_paper(grey):
    """Subtract the paper, whose brightness changes slowly from place to place.

    Returns a picture of the same size: 0 for paper, the larger the darker the ink.
    """
    paper = grey.reduce(8)  # a pixel for each 8 by 8, because that is quick: 11 are 88
    paper = paper.filter(ImageFilter.MaxFilter(11))  # dark strokes of less than 88 vanish
    paper = paper.filter(ImageFilter.MinFilter(11))  # what is wider gets its extent back
    return ImageChops.subtract(paper.resize(grey.size), grey)


def find_start(ink):
    """Find the darkest place near the middle of the picture, (left, top).

    Raises ValueError if it is hardly darker than the palest tenth: that is grain, not ink.
    """
    smooth = ink.filter(ImageFilter.GaussianBlur(2))  # so that no pixel decides alone
    darkness = np.asarray(smooth)
    down = np.bartlett(ink.height + 2)[1:-1]  # rises to 1 in the middle, and falls again
    across = np.bartlett(ink.width + 2)[1:-1]
    near_middle = darkness * np.minimum.outer(down, across)  # the smaller of each pair
    if near_middle.max() < 6 + 1.5 * np.percentile(darkness, 10):  # found by trying
        raise ValueError("the page is empty")
    top, left = np.unravel_index(near_middle.argmax(), darkness.shape)  # its row, column
    return int(left), int(top)


def connected(mask, start):
    """The part of a mask, bool (height, width), that is connected with a place, (left, top).

    Gaps of up to four pixels do not matter.
    """
    wide = Image.fromarray(np.uint8(255 * mask))
    wide = wide.filter(ImageFilter.MaxFilter(5))  # two pixels wider all round: gaps close
    ImageDraw.floodfill(wide, start, 128)  # what is connected becomes 128
    return mask & np.equal(wide, 128)


def touched_edges(piece):
    """How many of the picture's four edges this comes within two pixels of."""
    top = piece[:2].any()
    bottom = piece[-2:].any()
    left = piece[:, :2].any()
    right = piece[:, -2:].any()
    return sum([top, bottom, left, right])


def find_digit(ink):
    """Keep the darkest place near the middle and all ink connected with it: the digit.

    A ruled line or a shadow may hang on it. That runs out of the picture, and is paler than
    the pen: so if the piece touches an edge, the digit is sought again among darker ink only.
    A piece that touches all four edges is a digit that fills its picture. Returns ink from 0
    to 1, (height, width).
    """
    values = np.asarray(ink)
    start = find_start(ink)
    pen = ink.filter(ImageFilter.MaxFilter(5)).getpixel(start)  # how dark it is
    digit = connected(values > 0.2 * pen, start)  # stays if nothing comes loose
    for level in (0.2, 0.35, 0.5, 0.65, 0.8):
        piece = connected(values > level * pen, start)
        if touched_edges(piece) in (0, 4):
            digit = piece
            break
    shade = values * digit / np.median(values[digit])  # at least half of its ink is 1
    return shade.clip(0, 1)


def count_digits(ink, digit):
    """Count pieces of ink beside each other that are over half as tall as the digit.

    ink is a Pillow image, digit (height, width) from 0 to 1, as `find_digit` returns it.
    """
    _, top, _, bottom = Image.fromarray(digit > 0.5).getbbox()
    values = np.asarray(ink)
    pen = np.median(values[digit > 0.5])
    rows = values[top:bottom] > pen / 2
    columns = rows.any(axis=0)
    changes = np.flatnonzero(np.diff(columns))  # from paper to ink, and back
    pieces = np.split(rows, changes + 1, axis=1)
    heights = [piece.any(axis=1).sum() for piece in pieces]
    return sum(height > (bottom - top) / 2 for height in heights)


def fit(ink, longer):
    """Cut off the margin; by averaging areas, make the longer side `longer` pixels.

    Margin is where no ink reaches 96 of 255. A line one pixel wide in a picture of 200 still has
    0.4 * 255 = 102 when that is shrunk to 80.
    """
    dark = ink.point([0] * 96 + [255] * 160)  # below 96 becomes 0, all else 255
    ink = ink.crop(dark.getbbox())
    scale = longer / max(ink.size)
    size = [max(1, round(scale * length)) for length in ink.size]
    return ink.resize(size, Image.BOX)


def thicken(ink):
    """Widen the strokes of a thin pen, a pixel on each side at a time, to those of our table.

    ink is a Pillow image of a digit 80 pixels long. At this size a digit of MNIST (so the table
    is called) loses about a quarter of its ink if a pixel is taken away all round; a thin one
    loses more.
    """
    thinner = ink.filter(ImageFilter.MinFilter(3))
    while np.mean(thinner) < 0.75 * np.mean(ink):
        ink = ink.filter(ImageFilter.MaxFilter(3))
        thinner = ink.filter(ImageFilter.MinFilter(3))
    return ink


def prepare(digit):
    """Turn a digit, (height, width) from 0 to 1, into 784 pixels, uint8 (784,), like MNIST's."""
    ink = Image.fromarray(np.uint8(255 * digit))
    ink = fit(ink, 80)  # four times as fine as in the end, to thicken it gently
    ink = ImageOps.expand(ink, 16)  # room to grow
    ink = fit(thicken(ink), 19)  # of the 118, more are read than with 20
    down, across = np.indices((ink.height, ink.width))  # each pixel's row and column
    top = round(np.average(down, weights=ink)) - 14  # the centre of mass: to the middle
    left = round(np.average(across, weights=ink)) - 14
    page = ink.crop((left, top, left + 28, top + 28))  # beyond the edges of ink is 0
    return np.ravel(page)


def read_picture(path):
    """All steps: from a picture to 784 pixels from 0 to 255, like a row of the table."""
    ink = remove_paper(darken(open_picture(path)))
    return prepare(find_digit(ink))


class Answer:
    """Three panels: what the network sees, what its hidden neurons pass on, what it says."""

    def __init__(self, axes, network):
        self.network = network
        page, hidden, answer = axes
        count = len(network.W1)
        edges = np.arange(count + 1) - 0.5  # of the bars: number 2 stands above 2
        self.seen = page.imshow(np.zeros((28, 28)), **INK)
        self.passed_on = hidden.stairs(np.zeros(count), edges, fill=True, color=BLUE)
        self.bars = answer.bar(range(CLASSES), np.zeros(CLASSES))
        self.words = answer.text(4.5, 108, "", ha="center")  # above the bars
        self.artists = [self.seen, self.passed_on, self.words, *self.bars]
        page.set(title="what the network sees", xticks=[], yticks=[])
        hidden.set(title="hidden neurons pass on", yticks=[])
        hidden.locator_params(axis="x", integer=True)  # whole numbers of neurons
        answer.set(title="its answer in %", ylim=(0, 120), yticks=[0, 50, 100])
        answer.set_xticks(range(CLASSES))

    def show(self, pixels):
        """Let the network read 784 pixels from 0 to 255. If all are 0, it says nothing."""
        X = to_columns(pixels[None])  # [None]: one row
        A1 = forward(self.network, X).A1[:, 0]
        probabilities = predict(self.network, X)[:, 0]
        likeliest = probabilities.argmax()
        words = f"read as {likeliest} ({probabilities.max():.0%})"
        if not pixels.any():
            A1 = np.zeros_like(A1)
            probabilities = np.zeros_like(probabilities)
            words = ""
        largest = max(np.abs(A1).max(), 1e-9)
        self.words.set_text(words)
        self.seen.set_data(pixels.reshape(28, 28))
        self.passed_on.set_data(A1 / largest)  # the largest is drawn as 1
        lowest = min(0, A1.min() / largest)  # below 0 for tanh, say
        self.passed_on.axes.set_ylim(lowest, 1.05)
        for digit, bar in enumerate(self.bars):
            colour = ORANGE if digit == likeliest else BLUE
            bar.set(height=100 * probabilities[digit], color=colour)


class DrawingBoard:
    """A window to draw in with the mouse, while the network reads what is there."""

    def __init__(self, network, side=112, pen=8):
        self.page = Image.new("L", (side, side))  # 0 is paper, 255 ink
        self.pen = pen  # its width, in pixels of the page
        self.last = None  # where it was; None while it is up
        self.figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
        self.paper = axes[0].imshow(self.page, **INK)
        axes[0].set(title="draw here; any key wipes", xticks=[], yticks=[])
        self.answer = Answer(axes[1:], network)
        self.figure.board = self  # or Python would throw away a board that nobody keeps
        canvas = self.figure.canvas
        canvas.manager.set_window_title("Draw a digit")
        usual_keys = canvas.manager.key_press_handler_id  # of which q closes the window
        canvas.mpl_disconnect(usual_keys)
        canvas.mpl_connect("button_press_event", self.move)
        canvas.mpl_connect("motion_notify_event", self.move)
        canvas.mpl_connect("key_press_event", self.wipe)
        redraw = {"interval": 50, "blit": True, "cache_frame_data": False}  # each 50 ms
        self.animation = FuncAnimation(self.figure, self.read, **redraw)

    def move(self, event):
        """Draw a line to where the mouse is, at once. A right click wipes."""
        if event.button == 3:
            self.wipe(event)
        if event.button != 1 or event.inaxes is not self.paper.axes:
            self.last = None
            return
        x = event.xdata
        y = event.ydata
        if self.last is None or event.name == "button_press_event":
            self.last = (x, y)
        brush = ImageDraw.Draw(self.page)
        brush.line([self.last, (x, y)], fill=255, width=self.pen)
        half = self.pen / 2
        brush.ellipse([x - half, y - half, x + half, y + half], fill=255)  # a round end
        self.last = (x, y)
        self.paper.set_data(self.page)
        self.paper.axes.draw_artist(self.paper)
        self.figure.canvas.blit(self.paper.axes.bbox)

    def wipe(self, event):
        """Begin with an empty page."""
        self.page = Image.new("L", self.page.size)

    def read(self, frame):
        """Let the network read the page. Returns all that has to be drawn again.

        FuncAnimation calls this every 50 ms, with the number of the frame.
        """
        digit = np.asarray(self.page) / 255
        pixels = prepare(digit) if digit.any() else np.zeros(PIXELS)
        self.answer.show(pixels)
        self.paper.set_data(self.page)
        return [self.paper, *self.answer.artists]


# %% [markdown]
# ## Part 8: Everything else is efficiency
# This part finds what `gradient` finds, up to rounding, only sooner: you may go on with Part 9. A
# full-batch step of Part 5 takes 42 ms if NumPy shares out each product to two cores with AVX-512,
# instructions that some processors have for 16 numbers at once (tests/benchmark.py). Four ideas,
# one upon the other:
# - *Blocks*, 35 ms. The gradient is a sum over examples (eq. 44). So each core has a *thread*, a
#   worker within the program, that takes the next 3,072 pictures again and again. The results are
#   added up in the order of the blocks: for a computer (0.1 + 0.2) + 0.3 is 0.6000000000000001, and
#   0.1 + (0.2 + 0.3) is 0.6, so in another order the last bits would change from run to run. (NumPy
#   could share out each product itself, but cores in one product wait for each other: that is why
#   the head gives it one core.)
# - *Blank pixels*, 27 ms. A pixel that is blank in a whole block adds exactly nothing, to Z1 and
#   to dW1 (eq. 45). Pictures whose ink begins and ends at about the same column of the page come
#   into the same block: so 39 % of all pixels are left out.
# - *Bytes*, 26 ms: hardly sooner, but in a quarter of the memory. A pixel fits into one byte,
#   float32 takes four. So a core turns a block into float32 just before it needs it, in a piece of
#   memory that it keeps, its desk: a new one each time would cost more than the work. W1 is divided
#   by 255, not the pixels.
# - *Tiles*, 18 ms. OpenBLAS, which multiplies for NumPy, first copies a large matrix into a better
#   order. For ten rows that costs more than the product. Small matrices it takes as they are, if
#   the processor has AVX-512: so give it 64 pictures at a time. (Without, it gains nothing.)

# %%
import threading
import time
from concurrent.futures import ThreadPoolExecutor

BLOCK = 3072  # pictures
desk = threading.local()  # each thread sees only what it has put there itself


class Tiles(np.ndarray):
    """A matrix like any other, but `left @ it` takes 64 pictures at a time.

    That pays while left has few rows, up to 18 (measured). With more, or where 64 does not divide
    the number of pictures, as in the last block, the product is the usual one.
    """

    def __rmatmul__(self, left):  # called for left @ self; self is X, (k, m), or X.T
        left = np.asarray(left)
        right = np.asarray(self)  # a plain array, or the @ below would call this again
        pictures = right.T if right.flags.f_contiguous else right  # X: a picture is a row
        matrices = left.ndim == right.ndim == 2
        if not matrices or len(left) > 18 or len(pictures) % 64 > 0:
            return left @ right
        m, k = pictures.shape  # m pictures, k pixels each
        tiles = pictures.reshape(m // 64, 64, k)  # a pile: @ takes each matrix of it
        if pictures is right:  # dZ1 @ X.T
            parts = left.reshape(len(left), m // 64, 64)
            parts = parts.swapaxes(0, 1)  # (10, m / 64, 64) -> (m / 64, 10, 64)
            return (parts @ tiles).sum(axis=0)  # (m / 64, 10, k) -> (10, k)
        products = tiles @ left.T  # W1 @ X, as (m / 64, 64, 10)
        return products.reshape(m, len(left)).T.copy()  # (10, m), each row in one piece


def make_blocks(pixels, labels):
    """Sort pictures by where their ink is, and cut them into blocks (pixels, where, labels).

    A block takes 3,072 rows of pixels, uint8 (m, 784), the last block the rest. Of these it keeps
    the k columns with ink in any row; where, (k,), holds their numbers, from 0 to 783.
    """
    inked = pixels.reshape(-1, 28, 28).any(axis=1)  # (m, 28): ink in this column?
    left = inked.argmax(axis=1)  # the first True
    right = 27 - inked[:, ::-1].argmax(axis=1)  # the last
    order = np.lexsort((right, left))  # by left; where that is equal, by right
    blocks = []
    for rows in np.split(order, range(BLOCK, len(order), BLOCK)):
        where = np.flatnonzero(pixels[rows].any(axis=0))
        kept = np.ascontiguousarray(pixels[rows][:, where])  # a picture in one piece
        blocks.append((kept, where, labels[rows]))
    return blocks


def gradient_of_block(parameters, block):
    """What `gradient` returns, for one block."""
    pixels, where, labels = block
    if not hasattr(desk, "numbers"):  # the first time in this thread
        desk.numbers = np.empty(BLOCK * PIXELS, np.float32)
    rows = desk.numbers[: pixels.size].reshape(pixels.shape)  # part of the desk
    rows[:] = pixels  # bytes become float32
    fewer = parameters._replace(W1=parameters.W1[:, where] / 255)  # the rest stays
    with np.errstate(all="ignore"):  # no warnings of overflow: each thread must be told
        loss, fraction, slopes = gradient(fewer, rows.view(Tiles).T, labels)
    dW1 = np.zeros_like(parameters.W1)  # along the weights of blank pixels the slope is 0
    dW1[:, where] = slopes.W1 / 255  # the chain rule: W1 acts by way of W1 / 255
    return loss, fraction, slopes._replace(W1=dW1)


def gradient_in_blocks(parameters, blocks, map_blocks=map):
    """What `gradient` returns, for the pictures of all blocks.

    `map_blocks(f, A, B)` calls f(a, b) for each a of A and b of B, side by side. It is Python's
    own map, or that of a pool of threads, which share out the calls.
    """
    m = sum(len(labels) for _, _, labels in blocks)
    loss = 0.0
    fraction = 0.0
    gradients = [np.zeros_like(P) for P in parameters]
    results = map_blocks(gradient_of_block, [parameters] * len(blocks), blocks)
    for block, result in zip(blocks, results):  # always in this order
        block_loss, block_fraction, slopes = result
        share = len(block[-1]) / m  # of all pictures, eq. 46
        loss += share * block_loss
        fraction += share * block_fraction
        gradients = [total + share * dP for total, dP in zip(gradients, slopes)]
    return loss, fraction, Parameters(*gradients)


def agree(parameters, pixels, labels):
    """Does `gradient_in_blocks` find what `gradient` finds?

    It does not if you changed `to_columns`, or let X meet more than W1: blocks know nothing of it.
    """
    loss, _, slopes = gradient(parameters, to_columns(pixels), labels)
    blocks = make_blocks(pixels, labels)
    try:
        loss_in_blocks, _, slopes_in_blocks = gradient_in_blocks(parameters, blocks)
    except ValueError:  # shapes that do not fit
        return False
    for P, Q in zip([loss, *slopes], [loss_in_blocks, *slopes_in_blocks]):
        if np.abs(P - Q).max() > 1e-3 * np.abs(P).max():  # more than rounding
            return False
    return True


def start_threads():
    """The map of a pool with a thread for each core, or Python's own where that is better."""
    if not ONE_CORE:  # then NumPy shares out each product by itself
        return map
    cores = min(os.cpu_count() or 1, 14)  # the table of Part 1 makes 14 blocks
    try:
        pool = ThreadPoolExecutor(cores)
        list(pool.map(time.sleep, [0.01] * cores))  # starts them all
    except RuntimeError:  # as in a browser, where Python has no threads
        return map
    return pool.map


# %% [markdown]
# ## Part 9: Lifting the limits
# This network is small so that you can see all of it. A larger learning rate, more hidden neurons,
# and two ideas of a few lines each take it from 86 to 98 % of the test pictures. (Each row is the
# mean of seeds 0 to 2, tests/limits.py; the 87.0 % of Part 5 are the mean of twenty.)
#
#     the default                              86.1 %
#     a learning rate of 1                     92.2
#     256 hidden neurons                       91.1
#     mini-batches of 128, 6,420 steps         91.2
#     He's start                               90.9
#     256 neurons and mini-batches             95.5
#     256 neurons, mini-batches, He's start    97.1
#     all four, with a learning rate of 0.5    98.0
#
# - *Mini-batches.* Why look at all pictures before each step? The gradient on 128 of them points
#   about the same way, and costs a three-hundredth. 6,420 such steps are 20 epochs: they look at
#   820,000 pictures, where 750 full steps look at 30,750,000.
# - *He's start* (Kaiming He and others). A score is a sum of n = 784 products. Its variance, the
#   mean square of its distance from the mean, is n times that of one product. So weights of the
#   variance 1 / n keep scores about as large from layer to layer, and 2 / n makes up for the half
#   that ReLU cuts away (eqs. 66 to 68): 2 / 784 = 0.0026. Numbers drawn uniformly from -0.5 to 0.5,
#   as in Part 2, have the variance 1 / 12 = 0.083.
# - *The learning rate* 0.5 was the best of five between 0.1 and 1, tried on pictures that are
#   neither learnt from nor in the test (`python tests/limits.py choose`).
#
# For the last row: `--hidden 256 --batch-size 128 --iterations 6420 --init he --learning-rate 0.5`.
# With seed 1 it gives our 2 a probability of 1.000.


# %%
def mini_batches(pixels, labels, size, rng):
    """Shuffle the rows of pixels, (m, 784), deal them out `size` at a time, and so on for ever.

    Yields X, (784, size), and labels, (size,). The last batch of an epoch may be smaller: every
    picture is seen once.
    """
    while True:
        order = rng.permutation(len(labels))
        cuts = range(size, len(order), size)
        for batch in np.split(order, cuts):
            yield to_columns(pixels[batch]), labels[batch]


def initialize_he(rng, hidden=HIDDEN):
    """Draw weights normally with variance 2 / (inputs of their layer), and set biases to 0.

    From He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015. Returns Parameters.
    """
    shaped = initialize(np.random.default_rng(0), hidden=hidden)  # only for the shapes
    arrays = {}
    for name, P in shaped._asdict().items():
        if name.startswith("b"):
            arrays[name] = np.zeros_like(P)
        else:
            scale = np.float32(np.sqrt(2 / P.shape[1]))
            arrays[name] = rng.standard_normal(P.shape, np.float32) * scale
    return Parameters(**arrays)


# %% [markdown]
# ## Part 10: The program
# Nothing new about networks: options, files and messages. Read `run`, which tells the story of a
# run, and `study` above it; all others serve these two.

# %%
import argparse
import tempfile
import traceback
from contextlib import suppress

FORM = "expected: a label from 0 to 9, then 784 pixels from 0, paper, to 255, ink"
SMALLER = "try a smaller --learning-rate"


def existing(name):
    """Turn an option's text into a path, for argparse, which names the option in its error."""
    if not Path(name).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {name}")
    return Path(name)


def parse_options(arguments):
    """Read the command line; `--help` lists the options."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add = parser.add_argument
    add("--data", type=Path, default=DATA, metavar="FILE", help="to learn from")
    add("--test-data", type=Path, metavar="FILE", help="[at most 1,000 of --data]")
    add("--iterations", type=int, default=750, metavar="N", help="steps [%(default)s]")
    add("--batch-size", type=int, metavar="N", help="pictures in a step [all]")
    add("--learning-rate", type=float, default=0.1, metavar="N", help="[%(default)s]")
    add("--hidden", type=int, metavar="N", help="hidden neurons [10]")
    add("--init", choices=("uniform", "he"), help="how weights start [uniform]")
    add("--seed", type=int, default=SEED, metavar="N", help="of chance [%(default)s]")
    add("--load", type=existing, metavar="FILE", help="go on from what --save saved")
    add("--save", type=Path, metavar="FILE", help="save what was learnt, as an .npz file")
    add("--digit", type=existing, nargs="+", default=[], metavar="FILE", help="pictures")
    add("--figures", type=Path, default="figures", metavar="FOLDER", help="[%(default)s]")
    add("--no-show", action="store_true", help="save the figures, open no windows")
    options = parser.parse_args(arguments)
    if options.iterations < 0 or options.seed < 0:
        parser.error("--iterations and --seed cannot be negative")
    for number in (options.batch_size, options.hidden, options.learning_rate):
        if number is not None and not number > 0:
            parser.error("--batch-size, --hidden and --learning-rate must be above 0")
    if options.load and (options.hidden or options.init):
        parser.error("--load brings a finished network: leave out --hidden and --init")
    if options.save and options.save.exists() and not options.save.is_file():
        parser.error(f"--save: {options.save} is not a file, but a folder or a device")
    return options


def make_folder(option, folder):
    """Make a folder before learning, and raise OSError if files cannot be saved in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(f"{option}: {error}") from error


def is_whole(cell, most):
    """Is this text a whole number from 0 to `most`?"""
    try:
        number = float(cell)
    except ValueError:
        return False
    return number.is_integer() and 0 <= number <= most


def find_fault(path):
    """Where a table first differs from FORM, in words; None if nowhere. Lines begin at 1."""
    how = {"encoding": "utf-8-sig", "errors": "replace", "compression": "infer"}
    fault = "there is no row of digits"
    with pd.io.common.get_handle(path, "r", **how) as file:
        for line, text in enumerate(file.handle, 1):
            cells = [cell.strip('"') for cell in text.strip().split(",")]
            if cells == [""] or (line == 1 and cells[0][:1].isalpha()):
                continue  # a blank line, a header
            if len(cells) != 1 + PIXELS:
                place = f"line {line} has {len(cells)} columns, not {1 + PIXELS}"
                return f"{place}: {text[:20]!a}"
            for column, cell in enumerate(cells, 1):
                most = CLASSES - 1 if column == 1 else 255
                if not is_whole(cell, most):
                    place = f"line {line}, column {column}"
                    return f"{place}: {cell[:20]!a} is no whole number from 0 to {most}"
            fault = None  # there is one
    return fault


def read_digits(path):
    """What `load_digits` returns. A ValueError names the file, the line and the column."""
    open(path, "rb").close()  # raises OSError, which names a missing file or a folder
    try:
        pixels, labels = load_digits(path)
    except Exception as error:  # broken tables and archives raise errors of many kinds
        fault = None
        with suppress(Exception):
            fault = find_fault(path)
        raise ValueError(f"{path}: {fault or error}; {FORM}") from error
    if pixels.max() < 64:  # such as pixels from 0 to 1
        raise ValueError(f"{path}: no pixel is above 63; {FORM}")
    return pixels, labels


def choose_digits(data, test_data, rng):
    """The digits to learn from, and those of the test: (pixels, labels) each. ValueError if bad."""
    pixels, labels = read_digits(data)
    if labels.min() == labels.max():
        raise ValueError(f"{data}: all labels are equal; {FORM}")
    if test_data is not None:
        return (pixels, labels), read_digits(test_data)
    test_size = min(TEST_SIZE, (len(labels) + 9) // 10)  # a tenth, at most 1,000
    return split(pixels, labels, test_size, rng)


def save_network(path, network):
    """Save Parameters as an .npz file, which appears whole or not at all."""
    target = Path(path).resolve()  # where a link leads to
    beside = target.with_name(f"{target.name}.part")
    with open(beside, "wb") as file:
        np.savez(file, **network._asdict())
    os.replace(beside, target)
    print(f"   saved {path}")


def load_network(path):
    """The Parameters that --save saved. Raises OSError, or ValueError if it holds none."""
    with open(path, "rb") as file:
        try:
            network = Parameters(**np.load(file))
            probabilities = predict(network, np.zeros((PIXELS, 2)))  # do the shapes fit?
            if not np.isfinite(probabilities).all():
                raise ValueError("its numbers are not finite")
        except Exception as error:  # other files raise errors of many kinds
            raise ValueError(f"{path} holds no network: {error}") from error
    return network


def report_check(start, X, labels):
    """Part 4, before anything is learnt. A ValueError says what is wrong, and where."""
    if not forward(start, X).Z1.any():
        print("3. and 4. No check: all hidden scores are 0, where ReLU has its kink")
        return
    rng = np.random.default_rng(0)
    try:
        error = gradient_check(start, X, one_hot(labels), rng)
    except ValueError as fault:  # shapes that do not fit; blame the last line of ours
        places = traceback.extract_tb(fault.__traceback__)
        this_file = forward.__code__.co_filename
        ours = [place for place in places if place.filename == this_file]
        raise ValueError(f"line {ours[-1].lineno}, {ours[-1].name}: {fault}") from fault
    if not error < 1e-6:
        raise ValueError(f"the gradient is wrong (relative error {error:.0e})")
    print(f"3. and 4. The gradient: differs from central differences by {error:.0e}")


def choose_gradient(start, pixels, labels, batch_size, rng):
    """The gradient_of_step for `train`: on all pictures, or on the next mini-batch."""
    if batch_size is not None:
        batches = mini_batches(pixels, labels, batch_size, rng)

        def gradient_of_step(parameters):
            X, y = next(batches)
            return gradient(parameters, X, y)

    elif agree(start, pixels[:50], labels[:50]):
        map_blocks = start_threads()
        blocks = make_blocks(pixels, labels)

        def gradient_of_step(parameters):
            return gradient_in_blocks(parameters, blocks, map_blocks)

    else:
        print("   Part 8 does not know your change: each step is done as in Part 5")
        X_all = to_columns(pixels)

        def gradient_of_step(parameters):
            return gradient(parameters, X_all, labels)

    return gradient_of_step


def learn(steps, count, X_test, labels_test):
    """Take the steps of `train`, to the end or to Ctrl-C, and tell how it goes.

    steps is what `train` returns, count how many there are. Returns what was learnt, and two lists
    of (step, loss, accuracy): of every step, and of the test pictures, which are looked at 106
    times. A ValueError tells of a breakdown.
    """
    history = []
    history_test = []
    tested = {count * k // 105 for k in range(106)}
    told = {count * k // 15 for k in range(16)}  # all of them are tested: 105 is 7 * 15
    width = len(str(count))
    W1 = None  # as it was when the test pictures were last looked at
    began = time.perf_counter()
    try:
        for step, learnt, loss, fraction in steps:
            history.append((step, loss, fraction))
            if not np.isfinite(loss):
                raise ValueError(f"at step {step} the loss is {loss:.3g}; {SMALLER}")
            if step not in tested:
                continue
            history_test.append((step, *evaluate(learnt, X_test, labels_test)))
            if np.array_equal(W1, learnt.W1) and not forward(learnt, X_test).A1.any():
                raise ValueError(f"at step {step} all hidden neurons are dead; {SMALLER}")
            W1 = learnt.W1
            if step in told:
                line = f"   iteration {step:{width}}/{count}  loss {loss:.4f}"
                line += f"  train {fraction:.1%}  test {history_test[-1][2]:.1%}"
                print(f"{line}  {time.perf_counter() - began:.1f} s")
    except KeyboardInterrupt:
        if not history:
            raise
        print(f"   stopped at iteration {step}; here is what came of it so far")
        if not history_test or history_test[-1][0] < step:
            history_test.append((step, *evaluate(learnt, X_test, labels_test)))
    return learnt, history, history_test


def tell_answer(when, network, X, labels):
    """Print what the network says to our 2, the first 2 of the test pictures."""
    i = int((labels == 2).argmax())
    probabilities = predict(network, X[:, [i]])[:, 0]
    answer = f"read as {probabilities.argmax()} ({probabilities.max():.0%})"
    print(f"   {when}, test picture {i}, a {labels[i]}, is {answer}")


def study(start, options):
    """Parts 1 to 6, from this network or, if it is None, from a new one.

    Saves what was learnt before anything else can go wrong. Returns it, and Figures by name.
    """
    print("1. The data")
    rng = np.random.default_rng(options.seed)
    training, test = choose_digits(options.data, options.test_data, rng)
    pixels, labels = training
    pixels_test, labels_test = test
    X_test = to_columns(pixels_test)
    print(f"   X {pixels.T.shape} to learn from, {X_test.shape} for the test")
    print("2. The network")
    if start is None:
        draw = initialize_he if options.init == "he" else initialize
        start = draw(rng, hidden=options.hidden or HIDDEN)
    shapes = [f"{name} {P.shape}" for name, P in start._asdict().items()]
    print(f"   {', '.join(shapes)}: {sum(P.size for P in start):,} parameters")
    report_check(start, to_columns(pixels[:50]), labels[:50])
    print("5. Learning")
    tell_answer("before learning", start, X_test, labels_test)
    gradient_of_step = choose_gradient(start, pixels, labels, options.batch_size, rng)
    steps = train(start, gradient_of_step, options.learning_rate, options.iterations)
    learnt, history, history_test = learn(steps, options.iterations, X_test, labels_test)
    if options.save:
        save_network(options.save, learnt)
    if options.batch_size is not None:  # so far of one batch: now of all pictures
        history[-1] = (history[-1][0], *evaluate(learnt, to_columns(pixels), labels))
    print("6. Looking inside")
    tell_answer("after learning", learnt, X_test, labels_test)
    fraction = history_test[-1][2]
    right = round(fraction * len(labels_test))
    print(f"   final training accuracy: {history[-1][2]:.1%}")
    print(f"   final test accuracy: {fraction:.1%} ({right:,} of {len(labels_test):,})")
    silent = np.sum(~forward(learnt, X_test).A1.any(axis=1))
    if silent > 0:
        print(f"   {silent} of {len(learnt.W1):,} hidden neurons never fire")
    A2 = predict(learnt, X_test)
    figures = {"training": plot_training(history, history_test)}
    figures["predictions"] = plot_predictions(pixels_test, labels_test, A2)
    figures["neurons"] = plot_neurons(start, learnt, X_test)
    return learnt, figures


def read_handwriting(paths, network):
    """Part 7 for each picture. Returns (name, picture, pixels) of those that can be read."""
    print("7. Your own handwriting")
    read = []
    for path in paths:
        try:
            picture = open_picture(path)
            ink = remove_paper(darken(picture))
            digit = find_digit(ink)
        except Exception as error:  # a broken picture raises errors of many kinds
            print(f"error: {path}: {error}", file=sys.stderr)
            continue
        pixels = prepare(digit)
        count = count_digits(ink, digit)
        probabilities = predict(network, to_columns(pixels[None]))[:, 0]
        p = probabilities.max()
        doubt = ", not sure" if p < 0.6 else ""  # then over half are wrong
        several = f", one of {count} digits" if count > 1 else ""
        print(f"   {path}: read as {probabilities.argmax()} ({p:.0%}){doubt}{several}")
        name = Path(path).name.encode(errors="replace").decode()  # what can be drawn
        read.append((name[-24:], picture, pixels))
    return read


def plot_handwriting(read, network, most=20):
    """Draw what `read_handwriting` returned, each picture in a row, in a Figure."""
    rows = min(len(read), most)
    if len(read) > most:
        print(f"   the figure shows the first {most} of {len(read)}")
    figure, grid = plt.subplots(rows, 4, figsize=(11, 2.2 * rows), squeeze=False)
    for axes, (name, picture, pixels) in zip(grid, read):
        axes[0].imshow(picture, cmap="gray", vmin=0, vmax=255, origin="upper")
        axes[0].set(title=name.replace("$", r"\$"), xticks=[], yticks=[])
        Answer(axes[1:], network).show(pixels)
    figure.tight_layout()
    return figure


def open_windows(network):
    """Show the figures, and in front of them a board to draw on, until they are closed."""
    figure = plt.figure()  # one to ask
    toolkit = figure.canvas.required_interactive_framework
    plt.close(figure)
    if toolkit is None:
        print("   Matplotlib found no toolkit that opens windows: so no board to draw on")
        return  # a notebook shows the figures by itself
    board = DrawingBoard(network)
    if toolkit == "tk":  # other toolkits bring the last window to the front by themselves
        window = board.figure.canvas.manager.window
        window.attributes("-topmost", True)
        window.after(500, window.lift)
        window.after(1000, window.attributes, "-topmost", False)
    print("   draw in the window that has opened; close all windows to end")
    plt.show(block=True)


def run(options):
    """The story of a run. Returns the exit status.

    With --load, --iterations 0 and --digit it only reads pictures.
    """
    plt.close(plt.figure())  # if Matplotlib cannot draw, say so before learning
    make_folder("--figures", options.figures)
    if options.save:
        make_folder("--save", options.save.resolve().parent)
    network = load_network(options.load) if options.load else None
    figures = {}
    read = []
    if network is None or options.iterations > 0 or options.save or not options.digit:
        network, figures = study(network, options)
    if options.digit:
        read = read_handwriting(options.digit, network)
    if read:
        figures["digits"] = plot_handwriting(read, network)
    for name, figure in figures.items():
        path = options.figures / f"{name}.png"
        figure.savefig(path, dpi=100)
        print(f"   saved {path}")
    if len(read) > 4:  # taller than a screen: it is saved
        plt.close(figures["digits"])
    if options.no_show:
        for figure in figures.values():
            plt.close(figure)
    elif figures:
        open_windows(network)
    return 0 if len(read) == len(options.digit) else 2  # 2: some could not be read


def main(arguments=()):
    """Run the program. Returns its exit status: 0, 2 after an error, 1 or 130 if cut short."""
    try:
        with np.errstate(all="ignore"):  # `learn` looks at the loss itself
            return run(parse_options(arguments))
    except BrokenPipeError:  # whoever read the output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError, ImportError, MemoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


# %%
if __name__ == "__main__" and "__file__" in globals() and "ipykernel" not in sys.modules:
    with suppress(AttributeError):  # IDLE's output has no such settings
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))

# %% [markdown]
# In a notebook, `main([])` runs the whole program; options go like `main(["--seed", "2"])`. What
# now? docs/Exercises.md has twelve: predict, break, derive, fool the network, and more.
