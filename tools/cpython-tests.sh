#!/usr/bin/env bash
# Runs `python -m tests.cpython` with every CPython that tools/pythons.sh finds, each with its own build, and passes its
# arguments on. Fails if a test failed without a listed reason, a build failed, or no Python was found.
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
    echo "no CPython 3.11 or later was found on PATH or in pyenv"
    exit 1
fi
exec "$first" -m tests.cpython "${pythons[@]}" "$@"
