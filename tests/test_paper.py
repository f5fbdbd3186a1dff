"""The companion paper: its worked example, numbers, tables and derivations against the code."""

import math
import re

import numpy as np
import pytest

import figures
import Neural_Network_from_Scratch as nn
from conftest import SCRIPT, SOURCE, agrees, train_plainly

DOCS = SCRIPT.parent / "docs"
PAPER = (DOCS / "The_Core_Mathematics.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```math\n(.*?)^```$", re.M | re.S)
TAG = re.compile(r"\\qquad \((\w+)\)$", re.M)  # the number of an equation


def section(number):
    """The text of a section, up to the next heading."""
    pattern = rf"^## {number}\. .*?(?=^## |\Z)"
    return re.search(pattern, PAPER, re.M | re.S)[0]


def table(number):
    """The cells of the rows of the one table in a section, less its two lines of heading."""
    rows = re.findall(r"^\| (.*) \|$", section(number), re.M)
    return [row.replace("`", "").split(" | ") for row in rows[1:]]


# The worked examples.


def displayed(text):
    """The matrices and numbers that displayed blocks give as `name = value`.

    By their names, less the low line: `W_1` is W1, as in the code.
    """
    found = {}
    blocks = "".join(BLOCK.findall(text)).replace("_", "")
    for part in re.split(r" \\qquad | \\\\\[4pt\]\n|\n", blocks):
        name, _, value = part.rpartition(" = ")
        rows = value.split("[4pt]")
        numbers = [re.findall(r"-?[\d.]+", row) for row in rows]
        found[name] = np.array(numbers, float)
    del found[""]  # what has no name
    return found


def every_value(parameters, X, Y):
    """All that a pass forward and a pass back compute.

    It is the script's own result where a function of the script returns it.
    """
    activations = nn.forward(parameters, X)
    gradients = nn.backward(parameters, X, Y, activations)
    values = {"X": X, "Y": Y, **parameters._asdict(), **activations._asdict()}
    for name, slopes in gradients._asdict().items():
        values[f"d{name}"] = slopes
    Z1, _, Z2, A2 = activations
    values["S"] = Z2 - Z2.max(axis=0)
    values["E"] = np.exp(values["S"])
    values["D"] = values["E"].sum(axis=0)
    values[r"\ell"] = -np.log((Y * A2).sum(axis=0))
    values["L"] = nn.cross_entropy(Z2, Y)
    values["dZ2"] = A2 - Y
    values[r"W2^\top dZ2"] = parameters.W2.T @ values["dZ2"]
    values["[Z1 > 0]"] = Z1 > 0
    values["dZ1"] = values[r"W2^\top dZ2"] * values["[Z1 > 0]"]
    return values


FIELDS = nn.Parameters._fields
GIVEN = displayed(section(9))
START = nn.Parameters(*[GIVEN[name] for name in FIELDS])
PICTURES = (GIVEN["X"], GIVEN["Y"])
BEFORE = every_value(START, *PICTURES)
SLOPES = [BEFORE[f"d{name}"] for name in FIELDS]
AFTER = every_value(nn.descend(START, SLOPES, 1.0), *PICTURES)


def test_the_worked_example_prints_what_the_script_computes():
    found = displayed(section(9))
    expected = {r"\eta": 1.0, **BEFORE}
    for name in (*FIELDS, "Z1", "Z2", "A2", r"\ell", "L"):
        expected[f"{name}^+"] = AFTER[name]
    for name, values in expected.items():
        difference = found.pop(name) - values
        assert np.abs(difference).max() < 6e-5, name
    assert len(found) == 3  # one entry each in full, as in (Z)_{11} = 1 + 2 = 3
    for name, result in found.items():
        formula = name.replace(r"\cdot", "*").replace(r"\tfrac{1}{3}", "1 / 3 *")
        matrix, terms = re.fullmatch(r"\((.*)\)\{11\} = (.*)", formula).groups()
        assert result == GIVEN[matrix][0, 0]
        assert eval(terms) == pytest.approx(result.item(), abs=1e-4)


def test_halfway_between_two_exchanged_networks_the_loss_is_higher():
    W1, b1, W2, b2 = START
    exchanged = (W1[::-1], b1[::-1], W2[:, ::-1], b2)
    halfway = [(P + Q) / 2 for P, Q in zip(START, exchanged)]
    between = every_value(nn.Parameters(*halfway), *PICTURES)["L"]
    assert f"= {between:.4f} > {BEFORE['L']:.4f}\n" in PAPER


def test_the_chain_rule_in_numbers():
    (numbers,) = re.findall(r"```math\n[^`]*\(24a\)\n```", PAPER)
    given = displayed(numbers)
    W = given["W"]
    X = given["X"]
    G = given["G"]
    assert np.array_equal(given["Z"], W @ X + given["b"])
    assert given["F"] == np.vdot(G, given["Z"])
    slopes = (G @ X.T, G @ np.ones((2, 1)), W.T @ G)
    formulas = list(given)[-3:]
    for letter, formula, values in zip("WbX", formulas, slopes):
        assert np.array_equal(given[formula], values)
        assert rf"\partial {letter}}} = {formula}" in PAPER  # eq. 24


