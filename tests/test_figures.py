"""Part 6: known numbers in, and what a person sees in the figures out."""

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.colors import to_rgb

import Neural_Network_from_Scratch as nn

SCREEN = (13.66, 6.90)  # inches at 100 dpi: 1366 by 768, less the frame of a window


def on_screen(axes):
    """The numbers of a picture as it is seen, top row first, whatever its origin is."""
    numbers = np.array(axes.images[0].get_array())
    if not axes.yaxis_inverted():
        numbers = np.flipud(numbers)
    return numbers


def with_pictures(figure):
    """The axes that show a picture, as one reads a page."""
    shown = [axes for axes in figure.axes if axes.images]

    def place(axes):
        box = axes.get_position()
        return round(-box.y1, 2), box.x0

    return sorted(shown, key=place)


def shade(image, value):
    """The colour of a value in a picture: red, green, blue, each from 0 to 1."""
    colour = image.cmap(image.norm(value))
    return np.array(colour[:3])


def brightness(colour):
    """What a black-and-white printer makes of a colour, from 0 to 1."""
    return np.dot(to_rgb(colour), (0.299, 0.587, 0.114))


# Curves

TRAINING = [(0, 3.0, 0.1), (1, 2.0, 0.3), (4, 0.5, 0.85)]
TEST = [(0, 3.5, 0.05), (4, 0.75, 0.775)]


def test_curves_are_the_numbers_given_under_their_own_names():
    loss, accuracy = nn.plot_training(TRAINING, TEST).axes
    for axes, column, factor in ((loss, 1, 1), (accuracy, 2, 100)):
        legend = axes.get_legend()
        labels = [text.get_text() for text in legend.get_texts()]
        for i, name in enumerate(("training", "test")):
            points = {"training": TRAINING, "test": TEST}[name]
            expected = [factor * point[column] for point in points]
            line = axes.lines[i]
            assert line.get_xdata().tolist() == [point[0] for point in points]
            assert line.get_ydata().tolist() == pytest.approx(expected)
            said = labels[i].split()
            assert said[0].startswith(name)
            assert float(said[1]) == pytest.approx(expected[-1], abs=0.001)
            handle = legend.legend_handles[i]
            assert handle.get_color() == line.get_color()
            assert handle.get_linestyle() == line.get_linestyle()


def test_axes_of_the_curves_say_what_they_show_in_black_and_white_too():
    loss, accuracy = nn.plot_training(TRAINING, TEST).axes
    assert "cross-entropy" in loss.get_ylabel()
    assert "%" in accuracy.get_ylabel()
    assert loss.get_ylim()[0] == 0 and loss.get_ylim()[1] >= 3.5
    assert accuracy.get_ylim() == (0, 100)
    for axes in (loss, accuracy):
        assert axes.get_xlabel() == "iteration"
        training, test = axes.lines
        assert training.get_linestyle() != test.get_linestyle()
        shades = [brightness(line.get_color()) for line in axes.lines]
        assert abs(shades[0] - shades[1]) > 0.1
        assert training.get_marker() == test.get_marker() == "."  # if it is a point only


# Predictions


def some_answers(m=60):
    """Pictures that no turn leaves alike, labels, and what a network said: A2, (10, m).

    Every third answer is wrong, and each picture has a probability of its own.
    """
    rng = np.random.default_rng(m)
    pixels = rng.integers(0, 256, (m, 784), np.uint8)
    labels = np.arange(m) % 10
    answers = labels.copy()
    answers[::3] = (labels[::3] + 4) % 10
    certainty = 0.4 + 0.55 * rng.permutation(m) / m
    A2 = np.tile((1 - certainty) / 9, (10, 1))
    A2[answers, np.arange(m)] = certainty
    return pixels, labels, A2


def check_titles(shown, rows, pixels, labels, A2):
    """These axes show these pictures, each with the network's answer to it."""
    assert len(shown) == len(rows)
    for axes, i in zip(shown, rows):
        assert np.array_equal(on_screen(axes), pixels[i].reshape(28, 28))
        title = axes.get_title()
        assert title.startswith(f"{A2[:, i].argmax()}, {A2[:, i].max():.0%}")
        wrong = A2[:, i].argmax() != labels[i]
        assert title.endswith(f"is {labels[i]}") == wrong
        assert (axes.title.get_color() == nn.ORANGE) == wrong


