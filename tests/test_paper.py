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
    return [int(number) for number in re.findall(r"\\tag\{(\d+)\}", text)]


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
    return r"\begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}"


def printed(text):
    """Each `name = value` of the math blocks in a text, as pairs of strings."""
    pairs = []
    for block in FENCE.findall(text):
        block = re.sub(r"\\(begin|end)\{gathered\}|\\tag\{\d+\}", "", block)
        for item in re.split(r"\\qquad|\\\\\[4pt\]", block):
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


def test_worked_example_has_no_number_that_the_test_would_not_see():
    prose = re.sub(r"\(\d+\)", "", FENCE.sub("", EXAMPLE))  # less citations of equations
    assert re.findall(r"(?<![\w\\])\d[\d.]*", prose) == []


def test_altering_any_digit_of_the_worked_example_is_noticed():
    text = re.sub(r"\\tag\{\d+\}", "", "".join(f"{m[0]}\n" for m in FENCE.finditer(EXAMPLE)))
    places = [match.start() for match in re.finditer(r"\d", text)]
    assert len(places) > 500
    for i in places:
        altered = text[:i] + str((int(text[i]) + 1) % 10) + text[i + 1 :]
        assert mistakes(altered), text[i - 20 : i + 20]


def test_what_the_worked_example_says_in_words():
    labels = BEFORE["Y"].argmax(axis=0)
    assert (nn.predict(BEFORE["A2"]) == labels).tolist() == [False, True, True]
    assert (nn.predict(AFTER["A2"]) == labels).all()
    assert nn.cross_entropy(AFTER["Z2"], AFTER["Y"]) < nn.cross_entropy(BEFORE["Z2"], BEFORE["Y"])
    assert (BEFORE["Z1"] > 0).sum(axis=1).tolist() == [2, 2]  # on for two, off for one
    assert (BEFORE["parameters"].W2.T @ BEFORE["dZ2"])[BEFORE["Z1"] <= 0].all()


# Equation numbers, tables, and the form that GitHub renders.


def cited(text):
    """The equation numbers that a text cites, as in "eq. 12" or "eqs. 12-14"."""
    numbers = set()
    for first, last in re.findall(r"\beqs?\. (\d+)(?:-(\d+))?", text):
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def test_equations_are_numbered_in_order_one_to_a_block():
    blocks = FENCE.findall(PAPER)
    assert [tags(block) for block in blocks] == [[n] for n in range(1, len(blocks) + 1)]
    assert len(tags(PAPER)) == len(blocks) == PAPER.count("```math")


def test_equations_cited_in_the_script_exist():
    assert cited(SCRIPT) <= set(tags(PAPER))


def test_a_citation_of_an_equation_that_does_not_exist_is_noticed():
    last = max(tags(PAPER))
    assert cited(f"# eq. 3\n# (eqs. 5-7), seq. 99; eq. {last}") == {3, 5, 6, 7, last}
    assert cited(f"# eq. {last}") <= set(tags(PAPER))
    assert not cited(f"# eq. {last + 1}") <= set(tags(PAPER))
    assert not cited(f"# eqs. {last}-{last + 2}") <= set(tags(PAPER))


def test_equations_cited_in_the_paper_exist():
    prose = FENCE.sub("", PAPER)
    numbers = {int(number) for number in re.findall(r"(?<!\w)\((\d+)\)", prose)}
    assert len(numbers) > 30
    assert numbers <= set(tags(PAPER))


def test_lines_of_the_last_table_stand_in_the_script_and_come_from_their_equation():
    script = " ".join(SCRIPT.split())
    rows = table(section("Where each line of the script comes from"))
    assert len(rows) >= 19
    for code, equation in rows:
        code, number = code.strip("`"), int(equation.strip("()"))
        assert code in script
        (block,) = (block for block in FENCE.findall(PAPER) if tags(block) == [number])
        result = re.match(r"(\w+)(\d) = ", code)
        if result:
            assert f"{result[1]}_{result[2]} =" in block


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
    assert not re.search(r"\\(newcommand|def|operatorname|require)\b", PAPER)
    for line in FENCE.sub("", PAPER).splitlines():
        assert "$" not in re.sub(r"\$`[^`$]+`\$", "", line), line
    for picture in re.findall(r"!\[.+\]\((.+)\)", PAPER):
        assert (FOLDER / "docs" / picture).exists()


