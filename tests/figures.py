"""Make the pictures of README.md and docs/, about a minute: python tests/figures.py

(All but docs/exercise_9.png, which the solution of exercise 9 saves.)
"""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

sys.path.append(str(Path(__file__).parents[1]))
import Neural_Network_from_Scratch as nn

DOCS = Path(nn.__file__).parent / "docs"
BLUE = nn.BLUE
ORANGE = nn.ORANGE
SIZES = (1, 10, 100, 1000, 10_000, 41_000)
RATES = (0.2, 1.0, 1.8, 2.2)  # learning rate times curvature
MIDDLE = {"ha": "center", "va": "center"}
# Where the pen was while a hand drew a 2: from the left, from the top, on a page of 112 by 112.
STROKE = """34 40  35 33  39 27  46 22  55 20  64 22  70 27  73 34  72 42  68 50  62 58
    55 66  47 74  40 82  34 89  38 90  46 89  55 89  64 89  73 89  82 88"""


def draw_network():
    """The way through the network, and the way back."""
    figure, axes = plt.subplots(figsize=(9, 2.6), layout="constrained")
    axes.axis("off")
    axes.set(xlim=(0, 90), ylim=(0, 26))
    places = (4, 21, 38, 55, 72, 86)
    names = ("$X$", "$Z_1$", "$A_1$", "$Z_2$", "$A_2$", "$L$")
    shapes = ("(784, m)", "(hidden, m)", "(hidden, m)", "(10, m)", "(10, m)", "a number")
    for x, name, shape in zip(places, names, shapes):
        axes.text(x, 15, name, fontsize=15, **MIDDLE)
        axes.text(x, 22.5, shape, color="dimgrey", **MIDDLE)
    blue = {"color": BLUE, "fontsize": 11, **MIDDLE}
    orange = {**blue, "color": ORANGE}
    down = {"arrowstyle": "->", "color": ORANGE, "ls": "--"}
    back = {**down, "lw": 2, "shrinkA": 14, "shrinkB": 14}
    ahead = {**back, "color": BLUE, "ls": "-"}
    words = ("$W_1, b_1$", "ReLU", "$W_2, b_2$", "softmax", "mean loss")
    for left, right, text in zip(places, places[1:], words):
        axes.annotate("", (right, 16.2), (left, 16.2), arrowprops=ahead)
        axes.text((left + right) / 2, 18.6, text, **blue)
    back_words = ("mask", r"$W_2^\top$", "$dZ_2 = A_2 - Y$")
    for left, right, text in zip((21, 38, 55), (38, 55, 86), back_words):
        axes.annotate("", (left, 12.8), (right, 12.8), arrowprops=back)
        axes.text((left + right) / 2, 9.8, text, **orange)
    for layer, x in ((1, 21), (2, 55)):
        axes.annotate("", (x, 6.2), (x, 13), arrowprops=down)
        axes.text(x, 3.4, f"$dZ_{layer}$ gives\n$dW_{layer}, db_{layer}$", **orange)
    return figure


def draw_relu():
    """ReLU, its kink, and lines through the kink that lie nowhere above it."""
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    z = np.array([-2.0, 0, 2])
    beside = {"color": ORANGE, "ha": "right", "va": "center"}
    names = ("0", "1/3", "2/3", "1")
    styles = ("-.", "--", "--", ":")
    for slope, name, style in zip(np.linspace(0, 1, 4), names, styles):
        axes.plot(z, slope * z, style, color=ORANGE)
        axes.text(-2.05, -2 * slope, name, **beside)
    axes.text(-2.05, 0.45, "slope", **beside)
    axes.plot(z, nn.relu(z), color=BLUE, lw=3, label="relu(z)")
    axes.plot([], "--", color=ORANGE, label="some subgradients at 0")
    axes.plot(0, 0, "ko", ms=7, label="the kink")
    axes.set(xlim=(-2.6, 2.1), xlabel="z")
    axes.legend(loc="upper left")
    axes.grid(alpha=0.3)
    return figure


