"""Which Debian packages the lab's image holds: the one list to edit when a role needs one more.

A lab has no way out to the internet, so whatever a role installs must already be here. `BASE_PACKAGES` make
a machine that boots and answers SSH; `DEFAULT_PACKAGES` are everything, so that raising a machine installs
nothing.
"""

from typing import Final

BASE_PACKAGES: Final[tuple[str, ...]] = (
    # libpam-systemd is left out on purpose: with it every SSH login starts a `systemd --user`, 0.3 s of CPU.
    "systemd",
    "systemd-sysv",
    "dbus",
    "iproute2",
    "iputils-ping",
    "nftables",
    "ulogd2",
    "openssh-server",
    "sudo",
    "python3",
    "ca-certificates",
    "openssl",
    "curl",
    "procps",
    "psmisc",
    "less",
    "rsync",
    "tcpdump",
    "socat",
    "conntrack",
    "netcat-openbsd",
    # Drills let clocks jump with it.
    "libfaketime",
    "logrotate",
    "zstd",
)

BALANCER_PACKAGES: Final[tuple[str, ...]] = ("haproxy", "keepalived")
WEB_PACKAGES: Final[tuple[str, ...]] = ("nginx-light",)
APP_PACKAGES: Final[tuple[str, ...]] = (
    "php-cli",
    "php-fpm",
    "php-mysql",
    "php-mbstring",
)
DATABASE_PACKAGES: Final[tuple[str, ...]] = (
    "mariadb-server",
    "mariadb-client",
    "mariadb-backup",
    "galera-4",
    "python3-pymysql",
    "etcd-server",
    "etcd-client",
)
MONITOR_PACKAGES: Final[tuple[str, ...]] = (
    "prometheus",
    "prometheus-alertmanager",
    "prometheus-node-exporter",
    "prometheus-mysqld-exporter",
    "prometheus-blackbox-exporter",
    "victoria-metrics",
    "python3-starlette",
    "python3-uvicorn",
    "python3-zstandard",
)
CLIENT_PACKAGES: Final[tuple[str, ...]] = ("apache2-utils", "wrk", "dnsmasq", "bind9-dnsutils", "nmap")

DEFAULT_PACKAGES: Final[tuple[str, ...]] = (
    *BASE_PACKAGES,
    *BALANCER_PACKAGES,
    *WEB_PACKAGES,
    *APP_PACKAGES,
    *DATABASE_PACKAGES,
    *MONITOR_PACKAGES,
    *CLIENT_PACKAGES,
)
