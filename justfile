# The checks that a change must pass. Reads only.
verify:
    bash ci/verify.sh

# Mends what tools can mend. The only recipe that writes.
fix:
    cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
    cargo fmt --all
