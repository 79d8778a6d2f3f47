#!/usr/bin/env bash
# Prints a line for every CPython from 3.11 up that it finds: "3.12 3.12.1 <yes if free-threaded, else no> <path>".
# Searches for python3.X and python3.Xt on PATH and in pyenv.
set -uo pipefail

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
    printf '%s %s %s %s\n' "$version" "$full" "$free" "$python"
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
