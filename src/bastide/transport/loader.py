"""Runs on a host as `python3 -c`: starts the host's program, and asks for it when it is not there.

In: sha256 and length of the program as arguments. Out: `have` or `need` on standard output, then the program's own
conversation. Standard library only; sent as text, so it is small and holds no secret.
"""

import hashlib
import os
import sys
from pathlib import Path


def load(digest: str, length: int) -> None:
    """Have the program at its place, then become it."""
    program = Path(f"/var/lib/bastide/host/{digest}.pyz")
    if program.exists():
        os.write(1, b"have\n")
    else:
        os.write(1, b"need\n")
        receive(program, digest, length)
    sys.path.insert(0, str(unpacked(program, Path(f"/run/bastide/host/{digest}"))))
    from bastide.host.main import main

    sys.exit(main(["serve"], program))


def unpacked(program: Path, folder: Path) -> Path:
    """The program's files until the next boot: Python keeps what it compiled of a folder, and of a zip nothing."""
    if folder.is_dir():
        return folder
    import shutil
    import zipfile

    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        os.umask(0o022)
        with zipfile.ZipFile(program) as archive:
            archive.extractall(draft)
        draft.rename(folder)
    except OSError:  # no room, or another conversation was first
        shutil.rmtree(draft, ignore_errors=True)
    return folder if folder.is_dir() else program


def receive(program: Path, digest: str, length: int) -> None:
    """Take the program from standard input, and not one byte more."""
    content = b""
    while len(content) < length:
        part = os.read(0, length - len(content))
        if not part:
            sys.exit("the controller went away")
        content += part
    if hashlib.sha256(content).hexdigest() != digest:
        sys.exit("the program did not arrive whole")
    os.umask(0o022)
    program.parent.mkdir(parents=True, exist_ok=True)
    draft = program.with_name(f"{program.name}.{os.getpid()}")
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.rename(program)


if __name__ == "__main__":
    load(sys.argv[1], int(sys.argv[2]))
