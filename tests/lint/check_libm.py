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
OF_EIGEN = rf"{FUNCTIONS}|logistic|rsqrt|stableNorm"
#: As the standard's, Eigen's, C's or the compiler's, or brought into scope; and as a member of arrays, not of kernels.
CALL = re.compile(
    rf"(?:std|Eigen)\s*::\s*(?:numext\s*::\s*)?(?:{OF_EIGEN})[fl]?\b|(?<![\w:>])::\s*(?:{FUNCTIONS})[fl]?\s*\("
    rf"|__builtin_(?:{FUNCTIONS})[fl]?\b|(?<!Kernels<T>\(\))\.\s*(?:{OF_EIGEN})\("
)
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
    findings = []
    for path, text in trained_with(root).items():
        code = COMMENT.sub("", text)
        for call in CALL.finditer(code):
            name = "".join(call.group(0).split())
            line = code.count("\n", 0, call.start()) + 1
            findings.append(Finding(path, line, f"“{name}”: its bits are not the same everywhere; see trainer/kernels"))
    return findings


if __name__ == "__main__":
    sys.exit(report(check, "libm"))
