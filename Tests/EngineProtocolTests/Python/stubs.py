"""Python stubs of protocols/, generated into a temporary folder."""

import pathlib
import sys
import tempfile

import grpc_tools
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[3]


def generate():
    """Generates the stubs and puts them on the import path."""
    target = tempfile.mkdtemp(prefix="switchyard-stubs-")
    protos = ROOT / "protocols"
    arguments = [
        "protoc",
        f"--proto_path={protos / 'vllm'}",
        f"--proto_path={protos / 'grpc'}",
        f"--proto_path={pathlib.Path(grpc_tools.__file__).parent / '_proto'}",
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        "common.proto",
        "vllm_engine.proto",
        "health.proto",
    ]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed")
    sys.path.insert(0, target)


generate()