# The form of the page.


def test_equations_are_numbered_in_order_and_those_cited_exist():
    tags = TAG.findall(PAPER)
    numbers = [int(tag) for tag in tags if tag.isdigit()]
    assert numbers == list(range(1, 73))  # are cited: a new equation gets a letter
    cited = re.findall(r"(?<!\w)\((\d+a?)\)", BLOCK.sub("", PAPER))
    others = SOURCE + (DOCS / "Exercises.md").read_text(encoding="utf-8")
    for run in re.findall(r"\beqs?\. (\d+(?:(?:-|, | and | to )\d+)*)", others):
        cited.extend(re.findall(r"\d+", run))  # a range by its ends
    assert set(cited) <= set(tags)


def test_lines_of_the_last_table_stand_in_the_script_beside_their_equation():
    cited = []
    for code, number in table(16):
        lines = [line for line in SOURCE.splitlines() if code in line]
        assert lines, code
        beside = re.findall(r"eq\. (\d+)", " ".join(lines))
        assert set(beside) <= {number.strip("()")}, code
        cited.extend(beside)
    assert len(cited) > 15


def test_shapes_are_those_of_the_code():
    start = nn.initialize(np.random.default_rng(0), hidden=7)
    Y = nn.one_hot(np.arange(5))
    values = every_value(start, np.zeros((784, 5)), Y)
    rows = re.findall(r"\$`(\w+)[^`]*`\$ \| `(\w+)[^`]*` \| (\([^|]*\)) \|", PAPER)
    assert len(rows) == 18  # of two tables
    for symbol, code, shape in rows:
        assert symbol.replace("_", "") == code
        assert values[code].shape == eval(shape, {"hidden": 7, "m": 5}), code


def test_mathematics_is_in_the_form_that_github_renders():
    """GitHub hands MathML to the browser, which breaks a display with \\tag into a column of
    single symbols, loses the font of \\mathbf, and may double a line end without a bracket.
    """
    for block in BLOCK.findall(PAPER):
        assert len(TAG.findall(block)) == 1
        assert "\n\n" not in block
        assert block.count("{") == block.count("}")
    refused = r"\\(newcommand|def|operatorname|require|tag|mathbf|mathbb|mathcal)\b"
    assert not re.search(refused, PAPER)
    assert not re.search(r"\\\\(?!\[4pt\])", PAPER)
    assert PAPER.count("{") <= 2000
    for line in BLOCK.sub("", PAPER).splitlines():
        formulas = re.findall(r"\$`([^`$]+)`\$", line)
        assert line.count("$") == 2 * len(formulas), line
        refused = "<>|" if line.startswith("|") else "<>"  # a bar would end its cell
        assert not set(refused) & set("".join(formulas)), line


def test_pictures_can_be_drawn(default, monkeypatch, tmp_path):
    for draw in (figures.draw_network, figures.draw_relu, figures.draw_parabola):
        assert draw().axes
    monkeypatch.setattr(figures, "STROKE", "34 40  72 42")
    figures.save_film(default.start, tmp_path / "board.gif")


# The numbers that the paper quotes.


def assert_quotes(number, *values):
    """The prose of a section, less displays and tables, quotes these numbers in this order.

    A number here has a decimal point, or thousands.
    """
    text = BLOCK.sub("", section(number))
    text = re.sub(r"^[|!].*|section\s[\d.]+", "", text, flags=re.M)
    quoted = re.findall(r"\d+(?:,\d{3})+|\d+\.\d+(?:e-\d+)?", text)
    assert len(quoted) == len(values), quoted
    for text, value in zip(quoted, values):
        assert agrees(text, value), (text, value)


@pytest.mark.parametrize(
    ("number", "values"),
    [
        (1, []),
        (2, [math.e]),
        (3, [math.log(10)]),
        (4, [2**128 / 1e38, 128 * math.log(2), 1024 * math.log(2)]),
        (5, [7960, 2 * 7960]),
        (6, []),
        (7, []),
        (8, [7840, 7840 + 100, 7840, 7840 + 2 * 100, 7960]),
        (9, [BEFORE[r"\ell"][1], AFTER[r"\ell"][1]]),
        (11, []),
        (14, []),
    ],
)
def test_numbers_of_the_sections_that_measure_nothing(number, values):
    assert_quotes(number, *values)


