"""The numbers and drawings that the prose of Parts 1 to 6 shows are computed; of 8 and 9 a few.

Not here, but in measuring programs: what learning rates bring over seeds (seeds.py), the tables
of Part 7 (handwriting.py) and Part 9 (limits.py), the milliseconds of Part 8 (benchmark.py).
"""

import re
from math import e, exp, log, sqrt

import numpy as np
import pytest
from conftest import SOURCE, agrees, learn
from pytest import approx

import Neural_Network_from_Scratch as nn

PARTS = SOURCE.split("\n# ## Part ")  # the head is PARTS[0], Part 1 is PARTS[1]
NUMBER = r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?:e-\d+)?(?!\w)"
FLOAT32 = 1 + np.finfo(np.float32).precision  # digits
FLOAT64 = 1 + np.finfo(np.float64).precision
TWO = np.eye(10)[2]  # one-hot
EXP = [exp(1), exp(2), exp(3)]
STEPS = nn.parse_options([]).iterations
P = 1 / (1 + e)  # of class 1, for the second picture of the tiny network


def as_one_line(text):
    """The text as if its lines were not broken."""
    bare = re.sub(r"^#(?: #)?", "", text, flags=re.M)
    return " ".join(bare.split())


def stand_in(values, shown, tolerance):
    """Whether the numbers shown, as texts, hold these values side by side."""
    for first in range(len(shown) - len(values) + 1):
        pairs = zip(shown[first:], values)
        if all(agrees(text, value, tolerance) for text, value in pairs):
            return True
    return False


# The numbers in sentences.


def percent_right(network, default):
    _, fraction = nn.evaluate(network, default.X_test, default.labels_test)
    return 100 * fraction


def our_2(default):
    """Which test picture it is."""
    return int((default.labels_test == 2).argmax())


def said_of_our_2(network, default):
    A2 = nn.forward(network, default.X_test).A2
    return A2[:, our_2(default)]


def without_division(default):
    """Loss in the end, and per cent of the test, if pixels are not divided by 255."""
    X = 255 * nn.to_columns(default.pixels)
    states = learn(default.start, X, default.labels, 0.1, 2)
    Z1 = nn.forward(states[2][1], X).Z1
    assert Z1.max() <= 0  # two steps kill all ten neurons: b2 alone learns, these shares
    shares = np.bincount(default.labels) / len(default.labels)
    right = np.mean(default.labels_test == shares.argmax())
    loss = -np.sum(shares * np.log(shares))
    return [loss, 100 * right]


@pytest.fixture(scope="module")
def first_steps(default):
    """What `nn.train` yields for the first hundred steps of the default run."""
    return default.after(default.start, 0.1, 100)


@pytest.fixture(scope="module")
def neuron(default_run, default):
    """The neuron that adds most to the score of our 2; and what it passes on for each picture."""
    A1 = nn.forward(default_run.learnt, default.X_test).A1
    adds = default_run.learnt.W2[2] * A1[:, our_2(default)]
    return adds.argmax(), A1[adds.argmax()]


@pytest.fixture(scope="module")
def measured(default, default_run, first_steps, neuron):
    """What the prose says of the default run."""
    m = len(default.labels)
    _, passes_on = neuron
    passes_on_2s = passes_on[default.labels_test == 2].mean()
    passes_on_9s = passes_on[default.labels_test == 9].mean()
    said = said_of_our_2(default.start, default)
    p = said[2]
    slow = default.after(default.start, 0.01, 100)
    slowly = percent_right(slow[100][1], default)
    quickly = percent_right(first_steps[100][1], default)
    blocks = nn.make_blocks(default.pixels, default.labels)
    kept = sum(block[0].size for block in blocks)
    found = {}
    found["all"] = [m + nn.TEST_SIZE, nn.PIXELS]
    found["sets"] = [m, nn.TEST_SIZE, 2, 2, our_2(default)]
    found["answer"] = [said.argmax(), 100 * said.max()]
    found["loss of our 2"] = [p, p, -log(p)]
    found["first loss"] = [first_steps[0][2], log(10)]
    found["column"] = said - TWO
    found["after 100 steps"] = [100, 0.01, slowly, 0.1, quickly]
    found["undivided"] = [STEPS, *without_division(default)]
    found["right"] = [nn.SEED, percent_right(default_run.learnt, default)]
    found["for our 2"] = [passes_on[our_2(default)]]
    found["in the mean"] = [passes_on_2s, passes_on_9s]
    found["blank"] = [100 * (1 - kept / default.pixels.size)]
    found["epochs"] = [6420 * 128 / m]
    return found


