// What the help says beside the list of options. The first line of a command's text is its entry in `pilot --help`.
#ifndef PILOTHOUSE_CLIENTS_CPP_PILOT_HELP_TEXT_H_
#define PILOTHOUSE_CLIENTS_CPP_PILOT_HELP_TEXT_H_

namespace pilothouse::client {

inline constexpr char kMainText[] =
    R"(pilot starts, watches and steers neural-network training while it runs.

The training itself happens in a service, pilothoused, here or on another machine. A run is one training. Its clock is
the batch: how many learning steps it has made. It trains up to its target, then waits (idle, not finished) until it is
given another target or is stopped. Every change is made between two batches and answered with a receipt.)";

inline constexpr char kMainFooter[] =
    R"(A first run:
  pilot start --net 64x128rx10 --data digits.csv --loss cross-entropy --eta 0.1 --name digits
  pilot batch-to digits 5000
  pilot watch digits
  pilot set-eta digits 0.01

RUN may be left out where exactly one run is alive.

Environment:
  PILOTHOUSE_ADDRESS   where the service is, unless --address says so
  PILOTHOUSE_TRAINER   the program pilothouse-trainer, for pilot replay (default: beside pilot, or in PATH)
  PILOTHOUSE_PYTHON    the Python that has the package pilothouse, for pilot export (default: python3)
  NO_COLOR             no colours

Exit codes: 0 success, 1 refused by the service, 2 wrong usage, 3 service unreachable, 4 the watched run FAILED,
130 interrupted; `pilot replay` has those of pilothouse-trainer. Errors go to standard error as
"pilot: sentence [REASON, field]"; with --json as
{"error": {"message": …, "reason": …, "field": …, "metadata": {…}, "exit_code": …}}.

pilot COMMAND --help explains a command.)";

inline constexpr char kStartText[] =
    R"(Start a run
A run is a network, data and a loss. The network is written as its widths, separated by x, each but the first followed
by the letter of its activation: t tanh, r ReLU, s sigmoid, g GELU, l leaky ReLU, u SiLU, p softplus, none: linear.
Before that letter n is a layer norm and b a batch norm, and d0.5 after it drops half of the outputs in training.
64x128rx10 takes 64 inputs, has 128 ReLU units and 10 linear outputs. A new run waits at batch 0 unless --batch-to says
how far to train.

What a file of data is, its first bytes say, and of text its name: a table as CSV, TSV (*.tsv, *.tab) or NPY (2-D, without a
header), or an NPZ file with arrays inputs (or x), targets (or y) and perhaps weights. --validation holds examples out, and
--test keeps examples for the end, of which the run sees nothing: pilot evaluate scores them. A SIZE is a fraction of all
examples with a point (0.2), a percentage (20%), both taken exactly as decimals, or a number of examples (300).

The settings of an optimizer are knobs, which `pilot set` changes while the run trains: momentum (momentum, nesterov),
beta1 and beta2 (adam, adamw), rho (rmsprop), epsilon (the last four kinds), and of all kinds weight_decay, clip_norm and
clip_value, where 0 is off.

An eta schedule lists epochs and the eta from there on, such as '50,0.01;70,0.005', or names a curve that begins with --eta:
'exponential factor=F [every=1]', 'cosine over=EPOCHS [warmup=0] [final=eta/1000]' or 'one-cycle over=EPOCHS [rise=0.3]
[start=25] [end=10000]'. Any of them followed by unit=batches counts batches. `pilot set-eta` overrides it.)";

inline constexpr char kStartUsage[] = "pilot start --net NET --loss LOSS (--data FILE | --inputs X --targets Y | …)";

inline constexpr char kStartFooter[] = R"(Examples:
  Classify digits: the last column of digits.csv is the class, 0 to 9; train 5,000 batches and look on:
    pilot start --net 64x128rx10 --data digits.csv --loss cross-entropy --standardize --batch-to 5000 --watch

  Learn a function from two NumPy files, in double precision, every batch being the whole data:
    pilot start --net 2x2tx1t --inputs x.npy --targets y.npy --loss half-mse --batch-size full --precision float64

  Use a file that the service has in its folder of data, and two of its columns as targets:
    pilot start --net 10x32gx2 --server-file house/prices.csv --target-column price --target-column days --loss mse

  Let Adam find the way, with a little weight decay and no gradient longer than 1:
    pilot start --net 64x128rx10 --data digits.csv --loss cross-entropy --optimizer 'adam weight_decay=0.001 clip_norm=1'

  Warm up for 5 epochs and let eta fall as half a cosine until epoch 100:
    pilot start --net 64x128rx10 --data digits.csv --loss cross-entropy --eta 0.5 --eta-schedule 'cosine over=100 warmup=5'

  Hold a fifth of the examples out, validate on them every 100 batches, and end when that gets no better:
    pilot start --net 64x128rx10 --data digits.csv --loss cross-entropy --batch-to 50000 --validation 20% \
      --plugin 'each(100) validate' --plugin 'early-stopping patience=5'

  Keep a tenth of each class for the end, and score the best parameters on it when all is done:
    pilot start --net 64x128rx10 --data digits.csv --loss cross-entropy --name digits --batch-to 5000 --test 10% \
      --validation 20% --split stratified --plugin 'each(100) validate' --plugin save-best
    pilot evaluate digits --model best

  Let some examples count more than others, and leave out a column that only tells rows apart:
    pilot start --net 10x32gx1 --data prices.tsv --target-column price --weight-column sales --ignore-column id --loss mse)";

