# Sourced: runs the steps of a script, and says how long each took.

# A container may hold a plain file where /dev/null should be. Cargo has rustc read it, as an empty
# program, to learn of the target: then what others threw away there is taken for source.
mend_null() {
    [[ -c /dev/null ]] && return
    echo "==> /dev/null is no device here: made anew" >&2
    rm -f /dev/null && mknod -m 666 /dev/null c 1 3 || : >/dev/null
}

step() {
    local name=$1 begun=$SECONDS status=0
    shift
    mend_null
    echo "==> $name: $(printf '%q ' "$@")"
    "$@" || status=$?
    if ((status)); then
        echo "==> $name: FAILED after $((SECONDS - begun)) s" >&2
        exit "$status"
    fi
    echo "==> $name: ok, $((SECONDS - begun)) s"
}
