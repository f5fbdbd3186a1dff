"""Part 7: photographs of digits that MNIST knows, each step by an answer of its own, the board."""

import gc
import io
import weakref
from unittest.mock import Mock

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseEvent
from PIL import Image, ImageDraw, ImageOps

import Neural_Network_from_Scratch as nn
from conftest import photograph


def read(picture, kind="PNG", **options):
    """What Part 7 makes of a picture that is saved as a file of this kind."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return nn.read_picture(file)


def difference(seen, expected):
    """Of two rows of pixels, as a part of the ink."""
    change = np.subtract(seen, expected, dtype=float)
    return np.abs(change).sum() / expected.sum()


def forward(network, row):
    """The activations for a row of pixels."""
    return nn.forward(network, nn.to_columns(row[None]))


@pytest.fixture(scope="module")
def network(default_run):
    return default_run.learnt


@pytest.fixture(scope="module")
def ten(default, network):
    """One test picture of each digit: the one that the network is surest of."""
    P = nn.forward(network, default.X_test).A2
    P = P * nn.one_hot(default.labels_test)  # that of the true digit
    return default.pixels_test[P.argmax(axis=1)]


# Files


@pytest.mark.parametrize("kind", ["P", "CMYK", "I;16", "black", "white", "negative"])
def test_every_kind_of_picture_is_read_alike(kind, ten):
    """Black and white are inks on a page that is transparent."""
    grey = photograph(ten[2], paper=180, ink=90)
    if kind == "I;16":  # up to 65,535: even the ink is far above 255
        picture = Image.fromarray(250 * np.asarray(grey, np.uint16))
    elif kind in ("black", "white"):
        picture = Image.new("RGBA", grey.size, kind)
        picture.putalpha(photograph(ten[2], paper=0, ink=255))
    elif kind == "negative":
        picture = ImageOps.invert(grey)
    else:
        picture = grey.convert(kind)
    assert difference(read(picture, "TIFF"), read(grey)) < 0.1


def test_a_picture_is_seen_as_the_phone_was_held(ten):
    upright = photograph(ten[2])
    exif = Image.Exif()
    exif[0x0112] = 6  # its orientation: a quarter turn
    stored = upright.transpose(Image.Transpose.ROTATE_90)
    assert difference(read(stored, "JPEG", exif=exif), read(upright)) < 0.1


@pytest.mark.parametrize("size", [(8, 8), (400, 60), (4000, 3000)])
def test_sizes_from_an_icon_to_twelve_megapixels(size, ten, network):
    picture = ImageOps.pad(photograph(ten[2]), size, Image.BICUBIC, color=220)
    row = read(picture, "JPEG", quality=95)
    assert forward(network, row).A2.argmax() == 2


# Photographs


def lit(picture, darkest, grain):
    """By light from the left, with the grain of a camera."""
    light = np.linspace(1, darkest, picture.width)
    bright = picture * light
    noise = np.random.default_rng(0).normal(0, grain, bright.shape)
    seen = np.clip(bright + noise, 0, 255)
    return Image.fromarray(np.uint8(seen))


@pytest.mark.parametrize(
    ("border", "darkest"), [(30, 1), (30, 0.4), (0, 1), ((1, 0, 0, 0), 1)]
)
def test_a_photograph_becomes_the_row_it_was_made_from(border, darkest, ten):
    """Also if it is cut tightly: an 8 whose upper loop is lost is a 0."""
    for digit, row in enumerate(ten):
        picture = ImageOps.expand(photograph(row, margin=0), border, 220)
        seen = read(lit(picture, darkest, grain=2))
        assert difference(seen, row) < 0.5, digit


@pytest.mark.parametrize(("darkest", "grain"), [(1, 0), (1, 4), (0.4, 2)])
def test_an_empty_page_is_told(darkest, grain):
    page = Image.new("L", (300, 200), 210)
    with pytest.raises(ValueError, match="empty"):
        read(lit(page, darkest, grain))


def test_a_line_of_a_thin_pen_is_not_cut_off():
    """Shrunk, it is pale, here and there paler than half. A piece of it would come out wide."""
    for left in range(590, 630, 3):
        picture = Image.new("L", (1200, 1200), 255)
        ends = [left, 40, left - 20, 1160]
        ImageDraw.Draw(picture).line(ends, 60, 2)
        page = read(picture).reshape(28, 28)
        assert (page > 60).any(axis=0).sum() < 5, left


# Each step


def test_ink_becomes_dark_even_if_there_is_more_of_it_than_paper():
    disc = Image.new("L", (200, 160), 210)
    ImageDraw.Draw(disc).ellipse([4, 4, 196, 156], 60)
    ImageDraw.Draw(disc).ellipse([75, 60, 125, 100], 210)
    assert nn.darken(disc) == disc
    assert nn.darken(ImageOps.invert(disc)) == disc


def test_ink_is_connected_across_gaps_of_four_pixels():
    for gap in range(1, 8):
        mask = np.zeros((20, 60), bool)
        mask[8:12, 10:20] = True
        expected = mask.copy()
        mask[8:12, 20 + gap : 40] = True
        if gap <= 4:
            expected = mask
        assert np.array_equal(nn.connected(mask, (15, 10)), expected)


def test_a_paler_line_that_runs_out_of_the_picture_is_left_out():
    ink = Image.new("L", (200, 200))
    ImageDraw.Draw(ink).line([0, 120, 200, 124], 90, 3)  # paler than the pen
    ImageDraw.Draw(ink).line([100, 40, 100, 160], 200, 9)
    digit = nn.find_digit(ink)
    assert digit.min() == 0 and digit.max() == 1
    box = Image.fromarray(digit > 0).getbbox()
    assert np.allclose(box, (96, 40, 104, 160), atol=2)


def test_pale_ends_of_a_digit_that_reaches_the_edges_are_kept():
    cross = np.zeros((120, 120), np.uint8)  # it fills its picture
    cross[55:65] = cross[:, 55:65] = 80
    cross[30:90, 55:65] = cross[55:65, 30:90] = 200
    bar = np.zeros_like(cross)  # it touches one edge, and nothing frees it there
    bar[:60, 55:65] = 200
    bar[60:100, 55:65] = 80
    for ink in (cross, bar):
        digit = nn.find_digit(Image.fromarray(ink))
        assert np.array_equal(digit > 0, ink > 0)


@pytest.mark.parametrize(("width", "expected"), [(1, 9), (3, 9), (12, 12), (20, 20)])
def test_a_thin_pen_is_widened_and_a_thick_one_left(width, expected):
    ink = Image.new("L", (112, 112))
    ink.paste(255, (40, 20, 40 + width, 92))
    left, _, right, _ = nn.thicken(ink).getbbox()
    assert right - left == expected


# What the program says


def check_answer(axes, row, network):
    """Three panels show what the network makes of a row of pixels. Returns its words."""
    page, hidden, answer = axes
    activations = forward(network, row)
    is_inked = row.any()  # if not, nothing is said
    A1 = is_inked * activations.A1[:, 0]
    A2 = is_inked * activations.A2[:, 0]
    words = f"read as {A2.argmax()} ({A2.max():.0%})" if is_inked else ""
    assert np.array_equal(page.images[0].get_array(), row.reshape(28, 28))
    passed_on, edges, _ = hidden.patches[0].get_data()
    assert edges.tolist() == [i - 0.5 for i in range(len(A1) + 1)]
    assert passed_on == pytest.approx(A1 / max(np.abs(A1).max(), 1e-9))
    lowest, highest = hidden.get_ylim()
    assert lowest <= passed_on.min() and passed_on.max() <= highest
    heights = [bar.get_height() for bar in answer.patches]
    assert heights == pytest.approx(100 * A2, abs=1e-3)
    assert answer.texts[0].get_text() == words
    return words


def test_what_is_read_is_told_and_shown_beside_its_picture(
    ten, network, tmp_path, capsys
):
    several = Image.new("L", (600, 240), 220)
    for left, digit in ((20, 3), (240, 7), (450, 2)):
        several.paste(photograph(ten[digit], margin=20), (left, 40))
    several.paste(40, (205, 120, 225, 140))  # a blot, not half as tall as the 7
    pictures = [photograph(ten[4]), several, photograph(ten[5])]
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, picture in zip(paths, pictures):
        picture.save(path)
    told = nn.read_handwriting(paths, network)
    _, *lines = capsys.readouterr().out.splitlines()
    grid = np.reshape(nn.plot_handwriting(told, network).axes, (3, 4))
    for i, (original, *others) in enumerate(grid):
        words = check_answer(others, read(pictures[i]), network)
        more = ", one of 3 digits" if i == 1 else ""
        assert lines[i].strip() == f"{paths[i]}: {words}{more}"
        assert original.get_title() == paths[i].name
        opened = ImageOps.contain(pictures[i], (nn.SIDE, nn.SIDE))
        image = original.images[0]
        assert np.array_equal(image.get_array(), opened)
        assert image.origin == "upper"
        assert image.to_rgba([0, 255])[:, 0].tolist() == [0, 1]  # black, white
    assert "read as 7" in lines[1]  # the middle one
    for p, doubts in ((0.59, 3), (0.61, 0)):
        shrug = nn.Parameters(*[0 * P for P in network])
        shrug.b2[7] = np.log(9 * p / (1 - p))  # whatever it sees, it is a 7 with p
        nn.read_handwriting(paths, shrug)
        assert capsys.readouterr().out.count("not sure") == doubts


# The board


class Hand:
    """What a mouse does on the board."""

    def __init__(self, network):
        self.board = nn.DrawingBoard(network)
        self.axes = self.board.figure.axes
        self.canvas = self.board.figure.canvas
        self.canvas.blit = Mock()
        self.board.read(0)

    def do(self, name, place, button=None, axes=0):
        x, y = self.axes[axes].transData.transform(place)
        event = MouseEvent(f"{name}_event", self.canvas, x, y, button)
        self.canvas.callbacks.process(event.name, event)

    def draw(self, *places):
        self.do("button_press", places[0], 1)
        for place in places[1:]:
            self.do("motion_notify", place)
        self.do("button_release", places[-1], 1)

    def page(self):
        """What is drawn, and shown."""
        page = np.array(self.board.page)
        assert np.array_equal(self.axes[0].images[0].get_array(), page)
        return page


@pytest.fixture
def hand(network):
    return Hand(network)


SEVEN = [(30, 30), (80, 30), (60, 60), (45, 95)]


def test_a_board_that_nobody_keeps_goes_on():
    network = nn.initialize(np.random.default_rng(0))
    board = weakref.ref(nn.DrawingBoard(network))
    gc.collect()
    assert board() is not None


def test_the_board_is_read_again_and_again(network, monkeypatch):
    animation = Mock()
    monkeypatch.setattr(nn, "FuncAnimation", animation)
    board = nn.DrawingBoard(network)
    assert animation.call_args.args == (board.figure, board.read)
    assert animation.call_args.kwargs["interval"] <= 100  # milliseconds


def test_every_movement_is_drawn_at_once(hand):
    hand.do("button_press", (20, 20), 1)
    for x, y in ((90, 20), (90, 90)):
        hand.canvas.blit.reset_mock()
        hand.do("motion_notify", (x, y))
        hand.canvas.blit.assert_called_once()
        assert hand.page()[y, x] == 255
        column, row = hand.axes[0].transData.transform((x, y)).astype(int)
        screen = np.asarray(hand.canvas.buffer_rgba())
        assert screen[-row, column, 0] == 0  # black
    page = hand.page()
    assert page[20, 20:90].all() and page[20:90, 90].all()
    assert not page[40:, :80].any()


@pytest.mark.parametrize("activation", [nn.relu, np.tanh])  # an exercise's: below 0 too
def test_the_board_reads_its_page(activation, monkeypatch, network, hand):
    monkeypatch.setattr(nn, "relu", activation)
    hand.draw(*SEVEN)
    artists = hand.board.read(0)
    row = nn.prepare(hand.page() / 255)
    check_answer(hand.axes[1:], row, network)
    drawn_again = {artist.axes for artist in artists}
    assert drawn_again == set(hand.axes)


@pytest.mark.parametrize("how", ["right click", "q"])
def test_the_board_is_wiped_and_shows_no_bars(how, network, hand):
    """By a right click or any key, though by Matplotlib's q a window is closed."""
    hand.draw(*SEVEN)
    hand.board.read(0)
    if how == "right click":
        hand.do("button_press", (50, 50), 3)
        hand.do("button_release", (50, 50), 3)
    else:
        event = KeyEvent("key_press_event", hand.canvas, how)
        hand.canvas.callbacks.process(event.name, event)
    assert plt.fignum_exists(hand.board.figure.number)
    hand.board.read(0)
    assert not hand.page().any()
    check_answer(hand.axes[1:], np.zeros(784), network)
    hand.draw(*SEVEN)
    hand.board.read(0)
    assert "read as 7" in hand.board.answer.words.get_text()


def test_the_board_draws_no_line_between_strokes(hand):
    """Nor from outside: the pen is up between strokes, and where it left the page."""
    hand.draw((20, 20), (20, 90))
    hand.do("motion_notify", (60, 90))
    hand.draw((90, 20), (90, 80))
    hand.do("button_press", (20, 100), 1)
    hand.do("motion_notify", (0, 60), axes=3)
    hand.do("motion_notify", (90, 100))
    hand.do("button_release", (90, 100), 1)
    hand.do("button_press", (55, 55), 2)
    page = hand.page()
    assert not page[:, 40:70].any()
    assert page[100, 20] == page[100, 90] == 255
