"""The program as people run it: options, output, pictures, manners."""

import ast
import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib.figure
import matplotlib.image
import numpy as np
import pytest

import Neural_Network_from_Scratch as nn

SCRIPT = Path(nn.__file__).resolve()
FOLDER = SCRIPT.parent
# Programs get an environment of their own: the settings of one machine must not decide a test.
KEPT = ("PATH", "HOME", "SYSTEMROOT", "TEMP", "TMP", "USERPROFILE", "MPLCONFIGDIR")
ENVIRONMENT = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith("OPENBLAS_CORE")}
ENVIRONMENT |= {k: v for k, v in os.environ.items() if k == "OPENBLAS_L2_SIZE"}
if sys.platform != "linux":  # where there is always a screen: no windows that wait for somebody
    ENVIRONMENT["MPLBACKEND"] = "agg"
posix_only = pytest.mark.skipif(os.name == "nt", reason="needs POSIX")


def start(*arguments, cwd, python=(), out=subprocess.PIPE, err=subprocess.PIPE, **environment):
    return subprocess.Popen(
        [sys.executable, *python, SCRIPT, *map(str, arguments)],
        stdout=out,
        stderr=err,
        cwd=cwd,
        encoding="utf-8",
        env={**ENVIRONMENT, **environment},
    )


def run(*arguments, **where):
    process = start(*arguments, **where)
    output, errors = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def one_line_error(result):
    """The single line on standard error of a run that ended with exit status 2."""
    assert result.returncode == 2, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def without_times(text):
    return re.sub(r"  [0-9.]+ s( left)?$", "", text, flags=re.MULTILINE)


def write_table(path, digits, rows):
    table = np.column_stack([digits[1][rows], digits[0][rows]])
    np.savetxt(path, table, fmt="%d", delimiter=",")
    return path


def write_picture(path, pixels):
    """A row of the table as a drawing: black on white, eight times as large."""
    paper = 255 - np.pad(np.kron(pixels.reshape(28, 28), np.ones((8, 8), np.uint8)), 40)
    matplotlib.image.imsave(path, paper, cmap="gray", vmin=0, vmax=255)
    return path


@pytest.fixture(scope="session")
def small(tmp_path_factory, digits):
    """A CSV file of the first 600 digits: quick to read, quick to learn."""
    path = tmp_path_factory.mktemp("small") / "600 Ziffern \u00e4.csv"
    return write_table(path, digits, slice(600))


@pytest.fixture
def program(monkeypatch, capsys, tmp_path):
    """Runs `main` in this process. Pictures are not written, but kept as figures by their names."""
    figures = {}

    def keep(figure, file, **_):
        figures[Path(file.name)] = figure, nn.plt.get_backend()

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)

    def call(*arguments):
        figures.clear()
        where = ["--figures", tmp_path / "figures"]
        status = nn.main([str(word) for word in (*where, *arguments)])
        names = [re.search("[a-z]+", path.name)[0] for path in figures]
        call.backends = [backend for _, backend in figures.values()]
        found = dict(zip(names, (figure for figure, _ in figures.values())))
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr()), found

    yield call
    nn.plt.close("all")


def by_hand(
    path,
    iterations,
    batch_size=None,
    learning_rate=0.1,
    hidden=10,
    init=nn.initialize,
    seed=nn.SEED,
    divisor=255,
    load=None,
    test_data=None,
):
    """What the program must come to, by the functions of Parts 1 to 5 and 9 alone.

    Returns for each iteration (parameters, loss of the step, accuracy of the step), and the test.
    """
    rng = np.random.default_rng(seed)
    digits = nn.load_digits(path)
    if test_data:
        (pixels, labels), (pixels_test, y_test) = digits, nn.load_digits(test_data)
    else:
        held_out = len(digits[1]) // 10
        (pixels, labels), (pixels_test, y_test) = nn.split(*digits, held_out, rng)
    parameters = load or init(rng, hidden=hidden)
    batches = nn.mini_batches(pixels, labels, batch_size or 1, rng, divisor)
    everything = nn.to_columns(pixels, divisor), labels
    history = []
    for _ in range(iterations + 1):
        X, y = next(batches) if batch_size else everything
        activations = nn.forward(parameters, X)
        loss = nn.cross_entropy(activations.Z2, nn.one_hot(y))
        history.append((parameters, loss, 100 * nn.accuracy(activations.A2, y)))
        slopes = nn.backward(parameters, X, nn.one_hot(y), activations)
        parameters = nn.Parameters(*(P - learning_rate * dP for P, dP in zip(parameters, slopes)))
    return history, everything, (nn.to_columns(pixels_test, divisor), y_test)


def percent(parameters, X, y):
    return 100 * nn.accuracy(nn.forward(parameters, X).A2, y)


def saved(path):
    with np.load(path) as file:
        return nn.Parameters(*(file[name] for name in nn.Parameters._fields))


def agree(ours, theirs):
    return all(P.shape == Q.shape and np.allclose(P, Q, atol=2e-4) for P, Q in zip(ours, theirs))


def number(word, line):
    found = re.search(rf"{word} +([0-9.]+)", line)
    return float(found[1]) if found else None


def lines_of_progress(output):
    return [line for line in output.splitlines() if re.match(" *iteration ", line)]


def compare(result, history, everything, test, batch_size=None):
    """Every number that the program printed about learning, with what `by_hand` found."""
    assert (result.returncode, result.stderr) == (0, "")
    n, one_train, one_test = len(history) - 1, 101 / len(everything[1]), 101 / len(test[1])
    assert f"   {batch_size or len(everything[1])} pictures in a step" in result.stdout
    lines = lines_of_progress(result.stdout)
    assert (number("iteration", lines[0]), number("iteration", lines[-1])) == (0, n)
    for line in lines:
        iteration = int(number("iteration", line))
        parameters, loss, known = history[iteration]
        assert number("loss", line) == pytest.approx(loss, abs=1e-3)
        assert number("test", line) == pytest.approx(percent(parameters, *test), abs=one_test)
        one = 101 / batch_size if batch_size else one_train  # of the pictures of this step
        assert number("train", line) == pytest.approx(known, abs=one)
    learnt = history[-1][0]
    known, unknown = percent(learnt, *everything), percent(learnt, *test)
    final_test = re.search(r"final test accuracy: ([0-9.]+) ?% \(([0-9,]+) of", result.stdout)
    final_train = number("final training accuracy:", result.stdout)
    assert final_train == pytest.approx(known, abs=one_train)
    assert float(final_test[1]) == pytest.approx(unknown, abs=one_test)
    assert 100 * int(final_test[2]) / len(test[1]) == pytest.approx(unknown, abs=one_test)
    P = nn.forward(learnt, test[0]).A2
    shown = re.findall(
        r"test picture (\d) is (\d), read as (\d) \( *(\d+) ?%\) (right|WRONG)", result.stdout
    )
    assert [int(i) for i, *_ in shown] == list(range(8))
    for i, label, answer, sure, verdict in shown:
        i, answer = int(i), int(answer)
        assert int(label) == test[1][i]
        assert P[answer, i] > P[:, i].max() - 0.01
        assert int(sure) == pytest.approx(100 * P[answer, i], abs=1)
        assert verdict == ("right" if answer == test[1][i] else "WRONG")
    return {verdict for *_, verdict in shown}


