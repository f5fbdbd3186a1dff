"""The program as people run it: a process, its output, its pictures, its manners."""

import ast
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

import Neural_Network_from_Scratch as nn

SCRIPT = Path(nn.__file__).resolve()
FOLDER = SCRIPT.parent
PICTURES = ["neurons.png", "predictions.png", "training.png"]
ENVIRONMENT = {**os.environ, "MPLBACKEND": "agg"}  # no windows that wait for somebody
posix_only = pytest.mark.skipif(os.name == "nt", reason="needs POSIX")


def run(*arguments, cwd, python=(), **environment):
    return subprocess.run(
        [sys.executable, *python, SCRIPT, *map(str, arguments)],
        capture_output=True,
        cwd=cwd,
        encoding="utf-8",
        env={**ENVIRONMENT, **environment},
        timeout=300,
    )


def one_line_error(result):
    """The single line on standard error of a run that ended with exit status 2."""
    assert result.returncode == 2, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def without_times(text):
    return re.sub(r"[0-9.]+ s$", "", text, flags=re.MULTILINE)


@pytest.fixture(scope="session")
def small(tmp_path_factory, digits):
    """A CSV file of the first 1,500 digits: quick to read, quick to learn."""
    path = tmp_path_factory.mktemp("small") / "1500 Ziffern \u00e4.csv"
    rows = np.column_stack([digits[1], digits[0]])[:1500]
    np.savetxt(path, rows, fmt="%d", delimiter=",")
    return path


@pytest.fixture(scope="session")
def main_job(tmp_path_factory):
    """The default run on the embedded data, and the folder in which it was started."""
    folder = tmp_path_factory.mktemp("elsewhere")
    return run(cwd=folder), folder


def test_main_job_learns_to_read(main_job):
    result, _ = main_job
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    last = re.findall(r"iteration 750/750 .*train ([0-9.]+) %  test ([0-9.]+) %", result.stdout)
    train, test = map(float, last[0])
    assert train >= 87.0
    assert test >= 85.8
    final = re.search(r"final test accuracy: ([0-9.]+)% \(([0-9]+) of 1,000\)", result.stdout)
    assert float(final[1]) == test == int(final[2]) / 10


def test_main_job_tells_its_story_in_order(main_job):
    output = main_job[0].stdout
    story = [
        "42,000 pictures",
        "x_train (784, 41000)",
        "x_test (784, 1000)",
        "7,960 parameters",
        "largest relative error against finite differences: ",
        "iteration   0/750",
        "iteration 750/750",
        "test picture 0",
        "final test accuracy",
        "pictures in figures: training.png",
    ]
    places = [output.find(words) for words in story]
    assert -1 not in places and places == sorted(places)
    assert float(re.search(r"differences: (\S+)", output)[1]) < 1e-6
    assert output.isascii()
    assert max(map(len, output.splitlines()[:-1])) < 80
    assert output.count("iteration ") <= 20  # into a file, a line now and then


def test_main_job_draws_three_pictures_that_are_not_blank(main_job):
    figures = main_job[1] / "figures"
    assert sorted(path.name for path in figures.iterdir()) == PICTURES
    for name in PICTURES:
        assert matplotlib.image.imread(figures / name)[..., :3].std() > 0.05


def test_same_seed_same_output(small, tmp_path):
    for options in ((), ("--batch-size", 50)):
        once, again = (
            run("--data", small, "--iterations", 40, *options, cwd=tmp_path) for _ in range(2)
        )
        assert "iteration 40/40" in once.stdout
        assert without_times(again.stdout) == without_times(once.stdout)


def test_predictions_shown_are_of_test_images(main_job, digits):
    """Trap: "test predictions" that are drawn from the training images."""
    training, test = nn.split(*digits, nn.TEST_SIZE, np.random.default_rng(nn.SEED))
    shown = [int(d) for d in re.findall(r"test picture [0-9]: a ([0-9])", main_job[0].stdout)]
    assert shown == test[1][: len(shown)].tolist() != training[1][: len(shown)].tolist()
    assert len(shown) == 8


