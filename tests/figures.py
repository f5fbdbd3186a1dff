"""Draw the two figures of docs/The_Core_Mathematics.md and print the numbers that it quotes.

python tests/figures.py          about 7 seconds; writes docs/paper_m.png and docs/paper_step.png
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import Neural_Network_from_Scratch as nn

SIZES = (1, 10, 100, 1000, 10_000, 41_000)
STEPS = 10.0 ** -np.arange(1, 13.5, 0.5)  # h from 1e-1 to 1e-13, two to the decade


def default_start(pixels, labels):
    """Start, training and test data as the script has them with its default seed."""
    rng = np.random.default_rng(nn.SEED)
    training, test = nn.split(pixels, labels, nn.TEST_SIZE, rng)
    return nn.initialize(rng), training, test


def gradient_norms(start, pixels, labels, sizes=SIZES):
    """Norm of all entries of the gradient of the mean loss over the first m examples, for each m.

    The norm of the gradient of the summed loss is m times that.
    """
    norms = []
    for m in sizes:
        X, Y = nn.to_columns(pixels[:m]), nn.one_hot(labels[:m])
        gradients = nn.backward(start, X, Y, nn.forward(start, X))
        norms.append(float(np.sqrt(sum(np.sum(g.astype(np.float64) ** 2) for g in gradients))))
    return norms


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
        largest = max(np.abs(slopes).max(), np.abs(dP).max(), 1e-4)
        errors.append(np.abs(slopes - dP.flat[chosen]).max() / largest)
    return float(max(errors))


def best_step(alpha, rho):
    """The h at which alpha * h**2 + rho / h is smallest."""
    return (rho / (2 * alpha)) ** (1 / 3)


def draw_m(norms):
    """The norm of the gradient against the number of examples, of the mean loss and of the sum."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    sums = [m * norm for m, norm in zip(SIZES, norms)]
    axes.loglog(SIZES, sums, "s--", color=nn.ORANGE, label="sum of the losses (no 1/m)")
    axes.loglog(SIZES, norms, "o-", color=nn.BLUE, label="mean of the losses (with 1/m)")
    axes.set_xlabel("number of examples m", fontsize=12)
    axes.set_ylabel("norm of the gradient", fontsize=12)
    return figure


def draw_step(double, single, off):
    """The error of the check against the step h, in two precisions."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.loglog(*zip(*single.items()), "s--", color=nn.ORANGE, label="float32")
    axes.loglog(*zip(*double.items()), "o-", color=nn.BLUE, label="float64")
    axes.loglog(*zip(*off.items()), "k:", label="float64, pictures on a kink kept")
    for errors, text, place in (
        (double, "best h in float64,\nand the script's:", (6e-3, 3e-10)),
        (single, "best h\nin float32:", (1e-5, 1e-5)),
    ):
        h = min(errors, key=errors.get)
        note = f"{text}\n{h:.0e}".replace("e-0", "e-")
        arrow = {"arrowstyle": "->", "lw": 1.2}
        axes.annotate(
            note, (h, errors[h]), place, fontsize=11, ha="center", va="center", arrowprops=arrow
        )
    axes.set_ylim(1e-11, 1e1)
    axes.set_xlabel("step h", fontsize=12)
    axes.set_ylabel("largest relative error", fontsize=12)
    return figure


def main():
    plt.switch_backend("agg")
    start, training, test = default_start(*nn.load_digits(nn.default_data()))

    norms = gradient_norms(start, *training)
    print("paper_m: norm of the gradient at the start")
    for m, norm in zip(SIZES, norms):
        print(f"   m = {m:6,}   mean {norm:.2f}   sum {m * norm:10,.1f}")

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
    alpha = double[1e-3] / 1e-3**2
    print(f"   error = alpha h^2 + rho / h, alpha = {alpha:.2f} from h = 1e-3 in float64")
    for name, errors, h in (("float64", double, 1e-7), ("float32", single, 1e-5)):
        rho = errors[h] * h
        print(f"   {name}: rho = {rho:.1e} from h = {h:.0e}, best h {best_step(alpha, rho):.1e}")

    for name, figure in (("m", draw_m(norms)), ("step", draw_step(double, single, kinks))):
        (axes,) = figure.axes
        axes.grid(alpha=0.3)
        axes.legend(fontsize=11)
        axes.tick_params(labelsize=11)
        figure.savefig(Path(nn.__file__).parent / "docs" / f"paper_{name}.png", dpi=100)


if __name__ == "__main__":
    main()
