"""Mean, standard deviation and range of the program's accuracy over seeds.

python tests/seeds.py                        20 seeds of the default run, about 3 minutes
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
    """Run the program; returns training and test accuracy in %, and its seconds of training.

    Returns its error message instead if there is one.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, SCRIPT, "--no-show", "--figures", folder, "--seed", str(seed)]
        result = subprocess.run([*command, *options], capture_output=True, text=True)
    if result.returncode:
        return result.stderr.strip()
    patterns = (
        r"final training accuracy: ([0-9.]+)%",
        r"final test accuracy: ([0-9.]+)%",
        r"iteration ([0-9]+)/\1 .* ([0-9.]+) s\n",
    )
    return [float(re.search(pattern, result.stdout).groups()[-1]) for pattern in patterns]


def main(seeds="20", *options):
    results = []
    for seed in range(int(seeds)):
        result = measure(seed, options)
        if isinstance(result, str):
            print(f"seed {seed:2}   {result}", flush=True)
            continue
        results.append(result)
        train, test, seconds = result
        print(
            f"seed {seed:2}   train {train:.1f} %   test {test:.1f} %   {seconds:.1f} s", flush=True
        )
    for name, values in zip(("train", "test"), np.array(results).T):
        mean, deviation = values.mean(), values.std(ddof=1)
        print(f"{name}: mean {mean:.1f} %, standard deviation {deviation:.1f}, ", end="")
        print(f"range {values.min():.1f} to {values.max():.1f} %")


if __name__ == "__main__":
    main(*sys.argv[1:])
