"""What each limit of the network costs: the table of Part 9, a Markdown row for each command.

python tests/limits.py               3 seeds (0 to 2) of each command, 10 minutes or more
python tests/limits.py choose        how the last command's learning rate was chosen, 3 minutes

The choice looks at no picture that is a test picture for any of the seeds 0 to 2: these are taken
out, and of the others 5,000 are held out from training to compare learning rates.
"""

import sys
from pathlib import Path

import numpy as np

from seeds import measure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import Neural_Network_from_Scratch as nn

SEEDS = range(3)
BATCHES = "--batch-size 128 --iterations 6420"
COMMANDS = (
    "",
    "--learning-rate 1",
    "--hidden 256",
    BATCHES,
    "--init he",
    f"--hidden 256 {BATCHES}",
    f"--hidden 256 {BATCHES} --init he",
    f"--hidden 256 {BATCHES} --init he --learning-rate 0.5",
)


def table():
    for command in COMMANDS:
        results = [measure(seed, command.split()) for seed in SEEDS]
        train, test, seconds = np.mean(results, axis=0)
        deviation = np.std(results, axis=0, ddof=1)
        row = f"| `{command}` | {train:.1f} ± {deviation[0]:.1f}"
        print(f"{row} | {test:.1f} ± {deviation[1]:.1f} | {seconds:.1f} s |", flush=True)


def choose():
    pixels, labels = nn.load_digits(nn.DATA)
    others = np.arange(len(labels))
    for seed in SEEDS:
        rows = (np.arange(len(labels)), labels)
        _, (test, _) = nn.split(*rows, nn.TEST_SIZE, np.random.default_rng(seed))
        others = np.setdiff1d(others, test)
    print(f"{len(others):,} pictures are no test pictures")
    for rate in (0.1, 0.2, 0.3, 0.5, 1.0):
        digits = (pixels[others], labels[others])
        scores = [held_out_score(*digits, rate, seed) for seed in (100, 101, 102)]
        spread = np.std(scores, ddof=1)
        result = f"held out {np.mean(scores):.2f} % (+- {spread:.2f})"
        print(f"learning rate {rate}: {result}", flush=True)


def held_out_score(pixels, labels, learning_rate, seed):
    """Per cent right of 5,000 pictures after 20 epochs of mini-batches of 128 of the others."""
    rng = np.random.default_rng(seed)
    training, (pixels_held, labels_held) = nn.split(pixels, labels, 5000, rng)
    start = nn.initialize_he(rng, hidden=256)
    of_batch = nn.choose_gradient(start, *training, 128, rng)
    steps = 20 * len(training[1]) // 128
    for _, learnt, _, _ in nn.train(start, of_batch, learning_rate, steps):
        pass
    return 100 * nn.evaluate(learnt, nn.to_columns(pixels_held), labels_held)[1]


if __name__ == "__main__":
    choose() if sys.argv[1:] == ["choose"] else table()
