"""Writes 1,797 handwritten digits, which come with scikit-learn, as a table: 64 pixels, then the class, 0 to 9."""

import os
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits


def main() -> None:
    path = Path(sys.argv[1])
    digits = load_digits()
    header = ",".join([*digits.feature_names, "digit"])
    table = np.column_stack([digits.data, digits.target]).astype(int)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: a run may be reading it.
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    np.savetxt(temporary, table, fmt="%d", delimiter=",", header=header, comments="")
    temporary.replace(path)


if __name__ == "__main__":
    main()
