#!/usr/bin/env bash
# The compose file, in earnest: a static binary, an image of it, five containers, and what may befall
# them. Without a container engine, or where static binaries cannot be made, it says so and is done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source ci/step.sh

if ! docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then
    echo "==> containers: skipped, no container engine answers"
    exit 0
fi
target=$(rustc -vV | sed -n 's/^host: //p')
if [[ $target != *-linux-gnu ]]; then
    echo "==> containers: skipped, the recipe makes static binaries on *-linux-gnu, and this is $target"
    exit 0
fi
dir=${CARGO_TARGET_DIR:-target}/static

# Symbols would treble the image; another target directory leaves that of the tests alone.
static() {
    CARGO_PROFILE_DEV_DEBUG=0 RUSTFLAGS="-C target-feature=+crt-static" \
        cargo build --locked -p crux-node --target "$target" --target-dir "$dir"
}

step "a static binary" static
on_containers() {
    cargo run --quiet -p crux-testnet -- containers --binary "$dir/$target/debug/crux-node" "$@"
}
step "containers" on_containers
# Once the smaller side of a cut did not become one flock again, because of links that had lost their way.
step "containers, cut in two" on_containers --scenario heal