def test_options_change_the_run(small, tmp_path):
    options = ("--data", small, "--hidden", 60, "--iterations", 3, "--seed", 5, "--no-show")
    result = run(*options, "--learning-rate", 0.3, "--figures", "pics", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "784 pixels -> 60 hidden (ReLU)" in result.stdout
    assert "learning rate 0.3" in result.stdout
    assert "iteration 3/3" in result.stdout
    assert "x_train (784, 500)" in result.stdout
    assert sorted(path.name for path in (tmp_path / "pics").iterdir()) == PICTURES


@pytest.mark.parametrize(
    ("option", "values"),
    {
        "--iterations": ["0", "-1", "1.5", "many", "nan", "1e3"],
        "--batch-size": ["0", "-64", "1.5", "all"],
        "--weight-decay": ["-0.1", "nan", "inf", "some"],
        "--learning-rate": ["0", "-0.1", "nan", "inf", "fast"],
        "--hidden": ["0", "-3", "ten", "10001"],
        "--seed": ["-1", "0.5", "x"],
    }.items(),
)
def test_bad_option_values_get_one_line_with_the_range(capsys, option, values):
    for value in values:
        with pytest.raises(SystemExit) as caught:
            nn.parse_options([f"{option}={value}"])
        assert caught.value.code == 2
        last = capsys.readouterr().err.splitlines()[-1]
        assert re.search(
            rf"error: argument {option}: '{value}' is not a .*number from .* to ", last
        )


@pytest.mark.parametrize("option", ["--schedule", "--init"])
def test_bad_choices_get_one_line_with_the_choices(capsys, option):
    with pytest.raises(SystemExit) as caught:
        nn.parse_options([option, "magic"])
    assert caught.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {option}: invalid choice: 'magic'" in last


def test_mini_batches_speak_of_epochs(small, tmp_path):
    options = ("--data", small, "--batch-size", 60, "--iterations", 90, "--no-show")
    lifted = ("--init", "he", "--weight-decay", 0.01, "--schedule", "cosine", "--hidden", 30)
    result = run(*options, *lifted, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "mini-batches of 60, 9 to an epoch" in result.stdout
    assert "(cosine), weight decay 0.01" in result.stdout
    assert re.search(r"iteration 90/90  epoch 10\.0  loss ", result.stdout)
    assert max(map(len, result.stdout.splitlines())) < 100
    final = float(re.search(r"final test accuracy: ([0-9.]+)%", result.stdout)[1])
    assert final > 50  # 500 digits, learnt ten times over
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == PICTURES


def test_legend_says_that_a_noisy_curve_is_a_mean():
    history = [nn.Record(i, 1 / (i + 1), 0.5, 1.0, 0.4, None) for i in range(100)]
    for window, label in ((1, "training: 0.010"), (20, "training, mean of 20 batches: 0.011")):
        figure = nn.plot_training(history, window)
        line = figure.axes[0].lines[0]
        assert line.get_label() == label
        assert line.get_xdata()[0] == window - 1
        assert line.get_ydata()[-1] == pytest.approx(
            np.mean([1 / i for i in range(101 - window, 101)])
        )
        nn.plt.close(figure)


def test_test_data_never_lets_a_test_picture_into_training(small, tmp_path, capsys):
    rows = small.read_text().splitlines()
    for name, part in {"learn": rows[:1200], "test": rows[1000:1300]}.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(part))
    learn, test = tmp_path / "learn.csv", tmp_path / "test.csv"
    options = nn.parse_options(["--data", str(learn), "--test-data", str(test)])
    (pixels, labels), (pixels_test, labels_test) = nn.read_digits(options, None)
    assert "200 pictures left out" in capsys.readouterr().out
    assert (len(labels), len(labels_test)) == (1000, 300)
    assert not set(map(bytes, pixels)) & set(map(bytes, pixels_test))
    everything = nn.load_digits(small)
    assert np.array_equal(pixels, everything[0][:1000])
    assert np.array_equal(labels_test, everything[1][1000:1300])
    result = run(*("--data", learn, "--test-data", test, "--iterations", 2), cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "x_train (784, 1000)" in result.stdout
    assert re.search(r"final test accuracy: .* of 300\)", result.stdout)


def test_test_data_that_leaves_nothing_to_learn_from_is_one_line(small, tmp_path):
    line = one_line_error(run("--data", small, "--test-data", small, cwd=tmp_path))
    assert "none is left to learn from" in line
    line = one_line_error(run("--data", small, "--test-data", "no.csv", cwd=tmp_path))
    assert "no.csv: No such file" in line


def test_only_the_program_itself_keeps_products_on_one_core(tmp_path):
    """Full-batch runs do, mini-batches and importing programs do not; other settings stay."""
    code = (
        "import os, runpy, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "sys.exit = lambda status: print(os.environ.get('OPENBLAS_NUM_THREADS'))\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    environment = {k: v for k, v in ENVIRONMENT.items() if k != "OPENBLAS_NUM_THREADS"}
    command = [sys.executable, "-c", code, SCRIPT, "--data", "no such file"]  # a quick end
    for options, before, after in (
        ([], {}, "1"),
        (["--batch-size", "9"], {}, "None"),
        (["--batch-size=9"], {}, "None"),
        ([], {"OPENBLAS_NUM_THREADS": "3"}, "3"),
    ):
        result = subprocess.run(
            [*map(str, command), *options],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**environment, **before},
        )
        assert result.stdout.split()[-1] == after


def test_one_class_is_nothing_to_learn_but_may_be_a_test(small, tmp_path):
    rows = small.read_text().splitlines()
    sevens = tmp_path / "sevens.csv"
    sevens.write_text("\n".join(row for row in rows if row.startswith("7,")))
    line = one_line_error(run("--data", sevens, "--test-data", small, cwd=tmp_path))
    assert "none is left" in line
    few = tmp_path / "few.csv"
    few.write_text("\n".join(row for row in rows[:700] if not row.startswith("7,")))
    line = one_line_error(run("--data", sevens, "--test-data", few, cwd=tmp_path))
    assert "all labels are the same" in line
    result = run("--data", small, "--test-data", sevens, "--iterations", 1, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_help_names_every_option_and_its_default(capsys):
    with pytest.raises(SystemExit):
        nn.parse_options(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    options = (
        "--data --test-data --iterations --batch-size --learning-rate --schedule --weight-decay"
    )
    for option in (*options.split(), "--hidden", "--init", "--seed", "--figures", "--raw-pixels"):
        assert f"{option} " in text
    for default in ("train.csv.gz", "750", "0.1", "constant", "0", "10", "uniform", "1", "figures"):
        assert f"{default})" in text


def test_missing_data_is_one_line(tmp_path):
    line = one_line_error(run("--data", "no\u00e9l.csv", cwd=tmp_path, PYTHONIOENCODING="ascii"))
    assert "No such file" in line and "--data" in line


def test_too_few_digits_is_one_line(small, tmp_path):
    few = tmp_path / "few.csv"
    few.write_text("\n".join(small.read_text().splitlines()[:1000]))
    assert "1,000 digits are too few" in one_line_error(run("--data", few, cwd=tmp_path))


@posix_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_forbidden_data_is_one_line(small, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(small.read_bytes())
    path.chmod(0)
    assert "Permission denied" in one_line_error(run("--data", path, cwd=tmp_path))


def test_figures_folder_that_cannot_be_made_is_found_out_first(small, tmp_path):
    (tmp_path / "taken").write_text("a file")
    for folder in ("taken", "taken/below"):
        result = run("--data", small, "--figures", folder, cwd=tmp_path)
        assert "cannot save pictures" in one_line_error(result)
        assert result.stdout == ""


@posix_only
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_one_line(small, tmp_path):
    with open("/dev/full", "w") as full:
        command = [sys.executable, SCRIPT, "--data", small, "--iterations", "2"]
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=ENVIRONMENT
        )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr and "No space left" in result.stderr


def test_divergence_is_one_line(small, tmp_path):
    options = ("--data", small, "--iterations", 200, "--learning-rate", 1000)
    result = run(*options, cwd=tmp_path, python=("-W", "error::RuntimeWarning"))
    line = one_line_error(result)
    assert "learning broke down at iteration" in line and "--learning-rate smaller" in line
    assert "accuracy:" not in result.stdout


def test_raw_pixels_are_one_line(tmp_path):
    line = one_line_error(run("--raw-pixels", cwd=tmp_path))
    assert "every hidden neuron is dead" in line and "no --raw-pixels" in line


@pytest.mark.parametrize("key", nn.Parameters._fields)
def test_a_wrong_gradient_stops_the_run(monkeypatch, capsys, small, tmp_path, key):
    right = nn.backward

    def wrong(*arguments):
        gradients = right(*arguments)
        return gradients._replace(**{key: -getattr(gradients, key)})

    monkeypatch.setattr(nn, "backward", wrong)
    options = ["--data", str(small), "--figures", str(tmp_path), "--no-show"]
    assert nn.main(options) == 2
    assert "the gradient is wrong" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("python", "environment"),
    [
        (("-O", "-W", "error::RuntimeWarning"), {}),
        ((), {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "COLUMNS": "40"}),
        ((), {"MPLBACKEND": "", "DISPLAY": ":99", "WAYLAND_DISPLAY": ""}),
        ((), {"MPLBACKEND": "svg"}),
    ],
)
def test_surroundings_do_not_matter(small, tmp_path, python, environment):
    if sys.platform != "linux" and "DISPLAY" in environment:
        pytest.skip("only Linux has a DISPLAY that may point nowhere")
    environment = {key: value for key, value in environment.items() if value}
    base = {key: value for key, value in ENVIRONMENT.items() if key != "MPLBACKEND"}
    result = subprocess.run(
        [sys.executable, *python, SCRIPT, "--data", small, "--iterations", "2"],
        capture_output=True,
        cwd=tmp_path,
        encoding="utf-8",
        env={**(base if "DISPLAY" in environment else ENVIRONMENT), **environment},
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "final test accuracy" in result.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="Linux knows when there is no display")
def test_a_backend_that_needs_a_display_runs_without_windows_or_is_one_line(small, tmp_path):
    environment = {key: value for key, value in os.environ.items() if "DISPLAY" not in key}
    result = subprocess.run(
        [sys.executable, SCRIPT, "--data", small, "--iterations", "2"],
        capture_output=True,
        cwd=tmp_path,
        text=True,
        env={**environment, "MPLBACKEND": "TkAgg"},
    )
    if result.returncode == 0:  # this matplotlib falls back to drawing without windows
        assert "final test accuracy" in result.stdout
    else:
        assert "--no-show" in one_line_error(result)


def start_and_wait_for(words, *arguments, cwd):
    process = subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
    )
    for line in process.stdout:
        if words in line:
            return process
    raise AssertionError(process.stderr.read())


@posix_only
def test_interrupt_keeps_what_was_learnt(small, tmp_path):
    options = ("--data", small, "--iterations", 100_000)
    process = start_and_wait_for("iteration      0/", *options, cwd=tmp_path)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert re.search("stopped at iteration [0-9]+", output)
    assert "final test accuracy" in output
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == PICTURES


@posix_only
def test_interrupt_while_the_packages_load_is_quiet(small, tmp_path):
    command = [sys.executable, SCRIPT, "--data", small]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=tmp_path, env=ENVIRONMENT)
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, 130)
    assert errors == b""


