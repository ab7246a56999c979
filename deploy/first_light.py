"""First light: trains a classifier of handwritten digits on a running service, and steers it while it trains.

The target is raised in steps, eta lowered and the run paused at chosen batches, a state asked for, the run continued
and stopped. In the end the network is asked about digits that it never saw, and a plot is saved.

Exits with 1 if it recognises fewer than 95 % of them, 2 if the service refuses or cannot be reached.
"""

import argparse
import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pilothouse
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

NET = "64x128rx10"
BATCH_SIZE = 32
SEED = 1
HELD_OUT = 0.25
GOOD_ACCURACY = 0.95

# The plan. A step of training takes some milliseconds; between steps there is time to look.
FIRST_TARGETS = (20, 40, 60, 90, 120, 160, 200, 250, 300)
ETA = 0.5
LOWER_ETA = 0.05
ETA_BATCH = 350
ETA_TARGETS = (400, 500, 600)
PAUSE_BATCH = 650
PAUSE_TARGET = 700
LAST_TARGET = 1500
LOOK_SECONDS = 0.7

LOSS_EVERY = 2  # batches between two losses of the plot
STEP_TIMEOUT = 60.0  # seconds that a step may take
PLAIN_INTERVAL = 2.0  # seconds between two lines of progress where there is no terminal
DEFAULT_ADDRESSES = ("127.0.0.1:50051", "localhost:50051")


class Console:
    """Lines that stay, and below them one line of progress that is drawn anew. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._terminal = sys.stdout.isatty()
        self._colour = self._terminal and "NO_COLOR" not in os.environ
        self._progress = ""
        self._plain_time = 0.0

    def paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    def say(self, text: str = "") -> None:
        with self._lock:
            erase = "\r\033[K" if self._progress else ""
            print(f"{erase}{text}\n{self._progress}", end="", flush=True)

    def progress(self, batch: int, loss: float, eta: float) -> None:
        figures = f"batch {batch:>5} of {LAST_TARGET}   loss {loss:<8.4g} eta {eta:g}"
        with self._lock:
            if not self._terminal:
                if time.monotonic() - self._plain_time >= PLAIN_INTERVAL:
                    self._plain_time = time.monotonic()
                    print(f"         {figures}", flush=True)
                return
            width = min(40, max(0, shutil.get_terminal_size().columns - len(figures) - 8))
            self._progress = f"  {self.paint('36', bar(batch / LAST_TARGET, width))}  {figures}"
            print(f"\r\033[K{self._progress}", end="", flush=True)

    def end_progress(self) -> None:
        with self._lock:
            if self._progress:
                print()
            self._progress = ""

    def note(self, what: str, text: str) -> None:
        self.say(f"  {self.paint('33', f'{what:<26}')} {text}")

    def receipt(self, asked: str, receipt: pilothouse.Receipt) -> None:
        answer = f"receipt {receipt.control_id}, applied after batch {receipt.applied_batch}"
        self.note(asked, f"{answer}: it is {receipt.value:g} now")


def bar(fraction: float, width: int) -> str:
    """A bar of `width` characters, precise to an eighth of one."""
    eighths = round(min(max(fraction, 0), 1) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width, "·")


class Recorder:
    """Watches the run from its beginning in a thread of its own: draws progress, keeps losses and steering."""

    def __init__(self, run: pilothouse.Run, console: Console) -> None:
        self.losses: list[tuple[int, float]] = []
        self.steering: list[pilothouse.ControlEvent] = []
        self._console = console
        self._watch = run.watch(after_sequence=0, min_interval=0, max_interval=1)
        self._error: pilothouse.PilothouseError | None = None
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Waits for the last event of the run, which must have been stopped."""
        self._thread.join(STEP_TIMEOUT)
        self._watch.close()
        self._console.end_progress()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self._watch.close()
        self._thread.join(STEP_TIMEOUT)
        self._console.end_progress()

    def _record(self) -> None:
        try:
            self._follow()
        except pilothouse.PilothouseError as error:
            self._error = error

    def _follow(self) -> None:
        eta, drawn = ETA, 0.0
        for event in self._watch:
            match event:
                case pilothouse.ControlEvent():
                    self.steering.append(event)
                    eta = event.value if event.name == "eta" else eta
                case pilothouse.LossEvent(batch=batch, value=loss, at_target=at_target):
                    self.losses.append((batch, loss))
                    # A terminal need not be drawn more often than an eye sees.
                    if at_target or time.monotonic() - drawn > 0.03:
                        self._console.progress(batch, loss, eta)
                        drawn = time.monotonic()
                case pilothouse.StatusEvent(status=status, message=message) if status.ended:
                    self._console.say(f"  The run is {status}. {message}".rstrip())


