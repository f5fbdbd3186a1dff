"""Make the pictures of README.md and docs/, about a minute: python tests/figures.py

(All but docs/exercise_9.png, which the solution of exercise 9 saves.)
"""

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
    axes.set_xlim(0, 90)
    axes.set_ylim(0, 26)
    places = (4, 21, 38, 55, 72, 86)
    names = ("$X$", "$Z_1$", "$A_1$", "$Z_2$", "$A_2$", "$L$")
    shapes = ("(784, m)", "(hidden, m)", "(hidden, m)", "(10, m)", "(10, m)", "a number")
    for x, name, shape in zip(places, names, shapes):
        axes.text(x, 15, name, fontsize=15, **MIDDLE)
        axes.text(x, 22.5, shape, color="dimgrey", **MIDDLE)
    blue = {"color": BLUE, "fontsize": 11, **MIDDLE}
    orange = {**blue, "color": ORANGE}
    ahead = {"arrowstyle": "->", "color": BLUE, "lw": 2, "shrinkA": 14, "shrinkB": 14}
    back = {**ahead, "color": ORANGE, "ls": "--"}
    down = {"arrowstyle": "->", "color": ORANGE, "ls": "--"}
    words = ("$W_1, b_1$", "ReLU", "$W_2, b_2$", "softmax", "mean loss")
    for left, right, text in zip(places, places[1:], words):
        axes.annotate("", (right, 16.2), (left, 16.2), arrowprops=ahead)
        axes.text((left + right) / 2, 18.6, text, **blue)
    ways_back = [(86, 55, "$dZ_2 = A_2 - Y$"), (55, 38, r"$W_2^\top$"), (38, 21, "mask")]
    for right, left, text in ways_back:
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
    names = {0: "0", 1 / 3: "1/3", 2 / 3: "2/3", 1: "1"}
    styles = ("-.", "--", "--", ":")
    for slope, style in zip(names, styles):
        axes.plot(z, slope * z, style, color=ORANGE)
        axes.text(-2.05, -2 * slope, names[slope], **beside)
    axes.text(-2.05, 0.45, "slope", **beside)
    axes.plot(z, nn.relu(z), color=BLUE, lw=3, label="relu(z)")
    axes.plot([], "--", color=ORANGE, label="some subgradients at 0")
    axes.plot(0, 0, "ko", ms=7, label="the kink")
    axes.set_xlim(-2.6, 2.1)
    axes.set_xlabel("z")
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
        axes.plot(path[0], f[0], "s", color=ORANGE, ms=8)
        axes.set_title(rf"$\eta \kappa = {rate:g}$: {title}", fontsize=11)
        axes.set_xlim(-2.6, 2.6)
        axes.set_xlabel("x")
        axes.grid(alpha=0.3)
    grid[0].set_ylabel("f(x)")
    grid[0].set_ylim(-0.2, 2.9)
    return figure


