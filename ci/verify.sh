#!/usr/bin/env bash
# The gate: what a change must pass, tests apart. Reads only; `just fix` writes.
# `just verify`, `.ci/run` and the workflow call this, so that there is one list.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source ci/step.sh

doc() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked; }

deny() {
    if cargo deny --version >/dev/null 2>&1; then
        cargo deny --locked check bans licenses sources
    else
        echo "Skipped: cargo-deny is not installed (cargo install cargo-deny --locked)."
        echo "The test testnet/tests/architecture checks the bans that matter most."
    fi
}

step "formatting" cargo fmt --all --check
step "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
step "engines without the network" \
    cargo clippy -p crux-protocol -p crux-sim --no-default-features --locked -- -D warnings
step "documentation" doc
step "dependencies" deny
