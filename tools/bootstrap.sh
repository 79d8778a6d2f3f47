#!/usr/bin/env bash
# One step of the set-up that the Makefile needs; each leaves a stamp in $VENV/stamps.
#
#   PYTHON=python3 VENV=.venv tools/bootstrap.sh venv|system|services|group NAME|install|build
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
        fail "$reason, and there is no apt-get. Install it by 'dnf install gcc python3-devel libev-devel libuv-devel' or by 'brew install libev libuv' with CPPFLAGS and LDFLAGS set to brew's folders, then run make again"
    fi
    say "$reason; installing $*"
    as_root apt-get update -qq </dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null
}

# Does a C program with `#include <HEADER>` compile? CPPFLAGS says where else to look, here as in the build.
has_header() {
    local flags
    read -ra flags <<<"${CPPFLAGS:-}"
    printf '#include <%s>\n' "$1" | cc ${flags[@]+"${flags[@]}"} -E -x c - >/dev/null 2>&1
}

check_python() {
    command -v "$PYTHON" >/dev/null || fail "there is no $PYTHON here; name an interpreter, for example: make test PYTHON=python3.12"
    local version
    version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || fail "$PYTHON does not run"
    "$PYTHON" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' ||
        fail "hubcore needs Python 3.11 or later and $PYTHON is $version; name another, for example: make test PYTHON=python3.12"
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
        "$VENV/bin/python" -m pip install --quiet --upgrade 'pip>=25.1' # the first that knows --group
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
    # A compiler that is not there yet finds no header either; then both libraries are asked for, which does no harm.
    has_header ev.h || missing+=(libev-dev)
    has_header uv.h || missing+=(libuv1-dev)
    if [ ${#missing[@]} -gt 0 ]; then
        apt_install "a compiler or a header is missing" "${missing[@]}"
    fi
    has_header ev.h || fail "ev.h is still not found by cc; libev's development files are needed"
    has_header uv.h || fail "uv.h is still not found by cc; libuv's development files are needed"
}

step_services() {
    local missing=() name
    for name in curl openssl redis-server; do
        command -v "$name" >/dev/null || missing+=("$name")
    done
    # The packages that hold the programs alone: they start nothing on this machine and make no data.
    [ -x /usr/sbin/mariadbd ] || command -v mariadbd >/dev/null || missing+=(mariadb-server-core)
    [ -x /usr/sbin/dnsmasq ] || command -v dnsmasq >/dev/null || missing+=(dnsmasq-base)
    if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && ! command -v initdb >/dev/null; then
        missing+=(postgresql)
    fi
    if [ ${#missing[@]} -gt 0 ]; then
        apt_install "servers for the interplay tests are missing" "${missing[@]}"
    fi
}

step_group() {
    say "packages of the group '$1'"
    "$VENV/bin/python" -m pip install --quiet --group "$1"
}

step_install() {
    # HUBCORE_PURE=1: pip only registers the tree. Its own build would start from nothing at every change of the metadata,
    # where step_build below compiles what has changed.
    say "registering this tree in $VENV"
    HUBCORE_PURE=1 "$VENV/bin/python" -m pip install --quiet --quiet --no-build-isolation --config-settings editable_mode=compat --editable .
}

step_build() {
    if [ -e "$STAMPS/build" ] && [ setup.py -nt "$STAMPS/build" ]; then
        # Cython and distutils look at the times of sources only; other flags or directives need everything anew.
        find hubcore -name '*.c' -delete
    fi
    say "compiling with $("$VENV/bin/python" --version)"
    local log
    log=$(mktemp)
    if ! HUBCORE_REQUIRE_EXT=1 "$VENV/bin/python" setup.py --quiet build_ext --inplace >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        fail "the build failed"
    fi
    grep -i 'warning' "$log" >&2 || true
    rm -f "$log"
}

case "${1:-}" in
    venv | system | services | install | build) name=$1 ;;
    group) name=group-${2:?a group of pyproject.toml} ;;
    *) fail "usage: tools/bootstrap.sh venv|system|services|group NAME|install|build" ;;
esac
# The stamp gets the time at which the step began, so that a file that changes meanwhile is newer than it.
began=$(mktemp)
trap 'rm -f "$began"' EXIT
"step_$1" "${@:2}"
mkdir -p "$STAMPS"
touch -r "$began" "$STAMPS/$name"
