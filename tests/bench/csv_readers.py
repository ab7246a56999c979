"""How fast Pilothouse reads a CSV file beside well-kept readers of Python.

Those that are installed of pandas (engine c), polars, pyarrow and duckdb:

    python3 -m venv /tmp/readers && /tmp/readers/bin/pip install pandas polars pyarrow duckdb
    /tmp/readers/bin/python tests/bench/csv_readers.py --bench build/dev/bench/csv_bench

All are measured in turn, each time in a process of its own: it reads a small file first, so that loading and warming up
do not count, then the large one, which is in the page cache, once. Printed are the medians of the rounds, and by how
much Pilothouse is faster than each. The file is made by csv_bench, and removed at the end.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

# Run in a process of their own: argv is the reader, the threads it may use, a small file and the large one.
READ_ONE = """
import os, sys, time
reader, threads, *paths = sys.argv[1:]
threads = int(threads)
os.environ["POLARS_MAX_THREADS"] = str(threads)
if reader == "pandas":
    import pandas
    read = lambda path: pandas.read_csv(path, engine="c")
elif reader == "polars":
    import polars
    read = polars.read_csv
elif reader == "pyarrow":
    import pyarrow, pyarrow.csv
    pyarrow.set_cpu_count(threads)
    options = pyarrow.csv.ReadOptions(use_threads=threads > 1)
    read = lambda path: pyarrow.csv.read_csv(path, read_options=options)
else:
    import duckdb
    duckdb.execute(f"SET threads = {threads}")
    read = lambda path: duckdb.execute(f"CREATE OR REPLACE TABLE t AS SELECT * FROM read_csv('{path}')")
for path in paths:
    begin = time.perf_counter()
    result = read(path)
    seconds = time.perf_counter() - begin
print(seconds)
"""
READERS = ("pandas", "polars", "pyarrow", "duckdb")


def run(*command: str, **environment: str) -> str:
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ).stdout


def seconds_of_ours(bench: Path, table: Path, megabytes: int) -> float:
    output = run(
        str(bench),
        "--benchmark_filter=BM_ReadTable",
        "--benchmark_min_time=0.001",
        "--benchmark_format=json",
        PILOTHOUSE_CSV_BENCH_FILE=str(table),
        PILOTHOUSE_CSV_BENCH_MB=str(megabytes),
    )
    return float(json.loads(output)["benchmarks"][0]["real_time"]) / 1e3


def seconds_of(reader: str, threads: int, *tables: Path) -> float:
    # Some show on the way how far they are.
    return float(run(sys.executable, "-c", READ_ONE, reader, str(threads), *map(str, tables)).splitlines()[-1])


def is_installed(reader: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {reader}"], stderr=subprocess.DEVNULL).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True, help="the program csv_bench")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of the others; Pilothouse reads with one")
    options = parser.parse_args()
    readers = [reader for reader in READERS if is_installed(reader)]
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.csv"), Path(folder, "large.csv")
        seconds_of_ours(options.bench, small, 1)
        seconds_of_ours(options.bench, large, options.megabytes)
        seconds: dict[str, list[float]] = {reader: [] for reader in ("pilothouse", *readers)}
        for _ in range(options.rounds):
            seconds["pilothouse"].append(seconds_of_ours(options.bench, large, options.megabytes))
            for reader in readers:
                seconds[reader].append(seconds_of(reader, options.threads, small, large))
        size = large.stat().st_size / 1e6
    ours = statistics.median(seconds["pilothouse"])
    for reader, times in seconds.items():
        median = statistics.median(times)
        print(f"{reader:12}{size / median:8.0f} MB/s   pilothouse / {reader}: {median / ours:.2f}")


if __name__ == "__main__":
    main()
