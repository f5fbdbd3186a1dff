"""Numbers and drawings that the prose of Parts 1 to 6 shows are computed; of 8 and 9 a few.

Not here, but in measuring programs: the spread over seeds (seeds.py), what learning rates bring
(limits.py), the tables of Part 7 (handwriting.py) and Part 9 (limits.py), the milliseconds of
Part 8 (benchmark.py).
"""

import re
from math import e, exp, log, sqrt

import numpy as np
import pytest
from pytest import approx

import Neural_Network_from_Scratch as nn
from conftest import SOURCE, agrees, train_plainly

PARTS = SOURCE.split("\n# ## Part ")  # the head is PARTS[0], Part 1 is PARTS[1]
NUMBER = r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?:e-\d+)?(?!\w)"
STEPS = nn.parse_options([]).iterations
P = 1 / (1 + e)  # of class 1, for the second picture of the tiny network


def as_one_line(text):
    """The text as if its lines were not broken."""
    bare = re.sub(r"^#(?: #)?", "", text, flags=re.M)
    return " ".join(bare.split())


# The numbers in sentences.


def is_said(part, words, values, tolerance=0):
    """Whether numbers near these words of a Part, within 250 characters, are these values.

    All of them, side by side. `tolerance` is how far they may be off, if more than by rounding.
    """
    text = as_one_line(PARTS[part])
    for place in re.finditer(words, text, re.I):
        near = text[max(0, place.start() - 250) : place.end() + 250]
        shown = re.findall(NUMBER, near)
        while len(shown) >= len(values):
            if all(agrees(shown[i], v, tolerance) for i, v in enumerate(values)):
                return True
            del shown[0]
    return False


@pytest.mark.parametrize(
    ("part", "words", "values"),
    [
        (0, "picture", [nn.PIXELS]),
        (0, "steps", [STEPS]),
        (1, "table", [42_000, nn.PIXELS]),
        (1, "column", [400, 14, 28, 8]),
        (1, "one-hot", np.eye(10)[2]),
        (1, "float64", [7, 16]),
        (2, "parameters", [7960]),
        (
            2,
            "softmax",
            [1, 2, 3, 1, 2, 3, e, e**2, e**3, e + e**2 + e**3, 0.09, 0.24, 0.67],
        ),
        (2, "point", [e]),
        (3, "halving", [1, 0, log(2)]),
        (3, "chances", [1, 10, log(10), 1, 1000, log(1000)]),
        (3, "gradient", [7960]),
        (3, "nudge", [1, 3, 9, 3]),
        (3, "nudge", [18, 1.001, (3 * 1.001) ** 2]),
        (3, "meet", [6, 2, 3]),
        (3, "together", [12, 1.001, 6 * 1.001**2]),
        (3, "second picture", [1 - P, P, 1 - P, P - 1]),
        (3, "tiny", [-0.5, 1 - P, 0.5, P - 1, 1, 0, 2, -0.25, 0.25]),
        (3, "tiny", [0, 1, -0.5, 0.5]),
        (3, "float32", [np.finfo(np.float32).smallest_subnormal]),
        (4, "digits", [16, 16 - 5, 7, 7 - 5]),
        (5, "full batch", [42_000 - nn.TEST_SIZE]),
        (9, "epochs", [6420 * 128 / 41_000]),
    ],
)
def test_numbers_near_words_are_right(part, words, values):
    """If words are gone, mend the row with the sentence."""
    assert is_said(part, words, values)


@pytest.fixture
def two(default):
    """Which test picture our 2 is."""
    return (default.labels_test == 2).argmax()


def percent_right(network, default):
    _, fraction = nn.evaluate(network, default.X_test, default.labels_test)
    return 100 * fraction


def test_numbers_of_the_start(default, two):
    m = len(default.labels)
    said = nn.forward(default.start, default.X_test).A2[:, two]
    p = said[2]
    X = nn.to_columns(default.pixels)
    loss, _ = nn.evaluate(default.start, X, default.labels)
    blocks = nn.make_blocks(default.pixels, default.labels)
    kept = sum(pixels.size for pixels, _, _ in blocks)
    assert is_said(1, "aside", [m, nn.TEST_SIZE, 2, 2, two])
    assert is_said(2, "random", [said.argmax(), 100 * said.max()])
    assert is_said(3, "untrained", [p, p, -log(p)])
    assert is_said(3, "untrained", [loss, log(10)])
    assert is_said(3, "said minus wanted", said - np.eye(10)[2])
    blank = 1 - kept / default.pixels.size
    assert is_said(8, "blank", [100 * blank])


def test_after_100_steps_a_larger_learning_rate_is_ahead(default):
    start = default.start
    digits = (default.pixels, default.labels)
    of_all = nn.choose_gradient(start, *digits, None, None)
    *_, (_, slow, _, _) = nn.train(start, of_all, 0.01, 100)
    *_, (_, quick, _, _) = nn.train(start, of_all, 0.1, 100)
    slowly = percent_right(slow, default)
    quickly = percent_right(quick, default)
    assert is_said(5, "learning rate", [100, 0.01, slowly, 0.1, quickly])


