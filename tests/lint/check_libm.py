"""Nothing that training computes depends on the C library, or on what a processor estimates.

libm chooses among several functions by the processor, and its versions differ in the last digit. What the trainer
needs is in trainer/kernels; square roots, rounding and fused multiply-adds are exact everywhere.
"""

import re
import sys
from pathlib import Path

from checkout import Finding, report, tracked_files

FUNCTIONS = (
    r"exp|exp2|expm1|log|log2|log10|log1p|pow|a?(?:sin|cos|tan)h?|atan2|erfc?|lgamma|tgamma|cbrt|hypot"
    r"|\w+_distribution"
)
OF_EIGEN = r"exp|expm1|log|log1p|pow|sin|cos|tan|tanh|logistic|erf|erfc|rsqrt|stableNorm"
CALL = re.compile(rf"std::(?:{FUNCTIONS})[fl]?[(<{{]|\.(?:{OF_EIGEN})\(\)")
COMMENT = re.compile(r"//.*")
INCLUDE = re.compile(r'^#include "(trainer/[^"]+)"', re.MULTILINE)


def trained_with(root: Path) -> dict[str, str]:
    """The trainer's sources and the headers they include, with their text: headers of tests only are not among them."""
    texts = {
        path: (root / path).read_text(encoding="utf-8")
        for path in tracked_files(root)
        if path.startswith("trainer/") and Path(path).suffix in {".cc", ".h"}
    }
    found = {path for path in texts if path.endswith(".cc") and not path.endswith("_test.cc")}
    left = list(found)
    while left:
        for included in INCLUDE.findall(texts[left.pop()]):
            if included in texts and included not in found:
                found.add(included)
                left.append(included)
    return {path: texts[path] for path in found}


def check(root: Path) -> list[Finding]:
    return [
        Finding(path, number, f"“{match.group(0)}”: its bits are not the same everywhere; see trainer/kernels")
        for path, text in trained_with(root).items()
        for number, line in enumerate(text.splitlines(), start=1)
        if (match := CALL.search(COMMENT.sub("", line)))
    ]


if __name__ == "__main__":
    sys.exit(report(check, "libm"))
