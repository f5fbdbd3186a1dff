"""The recipes of docs/Data.md do what they say: each is run, as it stands, on a small file."""

import gzip
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import Neural_Network_from_Scratch as nn
from conftest import photograph

PAGE = Path(nn.__file__).parent / "docs" / "Data.md"
PYTHON = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
FIRST, *RECIPES = PYTHON.findall(PAGE.read_text("utf-8"))
# Every shade and every digit, and nothing that is the same from left and from right.
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
ROWS = PIXELS.reshape(20, 784)
LABELS = np.repeat(np.arange(10, dtype=np.uint8), 2)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_folder(pictures, labels):
    for i, (label, picture) in enumerate(zip(labels, pictures)):
        folder = Path("digits", str(label))
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"{i:04}.png")


def make_idx(beginning, pictures):
    """MNIST's own form: a header of whole numbers, big end first, and bytes."""
    files = {"images-idx3": [0x803, 20, 28, 28], "labels-idx1": [0x801, 20]}
    for (name, header), content in zip(files.items(), (pictures, LABELS)):
        content = np.array(header, ">i4").tobytes() + content.tobytes()
        Path(f"{beginning}-{name}-ubyte.gz").write_bytes(gzip.compress(content))


@pytest.fixture
def files(monkeypatch):
    """The same pictures and labels in each form."""
    make_folder([Image.fromarray(picture) for picture in PIXELS], LABELS)
    make_idx("train", PIXELS)
    make_idx("emnist-digits-train", PIXELS.swapaxes(1, 2))  # on their side
    np.savez("mnist.npz", x_train=PIXELS, y_train=LABELS)
    training = (ROWS / np.float32(256), LABELS.astype(np.int64))
    Path("mnist.pkl.gz").write_bytes(gzip.compress(pickle.dumps((training, None, None))))
    pd.DataFrame(ROWS).assign(**{"class": LABELS}).to_csv("mnist_784.csv", index=False)
    # Parquet as pandas gives it, whether or not something is installed that reads it.
    images = [{"bytes": path.read_bytes()} for path in sorted(Path().glob("digits/*/*"))]
    table = pd.DataFrame({"image": images, "label": LABELS})
    monkeypatch.setattr(pd, "read_parquet", {"train-00000-of-00001.parquet": table}.get)


def run(word):
    """Run the first lines and the one recipe in which the word stands."""
    (recipe,) = [recipe for recipe in RECIPES if word in recipe]
    exec(FIRST + recipe, {})


def assert_written(pixels, labels):
    """The program reads this from what a recipe wrote."""
    found_pixels, found_labels = nn.read_digits(Path("mine.csv.gz"))
    assert np.array_equal(found_pixels, pixels)
    assert found_labels.tolist() == list(labels)


FORMS = ["Image.open(path)", '"train-images', "emnist", '"mnist.npz"', "pickle.load"]
FORMS += ["parquet", "mnist_784"]


@pytest.mark.parametrize("word", FORMS)
def test_a_form_becomes_ours(files, word):
    run(word)
    assert_written(ROWS, LABELS)


def test_folders_of_photographs(digits):
    labels = digits[1][:5]
    make_folder([photograph(row) for row in digits[0][:5]], labels)
    run("nn.read_picture(path) for path in paths")
    paths = sorted(Path().glob("digits/*/*"))
    assert_written([nn.read_picture(path) for path in paths], sorted(labels))


def test_8_by_8():
    sixteenths = np.zeros((20, 8, 8))
    sixteenths[:, 1:7, 3:6] = 1 + np.arange(20)[:, None, None] % 16
    np.save("digits_8x8.npy", sixteenths)
    np.save("digits_8x8_labels.npy", LABELS)
    run("digits_8x8")
    assert_written([nn.prepare(picture / 16) for picture in sixteenths], LABELS)


@pytest.mark.parametrize("letters", [range(26, 6, -1), "QWERTYUIOPASDFGHJKLZ"])
def test_letters(letters):
    table = pd.DataFrame(ROWS)
    table.insert(0, "label", list(letters))
    table.to_csv("sign_mnist_train.csv", index=False)
    run("sign_mnist")
    kinds = sorted(letters)[:10]
    kept = [i for i in range(20) if letters[i] in kinds]
    assert_written(ROWS[kept], [kinds.index(letters[i]) for i in kept])


def test_submission():
    pd.DataFrame(ROWS).to_csv("test.csv", index=False)
    network = nn.initialize(np.random.default_rng(3))
    nn.save_network(Path("mine.npz"), network)
    run("submission")
    answers = nn.predict(network, nn.to_columns(ROWS)).argmax(axis=0)
    assert len(set(answers)) > 1
    expected = [f"{i},{answer}" for i, answer in enumerate(answers, 1)]
    assert Path("submission.csv").read_text().split() == ["ImageId,Label", *expected]


def test_every_recipe_is_run():
    """FORMS, and four: photographs, 8 by 8, letters, Kaggle's submission."""
    assert len(RECIPES) == len(FORMS) + 4