# The default run.


@pytest.fixture(scope="session")
def main_job(tmp_path_factory):
    """The default run on the embedded data, and the folder in which it was started."""
    folder = tmp_path_factory.mktemp("elsewhere")
    return run(cwd=folder), folder


def test_main_job_learns_to_read(main_job):
    result, _ = main_job
    assert (result.returncode, result.stderr) == (0, "")
    last = lines_of_progress(result.stdout)[-1]
    assert number("iteration", last) == 750
    assert number("train", last) > 86
    assert number("test", last) > 85
    assert number("final test accuracy:", result.stdout) == number("test", last)
    assert number("final training accuracy:", result.stdout) == number("train", last)


def test_main_job_tells_its_story_in_order(main_job):
    output = main_job[0].stdout
    story = [
        "(784, 41000) to learn from",
        "(784, 1000) for the test, from ",
        "7,960 parameters",
        "relative error against finite differences ",
        "iteration   0/750",
        "iteration 750/750",
        "test picture 0",
        "test picture 7",
        "final test accuracy",
        "training.png",
    ]
    places = [output.find(words) for words in story]
    assert -1 not in places and places == sorted(places)
    assert float(re.search(r"differences (\S+)", output)[1]) < 1e-6
    assert output.isascii()
    assert max(len(line) for line in output.splitlines() if str(FOLDER) not in line) < 100
    assert len(lines_of_progress(output)) <= 20
    assert "no better than a guess" not in output


def test_main_job_shows_test_pictures(main_job, digits):
    """Trap: "test predictions" that are drawn from the training images."""
    training, test = nn.split(*digits, nn.TEST_SIZE, np.random.default_rng(nn.SEED))
    shown = [int(d) for d in re.findall(r"test picture [0-9] is ([0-9])", main_job[0].stdout)]
    assert shown == test[1][:8].tolist() != training[1][:8].tolist()


def test_main_job_saves_three_pictures(main_job):
    figures = main_job[1] / "figures"
    names = ["neurons.png", "predictions.png", "training.png"]
    assert sorted(path.name for path in figures.iterdir()) == names
    for name in names:
        height, width, _ = matplotlib.image.imread(figures / name).shape
        assert height > 300 and width > 300


# Options: each changes the result, and equals what the functions give with the same things.


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ("", {}),
        ("--iterations 0", {"iterations": 0}),
        ("--iterations 7", {"iterations": 7}),
        ("--batch-size 50", {"batch_size": 50}),
        ("--learning-rate 0.3", {"learning_rate": 0.3}),
        ("--hidden 4", {"hidden": 4}),
        ("--seed 5", {"seed": 5}),
        ("--init he", {"init": nn.initialize_he}),
        ("--raw-pixels --learning-rate 1e-5", {"divisor": 1, "learning_rate": 1e-5}),
        (
            "--raw-pixels --learning-rate 1e-5 --batch-size 50",
            {"divisor": 1, "learning_rate": 1e-5, "batch_size": 50},
        ),
    ],
)
def test_an_option_does_what_the_functions_do(program, small, tmp_path, options, same):
    file = tmp_path / "learnt.npz"
    settings = {"iterations": 25} | same
    words = [*options.split(), "--data", small, "--save", file]
    if "--iterations" not in options:
        words += ["--iterations", 25]
    result, figures = program(*words)
    history, everything, test = by_hand(small, **settings)
    compare(result, history, everything, test, same.get("batch_size"))
    found = saved(file)
    if "--raw-pixels" in options:  # a network that is saved always wants divided pixels
        found = found._replace(W1=found.W1 / 255)
    assert agree(found, history[-1][0])
    if options:
        assert not agree(saved(file), by_hand(small, 25)[0][-1][0])
    assert sorted(figures) == ["neurons", "predictions", "training"]


def test_figures_are_of_this_run(program, small):
    """What they draw of what they are given is tested in test_figures.py."""
    result, figures = program("--data", small, "--iterations", 120)
    history, everything, test = by_hand(small, 120)
    compare(result, history, everything, test)
    change = history[-1][0].W1 - history[0][0].W1
    drawn = [axes.images[0] for axes in figures["neurons"].axes if axes.images]
    np.testing.assert_allclose([p.get_array().ravel() for p in drawn], change, atol=1e-4)
    shown = [axes for axes in figures["predictions"].subfigs[0].axes if axes.images]
    assert len(shown) == 16
    P = nn.forward(history[-1][0], test[0]).A2
    for i, axes in enumerate(shown):
        assert np.array_equal(axes.images[0].get_array().ravel(), np.rint(255 * test[0][:, i]))
        said = axes.get_title().removeprefix("\N{BALLOT X} ").split()
        assert int(said[1]) == pytest.approx(100 * P[int(said[0]), i], abs=1)
    loss, accuracy = figures["training"].axes
    for axes, column in (loss, 1), (accuracy, 2):
        training = axes.lines[0]
        assert training.get_label().startswith("training: ")  # a full batch is not noisy: no means
        np.testing.assert_allclose(training.get_xdata(), range(121))
        values = [state[column] for state in history]
        np.testing.assert_allclose(training.get_ydata(), values, atol=(1e-3, 0.2)[column - 1])


def test_all_cores_are_used(program, monkeypatch, small):
    real, seen = nn.gradient_in_blocks, []

    def spy(parameters, blocks, each=map):
        seen.append(each)
        return real(parameters, blocks, each)

    monkeypatch.setattr(nn, "gradient_in_blocks", spy)
    monkeypatch.setattr(nn, "ONE_CORE", True)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    program("--data", small, "--iterations", 1)
    assert [each.__self__._max_workers for each in seen if each is not map] == [3, 3]
    seen.clear()
    monkeypatch.setattr(nn, "ONE_CORE", False)  # NumPy has all cores for each product
    program("--data", small, "--iterations", 1)
    assert len(seen) > 2 and set(seen) == {map}


