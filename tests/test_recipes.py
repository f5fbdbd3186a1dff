"""The recipes of the section "Data of your own" do what they say: they are run as they stand."""

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

TEXT = Path(__file__).resolve().parents[1] / "README.md"
SECTION = TEXT.read_text(encoding="utf-8").partition("## Data of your own\n")[2].split("\n## ")[0]
FIRST, *RECIPES = re.findall(r"^```python\n(.*?)^```", SECTION, re.M | re.S)
# Every shade and every digit, and nothing that is the same from left and from right.
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = np.random.default_rng(0).permutation(20).astype(np.uint8) % 10


def png(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def run(word):
    """Run the first lines and the recipe in which the word stands."""
    (recipe,) = [recipe for recipe in RECIPES if word in recipe]
    assert len(recipe.splitlines()) <= 6
    names = {}
    exec(FIRST + recipe, names)
    return names


def written():
    """What the program reads of the file that a recipe has written."""
    return nn.load_or_explain(Path("mine.csv.gz"))


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def table(labels=LABELS):
    pixels = pd.DataFrame(PIXELS.reshape(20, 784), columns=[f"pixel{i + 1}" for i in range(784)])
    return pixels.assign(label=labels)[["label", *pixels.columns]]


def idx():
    for name, header, content in (
        ("images-idx3", [0x803, 20, 28, 28], PIXELS),
        ("labels-idx1", [0x801, 20], LABELS),
    ):
        packed = gzip.compress(np.array(header, ">i4").tobytes() + content.tobytes())
        Path(f"train-{name}-ubyte.gz").write_bytes(packed)


def npz():
    np.savez("mnist.npz", x_train=PIXELS, y_train=LABELS, x_test=PIXELS[:1], y_test=LABELS[:1])


def pickled():
    part = (PIXELS.reshape(20, 784) / np.float32(256), LABELS.astype(np.int64))  # as there
    with gzip.open("mnist.pkl.gz", "wb") as file:
        pickle.dump((part, part, part), file, protocol=2)


def openml():
    columns = table().rename(columns={"label": "class"})
    columns[[*columns.columns[1:], "class"]].to_csv("mnist_784.csv", index=False)


@pytest.mark.parametrize(
    ("make", "word"),
    [(idx, "idx3"), (npz, '"mnist.npz"'), (pickled, "pickle.load"), (openml, "mnist_784")],
)
def test_recipe(make, word):
    make()
    run(word)
    pixels, labels = written()
    assert np.array_equal(pixels, PIXELS.reshape(20, 784))
    assert np.array_equal(labels, LABELS)


def test_parquet(monkeypatch):
    """The table as pandas gives it, whether or not something is installed that reads parquet."""
    images = [{"bytes": png(picture), "path": None} for picture in PIXELS]
    rows = pd.DataFrame({"image": images, "label": LABELS})
    monkeypatch.setattr(pd, "read_parquet", {"train-00000-of-00001.parquet": rows}.__getitem__)
    run("read_parquet")
    pixels, labels = written()
    assert np.array_equal(pixels, PIXELS.reshape(20, 784))
    assert np.array_equal(labels, LABELS)


@pytest.mark.parametrize("letters", [np.arange(20) * 7 % 26, list("QWERTYUIOPASDFGHJKLZ")])
def test_letters(letters):
    table(letters).to_csv("sign_mnist_train.csv", index=False)
    run("sign_mnist")
    pixels, labels = written()
    kept = [i for i in range(20) if letters[i] in sorted(letters)[:10]]
    assert np.array_equal(pixels, PIXELS.reshape(20, 784)[kept])
    assert labels.tolist() == [sorted(letters).index(letters[i]) for i in kept]
    assert sorted(labels) == list(range(10))


def test_submission():
    table().drop(columns="label").to_csv("test.csv", index=False)
    parameters = nn.initialize(np.random.default_rng(3))
    np.savez("mine.npz", **parameters._asdict())
    run("submission")
    answers = nn.forward(parameters, nn.to_columns(PIXELS.reshape(20, 784))).A2.argmax(axis=0)
    lines = Path("submission.csv").read_text().splitlines()
    assert len(set(answers)) > 1
    assert lines == ["ImageId,Label", *(f"{i},{answer}" for i, answer in enumerate(answers, 1))]


def test_every_recipe_is_run():
    words = ["idx3", '"mnist.npz"', "pickle.load", "read_parquet", "mnist_784", "sign_mnist"]
    words += ["submission"]
    assert [sum(word in recipe for word in words) for recipe in RECIPES] == [1] * len(words)
