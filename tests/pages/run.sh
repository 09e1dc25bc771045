#!/usr/bin/env bash
# Opens the pages in a headless Chromium, at the root and under a prefix: tests/pages/run.sh [--install] [PICTURES_FOLDER]
# Then twelve tasks of visitors, and everyday queries over the real data where it is beside the project.
# Needs scripts/build, chromium (apt-get), playwright-core, axe-core and html-validate (npm); --install, or CI, installs the packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
install=()
if [ "${1:-}" = --install ]; then install=(--install); shift; fi
tests/pages/setup.sh "${install[@]}" browser
pictures=${1:-.cache/pages}
mkdir -p .cache
pictures=$(realpath -m "$pictures")

chromium=$(command -v chromium || command -v chromium-browser)

folder=$(mktemp -d)
log=$folder/log
: >"$folder/env"
export SPIN_VARIABLE_IMPORT_SECRET=essai-des-pages SPIN_VARIABLE_LEGACY_API_KEY=essai-des-pages
target/debug/host up --from spin.toml --listen 127.0.0.1:0 --env-file "$folder/env" --sqlite "$folder/store.db" \
  --fast-unsafe-store >"$log" 2>&1 &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 1 150); do
  url=$(sed -n 's/^Serving \(http:.*\)/\1/p' "$log")
  [ -z "$url" ] || break
  kill -0 "$pid" 2>/dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.2
done
cat data/*.ndjson >"$folder/sample"
curl -sS --fail-with-body -o "$folder/job" -H 'authorization: Bearer essai-des-pages' --data-binary "@$folder/sample" \
  "$url/internal/import/documents"
grep -q '"etape":"publie"' "$folder/job" || { cat "$folder/job" >&2; exit 1; }
export CHROMIUM=$chromium
node tests/pages/navigateur/essai.mjs "$url" "$pictures"
node tests/pages/navigateur/taches.mjs "$url" "$pictures/taches"

# What people type, over the real data.
real=../shared/data
if [ -d "$real" ]; then
  target/debug/dataset real --data "$real" --out "$folder/real" 2>/dev/null
  target/debug/host up --from spin.toml --listen 127.0.0.1:0 --env-file "$folder/env" --sqlite "$folder/real.db" \
    --fast-unsafe-store >"$folder/real.log" 2>&1 &
  second=$!
  trap 'kill "$second" "$pid" 2>/dev/null || true; wait "$second" "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
  for _ in $(seq 1 150); do
    real_url=$(sed -n 's/^Serving \(http:.*\)/\1/p' "$folder/real.log")
    [ -z "$real_url" ] || break
    sleep 0.2
  done
  IMPORT_SECRET=essai-des-pages IMPORTER_CACHE="$folder" IMPORTER_ENV_FILE="$folder/env" target/debug/importer --url "$real_url" \
    --confirmer-anomalies --accepter-doublons "$folder"/real/*.ndjson >"$folder/real.import" 2>&1 || { cat "$folder/real.import" >&2; exit 1; }
  node tests/pages/navigateur/recherches.mjs "$real_url" tests/pages/recherches.tsv
  kill "$second"
else
  echo "SKIPPED everyday queries: needs $real" | tee -a "${EXPOSITION_SKIPPED:-/dev/null}"
  [ "${CI:-}" != true ] || [ "${EXPOSITION_REQUIRE_SHARED:-1}" = 0 ] || exit 1
fi

# The same behind a real nginx that takes a prefix away, which the application does not see: nothing may leave it.
nginx=$(PATH=$PATH:/usr/sbin command -v nginx || true)
if [ -z "$nginx" ]; then
  echo "SKIPPED pages under a prefix: needs nginx" | tee -a "${EXPOSITION_SKIPPED:-/dev/null}"
  [ "${CI:-}" != true ] || [ "${EXPOSITION_REQUIRE_PROGRAMS:-1}" = 0 ] || exit 1
  exit 0
fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
tests/gateway/configure.sh "$folder/nginx" "${url#http://}" "127.0.0.1:$port"
"$nginx" -p "$folder/nginx" -c "$folder/nginx/nginx.conf"
trap 'kill "$(cat "$folder/nginx/pid")" "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
node tests/pages/navigateur/essai.mjs "http://127.0.0.1:$port/exposition-inserjeunes-insersup" "$pictures/prefixe"
node tests/pages/navigateur/taches.mjs "http://127.0.0.1:$port/exposition-inserjeunes-insersup" "$pictures/prefixe/taches"
