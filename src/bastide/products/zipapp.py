"""A program of ours as one file that Debian's python3 runs.

In: the name of an installed package that has a `__main__` with `main(arguments) -> status`; what lies beside its
sources (pages, pictures) goes with them. Out: a zipapp.
Holds: the same sources give the same bytes: names sorted, one date, nothing compressed (zlib's versions differ).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_DATE = (1980, 1, 1, 0, 0, 0)


@cache
def build_zipapp(package: str) -> bytes:
    """The archive's bytes, of `bastide.agent` for instance."""
    sources = dict(_sources(files(package), f"{package.replace('.', '/')}/"))
    sources["bastide/__init__.py"] = b""
    sources["__main__.py"] = (
        f"import sys\nfrom {package}.__main__ import main\nsys.exit(main(sys.argv[1:]))\n".encode()
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(sources):
            member = zipfile.ZipInfo(name, date_time=_DATE)
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, sources[name])
    return buffer.getvalue()


def _sources(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir():
            if item.name != "__pycache__":
                yield from _sources(item, f"{prefix}{item.name}/")
        elif not item.name.endswith((".pyc", "~")):
            yield f"{prefix}{item.name}", item.read_bytes()