@pytest.mark.parametrize("origin", ["upper", "lower"])
def test_each_picture_stands_upright_in_black_on_white_over_its_own_answer(origin):
    pixels, labels, A2 = some_answers()
    pixels[0] = 7  # an evenly grey picture is not stretched to black and white
    with rc_context({"image.origin": origin}):
        shown = with_pictures(nn.plot_predictions(pixels, labels, A2))
    check_titles(shown[:16], range(16), pixels, labels, A2)
    for axes in shown:
        image = axes.images[0]
        assert shade(image, 0).tolist() == [1, 1, 1]
        assert shade(image, 255).tolist() == [0, 0, 0]


def test_the_worst_mistakes_are_shown_and_the_worst_first():
    pixels, labels, A2 = some_answers(1200)
    figure = nn.plot_predictions(pixels, labels, A2)
    certainty = A2.max(axis=0).tolist()
    mistakes = sorted(range(0, 1200, 3), key=certainty.__getitem__, reverse=True)
    check_titles(with_pictures(figure)[16:], mistakes[:16], pixels, labels, A2)
    title = figure.get_suptitle()
    assert "1,200 test" in title and "400 mistakes" in title


@pytest.mark.parametrize("m", [1, 20])
def test_few_pictures_and_no_mistakes_leave_places_empty(m):
    pixels, labels, _ = some_answers(m)
    A2 = nn.one_hot(labels)
    shown = with_pictures(nn.plot_predictions(pixels, labels, A2))
    check_titles(shown, range(min(m, 16)), pixels, labels, A2)


# Neurons


def some_neurons(hidden=7):
    """Parameters before and after, and X. Of the neurons only number 2 fires on no picture."""
    rng = np.random.default_rng(hidden)
    before = nn.initialize(rng, hidden=hidden)
    change = rng.normal(-0.3, 0.1, before.W1.shape)  # on the whole, downwards
    after = before._replace(W1=before.W1 + change, b1=before.b1 + 1000)
    if hidden > 2:
        after.b1[2] = -1000
    return before, after, rng.random((784, 20))


@pytest.mark.parametrize(
    ("hidden", "origin"), [(1, "upper"), (7, "lower"), (40, "upper")]
)
def test_stencils_are_what_training_changed(hidden, origin):
    before, after, X = some_neurons(hidden)
    with rc_context({"image.origin": origin}):
        figure = nn.plot_neurons(before, after, X)
    shown = with_pictures(figure)
    assert len(shown) == min(hidden, 20)
    assert len(with_pictures(nn.plot_neurons(before, after, X, most=3))) == min(hidden, 3)
    for axes, change in zip(shown, after.W1 - before.W1):
        assert np.array_equal(on_screen(axes), change.reshape(28, 28))
    title = figure.get_suptitle()
    assert str(hidden) in title and str(len(shown)) in title


def test_stencils_share_one_scale_with_white_at_zero_and_red_above():
    before, after, X = some_neurons()
    largest = np.abs(after.W1 - before.W1).max()
    for was, now in ((before, after), (after, before), (before, before)):
        for axes in with_pictures(nn.plot_neurons(was, now, X)):
            image = axes.images[0]
            assert shade(image, 0).min() > 0.95
            if was is not now:  # something was learnt
                assert image.get_clim() == pytest.approx((-largest, largest))
                red, _, blue = shade(image, largest) - shade(image, -largest)
                assert red > 0.2 and blue < -0.2


def test_dead_neurons_are_told_and_all_have_their_numbers():
    before, after, X = some_neurons()
    before = before._replace(b1=before.b1 - 1000)  # what counts is after training
    shown = with_pictures(nn.plot_neurons(before, after, X))
    titles = [axes.get_title() for axes in shown]
    dead = titles.pop(2)
    assert titles == ["0", "1", "3", "4", "5", "6"]
    assert dead.startswith("2 ")


def test_figures_fit_a_small_screen():
    before, after, X = some_neurons(20)
    figures = [nn.plot_training(TRAINING, TEST)]
    figures.append(nn.plot_predictions(*some_answers()))
    figures.append(nn.plot_neurons(before, after, X))
    figures.append(nn.DrawingBoard(after).figure)
    for figure in figures:
        assert np.all(figure.get_size_inches() <= SCREEN)
