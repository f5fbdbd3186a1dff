"""The companion paper: its worked example, numbers, tables and derivations against the code."""

import itertools
import math
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import Neural_Network_from_Scratch as nn

FOLDER = Path(nn.__file__).parent
SCRIPT = Path(nn.__file__).read_text(encoding="utf-8")
PAPER = (FOLDER / "docs" / "The_Core_Mathematics.md").read_text(encoding="utf-8")
FIGURES = runpy.run_path(str(FOLDER / "tests" / "figures.py"))
NEW = ("W1", "b1", "W2", "b2", "Z1", "Z2", "A2")  # printed again after the step
FENCE = re.compile(r"^```math\n(.*?)^```$", re.M | re.S)


def section(title):
    """The text under the heading with this title, up to the next heading."""
    return re.search(rf"^## \d+\. {re.escape(title)}\n(.*?)(?=^## |\Z)", PAPER, re.M | re.S)[1]


def table(text):
    """The cells of the rows of the one table in a text, without its two lines of heading."""
    rows = re.findall(r"^\| (.*) \|$", text, re.M)
    return [row.split(" | ") for row in rows[1:]]


def tags(text):
    """The numbers, or in the worked example letters, of the displayed equations in a text."""
    return re.findall(r"\\qquad \((\d+|[a-z])\)$", text, re.M)


def block_of(number):
    (block,) = (block for block in FENCE.findall(PAPER) if tags(block) == [str(number)])
    return block


def locals_of(function, *arguments):
    """The local variables of a function of the script, as they are when it returns."""
    found = {}

    def spy(frame, event, _):
        if event == "return" and frame.f_code is function.__code__:
            found.update(frame.f_locals)

    sys.setprofile(spy)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return found


def all_locals(parameters, X, Y):
    """Everything that one forward and backward pass of the script computes, by its name there."""
    found = locals_of(nn.forward, parameters, X)
    activations = nn.forward(parameters, X)
    found |= locals_of(nn.softmax, activations.Z2)
    found |= locals_of(nn.cross_entropy, activations.Z2, Y)
    return found | locals_of(nn.backward, parameters, X, Y, activations)


# The worked example: the paper's text is compared with what the script's functions compute.


def shown(value):
    """A number as the paper prints it: exact if that takes fewer than four decimals."""
    text = f"{value:.4f}"
    if abs(float(text) - value) < 1e-12:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def factor(value):
    return f"({shown(value)})" if value < 0 else shown(value)


def products(left, right):
    return " + ".join(rf"{factor(u)} \cdot {factor(v)}" for u, v in zip(left, right))


def latex(value):
    """A number or a matrix as the paper prints it."""
    if np.ndim(value) == 0:
        return shown(value)
    rows = (" & ".join(map(shown, row)) for row in np.atleast_2d(value))
    return r"\begin{bmatrix} " + r" \\[4pt] ".join(rows) + r" \end{bmatrix}"


def printed(text):
    """Each `name = value` of the math blocks in a text, as pairs of strings."""
    pairs = []
    for block in FENCE.findall(text):
        block = re.sub(r"\\(begin|end)\{gathered\}|\\qquad \([a-z]\)$", "", block, flags=re.M)
        for item in re.split(r"\\qquad|\\\\\[4pt\]\n", block):
            name, _, value = item.strip().partition(" = ")
            pairs.append((name, value))
    return pairs


