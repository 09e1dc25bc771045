#!/usr/bin/env bash
# What the checks of the pages need beyond the toolchain: tests/pages/setup.sh [--install] browser|schemathesis|reuse
# Ends with 0 where it is there. Otherwise it says how to install it, and does so with --install or in CI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. scripts/lib/install.sh
missing() { # WHAT COMMAND
  echo "setup.sh: $1 is missing; install it: $2" >&2
  exit 1
}

case ${1:-} in
  browser)
    command -v npm >/dev/null || missing npm "your system's package of Node.js"
    command -v chromium-browser >/dev/null || debian chromium chromium "which opens the pages"
    # npm leaves its own copy of the lock where it has installed all of it.
    if [ ! tests/pages/navigateur/node_modules/.package-lock.json -nt tests/pages/navigateur/package-lock.json ]; then
      ci=(npm ci --prefix tests/pages/navigateur --ignore-scripts --no-audit --no-fund --loglevel=error)
      [ "$install" = yes ] || missing playwright-core "tests/pages/setup.sh --install browser (npm ci in tests/pages/navigateur)"
      "${ci[@]}" >/dev/null
      touch tests/pages/navigateur/node_modules/.package-lock.json
    fi
    # It is embedded when the components are built: installing it here would come too late.
    [ -e components/documentation/assets/version ] || missing "Swagger UI" "scripts/assets --install && scripts/build"
    ;;
  schemathesis)
    tool=.cache/schemathesis
    package=schemathesis==4.32.5
    [ ! -x "$tool/bin/schemathesis" ] || exit 0
    [ "$install" = yes ] || missing schemathesis "tests/pages/setup.sh --install schemathesis (pip install $package into $tool)"
    python3 -m venv "$tool"
    "$tool/bin/pip" install --quiet --disable-pip-version-check "$package"
    ;;
  reuse) # generators of clients, and what the recipes import
    command -v npm >/dev/null || missing npm "your system's package of Node.js"
    tool=.cache/reuse
    wanted=$(cat tests/pages/requirements.txt clients/typescript/package-lock.json | sha256sum | cut -c1-16)
    [ "$(cat "$tool/version" 2>/dev/null || true)" != "$wanted" ] || exit 0
    [ "$install" = yes ] || missing "what makes clients and runs recipes" \
      "tests/pages/setup.sh --install reuse (pip install -r tests/pages/requirements.txt into $tool, npm ci in clients/typescript)"
    python3 -m venv "$tool"
    "$tool/bin/pip" install --quiet --disable-pip-version-check -r tests/pages/requirements.txt
    npm ci --prefix clients/typescript --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
    echo "$wanted" >"$tool/version"
    ;;
  *)
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
    ;;
esac
