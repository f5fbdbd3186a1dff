"""How well Part 7 reads the handwriting of other people, and what each of its steps is worth.

python tests/handwriting.py FOLDER                      3 seeds (0 to 2), about 10 minutes
python tests/handwriting.py FOLDER --seeds 1            one seed
python tests/handwriting.py FOLDER --networks NETS      keep the trained networks in NETS, and use
                                                        those that are there

The digit that was meant is the last one in a picture's name: 001_photo_7.jpg is a 7. All numbers
are of the default network / the large one of Part 9, means over the seeds.
"""

import argparse
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

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
LARGE = "--hidden 256 --init he --batch-size 128 --iterations 6420 --learning-rate 0.5"
OPTIONS = {"default": "", "large": LARGE}


def train(kind, seed, folder):
    """The network that the program learns and saves in this folder, or finds there."""
    path = folder / f"{kind}_{seed}.npz"
    if not path.exists():
        command = [sys.executable, nn.__file__, "--no-show", "--figures", folder]
        command += ["--seed", str(seed), "--save", path, *OPTIONS[kind].split()]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return nn.load_network(path)


def cut(path):
    """The picture as it is in its file, upright, but cut to where the recipe finds the digit."""
    grey = nn.open_picture(path)
    digit = nn.find_digit(nn.remove_paper(nn.darken(grey)))
    box = Image.fromarray(digit > 0.5).getbbox()
    with Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    scale = max(upright.size) / max(grey.size)
    edges = [round(scale * edge) for edge in box]
    file = io.BytesIO()
    upright.crop(edges).save(file, "PNG")
    return file


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


def read(pictures):
    """What Part 7 makes of opened pictures, as rows of 784 pixels: zeros where it gives up."""
    rows = np.zeros((len(pictures), nn.PIXELS), np.uint8)
    for i, picture in enumerate(pictures):
        try:
            rows[i] = nn.prepare(nn.find_digit(nn.remove_paper(nn.darken(picture))))
        except ValueError:
            continue
    return rows


def find_right(network, rows, labels):
    """For each picture: is it read rightly?"""
    answers = nn.forward(network, nn.to_columns(rows)).A2.argmax(axis=0)
    return rows.any(axis=1) & (answers == labels)


def count_right(networks, rows, labels):
    """How many are read rightly by the default and by the large networks, as text."""
    means = []
    for kind in OPTIONS:
        right = [find_right(network, rows, labels) for network in networks[kind]]
        means.append(np.sum(right) / len(right))
    return f"{means[0]:6.1f} / {means[1]:5.1f}"


# The recipe with one step left out, or done in the simplest way that one can think of.


def do_nothing(picture):
    return picture


def subtract_median(grey):
    """Paper is one grey everywhere: the median."""
    paper = Image.new("L", grey.size, int(np.median(grey)))
    return ImageChops.subtract(paper, grey)


def keep_all_ink(ink):
    """Whatever is darker than half the pen is the digit."""
    start = nn.find_start(ink)
    pen = ink.filter(nn.ImageFilter.MaxFilter(5)).getpixel(start)
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
    "darken": do_nothing,
    "remove_paper": subtract_median,
    "find_digit": keep_all_ink,
    "thicken": do_nothing,
    "prepare": centre_box,
}


def measure_steps(networks, folder):
    """The table of Part 7, and what most of the large networks misread."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS]
    labels = np.array([int(re.findall("[0-9]", path.stem)[-1]) for path in paths])
    whole = [nn.open_picture(path) for path in paths]
    tight = [nn.open_picture(cut(path)) for path in paths]

    def count_both():
        both = [count_right(networks, read(side), labels) for side in (whole, tight)]
        return "  ".join(both)

    print(f"{len(paths)} pictures      as they are      cut tightly")
    print(f"all steps       {count_both()}", flush=True)
    for name, function in INSTEAD.items():
        with mock.patch.object(nn, name, function):
            print(f"{name:14}  {count_both()}", flush=True)
    rows = read(tight)
    right = [find_right(network, rows, labels) for network in networks["large"]]
    wrong = np.flatnonzero(np.mean(right, axis=0) < 0.5)
    names = [paths[i].stem for i in wrong]
    print("most large networks misread, cut tightly:", *names)


def measure_enlarged(networks, seeds, count=300):
    """Points lost by the first test digits of each seed, when they are enlarged ten times."""
    digits = nn.load_digits(nn.DATA)
    tests = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        _, (pixels, labels) = nn.split(*digits, nn.TEST_SIZE, rng)
        tests.append((pixels[:count], labels[:count]))
    print(f"points lost by {count} test digits of MNIST, enlarged ten times")
    for name in ("dark, margin", "light, margin", "dark, tight", "light, tight"):
        lost = {kind: [] for kind in OPTIONS}
        for i, (pixels, labels) in enumerate(tests):
            pictures = [enlarge(row, "dark" in name, "margin" in name) for row in pixels]
            rows = read(pictures)
            for kind in OPTIONS:
                before = find_right(networks[kind][i], pixels, labels)
                after = find_right(networks[kind][i], rows, labels)
                lost[kind].append(100 * (before.mean() - after.mean()))
        means = [np.mean(lost[kind]) for kind in OPTIONS]
        print(f"{name:14}  {means[0]:6.1f} / {means[1]:5.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="of pictures")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--networks", type=Path, help="a folder to keep them in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.networks or Path(temporary)
        folder.mkdir(exist_ok=True)
        networks = {}
        for kind in OPTIONS:
            networks[kind] = [train(kind, seed, folder) for seed in options.seeds]
    measure_steps(networks, options.folder)
    measure_enlarged(networks, options.seeds)


if __name__ == "__main__":
    main()