@posix_only
def test_a_second_interrupt_ends_at_once(small, tmp_path):
    options = ("--data", small, "--iterations", 100_000)
    process = start_and_wait_for("iteration      0/", *options, cwd=tmp_path)
    process.send_signal(signal.SIGINT)
    for line in process.stdout:
        if "stopped at iteration" in line:
            process.send_signal(signal.SIGINT)
            break
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_training_ends_quietly(tmp_path, number):
    process = start_and_wait_for("1. The data", cwd=tmp_path)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert errors == ""
    assert list((tmp_path / "figures").iterdir()) == []


@posix_only
def test_a_reader_that_goes_away_gets_no_traceback(small, tmp_path):
    options = ("--data", small, "--iterations", 100_000)
    process = start_and_wait_for("1. The data", *options, cwd=tmp_path)
    process.stdout.close()
    assert process.wait(timeout=60) == 1
    assert process.stderr.read() == ""


@posix_only
def test_standard_output_closed(small, tmp_path):
    command = f'exec "{sys.executable}" "{SCRIPT}" --data "{small}" --iterations 2 >&-'
    result = subprocess.run(
        ["sh", "-c", command], stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=ENVIRONMENT
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "figures" / "training.png").stat().st_size > 1000


@posix_only
@pytest.mark.parametrize("columns", [40, 80])
def test_progress_is_rewritten_in_place_on_a_terminal(small, tmp_path, columns):
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "COLUMNS"}
    command = [sys.executable, SCRIPT, "--data", small, "--iterations", "20"]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment)
    os.close(theirs)
    output = b""
    try:
        while chunk := os.read(ours, 65536):
            output += chunk
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    progress = [line for line in output.decode().split("\r") if line.startswith("   iteration")]
    assert len(progress) == 21
    assert all(len(line) < columns for line in progress)
    if columns == 80:
        assert "s left" in progress[0]


