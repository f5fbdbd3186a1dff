"""Part 6: known numbers in, and what a person sees in the figures out."""

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.colors import to_rgb

import Neural_Network_from_Scratch as nn


def pictures_in(figure):
    """The pictures, as one reads a page (in this order they are made), row 0 on top."""
    images = [axes.images[0] for axes in figure.axes if axes.images]
    assert {image.origin for image in images} == {"upper"}
    return images


def test_curves_are_the_numbers_given_under_their_own_names():
    """In black and white too, and if each is a point only."""
    training = [(0, 3.0, 0.1), (1, 2.0, 0.3), (4, 0.5, 0.85)]
    test = [(0, 3.5, 0.05), (4, 0.75, 0.775)]
    loss, accuracy = nn.plot_training(training, test).axes
    curves = {}
    for axes in (loss, accuracy):
        assert axes.get_xlabel() == "iteration"
        assert axes.get_legend()  # of the names of its lines
        for line in axes.lines:
            assert line.get_marker() == "."
            curves[line.get_label()] = line.get_xydata().tolist()
        styles = {line.get_linestyle() for line in axes.lines}
        colours = [to_rgb(line.get_color()) for line in axes.lines]
        printed = np.dot(colours, (0.299, 0.587, 0.114))  # in black and white
        assert len(styles) == 2 and np.ptp(printed) > 0.1
    assert curves.pop("training: 0.500") == [[0, 3], [1, 2], [4, 0.5]]
    assert curves.pop("test: 0.750") == [[0, 3.5], [4, 0.75]]
    assert curves.pop("training: 85.0 %") == [[0, 10], [1, 30], [4, 85]]
    assert curves.pop("test: 77.5 %") == [[0, 5], [4, 77.5]]
    assert "cross-entropy" in loss.get_ylabel()
    assert "%" in accuracy.get_ylabel()
    lowest, highest = loss.get_ylim()
    assert lowest == 0
    assert highest >= 3.5
    assert accuracy.get_ylim() == (0, 100)


# Predictions


def some_answers(m):
    """Pictures that no turn leaves alike, labels, and what a network said: A2, (10, m).

    Every third answer is wrong.
    """
    rng = np.random.default_rng(m)
    pixels = rng.integers(0, 256, (m, 784), np.uint8)
    A2 = rng.dirichlet(np.ones(10), m).T
    labels = A2.argmax(axis=0)
    labels[::3] = 9 - labels[::3]
    return pixels, labels, A2


def check_predictions(figure, rows, pixels, labels, A2):
    """The figure shows these pictures, each with the network's answer to it."""
    for image, i in zip(pictures_in(figure), rows, strict=True):
        assert np.array_equal(image.get_array(), pixels[i].reshape(28, 28))
        title = image.axes.title
        answer = A2[:, i].argmax()
        certainty = A2[:, i].max()
        mistake = "" if answer == labels[i] else f", is {labels[i]}"
        assert title.get_text() == f"{answer}, {certainty:.0%}{mistake}"
        assert (title.get_color() == nn.ORANGE) == bool(mistake)


def test_the_first_pictures_and_the_worst_mistakes_stand_under_their_answers():
    """Upright, in black on white, the worst mistake first."""
    pixels, labels, A2 = some_answers(1200)
    pixels[0] = 7  # an evenly grey picture is not stretched to black and white
    with rc_context({"image.origin": "lower"}):
        figure = nn.plot_predictions(pixels, labels, A2)
    certainty = A2.max(axis=0).tolist()
    mistakes = sorted(range(0, 1200, 3), key=certainty.__getitem__, reverse=True)
    rows = [*range(16), *mistakes[:16]]
    check_predictions(figure, rows, pixels, labels, A2)
    for image in pictures_in(figure):
        white, black = image.to_rgba([0, 255])
        assert white.tolist() == [1, 1, 1, 1]
        assert black.tolist() == [0, 0, 0, 1]
    title = figure.get_suptitle()
    assert "1,200 test" in title and "400 mistakes" in title


@pytest.mark.parametrize("m", [1, 20])
def test_few_pictures_and_no_mistakes_leave_places_empty(m):
    pixels, labels, _ = some_answers(m)
    A2 = nn.one_hot(labels)
    figure = nn.plot_predictions(pixels, labels, A2)
    rows = range(m)[:16]
    check_predictions(figure, rows, pixels, labels, A2)


# Neurons


def some_neurons(hidden=7):
    """Parameters before and after, and X. At first none fires, then all but number 2."""
    rng = np.random.default_rng(hidden)
    start = nn.initialize(rng, hidden=hidden)
    change = rng.normal(-0.3, 0.1, start.W1.shape)  # on the whole, downwards
    before = start._replace(b1=start.b1 - 1000)
    after = start._replace(W1=start.W1 + change, b1=start.b1 + 1000)
    after.b1[2:3] = -1000
    X = rng.random((784, 20))
    return before, after, X


@pytest.mark.parametrize("hidden", [1, 7, 40])
def test_stencils_are_what_training_changed(hidden):
    """All on one scale, each under its neuron's number, and with a word if that is dead."""
    before, after, X = some_neurons(hidden)
    change = after.W1 - before.W1
    largest = np.abs(change).max()
    with rc_context({"image.origin": "lower"}):
        figure = nn.plot_neurons(before, after, X)
    images = pictures_in(figure)
    assert len(images) == min(hidden, 20)
    for i, image in enumerate(images):
        assert np.array_equal(image.get_array(), change[i].reshape(28, 28))
        assert image.axes.get_title() == ("2 never fires" if i == 2 else str(i))
        assert image.get_clim() == pytest.approx((-largest, largest))
        blue, white, red = image.cmap([0.0, 0.5, 1.0])
        assert white.min() > 0.95
        assert blue.argmin() == 0 and red.argmin() == 1
    title = figure.get_suptitle()
    assert str(hidden) in title and str(len(images)) in title


def test_if_nothing_is_learnt_all_is_white():
    """And as many stencils are drawn as one asks for."""
    _, after, X = some_neurons()
    images = pictures_in(nn.plot_neurons(after, after, X, most=3))
    assert len(images) == 3
    assert min(images[0].to_rgba(0)) > 0.95


def test_figures_fit_a_small_screen():
    before, after, X = some_neurons(20)
    history = [(0, 3, 0.1)]
    figures = [nn.plot_training(history, history)]
    figures.append(nn.plot_predictions(*some_answers(60)))
    figures.append(nn.plot_neurons(before, after, X))
    figures.append(nn.DrawingBoard(after).figure)
    for figure in figures:  # inches at 100 dpi: 1366 by 768, less the frame of a window
        assert np.all(figure.get_size_inches() <= (13.66, 6.90))
