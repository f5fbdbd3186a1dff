"""The embedded digits, the files that people bring, and every way in which a file can be wrong."""

import argparse
import bz2
import gzip
import hashlib
import io
import lzma
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import Neural_Network_from_Scratch as nn

SCRIPT = Path(nn.__file__).resolve()
DATA = SCRIPT.parent / "mnist_data"
PIXEL_NAMES = [f"pixel{i}" for i in range(784)]
HEADER = ["label", *PIXEL_NAMES]
# Forty rows: enough for every fault, and small enough to be written out a thousand times. As in
# pictures of digits, the first and the last pixel are paper.
DIGITS = np.random.default_rng(0).integers(0, 256, (40, 785))
DIGITS[:, 0] = np.random.default_rng(0).permutation(np.arange(40) % 10)
DIGITS[:, [1, 784]] = 0
ROWS = DIGITS.astype(str).tolist()
CELLS = [HEADER, *ROWS]


def csv(cells, comma=",", end="\n"):
    return "".join(comma.join(row) + end for row in cells)


GOOD = csv(CELLS)


def table(labels, pixels, header=HEADER):
    """A file of these numbers, one row for each label."""
    rows = [[f"{label}", *(f"{p:g}" for p in row)] for label, row in zip(labels, pixels)]
    return csv([header, *rows] if header else rows)


def with_cell(line, column, text):
    """The good file with one cell replaced; line and column count from 1."""
    cells = [list(row) for row in CELLS]
    cells[line - 1][column - 1] = text
    return csv(cells)


def with_line(line, text):
    lines = GOOD.splitlines()
    lines[line - 1] = text
    return "\n".join(lines) + "\n"


def as_bytes(content):
    return content if isinstance(content, bytes) else content.encode()


