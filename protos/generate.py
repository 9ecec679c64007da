"""Generate all code from the protos, without the network: `make protos`.

Three outputs, each made once and installed by everybody else:

- `gateway/sdk/python/src`      Python messages, type stubs, gRPC stubs, and the typed client made of them
- `gateway/sdk/typescript/src/gen`  protobuf-es messages and services
- `protos/tunesmith.binpb` in the build folder: the image that Envoy transcodes by and that buf lints and compares

`buf/validate/validate.proto` is not vendored: its descriptor is read out of the installed protovalidate package, so that the
rules' schema and their interpreter are always of one version.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import google.api
from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PYTHON_OUT = ROOT / "gateway/sdk/python/src"
TYPESCRIPT = ROOT / "gateway/sdk/typescript"
TYPESCRIPT_OUT = TYPESCRIPT / "src/gen"
BUILD = ROOT / ".build"
IMAGE = BUILD / "tunesmith.binpb"

# Imports of ours that no TypeScript package ships ready-made.
IMPORTED_FOR_TYPESCRIPT = [
    "buf/validate/validate.proto",
    "google/api/annotations.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
    "google/rpc/status.proto",
    "google/rpc/error_details.proto",
]


def own_protos() -> list[str]:
    """Every proto of ours, as protoc names it."""
    return sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("tunesmith/**/*.proto"))


def write_validate_descriptors(path: Path) -> None:
    """Write a FileDescriptorSet of validate.proto as the installed protovalidate carries it."""
    from protovalidate._gen.buf.validate import validate_pb

    files = descriptor_pb2.FileDescriptorSet()
    files.file.append(descriptor_pb2.FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary()))
    path.write_bytes(files.SerializeToString())


def protoc(*arguments: str) -> None:
    """Run protoc with our sources, googleapis' sources and validate.proto's descriptor on its path."""
    includes = Path(google.api.__path__[0]).parent.parent
    bundled = Path(sys.modules["grpc_tools"].__file__ or "").parent / "_proto"
    command = [sys.executable, "-m", "grpc_tools.protoc"]
    command += [f"--descriptor_set_in={BUILD / 'validate.binpb'}"]
    command += [f"-I{PROTOS}", f"-I{includes}", f"-I{bundled}", *arguments]
    subprocess.run(command, check=True)


def generate_image() -> None:
    """Write the image with imports, comments, and the error details that the gateway has to print."""
    details = ["google/rpc/error_details.proto"]
    protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={IMAGE}", *own_protos(), *details)


def generate_python() -> None:
    """Write messages, type stubs and gRPC stubs, after removing those of protos that are gone."""
    for pattern in ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py"):
        for stale in PYTHON_OUT.rglob(pattern):
            stale.unlink()
    files = [*own_protos(), "buf/validate/validate.proto"]
    protoc(f"--python_out={PYTHON_OUT}", f"--pyi_out={PYTHON_OUT}", *files)
    services = [file for file in own_protos() if file.endswith("_service.proto")]
    protoc(f"--grpc_python_out={PYTHON_OUT}", *services)
    # A process of its own: it imports the stubs that were just written.
    subprocess.run([sys.executable, str(PROTOS / "generate_client.py"), str(IMAGE), str(PYTHON_OUT)], check=True)


def generate_typescript() -> None:
    """Write protobuf-es modules; needs `npm ci` first."""
    shutil.rmtree(TYPESCRIPT_OUT, ignore_errors=True)
    TYPESCRIPT_OUT.mkdir(parents=True)
    plugin = ROOT / "node_modules/.bin/protoc-gen-es"
    if not plugin.exists():
        sys.exit(f"{plugin} is missing: run `make setup`, or `npm ci`")
    options = ["--es_opt=target=ts,import_extension=js", f"--es_out={TYPESCRIPT_OUT}"]
    protoc(f"--plugin=protoc-gen-es={plugin}", *options, *own_protos(), *IMPORTED_FOR_TYPESCRIPT)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python-only", action="store_true", help="leave TypeScript as it is")
    arguments = parser.parse_args()
    BUILD.mkdir(exist_ok=True)
    import grpc_tools  # noqa: F401  (protoc() asks where it lies)

    write_validate_descriptors(BUILD / "validate.binpb")
    generate_image()
    generate_python()
    if not arguments.python_only:
        generate_typescript()


if __name__ == "__main__":
    main()