def draw_parabola():
    """Gradient descent on a parabola with four learning rates."""
    figure = plt.figure(figsize=(10, 2.9), layout="constrained")
    grid = figure.subplots(1, 4, sharey=True)
    x = np.linspace(-2.6, 2.6, 101)
    titles = ("slow", "in one step", "from side to side", "farther each time")
    for axes, rate, title in zip(grid, RATES, titles):
        axes.plot(x, x**2 / 2, color="grey", lw=1.2)
        path = (1 - rate) ** np.arange(5)  # before the first step and after each, eq. 43
        f = path**2 / 2
        axes.plot(path, f, "o-", color=BLUE, ms=5, lw=1.2)
        axes.plot(1, 1 / 2, "s", color=ORANGE, ms=8)
        axes.set_title(rf"$\eta \kappa = {rate:g}$: {title}", fontsize=11)
        axes.set(xlim=(-2.6, 2.6), xlabel="x")
        axes.grid(alpha=0.3)
    grid[0].set(ylim=(-0.2, 2.9), ylabel="f(x)")
    return figure


def draw_curves(curves, xlabel, ylabel):
    """Lines on logarithmic scales, from (name, style, {x: y}) of each."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.set_prop_cycle(color=[ORANGE, BLUE])
    for name, style, points in curves:
        x = list(points)
        axes.loglog(x, list(points.values()), style, label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def length_squared(gradients):
    """The sum of the squares of all slopes."""
    return sum(np.vdot(dP, dP) for dP in gradients)


def measured_length(parameters, X, labels, m, rng):
    """The root of the mean square of the length of the mean gradient; its standard error.

    It is measured over 200 draws of m examples, but no more than 200,000 examples in all.
    """
    squares = []
    for _ in range(min(200, 200_000 // m)):
        drawn = rng.integers(0, len(labels), m)
        some = (X[:, drawn], labels[drawn])
        _, _, gradients = nn.gradient(parameters, *some)
        squares.append(length_squared(gradients))
    length = np.sqrt(np.mean(squares))
    error = np.std(squares, ddof=1) / np.sqrt(len(squares))  # of the mean square
    return length, error / (2 * length)  # along its square the length has this slope


def draw_m(start, X, labels):
    """The length of the gradient against the number of examples, of the mean and of the sum."""
    means = {}
    sums = {}
    rng = np.random.default_rng(nn.SEED)
    for m in SIZES:
        means[m], _ = measured_length(start, X, labels, m, rng)
        sums[m] = m * means[m]
    curves = [("sum of the losses (no 1/m)", "s--", sums)]
    curves.append(("mean of the losses (with 1/m)", "o-", means))
    return draw_curves(curves, "number of examples m", "length of the gradient")


def off_the_kink(start, X, labels):
    """The first 50 pictures whose hidden scores are all farther than 0.1 from zero."""
    Z1 = nn.forward(start, X).Z1
    far = np.flatnonzero(np.abs(Z1).min(axis=0) > 0.1)[:50]
    return X[:, far], labels[far]


def as_type(dtype, parameters):
    return nn.Parameters(*[P.astype(dtype) for P in parameters])


def check_error(start, X, labels, h, dtype=np.float64):
    """The error of `nn.gradient_check` on the first 50 pictures, those on a kink too.

    The nudged losses are in a type of our choice, the gradient is in float64.
    """
    X = X[:, :50]
    labels = labels[:50]
    exact = as_type(np.float64, start)
    nudged = as_type(dtype, start)
    _, _, gradients = nn.gradient(exact, X, labels)
    rng = np.random.default_rng(nn.SEED)
    errors = []
    for P, dP in zip(nudged, gradients):
        largest = max(np.abs(dP).max(), 1e-4)
        count = min(P.size, 20)
        for i in rng.choice(P.size, count, replace=False):
            value = P.flat[i]
            losses = []
            for nudge in (dtype(h), -dtype(h)):
                P.flat[i] = value + nudge
                loss, _ = nn.evaluate(nudged, X.astype(dtype), labels)
                losses.append(loss)
            P.flat[i] = value
            slope = (losses[0] - losses[1]) / (2 * h)
            errors.append(abs(slope - dP.flat[i]) / largest)
    return max(errors)


def draw_step(start, X, labels):
    """The error of the check against the step h, with and without kinks."""
    powers = 10.0 ** -np.arange(1, 13.5, 0.5)  # two to the decade
    steps = [float(f"{h:.1e}") for h in powers]
    smooth = off_the_kink(start, X, labels)
    double = {}
    single = {}
    kept = {}
    for h in steps:
        double[h] = check_error(start, *smooth, h)
        if h >= 1e-6:
            single[h] = check_error(start, *smooth, h, np.float32)
        if h >= 1e-3:
            kept[h] = check_error(start, X, labels, h)
    curves = [("float32", "s--", single), ("float64", "o-", double)]
    curves.append(("float64, pictures on a kink kept", "k:", kept))
    figure = draw_curves(curves, "step h", "largest relative error")
    axes = figure.axes[0]
    axes.set_ylim(1e-11, 1e3)
    axes.legend(loc="lower left")
    arrow = {"arrowprops": {"arrowstyle": "->"}, **MIDDLE}
    best = (1e-5, double[1e-5])
    axes.annotate("the script's h:\n1e-5", best, (4e-3, 3e-10), **arrow)
    best = (1e-2, single[1e-2])
    axes.annotate("best h\nin float32:\n1e-2", best, (1e-5, 1e-5), **arrow)
    return figure


def save_film(network, path):
    """A GIF of the drawing board, first empty, then while a 2 is drawn."""
    board = nn.DrawingBoard(network)
    board.figure.set_size_inches(10, 2.9)
    stroke = np.array(STROKE.split(), float)
    places = range(len(stroke) // 2)
    middles = np.arange(0, places[-1] + 0.5, 0.5)  # with the middles between the places
    pictures = []
    for place in [0, *middles]:
        mouse = SimpleNamespace(name="motion", inaxes=board.paper.axes)
        mouse.button = 1 if pictures else None
        mouse.xdata = np.interp(place, places, stroke[0::2])
        mouse.ydata = np.interp(place, places, stroke[1::2])
        board.move(mouse)
        board.read(0)
        file = io.BytesIO()
        board.figure.savefig(file, dpi=80)
        pictures.append(Image.open(file).convert("RGB"))
    palette = pictures[-1].quantize(32, Image.Quantize.MAXCOVERAGE)
    few = {"palette": palette, "dither": Image.Dither.NONE}
    first, *rest = [picture.quantize(**few) for picture in pictures]
    times = [500] + [80] * (len(rest) - 1) + [1500]  # milliseconds
    first.save(path, save_all=True, append_images=rest, duration=times, loop=0)


def main():
    plt.switch_backend("agg")
    network, figures = nn.study(None, nn.parse_options([]))
    del figures["training"]  # no page shows it
    rng = np.random.default_rng(nn.SEED)
    everything = nn.load_digits(nn.DATA)
    (pixels, labels), test = nn.split(*everything, nn.TEST_SIZE, rng)
    X = nn.to_columns(pixels)
    X_test = nn.to_columns(test[0])
    start = nn.initialize(rng)
    figures["paper_network"] = draw_network()
    figures["paper_relu"] = draw_relu()
    figures["paper_parabola"] = draw_parabola()
    figures["paper_m"] = draw_m(start, X, labels)
    figures["paper_step"] = draw_step(start, X_test, test[1])
    for name, figure in figures.items():
        figure.savefig(DOCS / f"{name}.png", dpi=100)
    save_film(network, DOCS / "board.gif")


if __name__ == "__main__":
    main()