def archive(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/").replace("_csv", ".csv"), content)
    return buffer.getvalue()


def npz():
    buffer = io.BytesIO()
    np.savez(buffer, x_train=DIGITS[:, 1:], y_train=DIGITS[:, 0])
    return buffer.getvalue()


def npy():
    buffer = io.BytesIO()
    np.save(buffer, DIGITS)
    return buffer.getvalue()


def refusal(path):
    """The message for a file that must be refused: a single line, short, ASCII, with the form."""
    with np.errstate(all="ignore"), pytest.raises(SystemExit) as caught:  # as in main
        nn.load_or_explain(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    said = message.removeprefix(str(path))
    assert said.isascii() and said.isprintable() and len(said) < 500, message
    assert said.count(nn.FORM) == 1
    return said


def read(path, test=None, seed=0):
    options = argparse.Namespace(data=path, test_data=test)
    return nn.read_digits(options, np.random.default_rng(seed))


def test_embedded_file_is_what_its_readme_says():
    packed = (DATA / "train.csv.gz").read_bytes()
    plain = gzip.decompress(packed)
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(packed).hexdigest().startswith("e8518f344d2c")
    for content in (packed, plain):
        assert hashlib.sha256(content).hexdigest() in readme


def test_embedded_digits(digits):
    pixels, labels = digits
    assert pixels.shape == (42_000, 784)
    assert (pixels.dtype, labels.dtype) == (np.uint8, np.uint8)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]  # as MNIST is known to begin
    counts = [4143, 4799, 4147, 4268, 4099, 3784, 4180, 4330, 4040, 4210]
    assert np.bincount(labels).tolist() == counts
    table_row = " | ".join(f"{count:,}" for count in counts)
    assert table_row in (DATA / "README.md").read_text(encoding="utf-8")
    assert len(set(map(bytes, pixels))) == 42_000  # so that leaving duplicates out changes nothing


def test_columns_are_the_rows_divided_by_255(digits):
    pixels = digits[0][:100]
    X = nn.to_columns(pixels)
    assert X.shape == (784, 100)
    assert X.dtype == np.float32
    assert X.T.flags.c_contiguous  # each picture in one piece, as mini-batches pick them
    assert digits[0].strides[1] == 1
    assert np.array_equal(X.T, pixels.astype(np.float32) / np.float32(255))


def test_split_is_shuffled_by_the_seed():
    pixels, labels = DIGITS[:, 1:], DIGITS[:, 0]
    one, same, other = (
        nn.split(pixels, labels, 10, np.random.default_rng(seed))[1][1].tolist()
        for seed in (1, 1, 2)
    )
    assert one == same != other


# What is accepted


ACCEPTED = {
    "plain": GOOD,
    "byte-order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "CRLF": csv(CELLS, end="\r\n"),
    "no header": csv(ROWS),
    "no header but a byte-order mark": b"\xef\xbb\xbf" + csv(ROWS).encode(),
    "no header below a blank line": "\n" + csv(ROWS),
    "another header": csv(
        [["label", *(f"{i}x{j}" for i in range(28) for j in range(28))], *ROWS]
    ),
    "header that begins with class": GOOD.replace("label", "class", 1),
    "header that begins with a word in Greek": GOOD.replace("label", "\u03c8\u03b7\u03c6\u03af\u03bf", 1),
    "header of a label and numbers": csv([["label", *map(str, range(784))], *ROWS]),
    "header with a name twice": GOOD.replace("pixel7,", "pixel6,", 1),
    "quoted": csv([[f'"{cell}"' for cell in row] for row in CELLS]),
    "quoted header": csv([[f'"{name}"' for name in HEADER], *ROWS]),
    "line ends of an old Mac": csv(CELLS, end="\r"),
    "leading blanks": csv([[f"  {cell}" for cell in row] for row in CELLS]),
    "leading blanks, no header": csv([[f"  {cell}" for cell in row] for row in ROWS]),
    "below a line of blanks": "  \n" + csv(ROWS),
    "quoted, no header": csv([[f'"{cell}"' for cell in row] for row in ROWS]),
    "blank lines at the end": GOOD + "\n\n\n",
    "no line end at the end": GOOD.rstrip(),
    "blank lines within": GOOD.replace("\n", "\n\n"),
    "spaces": csv(CELLS, comma=", "),
    "written as 5.0": csv([HEADER, *DIGITS.astype(float).astype(str).tolist()]),
    "written as 5.0, no header": csv(DIGITS.astype(float).astype(str).tolist()),
    "written as 5e+00": csv([HEADER, *([f"{cell:.2e}" for cell in row] for row in DIGITS)]),
}  # fmt: skip
PACKED = {".csv": bytes, ".csv.gz": gzip.compress, ".csv.bz2": bz2.compress, ".CSV.XZ": lzma.compress,
          ".csv.zip": lambda content: archive(train_csv=content)}  # fmt: skip


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_accepted_files_mean_what_they_say(tmp_path, content, suffix):
    path = tmp_path / f"digits{suffix}"
    path.write_bytes(PACKED[suffix](as_bytes(content)))
    for load in (nn.load_digits, nn.load_or_explain):
        pixels, labels = load(path)
        assert np.array_equal(pixels, DIGITS[:, 1:])
        assert np.array_equal(labels, DIGITS[:, 0])
        assert (pixels.dtype, labels.dtype) == (np.uint8, np.uint8)


@pytest.mark.parametrize("suffix", PACKED)
def test_packed_files_are_read_and_their_faults_found(tmp_path, suffix):
    path = tmp_path / f"digits{suffix}"
    path.write_bytes(PACKED[suffix](GOOD.encode()))
    assert np.array_equal(nn.load_or_explain(path)[0], DIGITS[:, 1:])
    path.write_bytes(PACKED[suffix](with_cell(30, 42, "x").encode()))
    assert "line 30, column 42: here is 'x', no whole number from 0 to 255. Expected" in refusal(
        path
    )


def test_files_longer_than_a_piece_are_read_whole(tmp_path):
    """load_digits reads 5,000 rows at a time."""
    rows = np.random.default_rng(0).integers(0, 256, (10_001, 785), dtype=np.uint8)
    rows[:, 0] %= 10
    content = "".join(",".join(map(str, row)) + "\n" for row in rows.tolist())
    (tmp_path / "long.csv").write_text(csv([HEADER]) + content)
    pixels, labels = nn.load_digits(tmp_path / "long.csv")
    assert np.array_equal(np.column_stack([labels, pixels]), rows)
    (tmp_path / "long.csv").write_text(csv([HEADER]) + content + content[:1000] + "\n")
    assert "line 10003 has " in refusal(tmp_path / "long.csv")


# What is refused, with the reason and the place


SHORT, LONG = csv([row[:-1] for row in CELLS]), csv([[*row, "7"] for row in CELLS])
INDEXED = [[str(i), *row] for i, row in enumerate(ROWS)]
LAST = [[*row[1:], row[0]] for row in ROWS]
MANGLED = ["5", "0", *(f"0.{i}" for i in range(1, 784))]  # what pandas makes of a row of zeros
DIVIDED = DIGITS[:, 1:] / 255
DIVIDED_FLOATS = np.column_stack([DIGITS[:, 0], DIVIDED])  # labels written as 5.0
STANDARD = (DIVIDED - 0.1307) / 0.3081
QUOTED_HEADER = [f'"{name}"' for name in HEADER]  # as R writes it
FAULTY = [*ROWS[:20], [*ROWS[20][:41], "x", *ROWS[20][42:]], *ROWS[21:]]
SEE = f"Expected in {nn.FORM} (README.md: 'Data of your own')."
BINARY = "this is binary, as idx, npy, npz, zip, pickle or parquet"
REFUSED = {
    # not a table of numbers at all
    "empty": ("", "this is an empty file"),
    "blank": ("\n \n\n", "this is an empty file"),
    "header only": (csv(CELLS[:1]), "a header that no row follows"),
    "idx": (b"\0\0\x08\x03\0\0\0\x28\0\0\0\x1c\0\0\0\x1c" + bytes(784), f"{BINARY}. {SEE}"),
    "npz": (npz(), f"{BINARY}. {SEE}"),
    "npy": (npy(), f"{BINARY}. {SEE}"),
    **{f"pickle {p}": (pickle.dumps(DIGITS, p), f"{BINARY}. {SEE}") for p in (2, 3, 4, 5)},
    "parquet": (b"PAR1\x15\x04\x15\x10" + bytes(100), f"{BINARY}. {SEE}"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "a picture: --digit"),
    "JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)), "a picture: --digit"),
    "zip": (archive(train_csv=GOOD), f"{BINARY}. {SEE}"),
    "header only, quoted": (csv([QUOTED_HEADER]), "a header that no row follows"),
    **{
        f"packed by {pack.__module__}": (pack(GOOD.encode()), "compressed: let its name end in .gz, .bz2 or .xz")
        for pack in (gzip.compress, bz2.compress, lzma.compress)
    },
    "UTF-16": (GOOD.encode("utf-16"), "text in UTF-16: save it as UTF-8"),
    "UTF-16, big end first": (b"\xfe\xff" + GOOD.encode("utf-16-be"), "text in UTF-16: save it as UTF-8"),
    "HTML": ("<!DOCTYPE html>\n<html>log in</html>\n", "line 2 has 1 columns, not 785, from '<html>log in</html>' on"),
    "Git LFS": ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "random bytes": (np.random.default_rng(0).bytes(3000), "Expected in each row"),  # pandas 2.1 knows no line
    "prose": ("It was the best of times,\nit was the worst\n", "line 2 has 1 columns, not 785, from 'it was"),
    # a table of another form
    "semicolons": (csv(CELLS, comma=";"), "a table with ';', tabs or blanks between its cells, not commas"),
    "tabs, no header": (csv(ROWS, comma="\t"), "a table with ';', tabs or blanks between its cells, not commas"),
    "blanks": (csv(ROWS, comma=" "), "a table with ';', tabs or blanks between its cells, not commas"),
    "blank first line": ("\n" + GOOD, "line 1 is empty, with its header below"),
    "blank first line, quoted header": ("\n" + csv([QUOTED_HEADER, *ROWS]), "line 1 is empty, with its header below"),
    "sample_submission.csv, quoted": ('"ImageId","Label"\n1,0\n', "answers without pictures, as in sample_submission.csv"),
    "sample_submission.csv": ("ImageId,Label\n1,0\n2,0\n", "answers without pictures, as in sample_submission.csv"),
    "header of numbers": (csv([[str(i) for i in range(785)], *ROWS]), "line 1 only numbers the columns"),
    "header of numbers from 1": (csv([[str(i) for i in range(1, 786)], *ROWS]), "line 1 only numbers the columns"),
    "lost first row": (csv([MANGLED, *ROWS]), "line 1 was a digit that pandas took for a header"),
    "index": (csv([["", *HEADER], *INDEXED]), "column 1 only numbers the rows (pandas: index=False)"),
    "index, a single row": (csv([["", *HEADER], INDEXED[0]]), "column 1 only numbers the rows (pandas: index=False)"),
    "named index": (csv([["id", *HEADER], *INDEXED]), "786 columns, not 785: perhaps with an index"),
    "index, no header": (csv(INDEXED), "786 columns, not 785: perhaps with an index"),
    "index without labels": (csv([["", *PIXEL_NAMES], *([str(i), *row[1:]] for i, row in enumerate(ROWS))]), "column 1 only numbers the rows (pandas: index=False)"),
    "index without labels, no header": (csv([str(i), *row[1:]] for i, row in enumerate(ROWS)), "line 11, column 1: here is '10', no whole number from 0 to 9."),
    "Kaggle's test.csv": (csv(row[1:] for row in CELLS), f"784 columns, not 785: perhaps without labels. {SEE}"),
    "no labels, no header": (csv(row[1:] for row in ROWS), f"784 columns, not 785: perhaps without labels. {SEE}"),
    "label last": (csv([[*PIXEL_NAMES, "class"], *LAST]), f"all labels are 0, or are not in column 1. {SEE}"),
    "label last, no header": (csv(LAST), f"all labels are 0, or are not in column 1. {SEE}"),
    "label last, a single row": (csv([[*PIXEL_NAMES, "class"], LAST[0]]), f"all labels are 0, or are not in column 1. {SEE}"),
    "labels above 9": (table(DIGITS[:, 0] + 10, DIGITS[:, 1:]), f"line 2, column 1: here is '11', no whole number from 0 to 9. {SEE}"),
    "labels from 1 to 26": (table(np.arange(40) * 7 % 26 + 1, DIGITS[:, 1:], None), f"line 3, column 1: here is '15', no whole number from 0 to 9. {SEE}"),
    "divided": (table(DIGITS[:, 0], DIVIDED), f"a table of divided pixels. {SEE}"),
    "divided, no header": (table(DIGITS[:, 0], DIVIDED, None), f"a table of divided pixels. {SEE}"),
    "divided, labels 5.0": (csv([HEADER, *DIVIDED_FLOATS.astype(str).tolist()]), f"a table of divided pixels. {SEE}"),
    "divided, labels 5.0, no header": (csv(DIVIDED_FLOATS.astype(str).tolist()), f"a table of divided pixels. {SEE}"),
    "divided, labels 5.0e+00": (csv([f"{cell:.18e}" for cell in row] for row in DIVIDED_FLOATS), f"a table of divided pixels. {SEE}"),
    "divided, quoted header": (table(DIGITS[:, 0], DIVIDED, QUOTED_HEADER), f"a table of divided pixels. {SEE}"),
    "standardised": (table(DIGITS[:, 0], STANDARD), f"a table of divided pixels. {SEE}"),
    "standardised, labels 5.0": (csv([HEADER, *np.column_stack([DIGITS[:, 0], STANDARD]).astype(str).tolist()]), f"a table of divided pixels. {SEE}"),
    "from -1 to 1": (table(DIGITS[:, 0], 2 * DIVIDED - 1), f"a table of divided pixels. {SEE}"),
    "783 pixels": (SHORT, "784 columns, not 785"),
    "785 pixels": (LONG, "786 columns, not 785"),
    "letters": (table("ABCDEFGHIJ", DIGITS[:10, 1:]), "line 2, column 1: here is 'A', no whole number from 0 to 9."),
    # one fault in an otherwise good file
    "one value too few": (with_line(30, ",".join(CELLS[29][:-1])), "line 30 has 784 columns, not 785"),
    "one value too many": (with_line(30, ",".join([*CELLS[29], "7"])), "line 30 has 786 columns, not 785"),
    "a value too many in every row": (csv([HEADER, *([*row, ""] for row in ROWS)]), "line 2 has 786 columns, not 785"),
    "a label and 785 pixels below a header of 784": (csv([HEADER, *([*row, "7"] for row in ROWS)]), "line 2 has 786 columns, not 785"),
    "a header within": (GOOD + GOOD, "line 42, column 1: here is 'label', no whole number from 0 to 9."),
    **{
        f"pixel {text!r}": (with_cell(30, 42, text), f"line 30, column 42: here is {text!a}, no whole number from 0 to 255.")
        for text in ("", "two", "12.5", "-1", "256", "65536", "1e3", "NaN", "inf", "-inf", "NA", "True", "1_0", "0x10", "0.5", "256.0", "-256", "1e400", "4294967296", "\u0663", "caf\u00e9", "9" * 30)
    },
    **{
        f"label {text!r}": (with_cell(30, 1, text), f"line 30, column 1: here is {text!a}, no whole number from 0 to 9.")
        for text in ("", "10", "-1", "7.5", "seven", "266", "nan")
    },
    **{
        f"first label {text!r}, no header": (csv([[text, *ROWS[0][1:]], *ROWS[1:]]), f"line 1, column 1: here is {text!a}, no whole number from 0 to 9.")
        for text in ("", "10", "-1", "7.5", "nan")
    },
    # one fault where the file begins, which its kind must not be told from
    **{
        f"first pixel {text!r}{', no header' * (line == 1)}": (with_cell(2, 2, text).partition("\n")[2] if line == 1 else with_cell(2, 2, text), f"line {line}, column 2: here is {text!a}, no whole number from 0 to 255.")
        for text in ("0.5", "-0.5", "2.25") for line in (1, 2)
    },
    "a fault in a first row of 2.55e+02": (csv([[f"{cell:.2e}" for cell in DIGITS[0]][:1] + ["0.5"] + [f"{cell:.2e}" for cell in DIGITS[0]][2:], *ROWS]), "line 1, column 2: here is '0.5'"),
    "a first row too short": (csv([ROWS[0][:-1], *ROWS[1:]]), "line 1 has 784 columns, not 785"),
    "a first row too long": (csv([[*ROWS[0], "7"], *ROWS[1:]]), "line 1 has 786 columns, not 785"),
    "a fault below too short a header": (csv([HEADER[:-1], *FAULTY]), "line 22, column 42: here is 'x'"),
    "a fault below too long a header": (csv([[*HEADER, ""], *FAULTY]), "line 22, column 42: here is 'x'"),
    "a fault below a title": ("Handwritten digits\n" + csv(FAULTY), "line 22, column 42: here is 'x'"),
    "a fault below a line of blanks": ("  \n" + csv(FAULTY), "line 22, column 42: here is 'x'"),
    "a header below a title": ("# digits\n" + GOOD, "line 2, column 1: here is 'label'"),
    "a fault between line ends of an old Mac": (csv([HEADER, *FAULTY], end="\r"), "line 22, column 42: here is 'x'"),
    "a word at the end of the first row": (csv([[*ROWS[0][:-1], "two"], *ROWS[1:]]), "line 1, column 785: here is 'two', no whole number from 0 to 255."),
    "a fault below a header of words": (csv([["label", *["ink"] * 784], *ROWS[:9], [*ROWS[9][:41], "x", *ROWS[9][42:]]]), "line 11, column 42"),
    "a fault where the last pixels are small": (csv([[*row[:-1], str(i % 10)] for i, row in enumerate(ROWS)] + [[*ROWS[9][:41], "x", *ROWS[9][42:]]]), "line 41, column 42"),
    "label last, some ink first": (csv([[*PIXEL_NAMES, "class"], *(["77", *row[1:]] for row in LAST)]), f"line 2, column 1: here is '77', no whole number from 0 to 9. {SEE}"),
    "no labels, some ink first": (csv([PIXEL_NAMES, *(["77", *row[2:]] for row in ROWS)]), f"784 columns, not 785: perhaps without labels. {SEE}"),
    "a cell in Latin-1": (with_cell(30, 42, "caf\u00e9").encode("latin-1"), "line 30, column 42: here is "),
    "a fault below a byte-order mark": (b"\xef\xbb\xbf" + csv([*ROWS[:9], [*ROWS[9][:41], "x", *ROWS[9][42:]]]).encode(), "line 10, column 42"),
    "a fault among ten digits in order": (csv([[str(i), *ROWS[i][1:]] for i in range(9)] + [["9", *ROWS[9][1:41], "x", *ROWS[9][42:]]]), "line 10, column 42"),
    "a fault among zeros": (csv([["0", *row[1:]] for row in ROWS] + [["0", *ROWS[9][1:41], "x", *ROWS[9][42:]]]), "line 41, column 42"),
    "one fault among 5.0": (with_cell(30, 42, "256").replace(",0", ",0.0"), "line 30, column 42: here is "),
    "a fault below blank lines": (with_cell(30, 42, "x").replace("\n", "\n\n", 2), "line 32, column 42"),
    "a fault without a header": (csv([*ROWS[:9], [*ROWS[9][:41], "x", *ROWS[9][42:]]]), "line 10, column 42"),
    "a fault below a hundred rows": (GOOD + csv(ROWS) * 4 + csv([[*ROWS[9][:41], "x", *ROWS[9][42:]]]), "line 202, column 42"),
    "a faulty label among 5.0": (csv([*DIGITS.astype(float).astype(str).tolist(), ["10.0", *ROWS[9][1:]]]), "line 41, column 1: here is '10.0'"),
    "a faulty label below a hundred rows": (GOOD + csv(ROWS) * 4 + csv([["10", *ROWS[9][1:]]]), "line 202, column 1"),
    # good numbers, of a range from which nothing would be learnt
    "0 and 1": (table(DIGITS[:, 0], DIGITS[:, 1:] > 127), "the largest pixel is 1, too faint for ink"),
    "0 to 15": (table(DIGITS[:, 0], DIGITS[:, 1:] // 16), "the largest pixel is 15, too faint for ink"),
    "nothing but paper": (table(DIGITS[:, 0], 0 * DIGITS[:, 1:]), "the largest pixel is 0, too faint for ink"),
    "inverted": (table(DIGITS[:, 0], 255 - DIGITS[:, 1:] * (DIGITS[:, 1:] < 80)), "paper is darker than ink"),
    "one label": (table([7] * 40, DIGITS[:, 1:]), "all labels are 7"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_files_are_told_what_is_wrong_and_where(tmp_path, content, message):
    path = tmp_path / "digits.csv"
    path.write_bytes(as_bytes(content))
    assert message in refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.csv.gz", gzip.compress(GOOD.encode(), mtime=0)[:-2000], "ended before"),
        ("plain.csv.gz", GOOD.encode(), "Not a gzipped file"),
        ("mac.zip", archive(train_csv=GOOD, __MACOSX___train_csv="x"), "Multiple files found in ZIP file"),
        ("two.zip", archive(a_csv=GOOD, b_csv=GOOD), "['a.csv', 'b.csv']"),
        ("no.zip", GOOD.encode(), "not a zip file"),
        ("mnist.npz", npz(), BINARY),
        ("mnist.pkl.gz", gzip.compress(pickle.dumps(DIGITS), mtime=0), BINARY),
        ("train-images-idx3-ubyte.gz", gzip.compress(b"\0\0\x08\x03" + bytes(796), mtime=0), "idx"),
        ("utf16.csv.gz", gzip.compress(GOOD.encode("utf-16"), mtime=0), "UTF-16"),
    ],
)  # fmt: skip
def test_refused_archives(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert message in refusal(tmp_path / name)


def test_what_is_no_file(tmp_path):
    with pytest.raises(SystemExit, match="no such file, or a folder or pipe"):
        nn.load_or_explain(tmp_path)
    for path in (tmp_path / "missing.csv", Path("http://localhost/train.csv")):
        assert "no such file, or a folder or pipe; name another: --data PATH" in refusal(path)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX")
def test_pipes_are_refused_at_once_and_lose_no_rows(tmp_path):
    """A reader that opens a pipe twice hangs, or loses what the first look has taken."""
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(SystemExit, match=r"pipe.csv: no such file, or a folder or pipe"):
        nn.load_or_explain(tmp_path / "pipe.csv")
    command = [sys.executable, SCRIPT, "--no-show", "--figures", tmp_path, "--data", "/dev/stdin"]
    result = subprocess.run(command, input=GOOD, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert result.stderr.startswith("error: /dev/stdin: no such file, or a folder or pipe")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user who is refused")
def test_unreadable_file(tmp_path):
    (tmp_path / "digits.csv").write_text(GOOD)
    (tmp_path / "digits.csv").chmod(0)
    assert "Permission denied" in refusal(tmp_path / "digits.csv")


@pytest.mark.parametrize("words", ["", "Unable to allocate 126. MiB"])
def test_too_little_memory_is_said(tmp_path, monkeypatch, words):
    def no_memory(path):
        raise MemoryError(words)

    (tmp_path / "digits.csv").write_text(GOOD)
    monkeypatch.setattr(nn, "load_digits", no_memory)
    assert f": {words or 'not enough memory'}. Expected" in refusal(tmp_path / "digits.csv")


def test_what_only_pandas_can_say_is_one_ascii_line(tmp_path, monkeypatch):
    def fail(path):
        raise ValueError("caf\u00e9\nin line 7\n")

    (tmp_path / "digits.csv").write_text(GOOD)
    monkeypatch.setattr(nn, "load_digits", fail)
    assert "caf\\xe9 in line 7. Expected" in refusal(tmp_path / "digits.csv")


# Pictures that are unusual, and right


def clothes(count):
    """Pictures as bright as those of Fashion-MNIST: half paper, a mean of about 73."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(40, 256, (count, 784)) * (rng.random((count, 784)) < 0.5)
    return pixels, np.arange(count) % 10


def test_clothes_photographs_and_ten_digits_pass(tmp_path, digits):
    path = tmp_path / "digits.csv"
    pixels, labels = clothes(100)
    assert 65 < pixels.mean() < 80
    path.write_text(table(labels, pixels))
    assert np.array_equal(nn.load_or_explain(path)[0], pixels)
    grey = np.clip(np.random.default_rng(0).normal(159, 49, (100, 784)), 0, 255).astype(int)
    path.write_text(table(labels, grey))  # as bright as photographs of hands
    assert np.array_equal(nn.load_or_explain(path)[0], grey)
    for count in (2, 10, 100):
        path.write_text(table(digits[1][:count], digits[0][:count], None))
        assert np.array_equal(nn.load_or_explain(path)[0], digits[0][:count])
        path.write_text(table(digits[1][:count], 255 - digits[0][:count], None))
        assert "paper is darker than ink" in refusal(path)


# The test digits: how many, and none of them among those that are learnt from


@pytest.mark.parametrize(
    ("rows", "held_out"), [(2, 1), (10, 1), (11, 2), (20, 2), (100, 10), (9_990, 999), (12_000, 1000)]
)  # fmt: skip
def test_a_tenth_is_held_out_at_most_a_thousand(monkeypatch, digits, rows, held_out):
    monkeypatch.setattr(nn, "load_digits", lambda path: (digits[0][:rows], digits[1][:rows]))
    (pixels, labels), (test_pixels, test_labels) = read(SCRIPT)
    assert (len(labels), len(test_labels)) == (rows - held_out, held_out)
    assert (pixels.shape, test_pixels.shape) == ((rows - held_out, 784), (held_out, 784))


def test_the_default_split_is_the_plain_one(monkeypatch, digits, capsys):
    monkeypatch.setattr(nn, "load_digits", lambda path: digits)
    for part, plain in zip(read(SCRIPT), nn.split(*digits, 1000, np.random.default_rng(0))):
        assert all(map(np.array_equal, part, plain))
    assert capsys.readouterr().out == ""


def test_a_single_picture_cannot_be_learnt_and_tested(tmp_path):
    (tmp_path / "one.csv").write_text(csv(CELLS[:2]))
    with pytest.raises(SystemExit, match="all labels are"):
        read(tmp_path / "one.csv")


@pytest.mark.parametrize("seed", range(5))
def test_duplicates_do_not_leak_from_training_into_the_test(tmp_path, capsys, seed):
    path = tmp_path / "twice.csv"
    path.write_text(csv([HEADER, *ROWS, *ROWS]))
    (pixels, labels), (test_pixels, test_labels) = read(path, seed=seed)
    tested = set(map(bytes, test_pixels))
    assert len(test_labels) == 8
    assert tested.isdisjoint(map(bytes, pixels))
    left_out = 80 - 8 - len(labels)
    assert left_out == len(tested) - (8 - len(tested)) > 0
    assert (
        f"{left_out} pictures left out: they are test pictures as well" in capsys.readouterr().out
    )
    known = {bytes(row[1:]): row[0] for row in DIGITS.astype(np.uint8)}
    assert all(known[bytes(picture)] == label for picture, label in zip(pixels, labels))


def test_duplicates_of_test_data_are_left_out(tmp_path, capsys):
    learn, test = tmp_path / "learn.csv", tmp_path / "test.csv"
    learn.write_text(GOOD)
    test.write_text(csv([HEADER, *ROWS[30:], ["7", *map(str, 255 - DIGITS[0, 1:])]]))
    (pixels, labels), (test_pixels, test_labels) = read(learn, test)
    assert np.array_equal(pixels, DIGITS[:30, 1:]) and np.array_equal(labels, DIGITS[:30, 0])
    assert (len(test_pixels), len(test_labels)) == (11, 11)
    assert "10 pictures left out" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"learn.csv: no picture is left to learn from"):
        read(learn, learn)
    test.write_text(csv(CELLS[:2]))  # one label, one picture: enough for a test
    assert len(read(learn, test)[1][1]) == 1


# Where the digits are looked for


KAGGLE = Path("/kaggle/input/competitions/digit-recognizer/train.csv")
KAGGLE_BEFORE = Path("/kaggle/input/digit-recognizer/train.csv")
COLAB = Path("/content/sample_data/mnist_train_small.csv")


def place_of_data(**names):
    """What the head of the script finds; a notebook has no __file__."""
    source = SCRIPT.read_text(encoding="utf-8")
    lines = source[source.index("HERE = ") : source.index("# %% [markdown]\n# ## Part 1")]
    exec(lines, names := {"os": os, "Path": Path, **names})
    return names["DATA"]


def test_default_data_lies_beside_the_script_or_where_kaggle_and_colab_keep_it(monkeypatch):
    wanted = [DATA / "train.csv", DATA / "train.csv.gz", KAGGLE, KAGGLE_BEFORE, COLAB]
    for i, place in enumerate(wanted):
        there = wanted[i:]
        monkeypatch.setattr(os.path, "isfile", lambda path, there=there: Path(path) in there)
        assert place_of_data(__file__=nn.__file__) == place
    monkeypatch.setattr(os.path, "isfile", lambda path: False)
    assert place_of_data(__file__=nn.__file__) == DATA / "train.csv.gz"  # named in the error


def test_foreign_files_in_the_working_folder_are_not_read(tmp_path, monkeypatch):
    for name in ("train.csv", "train.csv.gz", "mnist_data/train.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("PassengerId,Survived\n1,0\n")
    monkeypatch.chdir(tmp_path)
    assert place_of_data(__file__=nn.__file__) == nn.DATA == DATA / "train.csv.gz"


@pytest.mark.parametrize("name", ["train.csv", "train.csv.gz"])
@pytest.mark.parametrize("folder", [".", ".."])
def test_a_notebook_looks_into_the_working_folder_and_its_parent(
    tmp_path, monkeypatch, folder, name
):
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    (tmp_path / "docs" / "train.csv").touch()  # foreign
    if folder == ".":  # what lies nearer goes first, your own file before ours
        (tmp_path / "mnist_data").mkdir()
        (tmp_path / "mnist_data" / "train.csv.gz").touch()
    place = Path(folder, "mnist_data", name)
    place.parent.mkdir()
    place.touch()
    assert place_of_data().resolve() == place.resolve()


def test_a_notebook_alone_says_how_to_name_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "isfile", lambda path: False)
    assert place_of_data() == Path("mnist_data", "train.csv.gz")
    with pytest.raises(SystemExit, match=r'no such file.* main\(\["--data", "PATH"\]\)'):
        nn.load_or_explain(place_of_data())


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX")
def test_a_working_folder_that_has_gone_does_not_matter(tmp_path):
    code = (
        f"import sys, os; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "import Neural_Network_from_Scratch as nn; os.rmdir(os.getcwd()); print(nn.DATA)"
    )
    (tmp_path / "gone").mkdir()
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "gone", capture_output=True, text=True
    )
    assert result.stdout.strip() == str(DATA / "train.csv.gz"), result.stderr


# Files with accidents


NASTY = ["", "256", "-1", "1.5", "1e2", "nan", '"', ",", "\n", "\x00", "\ufeff", "9" * 25, " 7 ", "\u0663"]  # fmt: skip
TEN = csv(CELLS[:11]).encode()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    edits=st.lists(
        st.tuples(
            st.one_of(st.integers(0, len(TEN)), st.integers(0, 40)),  # the beginning matters most
            st.integers(0, 5),
            st.one_of(st.binary(max_size=4), st.sampled_from([text.encode() for text in NASTY])),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_mutated_files_are_valid_or_told_off(tmp_path, edits):
    """Replace a few bytes anywhere: what comes out is a data set, or the one-line error."""
    content = TEN
    for start, length, new in edits:
        content = content[:start] + new + content[start + length :]
    path = tmp_path / "digits.csv"
    path.write_bytes(content)
    try:
        with np.errstate(all="ignore"):
            pixels, labels = nn.load_or_explain(path)
    except SystemExit:
        refusal(path)
        return
    assert pixels.shape == (len(labels), 784)
    assert (pixels.dtype, labels.dtype) == (np.uint8, np.uint8)
    assert labels.max() <= 9
