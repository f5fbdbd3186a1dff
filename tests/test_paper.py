"""The companion paper: its worked example, numbers, tables and derivations against the code."""

import math
import re

import figures
import numpy as np
import pytest
from conftest import SCRIPT, SOURCE, agrees, learn

import Neural_Network_from_Scratch as nn

DOCS = SCRIPT.parent / "docs"
PAPER = (DOCS / "The_Core_Mathematics.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```math\n(.*?)^```$", re.M | re.S)
TAG = re.compile(r"\\qquad \((\w+)\)$", re.M)  # the number of an equation
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?!pt)")


def section(number):
    """The text of a section, up to the next heading."""
    pattern = rf"^## {number}\. .*?(?=^## |\Z)"
    return re.search(pattern, PAPER, re.M | re.S)[0]


def table(number):
    """The cells of the rows of the one table in a section, less its two lines of heading."""
    rows = re.findall(r"^\| (.*) \|$", section(number), re.M)
    return [row.replace("`", "").split(" | ") for row in rows[1:]]


def block_of(tag):
    """The displayed equation of this number."""
    (block,) = re.findall(rf"^```math\n([^`]*\\qquad \({tag}\))\n```$", PAPER, re.M)
    return block


def printed(block):
    """Each `name = value` of a displayed block, as pairs of strings."""
    block = re.sub(r"\\(begin|end)\{gathered\}", "", TAG.sub("", block))
    items = re.split(r"\\qquad|\\\\\[4pt\]\n", block)
    return [item.strip().split(" = ", 1) for item in items]


def matrices(tag):
    """The matrices that a displayed equation gives, by their names there."""
    found = {}
    for name, text in printed(block_of(tag)):
        rows = text.split(r"\\[4pt]")
        numbers = [NUMBER.findall(row) for row in rows]
        found[name] = np.array(numbers, float)
    return found


def shown(values):
    """Numbers as the paper prints them: exact if that takes fewer than four decimals."""
    texts = []
    for value in np.ravel(values):
        text = f"{value:.4f}"
        if abs(float(text) - value) < 1e-12:
            text = text.rstrip("0").rstrip(".")
        texts.append("0" if text == "-0" else text)
    return texts


def every_value(parameters, X, Y):
    """All that a pass forward and a pass back compute, by its name in the paper.

    It is the script's own result where a function of the script returns it.
    """
    activations = nn.forward(parameters, X)
    gradients = nn.backward(parameters, X, Y, activations)
    values = {"X": X, "Y": Y, r"\eta": 1.0}
    for prefix, arrays in (("", parameters), ("", activations), ("d", gradients)):
        for name, array in arrays._asdict().items():
            letter, layer = name
            values[f"{prefix}{letter}_{layer}"] = array
    Z2 = activations.Z2
    values["S"] = Z2 - Z2.max(axis=0)
    values["E"] = np.exp(values["S"])
    values["D"] = values["E"].sum(axis=0)
    P = (Y * activations.A2).sum(axis=0)  # of the right classes
    values[r"\ell"] = -np.log(P)
    values["L"] = nn.cross_entropy(Z2, Y)
    values["dZ_2"] = activations.A2 - Y
    values[r"W_2^\top dZ_2"] = parameters.W2.T @ values["dZ_2"]
    values["[Z_1 > 0]"] = activations.Z1 > 0
    values["dZ_1"] = values[r"W_2^\top dZ_2"] * values["[Z_1 > 0]"]
    return values


# The worked example.


GIVEN = matrices("a")
START = nn.Parameters(GIVEN["W_1"], GIVEN["b_1"], GIVEN["W_2"], GIVEN["b_2"])
PICTURES = (GIVEN["X"], GIVEN["Y"])
BEFORE = every_value(START, *PICTURES)
SLOPES = nn.backward(START, *PICTURES, nn.forward(START, GIVEN["X"]))
AFTER = every_value(nn.descend(START, SLOPES, 1.0), *PICTURES)


