# Sourced: runs the steps of a script, and says how long each took.

step() {
    local name=$1 begun=$SECONDS status=0
    shift
    echo "==> $name: $(printf '%q ' "$@")"
    "$@" || status=$?
    if ((status)); then
        echo "==> $name: FAILED after $((SECONDS - begun)) s" >&2
        exit "$status"
    fi
    echo "==> $name: ok, $((SECONDS - begun)) s"
}