def test_a_batch_that_is_larger_than_the_table_is_the_table(program, small, tmp_path):
    file = tmp_path / "learnt.npz"
    words = ("--data", small, "--iterations", 5, "--save", file)
    result, _ = program(*words, "--batch-size", 9999)
    assert result.returncode == 0 and "   540 pictures in a step" in result.stdout
    assert agree(saved(file), by_hand(small, 5)[0][-1][0])


def test_test_data_is_what_is_tested(program, small, digits, tmp_path):
    other = write_table(tmp_path / "other.csv", digits, slice(900, 1000))
    result, _ = program("--data", small, "--test-data", other, "--iterations", 20)
    history, everything, test = by_hand(small, 20, test_data=other)
    assert len(everything[1]) == 600 and len(test[1]) == 100
    compare(result, history, everything, test)


def test_training_goes_on_from_what_was_saved(program, small, tmp_path):
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    program("--data", small, "--iterations", 10, "--hidden", 6, "--save", first)
    result, _ = program("--data", small, "--iterations", 10, "--load", first, "--save", second)
    history, everything, test = by_hand(small, 20, hidden=6)
    assert agree(saved(first), history[10][0])
    assert agree(saved(second), history[20][0])
    compare(result, history[10:], everything, test)
    assert f" parameters, {first}\n" in result.stdout
    result, _ = program("--data", small, "--iterations", 0, "--load", second)  # only look
    compare(result, history[20:], everything, test)


def test_mini_batches_show_values_of_their_own_iteration(program, small):
    """And the curve of the test pictures has a point only where they were looked at."""
    words = ("--data", small, "--batch-size", 16, "--iterations", 300)
    result, figures = program(*words)
    history, everything, test = by_hand(small, 300, batch_size=16)
    assert compare(result, history, everything, test, 16) == {"right", "WRONG"}
    assert abs(history[-1][2] - percent(history[-1][0], *everything)) > 3  # not the last batch
    accuracy, loss = figures["training"].axes[1], figures["training"].axes[0]
    (curve,) = [line for line in accuracy.lines if "test" in line.get_label()]
    iterations = curve.get_xdata().astype(int)
    assert iterations[0] == 0 and iterations[-1] == 300 and 90 < len(set(iterations)) < 120
    values = [percent(history[i][0], *test) for i in iterations]
    np.testing.assert_allclose(curve.get_ydata(), values, atol=101 / 60)
    (curve,) = [line for line in loss.lines if "test" in line.get_label()]
    X, y = test
    values = [nn.cross_entropy(nn.forward(history[i][0], X).Z2, nn.one_hot(y)) for i in iterations]
    np.testing.assert_allclose(curve.get_ydata(), values, atol=0.01)
    (curve,) = [line for line in accuracy.lines if "training" in line.get_label()]
    assert curve.get_xdata().tolist() == list(range(301))
    known = [fraction for _, _, fraction in history[:-1]]
    known.append(percent(history[-1][0], *everything))  # at the end, of all pictures
    np.testing.assert_allclose(curve.get_ydata(), known, atol=101 / 16)
    assert curve.get_ydata()[-1] == pytest.approx(known[-1], abs=101 / 540)


def test_time_left_is_what_remains(program, monkeypatch, small):
    """A clock that ticks once for each step: after a step of four, three times as much is left."""
    ticks, real = [0], nn.train

    def slow(*arguments):
        for step in real(*arguments):
            yield step
            ticks[0] += 10

    monkeypatch.setattr(nn, "train", slow)
    monkeypatch.setattr(nn.time, "perf_counter", lambda: ticks[0])
    result, _ = program("--data", small, "--iterations", 4)
    lines = lines_of_progress(result.stdout)
    left = [number(r"%(?:.*,)? ", line) for line in lines if line.endswith("left")]
    assert left == [30, 20, 10]
    assert not lines[0].endswith("left") and lines[-1].endswith(" 40.0 s")


def test_same_seed_same_output(program, small, tmp_path):
    for words in (("--iterations", 9), ("--iterations", 9, "--batch-size", 50)):
        once, again = (program("--data", small, *words)[0].stdout for _ in range(2))
        assert without_times(again) == without_times(once)


def test_no_part_of_the_check_changes_the_run(program, monkeypatch, small, tmp_path):
    """It draws its numbers from a generator of its own."""
    real = nn.gradient_check
    monkeypatch.setattr(
        nn,
        "gradient_check",
        lambda p, X, Y, rng, h=1e-5: rng.random(7).min() and real(p, X, Y, rng),
    )
    file = tmp_path / "learnt.npz"
    program("--data", small, "--iterations", 9, "--batch-size", 50, "--save", file)
    assert agree(saved(file), by_hand(small, 9, batch_size=50)[0][-1][0])


def refused(*words):
    """What is said about options that are no good."""
    with pytest.raises(SystemExit) as caught:
        nn.parse_options(list(map(str, words)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("option", "values"),
    {
        "--iterations": ["-1", "1.5", "many", "nan", "1e3", "1000001"],
        "--batch-size": ["0", "-64", "1.5", "all"],
        "--learning-rate": ["0", "-0.1", "nan", "inf", "fast"],
        "--hidden": ["0", "-3", "ten", "10001"],
        "--seed": ["-1", "0.5", "x", str(2**32)],
        "--init": ["magic"],
    }.items(),
)
def test_bad_values_get_one_line(capsys, option, values):
    for value in values:
        assert nn.main([f"{option}={value}"]) == 2
        output, errors = capsys.readouterr()
        assert output == ""
        assert re.fullmatch(rf"error: argument {option}: .*{re.escape(value)}.*\n", errors)


def test_the_smallest_and_largest_values_are_accepted():
    for option, values in {
        "--iterations": [0, 1_000_000],
        "--batch-size": [1],
        "--hidden": [1, 10_000],
        "--seed": [0, 2**32 - 1],
    }.items():
        for value in values:
            options = nn.parse_options([f"{option}={value}"])
            assert getattr(options, option[2:].replace("-", "_")) == value


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("--epochs 5", "--iterations"),
        ("--lr 0.1", "--learning-rate"),
        ("--lr=0.1", "--learning-rate"),
        ("--learning_rate 0.1", "--learning-rate"),
        ("--nonsense", "--help"),
        ("seven.png", "--help"),
        ("--iterations", "expected one argument"),
        ("--load a.npz --hidden 20", "--hidden"),
        ("--load a.npz --init he", "--init"),
        ("--load a.npz --hidden 10", "--hidden"),
        ("--load a.npz --hidden=20", "leave out --hidden"),
        ("--iter 5", "unrecognized arguments"),  # a part of a name is no name
        ("--load a.npz --raw-pixels", "--raw-pixels"),
    ],
)
def test_other_names_and_combinations_get_a_hint_in_one_line(capsys, words, hint):
    assert nn.main(words.split()) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert len(errors.splitlines()) == 1 and hint in errors.replace(f" {words}", "")


