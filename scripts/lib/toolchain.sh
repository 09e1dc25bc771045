# Sourced before cargo is called. rustup looks for the toolchain of rust-toolchain.toml by its name and would fetch it where
# the very same version is installed as `stable`: that one is used then, and no server is asked.

if command -v rustup >/dev/null 2>&1 && [ -z "${RUSTUP_TOOLCHAIN:-}" ]; then
    pinned=$(sed -n 's/^channel = "\(.*\)"$/\1/p' rust-toolchain.toml)
    if ! RUSTUP_AUTO_INSTALL=0 rustc --version >/dev/null 2>&1 &&
        [ "$(RUSTUP_AUTO_INSTALL=0 rustc +stable --version 2>/dev/null | cut -d' ' -f2)" = "$pinned" ]; then
        export RUSTUP_TOOLCHAIN=stable
    fi
fi

# `without_paths cargo build --target TARGET …`: what is built holds no path of the machine that built it. Places of panics name
# the sources of dependencies, each with the folder that cargo unpacks it to: components would tell it to whoever reads them,
# and be larger where its name is longer. Only what is built for TARGET is concerned.
without_paths() {
    local flags='' unpacked
    while read -r unpacked; do
        flags+="${flags:+$'\x1f'}--remap-path-prefix=$unpacked="
    done < <(cargo metadata --locked --format-version 1 | grep -o '"manifest_path":"[^"]*/registry/src/[^/"]*/' |
        cut -d'"' -f4 | sort -u)
    CARGO_ENCODED_RUSTFLAGS=$flags "$@"
}
