# Sourced by the scripts of this folder: one way to get a Python, a virtual environment and the system packages.
# Nothing here prompts, and nothing needs root; root only buys more (PoCL, Oclgrind, clang).
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${GPUCOMP_VENV:-$ROOT/.venv}
PY=$VENV/bin/python

# Some machines set these to slow kernels for other processors; they must be gone before numpy is imported anywhere.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
# Without byte code on disk every process that a test starts would compile the whole package anew.
unset PYTHONDONTWRITEBYTECODE

say() { printf '%s\n' "$*"; }
# The comment at the head of a script is its help.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0; }
asks_for_help() { case " $* " in *" --help "* | *" -h "*) return 0 ;; *) return 1 ;; esac; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

now_ms() { local t=${EPOCHREALTIME/[.,]/}; echo $((t / 1000)); }
seconds_since() { local ms=$(($(now_ms) - $1)); printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100)); }

may_apt() { [ "$(id -u)" = 0 ] && [ "${GPUCOMP_NO_APT:-0}" != 1 ] && command -v apt-get >/dev/null; }

apt_updated=0
apt_install() { # package...
  may_apt || return 1
  local log
  log=$(mktemp)
  if [ "$apt_updated" = 0 ]; then
    apt-get update -qq >"$log" 2>&1 || say "apt-get update failed; trying with the lists that are there"
    apt_updated=1
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$log" 2>&1 &&
    { rm -f "$log"; return 0; }
  tail -n 5 "$log" >&2
  rm -f "$log"
  return 1
}

system_package_present() { # package
  case $1 in
    clang-19) command -v clang-19 >/dev/null ;;
    libclc-19) [ -e /usr/lib/clc/amdgcn--amdhsa.bc ] ;;
    oclgrind) command -v oclgrind >/dev/null ;;
    pocl-opencl-icd) compgen -G '/etc/OpenCL/vendors/pocl*.icd' >/dev/null ;;
    *) dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' ;;
  esac
}

# Installs what is missing where that is allowed; says what stays missing. Never fails: the tests decide what is needed.
ensure_system_packages() { # package...
  local package missing=()
  for package in "$@"; do system_package_present "$package" || missing+=("$package"); done
  [ ${#missing[@]} = 0 ] && return 0
  if may_apt; then
    say "apt: installing ${missing[*]}"
    apt_install "${missing[@]}" && return 0
    say "apt could not install ${missing[*]}"
    return 0
  fi
  say "not installed: ${missing[*]} (as root: apt-get install ${missing[*]})"
}

python_is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
  local candidate
  for candidate in ${GPUCOMP_PYTHON:-} python3 python3.13 python3.12 python3.11 python; do
    command -v "$candidate" >/dev/null && python_is_new_enough "$candidate" && { echo "$candidate"; return 0; }
  done
  return 1
}

choose_python() {
  find_python && return 0
  apt_install python3 >&2 && find_python && return 0
  die "no Python >= 3.11 found: set GPUCOMP_PYTHON to one, or as root: apt-get install python3-venv"
}

# Debian splits ensurepip off into python3-venv; without root its wheel of pip can still be fetched and unpacked.
pip_from_debian() {
  local folder deb wheel
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
  folder=$(mktemp -d)
  mkdir -p "$folder/lists/partial"
  local options=(-qq -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder" -o "Debug::NoLocking=1")
  apt-get "${options[@]}" update >/dev/null 2>&1 || true
  (cd "$folder" && apt-get "${options[@]}" download python3-pip-whl >/dev/null 2>&1) || { rm -rf "$folder"; return 1; }
  for deb in "$folder"/*.deb; do dpkg -x "$deb" "$folder"; done
  wheel=$(compgen -G "$folder/usr/share/python-wheels/pip-*.whl" | head -n 1)
  [ -n "$wheel" ] && "$PY" "$wheel/pip" install -q --no-index "$wheel"
  local status=$?
  rm -rf "$folder"
  return $status
}

make_venv() {
  local python
  python=$(choose_python)
  say "making $VENV with $("$python" --version)"
  "$python" -m venv "$VENV" >/dev/null 2>&1 && return 0
  if apt_install python3-venv && "$python" -m venv --clear "$VENV" >/dev/null 2>&1; then return 0; fi
  if "$python" -m virtualenv -q "$VENV" >/dev/null 2>&1; then return 0; fi
  if command -v uv >/dev/null && uv venv -q --seed --clear --python "$python" "$VENV"; then return 0; fi
  say "this Python has no ensurepip (Debian: package python3-venv); getting pip another way"
  "$python" -m venv --clear --without-pip "$VENV" || die "$python cannot make a virtual environment"
  "$python" -m pip --python "$PY" install -q pip >/dev/null 2>&1 && return 0
  pip_from_debian && return 0
  rm -rf "$VENV"
  die "no way found to put pip into a virtual environment; as root: apt-get install python3-venv"
}

# ensure_venv EXTRAS: the environment with `-e .[EXTRAS]`. The stamp makes the second call take no time.
ensure_venv() {
  local extras=$1 wanted stamp other
  if ! { [ -x "$PY" ] && python_is_new_enough "$PY" && "$PY" -m pip --version >/dev/null 2>&1; }; then
    rm -rf "$VENV"
    make_venv
  fi
  stamp=$VENV/.gpucomp-installed-${extras//[^a-z]/-}
  wanted="$ROOT $(sha256sum <"$ROOT/pyproject.toml" | cut -d' ' -f1)"
  [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ] && return 0
  if [ -z "$extras" ]; then # any set of extras brings the core
    for other in "$VENV"/.gpucomp-installed-*; do
      [ "$(cat "$other" 2>/dev/null || true)" = "$wanted" ] && return 0
    done
  fi
  say "pip: installing gpucomp${extras:+[$extras]} into $VENV"
  "$PY" -m pip install -q --disable-pip-version-check --no-warn-script-location -e "$ROOT${extras:+[$extras]}" ||
    die "pip install failed (is the network there?)"
  printf '%s' "$wanted" >"$stamp"
}
