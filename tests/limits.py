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
        mean = np.mean(results, axis=0)
        deviation = np.std(results, axis=0, ddof=1)
        train = f"{mean[0]:.1f} ± {deviation[0]:.1f}"
        test = f"{mean[1]:.1f} ± {deviation[1]:.1f}"
        print(f"| `{command}` | {train} | {test} | {mean[2]:.1f} s |", flush=True)


def choose():
    everything = nn.load_digits(nn.DATA)
    tested = np.zeros(len(everything[1]), bool)
    for seed in SEEDS:
        rows = np.arange(len(tested)), everything[1]
        _, (test, _) = nn.split(*rows, nn.TEST_SIZE, np.random.default_rng(seed))
        tested[test] = True
    others = [part[~tested] for part in everything]
    print(f"{len(others[1]):,} pictures are no test pictures")
    for rate in (0.1, 0.2, 0.3, 0.5, 1.0):
        scores = []
        for seed in (100, 101, 102):
            rng = np.random.default_rng(seed)
            (pixels, labels), held_out = nn.split(*others, 5000, rng)
            learnt = learn_well(pixels, labels, rng, rate)
            scores.append(100 * share_right(learnt, *held_out))
        spread = np.std(scores, ddof=1)
        print(
            f"learning rate {rate}: held out {np.mean(scores):.2f} % (+- {spread:.2f})",
            flush=True,
        )


def learn_well(pixels, labels, rng, learning_rate, hidden=256, epochs=20):
    """Parameters after so many epochs of mini-batches of 128, from He's start."""
    batches = nn.mini_batches(pixels, labels, 128, rng)
    start = nn.initialize_he(rng, hidden=hidden)

    def gradient_of_step(parameters):
        X, y = next(batches)
        return nn.gradient(parameters, X, y)

    steps = epochs * len(labels) // 128
    for _, learnt, _, _ in nn.train(start, gradient_of_step, learning_rate, steps):
        pass
    return learnt


def share_right(parameters, pixels, labels):
    return nn.evaluate(parameters, nn.to_columns(pixels), labels)[1]


if __name__ == "__main__":
    choose() if sys.argv[1:] == ["choose"] else table()
