# shellcheck shell=bash
# The service of deploy/quickstart: finding, starting and stopping it, and the runs that live on without it. To be sourced
# after common.sh, with these set: data (the folder the service keeps runs in), bin (where the programs are), again (how
# to call the script once more).
# shellcheck disable=SC2154

readonly default_address=127.0.0.1:50051
readonly any_address=127.0.0.1:0
readonly start_limit_seconds=60
readonly stop_limit_seconds=60
readonly most_runs_named=8

address_file=$data/address
last_address_file=$data/last-address
service_log=$data/pilothoused.log

# take_lock FILE: one call of this script at a time, until release_lock or the script's end.
take_lock() {
  exec {lock_fd}>"$1"
  flock --nonblock "$lock_fd" && return
  echo "   another deploy/quickstart, or a build that one left behind, is at work (process $(release_lock; lock_owners "$1")): waiting for it"
  flock "$lock_fd"
}
# The processes that have the file open, but for this script: what it started goes on when it is killed.
lock_owners() {
  local pid file own
  own=$(realpath "$1")
  while read -r pid file; do
    if [[ $file == "$own" && $pid != "$$" ]]; then echo "$pid"; fi
  done < <(holders "${1##*/}") | sort -un | paste -sd ' '
}
release_lock() { exec {lock_fd}>&-; }

