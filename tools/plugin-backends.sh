#!/usr/bin/env bash
# Gets pyev and pyuv, builds them, and runs the conformance suite and hubcore's own tests on the plug-ins of
# examples/backends; then the conformance suite on the old libraries that the two packages bring with them.
#
#   VENV=.venv-plugin-backends tools/plugin-backends.sh     called by `make plugin-backends`
#
# With ALLOW_OFFLINE=1 a package that cannot be downloaded is said, and is no failure.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=$(realpath "${VENV:?a virtual environment}")
LIBRARIES=$PWD/examples/backends/libraries
DOWNLOADS=$VENV/downloads
WORK=$VENV/plugin-build
PYTHON=$VENV/bin/python
DOWNLOAD_SECONDS=90
# Of hubcore's own tests, those that run on a hub or a loop and need nothing but hubcore.
TESTS=(tests/core tests/loop tests/hub tests/io tests/sync tests/queues)

say() { printf 'plug-in backends: %s\n' "$*"; }

not_to_be_had() {
    say "$1 could not be downloaded, so pyev and pyuv were not tried"
    if [ "${ALLOW_OFFLINE:-}" = 1 ]; then exit 0; else exit 1; fi
}

checksum_is_right() {
    (cd "$DOWNLOADS" && grep -F "  $1" "$LIBRARIES/checksums.txt" | sha256sum --check --status)
}

# download REQUIREMENT FILE
download() {
    mkdir -p "$DOWNLOADS"
    if [ -e "$DOWNLOADS/$2" ] && checksum_is_right "$2"; then return; fi
    rm -f "$DOWNLOADS/$2"
    say "downloading $1"
    if ! timeout "$DOWNLOAD_SECONDS" "$PYTHON" -m unearth --no-binary --download "$DOWNLOADS" "$1" >"$DOWNLOADS/log" 2>&1; then
        tail -n 1 "$DOWNLOADS/log" >&2
        not_to_be_had "$1"
    fi
    if ! checksum_is_right "$2"; then
        say "$2 is not the file that checksums.txt names: $(sha256sum "$DOWNLOADS/$2")" >&2
        exit 1
    fi
}

# Builds run from a folder with a relative name for the header, because CFLAGS is split at spaces.
# wheel NAME SOURCE [VARIABLE=VALUE ...]
wheel() {
    local out=$WORK/$1 source=$2 log=$WORK/log
    shift 2
    cp "$LIBRARIES/compat.h" "$source/"
    rm -rf "$source/build"
    if ! env "$@" "$PYTHON" -m pip wheel --quiet --no-deps --no-build-isolation --no-cache-dir --wheel-dir "$out" "$source" >"$log" 2>&1; then
        cat "$log" >&2
        say "the build of $source failed" >&2
        exit 1
    fi
}

build() {
    local pyev=$WORK/pyev-static-0.9.5 pyuv=$WORK/pyuv-1.4.0 file
    rm -rf "$WORK"
    mkdir -p "$WORK"
    for file in pyev-static-0.9.5 pyuv-1.4.0; do tar -xzf "$DOWNLOADS/$file.tar.gz" -C "$WORK"; done
    cp "$LIBRARIES/pyev_setup.py" "$pyev/setup.py"
    rm -f "$pyev/setup.cfg"
    printf '[build_ext]\nuse_system_libuv = 1\n' >"$WORK/system-libuv.cfg"
    local flags='-include compat.h -DFOR_PYUV -fno-strict-aliasing -Wno-deprecated-declarations'
    say "building pyev and pyuv on the system's libraries"
    wheel system "$pyev"
    wheel system "$pyuv" CFLAGS="$flags" DIST_EXTRA_CONFIG="$WORK/system-libuv.cfg"
    say "building pyev and pyuv on the libraries that come with them"
    wheel bundled "$pyev" BUNDLED=1
    wheel bundled "$pyuv" CFLAGS="$flags -w"
    "$PYTHON" -m pip install --quiet --no-deps --force-reinstall "$WORK"/system/*.whl
    "$PYTHON" -m pip install --quiet --no-deps --target "$WORK/old" "$WORK"/bundled/*.whl
    "$PYTHON" -m pip install --quiet --no-deps --no-build-isolation --force-reinstall ./examples/backends
}

versions() {
    "$PYTHON" -c 'import pyev, pyuv; print("libev {}.{}, libuv {}".format(*pyev.abi_version(), pyuv.LIBUV_VERSION))'
}

# What tests a hub or a loop on the chosen backend, without what takes long.
run_tests() {
    "$PYTHON" -m pytest -q -p no:cacheprovider --hub-backend=pyev,pyuv -m 'not slow and not soak' "$@"
}

download pyev-static==0.9.5 pyev-static-0.9.5.tar.gz
download pyuv==1.4.0 pyuv-1.4.0.tar.gz
build
"$VENV/bin/hubcore" info
say "conformance on $(versions)"
run_tests --pyargs hubcore.testing.conformance
say "hubcore's own tests on $(versions)"
run_tests -k 'pyev or pyuv' "${TESTS[@]}"
export PYTHONPATH=$WORK/old
say "conformance on $(versions)"
run_tests --pyargs hubcore.testing.conformance