def computed():
    """The worked example as the script computes it, from the numbers under "Given"."""
    start = nn.Parameters(
        W1=np.array([[-1, 1], [1, -0.5]]),
        b1=np.array([[0.5], [0]]),
        W2=np.array([[0.5, -1], [-0.5, 0.5]]),
        b2=np.array([[0.5], [-0.5]]),
    )
    X, Y, rate = np.array([[1.0, 0, 1], [1, 1, 0]]), np.array([[0.0, 1, 0], [1, 0, 1]]), 1.0
    v = all_locals(start, X, Y)
    after = nn.descend(start, nn.backward(start, X, Y, nn.forward(start, X)), rate)
    w = all_locals(after, X, Y)

    def own_losses(Z2):
        return [nn.cross_entropy(Z2[:, [c]], Y[:, [c]]) for c in range(3)]

    names = [code.strip("`") for _, code, _, _ in table(section("Notation and shapes"))]
    values = {re.sub(r"(\d)", r"_\1", name): v[name] for name in names}
    values |= {r"\eta": rate, "D": v["E"].sum(axis=0)}
    values |= {r"\ell": own_losses(v["Z2"]), "L": nn.cross_entropy(v["Z2"], Y)}
    values |= {r"W_2^\top dZ_2": start.W2.T @ v["dZ2"], "[Z_1 > 0]": (v["Z1"] > 0).astype(int)}
    values |= {f"{name[0]}_{name[1]}^+": w[name] for name in NEW}
    values |= {r"\ell^+": own_losses(w["Z2"]), "L^+": nn.cross_entropy(w["Z2"], Y)}
    values = {name: latex(value) for name, value in values.items()}
    z11, dw11, new = (shown(m[0, 0]) for m in (v["Z1"], v["dW2"], after.W1))
    values["(Z_1)_{11}"] = f"{products(start.W1[0], X[:, 0])} + {shown(start.b1[0, 0])} = {z11}"
    values["(dW_2)_{11}"] = rf"\tfrac{{1}}{{3}} ({products(v['dZ2'][0], v['A1'][0])}) = {dw11}"
    values["(W_1^+)_{11}"] = rf"-1 - 1 \cdot {shown(v['dW1'][0, 0])} = {new}"
    return values, v, w


EXAMPLE = section("A worked example")
VALUES, BEFORE, AFTER = computed()


def mistakes(text):
    """What the worked example prints, but the script computes otherwise or not at all."""
    return [name for name, value in printed(text) if VALUES.get(name) != value]


def test_worked_example_prints_what_the_script_computes():
    assert mistakes(EXAMPLE) == []


def test_worked_example_prints_every_intermediate_result_once():
    assert sorted(name for name, _ in printed(EXAMPLE)) == sorted(VALUES)


def test_worked_example_says_no_number_that_it_does_not_print():
    prose = re.sub(r"\(\d+\)", "", FENCE.sub("", EXAMPLE))  # less citations of equations
    numbers = re.findall(r"(?<![\w\\])\d[\d.]*\d", prose)
    assert numbers == re.findall(r"[\d.]+", VALUES[r"\ell"] + VALUES[r"\ell^+"])[1::3]


def test_what_the_worked_example_says_in_words():
    text = " ".join(EXAMPLE.split())
    for words in (
        "Each hidden neuron is off for one example and on for two.",
        "reads the first example wrongly, the other two rightly.",
        "There the neuron passed nothing on, and the slope stops",
        "The loss has gone down, and all three examples are read rightly.",
    ):
        assert words in text
    labels = BEFORE["Y"].argmax(axis=0)
    assert (BEFORE["A2"].argmax(axis=0) == labels).tolist() == [False, True, True]
    assert (AFTER["A2"].argmax(axis=0) == labels).all()
    assert nn.cross_entropy(AFTER["Z2"], AFTER["Y"]) < nn.cross_entropy(BEFORE["Z2"], BEFORE["Y"])
    assert (BEFORE["Z1"] > 0).sum(axis=1).tolist() == [2, 2]  # on for two, off for one
    assert (BEFORE["parameters"].W2.T @ BEFORE["dZ2"])[BEFORE["Z1"] <= 0].all()


def test_halfway_between_two_exchanged_networks_the_loss_is_higher():
    start, X, Y = BEFORE["parameters"], BEFORE["X"], BEFORE["Y"]
    exchanged = nn.Parameters(start.W1[::-1], start.b1[::-1], start.W2[:, ::-1], start.b2)
    halfway = nn.Parameters(*((p + q) / 2 for p, q in zip(start, exchanged)))
    here, there, between = (
        nn.cross_entropy(nn.forward(p, X).Z2, Y) for p in (start, exchanged, halfway)
    )
    assert here == pytest.approx(there)
    assert re.findall(r"\d\.\d+", block_of(57)) == [shown(between), shown(here)]
    assert between > here