# holders NAME: a line "pid file" for each file of that name that a living process has open. What a process holds open tells
# for certain whose it is; a number kept in a file may be anybody's by now.
holders() {
  local folder file
  while read -r folder file; do
    folder=${folder#/proc/}
    echo "${folder%/fd} $file"
  done < <(find /proc/[0-9]*/fd -lname "*/$1" -printf '%h %l\n' 2>/dev/null || true)
}

# The process that serves the data folder, whoever started it. Fails if there is none.
service_pid() {
  local pid file name
  while read -r pid file; do
    [[ $file == "$data/service.lock" ]] || continue
    { read -r name <"/proc/$pid/comm"; } 2>/dev/null || continue
    if [[ $name == pilothoused ]]; then
      echo "$pid"
      return
    fi
  done < <(holders service.lock)
  return 1
}

# The runs of the data folder that have a living trainer, by name. A trainer may be any program, and holds its lock under the
# name that the folder has behind all links.
living_runs() {
  local runs file
  runs=$(realpath -m "$data/runs")
  while read -r _ file; do
    file=${file%/trainer.lock}
    if [[ ${file%/*} == "$runs" ]]; then echo "${file##*/}"; fi
  done < <(holders trainer.lock) | sort -u
}

# Whether the process was started by this script, so that what it serves on stands in the address file.
is_ours() { tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | grep -qxF -- "$address_file"; }

complain_of_stranger() {
  complain "   FAILED: $data is served already by process $1, which this script did not start."
  complain "   Stop that one first (kill $1), or name another folder: PILOTHOUSE_DATA=FOLDER deploy/quickstart"
}

port_is_taken() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# Where the service is looked for: where this folder's was last, which watches and other shells still know, or else where
# programs look by themselves.
wanted_address() {
  local last=''
  if [[ -f $last_address_file ]]; then read -r last <"$last_address_file" || true; fi
  if [[ $last =~ ^127\.0\.0\.1:[1-9][0-9]*$ ]]; then echo "$last"; else echo "$default_address"; fi
}

show_service_log() { tail -n 20 "$service_log" | sed 's/^/   | /' >&2; }

# The wanted address, or the usual one, unless a program would be found there that is not this service.
choose_address() {
  local address port
  for address in "$(wanted_address)" "$default_address"; do
    port=${address##*:}
    port_is_taken 127.0.0.1 "$port" || port_is_taken ::1 "$port" || { echo "$address"; return; }
  done
  echo "$any_address"
}

name_of_port() { if [[ $1 == "$any_address" ]]; then echo 'a free port'; else echo "port ${1##*:}"; fi; }

# Waits until the process serves. Fails with 2 if it has ended, with 1 if it takes too long.
await_address() { # PID
  local deadline=$((SECONDS + start_limit_seconds))
  until [[ -s $address_file ]]; do
    kill -0 "$1" 2>/dev/null || return 2
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

launch() { # LISTEN: sets `pid`; returns as await_address does.
  rm -f "$address_file"
  # Without the lock, which it would hold for as long as it lives.
  setsid nohup "$bin/pilothoused" --data "$data" --listen "$1" --address-file "$address_file" \
    >>"$service_log" 2>&1 </dev/null {lock_fd}>&- &
  pid=$!
  await_address "$pid"
}

start_service() {
  local pid wanted listen status=0
  if [[ ! -x $bin/pilothoused ]]; then
    complain "   FAILED: there is no $bin/pilothoused. $again --service builds it."
    return 1
  fi
  wanted=$(wanted_address)
  listen=$(choose_address)
  if [[ $listen != "$wanted" ]]; then
    echo "   port ${wanted##*:} is used by another program (another service, perhaps): this one takes $(name_of_port "$listen")"
  fi
  launch "$listen" || status=$?
  if ((status == 2)) && [[ $listen != "$any_address" ]]; then
    # Somebody may have taken the port after it was looked at: another checkout that starts its service just now, say.
    echo "   pilothoused ended at once on port ${listen##*:}: trying once more, on a free port"
    status=0
    launch "$any_address" || status=$?
  fi
  if ((status == 0)); then
    cp "$address_file" "$last_address_file"
    echo "   running on $(<"$address_file"), process $pid"
    return
  fi
  show_service_log
  if ((status == 2)); then
    complain "   FAILED: pilothoused ended at once. All it said: $service_log"
  else
    complain "   FAILED: pilothoused did not begin to serve within $start_limit_seconds s; stopping it. Its log: $service_log"
    kill "$pid"
  fi
  return 1
}

ensure_service() {
  local pid status=0
  if ! pid=$(service_pid); then
    start_service
    return
  fi
  is_ours "$pid" || { complain_of_stranger "$pid"; return 1; }
  await_address "$pid" || status=$?
  if ((status == 2)); then
    echo "   process $pid, which served $data, has just ended: starting the service anew"
    start_service
    return
  fi
  if ((status != 0)); then
    complain "   FAILED: process $pid serves $data, but $address_file, which tells where, is gone."
    complain "   It is left running. To start it anew: $again --stop, then $again --service"
    return 1
  fi
  echo "   already running on $(<"$address_file"), process $pid"
  if [[ $(readlink "/proc/$pid/exe") == *'(deleted)' ]]; then
    echo "   It was started from an older build. To change to the new one: $again --stop, and call again."
  fi
}

count_of_runs() { if (($1 == 1)); then echo '1 run'; else echo "$1 runs"; fi; }

# Says which runs live without a service, and how to end them.
report_orphans() {
  local runs named
  mapfile -t runs < <(living_runs)
  if ((${#runs[@]} == 0)); then
    echo 'No run is alive.'
    return
  fi
  named="${runs[*]:0:most_runs_named}"
  ((${#runs[@]} > most_runs_named)) && named+=' …'
  echo "Alive without a service: $(count_of_runs ${#runs[@]}) ($named). Each trains up to its target, and ends after a day."
  printf '   %-36s %s\n' "$again --service" 'finds and steers them again' \
    "$again --stop-runs" 'ends them too; their parameters are saved'
}

end_service() { # PID
  local deadline=$((SECONDS + stop_limit_seconds))
  kill "$1"
  while service_pid >/dev/null; do
    if ((SECONDS >= deadline)); then
      complain "pilothoused (process $1) has been asked to stop and has not, for $stop_limit_seconds s. Its log: $service_log"
      return 1
    fi
    sleep 0.1
  done
  echo "The service has stopped. What its runs left is in $data/runs."
}

stop_service() {
  local pid
  if ! pid=$(service_pid); then
    echo "No service of $data is running."
  elif is_ours "$pid"; then
    end_service "$pid" || return
  else
    complain_of_stranger "$pid"
    return 1
  fi
  report_orphans
}

# Trainers that have lost their service listen to nobody, so one is started for them if need be.
stop_runs_and_service() {
  local count
  count=$(living_runs | wc -l)
  if ! service_pid >/dev/null; then
    if ((count == 0)); then
      stop_service
      return
    fi
    echo "No service of $data is running, but without it live on $(count_of_runs "$count"): starting it to stop them."
  fi
  ensure_service || return
  if ! "$venv/bin/python" deploy/stop_runs.py --address "$(<"$address_file")"; then
    complain "Not every run has stopped, so the service goes on, on $(<"$address_file"). Look into it with pilot, and call"
    complain "$again --stop-runs again. $again --stop ends the service alone. The process of a trainer"
    complain "that hangs stands in $data/runs/RUN/trainer.lock: killed, it is started again from its newest checkpoint."
    return 1
  fi
  stop_service
}
