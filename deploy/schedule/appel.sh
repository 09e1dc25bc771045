#!/bin/sh
# What a scheduler runs: one call to the import, or as many as there is work for, for a minute.
#   appel.sh avancer      POST /internal/import/run, again while the answer says "encore": true
#   appel.sh collecter    POST /internal/import/pull: opens a run over all sources; `avancer` does its work
# Variables: EXPOSITION_ORIGINE (http://exposition), SPIN_VARIABLE_IMPORT_SECRET (the application's own secret).
# Needs sh and curl. Exit code 0: done, or somebody else is at it (409).
set -eu
case ${1:-} in
avancer) chemin=/internal/import/run ;;
collecter) chemin=/internal/import/pull ;;
*)
  echo "usage: appel.sh avancer|collecter" >&2
  exit 2
  ;;
esac
: "${EXPOSITION_ORIGINE:?}" "${SPIN_VARIABLE_IMPORT_SECRET:?}"

fin=$(($(date +%s) + 40)) # a call takes 20 s at most: the next one of a minute finds this one gone
while :; do
  # The secret goes through a pipe: no process list shows it.
  reponse=$(printf 'Authorization: Bearer %s\n' "$SPIN_VARIABLE_IMPORT_SECRET" |
    curl --silent --show-error --max-time 60 --request POST --header @- \
      --write-out '\n%{http_code}' "${EXPOSITION_ORIGINE%/}$chemin")
  statut=$(printf '%s\n' "$reponse" | tail -n 1)
  case $statut in
  2??) ;;
  409)
    echo "$chemin: 409, already under way"
    exit 0
    ;;
  *)
    # The answer says what to do about it, and holds no secret.
    printf '%s: %s %s\n' "$chemin" "$statut" "$(printf '%s\n' "$reponse" | head -n 1 | cut -c 1-500)" >&2
    exit 1
    ;;
  esac
  case $reponse in
  *'"encore":true'*) [ "$(date +%s)" -lt "$fin" ] || break ;;
  *) break ;;
  esac
done
echo "$chemin: $statut"
