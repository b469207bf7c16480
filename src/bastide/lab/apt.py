"""Where an image's packages come from: the same archives, proxies and trust as this machine's own apt.

In: what `apt-get indextargets` and `apt-config dump` print. Out: one-line-style sources and apt option lines.
Holds: only Debian's own archives of the wanted suite are taken (never a vendor's repository that happens to
be set up here), and a machine that has none (Ubuntu, say) gets Debian's ordinary default.
"""

from typing import Final
from urllib.parse import urlsplit

SUITE: Final = "bookworm"
ARCHIVE_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
INDEX_FORMAT: Final = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
DEBIAN_DEFAULT: Final = (
    ("http://deb.debian.org/debian", "bookworm"),
    ("http://deb.debian.org/debian", "bookworm-updates"),
    ("http://deb.debian.org/debian-security", "bookworm-security"),
)


def debian_sources(index_targets: str) -> tuple[tuple[str, str], ...]:
    """(URI, suite) pairs of Debian's archives among the lines that `apt-get indextargets` printed."""
    found: list[tuple[str, str]] = []
    for line in index_targets.splitlines():
        fields = line.split("|")
        if len(fields) != 4:
            continue
        uri, suite, component, origin = fields
        pair = (uri.rstrip("/"), suite)
        if _is_debian(uri, origin) and component == "main" and pair not in found and _wanted(suite):
            found.append(pair)
    if not any(suite == SUITE for _, suite in found):
        return DEBIAN_DEFAULT
    return tuple(found)


def render_sources(sources: tuple[tuple[str, str], ...]) -> str:
    """One-line-style sources.list text for `(URI, suite)` pairs."""
    return "".join(f"deb [signed-by={ARCHIVE_KEYRING}] {uri} {suite} main\n" for uri, suite in sources)


def acquire_options(apt_config_dump: str) -> str:
    """This machine's download settings (proxies, certificates, date checks), as apt.conf text."""
    kept: list[str] = []
    for line in apt_config_dump.splitlines():
        name = line.split(" ", 1)[0]
        ours = name.startswith("Acquire::") and line.endswith('";') and not line.endswith(' "";')
        if ours and not name.startswith(("Acquire::IndexTargets", "Acquire::CompressionTypes", "Acquire::cdrom")):
            kept.append(line)
    return "\n".join(kept) + "\n"


def _wanted(suite: str) -> bool:
    return suite in {SUITE, f"{SUITE}-updates", f"{SUITE}-security"}


def _is_debian(uri: str, origin: str) -> bool:
    # The origin is only known once the lists were downloaded; before that apt leaves the placeholder in
    # place.
    if origin and not origin.startswith("$("):
        return origin == "Debian"
    return "debian" in urlsplit(uri).path
