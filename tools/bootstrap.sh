#!/usr/bin/env bash
# Runs one step of the set-up that the Makefile needs; each step leaves a stamp in $VENV/stamps.
#
#   PYTHON=python3 VENV=.venv tools/bootstrap.sh venv|system|services|group NAME|install|quick|build
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
STAMPS=$VENV/stamps

say() { printf 'hubcore set-up: %s\n' "$*"; }
fail() {
    say "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "root rights are needed for: $*"
    fi
}

# apt_install REASON PACKAGE...
apt_install() {
    local reason=$1
    shift
    if ! command -v apt-get >/dev/null; then
        fail "$reason, and this system has no apt-get. Install the packages with 'dnf install gcc python3-devel libev-devel libuv-devel', or with 'brew install libev libuv' and CPPFLAGS and LDFLAGS set to brew's folders; then run make again"
    fi
    say "$reason; installing $*"
    as_root apt-get update -qq </dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null
}

# Does a C program with `#include <HEADER>` compile? CPPFLAGS adds folders to search, here as in the build.
has_header() {
    local flags
    read -ra flags <<<"${CPPFLAGS:-}"
    printf '#include <%s>\n' "$1" | cc ${flags[@]+"${flags[@]}"} -E -x c - >/dev/null 2>&1
}

check_python() {
    command -v "$PYTHON" >/dev/null || fail "'$PYTHON' was not found; name an interpreter, for example: make test PYTHON=python3.12"
    local version
    version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || fail "$PYTHON does not run; name another interpreter, for example: make test PYTHON=python3.12"
    "$PYTHON" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' ||
        fail "hubcore needs Python 3.11 or later, and $PYTHON is $version; name another interpreter, for example: make test PYTHON=python3.12"
}

step_venv() {
    check_python
    if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
            apt_install "$PYTHON has no venv module" "$("$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
        fi
        say "creating $VENV with $("$PYTHON" --version)"
        rm -rf "$VENV"
        "$PYTHON" -m venv "$VENV"
    fi
    if ! "$VENV/bin/python" -c 'import pip; raise SystemExit(tuple(map(int, pip.__version__.split(".")[:2])) < (25, 1))'; then
        "$VENV/bin/python" -m pip install --quiet --upgrade 'pip>=25.1' # the first version with --group
    fi
}

step_system() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    local include
    include=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    if [ ! -f "$include/Python.h" ]; then
        missing+=("$("$VENV/bin/python" -c 'import sys; print("python%d.%d-dev" % sys.version_info[:2])')")
    fi
    # Without a compiler no header is found; apt then gets both libraries in the list, which does no harm.
    has_header ev.h || missing+=(libev-dev)
    has_header uv.h || missing+=(libuv1-dev)
    if [ ${#missing[@]} -gt 0 ]; then
        apt_install "a compiler or a header is missing" "${missing[@]}"
    fi
    has_header ev.h || fail "cc still does not find ev.h; install libev's development files or add their folder to CPPFLAGS"
    has_header uv.h || fail "cc still does not find uv.h; install libuv's development files or add their folder to CPPFLAGS"
}

step_services() {
    local missing=() name
    for name in curl openssl redis-server wrk chromium; do
        command -v "$name" >/dev/null || missing+=("$name")
    done
    # These packages contain the programs alone: they start no service on this machine and create no data.
    [ -x /usr/sbin/mariadbd ] || command -v mariadbd >/dev/null || missing+=(mariadb-server-core)
    [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || missing+=(nginx-light)
    [ -x /usr/sbin/dnsmasq ] || command -v dnsmasq >/dev/null || missing+=(dnsmasq-base)
    if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && ! command -v initdb >/dev/null; then
        missing+=(postgresql)
    fi
    if [ ${#missing[@]} -gt 0 ]; then
        apt_install "servers for the interplay tests are missing" "${missing[@]}"
    fi
}

step_group() {
    say "installing the packages of the group '$1'"
    # Of all packages only uWSGI reads it: its build then has the plug-in for gevent.
    UWSGI_PROFILE=gevent "$VENV/bin/python" -m pip install --quiet --group "$1"
}

step_install() {
    # HUBCORE_PURE=1: pip only registers the tree. Its own build would start from scratch at every change of the metadata;
    # step_build below compiles only the changed modules.
    say "registering this tree in $VENV"
    HUBCORE_PURE=1 "$VENV/bin/python" -m pip install --quiet --quiet --no-build-isolation --config-settings editable_mode=compat --editable .
}

step_build() {
    if [ -e "$STAMPS/build" ] && { [ setup.py -nt "$STAMPS/build" ] || [ tools/cython_additions.py -nt "$STAMPS/build" ]; }; then
        # Cython and distutils compare only the times of the sources; after a change of flags or directives, all C files
        # must be generated anew.
        find hubcore -name '*.c' -delete
    fi
    if [ "${HUBCORE_QUICK:-}" = 1 ]; then
        touch "$STAMPS/compiled-quickly"
    elif [ -e "$STAMPS/compiled-quickly" ]; then
        find hubcore -name '*.so' -delete
        rm "$STAMPS/compiled-quickly"
    fi
    say "compiling with $("$VENV/bin/python" --version), on $(getconf _NPROCESSORS_ONLN) cores"
    local log
    log=$(mktemp)
    if ! HUBCORE_REQUIRE_EXT=1 "$VENV/bin/python" -u setup.py --quiet build_ext --inplace 2>&1 | tee "$log" | show_progress; then
        cat "$log" >&2
        rm -f "$log"
        fail "the build failed"
    fi
    grep -i 'warning' "$log" | grep -v 'Annotation ignored\|Unreachable code' >&2 || true
    rm -f "$log"
}

# The lines of the build that say how far it is; on a terminal, in one line.
show_progress() {
    local line end='\n'
    [ -t 1 ] && end='\033[K\r'
    while IFS= read -r line; do
        case "$line" in
            \[*/*\]\ Cythonizing* | "hubcore: compiled module"*) printf '%s'"$end" "${line#hubcore: }" ;;
        esac
    done
    [ ! -t 1 ] || printf '\033[K'
}

# A first build for `make demo`: quick to make, and replaced by a fast one when another target needs it.
step_quick() {
    mkdir -p "$STAMPS"
    if [ ! -e "$STAMPS/build" ]; then
        export HUBCORE_QUICK=1
    fi
    step_build
}

case "${1:-}" in
    venv | system | services | install | quick | build) name=$1 ;;
    group) name=group-${2:?a group of pyproject.toml} ;;
    *) fail "usage: tools/bootstrap.sh venv|system|services|group NAME|install|quick|build" ;;
esac
# The stamp gets the time at which the step began: a file that changes meanwhile is then newer than the stamp.
began=$(mktemp)
trap 'rm -f "$began"' EXIT
"step_$1" "${@:2}"
mkdir -p "$STAMPS"
touch -r "$began" "$STAMPS/$name"
