"""The project's own certificate authority on disk.

In: a directory, the names that it may vouch for, the time. Out: `Authority`, or PkiError with what to do.
Holds: two runs never make two roots (the directory is locked); an interrupted creation is finished by the next
run; the root's key is read only to sign an intermediate, so it may be kept elsewhere the rest of the time.

    ca.pem                          what peers trust; mode 0644, to be handed out
    root/root.key, root/root.pem    ten years; root.key may be moved away
    intermediate/intermediate.pem   five years; certificate and key in one file, so that both change at once
    leaves/<role>.<host>/           cert.pem, key.pem
    edge/                           cert.pem, key.pem
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from bastide.pki.certificates import (
    INTERMEDIATE_LIFE,
    LEAF_LIFE,
    Issuer,
    belongs,
    certificate_pem,
    common_name_of,
    is_permitted,
    issue_intermediate,
    issue_root,
    key_pem,
    new_key,
    parse_certificates,
    parse_key,
)
from bastide.pki.errors import PkiError, RootKeyNeeded
from bastide.pki.storage import locked, private_directory, read_file, write_file
from bastide.policy.identities import issuer_common_name
from bastide.spec.values import IPAddress

RENEWAL_DUE = timedelta(days=365)
"""An intermediate with less left is renewed if the root key happens to be at hand."""
RENEWAL_FORCED = LEAF_LIFE + timedelta(days=1)
"""An intermediate with less left cannot give a leaf its full life, so the root key is asked for."""


@dataclass(frozen=True, kw_only=True)
class Authority:
    """An opened authority: it can issue leaves."""

    directory: Path
    root: x509.Certificate
    intermediate: Issuer = field(repr=False)

    @property
    def trust_anchor_path(self) -> Path:
        """File with the root's certificate, readable for everyone who can enter the directory."""
        return self.directory / "ca.pem"

    @property
    def trust_anchor_pem(self) -> str:
        """The root's certificate."""
        return certificate_pem(self.root)

    @property
    def intermediate_pem(self) -> str:
        """The intermediate's certificate, which stands behind each leaf."""
        return certificate_pem(self.intermediate.certificate)


def open_authority(
    directory: Path,
    *,
    project: str,
    internal_domain: str,
    domains: tuple[str, ...],
    now: datetime,
    addresses: tuple[IPAddress, ...] = (),
) -> Authority:
    """The authority in that directory, made on first use. `now` is aware.

    Raises RootKeyNeeded when the intermediate must be renewed and the root key was moved away.
    """
    with locked(directory):
        root = _open_root(directory, project, now)
        intermediate = _open_intermediate(directory, root, project, internal_domain, domains, addresses, now)
    return Authority(directory=directory, root=root, intermediate=intermediate)


def _open_root(directory: Path, project: str, now: datetime) -> x509.Certificate:
    anchor, copy = directory / "root/root.pem", directory / "ca.pem"
    private_directory(anchor.parent)
    root = _first(parse_certificates(read_file(anchor)))
    published = _first(parse_certificates(read_file(copy, mode=0o644)))
    if root is None and published is None:
        if (
            copy.exists()
            or (directory / "intermediate/intermediate.pem").exists()
            or (directory / "leaves").exists()
        ):
            raise PkiError(
                f"the root certificate is lost: neither {anchor} nor {copy} holds one",
                hint=f"restore one of them from a backup, or remove {directory} to begin with a new root "
                "(hosts then refuse each other until all of them have been applied)",
            )
        root = _create_root(directory, project, now)
    root = root or published
    assert root is not None
    if published != root:
        write_file(copy, certificate_pem(root), mode=0o644)
    if not anchor.exists() or parse_certificates(read_file(anchor)) != (root,):
        write_file(anchor, certificate_pem(root))
    if not root.not_valid_before_utc <= now < root.not_valid_after_utc:
        raise PkiError(
            f"the project's root is valid from {root.not_valid_before_utc:%Y-%m-%d} to "
            f"{root.not_valid_after_utc:%Y-%m-%d}, and this machine's clock says {now:%Y-%m-%d}",
            hint=f"correct the clock, or move {directory} away to begin with a new root "
            "(hosts then refuse each other until all of them have been applied)",
        )
    return root


