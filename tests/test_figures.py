"""Part 6: known inputs in, arrays, colours and texts of the figures out."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

import Neural_Network_from_Scratch as nn


@pytest.fixture(autouse=True)
def no_windows():
    nn.plt.switch_backend("agg")
    yield
    nn.plt.close("all")


def shade(picture, value):
    """The colour, three numbers from 0 (dark) to 1, that an image gives to a value."""
    return np.array(picture.cmap(picture.norm(value))[:3])


def lines_and_ticks(axes):
    """Is anything drawn around the picture?"""
    return axes.get_frame_on() or len(axes.get_xticks()) or len(axes.get_yticks())


def assert_reads_like_a_page(axes):
    """These stand from left to right, row below row."""
    places = [(round(-one.get_position().y0, 3), round(one.get_position().x0, 3)) for one in axes]
    assert places == sorted(set(places))


# Curves.

TRAINING = [(0, 3.0, 0.1), (1, 2.0, 0.3), (2, 1.0, 0.2), (3, 1.5, 0.4), (4, 0.5, 0.85)]
TEST = [(0, 3.5, 0.05), (2, 1.25, 0.15), (4, 0.75, 0.775)]


def test_training_curves_are_the_numbers_given():
    figure = nn.plot_training(TRAINING, TEST)
    figure.canvas.draw()
    loss, fraction = figure.axes
    for axes, column, factor in ((loss, 1, 1), (fraction, 2, 100)):
        assert len(axes.lines) == 2
        for line, seen in zip(axes.lines, (TRAINING, TEST)):
            assert line.get_xdata().tolist() == [state[0] for state in seen]
            assert line.get_ydata() == pytest.approx([factor * state[column] for state in seen])


def test_training_axes_say_what_they_show():
    loss, fraction = nn.plot_training(TRAINING, TEST).axes
    assert (loss.get_title(), fraction.get_title()) == ("Loss", "Accuracy")
    assert (loss.get_xlabel(), fraction.get_xlabel()) == ("iteration", "iteration")
    assert loss.get_ylabel() == "mean cross-entropy"
    assert fraction.get_ylabel() == "accuracy in %"
    assert fraction.get_ylim() == (0, 100)
    assert loss.get_ylim()[0] == 0 and loss.get_ylim()[1] >= 3.5


def test_training_legends_name_the_curves_and_their_last_values():
    loss, fraction = nn.plot_training(TRAINING, TEST).axes
    for axes, expected in (
        (loss, ["training: 0.500", "test: 0.750"]),
        (fraction, ["training: 85.0%", "test: 77.5%"]),
    ):
        legend = axes.get_legend()
        assert [text.get_text() for text in legend.get_texts()] == expected
        assert legend.get_title().get_text() == "pictures, value at the end"
        for line, handle in zip(axes.lines, legend.legend_handles):
            assert handle.get_color() == line.get_color()
            assert handle.get_linestyle() == line.get_linestyle()


def test_training_and_test_differ_by_more_than_colour():
    for axes in nn.plot_training(TRAINING, TEST).axes:
        training, test = axes.lines
        assert to_hex(training.get_color()) != to_hex(test.get_color())
        assert training.get_linestyle() != test.get_linestyle()


def test_one_look_makes_a_curve_too():
    figure = nn.plot_training(TRAINING[:1], TEST[:1])
    assert [line.get_xdata().tolist() for line in figure.axes[0].lines] == [[0], [0]]


# Predictions.


def some_predictions(m=40, wrong=(3, 5, 7, 21, 30, 38)):
    """Pictures that no turn or flip leaves alike, their labels, and answers of which those are
    wrong, each picture with a certainty of its own."""
    rng = np.random.default_rng(m)
    pixels = rng.integers(0, 256, (m, 784), np.uint8)
    labels = np.arange(m) % 10
    answers = labels.copy()
    answers[list(wrong)] = (labels[list(wrong)] + 1 + np.arange(len(wrong)) % 9) % 10
    certainty = np.round(0.4 + 0.55 * rng.permutation(m) / m, 4)
    A2 = np.tile((1 - certainty) / 9, (10, 1))
    A2[answers, np.arange(m)] = certainty
    return pixels, labels, A2, answers, certainty


def shown(part):
    """The pictures and titles in this half of the figure: what is drawn, from left to right."""
    return [(axes.images[0], axes.title) for axes in part.axes if axes.images]


def assert_shows(part, expected, pixels, labels, answers, certainty):
    """This half of the figure shows exactly these pictures, in this order, and tells the truth."""
    assert len(shown(part)) == len(expected)
    assert_reads_like_a_page(axes for axes in part.axes if axes.images)
    for (picture, title), i in zip(shown(part), expected):
        assert np.array_equal(picture.get_array(), pixels[i].reshape(28, 28))
        said = f"{answers[i]}  {100 * certainty[i]:.0f} %"
        if answers[i] == labels[i]:
            assert title.get_text() == said
            assert title.get_color() == nn.plt.rcParams["text.color"]
        else:
            assert title.get_text() == f"\N{BALLOT X} {said}\nis {labels[i]}"
            assert (title.get_color(), title.get_fontweight()) == (nn.ORANGE, "bold")


@pytest.mark.parametrize("columns", [3, 8])
def test_predictions_are_of_the_pictures_above_them(columns):
    pixels, labels, A2, answers, certainty = some_predictions()
    figure = nn.plot_predictions(pixels, labels, A2, columns)
    figure.canvas.draw()
    first, _ = figure.subfigs
    assert_shows(first, range(2 * columns), pixels, labels, answers, certainty)


@pytest.mark.parametrize("columns", [2, 8])
def test_the_worst_mistakes_come_first(columns):
    pixels, labels, A2, answers, certainty = some_predictions()
    figure = nn.plot_predictions(pixels, labels, A2, columns)
    figure.canvas.draw()
    first, below = figure.subfigs
    assert min(axes.bbox.y0 for axes in first.axes) > max(axes.bbox.y1 for axes in below.axes)
    wrong = [i for i in range(len(labels)) if answers[i] != labels[i]]
    assert wrong == [3, 5, 7, 21, 30, 38]
    worst = sorted(wrong, key=lambda i: certainty[i], reverse=True)
    assert worst != wrong
    assert_shows(below, worst[: 2 * columns], pixels, labels, answers, certainty)


def test_predictions_say_of_how_many():
    pixels, labels, A2, *_ = some_predictions(1200, wrong=range(0, 1200, 100))
    for columns, places in (8, 12), (3, 6):  # all mistakes are counted, shown or not
        first, below = nn.plot_predictions(pixels, labels, A2, columns).subfigs
        assert "first of 1,200 test pictures" in first.get_suptitle()
        assert "worst of 12 mistakes" in below.get_suptitle()
        titles = [title.get_text() for _, title in shown(below)]
        assert len(titles) == places and all("\nis " in text for text in titles)


def test_predictions_show_ink_dark_on_light_paper():
    pixels, labels, A2, *_ = some_predictions()
    pixels[0] = 7  # an evenly grey picture is not stretched to black and white
    figure = nn.plot_predictions(pixels, labels, A2)
    for part in figure.subfigs:
        for picture, _ in shown(part):
            assert shade(picture, 0).tolist() == [1, 1, 1]
            assert shade(picture, 255).tolist() == [0, 0, 0]
    assert not any(lines_and_ticks(axes) for part in figure.subfigs for axes in part.axes)


@pytest.mark.parametrize("m", [1, 5])
def test_few_pictures_and_no_mistakes_leave_places_empty(m):
    pixels, labels, A2, answers, certainty = some_predictions(m, wrong=())
    figure = nn.plot_predictions(pixels, labels, A2)
    figure.canvas.draw()
    first, below = figure.subfigs
    assert_shows(first, range(m), pixels, labels, answers, certainty)
    assert shown(below) == []
    assert "worst of 0 mistakes" in below.get_suptitle()


# Neurons.


def some_neurons(hidden=7):
    """Parameters before and after, and pictures. Neuron 3 fires on no picture, neuron 2 on one."""
    rng = np.random.default_rng(hidden)
    before = nn.initialize(rng, hidden=hidden)
    change = rng.normal(-0.3, 0.1, before.W1.shape).astype(np.float32)  # on the whole, downwards
    after = before._replace(W1=before.W1 + change)
    X = np.zeros((784, 20), np.float32)
    X[0, 0] = 1  # one picture has ink there, and only it
    after.W1[:, 0] = before.W1[:, 0] = 0.5
    after.b1[:] = 0.1
    if hidden > 2:
        after.b1[1], after.b1[2] = -0.1, -2
    return before, after, X


def stencils(figure):
    return [axes for axes in figure.axes if axes.images]


@pytest.mark.parametrize("hidden", [1, 7, 10, 11, 25])
def test_neurons_show_what_training_changed(hidden):
    before, after, X = some_neurons(hidden)
    figure = nn.plot_neurons(before, after, X)
    figure.canvas.draw()
    drawn = stencils(figure)
    assert len(drawn) == hidden
    for axes, change in zip(drawn, after.W1 - before.W1):
        assert np.array_equal(axes.images[0].get_array(), change.reshape(28, 28))
        assert not lines_and_ticks(axes)
    assert len({round(axes.get_position().x0, 3) for axes in drawn}) == min(5, hidden)
    assert_reads_like_a_page(drawn)


def test_neurons_share_one_scale_with_white_at_zero_and_red_above():
    before, after, X = some_neurons()
    change = after.W1 - before.W1
    largest = float(np.abs(change).max())
    assert 0 < change.max() < largest  # more was taken away than added; and the other way round
    for was, now in (before, after), (after, before):
        for axes in stencils(nn.plot_neurons(was, now, X)):
            picture = axes.images[0]
            assert picture.get_clim() == pytest.approx((-largest, largest))
            assert shade(picture, 0).min() > 0.95
            red, _, blue = shade(picture, largest)
            assert red > blue + 0.2
            red, _, blue = shade(picture, -largest)
            assert blue > red + 0.2


def test_neurons_are_numbered_and_the_silent_ones_named():
    before, after, X = some_neurons()
    titles = [axes.get_title() for axes in stencils(nn.plot_neurons(before, after, X))]
    assert titles == ["1", "2", "3 never fires", "4", "5", "6", "7"]
    # What counts is the network after training, whatever it was before.
    silent_before = before._replace(b1=before.b1 - 100)
    again = nn.plot_neurons(silent_before, after, X)
    assert [axes.get_title() for axes in stencils(again)] == titles


def test_neurons_have_a_legend_and_a_title():
    figure = nn.plot_neurons(*some_neurons())
    (bar,) = (axes for axes in figure.axes if not axes.images and axes.get_ylabel())
    assert bar.get_ylabel() == "change of weight"
    largest = stencils(figure)[0].images[0].get_clim()[1]
    assert bar.get_ylim() == pytest.approx((-largest, largest))
    assert figure.get_suptitle() == "What training changed: + where ink excites a neuron more"


def test_of_many_neurons_the_first_are_shown():
    before, after, X = some_neurons(60)
    figure = nn.plot_neurons(before, after, X)
    assert figure.get_suptitle().endswith(" (the first 25 of 60)")
    assert len(stencils(figure)) == 25
    change = (after.W1 - before.W1)[:25]
    for axes, weights in zip(stencils(figure), change):
        assert np.array_equal(axes.images[0].get_array(), weights.reshape(28, 28))
    scale = np.abs(change).max()
    assert stencils(figure)[0].images[0].get_clim()[1] == pytest.approx(scale)
    assert len(stencils(nn.plot_neurons(before, after, X, most=12))) == 12


def test_neurons_that_learnt_nothing_can_be_drawn():
    before, _, X = some_neurons()
    figure = nn.plot_neurons(before, before, X)
    figure.canvas.draw()
    assert all(not axes.images[0].get_array().any() for axes in stencils(figure))


def test_the_change_is_a_drawing_and_the_weights_are_noise(trained):
    """In a drawing a pixel is like its neighbour; in noise it is not."""

    def likeness(weights):
        pictures = weights.reshape(-1, 28, 28)[:, 6:22, 6:22]  # where digits are
        return np.corrcoef(pictures[:, :, 1:].ravel(), pictures[:, :, :-1].ravel())[0, 1]

    assert likeness(trained.learnt.W1 - trained.start.W1) > 0.8
    assert abs(likeness(trained.start.W1)) < 0.1
    assert likeness(trained.learnt.W1) < 0.5