inline constexpr char kRunsText[] =
    R"(List the runs
The newest first, with status, batch and target, last loss and eta. The newest 20 are shown unless --all is given.
--tree shows all of them, each below the run it was forked from, and what rewinds have left as kept branches.)";

inline constexpr char kStateText[] =
    R"(Show a run as it is now
A living run is asked between two batches. --vector adds all parameters: layer by layer, weights [inputs][outputs] row
by row, then biases; --model says whose, and which batch theirs is. RUN may be an unambiguous beginning of a run's id.)";

inline constexpr char kStateFooter[] = R"(Examples:
  pilot state digits
  pilot state digits --vector --json | jq .state
  pilot state digits --model best)";

inline constexpr char kWatchText[] =
    R"(Watch a run live
On a terminal: a panel with progress, loss, eta, speed, the curve of the loss, and who changed what. Ctrl-C leaves it; the
run goes on. Piped: one line for each event. With --json: one JSON object a line. A lost connection is taken up again
where it broke, without losing or repeating an event. Ends when the run ends. RUN may be an unambiguous beginning of an id.)";

inline constexpr char kWatchFooter[] = R"(Examples:
  pilot watch digits
  pilot watch digits --from-start | grep eta
  pilot watch digits --json --kinds loss | jq .value

JSON lines have a "type", and by type these fields (times are RFC 3339; NaN and infinite numbers are the strings "NaN",
"Infinity" and "-Infinity", which JSON has no numbers for):
  snapshot    run: {run_id, status, idle_reason, status_message, batch, target, resume_target, loss, eta, knobs, …}
  loss        sequence, batch, time, value, at_target, eta (for the next batch; null in journals of older trainers)
  status      sequence, batch, time, status, idle_reason, message, target, loss
  control     sequence, batch, time, control, name, value, previous_value, origin, note, request_id, at_batch
              (control: knob with follow_schedule (true: eta follows the run's schedule again), target, stop,
              attach_plugin with spec, detach_plugin, reschedule_plugin with schedule and timeline, parameters with
              file, sha256, from_run_id and from_batch, checkpoint with pin, or rewind with the branch it leaves, whose
              batch is where the run was and whose value is where it is now; name: of the knob or the plugin; at_batch:
              null, or the batch asked for)
  state       sequence, batch, time, state: [numbers], eta, loss, asked
  plugin      sequence, batch, time, plugin, kind, values: {name: number}, histograms: [{name, minimum, maximum,
              counts}], message, failure: null or {message, failures_in_a_row, detached, paused}
  checkpoint  sequence, batch, time, checkpoint_batch, file, sha256, bytes, state_sha256, controls, line, pinned,
              request_id, error (empty, or why it was not written), held_up_seconds, writing_seconds, validation_loss
  gap         first, last: sequences between which events were left out, since this watcher did not keep up
  heartbeat   status, batch, loss, time, training_thread_seen_time
  connection  lost: true, message, retry_in_seconds)";

inline constexpr char kSetEtaText[] =
    R"(Change the learning rate
Takes effect between two batches; the receipt says at which batch, and is given only after the change is on disk. An eta
that was set stays, whatever the run's schedule says; the word schedule in place of VALUE lets eta follow it again.)";

inline constexpr char kSetEtaFooter[] = R"(Examples:
  pilot set-eta digits 0.01
  pilot set-eta digits schedule
  pilot set-eta 0.001 --at-batch 4000 --note "fine tuning")";

inline constexpr char kSetText[] =
    R"(Change any knob of a run
Knobs are the settings a run has declared, with their bounds: `pilot state` lists them. eta, loss_interval and
checkpoint_interval (seconds), loss_every, state_every and checkpoint_every (batches; 0 is off) are knobs of every run,
and so are weight_decay, clip_norm and clip_value (0 is off); its optimizer may have more: momentum, beta1, rho and others.)";

inline constexpr char kSetFooter[] = R"(Examples:
  pilot set digits loss_interval 0.5
  pilot set loss_every 1
  pilot set digits weight_decay 0.01 --at-batch 4000)";

inline constexpr char kBatchToText[] =
    R"(Say how far to train
TARGET is a batch, or +N for N batches more. A target above the run's batch continues the training, one below it pauses
the run where it is.)";

inline constexpr char kBatchToFooter[] = R"(Examples:
  pilot batch-to digits 5000
  pilot batch-to +500)";

inline constexpr char kPauseText[] = R"(Pause where the run is
The run stays as it is, idle, until `pilot resume` or a new target.)";

inline constexpr char kResumeText[] = R"(Train on after a pause
Up to the last target that lay ahead when it was set.)";

inline constexpr char kStopText[] = R"(End a run for good
Saves the parameters, so that `pilot predict` still works, and ends the trainer. A run that should go on later is
paused, not stopped.)";

inline constexpr char kCompletionText[] = R"(Print a script that completes pilot's command line
Completes commands, options, runs and files.)";

inline constexpr char kCompletionFooter[] = R"(Set up:
  bash:  echo 'source <(pilot completion bash)' >> ~/.bashrc
  zsh:   echo 'source <(pilot completion zsh)' >> ~/.zshrc
  fish:  pilot completion fish > ~/.config/fish/completions/pilot.fish)";

}  // namespace pilothouse::client

#endif  // PILOTHOUSE_CLIENTS_CPP_PILOT_HELP_TEXT_H_
