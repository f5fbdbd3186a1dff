"""Draw the pictures of docs/The_Core_Mathematics.md and print the numbers that it quotes.

python tests/figures.py          about 5 seconds; writes docs/paper_*.png
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import Neural_Network_from_Scratch as nn

ROOT = Path(nn.__file__).parent
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"  # told apart by the colour-blind, and in grey
SIZES = (1, 10, 100, 1000, 10_000, 41_000)
STEPS = 10.0 ** -np.arange(1, 13.5, 0.5)  # h from 1e-1 to 1e-13, two to the decade
RATES = (0.2, 1.0, 1.8, 2.2)  # learning rate times curvature


def default_start(pixels, labels):
    """Start, training and test data as the script has them with its default seed."""
    rng = np.random.default_rng(nn.SEED)
    training, test = nn.split(pixels, labels, nn.TEST_SIZE, rng)
    return nn.initialize(rng), training, test


def gradient_at(parameters, X, Y):
    return nn.backward(parameters, X, Y, nn.forward(parameters, X))


def square(gradients):
    """The square of the length of the column of all slopes."""
    return float(sum(np.sum(g.astype(np.float64) ** 2) for g in gradients))


def squares(M):
    """The sum of squares of each column."""
    return np.sum(M.astype(np.float64) ** 2, axis=0)


def mean_and_spread(parameters, X, Y):
    """The two numbers of eq. 39 for a source that draws the columns of X with equal chance: the
    square of the length of the mean gradient, and the spread sigma^2 of the gradients of single
    examples.

    The slopes of one example along W are a column times a row, dz x', and so the sum of their
    squares is a product of two sums of squares; along b they are dz itself.
    """
    Z1, A1, _, A2 = nn.forward(parameters, X)
    dZ2 = A2 - Y
    dZ1 = parameters.W2.T @ dZ2 * (Z1 > 0)
    single = squares(dZ2) * (squares(A1) + 1) + squares(dZ1) * (squares(X) + 1)
    mean = square(gradient_at(parameters, X, Y))
    return mean, float(np.mean(single)) - mean


def predicted_norms(parameters, X, Y, sizes=SIZES):
    """The root of the mean square of the length of the mean gradient, by eq. 39."""
    mean, spread = mean_and_spread(parameters, X, Y)
    return [float(np.sqrt(mean + spread / m)) for m in sizes]


def measured_norms(parameters, X, Y, sizes=SIZES, most=200):
    """The same, measured: over 200 draws, or fewer where they would be more than 200,000 examples.

    For the sum of the losses instead of their mean it is m times as much.
    """
    rng = np.random.default_rng(nn.SEED)
    norms = []
    for m in sizes:
        draws = (rng.integers(0, X.shape[1], m) for _ in range(min(most, 200_000 // m)))
        norms.append(np.mean([square(gradient_at(parameters, X[:, c], Y[:, c])) for c in draws]))
    return np.sqrt(norms).tolist()


def sizes_at_the_start(X, starts=100, pictures=1000):
    """The mean square of Z1 at random starts, for the plain start and for He's: by eqs. 62 and 66,
    as the mean over so many starts, and the standard deviation from start to start."""
    ink = float(np.mean(squares(X)))
    X = X[:, :pictures]
    found = {}
    for name, start, predicted in (
        ("plain", nn.initialize, (1 + ink) / 12),
        ("he", nn.initialize_he, 2 * ink / X.shape[0]),
    ):
        measured = []
        for seed in range(starts):
            Z1 = nn.forward(start(np.random.default_rng(seed)), X).Z1
            measured.append(float(np.mean(Z1**2)))
        found[name] = predicted, float(np.mean(measured)), float(np.std(measured))
    return found


def first_losses(X, Y, starts=100, pictures=1000):
    """The loss before the first step, at so many random starts."""
    X, Y = X[:, :pictures], Y[:, :pictures]
    seeds = map(np.random.default_rng, range(starts))
    return [float(nn.cross_entropy(nn.forward(nn.initialize(rng), X).Z2, Y)) for rng in seeds]


def first_steps(parameters, X, Y, steps=2, learning_rate=0.1):
    """For each step, the root mean square of how much it changes Z1; and the number of hidden
    neurons that fire for some picture after the last."""
    changes = []
    for _ in range(steps):
        activations = nn.forward(parameters, X)
        gradients = nn.backward(parameters, X, Y, activations)
        parameters = nn.descend(parameters, gradients, learning_rate)
        Z1 = nn.forward(parameters, X).Z1
        changes.append(float(np.sqrt(np.mean((Z1 - activations.Z1) ** 2))))
    return changes, int(np.sum(Z1.max(axis=1) > 0))


def parabola(rate, steps, x=1.0):
    """Gradient descent on a parabola: x before the first step and after each, for a learning rate
    times curvature of `rate`."""
    path = [x]
    for _ in range(steps):
        x -= rate * x
        path.append(x)
    return path


def pictures_off_the_kink(start, pixels, labels, h, count=50):
    """The first `count` pictures whose every hidden score is farther than h from zero, as X, Y."""
    X = nn.to_columns(pixels)
    smooth = np.flatnonzero((np.abs(nn.forward(start, X).Z1) > h).all(axis=0))[:count]
    return X[:, smooth], nn.one_hot(labels[smooth])


def check_error(start, X, Y, h, dtype=np.float64, samples=20):
    """The error of `nn.gradient_check`, but with the nudged losses in a type of our choice, and
    with no picture left out. The gradient that they are compared with is in float64."""
    exact = nn.Parameters(*(p.astype(np.float64) for p in start))
    gradients = nn.backward(exact, X, Y, nn.forward(exact, X))
    nudged = nn.Parameters(*(p.astype(dtype) for p in start))
    X, Y = X.astype(dtype), Y.astype(dtype)
    rng = np.random.default_rng(nn.SEED)
    errors = []
    for P, dP in zip(nudged, gradients):
        chosen = rng.choice(P.size, min(samples, P.size), replace=False)
        slopes = []
        for i in chosen:
            value, losses = P.flat[i], []
            for sign in (1, -1):
                P.flat[i] = value + dtype(sign * h)
                losses.append(float(nn.cross_entropy(nn.forward(nudged, X).Z2, Y)))
            P.flat[i] = value
            slopes.append((losses[0] - losses[1]) / (2 * h))
        errors.append(np.abs(slopes - dP.flat[chosen]).max() / max(np.abs(dP).max(), 1e-4))
    return float(max(errors))


def draw_network():
    """One product with its shapes, and the way through the network and back."""
    figure, axes = plt.subplots(figsize=(9, 5.2), layout="constrained")
    axes.axis("off")
    axes.set(xlim=(0, 90), ylim=(0, 52), aspect="equal")
    note = {"ha": "center", "va": "center"}

    def matrix(x, y, width, height, name, shape):
        axes.add_patch(plt.Rectangle((x, y), width, height, fill=False, lw=1.5))
        axes.text(x + width / 2, y + height / 2, name, fontsize=14, **note)
        axes.text(x + width / 2, y - 1.6, shape, fontsize=10, **note)

    def band(x, y, width, height, color, hatch):
        axes.add_patch(plt.Rectangle((x, y), width, height, fc=color, alpha=0.35, lw=0))
        axes.add_patch(plt.Rectangle((x, y), width, height, fill=False, ec=color, hatch=hatch))

    band(3, 40.5, 2, 1.5, "black", None)
    band(22, 40.5, 22, 1.5, BLUE, "//")
    band(49, 27, 2, 22, ORANGE, "\\\\")
    matrix(1, 35, 14, 8, "$Z_1$", "(hidden, m)")
    matrix(22, 35, 22, 8, "$W_1$", "(hidden, 784)")
    matrix(47, 27, 14, 22, "$X$", "(784, m)")
    matrix(68, 35, 3, 8, "$b_1$", "(hidden, 1)")
    axes.text(18.5, 39, "=", fontsize=16, **note)
    axes.text(64.5, 39, "+", fontsize=16, **note)
    text = "One row of $W_1$\nand one column of $X$\nmake one score:\nneuron i, example c"
    axes.text(81.5, 39, text, fontsize=10.5, **note)

    places = {"$X$": 4, "$Z_1$": 21, "$A_1$": 38, "$Z_2$": 55, "$A_2$": 72, "$L$": 86}
    for name, x in places.items():
        axes.text(x, 13, name, fontsize=15, **note)
    x = list(places.values())
    forth = ("$W_1, b_1$", "ReLU", "$W_2, b_2$", "softmax", "mean loss")
    for left, right, text in zip(x, x[1:], forth):
        arrow = {"arrowstyle": "->", "color": BLUE, "lw": 2}
        axes.annotate("", (right - 2.5, 14.2), (left + 2.5, 14.2), arrowprops=arrow)
        axes.text((left + right) / 2, 16.6, text, fontsize=11, color=BLUE, **note)
    back = (
        (x[5], x[3], "$dZ_2 = A_2 - Y$"),
        (x[3], x[2], "$W_2^\\top$"),
        (x[2], x[1], "mask"),
    )
    for right, left, text in back:
        arrow = {"arrowstyle": "->", "color": ORANGE, "lw": 2, "linestyle": "--"}
        axes.annotate("", (left + 2.5, 10.8), (right - 2.5, 10.8), arrowprops=arrow)
        axes.text((left + right) / 2, 8.4, text, fontsize=11, color=ORANGE, **note)
    for place, text in ((x[1], "$dZ_1$ gives\n$dW_1, db_1$"), (x[3], "$dZ_2$ gives\n$dW_2, db_2$")):
        axes.text(place, 4.2, text, fontsize=11, color=ORANGE, **note)
        arrow = {"arrowstyle": "->", "color": ORANGE, "lw": 1.2, "linestyle": "--"}
        axes.annotate("", (place, 6.6), (place, 11), arrowprops=arrow)
    axes.text(1, 20.5, "forward", fontsize=12, color=BLUE, weight="bold")
    axes.text(1, 8.4, "backward", fontsize=12, color=ORANGE, weight="bold")
    return figure


def draw_relu():
    """ReLU, its kink, and lines through the kink that lie nowhere above it."""
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    z = np.array([-2.0, 0, 2])
    lines = (0, "0", "-."), (1 / 3, "1/3", "--"), (2 / 3, "2/3", "--"), (1, "1", ":")
    for slope, name, style in lines:
        axes.plot(z, slope * z, style, color=ORANGE, lw=1.6)
        axes.text(-2.05, -2 * slope, name, color=ORANGE, ha="right", va="center")
    axes.text(-2.05, 0.45, "slope", color=ORANGE, ha="right", va="center")
    axes.plot(z, np.maximum(z, 0), color=BLUE, lw=3, label="relu(z)")
    axes.plot([], [], "--", color=ORANGE, label="some subgradients at 0")
    axes.plot(0, 0, "o", color="black", ms=7, label="the kink")
    axes.set(xlim=(-2.6, 2.1), ylim=(-2.2, 2.2), xlabel="z", aspect="auto")
    axes.legend(loc="upper left", fontsize=10)
    axes.grid(alpha=0.3)
    return figure


def draw_parabola():
    """Gradient descent on a parabola with four learning rates."""
    figure, grid = plt.subplots(1, 4, figsize=(10, 2.9), layout="constrained", sharey=True)
    x = np.linspace(-2.6, 2.6, 101)
    titles = "slow", "in one step", "from side to side", "farther each time"
    for axes, rate, title in zip(grid, RATES, titles):
        path = np.array(parabola(rate, 4))
        axes.plot(x, x**2 / 2, color=GREY, lw=1.2)
        axes.plot(path, path**2 / 2, "o-", color=BLUE, ms=5, lw=1.2)
        axes.plot(path[0], path[0] ** 2 / 2, "s", color=ORANGE, ms=8)
        axes.set_title(rf"$\eta \kappa = {rate:g}$: {title}", fontsize=11)
        axes.set(xlim=(-2.6, 2.6), ylim=(-0.2, 2.9), xlabel="x")
        axes.grid(alpha=0.3)
    grid[0].set_ylabel("f(x)")
    return figure


def finish(axes):
    axes.grid(alpha=0.3)
    axes.legend(fontsize=11)
    axes.tick_params(labelsize=11)


def draw_m(norms):
    """The norm of the gradient against the number of examples, of the mean loss and of the sum."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    sums = [m * norm for m, norm in zip(SIZES, norms)]
    axes.loglog(SIZES, sums, "s--", color=ORANGE, label="sum of the losses (no 1/m)")
    axes.loglog(SIZES, norms, "o-", color=BLUE, label="mean of the losses (with 1/m)")
    axes.set_xlabel("number of examples m", fontsize=12)
    axes.set_ylabel("length of the gradient", fontsize=12)
    finish(axes)
    return figure


