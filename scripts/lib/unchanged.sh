#!/usr/bin/env bash
# Runs a program of tests, unless it passed before and nothing that it sees has changed since: cargo calls this as its
# runner, and scripts/test for the steps that are no cargo tests.
#   unchanged.sh PROGRAM ARGUMENTS…
# What a program sees beside its own bytes comes as two digests: EXPOSITION_SEEN (components, programs, files that are no
# Rust, ../shared, what is installed here) and EXPOSITION_SOURCES (Rust). The latter counts for tests of the whole house
# only: what those of a crate see of it, the compiler has put into their bytes.
set -euo pipefail
seen=$EXPOSITION_SEEN
case ${CARGO_MANIFEST_DIR:-} in
*/crates/* | */tools/*) ;;
*) seen+=$EXPOSITION_SOURCES ;;
esac
name=$(basename "$1")
arguments=$(echo "${*:2}" | sha256sum | cut -c1-8)
passed=$(dirname "${BASH_SOURCE[0]}")/../../target/passed/$name-$arguments
now=$({ sha256sum <"$1"; echo "$seen" "${*:2}"; } | sha256sum)
# First line: of what; second: how many tests; then what was left out.
if [ "$(head -n 1 "$passed" 2>/dev/null)" = "$now" ]; then
  echo "unchanged since it passed: $name, $(sed -n 2p "$passed") tests"
  sed 1,2d "$passed" >>"${EXPOSITION_SKIPPED:-/dev/null}"
  exit 0
fi
rm -f "$passed"
mkdir -p "$(dirname "$passed")"
before=$(wc -l <"${EXPOSITION_SKIPPED:-/dev/null}")
said=$(mktemp)
trap 'rm -f "$said"' EXIT
"$@" 2>&1 | tee "$said"
{
  echo "$now"
  sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' "$said" | awk '{ sum += $1 } END { print sum + 0 }'
  tail -n "+$((before + 1))" "${EXPOSITION_SKIPPED:-/dev/null}"
} >"$passed"