def train(run: pilothouse.Run, console: Console, inputs: np.ndarray, labels: np.ndarray) -> None:
    """The plan, from the first batch to the stop."""
    later = ThreadPoolExecutor(max_workers=1)  # for answers that come only when the run has got so far
    try:
        raise_targets(run, console, FIRST_TARGETS)

        console.note(f"eta → {LOWER_ETA} at batch {ETA_BATCH}", "asked for ahead of time")
        eta = later.submit(run.set_eta, LOWER_ETA, at_batch=ETA_BATCH, note="calmer", timeout=STEP_TIMEOUT)
        look()
        raise_targets(run, console, ETA_TARGETS[:1])
        console.receipt(f"eta → {LOWER_ETA}", eta.result(STEP_TIMEOUT))
        raise_targets(run, console, ETA_TARGETS[1:])

        console.note(f"pause at batch {PAUSE_BATCH}", "asked for ahead of time")
        pause = later.submit(run.pause, at_batch=PAUSE_BATCH, note="to look inside", timeout=STEP_TIMEOUT)
        look()
        raise_targets(run, console, (PAUSE_TARGET,))
        console.receipt("pause", pause.result(STEP_TIMEOUT))
    finally:
        later.shutdown(wait=False, cancel_futures=True)

    look_inside(run, console, inputs, labels)
    console.receipt("resume", run.resume())
    run.wait(timeout=STEP_TIMEOUT)
    look()
    leap(run, console)
    console.receipt("stop", run.stop(note="first light is over"))


def raise_targets(run: pilothouse.Run, console: Console, targets: tuple[int, ...]) -> None:
    for target in targets:
        console.receipt(f"target → {target}", run.batch_to(target))
        run.wait(timeout=STEP_TIMEOUT)
        look()


def look() -> None:
    """Time for a person to see what happened: the training itself does not need it."""
    time.sleep(LOOK_SECONDS)


def look_inside(run: pilothouse.Run, console: Console, inputs: np.ndarray, labels: np.ndarray) -> None:
    state = run.state(vector=True)
    assert state.vector is not None
    norm = np.linalg.norm(state.vector)
    where = f"{state.status}, {state.idle_reason} at batch {state.batch}"
    console.note("state", f"{where}; {state.vector.size:,} parameters, norm {norm:.2f}")
    right = int((run.predict(inputs).argmax(axis=1) == labels).sum())
    console.note("predict", f"{right} of {len(labels)} held-out digits so far")
    look()


def leap(run: pilothouse.Run, console: Console) -> None:
    """The rest in one go, timed."""
    begin, before = time.monotonic(), run.state().batch
    console.receipt(f"target → {LAST_TARGET}", run.batch_to(LAST_TARGET))
    state = run.wait(timeout=STEP_TIMEOUT)
    seconds = time.monotonic() - begin
    console.note("", f"left alone, {state.batch - before} batches took {seconds:.2f} s from asking to knowing")
    look()


