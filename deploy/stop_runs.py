"""Stops every living run of a service. Their parameters are saved.

Exits with 1 if a run could not be stopped, after it has tried all, and with 2 if the service cannot be reached.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

import pilothouse

# A run that is LOST has so long to come back, and a run that is asked so long to save its parameters and end.
STOP_TIMEOUT = 60.0
AT_A_TIME = 8


def stop(house: pilothouse.House, run_id: str) -> bool:
    """Stops a run, and says what became of it."""
    try:
        run = house.run(run_id, timeout=STOP_TIMEOUT)
        stopped = run.stop(note="deploy/quickstart --stop-runs", timeout=STOP_TIMEOUT)
    except pilothouse.RunEnded:
        print(f"   {run_id}: had ended by itself", flush=True)
    except pilothouse.PilothouseError as error:
        print(f"   {run_id}: NOT STOPPED. {error}", file=sys.stderr, flush=True)
        return False
    else:
        print(f"   {run_id}: stopped after batch {stopped.final_batch}", flush=True)
    return True


def stop_all(house: pilothouse.House) -> bool:
    """Whether no run is alive any more. Runs that somebody starts meanwhile are stopped too."""
    asked: set[str] = set()
    fine = True
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        while living := [run.run_id for run in house.runs() if not run.status.ended and run.run_id not in asked]:
            print(f"   stopping {len(living)}: {' '.join(living)}", flush=True)
            fine &= all(list(pool.map(lambda run_id: stop(house, run_id), living)))
            asked.update(living)
    if not asked:
        print("   no run is alive")
    return fine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="where the service listens (default: as for pilothouse.connect)")
    arguments = parser.parse_args()
    try:
        with pilothouse.connect(arguments.address) as house:
            return 0 if stop_all(house) else 1
    except pilothouse.PilothouseError as error:
        print(f"stop_runs: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
