#!/usr/bin/env bash
# Makes the faces in this folder of the npm package @fontsource/arimo: Latin letters, outlines alone (no hints, no layout tables).
# Needs npm, and fonttools with brotli from pip: crates/raster/fonts/make.sh [PYTHON]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${1:-python3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd "$folder" && npm pack @fontsource/arimo@5.3.0 --silent >/dev/null && tar xzf fontsource-arimo-5.3.0.tgz)
latin=U+0020-007E,U+00A0-00FF,U+0152-0153,U+2009-200A,U+2010-2015,U+2018-201E,U+2020-2022,U+2026,U+202F,U+2030,U+2039-203A,U+20AC,U+2122,U+2212,U+FFFD
for weight in 400 700; do
  for part in latin latin-ext; do
    letters=$latin
    [ "$part" = latin ] || letters=U+0100-017F
    "$python" -m fontTools.ttLib.woff2 decompress -o "$folder/face.ttf" "$folder/package/files/arimo-$part-$weight-normal.woff2"
    "$python" -m fontTools.subset "$folder/face.ttf" --unicodes="$letters" --output-file="arimo-$part-$weight.ttf" \
      --no-hinting --desubroutinize --layout-features= --drop-tables+=GSUB,GPOS,GDEF,gasp,STAT,DSIG,meta,post --name-IDs=0,5,13,14 --no-glyph-names
  done
done
cp "$folder/package/LICENSE" OFL.txt
