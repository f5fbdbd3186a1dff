"""The recipes of docs/Data.md do what they say: each is run, as it stands, on a small file."""

import gzip
import io
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import photograph
from PIL import Image

import Neural_Network_from_Scratch as nn

PAGE = Path(nn.__file__).parent / "docs" / "Data.md"
PYTHON = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
FIRST, *RECIPES = PYTHON.findall(PAGE.read_text("utf-8"))
# Every shade and every digit, and nothing that is the same from left and from right.
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = np.repeat(np.arange(10, dtype=np.uint8), 2)


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


def make_folder(pictures, labels):
    for i, (label, picture) in enumerate(zip(labels, pictures)):
        folder = Path("digits", str(label))
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"{i:04}.png")


def make_ready_pictures():
    make_folder([Image.fromarray(picture) for picture in PIXELS], LABELS)


def make_idx():
    packed("train-images-idx3-ubyte.gz", [0x803, 20, 28, 28], PIXELS)
    packed("train-labels-idx1-ubyte.gz", [0x801, 20], LABELS)


def make_emnist():
    sideways = np.ascontiguousarray(PIXELS.swapaxes(1, 2))
    packed("emnist-digits-train-images-idx3-ubyte.gz", [0x803, 20, 28, 28], sideways)
    packed("emnist-digits-train-labels-idx1-ubyte.gz", [0x801, 20], LABELS)


def make_npz():
    test = {"x_test": PIXELS[:1], "y_test": LABELS[:1]}
    np.savez("mnist.npz", x_train=PIXELS, y_train=LABELS, **test)


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
    "pictures = [np.asarray(Image.open(path)": make_ready_pictures,
    '"train-images-idx3': make_idx,
    "emnist": make_emnist,
    '"mnist.npz"': make_npz,
    "pickle.load": make_pickle,
    "mnist_784": make_openml,
}


@pytest.mark.parametrize("word", FORMS)
def test_recipe(word):
    FORMS[word]()
    run(word)
    assert_written(PIXELS, LABELS)


def test_folders_of_photographs(digits):
    pictures = [photograph(row) for row in digits[0][:5]]
    make_folder(pictures, range(5))
    run("nn.read_picture(path) for path in paths")
    files = sorted(Path("digits").glob("*/*"))
    assert_written([nn.read_picture(file) for file in files], range(5))


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


def test_8_by_8():
    sixteenths = np.zeros((20, 8, 8))
    sixteenths[:, 1:7, 3:6] = 1 + np.arange(20)[:, None, None] % 16
    np.save("digits_8x8.npy", sixteenths)
    np.save("digits_8x8_labels.npy", LABELS)
    run("digits_8x8")
    assert_written([nn.prepare(picture / 16) for picture in sixteenths], LABELS)


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
    """FORMS, and five: photographs, parquet, 8 by 8, letters, Kaggle's submission."""
    assert len(RECIPES) == len(FORMS) + 5
