"""Measure how well your own handwriting is read:

    python tests/handwriting.py FOLDER

The label of a picture is the last digit of its name before the ending: 001_photo_7.jpg is a 7.
Trains both networks of the README, and prints a line for each picture, and the totals. Before them
it prints the median width of a stroke in the training digits, which is the constant PEN in Part 7,
and how many more of 500 test digits are misread as photographs, as in tests/test_handwriting.py.
"""

import argparse
import os
import re
import sys
import time
from functools import partial
from pathlib import Path

for library in ("OPENBLAS", "MKL"):  # as the program does: one core for each product
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np  # noqa: E402
from test_handwriting import points_lost  # noqa: E402

import Neural_Network_from_Scratch as nn  # noqa: E402

NETWORKS = {"default": "10 hidden neurons", "large": "256 hidden neurons"}


def trained(name, data, seed):
    """The network that the program learns with its default options, or with those of the README
    for 256 hidden neurons."""
    rng = np.random.default_rng(seed)
    (pixels, labels), test = nn.split(*data, nn.TEST_SIZE, rng)
    if name == "large":
        start, iterations, rate = nn.initialize_he(rng, hidden=256), 6420, 0.5
        batches = nn.mini_batches(pixels, labels, 128, rng)

        def look(parameters):
            return nn.gradient(parameters, *next(batches))

    else:
        start, iterations, rate = nn.initialize(rng), 750, 0.1
        look = partial(nn.gradient_in_blocks, blocks=nn.make_blocks(pixels, labels))
    steps = nn.train(start, look, rate)
    learnt = next(learnt for i, (learnt, _, _) in enumerate(steps) if i == iterations)
    for kind, thin in (
        ("photographs of test digits", False),
        ("the same, with thinned strokes", True),
    ):
        print(f"{name}, {kind}: {points_lost(learnt, test, thin):.1f} points worse", flush=True)
    return learnt


def stroke_width(pixels):
    """The median width of a stroke in these pictures, (m, 784), in pixels."""
    return np.median([nn.pen_width(ink / 255) for ink in pixels.reshape(-1, 28, 28)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=nn.SEED)
    options = parser.parse_args()
    files = {
        path: int(re.findall("[0-9]", path.stem)[-1])
        for path in sorted(options.folder.iterdir())
        if re.search("[0-9]", path.stem) and path.suffix.lower() not in (".tsv", ".md", ".txt")
    }
    data = nn.load_digits(nn.DATA)
    print(f"median stroke of the digits to learn from: {stroke_width(data[0]):.2f}, PEN {nn.PEN}")
    networks = {name: trained(name, data, options.seed) for name in NETWORKS}
    correct, began = dict.fromkeys(NETWORKS, 0), time.perf_counter()
    for path, label in files.items():
        try:
            X = nn.to_columns(nn.read_picture(path)[None])
        except (ValueError, OSError) as error:
            print(f"{path.name}: {error}")
            continue
        said = f"{path.name}: a {label}"
        for name, parameters in networks.items():
            A2 = nn.forward(parameters, X).A2
            correct[name] += A2.argmax() == label
            verdict = "" if A2.argmax() == label else " WRONG"
            said += f", {name} reads {A2.argmax()} ({A2.max():.0%}){verdict}"
        print(said)
    print(f"{len(files)} pictures in {time.perf_counter() - began:.1f} s")
    for name, meaning in NETWORKS.items():
        print(f"{name}, {meaning}, seed {options.seed}: {correct[name]} of {len(files)}")


if __name__ == "__main__":
    main()
