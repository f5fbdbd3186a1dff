"""Part 7: photographs of digits that MNIST knows, each step by an answer of its own, the board."""

import gc
import io
import time
import weakref
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import photograph
from matplotlib.backend_bases import KeyEvent, MouseEvent
from PIL import Image, ImageChops, ImageDraw, ImageOps

import Neural_Network_from_Scratch as nn

TURN = Image.Transpose


def sheet(grey):
    """A picture from numbers, (height, width), from 0 to 255."""
    return Image.fromarray(np.uint8(grey))


def read(picture, kind="PNG", **options):
    """What Part 7 makes of a picture that is saved as a file of this kind."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return nn.read_picture(file)


def difference(seen, expected):
    """Of two rows of pixels, as a part of the ink."""
    change = np.subtract(seen, expected, dtype=float)
    return np.abs(change).sum() / expected.sum()


def answers(network, rows):
    X = nn.to_columns(np.array(rows))
    return nn.forward(network, X).A2.argmax(axis=0)


@pytest.fixture(scope="module")
def network(default_run):
    return default_run.learnt


@pytest.fixture(scope="module")
def ten(default, network):
    """One test picture of each digit: the one that the network is surest of."""
    P = nn.forward(network, default.X_test).A2
    P = P * nn.one_hot(default.labels_test)  # that of the true digit
    return default.pixels_test[P.argmax(axis=1)]


@pytest.fixture(scope="module")
def two(ten):
    return ten[2]


# Files


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "I;16", "transparent"])
def test_every_kind_of_picture_is_read_alike(mode, two):
    grey = photograph(two, paper=180, ink=90)
    if mode == "1":
        picture = grey.point([0] * 135 + [255] * 121).convert(mode)
    elif mode == "I;16":  # up to 65,535: even the ink is far above 255
        picture = Image.fromarray(257 * np.asarray(grey, np.uint16))
    elif mode == "transparent":  # where it is, the colour does not matter
        picture = Image.new("RGBA", grey.size, "black")
        picture.putalpha(photograph(two, paper=0, ink=255))
    else:
        picture = grey.convert("RGB").convert(mode)
    seen = read(picture, "TIFF" if mode == "CMYK" else "PNG")
    assert difference(seen, read(grey)) < 0.1


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [(3, TURN.ROTATE_180), (6, TURN.ROTATE_90), (8, TURN.ROTATE_270)],
)
def test_a_picture_is_seen_as_the_phone_was_held(orientation, stored, two):
    upright = photograph(two)
    exif = Image.Exif()
    exif[0x0112] = orientation
    seen = read(upright.transpose(stored), "JPEG", exif=exif)
    assert difference(seen, read(upright)) < 0.1


@pytest.mark.parametrize("size", [(8, 8), (60, 400), (400, 60), (4000, 3000)])
def test_sizes_from_an_icon_to_twelve_megapixels(size, two, network):
    picture = ImageOps.pad(photograph(two), size, Image.BICUBIC, color=220)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95)
    began = time.process_time()
    row = nn.read_picture(file)
    assert time.process_time() - began < 2
    assert answers(network, [row]) == 2


def test_a_photograph_becomes_the_row_it_was_made_from(ten):
    """And not what is seen in a mirror, upside down, or with rows for columns."""
    for row in ten:
        seen = read(photograph(row))
        assert seen.dtype == np.uint8
        distance = difference(seen, row)
        assert distance < 0.5
        page = row.reshape(28, 28)
        upside_down = np.rot90(page, 2)
        for other in (np.fliplr(page), np.flipud(page), upside_down, page.T):
            assert difference(seen, other.ravel()) > 1.2 * distance


# What a photograph has around its digit


def speckle(picture, strength=4):
    rng = np.random.default_rng(0)
    grain = strength * rng.standard_normal((picture.height, picture.width))
    return sheet(np.clip(picture + grain, 0, 255))


def light_from_the_left(picture):
    light = np.linspace(1, 0.4, picture.width)
    return speckle(sheet(picture * light), 2)


def ruled_paper(picture):
    lines = Image.new("L", picture.size, 255)
    for y in range(20, picture.height, 45):
        ends = [0, y, picture.width, y + 4]
        ImageDraw.Draw(lines).line(ends, 150, 2)
    return ImageChops.darker(picture, lines)


@pytest.mark.parametrize("world", [light_from_the_left, ruled_paper])
def test_what_lies_around_a_digit_does_not_matter(world, ten, network):
    rows = [read(world(photograph(row))) for row in ten]
    assert (answers(network, rows) == range(10)).sum() >= 9


@pytest.mark.parametrize("sides", [(0, 0, 0, 0), (1, 0, 0, 0)])
def test_a_digit_that_is_cut_tightly_is_whole(sides, ten):
    """An 8 whose upper loop is lost is a 0."""
    for digit, row in enumerate(ten):
        picture = ImageOps.expand(photograph(row, margin=0), sides, 220)
        assert difference(read(picture), row) < 0.6, digit


def test_a_line_of_a_thin_pen_is_not_cut_off():
    """Shrunk, it is pale, here and there paler than half. A piece of it would come out wide."""
    for left in range(590, 630, 3):
        picture = Image.new("L", (1200, 1200), 255)
        ends = [left, 40, left - 20, 1160]
        ImageDraw.Draw(picture).line(ends, 60, 2)
        page = read(picture).reshape(28, 28)
        assert (page > 60).any(axis=0).sum() < 5, left


# Each step


def test_ink_becomes_dark_on_whichever_side_it_is():
    line = Image.new("L", (200, 160), 210)
    ImageDraw.Draw(line).line([100, 30, 90, 130], 60, 9)
    disc = Image.new("L", (200, 160), 210)
    ImageDraw.Draw(disc).ellipse([4, 4, 196, 156], 60)  # more ink than paper
    ImageDraw.Draw(disc).ellipse([75, 60, 125, 100], 210)
    for picture in (line, disc):
        assert np.array_equal(nn.darken(picture), picture)
        assert np.array_equal(nn.darken(ImageOps.invert(picture)), picture)


def test_paper_becomes_zero_and_ink_what_it_is_darker():
    down, across = np.indices((160, 200))
    light = 130 + down / 4 + across / 3
    stroke = np.zeros((160, 200))
    stroke[40:120, 90:100] = 80
    ink = np.asarray(nn.remove_paper(sheet(light - stroke)))
    assert ink[44:116, 92:98].mean() == pytest.approx(80, abs=8)
    paper = ink[stroke == 0]
    assert np.median(paper) < 8 and paper.max() < 40


def test_ink_is_connected_across_gaps_of_four_pixels():
    for gap in range(1, 8):
        mask = np.zeros((20, 60), bool)
        mask[8:12, 10:20] = True
        mask[8:12, 20 + gap : 40] = True
        kept = nn.connected(mask, (15, 10))
        assert kept[:, :20].sum() == 40
        assert kept[:, 20:].any() == (gap <= 4)
        assert not kept[~mask].any()


def test_a_paler_line_that_runs_out_of_the_picture_is_left_out():
    ink = Image.new("L", (200, 200))
    ImageDraw.Draw(ink).line([0, 120, 200, 124], 90, 3)  # paler than the pen
    ImageDraw.Draw(ink).line([100, 40, 100, 160], 200, 9)
    digit = nn.find_digit(ink)
    assert digit.min() == 0 and digit.max() == 1
    box = Image.fromarray(digit > 0).getbbox()
    assert np.allclose(box, (96, 40, 104, 160), atol=2)


def test_pale_ends_of_a_digit_that_reaches_the_edges_are_kept():
    cross = np.zeros((120, 120))  # it fills its picture
    cross[55:65] = cross[:, 55:65] = 80
    cross[30:90, 55:65] = cross[55:65, 30:90] = 200
    bar = np.zeros((120, 120))  # it touches one edge, and nothing frees it from there
    bar[:60, 55:65] = 200
    bar[60:100, 55:65] = 80
    for ink in (cross, bar):
        digit = nn.find_digit(sheet(ink))
        assert np.array_equal(digit > 0, ink > 0)


def test_a_thin_pen_is_widened_and_a_thick_one_left():
    widths = []
    for width in (1, 3, 12, 20):
        ink = Image.new("L", (112, 112))
        ink.paste(255, (40, 20, 40 + width, 92))
        box = nn.thicken(ink).getbbox()
        widths.append(box[2] - box[0])
    assert 8 <= widths[0] <= 11 and 8 <= widths[1] <= 11
    assert widths[2:] == [12, 20]


def test_the_centre_of_mass_comes_to_the_middle():
    ink = np.zeros((150, 170))
    ink[20:120, 30:50] = 1
    ink[100:120, 30:110] = 0.9
    page = nn.prepare(ink).reshape(28, 28)
    down, across = np.indices((28, 28))
    assert abs(np.average(down, weights=page) - 14) <= 0.5
    assert abs(np.average(across, weights=page) - 14) <= 0.5
    left, top, right, bottom = Image.fromarray(page).getbbox()
    assert max(right - left, bottom - top) in (19, 20)


# What the program says


@pytest.fixture
def tell(tmp_path, network, capsys):
    """Hand pictures, or the bytes of files, to the program as 0.png, 1.png and so on."""

    def tell(*contents, network=network):
        paths = [tmp_path / f"{i}.png" for i in range(len(contents))]
        for path, content in zip(paths, contents):
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                content.save(path)
        shown = nn.read_handwriting(paths, network)
        output, errors = capsys.readouterr()
        return SimpleNamespace(output=output, errors=errors, read=shown)

    return tell


def test_each_picture_is_answered_and_shown_beside_its_answer(ten, network, tell):
    pictures = [photograph(row) for row in ten]
    told = tell(*pictures)
    assert len(told.read) == 10 and told.errors == ""
    lines = [line for line in told.output.splitlines() if ".png" in line]
    figure = nn.plot_handwriting(told.read, network)
    shown = np.reshape(figure.axes, (10, 4))
    for digit, picture in enumerate(pictures):
        row = read(picture)
        A2 = nn.forward(network, nn.to_columns(row[None])).A2
        assert f"{digit}.png: read as {A2.argmax()} ({A2.max():.0%})" in lines[digit]
        assert "digits" not in lines[digit]
        original, seen, _, bars = shown[digit]
        opened = ImageOps.contain(picture, (nn.SIDE, nn.SIDE))
        assert np.array_equal(original.images[0].get_array(), opened)
        assert np.array_equal(seen.images[0].get_array(), row.reshape(28, 28))
        heights = [bar.get_height() for bar in bars.patches]
        assert heights == pytest.approx(100 * A2[:, 0], abs=0.1)


def test_of_several_digits_the_middle_one_is_read(ten, tell):
    row = Image.new("L", (600, 240), 220)
    for left, digit in ((20, 3), (240, 7), (450, 2)):
        row.paste(photograph(ten[digit], margin=20), (left, 40))
    line = tell(row).output.splitlines()[-1]
    assert "read as 7" in line and "3 digits" in line


def test_doubt_is_told(two, network, tell):
    shrug = nn.Parameters(*[0 * P for P in network])
    assert "not sure" in tell(photograph(two), network=shrug).output
    assert "not sure" not in tell(photograph(two)).output


PAGE = Image.new("L", (300, 200), 210)
UNREADABLE = {
    "white": PAGE,
    "black": Image.new("L", (300, 200), 0),
    "light": light_from_the_left(PAGE),
    "grain": speckle(PAGE),
    "no file": b"",
    "no picture": b"no picture",
    "half a picture": b"\x89PNG\r\n\x1a\n" + bytes(50),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_is_one_line_and_the_next_is_read(kind, two, tell):
    told = tell(UNREADABLE[kind], photograph(two))
    assert len(told.read) == 1 and "1.png: read as 2" in told.output
    assert told.errors.startswith("error: ") and told.errors.count("\n") == 1
    assert "0.png" in told.errors
    is_page = isinstance(UNREADABLE[kind], Image.Image)
    assert ("empty" in told.errors) == is_page


# The board


class Hand:
    """What a mouse does on the board."""

    def __init__(self, network):
        self.board = nn.DrawingBoard(network)
        self.canvas = self.board.figure.canvas
        self.blits = 0
        self.canvas.blit = self.count
        self.board.read(0)

    def count(self, box=None):
        self.blits += 1

    def do(self, name, place, button=None, axes=0):
        x, y = self.board.figure.axes[axes].transData.transform(place)
        event = MouseEvent(f"{name}_event", self.canvas, x, y, button)
        self.canvas.callbacks.process(event.name, event)

    def press(self, key):
        x, y = self.board.figure.axes[0].transData.transform((50, 50))
        event = KeyEvent("key_press_event", self.canvas, key, x, y)
        self.canvas.callbacks.process(event.name, event)

    def draw(self, *places):
        self.do("button_press", places[0], 1)
        for place in places[1:]:
            self.do("motion_notify", place)
        self.do("button_release", places[-1], 1)

    def page(self):
        return np.array(self.board.page)

    def shown(self):
        """What the panels show: the page, what is seen, what is passed on, bars, words."""
        page, seen, hidden, answer = self.board.figure.axes
        shown = SimpleNamespace()
        shown.page = page.images[0].get_array()
        shown.seen = seen.images[0].get_array()
        shown.passed_on = hidden.patches[0].get_data().values
        shown.bars = np.array([bar.get_height() for bar in answer.patches])
        shown.words = answer.texts[0].get_text()
        return shown


@pytest.fixture
def hand(network):
    return Hand(network)


SEVEN = [(30, 30), (80, 30), (60, 60), (45, 95)]


def test_a_board_that_nobody_keeps_goes_on():
    network = nn.initialize(np.random.default_rng(0))
    board = weakref.ref(nn.DrawingBoard(network))
    gc.collect()
    assert board() is not None


def test_every_movement_is_drawn_at_once(hand):
    hand.do("button_press", (20, 20), 1)
    for x, y in ((90, 20), (90, 90)):
        hand.blits = 0
        hand.do("motion_notify", (x, y))
        assert hand.page()[y, x] == 255
        assert hand.blits == 1
        assert np.array_equal(hand.shown().page, hand.page())
    page = hand.page()
    assert page[20, 20:90].all()
    assert page[20:90, 90].all()
    assert not page[40:, :80].any()


def test_the_board_reads_its_page(network, hand):
    hand.draw(*SEVEN)
    artists = hand.board.read(0)
    row = nn.prepare(hand.page() / 255)
    activations = nn.forward(network, nn.to_columns(row[None]))
    shown = hand.shown()
    assert np.array_equal(shown.page, hand.page())
    assert np.array_equal(shown.seen, row.reshape(28, 28))
    A1 = activations.A1[:, 0]
    assert shown.passed_on == pytest.approx(A1 / A1.max())
    assert shown.bars == pytest.approx(100 * activations.A2[:, 0], abs=1e-3)
    assert "7" in shown.words and shown.bars.argmax() == 7
    for axes in hand.board.figure.axes:  # all that changed is drawn again
        assert any(artist.axes is axes for artist in artists)


def test_the_board_shows_what_an_activation_below_zero_passes_on(monkeypatch, hand):
    monkeypatch.setattr(nn, "relu", np.tanh)  # an exercise
    hand.draw(*SEVEN)
    hand.board.read(0)
    lowest, highest = hand.board.figure.axes[2].get_ylim()
    passed_on = hand.shown().passed_on
    assert lowest <= passed_on.min() < 0 and passed_on.max() <= highest


@pytest.mark.parametrize("how", ["right click", "x", "q", "l"])
def test_the_board_is_wiped_and_shows_no_bars(how, hand):
    """By a right click or any key; Matplotlib's q would close the window, l change an axis."""
    hand.draw(*SEVEN)
    hand.board.read(0)
    if how == "right click":
        hand.do("button_press", (50, 50), 3)
        hand.do("button_release", (50, 50), 3)
    else:
        hand.press(how)
    assert plt.fignum_exists(hand.board.figure.number)
    assert hand.board.figure.axes[0].get_yscale() == "linear"
    hand.board.read(0)
    shown = hand.shown()
    for numbers in (shown.page, shown.seen, shown.passed_on, shown.bars):
        assert not numbers.any()
    assert shown.words == ""
    hand.draw(*SEVEN)
    hand.board.read(0)
    assert hand.shown().bars.argmax() == 7


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
