"""The embedded digits, and the tables that people bring: read as they are, or refused by place."""

import gzip
import hashlib
import re

import numpy as np
import pandas as pd
import pytest

import Neural_Network_from_Scratch as nn
from conftest import SCRIPT

DIGITS = np.random.default_rng(0).integers(0, 256, (12, 785))
DIGITS[:, 0] = np.arange(12) % 10
LINES = [",".join(row) for row in DIGITS.astype(str)]
LINES.insert(0, ",".join(["label", *[f"pixel{i}" for i in range(784)]]))
GOOD = "\n".join(LINES) + "\n"
INDEXED = "\n".join(f"{i},{line}" for i, line in enumerate(LINES[1:]))


def with_cell(column, text):
    """The good table with another cell in line 9; columns count from 1."""
    cells = LINES[8].split(",")
    cells[column - 1] = text
    return GOOD.replace(LINES[8], ",".join(cells))


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(read, path, *others):
    """The message, which is one line, names the file and says what was expected."""
    with np.errstate(all="ignore"), pytest.raises(ValueError) as caught:  # as in `main`
        read(path, *others)
    message = str(caught.value)
    assert message.isprintable() and path.name in message and nn.FORM in message
    return message


def test_the_embedded_file_is_what_its_readme_says(digits):
    pixels, labels = digits
    assert (pixels.shape, pixels.dtype) == ((42_000, 784), np.uint8)
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    folder = SCRIPT.parent / "mnist_data"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    packed = (folder / "train.csv.gz").read_bytes()
    assert hashlib.sha256(packed).hexdigest() in readme
    counts = np.bincount(labels)
    assert " | ".join(f"{count:,}" for count in counts) in readme


def forms(text):
    """The name of a file, what it holds if this table is in it, and where line 9 is then."""
    header, rows = text.split("\n", 1)
    yield "plain.csv", text
    yield "no_header.csv", rows
    yield "mark.csv", "\ufeff" + text
    yield "crlf.csv", text.replace("\n", "\r\n")
    yield "quotes.csv", re.sub(r"(\w+)", r'"\1"', text)
    yield "5.0.csv", re.sub(r"\b\d+\b", r"\g<0>.0", text)
    yield "spaces.csv", text.replace(",", ", ")
    yield "blank.csv", f"{header}\n\n{rows}"
    yield "packed.csv.gz", gzip.compress(text.encode())


def test_a_table_is_read_in_each_form_or_refused_with_the_place(tmp_path):
    for (name, good), (_, bad) in zip(forms(GOOD), forms(with_cell(42, "x"))):
        pixels, labels = nn.read_digits(write(tmp_path / name, good))
        assert (pixels.dtype, labels.dtype) == (np.uint8, np.uint8)
        assert np.array_equal(np.column_stack([labels, pixels]), DIGITS), name
        line = {"no_header.csv": 8, "blank.csv": 10}.get(name, 9)
        message = refusal(nn.read_digits, write(tmp_path / name, bad))
        assert f"line {line}, column 42: " in message, name


@pytest.mark.parametrize("ending", ["bz2", "xz", "zip"])
def test_packed_tables_are_read(tmp_path, ending):
    path = tmp_path / f"table.csv.{ending}"
    pd.DataFrame(DIGITS).to_csv(path, header=False, index=False)
    assert np.array_equal(nn.read_digits(path)[0], DIGITS[:, 1:])


@pytest.mark.parametrize("cell", ["x", "0.5", "-1", "", "nan", "10", "256"])
def test_a_bad_cell_is_refused_with_its_place(tmp_path, cell):
    column = 1 if cell in ("x", "10") else 785  # a label, or a pixel
    most = 9 if column == 1 else 255
    path = write(tmp_path / "table.csv", with_cell(column, cell))
    message = refusal(nn.read_digits, path)
    assert f"line 9, column {column}: '{cell}' is no" in message
    assert f"from 0 to {most};" in message


def refused():
    """The name of a file, what it holds, and what the message says of the place."""
    yield "many.csv", GOOD.replace(LINES[8], LINES[8] + ","), "line 9 has 786 columns"
    yield "few.csv", GOOD.replace(LINES[8], LINES[8][2:]), "line 9 has 784 columns"
    yield "wide.csv", GOOD.replace("\n", ",0\n"), "line 2 has 786 columns"
    yield "index.csv", f",{LINES[0]}\n{INDEXED}", "line 1 has 786 columns"
    yield "two.csv", with_cell(42, "x").replace(LINES[10], "7"), "line 9, column 42"
    yield "header.csv", LINES[0], "no row"
    yield "nothing.csv", "", "no row"
    yield "semicolons.csv", GOOD.replace(",", ";"), "line 2 has 1 columns"
    yield "utf16.csv", GOOD.encode("utf-16"), "line 1, column 1"
    packed = gzip.compress(GOOD.encode())
    yield "cut.csv.gz", packed[:-99], ""
    yield "damaged.csv.gz", packed[:200] + bytes(9) + packed[209:], ""
    yield "text.zip", GOOD, ""


def test_bad_tables_are_refused_with_the_place(tmp_path):
    for name, content, place in refused():
        message = refusal(nn.read_digits, write(tmp_path / name, content))
        assert place in message, name


def test_tables_that_teach_nothing_are_refused(tmp_path):
    path = tmp_path / "table.csv"
    labels = DIGITS[:, :1]
    np.savetxt(path, np.hstack([labels, DIGITS[:, 1:] % 64]), fmt="%d", delimiter=",")
    assert "above 63" in refusal(nn.read_digits, path)
    np.savetxt(path, np.hstack([0 * labels, DIGITS[:, 1:]]), fmt="%d", delimiter=",")
    rng = np.random.default_rng(0)
    assert "equal" in refusal(nn.choose_digits, path, None, rng)
    plain = write(tmp_path / "plain.csv", GOOD)
    nn.choose_digits(plain, path, rng)  # allowed in a test
