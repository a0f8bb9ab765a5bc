# Sourced: finds or makes a Python with grpcio, for the test that reads changes from Python. Where that
# cannot be had, says so, and the test leaves itself out.
python_for_tests() {
    local venv=$1
    if python3 -c 'import grpc, grpc_tools' 2>/dev/null; then
        export PYTHON=python3
    elif [[ -x $venv/bin/python ]] || python3 -m venv "$venv" >/dev/null 2>&1; then
        if "$venv/bin/python" -c 'import grpc, grpc_tools' 2>/dev/null ||
            "$venv/bin/pip" install --quiet --retries 1 --timeout 10 grpcio grpcio-tools >/dev/null 2>&1; then
            export PYTHON=$venv/bin/python
        fi
    fi
    [[ -n ${PYTHON:-} ]] || echo "==> python: left out, no python3 here has grpcio and pip gets none"
}