def draw_curves(curves, names, xlabel, ylabel):
    """Lines on logarithmic scales, from {style: {x: y}} and a name for each."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.set_prop_cycle(color=[ORANGE, BLUE])
    for (style, points), name in zip(curves.items(), names):
        x = list(points)
        y = list(points.values())
        axes.loglog(x, y, style, label=name)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
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
    results = []
    for _ in range(min(200, 200_000 // m)):
        drawn = rng.integers(0, len(labels), m)
        some = (X[:, drawn], labels[drawn])
        _, _, gradients = nn.gradient(parameters, *some)
        results.append(length_squared(gradients))
    length = np.sqrt(np.mean(results))
    error = np.std(results, ddof=1) / np.sqrt(len(results))  # of the mean square
    return length, error / (2 * length)  # along its square the length has this slope


def draw_m(start, X, labels):
    """The length of the gradient against the number of examples, of the mean and of the sum."""
    means = {}
    sums = {}
    rng = np.random.default_rng(nn.SEED)
    for m in SIZES:
        means[m], _ = measured_length(start, X, labels, m, rng)
        sums[m] = m * means[m]
    curves = {"s--": sums, "o-": means}
    names = ("sum of the losses (no 1/m)", "mean of the losses (with 1/m)")
    return draw_curves(curves, names, "number of examples m", "length of the gradient")


def off_the_kink(start, X, h, count=50):
    """Which columns of X are the first whose every hidden score is farther than h from zero."""
    Z1 = nn.forward(start, X).Z1
    nearest = np.abs(Z1).min(axis=0)
    return np.flatnonzero(nearest > h)[:count]


def check_error(start, X, labels, h, dtype=np.float64):
    """The error of `nn.gradient_check`, with the nudged losses in a type of our choice.

    No picture is left out. The gradient that they are compared with is in float64.
    """
    exact = [P.astype(np.float64) for P in start]
    exact = nn.Parameters(*exact)
    _, _, gradients = nn.gradient(exact, X, labels)
    nudged = [P.astype(dtype) for P in start]
    nudged = nn.Parameters(*nudged)
    X = X.astype(dtype)
    rng = np.random.default_rng(nn.SEED)
    errors = []
    for P, dP in zip(nudged, gradients):
        largest = max(np.abs(dP).max(), 1e-4)
        count = min(P.size, 20)
        for i in rng.choice(P.size, count, replace=False):
            value = P.flat[i]
            P.flat[i] = value + dtype(h)
            loss_above, _ = nn.evaluate(nudged, X, labels)
            P.flat[i] = value - dtype(h)
            loss_below, _ = nn.evaluate(nudged, X, labels)
            P.flat[i] = value
            slope = (loss_above - loss_below) / (2 * h)
            error = abs(slope - dP.flat[i]) / largest
            errors.append(error)
    return max(errors)


def draw_step(start, X, labels):
    """The error of the check against the step h: of 50 pictures, with and without kinks."""
    powers = 10.0 ** -np.arange(1, 13.5, 0.5)  # two to the decade
    steps = [float(f"{h:.1e}") for h in powers]
    smooth = off_the_kink(start, X, h=0.1)
    smooth = (start, X[:, smooth], labels[smooth])
    first = (start, X[:, :50], labels[:50])
    double = {h: check_error(*smooth, h) for h in steps}
    single = {h: check_error(*smooth, h, np.float32) for h in steps if h >= 1e-6}
    kept = {h: check_error(*first, h) for h in steps if h >= 1e-3}
    curves = {"s--": single, "o-": double, "k:": kept}
    names = ("float32", "float64", "float64, pictures on a kink kept")
    figure = draw_curves(curves, names, "step h", "largest relative error")
    axes = figure.axes[0]
    axes.set_ylim(1e-11, 1e3)
    axes.legend(loc="lower left")
    arrow = {"arrowprops": {"arrowstyle": "->"}, **MIDDLE}
    lowest = (1e-5, double[1e-5])
    axes.annotate("the script's h:\n1e-5", lowest, (4e-3, 3e-10), **arrow)
    lowest = (1e-2, single[1e-2])
    axes.annotate("best h\nin float32:\n1e-2", lowest, (1e-5, 1e-5), **arrow)
    return figure


def film(network):
    """Pictures of the drawing board, first empty, then while a 2 is drawn."""
    board = nn.DrawingBoard(network)
    board.figure.set(size_inches=(10, 2.9), dpi=80)
    canvas = board.figure.canvas
    stroke = [float(number) for number in STROKE.split()]
    left = stroke[0::2]
    top = stroke[1::2]
    count = len(left)
    middles = np.arange(0, count - 0.5, 0.5)  # with the middles between the places
    pictures = []
    for place in [0, *middles]:
        mouse = SimpleNamespace(name="motion_notify_event", inaxes=board.paper.axes)
        mouse.button = 1 if pictures else None
        mouse.xdata = np.interp(place, range(count), left)
        mouse.ydata = np.interp(place, range(count), top)
        board.move(mouse)
        for artist in board.read(0):
            artist.set_animated(False)  # an animated one would be left out
        canvas.draw()
        picture = Image.fromarray(np.array(canvas.buffer_rgba()))
        pictures.append(picture.convert("RGB"))
    return pictures


def save_film(pictures, path):
    """Save pictures as a GIF of 32 colours, which repeats for ever."""
    palette = pictures[-1].quantize(32, Image.Quantize.MAXCOVERAGE)
    plain = {"palette": palette, "dither": Image.Dither.NONE}
    frames = [picture.quantize(**plain) for picture in pictures]
    times = [500] + [80] * (len(frames) - 2) + [1500]  # milliseconds
    rest = frames[1:]
    frames[0].save(path, save_all=True, append_images=rest, duration=times, loop=0)


def main():
    plt.switch_backend("agg")
    network, figures = nn.study(None, nn.parse_options([]))
    del figures["training"]  # no page shows it
    pixels, labels = nn.load_digits(nn.DATA)
    rng = np.random.default_rng(nn.SEED)
    training, test = nn.split(pixels, labels, nn.TEST_SIZE, rng)
    start = nn.initialize(rng)
    X = nn.to_columns(training[0])
    X_test = nn.to_columns(test[0])
    figures["paper_network"] = draw_network()
    figures["paper_relu"] = draw_relu()
    figures["paper_parabola"] = draw_parabola()
    figures["paper_m"] = draw_m(start, X, training[1])
    figures["paper_step"] = draw_step(start, X_test, test[1])
    for name, figure in figures.items():
        figure.savefig(DOCS / f"{name}.png", dpi=100)
    save_film(film(network), DOCS / "board.gif")


if __name__ == "__main__":
    main()
