"""Generates the gRPC stubs while the package is built; everything else stands in pyproject.toml.

The .proto files are those of the repository that this folder lies in, or, in a source distribution, the copy inside it.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
PROTO_PACKAGE = Path("pilothouse/v1")


def proto_root() -> Path:
    """The folder that the imports between .proto files are relative to."""
    for root in (HERE / "proto", HERE.parent.parent / "proto"):
        if (root / PROTO_PACKAGE).is_dir():
            return root
    raise SystemExit("No .proto files: build this package inside a checkout of the repository, or from its sdist.")


def generate_stubs(output: Path) -> None:
    """Writes pilothouse/v1/*_pb2.py, .pyi and *_pb2_grpc.py below `output`."""
    import grpc_tools
    from grpc_tools import protoc

    root = proto_root()
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    sources = sorted(str(path.relative_to(root)) for path in (root / PROTO_PACKAGE).glob("*.proto"))
    outputs = [f"--{kind}_out={output}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", f"-I{root}", f"-I{well_known}", *outputs, *sources]) != 0:
        raise SystemExit("Generating the gRPC stubs failed; the messages above say why.")


class BuildWithStubs(build_py):
    """Copies the package's modules, then generates the stubs beside them."""

    def run(self) -> None:
        """Fills build_lib, or, for an editable install, adds the stubs to src."""
        if self.editable_mode:
            generate_stubs(HERE / "src")
            super().run()
            return
        package = Path(self.build_lib) / "pilothouse"
        # A module that was removed since the last build would live on in the wheel.
        shutil.rmtree(package, ignore_errors=True)
        super().run()
        generate_stubs(Path(self.build_lib))


class SdistWithProtos(sdist):
    """Takes the .proto files along, so that a wheel can be built without the repository."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Fills the folder that is then packed."""
        super().make_release_tree(base_dir, files)
        shutil.copytree(proto_root() / PROTO_PACKAGE, Path(base_dir) / "proto" / PROTO_PACKAGE)


setup(cmdclass={"build_py": BuildWithStubs, "sdist": SdistWithProtos})
