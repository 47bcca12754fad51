#!/usr/bin/env bash
# run-live-tests.sh PYTEST [OPTION...] FOLDER...: tests that watch a kernel at work, and what failed of them once more.
#
# They share their kernel with all else that the machine does, and of some thousands one meets it now and then. Up to
# three that failed are run again, alone, and must pass. Both results are printed, and who passed the second time only is
# named last: that is a test to be mended. More than three are no accident, and fail at once.
set -euo pipefail
pytest=$1
shift
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT

status=0
"$pytest" -q -o cache_dir="$cache" "$@" || status=$?
test "$status" -eq 1 || exit "$status" # 0: passed; others than 1: not because of tests
mapfile -t failed < <(python3 -c 'import json, sys; print(*json.load(open(sys.argv[1])), sep="\n")' "$cache/v/cache/lastfailed")
test "${#failed[@]}" -le 3 || exit "$status"

echo "once more, alone: ${failed[*]}"
"$pytest" -q -o cache_dir="$cache" --last-failed "$@"
echo "failed first and passed alone, to be mended: ${failed[*]}"