# Trust: what the script may and may not do.


def test_requirements_and_inline_metadata_agree():
    block = re.search(r"# dependencies = (\[.*\])", SCRIPT.read_text(encoding="utf-8"))
    requirements = (FOLDER / "requirements.txt").read_text(encoding="utf-8").split()
    assert ast.literal_eval(block[1]) == requirements
    assert [re.match("[a-z]+", line)[0] for line in requirements] == [
        "numpy",
        "pandas",
        "matplotlib",
    ]


def test_script_imports_only_the_standard_library_and_three_packages():
    allowed = {*sys.stdlib_module_names, "numpy", "pandas", "matplotlib"}
    imported = set()
    for node in ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert {"numpy", "pandas", "matplotlib"} <= imported <= allowed


def test_the_algorithm_is_under_60_lines_of_code():
    """Forward pass, loss, backward pass and update, docstrings and blank lines left out."""
    names = "Parameters Activations relu softmax forward cross_entropy backward descend".split()  # noqa: SIM905
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    nodes = [node for node in tree.body if getattr(node, "name", None) in names]
    lines = 0
    for node in nodes:
        docstring = isinstance(getattr(node.body[0], "value", None), ast.Constant)
        node.body = node.body[docstring:]
        lines += len(ast.unparse(node).splitlines())
    assert len(nodes) == len(names)
    assert 20 < lines < 60