def test_help_names_every_option_and_its_default(capsys):
    defaults = vars(nn.parse_options([]))
    expected = {
        "data": nn.DATA,
        "test_data": None,
        "iterations": 750,
        "batch_size": None,
        "learning_rate": 0.1,
        "hidden": 10,
        "init": "uniform",
        "seed": nn.SEED,
        "load": None,
        "save": None,
        "digit": defaults["digit"],
        "figures": Path("figures"),
        "raw_pixels": False,
        "no_show": False,
    }
    assert defaults == expected and not defaults["digit"]
    assert nn.main(["--help"]) == 0
    text = capsys.readouterr().out
    entries = re.findall(r"^  (--[a-z-]+) (.*?)(?=^  -|\Z)", text, re.M | re.S)
    entries = {name: "".join(entry.split()) for name, entry in entries}
    assert sorted(entries) == sorted("--" + name.replace("_", "-") for name in expected)
    for name, default in expected.items():
        entry = entries["--" + name.replace("_", "-")]
        if default or (default == 0 and default is not False):
            assert entry.endswith(f"[{''.join(str(default).split())}]")
        else:
            assert "[" not in entry.partition("]")[2]


# Pictures of digits.


@pytest.fixture
def album(tmp_path, digits):
    """Three drawings, and three files that can't be read."""
    for i in (0, 1, 3):
        write_picture(tmp_path / f"drawing{i}.png", digits[0][i])
    matplotlib.image.imsave(tmp_path / "empty.png", np.full((50, 50), 255), cmap="gray", vmin=0)
    (tmp_path / "notes.png").write_text("no picture")
    good = [tmp_path / f"drawing{i}.png" for i in (0, 1, 3)]
    return good, [tmp_path / name for name in ("empty.png", "notes.png", "missing.png")]


def what_is_read(parameters, path):
    P = nn.forward(parameters, nn.to_columns(nn.read_picture(path)[None])).A2
    return f"   {path}: read as {P.argmax()} ({100 * P.max():.0f} %)"


def test_pictures_are_read_after_the_training(program, small, tmp_path, album):
    good, bad = album
    file = tmp_path / "learnt.npz"
    words = ("--data", small, "--iterations", 60, "--learning-rate", 0.3, "--save", file)
    result, figures = program(*words, "--digit", good[0], bad[0], good[1], *bad[1:], good[2])
    assert result.returncode == 2
    lines = result.stdout.splitlines()
    learnt = saved(file)
    places = [lines.index(what_is_read(learnt, path)) for path in good]
    assert places == sorted(places)
    assert len({what_is_read(learnt, path).partition(":")[2] for path in good}) > 1
    errors = result.stderr.splitlines()
    assert [str(path) in line for path, line in zip(bad, errors)] == [True] * 3
    assert len(errors) == 3 and errors[2] == f"error: {bad[2]}: No such file or directory"
    assert sorted(figures) == ["digits", "neurons", "predictions", "training"]
    assert "final test accuracy" in result.stdout
    texts = [axes.get_title() for axes in figures["digits"].axes]
    for row, path in enumerate(good):
        answer = what_is_read(learnt, path)[-8:].split("as ")[-1]
        assert path.name in texts[4 * row]
        assert re.findall(r"\d+", texts[4 * row + 3]) == re.findall(r"\d+", answer)


def test_pictures_are_read_without_the_table(program, tmp_path, album):
    """From a saved network, with nothing to learn: `--data` is not even opened."""
    good, bad = album
    file = tmp_path / "any.npz"
    parameters = nn.initialize(np.random.default_rng(3), hidden=20)
    np.savez(file, **parameters._asdict())
    words = ("--load", file, "--iterations", 0, "--data", "no such file", "--digit", *good)
    result, figures = program(*words)
    assert (result.returncode, result.stderr) == (0, "")
    for path in good:
        assert what_is_read(parameters, path) in result.stdout.splitlines()
    assert list(figures) == ["digits"]
    result, figures = program("--load", file, "--iterations", 0, "--digit", *bad)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 3 and not figures
    result, _ = program(*words[:3], 1, *words[4:])  # something to learn: now it is
    assert "no such file" in one_line_error(result)


def test_pictures_are_read_by_what_has_been_learnt_since(program, small, tmp_path, album):
    before, after = tmp_path / "before.npz", tmp_path / "after.npz"
    np.savez(before, **nn.initialize(np.random.default_rng(3))._asdict())
    words = ("--data", small, "--load", before, "--iterations", 40, "--save", after)
    result, _ = program(*words, "--digit", album[0][0])
    expected, old = (what_is_read(nn.load_network(file), album[0][0]) for file in (after, before))
    assert expected in result.stdout.splitlines() and expected != old


def test_what_raw_pixels_taught_is_kept_for_divided_ones(program, small, tmp_path, album):
    """Whoever loads it need not know how it was learnt: it reads, and is tested, as before."""
    file = tmp_path / "raw.npz"
    words = ("--data", small, "--digit", *album[0], "--iterations")
    raw, _ = program(*words, 20, "--raw-pixels", "--learning-rate", 1e-5, "--save", file)
    result, _ = program(*words, 0, "--load", file)
    read, _ = program(*words, 0, "--load", file, "--save", tmp_path / "again.npz")
    answers = [line for line in raw.stdout.splitlines() if "read as" in line or "final" in line]
    assert len(answers) == 8 + 2 + 3
    assert answers[-3:] == re.findall(".*read as.*", result.stdout)
    assert set(answers) <= set(read.stdout.splitlines())


