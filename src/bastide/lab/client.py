"""The internet machine: it resolves the project's domains, and trusts the project's root.

In: domains, where they lead, the root. Out: a shell script that makes a machine so, repeatable.
Holds: nothing in it is secret.
"""

from __future__ import annotations

import shlex

NAME = "client"
_RESOLVER = "/etc/bastide-resolver.conf"
_UNIT_PATH = "/etc/systemd/system/bastide-resolver.service"
_UNIT = f"""\
[Unit]
Description=Resolver of the lab's internet side
After=network.target

[Service]
ExecStart=/usr/sbin/dnsmasq --keep-in-foreground --conf-file={_RESOLVER}
Restart=always
""".strip()


def client_script(*, domains: tuple[str, ...], edge: str, ca_pem: str) -> str:
    """Commands for the client; feed them to `sh` on its standard input."""
    resolver = "\n".join(
        ["listen-address=127.0.0.1", "bind-interfaces", "no-resolv", "no-hosts"]
        + [f"address=/{domain}/{edge}" for domain in domains]
    )
    # What update-ca-certificates would do in five seconds, for the one certificate; a later run of it agrees.
    return f"""set -eu
put() {{
  mkdir -p "$(dirname "$1")"
  [ "$(cat "$1" 2>/dev/null)" = "$2" ] && return 1
  printf '%s\\n' "$2" >"$1"
}}
ca=/usr/local/share/ca-certificates/bastide.crt
if put $ca {shlex.quote(ca_pem.strip())}; then
  cat $ca >>/etc/ssl/certs/ca-certificates.crt
  ln -sf $ca "/etc/ssl/certs/$(openssl x509 -hash -noout -in $ca).0"
fi
put /etc/resolv.conf 'nameserver 127.0.0.1' || true
again=0
put {_RESOLVER} {shlex.quote(resolver)} && again=1
put {_UNIT_PATH} {shlex.quote(_UNIT)} && again=1 && systemctl daemon-reload
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -sf {_UNIT_PATH} /etc/systemd/system/multi-user.target.wants/
if [ $again = 1 ] || ! systemctl is-active --quiet bastide-resolver; then
  systemctl restart bastide-resolver
fi
"""