def smooth(values: np.ndarray, span: int) -> np.ndarray:
    """Means over the last `span` values, over fewer at the beginning."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - span, 0)
    return (sums[ends] - sums[begins]) / (ends - begins)


def plot(path: Path, recorder: Recorder, title: str, batches_per_epoch: int) -> None:
    """Loss over batches, on a logarithmic scale, with the steering marked."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    batches, losses = np.array(sorted(recorder.losses)).T
    figure, axes = plt.subplots(figsize=(11, 6), dpi=130, layout="constrained")
    axes.semilogy(batches, losses, color="#9db7d5", linewidth=0.9, label=f"loss, every {LOSS_EVERY} batches")
    mean = smooth(losses, max(1, batches_per_epoch // LOSS_EVERY))
    axes.semilogy(batches, mean, color="#1f4e8c", linewidth=2, label="mean over an epoch")
    # A single batch that is learnt by heart would otherwise set the scale.
    axes.set_ylim(bottom=mean.min() / 10)
    mark_steering(axes, recorder.steering)
    axes.set(xlabel="batch", ylabel="loss (cross-entropy)", xlim=(0, batches[-1] * 1.01))
    figure.suptitle(title)
    axes.grid(alpha=0.25, which="major")
    axes.legend(loc="lower left", framealpha=0.95)
    figure.savefig(path)


def mark_steering(axes, steering: list[pilothouse.ControlEvent]) -> None:
    """Targets as ticks along the upper edge; all else as lines with their names."""
    targets = [event for event in steering if event.kind is pilothouse.ControlKind.BATCH_TO]
    on_edge = axes.get_xaxis_transform()
    axes.plot(
        [event.batch for event in targets], [1] * len(targets), linestyle="none", marker="v", color="#777777",
        transform=on_edge, clip_on=False, label="target raised",
    )  # fmt: skip
    colours = {"eta": "#c2410c", "target": "#7c3aed", "stop": "#111111"}
    others = [event for event in steering if event.kind is not pilothouse.ControlKind.BATCH_TO]
    for event in merge(others):
        batch, name, label = event
        colour = colours.get(name, "#0f766e")
        axes.axvline(batch, color=colour, linewidth=1.3, linestyle="--")
        axes.annotate(
            label, (batch, 1), xycoords=on_edge, xytext=(0, 9), textcoords="offset points", color=colour,
            ha="right" if name == "stop" else "center", va="bottom", fontsize=9,
        )  # fmt: skip


def merge(steering: list[pilothouse.ControlEvent]) -> list[tuple[int, str, str]]:
    """(batch, name, label) of each place where something was steered: what happened at one batch shares a label."""
    labels: dict[int, tuple[str, list[str]]] = {}
    for event in steering:
        text = f"eta {event.previous_value:g} → {event.value:g}" if event.name == "eta" else event.kind.value.lower()
        labels.setdefault(event.batch, (event.name, []))[1].append(text)
    return [(batch, name, f"{', '.join(texts)}\n(batch {batch})") for batch, (name, texts) in labels.items()]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="where the service listens (default: as for pilothouse.connect)")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the plot (default: this one)")
    parser.add_argument("--pilot", default="pilot", help="the pilot program, for what to type next")
    return parser.parse_args()


def shown(path: str) -> str:
    """The path, from here if it lies below."""
    absolute, here = Path(path).absolute(), Path.cwd()
    return str(absolute.relative_to(here)) if "/" in path and absolute.is_relative_to(here) else path


def first_light(arguments: argparse.Namespace) -> bool:
    """Whether the network recognises enough."""
    console = Console()
    digits = load_digits()
    # The held-out part stays here: the service is sent the training part only.
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data, digits.target, test_size=HELD_OUT, stratify=digits.target, random_state=SEED
    )
    console.say(f"Data   {len(digits.data):,} handwritten digits of 8×8 pixels, from scikit-learn:")
    console.say(f"       {len(train_x):,} to train on, {len(test_x)} held out and never sent as training data")
    with pilothouse.connect(arguments.address) as house:
        run = house.start(
            net=NET, data=(train_x, train_y), loss="cross_entropy", eta=ETA, batch_size=BATCH_SIZE,
            standardize=True, seed=SEED, loss_every=LOSS_EVERY,
        )  # fmt: skip
        state = run.state()
        assert state.facts is not None
        console.say(f"Run    {console.paint('1', run.run_id)}: {NET}, {state.facts.parameters:,} parameters,")
        console.say(f"       {state.facts.batches_per_epoch} batches of {BATCH_SIZE} to an epoch, eta {ETA}\n")
        recorder = Recorder(run, console)
        try:
            train(run, console, test_x, test_y)
        except BaseException:
            recorder.close()
            raise
        recorder.finish()
        predicted = run.predict(test_x).argmax(axis=1)

    right = int((predicted == test_y).sum())
    accuracy = right / len(test_y)
    good = accuracy >= GOOD_ACCURACY
    verdict = f"{accuracy:.1%} of the held-out digits recognised ({right} of {len(test_y)})"
    console.say(f"\n{console.paint('1;32' if good else '1;31', verdict)}")
    if not good:
        console.say(f"That is less than the {GOOD_ACCURACY:.0%} there should be.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    picture = (arguments.out / f"first-light-{run.run_id}.png").absolute()
    plot(picture, recorder, f"{run.run_id}: {NET} on handwritten digits, {accuracy:.1%} on the held-out part",
         state.facts.batches_per_epoch)  # fmt: skip
    say_what_next(console, arguments, house.address, run.run_id, picture, state.directory)
    return good


def say_what_next(
    console: Console, arguments: argparse.Namespace, address: str, run_id: str, picture: Path, directory: str
) -> None:
    pilot = shown(arguments.pilot)
    # As pilot finds it by itself, or not.
    if os.environ.get("PILOTHOUSE_ADDRESS", address) != address or address not in DEFAULT_ADDRESSES:
        pilot += f" --address {address}"
    console.say(f"Plot   {picture}")
    console.say(f"Run    {directory}")
    console.say("\nNow type")
    console.say(f"  {console.paint('1', f'{pilot} watch {run_id} --from-start')}")
    console.say("      to see it all again, with every change and who made it")
    console.say(f"  {console.paint('1', f'{pilot} runs')}")
    console.say("      for the runs there are")


def main() -> int:
    try:
        return 0 if first_light(parse_arguments()) else 1
    except pilothouse.PilothouseError as error:
        print(f"first_light: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nfirst_light: interrupted; the run goes on, see `pilot runs`", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
