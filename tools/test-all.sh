#!/usr/bin/env bash
# Runs `make test` with every CPython that tools/pythons.sh finds, each in its own virtual environment with its own build.
# Fails if one of them failed or none was found.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

results=()
failed=0

while read -r version full free python <&3; do
    if [ "$free" = yes ]; then
        results+=("$(printf '%-10s %-8s %s' "$full" skipped "free-threaded: hubcore is not tested without the GIL yet")")
        continue
    fi
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
done 3< <(tools/pythons.sh)

echo
if [ ${#results[@]} -eq 0 ]; then
    echo "no CPython 3.11 or later was found on PATH or in pyenv"
    exit 1
fi
printf '%-10s %-8s %s\n' Python outcome "pytest's closing line"
printf '%s\n' "${results[@]}"
exit $failed
