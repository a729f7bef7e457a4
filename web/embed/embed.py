#!/usr/bin/env python3
"""Makes the sources of the library biwa_web from the built page.

Usage: embed.py DIST OUT

Writes OUT/assets.S, which takes the files in as they are, OUT/assets.cc, the table of them that
web/embed/assets.h promises, and OUT/gzip/, their compressed forms.
"""

import gzip
import hashlib
import sys
from pathlib import Path

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# Below this a response fits into one packet either way.
GZIP_BYTES_MIN = 1024


def main(dist: Path, out: Path) -> None:
    gzip_dir = out / "gzip"
    gzip_dir.mkdir(parents=True, exist_ok=True)
    assembly = [".section .rodata"]
    table = []
    files = sorted((p for p in dist.rglob("*") if p.is_file()), key=lambda p: p.relative_to(dist).as_posix())
    if not any(p.name == "index.html" for p in files):
        sys.exit(f"embed.py: {dist} has no index.html: the page was not built")

    def take(symbol: str, file: Path, digest: str) -> str:
        # The digest is there so that the text changes whenever the file does.
        assembly.append(f'.balign 16\n.global {symbol}\n.hidden {symbol}\n{symbol}: .incbin "{file}" // {digest}')
        return f"{{{symbol}, {file.stat().st_size}}}"

    symbols = []
    for number, file in enumerate(files):
        path = "/" + file.relative_to(dist).as_posix()
        content_type = CONTENT_TYPES.get(file.suffix)
        if content_type is None:
            sys.exit(f"embed.py: {path}: no content type is known for {file.suffix}: add it to CONTENT_TYPES")
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        symbol = f"biwa_web_asset_{number}"
        symbols.append(symbol)
        content_view = take(symbol, file, digest)
        compressed = gzip.compress(content, 9, mtime=0)
        gzip_view = "{}"
        if len(content) >= GZIP_BYTES_MIN and len(compressed) < len(content):
            gzip_file = gzip_dir / f"{number}.gz"
            gzip_file.write_bytes(compressed)
            symbols.append(f"{symbol}_gzip")
            gzip_view = take(f"{symbol}_gzip", gzip_file, digest)
        immutable = "true" if path.startswith("/assets/") else "false"
        table.append(
            f'    {{"{path}", "{content_type}", {content_view}, {gzip_view}, "\\"{digest[:32]}\\"", {immutable}}},'
        )

    assembly.append('.section .note.GNU-stack,"",@progbits')
    (out / "assets.S").write_text("\n".join(assembly) + "\n")
    (out / "assets.cc").write_text(
        "\n".join(
            [
                "// Made by web/embed/embed.py.",
                '#include "web/embed/assets.h"',
                "",
                'extern "C" {',
                *(f"extern const char {symbol}[];" for symbol in symbols),
                "}",
                "",
                "namespace biwa {",
                "namespace {",
                "",
                "const WebAsset kAssets[] = {",
                *table,
                "};",
                "",
                "}  // namespace",
                "",
                "std::span<const WebAsset> WebAssets() { return kAssets; }",
                "",
                "}  // namespace biwa",
                "",
            ]
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