def test_the_worked_example_prints_what_the_script_computes():
    names = []
    for block in BLOCK.findall(section(9)):
        for name, text in printed(block):
            names.append(name)
            values = AFTER if "^+" in name else BEFORE
            result = values[re.sub(r"^\(|\^\+|\)_\{11\}", "", name)]
            if ")_{11}" in name:  # one entry in full, as in 1 + 2 = 3
                result = result[0, 0]
                formula, text = text.split(" = ")
                formula = formula.replace(r"\cdot", "*")
                formula = formula.replace(r"\tfrac{1}{3}", "1 / 3 *")
                assert eval(formula) == pytest.approx(result, abs=1e-4)
            assert NUMBER.findall(text) == shown(result), name
    assert set(BEFORE) <= set(names)
    assert len(names) == 36


def test_halfway_between_two_exchanged_networks_the_loss_is_higher():
    W1, b1, W2, b2 = START
    exchanged = nn.Parameters(W1[::-1], b1[::-1], W2[:, ::-1], b2)
    halfway = [(P + Q) / 2 for P, Q in zip(START, exchanged)]
    between = every_value(nn.Parameters(*halfway), *PICTURES)["L"]
    there = every_value(exchanged, *PICTURES)["L"]
    assert between > there
    assert re.findall(r"\d\.\d+", block_of(57)) == shown([between, there])


def test_the_chain_rule_in_numbers():
    given = matrices("24a")
    W = given["W"]
    X = given["X"]
    b = given["b"]
    G = given["G"]

    def F():
        Z = W @ X + b
        return 2 * Z[0, 0] + Z[1, 0] - Z[1, 1]

    assert given["F"] == F()
    assert np.array_equal(given["Z"], W @ X + b)
    parameters = (W, b, X)
    slopes = (G @ X.T, G @ np.ones((2, 1)), W.T @ G)
    formulas = list(given)[-3:]
    for formula, P, dP in zip(formulas, parameters, slopes):
        assert formula in block_of(24)
        assert np.array_equal(given[formula], dP)
        for i, slope in enumerate(dP.flat):
            before = F()
            P.flat[i] += 1  # F is linear in each: no need for small nudges
            assert F() - before == slope
            P.flat[i] -= 1


# The form of the page.


def test_equations_are_numbered_in_order_one_to_a_block_and_those_cited_exist():
    for block in BLOCK.findall(PAPER):
        assert len(TAG.findall(block)) == 1
    tags = TAG.findall(PAPER)
    numbers = [int(tag) for tag in tags if tag.isdigit()]
    assert numbers == list(range(1, 73))  # are cited: a new equation gets a letter
    cited = re.findall(r"(?<!\w)\((\d+a?)\)", BLOCK.sub("", PAPER))
    for path in (SCRIPT, DOCS / "Exercises.md"):
        text = path.read_text(encoding="utf-8")
        for run in re.findall(r"\beqs?\. (\d+(?:(?:-|, | and | to )\d+)*)", text):
            cited.extend(re.findall(r"\d+", run))  # a range by its ends
    assert len(set(cited)) > 40
    assert set(cited) <= set(tags)


def test_lines_of_the_last_table_stand_in_the_script_beside_their_equation():
    cited = []
    for code, number in table(16):
        signs = [re.escape(sign) for sign in code.replace(" ", "")]
        rests_of_lines = re.findall(r"\s*".join(signs) + "(.*)", SOURCE)
        assert rests_of_lines, code
        beside = re.findall(r"eq\. (\d+)", " ".join(rests_of_lines))
        assert set(beside) <= {number.strip("()")}, code
        cited.extend(beside)
    assert len(cited) > 15


def test_shapes_are_those_of_the_code(default):
    sizes = {"hidden": 7, "m": 5, "784": 784, "10": 10, "1": 1}
    start = nn.initialize(np.random.default_rng(0), hidden=7)
    Y = nn.one_hot(default.labels_test[:5])
    values = every_value(start, default.X_test[:, :5], Y)
    rows = [(symbol, shape) for symbol, _, shape, _ in table(1)]
    rows += [(equation, shape) for _, equation, _, shape in table(8)]
    assert len(rows) == 18
    for symbol, text in rows:
        shape = [sizes[size] for size in re.findall(r"\w+", text)]
        symbol = symbol.strip("$").split(" = ")[0]
        assert list(values[symbol].shape) == shape, symbol