# Equation numbers, tables, and the form that GitHub renders.


def test_equations_are_numbered_in_order_one_to_a_block():
    letters = [tags(block) for block in FENCE.findall(EXAMPLE)]
    assert letters == [[letter] for letter in "abcdefgh"[: len(letters)]]
    numbers = [tags(block) for block in FENCE.findall(PAPER.replace(EXAMPLE, ""))]
    assert numbers == [[str(n)] for n in range(1, len(numbers) + 1)]
    assert len(letters) + len(numbers) == PAPER.count("```math") == len(FENCE.findall(PAPER))


def test_equations_cited_in_the_script_exist():
    runs = re.findall(r"\beqs?\. (\d+(?:(?:-|, | and | to )\d+)*)", SCRIPT)  # a range by its ends
    numbers = {number for run in runs for number in re.findall(r"\d+", run)}
    assert len(numbers) > 10
    assert numbers <= set(tags(PAPER))


def test_equations_cited_in_the_paper_exist():
    prose = FENCE.sub("", PAPER)
    numbers = set(re.findall(r"(?<!\w)\((\d+)\)", prose))
    assert len(numbers) > 30
    assert numbers <= set(tags(PAPER))


def test_lines_of_the_last_table_stand_in_the_script_and_come_from_their_equation():
    script = " ".join(SCRIPT.split())
    rows = table(section("Where each line of the script comes from"))
    assert len(rows) >= 19
    for code, equation in rows:
        code = code.strip("`")
        assert code in script
        result = re.match(r"(\w+)(\d) = ", code)
        if result:
            assert f"{result[1]}_{result[2]} =" in block_of(int(equation.strip("()")))


def read_formula(text):
    """What a formula of the paper means in Python: products of matrices by `@`, entrywise by `*`,
    X^\\top by X.T, a bracket by a mask of zeros and ones."""
    text = re.sub(r"\\frac\{1\}\{m\}", "1/m *", text)
    text = re.sub(r"\[\\, (.*?) \\,\]", r"(\1)", text).replace(r"\gt", ">")
    text = re.sub(r"(\w)_(\d)", r"\1\2", text.replace(r"\,", " ")).replace(r"^\top", ".T")
    text = text.replace("\N{MATHEMATICAL BOLD DIGIT ONE}", "ones").replace(r"\odot", "*")
    return re.sub(r"(?<=[\w)]) +(?=[A-Za-z])", " @ ", text)


def test_the_six_equations_are_those_that_were_derived_and_those_of_the_code():
    rng = np.random.default_rng(0)
    hidden, m = 7, 5
    Y = nn.one_hot(rng.integers(0, 10, m)).astype(float)
    p = nn.initialize(rng, hidden=hidden, dtype=np.float64)
    values = all_locals(p, rng.random((784, m)), Y)
    values |= {"W2": p.W2, "m": m, "ones": np.ones((m, 1))}
    rows = table(section("The gradient: six lines"))
    assert [code.strip("`").split()[0] for _, _, code, _ in rows] == [
        "dZ2", "dW2", "db2", "dZ1", "dW1", "db1"
    ]  # fmt: skip
    script = " ".join(SCRIPT.split())
    sizes = {"hidden": hidden, "m": m, "784": 784, "10": 10, "1": 1}
    for number, equation, code, shape in rows:
        name, _, right = equation.strip("$`").partition(" = ")
        for part in (name, *right.split(r" \odot ")):  # it stands in the derivation too
            assert part.replace(r"\gt", ">") in block_of(int(number.strip("()")))
        assert code.strip("`") in script
        result = values[name.replace("_", "")]
        assert np.allclose(eval(read_formula(right), {}, values), result, atol=1e-12)
        assert np.allclose(eval(code.strip("`").partition(" = ")[2], {}, values), result)
        assert tuple(sizes[size] for size in shape.strip("()").split(", ")) == result.shape