# The number of a Part; words that stand there near some numbers; what these are, side by side, or
# under which name `measured` returns it; how far they may be off, if more than by rounding.
@pytest.mark.parametrize(
    ("part", "words", "values", "tolerance"),
    [
        (0, "picture", [nn.PIXELS], 0),
        (0, "steps", [STEPS], 0),
        (1, "table", "all", 0),
        (1, "aside", "sets", 0),
        (1, "column", [400, 14, 28, 8], 0),
        (1, "one-hot", TWO, 0),
        (1, "float64", [FLOAT32, FLOAT64], 0),
        (2, "parameters", [7960], 0),
        (2, "softmax", [1, 2, 3, 1, 2, 3, *EXP, sum(EXP), 0.09, 0.24, 0.67], 0),
        (2, "point", [e], 0),
        (2, "random", "answer", 0),
        (3, "halving", [1, 0, log(2)], 0),
        (3, "chances", [1, 10, log(10), 1, 1000, log(1000)], 0),
        (3, "untrained", "loss of our 2", 0),
        (3, "untrained", "first loss", 0),
        (3, "gradient", [7960], 0),
        (3, "nudge", [1, 3, 9, 3], 0),
        (3, "nudge", [18, 1.001, (3 * 1.001) ** 2], 0),
        (3, "meet", [6, 2, 3], 0),
        (3, "together", [12, 1.001, 6 * 1.001**2], 0),
        (3, "second picture", [1 - P, P, 1 - P, P - 1], 0),
        (3, "said minus wanted", "column", 0),
        (3, "tiny", [-0.5, 1 - P, 0.5, P - 1, 1, 0, 2, -0.25, 0.25], 0),
        (3, "tiny", [0, 1, -0.5, 0.5], 0),
        (3, "float32", [np.finfo(np.float32).smallest_subnormal], 0),
        (4, "digits", [FLOAT64, FLOAT64 - 5, FLOAT32, FLOAT32 - 5], 0),
        (5, "full batch", [42_000 - nn.TEST_SIZE], 0),
        (5, "learning rate", "after 100 steps", 0),
        (5, "kill", "undivided", 0),
        (5, "typical", "right", 0.3),
        (6, "neuron", "for our 2", 0.1),
        (6, "passes on", "in the mean", 0.1),
        (8, "blank", "blank", 0),
        (9, "epochs", "epochs", 0),
    ],
)
def test_numbers_near_words_are_right(part, words, values, tolerance, measured):
    """They stand within 250 characters. If words are gone, mend the row with the sentence."""
    if isinstance(values, str):
        values = measured[values]
    text = as_one_line(PARTS[part])
    around = []
    for place in re.finditer(words, text, re.I):
        before = text[: place.start()][-250:]
        after = text[place.end() :][:250]
        around.append(re.findall(NUMBER, before + after))
    assert any(stand_in(values, shown, tolerance) for shown in around), list(values)


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


def test_the_2_in_figures_is_our_2(default):
    rows = []
    for row in middle(default.pixels_test[our_2(default)]).astype(int):
        figures = [str(9 * ink // 255) if ink else "." for ink in row]
        rows.append(" ".join(figures))
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
    assert [first[1], second[1], third[0]] == ["10", "20", "30"]
    for weights, _, bias, products, score in (first, second):
        W = np.array(weights.split(), int)
        assert W @ [10, 20, 30] + int(bias) == int(score)
        assert eval(products) == int(score)


# The tiny network's numbers and slopes for its first picture, as Part 3 calls them, by hand.
TINY = {"x": 2, "W1": 1, "b1": -1, "Z1": 1, "a": 1, "W2_0": 0, "W2_1": 1, "b2_0": 1}
TINY |= {"b2_1": 0, "z_0": 1, "z_1": 1, "s": 2 * e, "p_0": 0.5, "p_1": 0.5}
TINY |= {"loss": log(2), "dz_0": -0.5, "dz_1": 0.5, "db2_0": -0.5, "db2_1": 0.5}
TINY |= {"dW2_0": -0.5, "dW2_1": 0.5, "da": 0.5, "dZ1": 0.5, "dW1": 1, "db1": 0.5}


def test_the_drawing_of_the_tiny_network():
    """Every `name = number` on the indented lines of Part 3."""
    drawing = re.findall(r"^#     .*", PARTS[3], re.M)
    pairs = re.findall(rf"(\w+) = ({NUMBER})", "".join(drawing))
    assert len(pairs) >= 18
    for name, value in pairs:
        assert agrees(value, TINY[name]), name


def test_the_steps_back_through_the_tiny_network():
    """All sides of every `name = expression = number` in the numbered list."""
    steps = re.search(r"^# 1\. .*?^#$", PARTS[3], re.M | re.S)
    names = {"exp": exp, "log": log, **TINY}
    name = "|".join(names)
    token = rf"(?:\b(?:{name})\b|\d+(?:\.\d+)?|[-+*/()])"
    sum_of = rf"{token}(?: ?{token})*"
    chains = re.findall(rf"{sum_of}(?: = {sum_of})+", as_one_line(steps[0]))
    assert len(chains) >= 10
    for chain in chains:
        first, *others = [eval(side, names) for side in chain.split(" = ")]
        assert others == approx([first] * len(others), abs=0.005), chain


def test_the_stencil_of_the_neuron(default, default_run, neuron):
    number, _ = neuron
    assert f"neuron {number}" in as_one_line(PARTS[6])
    change = default_run.learnt.W1[number] - default.start.W1[number]
    limit = np.abs(change).max() / 4
    expected = np.where(middle(change) > 0, "+", "-")
    expected[np.abs(middle(change)) < limit] = " "
    rows = lines(r"     ([ +-]*[+-])")
    shown = [list(f"{row:40}"[::2]) for row in rows]
    different = np.array(shown) != expected
    assert different.sum() <= 2  # where it is close, rounding may decide
