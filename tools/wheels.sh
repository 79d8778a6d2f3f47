#!/usr/bin/env bash
# Runs `make wheel` with every CPython that tools/pythons.sh finds, each in its own virtual environment: every wheel is
# installed in a bare environment and run there. Fails if one of them failed or none was found.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

results=()
failed=0

while read -r version full free python <&3; do
    if [ "$free" = yes ]; then
        results+=("$(printf '%-10s %s' "$full" "skipped: free-threaded")")
        continue
    fi
    printf '== Python %s (%s)\n' "$full" "$python"
    if make --no-print-directory wheel PYTHON="$python" VENV=".venv-$version" </dev/null; then
        results+=("$(printf '%-10s %s' "$full" built)")
    else
        results+=("$(printf '%-10s %s' "$full" FAILED)")
        failed=1
    fi
done 3< <(tools/pythons.sh)

echo
if [ ${#results[@]} -eq 0 ]; then
    echo "no CPython 3.11 or later was found on PATH or in pyenv"
    exit 1
fi
printf '%s\n' "${results[@]}"
ls -l wheelhouse
exit $failed