def draw_step(double, single, off):
    """The error of the check against the step h, in two precisions."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.loglog(*zip(*single.items()), "s--", color=ORANGE, label="float32")
    axes.loglog(*zip(*double.items()), "o-", color=BLUE, label="float64")
    axes.loglog(*zip(*off.items()), "k:", label="float64, pictures on a kink kept")
    for errors, text, h, place in (
        (double, "the script's h:", 1e-5, (4e-3, 3e-10)),
        (single, "best h\nin float32:", 1e-2, (1e-5, 1e-5)),
    ):
        note = f"{text}\n{h:.0e}".replace("e-0", "e-")
        arrow = {"arrowstyle": "->", "lw": 1.2}
        axes.annotate(
            note, (h, errors[h]), place, fontsize=11, ha="center", va="center", arrowprops=arrow
        )
    axes.set_ylim(1e-11, 1e3)
    axes.set_xlabel("step h", fontsize=12)
    axes.set_ylabel("largest relative error", fontsize=12)
    finish(axes)
    return figure


def main():
    plt.switch_backend("agg")
    start, training, test = default_start(*nn.load_digits(ROOT / "mnist_data" / "train.csv.gz"))
    X, Y = nn.to_columns(training[0]), nn.one_hot(training[1])

    print("paper_parabola: x before the first step and after each")
    for rate in RATES:
        steps = " ".join(f"{x:8.4g}" for x in parabola(rate, 4))
        print(f"   eta kappa = {rate:g}   {steps}")

    norms = measured_norms(start, X, Y)
    print("paper_m: length of the gradient at the start (root of the mean square)")
    for m, predicted, norm in zip(SIZES, predicted_norms(start, X, Y), norms):
        line = f"   m = {m:6,}   predicted {predicted:.2f}   measured {norm:.2f}"
        print(f"{line}   sum {m * norm:10,.1f}")
    mean, spread = mean_and_spread(start, X, Y)
    print(f"   length of the mean {np.sqrt(mean):.2f}, sigma {np.sqrt(spread):.2f}")

    print("the start")
    print(f"   sum of the squares of the pixels: {np.mean(squares(X)):.1f}")
    for name, (predicted, measured, deviation) in sizes_at_the_start(X).items():
        line = f"   {name}: mean square of Z1 predicted {predicted:.3f}, over 100 starts"
        print(f"{line} {measured:.3f} (standard deviation {deviation:.3f})")
    losses = first_losses(X, Y)
    line = f"   first loss over 100 starts: {np.mean(losses):.2f}, from {min(losses):.2f}"
    print(f"{line} to {max(losses):.2f}")
    for name, divisor in (("divided by 255", 255), ("raw", 1)):
        changes, firing = first_steps(start, nn.to_columns(training[0], divisor), Y)
        changes = " and ".join(f"{change:,.2f}" for change in changes)
        print(f"   pixels {name}: two steps move Z1 by {changes}; then {firing} neurons fire")

    steps = [float(f"{h:.1e}") for h in STEPS]
    X, Y = pictures_off_the_kink(start, *test, h=steps[0])
    first = nn.to_columns(test[0][:50]), nn.one_hot(test[1][:50])
    double = {h: check_error(start, X, Y, h) for h in steps}
    single = {h: check_error(start, X, Y, h, np.float32) for h in steps if h >= 1e-8}
    kinks = {h: check_error(start, *first, h) for h in steps if h >= 1e-3}
    print("paper_step: largest relative error of central differences; kinks kept: float64 too")
    for h in steps:
        line = f"   h = {h:.1e}   float64 {double[h]:.1e}"
        line += f"   float32 {single[h]:.1e}" if h in single else ""
        print(line + (f"   kinks kept {kinks[h]:.1e}" if h in kinks else ""))

    figures = {"network": draw_network(), "relu": draw_relu(), "parabola": draw_parabola()}
    figures |= {"m": draw_m(norms), "step": draw_step(double, single, kinks)}
    for name, figure in figures.items():
        figure.savefig(ROOT / "docs" / f"paper_{name}.png", dpi=100)


if __name__ == "__main__":
    main()