def test_mathematics_is_in_the_form_that_github_renders():
    """GitHub hands MathML to the browser, which breaks a display with \\tag into a column of
    single symbols, loses the font of \\mathbf, and may double a line end without a bracket.
    """
    for block in BLOCK.findall(PAPER):
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
    pictures = figures.film(default.start)
    assert np.any(np.not_equal(pictures[0], pictures[-1]))
    figures.save_film(pictures, tmp_path / "board.gif")


# The numbers that the paper quotes.


@pytest.fixture(scope="module")
def X(default):
    return nn.to_columns(default.pixels)


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


def test_numbers_of_the_sections_that_measure_nothing(default):
    count = sum(P.size for P in default.start)
    large = default.start.W1.size  # a picture takes so many multiplications
    small = default.start.W2.size
    largest = float(np.finfo(np.float32).max)
    limit = math.log(np.finfo(np.float64).max)
    assert_quotes(2, math.e)
    assert_quotes(3, math.log(10))
    assert_quotes(4, largest / 1e38, math.log(largest), limit)
    assert_quotes(5, count, 2 * count)
    assert_quotes(8, large, large + small, large, large + 2 * small, count)
    assert_quotes(9, BEFORE[r"\ell"][1], AFTER[r"\ell"][1])
    for number in (1, 6, 7, 11, 14):
        assert_quotes(number)


def squares(M):
    """The sum of squares of each column."""
    return np.sum(M.astype(np.float64) ** 2, axis=0)


def mean_and_spread(parameters, X, labels):
    """The two numbers of eq. 39, if each column of X is drawn with the same chance.

    They are the square of the length of the mean gradient, and the spread sigma^2 of the
    gradients of single examples. One example's slopes along W are a column times a row, dz x',
    so the sum of their squares is a product of two sums of squares; along b they are dz itself.
    """
    values = every_value(parameters, X, nn.one_hot(labels))
    second_layer = squares(values["dZ_2"]) * (squares(values["A_1"]) + 1)
    first_layer = squares(values["dZ_1"]) * (squares(X) + 1)
    _, _, gradients = nn.gradient(parameters, X, labels)
    mean = figures.length_squared(gradients)
    return mean, np.mean(second_layer + first_layer) - mean


def test_lengths_of_the_gradient(default, X):
    labels = default.labels
    mean, spread = mean_and_spread(default.start, X, labels)
    count = sum(P.size for P in default.start)
    assert_quotes(10, count, len(labels), math.sqrt(mean), math.sqrt(spread))
    rng = np.random.default_rng(nn.SEED)
    for m, row in zip(figures.SIZES, table(10), strict=True):
        length, error = figures.measured_length(default.start, X, labels, m, rng)
        predicted = math.sqrt(mean + spread / m)
        assert abs(length - predicted) < 3 * error  # what (39) says is what one measures
        size, derived, measured, total = row
        assert size == f"{m:,}"
        assert agrees(derived, predicted)
        shown_length, shown_error = measured.split(" ± ")
        assert agrees(shown_length, length)
        assert shown_error == f"{error:.1g}"
        assert len(shown_error) == len(shown_length)  # no more digits than it knows
        assert float(total.replace(",", "")) == float(f"{m * length:.2g}")


def test_learning_rates_on_a_parabola():
    for rate, row in zip(figures.RATES, table(11), strict=True):
        places = (1 - rate) ** np.arange(1, 5)
        steps = ", ".join(shown(places))
        assert row[:3] == [f"{rate:g}", *shown(1 - rate), steps]


