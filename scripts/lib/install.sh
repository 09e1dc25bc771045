# Sourced by scripts that need a package. Nothing is installed behind anybody's back: what is missing is named with the
# command that installs it, and installed only with --install or in CI.

install=no
case ${CI:-}:${1:-} in
    *:--install) install=yes && shift ;;
    true:*) install=yes ;;
esac

# debian PROGRAM PACKAGE WHY: whether the program is there, after installing its package where that may be done.
debian() {
    command -v "$1" >/dev/null 2>&1 && return
    root=
    [ "$(id -u)" -eq 0 ] || root="sudo "
    if [ "$install" = no ]; then
        echo "$(basename "$0"): $1 is missing, $3; install it: ${root}apt-get install $2, or call this again with --install" >&2
        return 1
    fi
    echo "$(basename "$0"): installing $2, $3" >&2
    # Package lists may be old or absent; without them nothing is found.
    { ${root}apt-get update -qq && ${root}apt-get install -y -qq --no-install-recommends "$2"; } >/dev/null &&
        command -v "$1" >/dev/null 2>&1
}
