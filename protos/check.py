"""Check the protos without the network: `make lint`.

Three questions about the protos as they stand:

- do they keep to buf's STANDARD rules, none excepted and none ignored by a comment?
- could a client of the last release still read and write every message (WIRE_JSON)?
- does every URL of the last release still lead to the same RPC?

The last release is `released.binpb` beside this file: no comments and no options but the URLs, because the others do not decide.
`python protos/check.py --release` renews it; do so when a version is released, and at no other time.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import cast

import generate
from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = Path(__file__).resolve().parent.parent
RELEASED = ROOT / "protos/released.binpb"
# Third parties' protos lie in the same image and keep to rules of their own.
OWN = ["--path", "tunesmith", "--config", str(ROOT / "buf.yaml")]
# buf ends with this when it ran and found something, and with anything else but 0 when it could not run.
BUF_FOUND_PROBLEMS = 100


def style_problems(image: Path) -> list[str]:
    """What buf's rules say about our protos, one problem a line."""
    return _buf("lint", str(image), *OWN)


def breaking_changes(image: Path, released: Path) -> list[str]:
    """What a client of the released protos could no longer read or write, one problem a line."""
    return _buf("breaking", str(image), "--against", str(released), *OWN)


def lost_urls(image: Path, released: Path) -> list[str]:
    """URLs of the release that lead nowhere now, or elsewhere. buf does not look at them, and scripts live by them."""
    now = urls(read(image))
    return [
        f"{url} leads {'to ' + now[url] if url in now else 'nowhere'}; clients of the last release expect {method}"
        for url, method in urls(read(released)).items()
        if now.get(url) != method
    ]


def urls(files: descriptor_pb2.FileDescriptorSet) -> dict[str, str]:
    """The RPC behind each URL; URLs as `GET /v1/jobs/{id}`."""
    found: dict[str, str] = {}
    for file in files.file:
        for service in file.service:
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                for binding in (rule, *rule.additional_bindings):
                    if verb := binding.WhichOneof("pattern"):
                        found[_url(binding, verb)] = f"{file.package}.{service.name}.{method.name}"
    return found


def released_form(image: bytes) -> bytes:
    """The part of an image that decides whether a later one breaks it: a third of its size."""
    files = _with_urls_alone().FromString(image)
    # Rules, labels and help texts are extensions that this schema does not know.
    files.DiscardUnknownFields()
    for file in files.file:
        file.ClearField("source_code_info")
        kept = [name for name in file.dependency if not name.startswith("buf/")]
        del file.dependency[:]
        file.dependency.extend(kept)
    reachable = _reachable({file.name: list(file.dependency) for file in files.file})
    for index in reversed(range(len(files.file))):
        if files.file[index].name not in reachable:
            del files.file[index]
    return bytes(files.SerializeToString(deterministic=True))


def read(path: Path) -> descriptor_pb2.FileDescriptorSet:
    """An image as descriptors."""
    return descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())


def fresh_image() -> Path:
    """The image of the protos as they are now; the one that lies there may be older than they are."""
    import grpc_tools  # noqa: F401  (generate.protoc() asks where it lies)

    generate.BUILD.mkdir(exist_ok=True)
    generate.write_validate_descriptors(generate.BUILD / "validate.binpb")
    generate.generate_image()
    return generate.IMAGE


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--release", action="store_true", help="hold later protos to these as they are")
    arguments = parser.parse_args()
    image = fresh_image()
    if arguments.release:
        RELEASED.write_bytes(released_form(image.read_bytes()))
        return
    problems = [*style_problems(image), *breaking_changes(image, RELEASED), *lost_urls(image, RELEASED)]
    if problems:
        sys.exit("\n".join(problems))


def _buf(*arguments: str) -> list[str]:
    command = [str(Path(sys.executable).parent / "buf"), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode not in (0, BUF_FOUND_PROBLEMS):
        sys.exit(f"{' '.join(command)} could not run: {run.stderr.strip() or run.stdout.strip()}")
    return run.stdout.splitlines()


def _url(binding: http_pb2.HttpRule, verb: str) -> str:
    return f"{verb.upper()} {getattr(binding, verb)}"


def _with_urls_alone() -> type[descriptor_pb2.FileDescriptorSet]:
    """FileDescriptorSet in a pool of its own, in which google.api.http is the only extension, whatever this process imported."""
    pool = descriptor_pool.DescriptorPool()
    for module in (descriptor_pb2, http_pb2, annotations_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.FileDescriptorSet"))
    return cast(type[descriptor_pb2.FileDescriptorSet], message)


def _reachable(imports: dict[str, list[str]]) -> set[str]:
    """Our files and everything that they import."""
    found: set[str] = set()
    waiting = [name for name in imports if name.startswith("tunesmith/")]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += imports[name]
    return found


if __name__ == "__main__":
    main()
