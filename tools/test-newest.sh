#!/usr/bin/env bash
# Runs the suite with the newest CPythons, which tools/newest.sh gets, on libev, libuv and virtual; without the slow
# tests, the interplay, the wheel and the uncompiled package.
#
#   tools/test-newest.sh              with each of them
#   tools/test-newest.sh 3.15         with that one
#   tools/test-newest.sh --bounded    continuous integration's part, with the newest of them: patching, threads, sockets,
#                                     processes, asyncio and hubs, and the interplay with those libraries that
#                                     install there; under 10 minutes, the set-up included
#
# Status 3: a set-up cannot be had on this machine; a line says why. Else it fails if a test, or a build, failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

UNAVAILABLE=3
NOT_SLOW="not slow and not soak"
PART=(tests/patching tests/threads tests/process tests/aio tests/sockets tests/hub tests/loop/test_refused_fds.py)
LIBRARIES='import tomllib
for each in tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["interplay"]:
    if isinstance(each, str):
        print(each)'

bounded=no
if [ "${1:-}" = --bounded ]; then
    bounded=yes
    SETUP_SECONDS=240
    PACKAGES_SECONDS=150
    shift
fi

say() { printf 'newest CPythons: %s\n' "$*"; }

# made SECONDS VERSION TARGET...: make, in there, with the virtual environment of that Python
made() {
    local limit=$1 version=$2 venv
    shift
    venv=${HUBCORE_NEWEST:-$PWD/.newest}/venv-$1
    shift
    timeout --kill-after=10 "$limit" tools/newest.sh run make --no-print-directory PYTHON="python$version" VENV="$venv" "${@/#stamps/$venv/stamps}" </dev/null
}

# The packages of the tests; what fails here fails for want of a network or of an index, and not by a fault of ours.
packages() {
    made "${PACKAGES_SECONDS:-1800}" "$1" stamps/group-build stamps/group-test stamps/system stamps/install
}

# One by one: some have nothing for a Python that is this new. For a minute and a half.
libraries() {
    local python=${HUBCORE_NEWEST:-$PWD/.newest}/venv-$1/bin/python each until=$((SECONDS + 90))
    tools/newest.sh run "$python" -c "$LIBRARIES" | while [ $SECONDS -lt $until ] && read -r each; do
        tools/newest.sh run timeout 45 "$python" -m pip install --quiet --only-binary :all: "$each" </dev/null >/dev/null 2>&1 ||
            say "there is no $each for Python $1; its tests are skipped"
    done
}

suite() {
    local python=${HUBCORE_NEWEST:-$PWD/.newest}/venv-$1/bin/python
    if [ "$bounded" = no ]; then
        tools/newest.sh run "$python" -m tests.parts --hub-backend=all -m "$NOT_SLOW" \
            --ignore=tests/interplay --deselect=tests/architecture/test_wheel.py </dev/null
        return
    fi
    libraries "$1"
    tools/newest.sh run "$python" -m tests.parts --hub-backend=all -m "$NOT_SLOW" "${PART[@]}" tests/interplay </dev/null
}

timeout --kill-after=10 "${SETUP_SECONDS:-600}" tools/newest.sh setup
status=$?
if [ $status != 0 ]; then
    [ $status = $UNAVAILABLE ] || say "not to be had here: the set-up ended with status $status (124: it took too long)"
    exit $UNAVAILABLE
fi
if [ "$bounded" = yes ]; then
    versions=$(tools/newest.sh list | tail -n 1)
else
    versions=${*:-$(tools/newest.sh list)}
fi

results=()
failed=0
for version in $versions; do
    log=$(mktemp)
    printf '== Python %s, the newest of Debian unstable\n' "$version"
    if ! packages "$version" >"$log" 2>&1; then
        tail -n 20 "$log"
        say "not to be had here: the packages that the tests need cannot be installed for Python $version"
        [ $failed = 0 ] && failed=$UNAVAILABLE
        results+=("$(printf '%-8s %-8s %s' "$version" "not run" "its packages cannot be installed")")
    elif { made 1800 "$version" build && suite "$version"; } 2>&1 | tee "$log"; then
        results+=("$(printf '%-8s %-8s %s' "$version" passed "$(tail -n 1 "$log")")")
    else
        failed=1
        results+=("$(printf '%-8s %-8s %s' "$version" FAILED "$(tail -n 1 "$log")")")
    fi
    rm -f "$log"
done

printf '\n%-8s %-8s %s\n' Python outcome "the closing line"
printf '%s\n' "${results[@]}"
exit $failed
