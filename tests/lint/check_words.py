"""The project speaks of itself, of finished things, and in tidy files.

No notes to self, no paths of one person's machine, no paths out of the checkout; text ends with a newline, has no
trailing blanks, and no file outgrows a reader.
"""

import re
import sys
from pathlib import Path

from checkout import Finding, report, tracked_files

MAX_LINES = 600

# The patterns are put together from pieces so that this file does not contain what it looks for.
FORBIDDEN = {
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b": "do it, or leave it out",
    r"(?<![\w.$}/-])/" + r"(work|home|root|Users)/\w": "a path of one machine",
    r"(?:\.\./)+" + "shared": "a path out of the checkout",
    r"(?i)\bissue" + r"\s+#?\d": "the project does not know its tracker",
}


def text_findings(path: str, text: str) -> list[Finding]:
    findings = []
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        for pattern, reason in FORBIDDEN.items():
            if match := re.search(pattern, line):
                findings.append(Finding(path, number, f"“{match.group(0)}”: {reason}"))
        if line != line.rstrip():
            findings.append(Finding(path, number, "blanks, or a carriage return, at the end of the line"))
    if text and not text.endswith("\n"):
        findings.append(Finding(path, len(lines), "no newline at the end of the file"))
    if len(lines) - 1 > MAX_LINES:
        findings.append(Finding(path, 0, f"{len(lines) - 1} lines; at most {MAX_LINES} can be read as one thing"))
    return findings


def check(root: Path) -> list[Finding]:
    findings = []
    for path in tracked_files(root):
        content = (root / path).read_bytes()
        if b"\0" in content:
            continue  # Not text.
        try:
            findings += text_findings(path, content.decode())
        except UnicodeDecodeError:
            findings.append(Finding(path, 0, "text that is not UTF-8"))
    return findings


if __name__ == "__main__":
    sys.exit(report(check, "words and files"))
