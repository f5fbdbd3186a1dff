"""The recipes of docs/Data.md do what they say: each is run, as it stands, on a small file."""

import gzip
import io
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import Neural_Network_from_Scratch as nn

PAGE = Path(nn.__file__).parent / "docs" / "Data.md"
PYTHON = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
FIRST, *RECIPES = PYTHON.findall(PAGE.read_text("utf-8"))
# Every shade and every digit, and nothing that is the same from left and from right.
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = RNG.permutation(20).astype(np.uint8) % 10


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def packed(name, header, content):
    """Write a file as idx has it: a header of whole numbers, big end first, and bytes."""
    header = np.array(header, ">i4")
    Path(name).write_bytes(gzip.compress(header.tobytes() + content.tobytes()))


def table(labels=LABELS):
    columns = [f"pixel{i + 1}" for i in range(784)]
    pixels = pd.DataFrame(PIXELS.reshape(20, 784), columns=columns)
    pixels.insert(0, "label", labels)
    return pixels


def make_folder():
    for i, (label, picture) in enumerate(zip(LABELS, PIXELS)):
        folder = Path("digits", str(label))
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{i:04}.png")


def make_idx():
    packed("train-images-idx3-ubyte.gz", [0x803, 20, 28, 28], PIXELS)
    packed("train-labels-idx1-ubyte.gz", [0x801, 20], LABELS)


def make_emnist():
    sideways = np.ascontiguousarray(PIXELS.swapaxes(1, 2))
    packed("emnist-digits-train-images-idx3-ubyte.gz", [0x803, 20, 28, 28], sideways)
    packed("emnist-digits-train-labels-idx1-ubyte.gz", [0x801, 20], LABELS)


def make_qmnist():
    labels = np.arange(160).reshape(20, 8).astype(">i4")
    labels[:, 0] = LABELS
    packed("qmnist-train-images-idx3-ubyte.gz", [0x803, 20, 28, 28], PIXELS)
    packed("qmnist-train-labels-idx2-int.gz", [0xC02, 20, 8], labels)


def make_npz():
    test = {"x_test": PIXELS[:1], "y_test": LABELS[:1]}
    np.savez("mnist.npz", x_train=PIXELS, y_train=LABELS, **test)


def make_kmnist():
    np.savez("kmnist-train-imgs.npz", PIXELS)
    np.savez("kmnist-train-labels.npz", LABELS)


def make_pickle():
    part = (PIXELS.reshape(20, 784) / np.float32(256), LABELS.astype(np.int64))
    with gzip.open("mnist.pkl.gz", "wb") as file:
        pickle.dump((part, part, part), file, protocol=2)


def make_openml():
    columns = table().rename(columns={"label": "class"})
    columns[[*columns.columns[1:], "class"]].to_csv("mnist_784.csv", index=False)


def run(word):
    """Run the first lines and the one recipe in which the word stands."""
    (recipe,) = [recipe for recipe in RECIPES if word in recipe]
    exec(FIRST + recipe, {})


def assert_written(pixels, labels):
    """The program reads this from what a recipe wrote."""
    found_pixels, found_labels = nn.read_digits(Path("mine.csv.gz"))
    assert np.array_equal(found_pixels, np.reshape(pixels, (len(pixels), 784)))
    assert found_labels.tolist() == list(labels)


FORMS = {
    '"train-images-idx3': make_idx,
    "emnist": make_emnist,
    "qmnist": make_qmnist,
    '"mnist.npz"': make_npz,
    "kmnist": make_kmnist,
    "pickle.load": make_pickle,
    "mnist_784": make_openml,
}


@pytest.mark.parametrize("word", FORMS)
def test_recipe(word):
    FORMS[word]()
    run(word)
    assert_written(PIXELS, LABELS)


def test_folders_of_ready_pictures():
    make_folder()
    run("pictures = [np.asarray(Image.open(path)")
    order = np.argsort(LABELS, kind="stable")
    assert_written(PIXELS[order], LABELS[order])


def test_folders_of_photographs(digits):
    """The first digit of each kind, enlarged, black on white."""
    files = [Path("digits", str(label), "0001.png") for label in range(10)]
    for label, file in enumerate(files):
        first = digits[0][digits[1] == label][0].reshape(28, 28)
        paper = 255 - np.kron(first, np.ones((4, 4), np.uint8))
        file.parent.mkdir(parents=True)
        Image.fromarray(paper).save(file)
    run("nn.read_picture(path) for path in paths")
    assert_written([nn.read_picture(file) for file in files], range(10))


def test_parquet(monkeypatch):
    """The table as pandas gives it, whether or not something is installed that reads it."""
    images = []
    for picture in PIXELS:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "PNG")
        images.append({"bytes": buffer.getvalue(), "path": None})
    rows = pd.DataFrame({"image": images, "label": LABELS})
    monkeypatch.setattr(pd, "read_parquet", {"train-00000-of-00001.parquet": rows}.get)
    run("read_parquet")
    assert_written(PIXELS, LABELS)


def small_digits(digits, side):
    """The first 20 digits, shrunk; ink from 0 to 1."""
    small = []
    for row in digits[0][:20]:
        picture = Image.fromarray(row.reshape(28, 28))
        small.append(np.asarray(picture.resize((side, side), Image.Resampling.BOX)))
    return np.array(small) / 255, digits[1][:20]


def test_8_by_8_and_16_by_16(digits):
    ink, labels = small_digits(digits, 8)
    sixteenths = np.round(16 * ink)
    np.save("digits_8x8.npy", sixteenths)
    np.save("digits_8x8_labels.npy", labels)
    run("digits_8x8")
    assert_written([nn.prepare(picture / 16) for picture in sixteenths], labels)

    ink, labels = small_digits(digits, 16)
    usps = np.column_stack([labels, 2 * ink.reshape(20, 256) - 1])
    np.savetxt("zip.train.gz", usps, fmt="%.4f")
    run("zip.train")
    shades = (np.round(2 * ink - 1, 4) + 1) / 2
    assert_written([nn.prepare(picture) for picture in shades], labels)

    black = (ink > 0.4).astype(float)
    semeion = np.column_stack([black.reshape(20, 256), np.eye(10)[labels]])
    np.savetxt("semeion.data", semeion, fmt="%.4f")
    run("semeion")
    assert_written([nn.prepare(picture) for picture in black], labels)


NUMBERS = np.arange(20) * 7 % 26


@pytest.mark.parametrize("letters", [NUMBERS, list("QWERTYUIOPASDFGHJKLZ")])
def test_letters(letters):
    table(letters).to_csv("sign_mnist_train.csv", index=False)
    run("sign_mnist")
    kinds = sorted(letters)[:10]
    kept = [i for i in range(20) if letters[i] in kinds]
    assert_written(PIXELS[kept], [kinds.index(letters[i]) for i in kept])


def test_submission():
    table().drop(columns="label").to_csv("test.csv", index=False)
    parameters = nn.initialize(np.random.default_rng(3))
    nn.save_network(Path("mine.npz"), parameters)
    run("submission")
    X = nn.to_columns(PIXELS.reshape(20, 784))
    answers = nn.forward(parameters, X).A2.argmax(axis=0)
    assert len(set(answers)) > 1
    header, *lines = Path("submission.csv").read_text().splitlines()
    assert header == "ImageId,Label"
    assert lines == [f"{i},{answer}" for i, answer in enumerate(answers, 1)]


def test_every_recipe_is_run():
    """FORMS, and eight: two of folders, parquet, 8 by 8, two of 16 by 16, letters, Kaggle's."""
    assert len(RECIPES) == len(FORMS) + 8
