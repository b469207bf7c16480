"""The host's program: the sources of `bastide.host` in one file that Python runs.

In: the sources beside us. Out: bytes that are the same for the same sources, and their sha256.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path

import bastide.host

_MAIN = """\
import sys
from pathlib import Path
from bastide.host.main import main
sys.exit(main(sys.argv[1:], Path(__file__).parent.absolute()))
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)


@cache
def host_program() -> tuple[str, bytes]:
    """sha256 and content of the zipapp."""
    folder = Path(bastide.host.__file__).parent
    members = {"__main__.py": _MAIN.encode(), "bastide/__init__.py": b""}
    members |= {f"bastide/host/{p.name}": p.read_bytes() for p in sorted(folder.glob("*.py"))}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    content = packed.getvalue()
    return hashlib.sha256(content).hexdigest(), content