def test_several_digits_are_said(program, tmp_path, digits):
    paper = np.full((300, 600), 255, np.uint8)
    paper[30:254, 50:274] -= np.kron(digits[0][0].reshape(28, 28), np.ones((8, 8), np.uint8))
    paper[60:228, 380:548] -= np.kron(digits[0][3].reshape(28, 28), np.ones((6, 6), np.uint8))
    matplotlib.image.imsave(tmp_path / "two.png", paper, cmap="gray")
    file = tmp_path / "any.npz"
    np.savez(file, **nn.initialize(np.random.default_rng(3))._asdict())
    words = ("--load", file, "--iterations", 0, "--digit")
    result, _ = program(*words, tmp_path / "two.png")
    assert result.returncode == 0
    assert re.search(r"two.png: read as \d \(\d+ %\).*several", result.stdout)


# What is wrong is said on one line, with exit status 2.


def test_missing_files_are_one_line(program, small, tmp_path):
    for option in ("--data", "--test-data", "--load"):
        line = one_line_error(program("--data", small, option, "no\u00e9l.npz")[0])
        assert "no\u00e9l.npz" in line and "no such file" in line.lower()


def test_names_that_cannot_be_printed_are_escaped(tmp_path):
    line = one_line_error(run("--data", "no\u00e9l.csv", cwd=tmp_path, PYTHONIOENCODING="ascii"))
    assert "no such file" in line


def test_places_that_cannot_be_written_are_found_out_first(program, small, tmp_path):
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "folder").mkdir()
    for option, place in (
        ("--figures", "taken"),
        ("--figures", "taken/below"),
        ("--save", "missing/learnt.npz"),
        ("--save", "taken/learnt.npz"),
        ("--save", "folder"),
    ):
        result, _ = program("--data", small, option, tmp_path / place)
        line = one_line_error(result)
        assert str(tmp_path) in line
        assert "1. The data" not in result.stdout


def test_figures_that_cannot_be_saved_are_found_out_first(program, monkeypatch, small, tmp_path):
    (tmp_path / "figures" / "training.png").mkdir(parents=True)
    assert "training.png" in one_line_error(program("--data", small)[0])
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)  # as it is for others than root
        result, _ = program("--data", small, "--figures", tmp_path)
    assert "can't save there" in one_line_error(result) and not result.stdout


def test_the_folder_for_figures_is_made(program, small, tmp_path):
    folder = tmp_path / "a" / "b"
    assert program("--data", small, "--iterations", 0, "--figures", folder)[0].returncode == 0
    assert folder.is_dir()


def test_a_name_of_two_lines_is_one_line(program):
    assert "two lines" in one_line_error(program("--data", "two\nlines")[0])


def test_too_little_memory_is_one_line(program, monkeypatch, small):
    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr(nn, "make_blocks", no_memory)
    line = one_line_error(program("--data", small)[0])
    assert "not enough memory" in line and "--hidden" in line


def test_no_network_is_one_line(program, small, tmp_path):
    (tmp_path / "text.npz").write_text("no network")
    np.savez(tmp_path / "other.npz", W1=np.zeros((10, 784)))
    for name in ("text.npz", "other.npz"):
        result, _ = program("--data", small, "--load", tmp_path / name)
        assert name in one_line_error(result)


@pytest.mark.parametrize(
    "words",
    [
        "--learning-rate 1000",  # scores grow beyond all numbers
        "--learning-rate 10",  # nearly no picture makes any hidden neuron fire
        "--raw-pixels",
        "--learning-rate 1000 --batch-size 50",
    ],
)
def test_learning_that_breaks_down_is_one_line(program, small, tmp_path, words):
    file = tmp_path / "learnt.npz"
    rest = ("--data", small, "--iterations", 200, "--save", file)
    result, figures = program(*rest, *words.split())
    line = one_line_error(result)
    assert re.search(r"learning broke down at iteration [1-9]", line) and "--learning-rate" in line
    assert ("--raw-pixels" in line) == ("raw" in words)
    assert "accuracy:" not in result.stdout and not figures and not file.exists()


@pytest.mark.parametrize("m", [1, 9, 10])
def test_a_test_of_few_pictures_is_no_breakdown(m):
    """That a single picture makes no neuron fire says nothing; that ten make none does."""
    silent = nn.initialize(np.random.default_rng(0))._replace(b1=np.full((10, 1), -1e9, "f"))
    options = SimpleNamespace(iterations=3, raw_pixels=False)
    task = ([(silent, 2.3, 0.1)] * 4, np.ones((784, m), np.float32), np.arange(m), options)
    if m < 10:
        assert len(nn.follow(*task)[1]) == 4
    else:
        with pytest.raises(SystemExit, match="broke down at iteration 1"):
            nn.follow(*task)


def test_a_loss_that_is_no_number_is_one_line(program, monkeypatch, small):
    real = nn.train

    def broken(*arguments):
        for i, (parameters, loss, fraction) in enumerate(real(*arguments)):
            yield parameters, np.nan if i == 4 else loss, fraction

    monkeypatch.setattr(nn, "train", broken)
    result, _ = program("--data", small, "--iterations", 300)  # looks at the test: 2, 5, 8, ...
    assert "broke down at iteration 4" in one_line_error(result)


def test_a_network_that_is_nearly_dead_is_one_line(program, monkeypatch, small, digits, tmp_path):
    """A learning rate of 3 leaves 2 of 41,000 pictures that still make a neuron fire: the loss is
    that of a shrug, not infinite. Here some 5 of 1,000 do."""
    test = write_table(tmp_path / "test.csv", digits, slice(1000, 2000))
    inked = (digits[0][1000:2000] > 128).sum(axis=0)
    W1 = np.zeros((10, 784), np.float32)
    W1[0, np.flatnonzero((inked > 2) & (inked < 9))[0]] = 2
    real = nn.train

    def dying(*arguments):
        for i, (parameters, *rest) in enumerate(real(*arguments)):
            if i == 3:
                parameters = parameters._replace(W1=W1, b1=np.full_like(parameters.b1, -1))
            yield parameters, *rest

    monkeypatch.setattr(nn, "train", dying)
    result, _ = program("--data", small, "--test-data", test, "--iterations", 9)
    assert "broke down at iteration 3" in one_line_error(result)


def test_a_network_that_says_always_the_same_is_looked_at(program, small, tmp_path):
    """Dead from the start, with one answer for all: as good as a guess, and no learning broke."""
    file, labels = tmp_path / "dead.npz", by_hand(small, 0)[2][1]
    b2 = np.zeros((10, 1), np.float32)
    b2[np.bincount(labels).argmax()] = 1
    dead = nn.initialize(np.random.default_rng(0))._replace(b1=np.full((10, 1), -99), b2=b2)
    np.savez(file, **{name: P.astype(np.float32) for name, P in dead._asdict().items()})
    result, _ = program("--data", small, "--load", file, "--iterations", 0)
    assert result.returncode == 0, result.stderr
    assert f"({np.bincount(labels).max()} of 60)" in result.stdout
    assert "no better than a guess" in result.stdout


