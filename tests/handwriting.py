"""How well Part 7 reads the handwriting of other people, and what each of its steps is worth.

python tests/handwriting.py FOLDER           3 seeds (0 to 2), about 10 minutes
python tests/handwriting.py FOLDER 1         only seed 0

The digit that was meant is the last one in a picture's name: 001_photo_7.jpg is a 7. All numbers
are of the default network / the large one of Part 9, means over the seeds.
"""

import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image, ImageChops, ImageOps

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import Neural_Network_from_Scratch as nn

LARGE = "--hidden 256 --init he --batch-size 128 --iterations 6420 --learning-rate 0.5"


def train(*options):
    """The network that the program learns with these options."""
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/network.npz"
        command = [sys.executable, nn.__file__, "--no-show", "--figures", folder]
        command += ["--save", file, *options]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return nn.load_network(file)


def open_cut(path):
    """Open the picture, but cut, as it is in its file, to where the recipe finds the digit."""
    grey = nn.open_picture(path)
    digit = nn.find_digit(nn.remove_paper(nn.darken(grey)))
    box = Image.fromarray(digit > 0.5).getbbox()
    with Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    scale = max(upright.size) / max(grey.size)
    file = io.BytesIO()
    upright.crop([round(scale * edge) for edge in box]).save(file, "PNG")
    return nn.open_picture(file)


def read(pictures):
    """What Part 7 makes of opened pictures, as rows of 784 pixels: zeros where it gives up."""
    rows = np.zeros((len(pictures), nn.PIXELS), np.uint8)
    for row, picture in zip(rows, pictures):
        try:
            row[:] = nn.prepare(nn.find_digit(nn.remove_paper(nn.darken(picture))))
        except ValueError:
            continue
    return rows


def find_right(pair, rows, labels):
    """Is each picture read rightly, by the default network and by the large one? (2, m)."""
    X = nn.to_columns(rows)
    answers = [nn.predict(network, X).argmax(axis=0) for network in pair]
    return rows.any(axis=1) & np.equal(answers, labels)


def print_row(name, *columns):
    """Each column holds numbers of both networks of each seed: their means are shown."""
    means = [np.mean(column, axis=0) for column in columns]
    shown = [f"{default:6.1f} / {large:5.1f}" for default, large in means]
    print(f"{name:14}  {'  '.join(shown)}", flush=True)


# The recipe with one step left out, or done in the simplest way that one can think of.


def subtract_median(grey):
    """Paper is one grey everywhere: the median."""
    paper = Image.new("L", grey.size, int(np.median(grey)))
    return ImageChops.subtract(paper, grey)


def keep_all_ink(ink):
    """Whatever is darker than half the pen is the digit."""
    pen = ink.filter(nn.ImageFilter.MaxFilter(5)).getpixel(nn.find_start(ink))
    values = np.asarray(ink)
    piece = values > pen / 2
    digit = values * piece / np.median(values[piece])
    return digit.clip(0, 1)


def centre_box(ink):
    """`prepare`, but the middle of the digit's box comes to where its centre of mass came."""
    ink = nn.fit(Image.fromarray(np.uint8(255 * ink)), 80)
    ink = nn.fit(nn.thicken(ImageOps.expand(ink, 16)), 19)
    page = ImageOps.pad(ink, (19, 19), Image.BOX)
    return np.ravel(ImageOps.expand(page, (5, 5, 4, 4)))


INSTEAD = {
    "darken": Image.Image.copy,  # changes nothing
    "remove_paper": subtract_median,
    "find_digit": keep_all_ink,
    "thicken": Image.Image.copy,
    "prepare": centre_box,
}


def measure_steps(pairs, folder):
    """The table of Part 7, and what most of the large networks misread."""
    endings = Image.registered_extensions()
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in endings]
    labels = [int(re.findall("[0-9]", path.stem)[-1]) for path in paths]
    whole = [nn.open_picture(path) for path in paths]
    tight = [open_cut(path) for path in paths]

    def measure(name):
        columns = []
        for rows in (read(whole), read(tight)):
            right = [find_right(pair, rows, labels) for pair in pairs]
            columns.append(np.sum(right, axis=2))
        print_row(name, *columns)
        return right

    print(f"{len(paths)} pictures      as they are      cut tightly")
    print("left out")
    right = measure("nothing")
    for name, function in INSTEAD.items():
        with mock.patch.object(nn, name, function):
            measure(name)
    _, share = np.mean(right, axis=0)  # of the large networks
    names = [path.stem for path, part in zip(paths, share) if part < 0.5]
    print("most large networks misread, cut tightly:", *names)


def enlarge(pixels, dark, margin):
    """A digit of MNIST, ten times as large, with its margin or cut to its ink."""
    picture = Image.fromarray(pixels.reshape(28, 28))
    if not margin:
        half = picture.point([0] * 128 + [255] * 128)
        picture = picture.crop(half.getbbox())
    if dark:
        picture = ImageOps.invert(picture)
    enlarged = ImageOps.scale(picture, 10, Image.BICUBIC)
    return ImageOps.contain(enlarged, (nn.SIDE, nn.SIDE))  # as `open_picture` would


def measure_enlarged(pairs, count=300):
    """Points lost by the first test digits of each seed, when they are enlarged ten times."""
    digits = nn.load_digits(nn.DATA)
    print(f"points lost by {count} test digits of MNIST, enlarged ten times")
    for name in ("dark, margin", "light, margin", "dark, tight", "light, tight"):
        lost = []
        for seed, pair in enumerate(pairs):
            rng = np.random.default_rng(seed)
            _, test = nn.split(*digits, nn.TEST_SIZE, rng)
            pixels, labels = [part[:count] for part in test]
            rows = read(
                [enlarge(row, "dark" in name, "margin" in name) for row in pixels]
            )
            before = find_right(pair, pixels, labels).mean(axis=1)
            after = find_right(pair, rows, labels).mean(axis=1)
            lost.append(100 * (before - after))
        print_row(name, lost)


def main(folder, seeds="3"):
    pairs = []
    for seed in range(int(seeds)):
        options = ["--seed", str(seed)]
        default = train(*options)
        pairs.append([default, train(*options, *LARGE.split())])
    measure_steps(pairs, Path(folder))
    measure_enlarged(pairs)


if __name__ == "__main__":
    main(*sys.argv[1:])
