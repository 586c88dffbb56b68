"""Contents to send, cheap to make and to check."""

import hashlib
import random
import struct
from pathlib import Path

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# Sizes around the borders of a 64 KiB transfer, and one that no transfer size divides.
SIZES = (0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 8 * MIB + 1)


def write_file(path: Path, size: int) -> Path:
    """A file whose every mebibyte differs from the others."""
    base = random.Random(size).randbytes(min(size, MIB))
    with open(path, "wb") as file:
        for index in range(size // MIB):
            file.write(struct.pack("<Q", index))
            file.write(base[8:])
        file.write(base[: size % MIB])
    return path


def checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_SCRIPTS = (
    "plain ascii", "Größe äöü", "Ελληνικά", "Кириллица", "עברית", "العربية", "हिन्दी", "ไทย", "中文檔案", "日本語ファイル",
    "한국어", "Tiếng Việt", "ქართული", "Հայերեն", "emoji 😀🎉", "family 👨‍👩‍👧‍👦", "flags 🇩🇪🇯🇵", "math 𝒳𝒴", "𐍈 gothic", "ÇĞİÖŞÜ çğıöşü",
)


def many_names(count: int) -> list[str]:
    """Names in many scripts, some outside the basic plane, none equal but for case."""
    return [f"{_SCRIPTS[i % len(_SCRIPTS)]} {i:05}" + (".txt" if i % 3 else "") for i in range(count)]
