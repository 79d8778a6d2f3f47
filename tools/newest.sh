#!/usr/bin/env bash
# The newest CPythons, out of Debian unstable, in a folder of this tree: one Debian for all of them, which is entered by
# chroot. Its compiler, C library, libev and libuv are Debian unstable's as well.
#
#   tools/newest.sh setup                 makes it, unless it is there: a minute, root, and about 1 GB
#   tools/newest.sh list                  prints its Pythons, one a line, the newest last: 3.13
#   tools/newest.sh python 3.15           prints the path of a program that runs hubcore's 3.15 in there, from anywhere
#   tools/newest.sh run COMMAND...        runs COMMAND in there, in this folder, and returns what it returns
#
# HUBCORE_NEWEST names another folder to keep it in. Status 3: it cannot be had on this machine; a line says why.
set -euo pipefail
cd "$(dirname "$0")/.."

TREE=$PWD
HERE=${HUBCORE_NEWEST:-$TREE/.newest}
ROOT=$HERE/root
PYTHONS="3.13 3.14 3.15" # those that Debian unstable has no more, or not yet, are left out
# What the build needs, and what the tests start or look up.
PACKAGES=gcc,g++,libc6-dev,make,libev-dev,libuv1-dev,ca-certificates,netbase,procps,openssl,curl,redis-server,dnsmasq-base
UNAVAILABLE=3

say() { printf 'newest CPythons: %s\n' "$*" >&2; }
unavailable() {
    say "not to be had here: $*"
    exit $UNAVAILABLE
}

may_enter() {
    [ "$(id -u)" = 0 ] || unavailable "that takes root, for chroot; run it as root"
    unshare --mount --pid --fork true 2>/dev/null ||
        unavailable "this machine does not allow mounts and namespaces of one's own, not even to root"
}

get_mmdebstrap() {
    command -v mmdebstrap >/dev/null && return
    command -v apt-get >/dev/null || unavailable "mmdebstrap is not installed, and there is no apt-get to install it"
    say "installing mmdebstrap"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap; } \
        </dev/null >"$HERE/log" 2>&1 || unavailable "apt-get cannot install mmdebstrap: $(tail -n 1 "$HERE/log")"
}

setup() {
    may_enter
    local wanted=() python kind
    for python in $PYTHONS; do
        for kind in "python$python" "python$python-dev" "python$python-venv" "libpython$python-testsuite"; do
            wanted+=("--include=?exact-name($kind)") # a pattern: what there is not is left out
        done
    done
    wanted+=("--include=$PACKAGES")
    if [ -e "$HERE/made" ] && [ "$(cat "$HERE/made")" = "${wanted[*]}" ]; then
        return
    fi
    mkdir -p "$HERE"
    get_mmdebstrap
    say "making $ROOT out of Debian unstable"
    rm -rf "$HERE/made" "$ROOT"
    # The dates are not asked: a mirror that has not changed for some weeks will do. The signatures are.
    mmdebstrap --variant=essential "${wanted[@]}" \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='force-unsafe-io' \
        unstable "$ROOT" </dev/null >"$HERE/log" 2>&1 ||
        unavailable "mmdebstrap failed: $(grep '^E:' "$HERE/log" | head -n 1); all that it said is in $HERE/log"
    [ -n "$(pythons)" ] || unavailable "Debian unstable has none of $PYTHONS"
    printf '%s' "${wanted[*]}" >"$HERE/made"
}

pythons() {
    local path
    for path in "$ROOT"/usr/bin/python3.*[0-9]; do
        [ -x "$path" ] && printf '%s\n' "${path##*python}"
    done | sort -V
}

# The tree is in there under its own path, and so is /tmp. All processes end with the command, and all mounts with them.
run() {
    may_enter
    local unset=(-u PIP_FIND_LINKS -u PYTHONHOME -u PYTHONPATH -u VIRTUAL_ENV -u LD_LIBRARY_PATH -u CC -u CXX)
    exec unshare --mount --pid --fork --kill-child --propagation private bash -c '
        set -euo pipefail
        root=$1 tree=$2 here=$3
        shift 3
        mount --rbind /dev "$root/dev"
        mount --rbind /sys "$root/sys"
        for path in /tmp "$tree" "$here"; do
            mkdir -p "$root$path"
            mount --bind "$path" "$root$path"
        done
        mount -t proc proc "$root/proc"
        for path in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
            if [ -e "$path" ]; then
                [ -f "$root$path" ] || touch "$root$path"
                mount --bind "$path" "$root$path"
            fi
        done
        # Not by exec: as process 1 this shell takes in those whose parents have ended.
        status=0
        chroot "$root" "$@" || status=$?
        exit $status
    ' bash "$ROOT" "$TREE" "$HERE" env "${unset[@]}" -C "${FOLDER:-$TREE}" \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# The path of a program that stands for the Python of a virtual environment in there, with hubcore built.
python() {
    local venv=$HERE/venv-$1 program=$HERE/python$1
    [ -x "$ROOT/usr/bin/python$1" ] || unavailable "Debian unstable has no Python $1"
    printf '#!/bin/sh\nFOLDER=$PWD HUBCORE_NEWEST=%q exec %q run %q "$@"\n' "$HERE" "$TREE/tools/newest.sh" "$venv/bin/python" >"$program"
    chmod +x "$program"
    (run make --no-print-directory build PYTHON="python$1" VENV="$venv") </dev/null >&2
    printf '%s\n' "$program"
}

case "${1:-}" in
    setup) setup ;;
    list) pythons ;;
    run) shift && run "$@" ;;
    python) python "${2:?the version, such as 3.15}" ;;
    *)
        echo "usage: tools/newest.sh setup|list|python VERSION|run COMMAND..." >&2
        exit 2
        ;;
esac
