"""Prints changes of the registry: watch.py DATA_DIR. Needs grpcio and grpcio-tools."""
import pathlib
import sys

import grpc

sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "proto" / "proto"))
messages, services = grpc.protos_and_services("crux/v1/control.proto")
socket = pathlib.Path(sys.argv[1], "control.sock").resolve()
# HTTP/2 refuses the path of a socket as authority; any name does.
channel = grpc.insecure_channel(f"unix://{socket}", options=[("grpc.default_authority", "crux")])
for change in services.ControlStub(channel).Watch(messages.WatchRequest()):
    print(str(change).strip(), flush=True)
