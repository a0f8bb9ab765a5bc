# The checks that a change must pass. Reads only.
verify:
    bash ci/verify.sh

# Mends what tools can mend. The only recipe that writes.
fix:
    cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
    cargo fmt --all

# One of sixteen shards, from 0, of mutants of what decides: crdt, the engines, tar. An hour at most; no bar.
mutants shard:
    command -v cargo-mutants > /dev/null || cargo install cargo-mutants --locked
    timeout --foreground --signal=INT 1h cargo mutants --workspace --no-default-features \
        --file 'crdt/src/**/*.rs' --file 'protocol/src/**/*.rs' --file 'node/src/tar/*.rs' \
        --exclude 'protocol/src/net/**' --shard {{shard}}/16 --shuffle
