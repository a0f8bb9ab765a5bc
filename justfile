# The checks that a change must pass. Reads only.
verify:
    bash ci/verify.sh

# Mends what tools can mend, and writes the generated pages. The only recipe that writes.
fix:
    cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
    cargo fmt --all
    UPDATE_PAGES=1 cargo test -p crux-node --test pages

# What is too long for the gate: all of it, or the steps that are named. Some hours on two cores.
nightly *steps:
    bash ci/nightly.sh {{steps}}

# One of sixteen shards, from 0, of mutants of what decides: crdt, the engines, tar. An hour at most; no bar.
mutants shard:
    command -v cargo-mutants > /dev/null || cargo install cargo-mutants --locked
    MUTANTS_SHARD={{shard}} bash ci/nightly.sh mutants
