"""Every code that a fault of a spec can have, with its explanation.

In: nothing. Out: `CODES`, read by `bastide explain CODE` and by the reference page.
Holds: a code, once published, keeps its meaning; a code that is no longer used is not given to something else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """One kind of fault. From BST080 on they are warnings."""

    title: str
    text: str
    """A paragraph for somebody who meets it for the first time."""


CODES: dict[str, Code] = {
    "BST001": Code(
        "The file cannot be read",
        "The spec, or its overlay, is missing, is a folder, or may not be read by you. Without `-f FILE`, "
        "`bastide.yaml` in the current folder is meant. `bastide init` writes a complete one.",
    ),
    "BST002": Code(
        "The file is not UTF-8",
        "Specs are UTF-8 text. An editor that saves in an older encoding writes bytes that fit no "
        "character; save the file as UTF-8. The place that is shown is the first such byte.",
    ),
    "BST003": Code(
        "Not valid YAML",
        "The text does not follow YAML's rules, so nothing after the place that is shown can be understood. "
        "The commonest reasons: a tab where spaces indent, lines of one mapping that do not line up, an "
        "unclosed bracket or quote, and text that holds ': ' or begins with a special character without "
        "quotes.",
    ),
    "BST004": Code(
        "A key is given twice",
        "One mapping holds the same key twice. YAML readers that accept this silently drop one of the two; "
        "here it is refused, with both places. A value that comes in by a merge key (`<<`) may be given "
        "again: yours wins.",
    ),
    "BST005": Code(
        "The file is empty",
        "There is nothing in the file but comments or blank lines. `bastide init` writes a complete spec to "
        "start from.",
    ),
    "BST006": Code(
        "Not a mapping",
        "A spec is one mapping of keys to values, beginning for instance with `name: my-project`. This file "
        "holds a list or a single value.",
    ),
    "BST007": Code(
        "Too large or too deep",
        "The file is larger, or nested deeper, or unfolds through its aliases to more values than any spec "
        "needs. The limits keep a hostile or broken file from exhausting memory.",
    ),
    "BST008": Code(
        "A part of YAML that specs do not use",
        "Specs use mappings, lists, text, whole numbers, true, false, null, anchors, aliases and merge "
        "keys. Tags (`!something`), several documents in one file, keys that are not text, and aliases "
        "without an anchor are refused.",
    ),
    "BST009": Code(
        "No such environment",
        "An environment named `production` is the file `bastide.production.yaml` beside `bastide.yaml`. It "
        "is laid over the spec: mappings merge, lists and single values replace, and `null` removes a key.",
    ),
    "BST010": Code(
        "A value of another type",
        "The field takes another type of value: text, a whole number, true or false, a list, or a mapping. "
        "Quotes make text of a number; YAML 1.2 reads yes, no, on and off as text; a list is `[one, two]` "
        "or lines with '- '.",
    ),
    "BST011": Code(
        "A key is missing",
        "The section needs this key, and there is no sensible default for it.",
    ),
    "BST012": Code(
        "An unknown key",
        "The section has no such key. It is refused rather than ignored, because an ignored key is a "
        "setting that you believe to be in force. Often it is misspelt, or indented below the wrong "
        "section.",
    ),
    "BST013": Code(
        "Not one of the choices",
        "The field takes one of a few words, and this is none of them.",
    ),
    "BST014": Code(
        "A number out of bounds",
        "The number is smaller or larger than what the software underneath can use.",
    ),
    "BST015": Code(
        "No value",
        "There is a key with nothing after its ':', or null where a field takes no null. It often happens "
        "when all lines below a section are commented out. It is refused because it may mean two things: "
        "the defaults, or nothing at all.",
    ),
    "BST016": Code(
        "An empty list or section",
        "At least one entry is needed here.",
    ),
    "BST017": Code(
        "Text of another form",
        "The text ends up in a line of a configuration file or in a command, so it is one line, and "
        "names of users, machines and interfaces hold no characters that such names cannot have.",
    ),
    "BST020": Code(
        "Not a name",
        "Names of projects and hosts become parts of domain names, certificates, unit names and files. So "
        "they are lower-case letters, digits and dashes, begin with a letter, do not end with a dash, and "
        "have at most 32 characters.",
    ),
    "BST021": Code(
        "Not a domain name",
        "Domains are written in full and in lower case, such as www.example.com; without a scheme, port, "
        "path or final dot. Write international names in their ASCII form (xn--…).",
    ),
    "BST022": Code(
        "Not a duration",
        "A span of time is a number with its unit: 250ms, 5s, 2m, 1h or 7d. A bare number is refused, "
        "because HAProxy would read milliseconds where nginx reads seconds.",
    ),
    "BST023": Code(
        "Not a size",
        "An amount of bytes is a whole number with an optional unit: 1024, 16k, 10M or 1G (powers of 1024).",
    ),
    "BST024": Code(
        "Not an IP address",
        "An IPv4 or IPv6 address is needed, without a port or a network's length.",
    ),
    "BST025": Code(
        "Not a network",
        "A network is written with its length, such as 192.0.2.0/24, and its host bits are zero. One "
        "address alone is the network of just itself.",
    ),
    "BST026": Code(
        "Not a port",
        "Ports are whole numbers from 1 to 65535.",
    ),
    "BST027": Code(
        "Not a name of an environment variable",
        "Names of environment variables are letters, digits and underscores, and do not begin with a digit.",
    ),
    "BST028": Code(
        "Not a name for MariaDB",
        "Names of the database and its user are lower-case letters, digits and underscores, beginning with "
        "a letter, so that they need quotes nowhere.",
    ),
    "BST029": Code(
        "Not a path of a URL",
        "It begins with '/' and holds no spaces; write other characters percent-encoded.",
    ),
    "BST030": Code(
        "No balancer",
        "Requests enter through the balancers; without one, nothing is reachable. On a small system any "
        "host can have this role beside others.",
    ),
    "BST031": Code(
        "No web server",
        "The web servers stand between the balancers and the application: they serve static files and pass "
        "the rest on.",
    ),
    "BST032": Code(
        "No application host",
        "The application needs a process, and no host has the role `app` to run it. Files alone need none: "
        "`kind: static`.",
    ),
    "BST033": Code(
        "A database host without a database",
        "A host has the role `database`, but there is no section `database`. `database: {}` gives one with "
        "all defaults; without the section nothing would be installed on that host for it.",
    ),
    "BST034": Code(
        "A database without a host",
        "There is a section `database`, but no host has the role `database` to run it.",
    ),
    "BST035": Code(
        "Replication needs two hosts",
        "In the mode `replication`, which is the default, a primary has at least one replica. With one "
        "database host write `mode: single`, and know that its loss is the database's loss.",
    ),
    "BST036": Code(
        "One database server on several hosts",
        "The mode `single` is one server. With several database hosts the others would stand idle, or be "
        "taken for replicas that they are not.",
    ),
    "BST037": Code(
        "Two hosts with one address",
        "Two hosts have the same private or public address; often a copied line.",
    ),
    "BST038": Code(
        "A host on the virtual IP",
        "The virtual IP moves between the balancers, so it cannot also be a host's own address.",
    ),
    "BST039": Code(
        "A virtual IP with one balancer",
        "A virtual IP lets a second balancer take over. With one balancer there is nowhere for it to go.",
    ),
    "BST040": Code(
        "A virtual IP without an interface",
        "On your own servers keepalived must be told which network interface carries the virtual IP. In the "
        "lab it is known.",
    ),
    "BST041": Code(
        "Addresses on some hosts only",
        "A spec with addresses speaks of your own servers, one without them of the lab, which assigns them. "
        "A mixture is one or the other with something forgotten.",
    ),
    "BST042": Code(
        "A role given twice",
        "The same role stands twice in a host's list; perhaps another one was meant.",
    ),
    "BST043": Code(
        "A reserved host name",
        "The name is taken: `client` is the lab's machine on the internet side.",
    ),
    "BST044": Code(
        "An address that others cannot reach",
        "Loopback, unspecified and multicast addresses are no host's address on a network.",
    ),
    "BST045": Code(
        "A name of MariaDB's own",
        "MariaDB uses this name for its own databases or accounts.",
    ),
    "BST046": Code(
        "Automatic failover needs two databases and an odd number of votes",
        "Database hosts and hosts of the role witness vote on which database is the primary. Two votes cannot outvote "
        "one lost host, so three are needed (or five): two database hosts and one witness, which may be any other "
        "host, a monitor for example. More than two database hosts are not supported with automatic failover yet.",
    ),
    "BST047": Code(
        "Automatic failover needs durable commits",
        "With `durable: false` a server may lose commits when its host crashes; a failover could then lose "
        "acknowledged writes without a word.",
    ),
    "BST048": Code(
        "Going on without votes",
        "`without_quorum: go_on` says what a primary does while most voters cannot be reached. Without automatic failover "
        "nobody votes. And it relies on its standby's promise not to take over: without mTLS anybody could give it in "
        "the standby's name, and two servers would take writes.",
    ),
    "BST050": Code(
        "How the application is started",
        "The kinds wsgi and asgi need `entry: module:callable`, such as `shop:app` for `app` in shop.py; "
        "the kind php needs the front controller's path, such as `public/index.php`.",
    ),
    "BST051": Code(
        "No command",
        "The kind `command` runs a program of yours that listens on 127.0.0.1:$PORT; `command` says which.",
    ),
    "BST052": Code(
        "A migration without a database",
        "`migrate` changes the database's tables, and there is no database.",
    ),
    "BST053": Code(
        "A variable that Bastide sets",
        "DATABASE_URL, DATABASE_URL_READONLY and PORT are handed to the application; a value of your own "
        "would be overwritten, or break the way to the database.",
    ),
    "BST054": Code(
        "A variable given twice",
        "The same environment variable stands in `environment` and in `secrets`; only one could win.",
    ),
    "BST055": Code(
        "A domain listed twice",
        "The same domain stands twice in `domains`.",
    ),
    "BST056": Code(
        "A secret without one source",
        "A secret names exactly one source: `generate: 32` (made once, kept in the project's state), `file: "
        "PATH`, or `env: NAME` (a variable of the controller). An overlay that changes the source removes "
        "the other by `null`.",
    ),
    "BST057": Code(
        "A static prefix",
        "Prefixes in `web.static` begin and end with '/': without the last one, `/static` would also match "
        "`/statics`, and nginx's alias would let requests climb out of the folder.",
    ),
    "BST058": Code(
        "A value that switches off by accident",
        "Zero, or next to nothing, would mean 'no limit' in one program and 'at once' in another, or keep a "
        "program from starting.",
    ),
    "BST059": Code(
        "An administrators' network",
        "`firewall.admin` lists the networks, as the hosts see them, from which SSH is reached. Loopback "
        "and multicast networks cannot be among them, and each is listed once.",
    ),
    "BST060": Code(
        "A destination of alerts",
        "Alerts leave by mail (`server: mail.example.com:587`) or by HTTP (`https://host/path`); the port also opens "
        "the wall on the way out.",
    ),
    "BST061": Code(
        "Two families of addresses",
        "Some hosts have a private IPv4 address, others a private IPv6 address. Hosts know each other by this one "
        "address; the walls let in the addresses that stand in the spec. So all private addresses are of one family. "
        "Public addresses may be of either.",
    ),
    "BST062": Code(
        "A jump that leads back",
        "`ssh.jump` names the machine through which a host is reached. Hosts that jump over each other, or over "
        "themselves, are reached from nowhere.",
    ),
    "BST070": Code(
        "A file or folder is missing",
        "The spec names something that is not on the disk. Paths are relative to the folder of the spec; "
        "those of `requirements` and php's `entry` to the application's folder.",
    ),
    "BST071": Code(
        "A file where a folder is needed",
        "The path names a file where a folder is needed, or the reverse.",
    ),
    "BST072": Code(
        "A snippet that leaves its block",
        "Your own lines for nginx and HAProxy stand inside a block or section, and lines of Bastide's own follow. A "
        "brace too many or too few, or a line that begins a new section, would make these mean something else.",
    ),
    "BST073": Code(
        "A snippet that its product refuses",
        "The product's own checker (`haproxy -c`, `nginx -t`, `mariadbd --help`) read the configuration with your "
        "lines in it and refused one of them. What is shown is its own message, at the line of your spec. Nothing was "
        "changed on any host. As a warning it comes from the programs of this computer, which may be of another "
        "version than those of the hosts.",
    ),
    "BST080": Code(
        "A setting without effect",
        "Something is set that nothing reads in this spec: it belongs to another kind of application, another mode, "
        "or to something that is switched off. Often the line that would switch it on was forgotten.",
    ),
    "BST081": Code(
        "A network inside another",
        "One entry of a list of networks lies within another entry that already opens all of it. If only the smaller "
        "one was meant, the larger one is a hole.",
    ),
    "BST082": Code(
        "A role that no host has",
        "Something is said about hosts of a role, and no host of the spec has it; so it is said of nobody.",
    ),
    "BST083": Code(
        "A secret in the open",
        "The name of an environment variable says that its value is a secret, and the value stands in the spec, which "
        "is read, copied and committed. `app.secrets` takes it from a file, from the controller's environment, or "
        "makes one.",
    ),
    "BST084": Code(
        "A balancer less patient than the application",
        "The application may take longer for a request than the balancer waits for its answer: such requests end as "
        "504 at the visitor's, while the application goes on working for nobody.",
    ),
    "BST085": Code(
        "A domain of the lab on servers of your own",
        "Names below .test, .example, .invalid and .localhost are reserved and will never be found on the internet. "
        "They are right in the lab. On servers of your own, nobody can type them.",
    ),
    "BST090": Code(
        "Not a day",
        "A day is written as year, month and day, such as 2027-03-31, and has to be in the calendar.",
    ),
    "BST091": Code(
        "Not a percentage",
        "A share of time is written with its sign, such as 99.95%; it is more than 0% and less than 100%, "
        "which nothing reaches.",
    ),
    "BST092": Code(
        "Not a rule's id",
        "Rules of audit are named by letters and three digits, such as AVA002; `bastide audit` prints the id "
        "in front of each finding.",
    ),
}