def test_errors_of_the_check(default):
    start = default.start
    smooth = figures.off_the_kink(start, default.X_test, 0.1)
    X = default.X_test[:, smooth]
    labels = default.labels_test[smooth]
    double = {}
    single = {}
    for h, *cells in table(12):
        rng = np.random.default_rng(nn.SEED)
        double[h] = nn.gradient_check(start, X, nn.one_hot(labels), rng, float(h))
        single[h] = figures.check_error(start, X, labels, float(h), np.float32)
        for cell, error in zip(cells, (double[h], single[h])):
            if cell != "-":
                assert agrees(cell, error)
    assert min(double, key=double.get) == "1e-05"
    assert min(single, key=single.get) == "1e-02"
    assert 5e-11 < double["1e-05"] < 1e-9  # "a few times"
    assert 1e5 < single["1e-02"] / double["1e-05"] < 2e6  # "hundreds of thousands"
    first = (default.X_test[:, :50], default.labels_test[:50])
    kept = figures.check_error(start, *first, 0.1)
    assert_quotes(12, 2**-53 * 1e16, 0.1, 0.1, kept, double["1e-01"])
    powers = re.findall(r"(\d\.?\d?) \\cdot 10\^\{(-\d+)\}", section(12))
    quoted = [float(f"{digits}e{power}") for digits, power in powers]
    rounding = np.array([2.0**-53, 2.0**-24])  # relative, of float64 and float32
    assert quoted == pytest.approx([*rounding, *np.cbrt(rounding)], rel=0.05, abs=0)


def at_many_starts(initialize, X, labels):
    """The mean square of Z1, and the loss, each at 100 random starts."""
    results = []
    for seed in range(100):
        start = initialize(np.random.default_rng(seed))
        Z1 = nn.forward(start, X).Z1
        loss, _ = nn.evaluate(start, X, labels)
        results.append((np.mean(Z1**2), loss))
    return np.transpose(results)


def hidden_scores(start, X, labels, steps):
    """Z1 at the start, and after each step at a learning rate of 0.1."""
    states = learn(start, X, labels, 0.1, steps)
    return [nn.forward(learnt, X).Z1 for _, learnt, _, _ in states]


def test_numbers_of_the_start(default, X):
    labels = default.labels
    some = (X[:, :1000], labels[:1000])
    sizes, losses = at_many_starts(nn.initialize, *some)
    he_sizes, _ = at_many_starts(nn.initialize_he, *some)
    before, after = hidden_scores(default.start, X, labels, 1)
    move = np.sqrt(np.mean((after - before) ** 2))
    before, after, last = hidden_scores(default.start, 255 * X, labels, 2)
    raw_move = np.sqrt(np.mean((after - before) ** 2))
    assert not (last > 0).any()
    assert f"= {255**2}" in block_of(60)
    ink = np.mean(squares(X))
    score = (1 + ink) / 12
    steps = (255**2, 0.1, move, round(raw_move, -4), 0.5, 0.5)
    scores = (ink, score, math.sqrt(score), 1000, np.mean(sizes), np.std(sizes))
    losses = (1000, np.mean(losses), min(losses), max(losses))
    assert_quotes(13, *steps, *scores, *losses)
    square = ink / nn.PIXELS
    he = (square, square, 2 * square, score, 1000, np.mean(he_sizes))
    assert_quotes(15, *he, 1000, 0.5, *spread_of_the_learnt(some))


def spread_of_the_learnt(pictures, size=50, steps=400):
    """Sigma of eq. 39 before 64 hidden neurons have learnt these pictures, and after."""
    X, labels = pictures
    rng = np.random.default_rng(nn.SEED)
    start = nn.initialize_he(rng, hidden=64)
    batches = nn.mini_batches(255 * X.T, labels, size, rng)

    def of_batch(parameters):
        return nn.gradient(parameters, *next(batches))

    for _, learnt, _, _ in nn.train(start, of_batch, 0.5, steps):
        pass
    assert nn.evaluate(learnt, X, labels)[1] == 1
    _, before = mean_and_spread(start, X, labels)
    _, after = mean_and_spread(learnt, X, labels)
    return math.sqrt(before), math.sqrt(after)