def mean_and_spread(parameters, X, labels):
    """The two numbers of eq. 39, if each column of X is drawn with the same chance.

    They are the square of the length of the mean gradient, and the spread sigma^2 of the
    gradients of single examples. One example's slopes along W are a column times a row, dz x',
    so the sum of their squares is a product of two sums of squares; along b they are dz itself.
    """
    values = every_value(parameters, X, nn.one_hot(labels))
    squares = {}
    for name in ("X", "A1", "dZ1", "dZ2"):
        squares[name] = np.sum(values[name] ** 2, axis=0)
    first_layer = squares["dZ1"] * (squares["X"] + 1)
    second_layer = squares["dZ2"] * (squares["A1"] + 1)
    _, _, gradients = nn.gradient(parameters, X, labels)
    mean = figures.length_squared(gradients)
    return mean, np.mean(first_layer + second_layer) - mean


def test_lengths_of_the_gradient(default):
    labels = default.labels
    training = (nn.to_columns(default.pixels), labels)
    mean, spread = mean_and_spread(default.start, *training)
    assert_quotes(10, 7960, len(labels), *np.sqrt([mean, spread]))
    rng = np.random.default_rng(nn.SEED)
    for m, row in zip(figures.SIZES, table(10), strict=True):
        length, error = figures.measured_length(default.start, *training, m, rng)
        predicted = math.sqrt(mean + spread / m)
        size, derived, measured, total = row
        assert size == f"{m:,}"
        assert agrees(derived, predicted)
        shown_length, shown_error = measured.split(" ± ")
        assert agrees(shown_length, length)
        assert shown_error == f"{error:.1g}"
        assert agrees(total, float(f"{m * length:.2g}"))


def test_learning_rates_on_a_parabola():
    for rate, row in zip(figures.RATES, table(11), strict=True):
        steps = [f"{(1 - rate) ** count:g}" for count in range(1, 5)]
        assert row[:3] == [f"{rate:g}", steps[0], ", ".join(steps)]


def test_errors_of_the_check(default):
    pictures = (default.X_test, default.labels_test)
    smooth = figures.off_the_kink(default.start, *pictures)
    for h, *cells in table(12):
        for cell, dtype in zip(cells, (np.float64, np.float32)):
            error = figures.check_error(default.start, *smooth, float(h), dtype)
            assert cell == "-" or agrees(cell, error)
    left_out = figures.check_error(default.start, *smooth, 0.1)
    kept = figures.check_error(default.start, *pictures, 0.1)
    assert_quotes(12, 2**-53 * 1e16, 0.1, 0.1, kept, left_out)
    for power in (-53, -24, -53 / 3, -24 / 3):  # rounding in float64 and float32; best h
        digit, exponent = f"{2**power:.0e}".split("e")
        assert rf"{digit} \cdot 10^{{{int(exponent)}}}" in section(12)


def first_move(start, X, labels):
    """The root of the mean square by which a step at 0.1 moves the hidden scores."""
    states = train_plainly(start, X, labels, 0.1, 1)
    before, after = [nn.forward(state[1], X).Z1 for state in states]
    return np.sqrt(np.mean((after - before) ** 2))


def test_numbers_of_the_start_and_of_the_refinements(default):
    pixels = default.pixels
    labels = default.labels
    X = nn.to_columns(pixels)
    some = (X[:, :1000], labels[:1000])
    sizes = []  # mean squares of Z1
    he_sizes = []
    losses = []
    for seed in range(100):
        start = nn.initialize(np.random.default_rng(seed))
        losses.append(nn.evaluate(start, *some)[0])
        Z1 = nn.forward(start, some[0]).Z1
        sizes.append(np.mean(Z1**2))
        start = nn.initialize_he(np.random.default_rng(seed))
        Z1 = nn.forward(start, some[0]).Z1
        he_sizes.append(np.mean(Z1**2))
    move = first_move(default.start, X, labels)
    raw_move = first_move(default.start, 255 * X, labels)
    assert f"= {255**2}\\;" in section(13)
    square = np.mean(X**2)
    ink = nn.PIXELS * square
    score = (1 + ink) / 12
    raw_move = round(raw_move, -4)
    steps = (255**2, 0.1, move, raw_move, 0.5, 0.5)
    scores = (ink, score, score**0.5, 1000, np.mean(sizes), np.std(sizes))
    assert_quotes(13, *steps, *scores, 1000, np.mean(losses), min(losses), max(losses))

    rng = np.random.default_rng(nn.SEED)
    start = nn.initialize_he(rng, hidden=64)
    of_batch = nn.choose_gradient(start, pixels[:1000], labels[:1000], 50, rng)
    for _, learnt, _, _ in nn.train(start, of_batch, 0.5, 400):
        pass
    assert nn.evaluate(learnt, *some)[1] == 1
    _, before = mean_and_spread(start, *some)
    _, after = mean_and_spread(learnt, *some)
    he = (square, square, 2 * square, score, 1000, np.mean(he_sizes))
    assert_quotes(15, *he, 1000, 0.5, *np.sqrt([before, after]))
