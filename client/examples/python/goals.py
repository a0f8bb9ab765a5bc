"""Prints what has to change on a node to run what the target wants: goals.py DATA_DIR. Needs grpcio and grpcio-tools."""
import pathlib
import sys

import grpc

sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "proto" / "proto"))
messages, services = grpc.protos_and_services("crux/v1/proctor.proto")
socket = pathlib.Path(sys.argv[1], "control.sock").resolve()
# HTTP/2 refuses the path of a socket as authority; any name does.
channel = grpc.insecure_channel(f"unix://{socket}", options=[("grpc.default_authority", "crux")])
proctor = services.ProctorStub(channel)
# First compared with what runs, then as if nothing ran.
for running in (None, messages.RunningInstances()):
    goals = proctor.CheckGoals(messages.CheckGoalsRequest(running=running))
    # `pass` is a word of Python.
    print(f"generation {goals.generation}, plan {getattr(goals, 'pass')}")
    for word in ("add", "deprecate", "delete"):
        for it in getattr(goals, word):
            print(f"{word} {it.count} of {it.service} {it.version}")
    for it in goals.periods:
        print(f"{it.service} says every {it.period_ms} ms that it is alive")