def test_importing_prints_reads_and_writes_nothing(tmp_path):
    code = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import Neural_Network_from_Scratch"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT
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


def test_script_writes_only_into_the_figures_folder(small, tmp_path):
    cache = str(tmp_path / "matplotlib")
    log = tmp_path / "log"
    watcher = tmp_path / "watch.py"
    watcher.write_text(WATCH.replace("{log!r}", repr(str(log))), encoding="utf-8")
    command = [sys.executable, watcher, "--", SCRIPT, "--data", small, "--iterations", "2"]
    environment = {**ENVIRONMENT, "MPLCONFIGDIR": cache}
    run("--data", small, "--iterations", 1, "--figures", "first", cwd=tmp_path, MPLCONFIGDIR=cache)
    subprocess.run(command, check=True, cwd=tmp_path, env=environment, capture_output=True)
    events = pickle.loads(log.read_bytes())
    inside = [
        name for event, name in events if event == "open" and Path(name).parts[0] == "figures"
    ]
    assert len(inside) >= 3  # the watcher does see the pictures being written
    folders = tuple(str(path) for path in (Path("figures"), (tmp_path / "figures").resolve()))
    allowed = ("open", "os.remove", "os.rename", "os.mkdir")
    assert [
        (event, name)
        for event, name in events
        if not (event in allowed and name.startswith((*folders, cache, str(log))))
    ] == []