def test_symbols_and_shapes_are_those_of_the_code():
    hidden, m = 7, 5
    rng = np.random.default_rng(0)
    Y = nn.one_hot(rng.integers(0, 10, m))
    arrays = all_locals(nn.initialize(rng, hidden=hidden), rng.random((784, m)), Y)
    rows = table(section("Notation and shapes"))
    assert len(rows) == 18
    sizes = {"hidden": hidden, "m": m, "784": 784, "10": 10, "1": 1}
    for symbol, code, shape, _ in rows:
        name = code.strip("`")
        assert symbol.strip("$`").replace("_", "") == name
        assert tuple(sizes[size] for size in shape.strip("()").split(", ")) == arrays[name].shape


def test_contents_lists_the_headings():
    headings = re.findall(r"^## (\d+)\. (.*)$", PAPER, re.M)
    anchors = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for _, title in headings]
    links = re.findall(r"^(\d+)\. \[(.*)\]\(#(.*)\)$", PAPER, re.M)
    assert links == [(n, title, f"{n}-{a}") for (n, title), a in zip(headings, anchors)]
    assert [int(n) for n, _ in headings] == list(range(1, len(headings) + 1))


def test_mathematics_is_in_the_form_that_github_renders():
    for block in FENCE.findall(PAPER):
        assert "\n\n" not in block
        assert block.count("{") == block.count("}")
        begun, ended = (re.findall(rf"\\{word}\{{(\w+)\}}", block) for word in ("begin", "end"))
        assert sorted(begun) == sorted(ended)
    # GitHub hands MathML to the browser, which breaks a display with \\tag into a column of single
    # symbols, loses the font of \\mathbf and its like, and may double a line end without a bracket.
    assert not re.search(
        r"\\(newcommand|def|operatorname|require|tag|mathbf|mathbb|mathcal)\b", PAPER
    )
    assert re.findall(r"\\\\(?!\[4pt\])", PAPER) == []
    assert PAPER.count("{") <= 2000
    inline = re.compile(r"\$`([^`$]+)`\$")
    for line in FENCE.sub("", PAPER).splitlines():
        assert "$" not in inline.sub("", line), line
        assert not any(sign in formula for formula in inline.findall(line) for sign in "<>"), line
    for line in re.findall(r"^\|.*\|$", PAPER, re.M):  # a bar in a formula would end its cell
        assert not any("|" in formula for formula in inline.findall(line)), line


def test_every_picture_of_the_paper_is_there_and_is_shown():
    shown_here = re.findall(r"^!\[.{20,}\]\((\w+\.png)\)$", PAPER, re.M)
    assert len(shown_here) == PAPER.count("![")
    assert sorted(shown_here) == sorted(p.name for p in (FOLDER / "docs").glob("paper_*.png"))


def test_everything_to_read_is_cited_where_it_is_used():
    text, _, reading = PAPER.partition("\n## 17. Further reading\n")
    text = " ".join(text.split())
    entries = re.findall(r"^- (.*?)(?=^- |\n\n|\Z)", reading, re.M | re.S)
    assert len(entries) >= 13
    for entry in entries:
        names = re.findall(r"(?:[A-Z]\. )+([A-Z]\w+)", entry.partition(". *")[0])
        year = re.findall(r"\b(?:19|20)\d\d\b", entry)[-1]
        assert re.search(rf"\b{names[0]}\b[\w, ]*\b{year}\b", text), (names, year)


# Measured numbers, and what the derivations say.


@pytest.fixture(scope="module")
def default(digits):
    """The start of the script, and its training pictures as X and Y."""
    start, (pixels, labels), _ = FIGURES["default_start"](*digits)
    return start, nn.to_columns(pixels), nn.one_hot(labels)


