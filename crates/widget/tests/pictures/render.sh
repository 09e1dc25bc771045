#!/bin/sh
# Redoes the PNG renderings of tests/snapshots/*.svg with Chromium. Look at each of them before committing.
# Needs chromium-headless-shell (plain chromium --headless leaves the bottom of the window blank), pngquant,
# and the Liberation fonts for renderings that compare.
#   tests/pictures/render.sh            all pictures, into this folder
#   tests/pictures/render.sh FOLDER     into another folder, without touching the list
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here}
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
for svg in "$here"/../snapshots/*.svg; do
	name=$(basename "$svg" .svg)
	width=$(sed -n '1s/.* width="\([0-9]*\)".*/\1/p' "$svg")
	height=$(sed -n '1s/.* height="\([0-9]*\)".*/\1/p' "$svg")
	chromium-headless-shell --no-sandbox --disable-gpu --disable-quic --no-first-run \
		--disable-background-networking --disable-component-update --disable-sync \
		--hide-scrollbars --user-data-dir="$profile" --window-size="$width,$height" \
		--screenshot="$profile/$name.png" "file://$svg" 2>/dev/null
	pngquant --force --strip --speed 1 --output "$out/$name.png" 32 "$profile/$name.png"
done
if [ "$out" = "$here" ]; then
	(cd "$here/../snapshots" && sha256sum ./*.svg | sed 's|\./||') >"$here/SHA256SUMS"
fi