# Measured numbers, and what the derivations say.


def test_measured_norms_of_the_gradient(digits):
    start, training, _ = FIGURES["default_start"](*digits)
    norms = FIGURES["gradient_norms"](start, *training)
    rows = table(section("What 1/m does"))
    assert [int(m.replace(",", "")) for m, _, _ in rows] == list(FIGURES["SIZES"])
    for (m, mean, total), norm in zip(rows, norms):
        assert float(mean) == pytest.approx(norm, rel=5e-3)
        size = int(m.replace(",", ""))
        assert float(total.replace(",", "")) == pytest.approx(size * norm, rel=6e-3)


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
                assert float(printed_error) == pytest.approx(error, rel=0.05)
    first = nn.to_columns(test[0][:50]), nn.one_hot(test[1][:50])
    assert FIGURES["check_error"](start, *first, 0.1) == pytest.approx(2.4e-2, rel=0.05)
    assert "is 2.4e-02 instead of 5.5e-03" in text
    doubles = {float(h): float(error) for h, error, _ in rows}
    singles = {float(h): float(error) for h, _, error in rows if error != "-"}
    assert min(doubles, key=doubles.get) == 1e-5
    assert min(singles, key=singles.get) == 1e-2
    assert singles[1e-2] / doubles[1e-5] == pytest.approx(5e5, rel=0.1)
    alpha, rho, rho32 = doubles[1e-3] / 1e-6, doubles[1e-7] * 1e-7, singles[1e-5] * 1e-5
    assert r"\alpha = 0.55`" in text and alpha == pytest.approx(0.55)
    assert r"\rho = 3.1 \cdot 10^{-15}`" in text and rho == pytest.approx(3.1e-15)
    assert r"\rho = 1.2 \cdot 10^{-6}`" in text and rho32 == pytest.approx(1.2e-6)
    assert r"1.4 \cdot 10^{-5} &" in text and r"1.0 \cdot 10^{-2} &" in text
    assert FIGURES["best_step"](alpha, rho) == pytest.approx(1.4e-5, rel=0.03)
    assert FIGURES["best_step"](alpha, rho32) == pytest.approx(1.0e-2, rel=0.04)


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
    one_layer = p.W2 @ p.W1 @ X + (p.W2 @ p.b1 + p.b2)
    assert not np.allclose(nn.forward(p, X).Z2, one_layer)
    monkeypatch.setattr(nn, "relu", lambda Z: Z)
    assert np.allclose(nn.forward(p, X).Z2, one_layer)


def test_jacobian_of_softmax():
    z, h = np.array([[0.3], [-1.0], [2.0]]), 1e-5
    nudges = h * np.eye(3)
    numeric = (nn.softmax(z + nudges) - nn.softmax(z - nudges)) / (2 * h)  # column i: along z_i
    a = nn.softmax(z)
    assert np.allclose(np.diag(a.ravel()) - a @ a.T, numeric, atol=1e-9)


def test_rules_for_a_layer():
    rng = np.random.default_rng(0)
    W, X, b, G = (rng.normal(size=shape) for shape in ((2, 3), (3, 4), (2, 1), (2, 4)))
    ones = np.ones((4, 1))

    def L(W, X, b):  # a number whose slopes along Z = W X + b 1' are G
        return np.sum(G * (W @ X + b @ ones.T))

    for k, rule in enumerate((G @ X.T, W.T @ G, G @ ones)):
        for index in np.ndindex(rule.shape):
            moved = [M.copy() for M in (W, X, b)]
            moved[k][index] += 1  # L is linear in each of the three
            assert L(*moved) - L(W, X, b) == pytest.approx(rule[index])


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

    A, Z = passes()
    dZ = [None, None, A[3] - Y]
    for n in (1, 0):
        dZ[n] = W[n + 1].T @ dZ[n + 1] * (Z[n] > 0)
    h = 1e-5
    for n in range(3):
        pairs = (W[n], dZ[n] @ A[n].T / m), (b[n], dZ[n].sum(axis=1, keepdims=True) / m)
        for P, slopes in pairs:
            for index in np.ndindex(P.shape):
                value, losses = P[index], []
                for nudge in (h, -h):
                    P[index] = value + nudge
                    losses.append(nn.cross_entropy(passes()[1][2], Y))
                P[index] = value
                numeric = (losses[0] - losses[1]) / (2 * h)
                assert slopes[index] == pytest.approx(numeric, abs=1e-8)


