#!/usr/bin/env bash
# `make test` with every CPython from 3.11 up that is found, each in its own virtual environment and with its own build.
# Looks for python3.X and python3.Xt on PATH and in pyenv. Fails when one of them failed or none was found.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

results=()
failed=0
seen=" "

# about PYTHON: prints "3.12 3.12.1 <implementation> <yes if free-threaded>", or fails
about() {
    "$1" -c 'import platform, sys, sysconfig
print("%d.%d" % sys.version_info[:2], platform.python_version(), platform.python_implementation(),
      "yes" if sysconfig.get_config_var("Py_GIL_DISABLED") else "no")' 2>/dev/null </dev/null
}

try_python() {
    local python=$1 facts version full implementation free
    facts=$(about "$python") || return 0 # for example a pyenv shim of a version that is not switched on
    read -r version full implementation free <<<"$facts"
    [ "$implementation" = CPython ] || return 0
    case "$seen" in *" $version/$free "*) return 0 ;; esac
    seen="$seen$version/$free "
    if [ "$free" = yes ]; then
        results+=("$(printf '%-10s %-8s %s' "$full" skipped "free-threaded: hubcore is not tested without the GIL yet")")
        return 0
    fi
    local log started outcome closing
    log=$(mktemp)
    started=$SECONDS
    printf '== Python %s (%s)\n' "$full" "$python"
    if make --no-print-directory test PYTHON="$python" VENV=".venv-$version" </dev/null 2>&1 | tee "$log"; then
        outcome=passed
    else
        outcome=FAILED
        failed=1
    fi
    closing=$(grep -E '^=+ .*(passed|failed|error|no tests ran).* =+$|^[0-9]+ (passed|failed).* in ' "$log" | tail -n 1 | sed 's/^=* *//; s/ *=*$//')
    results+=("$(printf '%-10s %-8s %s' "$full" "$outcome" "${closing:-no closing line from pytest, after $((SECONDS - started)) s}")")
    rm -f "$log"
}

shopt -s nullglob
for minor in {11..30}; do
    for suffix in "" t; do
        name=python3.$minor$suffix
        python=$(command -v "$name") && try_python "$python"
        for python in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/"$name"; do
            try_python "$python"
        done
    done
done

echo
if [ ${#results[@]} -eq 0 ]; then
    echo "no CPython 3.11 or later was found"
    exit 1
fi
printf '%-10s %-8s %s\n' Python outcome "pytest's closing line"
printf '%s\n' "${results[@]}"
exit $failed