def test_predicted_and_measured_lengths_of_the_gradient(default):
    text = section("What 1/m does")
    rows = table(text)
    assert [int(m.replace(",", "")) for m, *_ in rows] == list(FIGURES["SIZES"])
    predicted, measured = FIGURES["predicted_norms"](*default), FIGURES["measured_norms"](*default)
    for (m, by_39, mean, total), expected, norm in zip(rows, predicted, measured):
        assert float(by_39) == pytest.approx(expected, rel=5e-3)
        assert float(mean) == pytest.approx(norm, rel=5e-3)
        size = int(m.replace(",", ""))
        assert float(total.replace(",", "")) == pytest.approx(size * norm, rel=6e-3)
        assert norm == pytest.approx(expected, rel=0.05)  # what (39) says is what one measures
    draws = [min(200, 200_000 // m) for m in FIGURES["SIZES"]]
    assert draws == [200, 200, 200, 200, 20, 4]
    assert (
        "over 200 draws of $`m`$ pictures (over 20 and 4 draws in the last two rows)"
        in " ".join(text.split())
    )
    mean, spread = map(math.sqrt, FIGURES["mean_and_spread"](*default))
    assert rf"\lVert \mu \rVert = {mean:.2f}`" in text and rf"\sigma = {spread:.2f}`" in text


def test_measured_first_scores_losses_and_steps(default, digits):
    start, X, Y = default
    text = " ".join(section("The start, and how learning can fail").split())
    ink = float(np.mean(np.sum(X**2, axis=0)))
    assert f"pixels is {ink:.1f} in the mean" in text
    sizes = FIGURES["sizes_at_the_start"](X)
    predicted, measured, deviation = sizes["plain"]
    assert f"So (62) says {predicted:.1f}, and" in text
    assert f"of its root, {math.sqrt(predicted):.1f}." in text
    assert f"the mean square is {measured:.1f}." in text
    assert f"by {deviation:.1f} (the standard deviation)" in text
    he, he_measured, _ = sizes["he"]
    refinements = " ".join(section("Three refinements").split())
    assert f"which is {he:.3f} for the training pictures" in refinements
    said = f"start has {predicted:.1f}. Measured over 100 starts it is {he_measured:.2f}."
    assert said in refinements
    losses = FIGURES["first_losses"](X, Y)
    assert f"it is {np.mean(losses):.2f} in the mean, and goes from {min(losses):.2f} to" in text
    assert f" to {max(losses):.2f}." in text
    (first, _), firing = FIGURES["first_steps"](start, X, Y)
    assert f"moves the hidden scores by {first:.2f}" in text and firing == 10
    (raw, _), firing = FIGURES["first_steps"](start, X * 255, Y)
    said = re.search(r"with raw pixels, by ([\d,]+)\. After the second", text)[1]
    assert float(said.replace(",", "")) == pytest.approx(raw, rel=0.01) and firing == 0


def test_learning_rates_on_a_parabola():
    rows = table(section("Gradient descent"))
    assert [float(rate) for rate, *_ in rows] == list(FIGURES["RATES"])
    for rate, multiplier, path, _ in rows:
        x, *steps = FIGURES["parabola"](float(rate), 4)
        assert x == 1 and path == ", ".join(shown(step) for step in steps)
        assert multiplier == shown(1 - float(rate))


def test_counted_multiplications_passes_and_parameters():
    p = nn.initialize(np.random.default_rng(0))
    parameters = sum(array.size for array in p)
    assert f"two forward passes for each of {parameters:,} parameters" in PAPER
    assert f"{2 * parameters:,} passes" in " ".join(PAPER.split())
    large, small = p.W1.size, p.W2.size  # one multiplication for each weight and example
    said = re.findall(r"[\d,]{3,}", re.search(r"\*\*What it costs(.*?)So all", PAPER, re.S)[1])
    counts = (large, small, large + small, large, small, large + 2 * small)
    assert [text.strip(",") for text in said] == [f"{count:,}" for count in counts]
    assert f"= {255**2}" in block_of(60) and f"is {255**2:,} times as large" in PAPER


def test_measured_errors_of_the_check(digits):
    start, _, test = FIGURES["default_start"](*digits)
    X, Y = FIGURES["pictures_off_the_kink"](start, *test, h=0.1)
    text = section("Checking gradients")
    rows = table(text)
    for h, double, single in rows:
        for printed_error, dtype in ((double, np.float64), (single, np.float32)):
            if printed_error == "-":
                continue
            error = FIGURES["check_error"](start, X, Y, float(h), dtype)
            rounding = float(h) < (1e-4 if dtype == np.float64 else 1e-1)
            assert 1 / 5 < float(printed_error) / error < 5
            if not rounding:  # then it does not hang on the machine's order of additions
                assert printed_error == f"{error:.1e}"
    first = nn.to_columns(test[0][:50]), nn.one_hot(test[1][:50])
    doubles = {float(h): float(error) for h, error, _ in rows}
    singles = {float(h): float(error) for h, _, error in rows if error != "-"}
    kept = FIGURES["check_error"](start, *first, 0.1)
    own = nn.gradient_check(start, X, Y, np.random.default_rng(nn.SEED))  # at its own h
    theirs = FIGURES["check_error"](start, X, Y, 1e-5)
    assert 1 / 5 < own / theirs < 5  # both consist of rounding, which each processor does its way
    assert f"is {kept:.1e} instead of {doubles[0.1]:.1e}." in " ".join(text.split())
    for bits, unit, step in ((53, r"1.1 \cdot 10^{-16}", 5e-6), (24, r"6 \cdot 10^{-8}", 4e-3)):
        assert rf"2^{{-{bits}}} \approx {unit}`" in text
        assert float(unit.replace(r" \cdot 10^{", "e").rstrip("}")) == pytest.approx(
            2.0**-bits, rel=0.05
        )
        assert step == pytest.approx(2 ** (-bits / 3), rel=0.05)
    assert r"$`5 \cdot 10^{-6}`$ in float64 and $`4 \cdot 10^{-3}`$ in float32" in text
    assert min(doubles, key=doubles.get) == 1e-5
    assert min(singles, key=singles.get) == 1e-2
    assert "about 500,000 times" in text
    assert singles[1e-2] / doubles[1e-5] == pytest.approx(5e5, rel=0.1)


def test_limits_of_floating_point():
    text = section("Floating point: softmax and loss that do not overflow")
    for dtype in (np.float32, np.float64):
        limit = math.log(float(np.finfo(dtype).max))
        assert f"{math.floor(100 * limit) / 100:.2f}" in text
        with np.errstate(over="ignore"):
            assert np.isinf(np.exp(dtype(limit + 0.01)))
        assert np.isfinite(np.exp(dtype(limit - 0.01)))
    assert r"3.4 \cdot 10^{38}" in text and f"{np.finfo(np.float32).max:.1e}" == "3.4e+38"
    confident = np.array([[0.0], [-40.0]])
    assert nn.cross_entropy(confident, np.array([[1], [0]])) == 0


def test_two_layers_without_relu_are_one(monkeypatch):
    rng = np.random.default_rng(0)
    p, X = nn.initialize(rng, inputs=6, dtype=np.float64), rng.random((6, 4))
    rule = re.search(r"= (\(W_2 W_1\).*)\n", block_of(7))[1]
    one_layer = eval(read_formula(rule), {}, {**p._asdict(), "X": X, "ones": np.ones((4, 1))})
    assert not np.allclose(nn.forward(p, X).Z2, one_layer)
    monkeypatch.setattr(nn, "relu", lambda Z: Z)
    assert np.allclose(nn.forward(p, X).Z2, one_layer)


def test_jacobian_of_softmax():
    z, h = np.array([[0.3], [-1.0], [2.0]]), 1e-5
    nudges = h * np.eye(3)
    numeric = (nn.softmax(z + nudges) - nn.softmax(z - nudges)) / (2 * h)  # column i: along z_i
    rule = "diag" + re.search(r"\\mathrm\{diag\}(.*) \\qquad", block_of(13))[1]
    values = {"a": nn.softmax(z), "diag": lambda column: np.diag(column.ravel())}
    assert np.allclose(eval(read_formula(rule), values), numeric, atol=1e-9)


def test_rules_for_a_layer():
    rng = np.random.default_rng(0)
    W, X, b, G = (rng.normal(size=shape) for shape in ((2, 3), (3, 4), (2, 1), (2, 4)))
    ones = np.ones((4, 1))

    def F(W, X, b):  # a number whose slopes along Z = W X + b 1' are G
        return np.sum(G * (W @ X + b @ ones.T))

    rules = re.findall(r"\\partial (\w)\} = (.*?)(?:, \\quad|\n| \\qquad)", block_of(24))
    assert [name for name, _ in rules] == ["W", "b", "X"]
    for name, right in rules:
        rule = eval(read_formula(right), {}, {"W": W, "X": X, "G": G, "ones": ones})
        for index in np.ndindex(rule.shape):
            moved = {"W": W.copy(), "X": X.copy(), "b": b.copy()}
            moved[name][index] += 1  # F is linear in each of the three
            assert F(**moved) - F(W, X, b) == pytest.approx(rule[index])


def test_recursion_for_three_layers():
    rng = np.random.default_rng(0)
    sizes, m = (4, 5, 6, 3), 7
    W = [rng.normal(size=shape) for shape in itertools.pairwise(sizes[::-1])][::-1]
    b = [rng.normal(size=(size, 1)) for size in sizes[1:]]
    X, Y = rng.random((4, m)), nn.one_hot(rng.integers(0, 3, m), 3)

    def passes():
        A, Z = [X], []
        for n in range(3):
            Z.append(W[n] @ A[n] + b[n])
            A.append(nn.relu(Z[n]) if n < 2 else nn.softmax(Z[n]))
        return A, Z

    def rule(number, name, **values):  # as the paper prints it, with its indices read as names
        text = block_of(number).replace("W_{n+1}", "U").replace("dZ_{n+1}", "dV")
        text = text.replace("A_{n-1}", "B").replace("_n", "").replace(r"\left(", "(")
        text = re.search(rf"{name} = (.*?)(?:, \\qquad| \\qquad)", text)[1]
        return eval(read_formula(text.replace(r"\right)", ")")), {}, values)

    A, Z = passes()
    dZ = [None, None, A[3] - Y]
    for n in (1, 0):
        dZ[n] = rule(64, "dZ", U=W[n + 1], dV=dZ[n + 1], Z=Z[n])
    h = 1e-5
    for n in range(3):
        dW = rule(65, "dW", dZ=dZ[n], B=A[n], m=m)
        db = rule(65, "db", dZ=dZ[n], m=m, ones=np.ones((m, 1)))
        for P, slopes in ((W[n], dW), (b[n], db)):
            for index in np.ndindex(P.shape):
                value, losses = P[index], []
                for nudge in (h, -h):
                    P[index] = value + nudge
                    losses.append(nn.cross_entropy(passes()[1][2], Y))
                P[index] = value
                numeric = (losses[0] - losses[1]) / (2 * h)
                assert slopes[index] == pytest.approx(numeric, abs=1e-8)


def test_at_exactly_zero_the_mask_is_a_choice():
    """relu(x) - relu(-x) is x, of slope 1; the network that computes it has slope 0 at x = 0."""
    assert r"$`\mathrm{relu}(x) - \mathrm{relu}(-x)`$ equals $`x`$" in PAPER
    W2 = np.array([[1.0, -1.0], [0.0, 0.0]])
    p = nn.Parameters(np.array([[1.0], [-1.0]]), np.zeros((2, 1)), W2, np.zeros((2, 1)))
    X, Y = np.array([[-2.0, 0.0, 0.5]]), np.array([[1.0], [0.0]])
    activations = nn.forward(p, X)
    assert np.array_equal(activations.Z2[:1], X)
    dZ1 = all_locals(p, X, Y)["dZ1"]
    assert (p.W1.T @ dZ1)[0, 1] == 0 != (activations.A2 - Y)[0, 1]
    rule = re.search(r"  = (\\frac\{1\}\{2\}.*) \\qquad", block_of(53))[1]
    rule = re.sub(r"\\frac\{(\w)\}\{(\d)(h?)\}", r"\1 / (\2 \3)", rule).replace("2 h", "2 * h")
    h = 1e-3
    for z in 0, 2e-4, -7e-4:
        difference = (nn.relu(z + h) - nn.relu(z - h)) / (2 * h)
        assert eval(rule, {}, {"z": z, "h": h}) == pytest.approx(difference)


def small_network(m):
    rng = np.random.default_rng(0)
    p = nn.initialize(rng, inputs=6, hidden=4, classes=10, dtype=np.float64)
    return p, rng.random((6, m)), rng.integers(0, 10, m)


def all_slopes(parameters, X, labels):
    return np.concatenate([g.ravel() for g in nn.gradient(parameters, X, labels)[2]])


def test_a_mini_batch_is_right_on_average_and_blocks_are_weighted_by_size():
    p, X, labels = small_network(5)
    whole = all_slopes(p, X, labels)
    pairs = map(list, itertools.combinations(range(5), 2))
    assert np.mean([all_slopes(p, X[:, c], labels[c]) for c in pairs], axis=0) == pytest.approx(
        whole, abs=1e-12
    )
    first, rest = all_slopes(p, X[:, :3], labels[:3]), all_slopes(p, X[:, 3:], labels[3:])
    assert 3 / 5 * first + 2 / 5 * rest == pytest.approx(whole, abs=1e-12)
    assert (first + rest) / 2 != pytest.approx(whole, abs=1e-6)


def test_a_pixel_that_is_blank_in_a_block_adds_nothing():
    p, X, labels = small_network(8)
    X[2] = 0
    kept = [0, 1, 3, 4, 5]
    fewer = p._replace(W1=p.W1[:, kept])
    assert np.allclose(nn.forward(p, X).Z1, nn.forward(fewer, X[kept]).Z1)
    slopes = nn.gradient(p, X, labels)[2]
    assert not slopes.W1[:, 2].any() and slopes.W1[:, kept].any(axis=0).all()


def test_equal_neurons_stay_equal_and_a_dead_one_stays_dead():
    p, X, labels = small_network(8)
    p.W1[1], p.b1[1], p.W2[:, 1] = p.W1[0], p.b1[0], p.W2[:, 0]
    p.b1[3] = -10
    q = p
    for _ in range(3):
        q = nn.descend(q, nn.gradient(q, X, labels)[2], 0.5)
    assert np.array_equal(q.W1[0], q.W1[1]) and q.b1[0] == q.b1[1]
    assert np.allclose(q.W2[:, 0], q.W2[:, 1]) and not np.allclose(q.W1[0], p.W1[0])
    assert np.array_equal(q.W1[3], p.W1[3]) and q.b1[3] == p.b1[3]
    assert np.array_equal(q.W2[:, 3], p.W2[:, 3])


def test_what_a_step_does_to_the_hidden_scores():
    p, X, labels = small_network(8)
    values = all_locals(p, X, nn.one_hot(labels))
    values |= {"X": X, "ones": np.ones((8, 1)), "eta": 0.3, "m": 8}
    after = nn.descend(p, nn.gradient(p, X, labels)[2], 0.3)
    rule = re.search(r"  = (.*) \\qquad", block_of(59))[1].replace(r"\frac{\eta}{m}", "eta / m *")
    rule = read_formula(rule.replace(r"\left(", "(").replace(r"\right)", ")"))
    rule = rule.replace("dZ1 (", "dZ1 @ (")
    assert np.allclose(nn.forward(after, X).Z1 - values["Z1"], eval(rule, {}, values))


def test_relu_keeps_half_of_the_mean_square():
    rng = np.random.default_rng(0)
    n = 200
    A = nn.relu(rng.normal(size=(n, 1)))
    W1 = nn.initialize_he(rng, inputs=n, hidden=20_000).W1
    Z = W1 @ A  # He: mean square twice that of A
    assert np.mean(Z**2) == pytest.approx(2 * np.mean(A**2), rel=0.05)
    assert np.mean(nn.relu(Z) ** 2) == pytest.approx(np.mean(A**2), rel=0.1)