def test_a_run_that_is_no_better_than_a_guess_says_so(program, small, digits, tmp_path):
    words = ("--data", small, "--seed", 2, "--learning-rate")
    result, _ = program(*words, 1e-6, "--iterations", 1)
    assert result.returncode == 0 and "no better than a guess" in result.stdout
    result, _ = program(*words, 0.3, "--iterations", 60)
    assert result.returncode == 0 and "no better than a guess" not in result.stdout
    sevens = write_table(tmp_path / "sevens.csv", digits, np.flatnonzero(digits[1] == 7)[-30:])
    result, _ = program(*words, 0.3, "--iterations", 60, "--test-data", sevens)
    assert result.returncode == 0 and "no better than a guess" not in result.stdout


@pytest.mark.parametrize("key", nn.Parameters._fields)
def test_a_wrong_gradient_stops_the_run(program, monkeypatch, small, key):
    right = nn.backward
    for factor in (-1, 1.001, np.nan):

        def wrong(*arguments, factor=factor):
            slopes = right(*arguments)
            return slopes._replace(**{key: factor * getattr(slopes, key)})

        monkeypatch.setattr(nn, "backward", wrong)
        result, figures = program("--data", small)
        assert "the gradient is wrong" in one_line_error(result)
        assert "5. Learning" not in result.stdout and not figures


@pytest.mark.parametrize("key", nn.Parameters._fields)
def test_a_wrong_gradient_in_blocks_stops_the_run(program, monkeypatch, small, key):
    right = nn.gradient_in_blocks

    def wrong(*arguments):
        loss, fraction, slopes = right(*arguments)
        return loss, fraction, slopes._replace(**{key: 1.1 * getattr(slopes, key)})

    monkeypatch.setattr(nn, "gradient_in_blocks", wrong)
    assert "gradient" in one_line_error(program("--data", small)[0])


@pytest.mark.parametrize(
    "words", ["--raw-pixels --seed 767", "--raw-pixels --hidden 2 --seed 37", "--init he"]
)
def test_the_check_raises_no_false_alarm(program, small, digits, tmp_path, words):
    """With a blank picture first in either table, which has nothing that could be checked."""
    for blank_one in ("learn", "test"):
        tables = []
        for name, rows in (("learn", slice(60)), ("test", slice(60, 100))):
            pixels, labels = digits[0][rows].copy(), digits[1][rows]
            pixels[0] *= name != blank_one
            tables.append(write_table(tmp_path / f"{name}.csv", (pixels, labels), slice(None)))
        learn, test = tables
        rest = ("--data", learn, "--test-data", test, "--iterations", 0)
        result, _ = program(*rest, *words.split())
        assert (result.returncode, result.stderr) == (0, "")
        error = float(re.search(r"differences (\S+)", result.stdout)[1])
        assert 0 < error < 1e-6  # 0: nothing was left to compare


def test_fifty_empty_pages_are_not_all_that_is_checked(program, digits, tmp_path):
    """With He's start, whose biases are 0, they are on the kink: none would be left to compare."""
    pixels, labels = digits[0][:70].copy(), digits[1][:70]
    pixels[:55] = 0
    learn = write_table(tmp_path / "learn.csv", (pixels, labels), slice(None))
    test = write_table(tmp_path / "test.csv", digits, slice(100, 150))
    words = ("--data", learn, "--test-data", test, "--iterations", 0, "--init", "he")
    result, _ = program(*words)
    assert (result.returncode, result.stderr) == (0, "")


# Ctrl-C, and an output that nobody can read.


def stop_after(monkeypatch, steps, then=None):
    """Ctrl-C while a step is being computed."""
    real = nn.train

    def interrupted(*arguments):
        for i, step in enumerate(real(*arguments)):
            if i == steps:
                if then:
                    monkeypatch.setattr(nn, *then)
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr(nn, "train", interrupted)


@pytest.mark.parametrize("batch", [None, 16])
def test_interrupt_keeps_what_was_learnt(program, monkeypatch, small, tmp_path, batch):
    stop_after(monkeypatch, 200)
    file = tmp_path / "learnt.npz"
    words = ["--data", small, "--iterations", 10_000, "--save", file]
    result, figures = program(*words, *(["--batch-size", batch] if batch else []))
    assert (result.returncode, result.stderr) == (0, "")
    assert "stopped at iteration 199" in result.stdout
    history, everything, test = by_hand(small, 199, batch_size=batch)
    assert agree(saved(file), history[-1][0])
    known, unknown = percent(history[-1][0], *everything), percent(history[-1][0], *test)
    assert number("final training accuracy:", result.stdout) == pytest.approx(known, abs=0.2)
    assert number("final test accuracy:", result.stdout) == pytest.approx(unknown, abs=1.7)
    legend = [line.get_label() for line in figures["training"].axes[1].lines][1]
    assert number("test:", legend) == number("final test accuracy:", result.stdout)


def interrupt(*_):
    raise KeyboardInterrupt


def test_a_second_interrupt_ends_at_once(program, monkeypatch, small):
    stop_after(monkeypatch, 50, then=("forward", interrupt))
    result, figures = program("--data", small, "--iterations", 10_000)
    assert (result.returncode, result.stderr, figures) == (130, "", {})


def test_interrupt_before_training_ends_quietly(program, monkeypatch, small):
    for name in ("load_digits", "gradient_check", "make_blocks"):
        with monkeypatch.context() as patch:
            patch.setattr(nn, name, interrupt)
            result, figures = program("--data", small)
            assert (result.returncode, result.stderr, figures) == (130, "", {})
    stop_after(monkeypatch, 0)
    assert program("--data", small)[0].returncode == 130


def test_interrupt_at_the_first_look_at_the_test_loses_nothing(program, monkeypatch, small):
    real, calls = nn.accuracy, []

    def once(*arguments):
        if not calls:
            calls.append(1)
            raise KeyboardInterrupt
        return real(*arguments)

    real_train = nn.train

    def late(*arguments):
        for step in real_train(*arguments):
            calls.clear()
            monkeypatch.setattr(nn, "accuracy", once)
            yield step

    monkeypatch.setattr(nn, "train", late)
    result, _ = program("--data", small)
    assert result.returncode == 0 and "final test accuracy" in result.stdout


