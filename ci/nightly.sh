#!/usr/bin/env bash
# What is too long for the gate. `just nightly` runs all of it, some hours on two cores; `ci/nightly.sh
# STEP…` runs those steps. A step that fails does not keep the next ones from running: at the end there is a
# line for each, with its seconds, and the exit code is 1 if one failed. What needs something that is not here
# says that it was left out.
#
#   seeds       the simulator, the seeds of SEEDS (0..10000)
#   faults      each seeded fault by search; the gate replays the seed that caught it
#   long        the tests that `cargo test` ignores
#   fuzz        what decodes bytes of peers, FUZZ_CASES of each (100000)
#   chaos       real processes, for CHAOS_MINUTES (5), with CHAOS_SEED (1)
#   cases       each program in the folder CASES, a field case each
#   benches     converge, documents, join, detect, idle, blob
#   mutants     one shard of sixteen, MUTANTS_SHARD (by the day of the month)
#   msrv        a check with the Rust version of the manifest
#   advisories  known holes in dependencies
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source ci/step.sh

STEPS=(seeds faults long fuzz chaos cases benches mutants msrv advisories)
LEFT_OUT=77
target=${CARGO_TARGET_DIR:-$PWD/target}
notes=$(mktemp -d)
trap 'rm -rf "$notes"' EXIT

# The last word of a step, for the summary.
note() { echo "$*" | tee "$notes/$name"; }
left_out() {
    note "left out: $*"
    exit "$LEFT_OUT"
}

testnet() { "$target/release/crux-testnet" "$@"; }
build() { cargo build --release --locked -p crux-node -p crux-testnet; }

seeds() {
    build
    for scenario in picket goals; do
        testnet sim --scenario "$scenario" --seeds 0..1000 | tee "$notes/out"
        note "$(tail -n 1 "$notes/out")"
    done
    testnet sim --seeds "${SEEDS:-0..10000}" | tee "$notes/out"
    note "$(tail -n 1 "$notes/out")"
}

faults() {
    cargo test --release --locked -p crux-testnet --features planted --test planted -- \
        --ignored --nocapture --test-threads "$(nproc)" | tee "$notes/out"
    note "$(grep -c 'caught by seed' "$notes/out") seeded faults caught"
}

long() {
    cargo test --release --locked --workspace --no-fail-fast -- --ignored
    note "the tests that the gate ignores passed"
}

fuzz() {
    local cases=${FUZZ_CASES:-100000}
    PROPTEST_CASES=$cases cargo test --release --locked --workspace fuzz
    note "$cases cases of each target"
}

chaos() {
    build
    local seed=${CHAOS_SEED:-1} minutes=${CHAOS_MINUTES:-5}
    testnet chaos --nodes 7 --minutes "$minutes" --seed "$seed" --out "$target/chaos"
    note "7 nodes, $minutes minutes, seed $seed"
}

cases() {
    [[ -n ${CASES:-} ]] || left_out "CASES names no folder of field cases"
    build
    local case failed=() count=0
    for case in "$CASES"/*; do
        [[ -f $case && -x $case && $case != *.py ]] || continue
        count=$((count + 1))
        echo "--- ${case##*/}"
        BARS_BIN=$target/release timeout 100 "$case" || failed+=("${case##*/}: $?")
    done
    ((count)) || left_out "$CASES has no programs"
    note "$((count - ${#failed[@]})) of $count hold${failed[*]:+; not ${failed[*]}}"
    ((${#failed[@]} == 0))
}

benches() {
    build
    local bench
    for bench in "converge --rounds 100" "documents --rounds 100" "join" "detect --rounds 5" "idle" \
        "blob --rounds 5"; do
        # Words.
        # shellcheck disable=SC2086
        testnet bench $bench
    done
    note "converge, documents, join, detect, idle, blob: figures above"
}

# One shard of the mutants of some files: a name, for how long at most, what else cargo-mutants is told.
# One job: a second one would build all of it a second time, and cargo and the tests use every core anyway.
shard_of() {
    local files=$1 cap=$2 status=0
    shift 2
    # Each shard is a sample of all files. The models take longer than all the other tests of the engines together.
    timeout --foreground --signal=INT "$cap" cargo mutants --workspace --no-default-features --jobs 1 "$@" \
        --shard "$shard/16" --sharding round-robin --shuffle --output "$target/mutants-$files" \
        -- -- --skip leading:: --skip evicting:: || status=$?
    # 2: some survived, 3: some took too long, 124 and 130: the time is over. There is no bar.
    case $status in
    0 | 2 | 3 | 124 | 130) ;;
    *) return "$status" ;;
    esac
    said+="$files $(wc -l <"$target/mutants-$files/mutants.out/caught.txt") caught,"
    said+=" $(wc -l <"$target/mutants-$files/mutants.out/missed.txt") survived; "
}

mutants() {
    cargo mutants --version >/dev/null 2>&1 ||
        left_out "cargo-mutants is not installed (cargo install cargo-mutants --locked)"
    local shard=${MUTANTS_SHARD:-$((10#$(date +%d) % 16))} said=
    mkdir -p "$target"
    # Apart, because for tar all of the node is built.
    shard_of engines 40m --file 'crdt/src/**/*.rs' --file 'protocol/src/**/*.rs' --exclude 'protocol/src/net/**'
    shard_of tar 20m --file 'node/src/tar/*.rs'
    note "shard $shard: ${said%; }"
}

msrv() {
    local version
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    cargo "+$version" --version >/dev/null 2>&1 ||
        left_out "Rust $version is not installed (rustup toolchain install $version --profile minimal)"
    cargo "+$version" check --locked --workspace --all-targets --target-dir "$target/msrv"
    note "Rust $version builds it"
}

advisories() {
    if ! cargo deny --version >/dev/null 2>&1; then
        timeout 1200 cargo install cargo-deny --locked --root "$target/tools" ||
            left_out "cargo-deny is not installed, and cannot be installed"
        PATH=$target/tools/bin:$PATH
    fi
    cargo deny fetch db || left_out "the database of advisories is not reachable"
    cargo deny --locked check advisories
    note "no known hole"
}

wanted=("$@")
((${#wanted[@]})) || wanted=("${STEPS[@]}")
for name in "${wanted[@]}"; do
    if [[ " ${STEPS[*]} " != *" $name "* ]]; then
        echo "no step $name; there are: ${STEPS[*]}" >&2
        exit 2
    fi
done

summary=() failures=0
for name in "${wanted[@]}"; do
    begun=$SECONDS
    mend_null
    echo "==> $name"
    (
        set -e
        "$name"
    )
    status=$?
    case $status in
    0) word=ok ;;
    "$LEFT_OUT") word="-" ;;
    *) word=FAILED failures=$((failures + 1)) ;;
    esac
    said=$(cat "$notes/$name" 2>/dev/null)
    summary+=("$(printf '%-10s %-6s %5d s  %s' "$name" "$word" $((SECONDS - begun)) "${said:-exit code $status}")")
    echo "==> ${summary[-1]}"
done

echo
echo "nightly at $(git rev-parse --short HEAD 2>/dev/null || echo "an unknown commit"), $(rustc --version), $(nproc) cores"
printf '%s\n' "${summary[@]}"
((failures == 0))
