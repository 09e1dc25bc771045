# Sourced before cargo is called. rustup looks for the toolchain of rust-toolchain.toml by its name and would fetch it where
# the very same version is installed as `stable`: that one is used then, and no server is asked.

if command -v rustup >/dev/null 2>&1 && [ -z "${RUSTUP_TOOLCHAIN:-}" ]; then
    pinned=$(sed -n 's/^channel = "\(.*\)"$/\1/p' rust-toolchain.toml)
    if ! RUSTUP_AUTO_INSTALL=0 rustc --version >/dev/null 2>&1 &&
        [ "$(RUSTUP_AUTO_INSTALL=0 rustc +stable --version 2>/dev/null | cut -d' ' -f2)" = "$pinned" ]; then
        export RUSTUP_TOOLCHAIN=stable
    fi
fi