@posix_only
def test_a_real_interrupt(small, tmp_path):
    process = start("--data", small, "--iterations", 1_000_000, cwd=tmp_path)
    for line in process.stdout:
        if "iteration " in line:
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "stopped at iteration" in output and "final test accuracy" in output
    assert (tmp_path / "figures" / "training.png").exists()


@posix_only
def test_an_inherited_ignore_stays(small, tmp_path):
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, SCRIPT]
    process = subprocess.Popen(
        [*command, "--data", small, "--iterations", "3000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd=tmp_path,
        env=ENVIRONMENT,
    )
    for line in process.stdout:
        if "iteration " in line:
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "stopped" not in output and "iteration 3000/3000" in output


def test_ctrl_c_while_windows_are_open_is_no_failure(program, monkeypatch, small):
    """By then all is saved. The drawing board opens with the figures, and reads as they do."""
    boards = []
    monkeypatch.setattr(nn, "drawing_board", boards.append)
    monkeypatch.setattr(nn.plt, "show", interrupt)
    canvas = nn.plt.figure().canvas
    result, _ = program("--data", small, "--iterations", 2)
    assert result.returncode == 0 and not boards  # no windows here, no board
    monkeypatch.setattr(type(canvas), "required_interactive_framework", "any", raising=False)
    monkeypatch.setattr(nn.plt, "switch_backend", lambda name: None)
    result, figures = program("--data", small, "--iterations", 2)
    assert (result.returncode, result.stderr) == (0, "")
    assert len(figures) == 3 and len(boards) == 1
    assert agree(boards[0], by_hand(small, 2)[0][-1][0])
    result, figures = program(
        "--data", small, "--iterations", 2, "--raw-pixels", "--learning-rate", 1e-5
    )
    X = np.linspace(0, 1, 784)[:, None]
    raw = by_hand(small, 2, divisor=1, learning_rate=1e-5)[0][-1][0]
    np.testing.assert_allclose(
        nn.forward(boards[1], X).A2, nn.forward(raw, 255 * X).A2, rtol=0.01, atol=1e-6
    )


@posix_only
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_is_full_or_closed(small, tmp_path):
    """Whether or not Python's output is buffered: status 1 or 2, at most one line, no traceback."""
    learn = ("--data", small, "--iterations", 2)
    processes = []
    with open("/dev/full", "w") as full:  # the errors alone
        processes.append(start("--nonsense", cwd=tmp_path, err=full))
    for words in (["--help"], learn):
        for environment in ({}, {"PYTHONUNBUFFERED": "1"}):
            with open("/dev/full", "w") as full:
                processes.append(start(*words, cwd=tmp_path, out=full, **environment))
                log = {"out": full, "err": full}  # errors go there too
                processes.append(start(*words, cwd=tmp_path, **log, **environment))
            ours, theirs = os.pipe()
            processes.append(start(*words, cwd=tmp_path, out=theirs, **environment))
            os.close(theirs)
            os.close(ours)
    for process in processes:
        errors = process.communicate(timeout=60)[1] or ""
        assert process.returncode in (1, 2), process.args
        assert len(errors.splitlines()) <= 1, errors
        assert "pipe" not in errors  # whoever closed it knows
        assert "Exception" not in errors and "Traceback" not in errors


@posix_only
def test_standard_output_closed_from_the_start(small, tmp_path):
    command = f'exec "{sys.executable}" "{SCRIPT}" --data "{small}" --iterations 2 >&-'
    result = subprocess.run(
        ["sh", "-c", command], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=ENVIRONMENT
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "figures" / "training.png").stat().st_size > 1000


def test_errors_come_after_what_was_said_before(small, tmp_path, album):
    good, bad = album
    file = tmp_path / "any.npz"
    np.savez(file, **nn.initialize(np.random.default_rng(3))._asdict())
    words = ("--load", file, "--iterations", 0, "--digit", bad[0], good[0], bad[1])
    log = run(*words, cwd=tmp_path, err=subprocess.STDOUT)
    order = ("handwriting", bad[0], good[0], bad[1])
    places = [log.stdout.find(str(words)) for words in order]
    assert log.returncode == 2 and -1 not in places and places == sorted(places)
    log = run("--data", small, "--learning-rate", 1000, cwd=tmp_path, err=subprocess.STDOUT)
    assert log.stdout.splitlines()[-1].startswith("error: learning broke down")
    assert len(log.stdout.splitlines()) > 5


# Where people run it.


def test_surroundings_do_not_matter(small, tmp_path):
    """Settings that Jupyter and Colab hand on, a screen that is not there, output in ASCII."""
    odd = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "DISPLAY": ":99"}
    surroundings = [
        (("-O", "-W", "error::RuntimeWarning"), odd),
        ((), {"MPLBACKEND": "nonsense"}),
        ((), {"MPLBACKEND": "module://nowhere.at_all"}),
        ((), {"MPLBACKEND": "module://nowhere.at_all"}),  # and --no-show
    ]
    if sys.platform == "linux":  # which knows when there is no screen
        surroundings += [((), {"MPLBACKEND": "TkAgg"})]
    processes = []
    for i, (python, environment) in enumerate(surroundings):
        words = ("--data", small, "--iterations", 2, "--figures", f"figures{i}")
        words += ("--no-show",) * (i == 3)
        processes.append(start(*words, cwd=tmp_path, python=python, **environment))
    for i, process in enumerate(processes):
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, ""), surroundings[i]
        assert "final test accuracy" in output
        assert (tmp_path / f"figures{i}" / "neurons.png").stat().st_size > 1000


def test_no_show_opens_no_windows_and_leaves_later_plots_alone(program, small, monkeypatch):
    monkeypatch.setattr(nn.plt, "show", lambda: pytest.fail("a window"))
    before = nn.plt.get_backend()
    nn.plt.switch_backend("svg")
    try:
        result, figures = program("--data", small, "--iterations", 1, "--no-show")
        assert result.returncode == 0
        assert nn.plt.get_backend() == "svg"
        assert nn.plt.get_fignums() == []
        assert len(figures) == 3
        one_line_error(program("--data", "nothing", "--no-show")[0])
        assert nn.plt.get_backend() == "svg"  # after an error too
    finally:
        nn.plt.switch_backend(before)


