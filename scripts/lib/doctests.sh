#!/usr/bin/env bash
# The examples of the crates' documentation, compiled and run.
set -euo pipefail
exec cargo test --workspace --doc