def _create_root(directory: Path, project: str, now: datetime) -> x509.Certificate:
    """A new root. A key without certificate is what an interrupted creation left: it has signed nothing yet."""
    path = directory / "root/root.key"
    key = parse_key(read_file(path))
    if key is None:
        key = new_key()
        write_file(path, key_pem(key))
    root = issue_root(key, project, now)
    write_file(directory / "root/root.pem", certificate_pem(root))
    return root


def _open_intermediate(
    directory: Path,
    root: x509.Certificate,
    project: str,
    internal_domain: str,
    domains: tuple[str, ...],
    addresses: tuple[IPAddress, ...],
    now: datetime,
) -> Issuer:
    path = directory / "intermediate/intermediate.pem"
    private_directory(path.parent)
    current = _load_intermediate(path, root)
    reason = _reason_to_renew(current, root, issuer_common_name(project), internal_domain, domains, addresses, now)
    if reason is None and current is not None and not _is_renewal_due(current, root, now):
        return current
    key_path = directory / "root/root.key"
    key = parse_key(read_file(key_path))
    if key is None or not belongs(key, root):
        if reason is None and current is not None:
            return current
        state = "is not the key of root.pem" if key_path.exists() else "is not there"
        raise RootKeyNeeded(
            f"{reason}: a new intermediate certificate has to be signed by the root key, and {key_path} {state}",
            hint=f"put the root key back at {key_path} (mode 0600), run this again, then move it away again",
        )
    renewed = issue_intermediate(
        Issuer(certificate=root, key=key),
        issuer_common_name(project),
        internal_domain,
        domains,
        now,
        addresses=addresses,
    )
    write_file(path, certificate_pem(renewed.certificate) + key_pem(renewed.key))
    return renewed


def _load_intermediate(path: Path, root: x509.Certificate) -> Issuer | None:
    text = read_file(path)
    certificate, key = _first(parse_certificates(text)), parse_key(text)
    if certificate is None or key is None or not belongs(key, certificate) or not is_issued_by(certificate, root):
        return None
    return Issuer(certificate=certificate, key=key)


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's name and key signed the certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _reason_to_renew(
    current: Issuer | None,
    root: x509.Certificate,
    common_name: str,
    internal_domain: str,
    domains: tuple[str, ...],
    addresses: tuple[IPAddress, ...],
    now: datetime,
) -> str | None:
    if current is None:
        return "there is no usable intermediate certificate"
    certificate = current.certificate
    needed = (internal_domain, *domains)
    permitted = is_permitted(certificate, internal_domain, needed, addresses)
    if common_name_of(certificate) != common_name or not permitted:
        return f"the intermediate certificate may not vouch for all of {', '.join([*needed, *map(str, addresses)])}"
    if now < certificate.not_valid_before_utc or now >= certificate.not_valid_after_utc:
        return f"the intermediate certificate is not valid on {now:%Y-%m-%d}"
    if certificate.not_valid_after_utc - now < RENEWAL_FORCED and _is_renewal_due(current, root, now):
        return f"the intermediate certificate expires on {certificate.not_valid_after_utc:%Y-%m-%d}"
    return None


def _is_renewal_due(current: Issuer, root: x509.Certificate, now: datetime) -> bool:
    """Whether little life is left and a new one would live longer: near the root's own end it would not."""
    not_after = current.certificate.not_valid_after_utc
    gain = min(now + INTERMEDIATE_LIFE, root.not_valid_after_utc) - not_after
    return not_after - now < RENEWAL_DUE and gain > timedelta(days=30)


def _first(certificates: tuple[x509.Certificate, ...]) -> x509.Certificate | None:
    return certificates[0] if certificates else None
