"""The embedded digits, and every way in which a file can be wrong."""

import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import Neural_Network_from_Scratch as nn

DATA = Path(nn.__file__).parent / "mnist_data"
HEADER = ["label", *(f"pixel{i}" for i in range(784))]
# Forty rows: enough for every fault, and small enough to be written out a thousand times.
DIGITS = np.random.default_rng(0).integers(0, 256, (40, 785))
DIGITS[:, 0] = np.arange(40) % 10
CELLS = [HEADER, *DIGITS.astype(str).tolist()]


def csv(cells, comma=",", end="\n"):
    return "".join(comma.join(row) + end for row in cells)


GOOD = csv(CELLS)


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


def two_members():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", GOOD)
        archive.writestr("b.csv", GOOD)
    return buffer.getvalue()


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
    with pytest.raises(nn.UserError, match="40 digits are too few"):
        nn.split(pixels, labels, 40, np.random.default_rng(0))


ACCEPTED = {
    "plain": GOOD,
    "byte-order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "CRLF": csv(CELLS, end="\r\n"),
    "no header": csv(CELLS[1:]),
    "no header but a byte-order mark": b"\xef\xbb\xbf" + csv(CELLS[1:]).encode(),
    "another header": csv(
        [["label", *(f"{i}x{j}" for i in range(28) for j in range(28))], *CELLS[1:]]
    ),
    "quoted": csv([[f'"{cell}"' for cell in row] for row in CELLS]),
    "quoted, no header": csv([[f'"{cell}"' for cell in row] for row in CELLS[1:]]),
    "blank lines at the end": GOOD + "\n\n\n",
    "no line end at the end": GOOD.rstrip(),
    "blank lines within": GOOD.replace("\n", "\n\n"),
    "spaces": csv(CELLS, comma=", "),
}


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_accepted_files_mean_what_they_say(tmp_path, content, suffix):
    path = tmp_path / f"digits{suffix}"
    path.write_bytes(gzip.compress(as_bytes(content)) if suffix == ".csv.gz" else as_bytes(content))
    pixels, labels = nn.load_digits(path)
    assert np.array_equal(pixels, DIGITS[:, 1:])
    assert np.array_equal(labels, DIGITS[:, 0])


COLUMNS = "line 1: expected a label and 784 pixels, but found "
REFUSED = {
    "empty": ("", "No columns"),
    "header only": (csv(CELLS[:1]), "No columns"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "cannot be read as CSV"),
    "random bytes": (np.random.default_rng(0).bytes(3000), "cannot be read as CSV"),
    "UTF-16": (GOOD.encode("utf-16"), "cannot be read as CSV"),
    "HTML": ("<!DOCTYPE html>\n<html>log in</html>\n", COLUMNS + "1 columns"),
    "Git LFS": ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", COLUMNS),
    "Kaggle's test.csv": (csv(row[1:] for row in CELLS), "found 784 columns, the first of them 'pixel0'"),
    "label last": (csv(row[1:] + row[:1] for row in CELLS), "the first of them 'pixel0'"),
    "783 pixels": (csv(row[:-1] for row in CELLS), "found 784 columns"),
    "785 pixels": (csv([*row, "0"] if i else [*row, "more"] for i, row in enumerate(CELLS)), "found 786"),
    "semicolons": (csv(CELLS, comma=";"), COLUMNS + "1 columns"),
    "duplicate header": (GOOD.replace("pixel7,", "pixel6,", 1), "line 1, column 9: there is a column 'pixel6'"),
    "one value too few": (with_line(30, ",".join(CELLS[29][:-1])), "line 30, column 785: a pixel must be"),
    "one value too many": (with_line(30, ",".join([*CELLS[29], "7"])), "line 30, saw 786"),
    "a value too many in every row": (csv([CELLS[0], *([*row, ""] for row in CELLS[1:])]), "saw 786"),
    "a label and 785 pixels below a header of 784": (csv([CELLS[0], *([*row, "7"] for row in CELLS[1:])]), "saw 786"),
    **{
        f"pixel {text!r}": (with_cell(30, 42, text), f"line 30, column 42: a pixel must be a whole number from 0 to 255, but here is {shown}.")
        for text, shown in [("", "nothing"), *((t, repr(t)) for t in ("two", "12.5", "-1", "256", "65536", "1e3", "NaN", "inf", "NA", "True", "1_0", "0x10", "9" * 30))]
    },
    **{
        f"label {text!r}": (with_cell(30, 1, text), f"line 30, column 1: a label must be a whole number from 0 to 9, but here is {shown}.")
        for text, shown in [("", "nothing"), *((t, repr(t)) for t in ("10", "-1", "7.5", "seven", "266"))]
    },
    "a fault below blank lines": (with_cell(30, 42, "x").replace("\n", "\n\n", 2), "line 32, column 42"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_files_are_told_what_is_wrong_and_where(tmp_path, content, message):
    path = tmp_path / "digits.csv"
    path.write_bytes(as_bytes(content))
    with np.errstate(all="ignore"), pytest.raises(nn.UserError) as caught:
        nn.load_digits(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert str(caught.value).isascii() and len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.csv.gz", gzip.compress(GOOD.encode())[:-2000], "ended before"),
        ("plain.csv.gz", GOOD.encode(), "Not a gzipped file"),
        ("two.zip", two_members(), "Multiple files"),
        ("no.zip", GOOD.encode(), "not a zip file"),
    ],
)
def test_refused_archives(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(nn.UserError, match=message):
        nn.load_digits(tmp_path / name)


def test_only_a_file_will_do(tmp_path):
    for path in (tmp_path, tmp_path / "missing.csv", Path("http://localhost/train.csv")):
        with pytest.raises(nn.UserError, match="name it with --data"):
            nn.load_digits(path)


NASTY = [
    "",
    "256",
    "-1",
    "1.5",
    "1e2",
    "nan",
    '"',
    ",",
    "\n",
    "\x00",
    "\ufeff",
    "9" * 25,
    " 7 ",
    "\u0663",
]
TEN = csv(CELLS[:11]).encode()


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(TEN)),
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
            pixels, labels = nn.load_digits(path)
    except nn.UserError as error:
        assert len(str(error).splitlines()) == 1
        return
    assert pixels.shape == (len(labels), 784)
    assert (pixels.dtype, labels.dtype) == (np.uint8, np.uint8)
    assert labels.max() <= 9