def test_at_exactly_zero_the_mask_is_a_choice():
    h = 1e-3
    assert (nn.relu(h) - nn.relu(-h)) / (2 * h) == 0.5
    assert nn.relu(h) - nn.relu(-h) == h  # slope 1, while the mask says 0 for both terms
    z = 2e-4
    assert (nn.relu(z + h) - nn.relu(z - h)) / (2 * h) == pytest.approx(0.5 + z / (2 * h))


def test_mean_square_length_of_a_mean_over_all_draws():
    source, m = np.array([[1.0, 2.0], [0.0, -1.0], [4.0, 0.5]]), 3
    mu = source.mean(axis=0)
    spread = np.mean(np.sum((source - mu) ** 2, axis=1))
    draws = itertools.product(source, repeat=m)
    lengths = [np.sum(np.mean(draw, axis=0) ** 2) for draw in draws]
    assert np.mean(lengths) == pytest.approx(mu @ mu + spread / m)


def test_a_mini_batch_is_right_on_average_and_blocks_are_weighted_by_size():
    slopes = np.array([[1.0, 2.0], [0.0, -1.0], [4.0, 0.5], [3.0, 3.0], [-2.0, 1.0]])
    batches = [np.mean(batch, axis=0) for batch in itertools.combinations(slopes, 2)]
    assert np.mean(batches, axis=0) == pytest.approx(slopes.mean(axis=0))
    first, rest = slopes[:3].mean(axis=0), slopes[3:].mean(axis=0)
    assert 3 / 5 * first + 2 / 5 * rest == pytest.approx(slopes.mean(axis=0))
    assert (first + rest) / 2 != pytest.approx(slopes.mean(axis=0))


def test_a_pixel_that_is_blank_in_a_block_adds_nothing():
    rng = np.random.default_rng(0)
    W, X, dZ = rng.normal(size=(3, 5)), rng.random((5, 8)), rng.normal(size=(3, 8))
    X[2, :4] = 0
    kept = [0, 1, 3, 4]
    assert np.allclose(W[:, kept] @ X[kept, :4], W @ X[:, :4])
    total = dZ[:, 4:] @ X[:, 4:].T
    total[:, kept] += dZ[:, :4] @ X[kept, :4].T
    assert np.allclose(total, dZ @ X.T)


@pytest.mark.parametrize(
    ("rate", "low", "high"),
    [(0.1, 0, 1e-12), (0.25, 0, 0), (0.49, 0, 1e-12), (0.51, 1e12, math.inf)],
)
def test_learning_rate_on_a_parabola(rate, low, high):
    curvature, x = 4.0, 1.0  # 1 / curvature = 0.25, 2 / curvature = 0.5
    for _ in range(2000):
        x -= rate * curvature * x
    assert low <= abs(x) <= high


def test_relu_keeps_half_of_the_mean_square():
    rng = np.random.default_rng(0)
    n = 200
    A = nn.relu(rng.normal(size=(n, 1)))
    Z = rng.normal(0, math.sqrt(2 / n), (20_000, n)) @ A  # He: mean square twice that of A
    assert np.mean(Z**2) == pytest.approx(2 * np.mean(A**2), rel=0.05)
    assert np.mean(nn.relu(Z) ** 2) == pytest.approx(np.mean(A**2), rel=0.1)