def test_pictures_are_png_whatever_the_backend_prefers(small, tmp_path):
    before = nn.plt.get_backend()
    nn.plt.switch_backend("svg")
    try:
        words = ("--data", small, "--iterations", 0, "--no-show", "--figures", tmp_path / "f")
        assert nn.main([str(word) for word in words]) == 0
    finally:
        nn.plt.switch_backend(before)
    starts = [path.read_bytes()[:4] for path in (tmp_path / "f").iterdir()]
    assert starts == 3 * [b"\x89PNG"]


def test_a_backend_that_cannot_be_opened_is_one_line(program, small, monkeypatch):
    """As a matplotlibrc may name it."""

    def cannot(*_, **__):
        raise ImportError("Cannot load backend 'QtAgg'")

    monkeypatch.setattr(nn.plt, "subplots", cannot)
    result, _ = program("--data", small, "--iterations", 1)
    assert "Cannot load backend 'QtAgg'" in one_line_error(result)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
def test_a_name_that_is_no_unicode(digits, tmp_path):
    """A `$` as well, which would begin a formula."""
    path = write_picture(tmp_path / "a.png", digits[0][0])
    path = path.rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff$.png"))
    np.savez(tmp_path / "any.npz", **nn.initialize(np.random.default_rng(0))._asdict())
    command = ["--load", tmp_path / "any.npz", "--iterations", "0", "--no-show", "--digit", path]
    result = run(*command, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "figures" / "digits.png").exists()


def test_main_in_a_notebook_does_not_read_its_arguments(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    seen = []
    monkeypatch.setattr(nn, "run", lambda options: seen.append(options) or 0)
    assert nn.main() == 0
    assert seen == [nn.parse_options([])]


def test_false_alarms_of_matmul_do_not_show_in_cells(tmp_path):
    """Apple's library raises the flags of a division by zero in any matrix product."""
    code = (
        "import sys; sys.argv = ['ipykernel_launcher.py']\n"
        f"source = open({str(SCRIPT)!r}, encoding='utf-8').read()\n"
        "exec(compile(source, 'cell', 'exec'), names := {'__name__': '__main__'})\n"
        "for cell in (\n"
        "    'np.array([[np.inf, 1.0]] * 2) @ np.zeros((2, 2))',\n"
        "    'import warnings as w; w.warn(\"overflow encountered in matmul\", RuntimeWarning)',\n"
        "    'np.array([1.0]) / 0',\n"
        "): exec(cell, names)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT
    )
    assert "matmul" not in result.stderr
    assert "divide by zero encountered in divide" in result.stderr  # what is one's own still does


def test_percent_run_reads_the_options(small, tmp_path):
    pytest.importorskip("IPython")
    words = f"%run '{SCRIPT}' --data '{small}' --iterations 3 --no-show"
    result = subprocess.run(
        [sys.executable, "-m", "IPython", "--quick", "--colors=NoColor", "-c", words],
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        env={**ENVIRONMENT, "IPYTHONDIR": str(tmp_path)},
    )
    assert "iteration 3/3" in result.stdout and "final test accuracy" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_an_unsearchable_working_folder_is_no_traceback(small, tmp_path, monkeypatch, program):
    def forbidden(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", forbidden)
    assert "Permission denied" in one_line_error(program("--data", small)[0])


# Trust: what the script may and may not do.


def metadata():
    text = SCRIPT.read_text(encoding="utf-8")
    python = re.search(r'# requires-python = ">=([0-9.]+)"', text)[1]
    return python, ast.literal_eval(re.search(r"# dependencies = (\[.*\])", text)[1])


def test_requirements_metadata_and_workflow_agree():
    python, dependencies = metadata()
    requirements = (FOLDER / "requirements.txt").read_text(encoding="utf-8").split()
    assert dependencies == requirements
    names = [re.match("[a-z]+", line)[0] for line in requirements]
    assert names == ["numpy", "pandas", "matplotlib"]
    workflow = (FOLDER / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    oldest = re.search(r'oldest: "(.*)"', workflow)[1]
    assert oldest.split() == [line.replace(">=", "==") + ".0" for line in requirements]
    assert f'"{python}"' in workflow
    lint = (FOLDER / ".ruff.toml").read_text(encoding="utf-8")
    assert f'target-version = "py{python.replace(".", "")}"' in lint


def test_script_imports_only_the_standard_library_and_three_packages():
    """And Pillow, which matplotlib requires and reads pictures with."""
    allowed = {*sys.stdlib_module_names, "numpy", "pandas", "matplotlib", "PIL"}
    imported = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert {"numpy", "pandas", "matplotlib"} <= imported <= allowed


def test_importing_prints_reads_and_writes_nothing(tmp_path):
    code = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import Neural_Network_from_Scratch"
    result = subprocess.run(
        [sys.executable, "-B", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=ENVIRONMENT,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


WATCH = """
import pickle, runpy, sys
events = []
names = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec",
         "os.posix_spawn", "pickle.find_class", "os.remove", "os.rename", "os.mkdir")
def watch(event, arguments):
    if event in names:
        events.append((event, str(arguments[0])))
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        events.append((event, str(arguments[0])))
sys.addaudithook(watch)
sys.argv = sys.argv[2:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    with open({log!r}, "wb") as file:
        pickle.dump(list(events), file)
"""


def test_script_writes_only_where_it_is_told_to(small, tmp_path, album):
    cache, log, watcher = tmp_path / "matplotlib", tmp_path / "log", tmp_path / "watch.py"
    watcher.write_text(WATCH.replace("{log!r}", repr(str(log))), encoding="utf-8")
    (tmp_path / "out").mkdir()
    words = ("--data", small, "--iterations", "2", "--save", "out/learnt.npz", "--digit")
    environment = {**ENVIRONMENT, "MPLCONFIGDIR": str(cache)}
    for command in (
        ["-c", "import matplotlib.font_manager"],  # which looks for the fonts of this machine once
        [watcher, "--", SCRIPT, *words, *album[0]],
    ):
        command = [sys.executable, *command]
        subprocess.run(command, check=True, cwd=tmp_path, env=environment, capture_output=True)
    events = [
        (event, (tmp_path / name).resolve()) for event, name in pickle.loads(log.read_bytes())
    ]
    allowed = [tmp_path / name for name in ("figures", "out", "matplotlib", "log")]
    kinds = ("open", "os.remove", "os.rename", "os.mkdir")
    assert [
        (event, place)
        for event, place in events
        if event not in kinds or not any(folder in (place, *place.parents) for folder in allowed)
    ] == []
    written = [place.name for event, place in events if event == "open"]
    assert sum("training" in name for name in written) == 1  # the watcher sees what is written
    assert (tmp_path / "out" / "learnt.npz").exists()
