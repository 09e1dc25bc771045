#!/usr/bin/env bash
# Opens the pages in a headless Chromium: tests/pages/run.sh [--install] [PICTURES_FOLDER]
# Then twelve tasks of visitors, calls from a page of another origin, and everyday queries over the real data where it is
# beside the project. Once more under a prefix: what depends on where the pages lie.
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
: >"$folder/env"
export SPIN_VARIABLE_IMPORT_SECRET=essai-des-pages SPIN_VARIABLE_LEGACY_API_KEY=essai-des-pages
processes=()
close() {
  local process
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
  for process in "${processes[@]}"; do wait "$process" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap close EXIT

# serve NAME: an application of its own, whose store lies in NAME.db; its address comes into `served`.
serve() {
  # It is looked into before the process has opened it.
  : >"$folder/$1.log"
  target/debug/host up --from spin.toml --listen 127.0.0.1:0 --env-file "$folder/env" --sqlite "$folder/$1.db" \
    --fast-unsafe-store >>"$folder/$1.log" 2>&1 &
  local process=$!
  processes+=("$process")
  for _ in $(seq 1 150); do
    served=$(sed -n 's/^Serving \(http:.*\)/\1/p' "$folder/$1.log")
    [ -z "$served" ] || return 0
    kill -0 "$process" 2>/dev/null || break
    sleep 0.2
  done
  cat "$folder/$1.log" >&2
  exit 1
}

serve store
url=$served
cat data/*.ndjson >"$folder/sample"
curl -sS --fail-with-body -o "$folder/job" -H 'authorization: Bearer essai-des-pages' --data-binary "@$folder/sample" \
  "$url/internal/import/documents"
grep -q '"etape":"publie"' "$folder/job" || { cat "$folder/job" >&2; exit 1; }
export CHROMIUM=$chromium
# beside NAME COMMAND…: meanwhile, with its output kept for the end. Browsers wait half of their time, for a page to fall silent.
status=0
beside=()
beside() {
  local name=$1
  shift
  "$@" >"$folder/$name.said" 2>&1 &
  beside+=("$!:$name")
  processes+=("$!")
}
beside pages node tests/pages/navigateur/essai.mjs "$url" "$pictures"
beside tasks node tests/pages/navigateur/taches.mjs "$url" "$pictures/taches"
beside origin node tests/pages/navigateur/origine.mjs "$url"

# What people type, over the real data.
real=../shared/data
if [ -d "$real" ]; then
  target/debug/dataset real --data "$real" --out "$folder/real" 2>/dev/null
  serve real
  real_url=$served
  IMPORT_SECRET=essai-des-pages IMPORTER_CACHE="$folder" IMPORTER_ENV_FILE="$folder/env" target/debug/importer --url "$real_url" \
    --confirmer-anomalies --accepter-doublons "$folder"/real/*.ndjson >"$folder/real.import" 2>&1 || { cat "$folder/real.import" >&2; exit 1; }
  node tests/pages/navigateur/recherches.mjs "$real_url" tests/pages/recherches.tsv || status=$?
  kill "${processes[-1]}"
else
  echo "SKIPPED everyday queries: needs $real" | tee -a "${EXPOSITION_SKIPPED:-/dev/null}"
  [ "${CI:-}" != true ] || [ "${EXPOSITION_REQUIRE_SHARED:-1}" = 0 ] || exit 1
fi

# The same behind a real nginx that takes a prefix away, which the application does not see: nothing may leave it.
nginx=$(PATH=$PATH:/usr/sbin command -v nginx || true)
if [ -n "$nginx" ]; then
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  tests/gateway/configure.sh "$folder/nginx" "${url#http://}" "127.0.0.1:$port"
  "$nginx" -p "$folder/nginx" -c "$folder/nginx/nginx.conf"
  processes+=("$(cat "$folder/nginx/pid")")
  prefixed=http://127.0.0.1:$port/exposition-inserjeunes-insersup
  node tests/pages/navigateur/essai.mjs "$prefixed" "$pictures/prefixe" where || status=$?
  node tests/pages/navigateur/taches.mjs "$prefixed" "$pictures/prefixe/taches" bureau || status=$?
  node tests/pages/navigateur/origine.mjs "$prefixed" || status=$?
else
  echo "SKIPPED pages under a prefix: needs nginx" | tee -a "${EXPOSITION_SKIPPED:-/dev/null}"
  [ "${CI:-}" != true ] || [ "${EXPOSITION_REQUIRE_PROGRAMS:-1}" = 0 ] || exit 1
fi

for one in "${beside[@]}"; do
  wait "${one%%:*}" || status=$?
  printf '\nAt the root, meanwhile, %s:\n' "${one#*:}"
  cat "$folder/${one#*:}.said"
done
exit "$status"
