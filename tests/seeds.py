"""Mean, standard deviation and range of the program's accuracy over seeds.

python tests/seeds.py                        20 seeds of the default run, about 5 minutes
python tests/seeds.py 5 --hidden 32          5 seeds (0 to 4) of the program with these options
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).resolve().parents[1] / "Neural_Network_from_Scratch.py"


def measure(seed, options):
    """Run the program; returns training and test accuracy in %, and its seconds of training."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, SCRIPT, "--no-show", "--figures", folder]
        command += ["--seed", str(seed), *options]
        output = subprocess.check_output(command, encoding="utf-8")
    train, test = re.findall(r"final \w+ accuracy: ([0-9.]+)%", output)
    seconds = re.findall(r"iteration .* ([0-9.]+) s\n", output)[-1]
    return float(train), float(test), float(seconds)


def main(seeds="20", *options):
    results = []
    for seed in range(int(seeds)):
        results.append(measure(seed, options))
        line = "seed {:2}   train {:.1f} %   test {:.1f} %   {:.1f} s"
        print(line.format(seed, *results[-1]), flush=True)
    for name, values in zip(("train", "test"), np.transpose(results)):
        spread = f"standard deviation {values.std(ddof=1):.1f}"
        span = f"range {values.min():.1f} to {values.max():.1f} %"
        print(f"{name}: mean {values.mean():.1f} %, {spread}, {span}")


if __name__ == "__main__":
    main(*sys.argv[1:])
