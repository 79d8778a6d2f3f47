#!/usr/bin/env bash
# `python -m tests.cpython` with every CPython that tools/pythons.sh finds, and with the newest ones of tools/newest.sh
# where they can be had; each has its own build. The arguments are handed on. Fails if a test failed without a listed
# reason, a build failed, or no Python was found.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

pythons=()
first=
while read -r version _ free python <&3; do
    [ "$free" = no ] || continue
    make --no-print-directory build PYTHON="$python" VENV=".venv-$version" </dev/null || exit 1
    pythons+=(--python ".venv-$version/bin/python")
    first=${first:-.venv-$version/bin/python}
done 3< <(tools/pythons.sh)

if [ -z "$first" ]; then
    echo "no CPython 3.11 or later was found"
    exit 1
fi
if tools/newest.sh setup; then
    while read -r version <&3; do
        python=$(tools/newest.sh python "$version") || exit 1
        pythons+=(--python "$python")
    done 3< <(tools/newest.sh list)
fi
exec "$first" -m tests.cpython "${pythons[@]}" "$@"