def test_without_division_by_255_two_steps_kill_all_neurons(default):
    """Then b2 alone learns: how often each digit comes."""
    X = 255 * nn.to_columns(default.pixels)
    states = train_plainly(default.start, X, default.labels, 0.1, 2)
    _, learnt, _, _ = states[2]
    assert nn.forward(learnt, X).Z1.max() <= 0
    shares = np.bincount(default.labels) / len(default.labels)
    loss = -np.sum(shares * np.log(shares))
    right = np.mean(default.labels_test == shares.argmax())
    assert is_said(5, "kill", [STEPS, loss, 100 * right])


def test_sums_are_right():
    """As in 2 * 3 = 6, (0.1 + 0.2) + 0.3 is 0.6000000000000001, and exp(2) is 7.389."""
    text = as_one_line(SOURCE)
    functions = {"exp": exp, "log": log, "sqrt": sqrt}
    function = "(?:exp|log|sqrt)"
    term = rf"{function}?\(*{NUMBER}\)*"
    found = re.findall(rf"({term}(?: [-+*/] {term})+) (?:=|is) ({NUMBER})", text)
    found += re.findall(rf"(-?{function}\({NUMBER}\)) (?:=|is) ({NUMBER})", text)
    assert len(found) > 15
    for left, right in found:
        assert agrees(right, eval(left, {**functions})), left


# Drawings.


def lines(pattern):
    return re.findall(rf"^#{pattern}$", SOURCE, re.M)


def middle(picture):
    """Of a picture the part that the drawings show."""
    return picture.reshape(28, 28)[5:21, 3:23]


def test_the_2_in_figures_is_our_2(default, two):
    ink = middle(default.pixels_test[two]).astype(int)
    figures = np.where(ink > 0, 9 * ink // 255, ".")
    rows = [" ".join(row) for row in figures]
    assert lines(r"     ([.0-9](?: [.0-9]){19})") == rows


def test_array_examples():
    A = eval(lines(r"     A = (np.*\)) {4}.*")[0], {"np": np})
    examples = lines(r"     (A(?! =).*?) +is (.*?)(?: {2}.*)?")
    assert len(examples) >= 7
    for left, right in examples:
        result = eval(left, {"A": A})
        assert np.array_equal(result, eval(right)), left


def test_the_matrix_product():
    rows = [re.findall(r"\[(.*?)\]", row) for row in lines(r"  +(\[.*\])")]
    first, second, third = rows
    x = np.array([first[1], second[1], third[0]], int)
    for weights, _, bias, products, score in (first, second):
        W = np.array(weights.split(), int)
        assert W @ x + int(bias) == eval(products) == int(score)


# The tiny network's numbers and slopes for its first picture, as Part 3 calls them, by hand.
TINY = """x=2 W1=1 b1=-1 Z1=1 a=1 W2_0=0 b2_0=1 z_0=1 W2_1=1 b2_1=0 z_1=1
    s=5.43656 p_0=0.5 p_1=0.5 loss=0.69315 dz_0=-0.5 dW2_0=-0.5 db2_0=-0.5
    dz_1=0.5 dW2_1=0.5 db2_1=0.5 da=0.5 dZ1=0.5 dW1=1 db1=0.5"""


def test_the_tiny_network_there_and_back():
    """`name = number` in the drawing, all sides of `name = expression = number` in the steps."""
    numbers = {name: float(value) for name, value in re.findall(r"(\w+)=(\S+)", TINY)}
    drawing = re.findall(r"^#     .*", PARTS[3], re.M)
    pairs = re.findall(rf"(\w+) = ({NUMBER})", "".join(drawing))
    assert len(pairs) >= 18
    for name, value in pairs:
        assert agrees(value, numbers[name]), name
    steps = re.search(r"^# 1\. .*?^#$", PARTS[3], re.M | re.S)
    names = {"exp": exp, "log": log, **numbers}
    token = rf"(?:\b(?:{'|'.join(names)})\b|\d+(?:\.\d+)?|[-+*/()])"
    sum_of = rf"{token}(?: ?{token})*"
    chains = re.findall(rf"{sum_of}(?: = {sum_of})+", as_one_line(steps[0]))
    assert len(chains) >= 10
    for chain in chains:
        first, *others = [eval(side, names) for side in chain.split(" = ")]
        assert others == approx([first] * len(others), abs=0.005), chain


def test_part_6_shows_the_neuron_that_adds_most_to_our_2(default, default_run, two):
    learnt = default_run.learnt
    assert is_said(5, "typical", [nn.SEED, percent_right(learnt, default)], 0.3)
    A1 = nn.forward(learnt, default.X_test).A1
    number = (learnt.W2[2] * A1[:, two]).argmax()
    assert f"neuron {number}" in as_one_line(PARTS[6])
    passes_on = A1[number]
    for_2s = passes_on[default.labels_test == 2].mean()
    for_9s = passes_on[default.labels_test == 9].mean()
    assert is_said(6, "neuron", [passes_on[two]], 0.1)
    assert is_said(6, "passes on", [for_2s, for_9s], 0.1)

    change = learnt.W1[number] - default.start.W1[number]
    limit = np.abs(change).max() / 4
    expected = np.where(middle(change) > 0, "+", "-")
    expected[np.abs(middle(change)) < limit] = " "
    shown = [list(f"{row:40}"[::2]) for row in lines(r"     ([ +-]*[+-])")]
    different = np.array(shown) != expected
    assert different.sum() <= 2  # where it is close, rounding may decide
