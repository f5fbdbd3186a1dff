"""The embedded digits, and the tables that people bring: read as they are, or refused by place."""

import bz2
import gzip
import hashlib
import io
import lzma
import re
import zipfile

import numpy as np
import pytest
from conftest import SCRIPT

import Neural_Network_from_Scratch as nn

DIGITS = np.random.default_rng(0).integers(0, 256, (12, 785))
DIGITS[:, 0] = np.arange(12) % 10
ROWS = DIGITS.astype(str).tolist()
LINES = [",".join(row) for row in ROWS]
LINES.insert(0, ",".join(["label", *[f"pixel{i}" for i in range(784)]]))
GOOD = "\n".join(LINES) + "\n"
BOM = b"\xef\xbb\xbf"


def with_cell(line, column, text):
    """The good table with another cell; line and column count from 1."""
    cells = LINES[line - 1].split(",")
    cells[column - 1] = text
    return with_line(line, ",".join(cells))


def with_line(line, text):
    return "\n".join([*LINES[: line - 1], text, *LINES[line:]]) + "\n"


def in_quotes(text):
    return re.sub(r"(\w+)", r'"\1"', text)


def with_decimals(text):
    return re.sub(r"\b\d+\b", r"\g<0>.0", text)


def archive(*names):
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(name, GOOD)
    return memory.getvalue()


def write(folder, name, content):
    path = folder / name
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


def accepted():
    yield "plain.csv", GOOD
    yield "no_header.csv", GOOD[len(LINES[0]) + 1 :]
    yield "mark.csv", BOM + GOOD.encode()
    yield "crlf.csv", GOOD.replace("\n", "\r\n")
    yield "quotes.csv", in_quotes(GOOD)
    yield "5.0.csv", with_decimals(GOOD)
    yield "spaces.csv", GOOD.replace(",", ", ")
    yield "blank.csv", GOOD.replace(LINES[6], "\n" + LINES[6])
    yield "good.csv.gz", gzip.compress(GOOD.encode())
    yield "good.csv.bz2", bz2.compress(GOOD.encode())
    yield "good.csv.xz", lzma.compress(GOOD.encode())
    yield "good.csv.zip", archive("train.csv")


ACCEPTED = dict(accepted())


@pytest.mark.parametrize("name", ACCEPTED)
def test_good_tables_are_read(tmp_path, name):
    pixels, labels = nn.read_digits(write(tmp_path, name, ACCEPTED[name]))
    assert (pixels.dtype, labels.dtype) == (np.uint8, np.uint8)
    assert np.array_equal(np.column_stack([labels, pixels]), DIGITS)


WORD = with_cell(9, 42, "x")
INDEXED = "\n".join(f"{i},{line}" for i, line in enumerate(LINES[1:]))


def refused():
    """The name of a file, what it holds, and what the message says of the place."""
    yield "many.csv", with_line(9, LINES[8] + ","), "line 9 has 786 columns"
    yield "few.csv", with_line(9, LINES[8].replace(",", "", 1)), "line 9 has 784 columns"
    yield "many_in_line_1.csv", INDEXED, "line 1 has 786 columns"
    yield "index.csv", f",{LINES[0]}\n{INDEXED}", "line 1 has 786 columns"
    yield "word.csv", WORD, "line 9, column 42: 'x'.* 0 to 255"
    yield "fraction.csv", with_cell(9, 42, "0.5"), "line 9, column 42: '0.5'"
    yield "minus.csv", with_cell(9, 42, "-1"), "line 9, column 42: '-1'"
    yield "256.csv", with_cell(9, 785, "256"), "line 9, column 785: '256'"
    yield "label_10.csv", with_cell(9, 1, "10"), "line 9, column 1: '10'.* 0 to 9"
    yield "empty_cell.csv", with_cell(9, 42, ""), "line 9, column 42: ''"
    yield "nan.csv", with_cell(9, 42, "nan"), "line 9, column 42: 'nan'"
    yield "two_faults.csv", WORD.replace(LINES[10], "7"), "line 9, column 42"
    yield "no_header.csv", WORD[len(LINES[0]) + 1 :], "line 8, column 42"
    yield "mark.csv", BOM + WORD.encode(), "line 9, column 42"
    yield "crlf.csv", WORD.replace("\n", "\r\n"), "line 9, column 42"
    yield "quotes.csv", in_quotes(WORD), "line 9, column 42"
    yield "5.0.csv", with_decimals(WORD), "line 9, column 42"
    yield "blank.csv", WORD.replace(LINES[5], "\n" + LINES[5]), "line 10, column 42"
    yield "header.csv", LINES[0], "no row"
    yield "nothing.csv", "", "no row"
    yield "semicolons.csv", GOOD.replace(",", ";"), "line 2 has 1 columns"
    yield "utf16.csv", GOOD.encode("utf-16"), "line 1, column 1"
    yield "word.csv.gz", gzip.compress(WORD.encode()), "line 9, column 42"
    packed = gzip.compress(GOOD.encode())
    yield "cut.csv.gz", packed[:-99], ""
    yield "damaged.csv.gz", packed[:200] + bytes(9) + packed[209:], ""
    yield "text.gz", GOOD, ""
    yield "text.zip", GOOD, ""
    yield "two.zip", archive("a.csv", "b.csv"), "'a.csv', 'b.csv'"


REFUSED = {name: (content, place) for name, content, place in refused()}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_tables_are_refused_with_the_place(tmp_path, name):
    content, place = REFUSED[name]
    assert re.search(place, refusal(nn.read_digits, write(tmp_path, name, content)))


def test_tables_that_teach_nothing_are_refused(tmp_path):
    labels = DIGITS[:, :1]
    tables = {
        "faint": np.hstack([labels, DIGITS[:, 1:] % 2]),
        "divided": np.hstack([labels, DIGITS[:, 1:] / 255]),
        "equal": np.hstack([0 * labels + 7, DIGITS[:, 1:]]),
    }
    for name, table in tables.items():
        np.savetxt(tmp_path / name, table, fmt="%g", delimiter=",")
        if name == "equal":  # allowed in a test
            nn.read_digits(tmp_path / name)
            refusal(nn.choose_digits, tmp_path / name, None, np.random.default_rng(0))
        else:
            refusal(nn.read_digits, tmp_path / name)
