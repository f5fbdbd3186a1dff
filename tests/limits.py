"""What each limit of the network costs: the README's table, a Markdown row for each command.

python tests/limits.py               5 seeds (0 to 4) of each command, about 15 minutes
python tests/limits.py choose        how the last command's learning rate was chosen, 2 minutes

The choice looks at no picture that is a test picture for any of the seeds 0 to 4: these are taken
out, and of the others 5,000 are held out from training to compare learning rates.
"""

import sys
from itertools import islice
from pathlib import Path

import numpy as np
from seeds import measure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import Neural_Network_from_Scratch as nn

SEEDS = range(5)
BEST = "--hidden 256 --init he --batch-size 128 --iterations 6420 --learning-rate 0.5"
COMMANDS = (
    "",
    "--hidden 32",
    "--hidden 128",
    "--hidden 256",
    "--batch-size 128 --iterations 6420",
    "--init he",
    "--raw-pixels",
    BEST,
)


def table():
    for command in COMMANDS:
        results = [measure(seed, command.split()) for seed in SEEDS]
        lived = np.array([result for result in results if not isinstance(result, str)])
        columns = "-", "-", "-"
        if len(lived) > 1:
            (train, test, seconds), (d_train, d_test, _) = lived.mean(0), lived.std(0, ddof=1)
            columns = f"{train:.1f} ± {d_train:.1f}", f"{test:.1f} ± {d_test:.1f}", f"{seconds:.1f}"
        died = [result for result in results if isinstance(result, str)]
        note = f"{len(died)} of {len(results)}: {died[0]}" if died else ""
        print("|", f"`{command}`", *(f"| {column}" for column in columns), "|", note, flush=True)


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
            f"learning rate {rate}: held out {np.mean(scores):.2f} % (+- {spread:.2f})", flush=True
        )


def learn_well(pixels, labels, rng, learning_rate, hidden=256, epochs=20):
    """Parameters after so many epochs of mini-batches of 128, from He's start."""
    batches = nn.mini_batches(pixels, labels, 128, rng)
    steps = nn.train(
        nn.initialize_he(rng, hidden=hidden),
        lambda parameters: nn.gradient(parameters, *next(batches)),
        learning_rate,
    )
    return next(islice(steps, epochs * len(labels) // 128, None))[0]


def share_right(parameters, pixels, labels):
    return nn.accuracy(nn.forward(parameters, nn.to_columns(pixels)).A2, labels)


if __name__ == "__main__":
    choose() if sys.argv[1:] == ["choose"] else table()
