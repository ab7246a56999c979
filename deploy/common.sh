# shellcheck shell=bash
# What the scripts share: sections, logged steps, builds, the Python environment. To be sourced, not run.
# Sets `root`, the checkout, and goes there.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root" || exit 1
logs=$root/build/logs
venv=$root/build/venv

# A fresh clone shares what an older one has compiled.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
[[ -n ${CCACHE_DIR:-} || -w ${HOME:-/nowhere} ]] || export CCACHE_DIR=$root/build/ccache

if ! mkdir -p "$logs" 2>/dev/null || [[ ! -w $logs ]]; then
  echo "Cannot write to $logs. Was build/ made by another user? Run as that user, or remove build/." >&2
  exit 1
fi

section() { printf '\n── %s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

# Shows what a long step is doing: on a terminal the log's last line, otherwise a sign of life every half minute.
# Ends with the script. Waits without a process of its own, which would keep the script's output open.
follow_log() {
  local log=$1 pause=30 before='   … ' after='\n' clock
  [[ -t 1 ]] && pause=1 before='\r\033[K   ' after=''
  exec {clock}<> <(:)
  while kill -0 $$ 2>/dev/null; do
    read -rt "$pause" -u "$clock" || true
    printf "$before%s$after" "$(tail -n 1 "$log" | tr -d '\r\033' | cut -c 1-100)"
  done
}

# logged NAME TITLE COMMAND…: runs a command with its output in build/logs/NAME.log. On failure the log's end is shown:
# FAILURE_LINES of it, without the lines that match FAILURE_NOISE.
logged() {
  local title=$2 log=$logs/$1.log start=$SECONDS status=0 follower
  shift 2
  : >"$log"
  printf '   %s\n' "$title"
  follow_log "$log" &
  follower=$!
  "$@" >"$log" 2>&1 </dev/null || status=$?
  kill "$follower"
  wait "$follower" 2>/dev/null || true
  if [[ -t 1 ]]; then printf '\r\033[K'; fi
  if ((status)); then
    { grep -avE "${FAILURE_NOISE:-^$}" "$log" || true; } | tail -n "${FAILURE_LINES:-40}" | cut -c 1-300 |
      sed 's/^/   | /' >&2
    complain "   FAILED: $title ($((SECONDS - start)) s). All of it: $log"
    return "$status"
  fi
  printf '   done in %d s\n' "$((SECONDS - start))"
}

# How many compilers fit: one for each core, but no more than one for each 1.5 GB of memory that is free.
parallel_jobs() {
  local cores memory_kb limit
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable/ {print $2}' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)
  [[ $limit =~ ^[0-9]+$ ]] && ((limit / 1024 < memory_kb)) && memory_kb=$((limit / 1024))
  local fitting=$((memory_kb / 1500000))
  ((fitting < 1)) && fitting=1
  echo $((cores < fitting ? cores : fitting))
}

# build_preset PRESET [TARGET…]
build_preset() {
  local preset=$1 target targets=()
  shift
  for target in "$@"; do targets+=(--target "$target"); done
  if [[ ! -f build/$preset/build.ninja ]]; then
    logged "configure-$preset" "configuring build/$preset" cmake --preset "$preset" || return
  fi
  logged "build-$preset" "compiling build/$preset, $(parallel_jobs) at a time" \
    cmake --build "build/$preset" --parallel "$(parallel_jobs)" "${targets[@]}"
}

# up_to_date STAMP KEY: whether STAMP says that KEY is done. mark_done writes it.
up_to_date() { [[ -f $1 && $(<"$1") == "$2" ]]; }
mark_done() { printf '%s\n' "$2" >"$1"; }

# Installs clients/python into the environment, unless exactly this source is there already.
install_python_package() {
  local key stamp=$venv/.stamp-package
  key=$(find clients/python proto -type f \( -name '*.py' -o -name '*.toml' -o -name '*.in' -o -name py.typed -o -name '*.proto' \) \
    ! -path '*/tests/*' ! -path '*/build/*' ! -name '*_pb2*' -print0 |
    sort -z | xargs -0 sha256sum | sha256sum)
  if up_to_date "$stamp" "$key"; then
    echo '   the Python package is installed already'
    return
  fi
  rm -f "$stamp"
  rm -rf clients/python/build # what an older build left there would be packed too
  logged pip-package 'installing the Python package' "$venv/bin/python" -m pip install --no-input ./clients/python &&
    mark_done "$stamp" "$key"
}
