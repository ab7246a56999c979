"""The structure checks see what they are there to see. Each plants a violation in a checkout made for it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import check_includes
import check_libm
import check_words
import pytest

Plant = Callable[[str, str], None]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


@pytest.fixture
def plant(checkout: Path) -> Plant:
    def write(path: str, text: str) -> None:
        file = checkout / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


@pytest.mark.parametrize(
    ("path", "included"),
    [
        ("service/journal/journal.cc", "service/rpc/service.h"),
        ("service/journal/journal.cc", "service/runs/run.h"),
        ("service/watch/hub.cc", "service/runs/run.h"),
        ("service/runs/run.cc", "trainer/loop/learner.h"),
        ("trainer/loop/loop.h", "trainer/channel/channel.h"),
        ("trainer/net/network.cc", "trainer/loop/learner.h"),
        ("trainer/main.cc", "service/runs/run.h"),
        ("clients/cpp/client.cc", "service/runs/run.h"),
        ("clients/cpp/pilot/main.cc", "trainer/net/network.h"),
        ("proto/support/error.cc", "clients/cpp/client.h"),
        ("service/runs/run.cc", "tests/support/fake_clock.h"),
        ("service/runs/run_test.cc", "tests/behaviour/helpers.h"),
        ("trainer/loop/loop.cc", "grpcpp/grpcpp.h"),
        ("trainer/main.cc", "grpcpp/grpcpp.h"),
        ("trainer/net/network.h", "pilothouse/v1/trainer_channel.grpc.pb.h"),
        ("proto/support/error.cc", "grpcpp/support/status.h"),
    ],
)
def test_an_include_in_the_wrong_direction_is_found(checkout: Path, plant: Plant, path: str, included: str) -> None:
    plant(path, f'#include <string>\n\n  #  include "{included}"\n')
    findings = check_includes.check(checkout)
    assert [(finding.path, finding.line) for finding in findings] == [(path, 3)]
    assert included in findings[0].message


@pytest.mark.parametrize(
    ("path", "included"),
    [
        ("service/server/main.cc", "service/rpc/service.h"),
        ("service/runs/run.cc", "service/watch/hub.h"),
        ("service/runs/run.cc", "proto/support/error.h"),
        ("service/runs/run_test.cc", "tests/support/fake_clock.h"),
        ("trainer/channel/channel.cc", "grpcpp/grpcpp.h"),
        ("trainer/channel/channel.cc", "trainer/net/network.h"),
        ("trainer/main.cc", "trainer/channel/channel.h"),
        ("proto/support/grpc_error.cc", "grpcpp/support/status.h"),
        ("tests/behaviour/xor_test.cc", "service/server/server.h"),
        ("clients/cpp/pilot/main.cc", "clients/cpp/client.h"),
    ],
)
def test_an_include_in_the_right_direction_is_not(checkout: Path, plant: Plant, path: str, included: str) -> None:
    plant(path, f'#include "{included}"\n')
    assert check_includes.check(checkout) == []


def test_engine_folders_that_include_each_other_are_found(checkout: Path, plant: Plant) -> None:
    plant("trainer/net/network.h", '#include "trainer/optim/sgd.h"\n')
    assert check_includes.check(checkout) == []
    plant("trainer/optim/sgd.h", '#include "trainer/data/batch.h"\n')
    plant("trainer/data/batch.h", '#include "trainer/net/network.h"\n')
    (finding,) = check_includes.check(checkout)
    assert "trainer/data → trainer/net → trainer/optim → trainer/data" in finding.message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one\n// TO" + "DO: later\n", 2),
        ("FIX" + "ME\n", 1),
        ("see /wo" + "rk/main/file\n", 1),
        ("see /ho" + "me/ann/file\n", 1),
        ("see ../sha" + "red/notes.md\n", 1),
        ("as Issue" + " #7 says\n", 1),
        ("blanks \n", 1),
        ("one\r\n", 1),
        ("one\ntwo", 2),
        ("\n" * (check_words.MAX_LINES + 1), 0),
    ],
)
def test_what_does_not_belong_into_a_file_is_found(checkout: Path, plant: Plant, text: str, line: int) -> None:
    (checkout / "notes.md").write_bytes(text.encode())
    assert [(finding.path, finding.line) for finding in check_words.check(checkout)] == [("notes.md", line)]


def test_ordinary_text_pictures_and_ignored_files_are_not(checkout: Path, plant: Plant) -> None:
    plant(".gitignore", "/build/\n")
    plant("build/log.txt", "TO" + "DO\n")
    plant("readme.md", "An issue of style: $HOME/work/x, network/root/y, https://example.org/home/page.\n")
    plant("empty.txt", "")
    (checkout / "plot.png").write_bytes(b"\x89PNG\r\n\0 TO" + b"DO")
    assert check_words.check(checkout) == []


@pytest.mark.parametrize(
    "call",
    [
        "std::exp(x)",
        "std::powf(x, 2)",
        "x.array().log()",
        "x.array().pow(2.5)",
        "x.array().log10()",
        "Eigen::pow(x, 2)",
        "Eigen::numext::exp(x)",
        "::exp(x)",
        "__builtin_exp(x)",
        "using std::exp",
        "std::normal_distribution<> d",
    ],
)
def test_functions_whose_bits_differ_are_found_where_training_computes(checkout: Path, plant: Plant, call: str) -> None:
    plant("trainer/net/loss.cc", f'#include "trainer/net/shared.h"\n// std::log(x)\n{call};\n')
    plant("trainer/net/shared.h", f"inline double F(double x) {{ return {call}; }}\n")
    plant("trainer/net/loss_test.cc", f'#include "trainer/net/fixture.h"\n{call};\n')
    plant("trainer/net/fixture.h", f"{call};\n")
    plant("service/runs/run.cc", f"{call};\n")
    findings = sorted(check_libm.check(checkout))
    assert [(finding.path, finding.line) for finding in findings] == [
        ("trainer/net/loss.cc", 3),
        ("trainer/net/shared.h", 1),
    ]


def test_functions_whose_bits_differ_are_found_across_lines(checkout: Path, plant: Plant) -> None:
    plant("trainer/net/loss.cc", "1;\nstd::\n    exp(x);\n")
    assert [finding.line for finding in check_libm.check(checkout)] == [2]


def test_functions_that_are_exact_are_not(checkout: Path, plant: Plant) -> None:
    plant("trainer/net/loss.cc", "std::sqrt(x) + std::fma(x, y, z) + fixed::Log(x) + x.sqrt() + log() + std::abs(x);\n")
    plant("trainer/net/activation.cc", "BestKernels<T>().exp(x, n, y) + std::exponent(x) + Logs::exp_of(x);\n")
    assert check_libm.check(checkout) == []
