"""What `myceld doctor` can find: one table of codes, each with why it matters and what to do.

A finding says what is wrong here (`what`), a row of the table what that means anywhere. `remedy` is
for people, `command` for a shell; both name the place in braces: {home}, and what the check brings.
Pure: who looks at disks and sockets is `node.doctor`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How bad a finding is."""

    NOTE = "note"
    """Worth to know; nothing has to be done."""
    WARNING = "warning"
    """The cell runs, and something will go wrong, or is worse than it could be."""
    ERROR = "error"
    """The cell does not start, does not take part, or what it holds is in danger."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table."""

    severity: Severity
    area: str
    title: str
    why: str
    remedy: str
    command: str = ""
    """What to type, if one command mends it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the doctor found."""

    code: str
    severity: str
    area: str
    what: str
    why: str
    remedy: str
    command: str
    """A shell command that mends it; empty if there is none that is right for everybody."""
    is_fixable: bool = False
    """Whether `myceld doctor --fix` does it."""


def find(code: str, what: str, *, is_fixable: bool = False, **places: object) -> Finding:
    """Return a finding of a kind; `places` fill the braces of its remedy and command."""
    kind = FINDINGS[code]
    plain = {name: str(value) for name, value in places.items()}
    quoted = {name: shlex.quote(value) for name, value in plain.items()}
    return Finding(
        code,
        kind.severity.value,
        kind.area,
        what,
        kind.why,
        kind.remedy.format_map(plain),
        kind.command.format_map(quoted),
        is_fixable,
    )


def worst(findings: list[Finding]) -> Severity | None:
    """Return the severity of the worst finding, None without one."""
    order = list(Severity)
    return max((Severity(one.severity) for one in findings), key=order.index, default=None)


_NOTE, _WARNING, _ERROR = Severity.NOTE, Severity.WARNING, Severity.ERROR

FINDINGS: Final[Mapping[str, Kind]] = {
    "MYC-DOCTOR-001": Kind(
        _ERROR, "directory", "There is no cell in the directory.",
        "Nothing can be run here. A mistyped --home is the usual reason.",
        "Check --home and MYCELD_HOME; a new cell is made by `myceld init`.",
        "myceld init --home {home}",
    ),
    "MYC-DOCTOR-002": Kind(
        _ERROR, "directory", "The directory can not be written to.",
        "The cell stores each event before it sends it; where it can not write, it does not run.",
        "Make the directory writable for the user who runs the cell.",
        "chmod u+rwx {path}",
    ),
    "MYC-DOCTOR-003": Kind(
        _WARNING, "directory", "Others on this machine can look into the cell's directory.",
        "It holds the key, tokens and message plaintexts; only the modes of the files guard them.",
        "Close it for others.",
        "chmod 700 {path}",
    ),
    "MYC-DOCTOR-004": Kind(
        _WARNING, "directory", "A process that is gone left run.json behind.",
        "Commands look there for the cell and find nobody, or somebody else with that process id.",
        "Remove the file; the next start writes it anew.",
        "rm -f {path}",
    ),
    "MYC-DOCTOR-005": Kind(
        _NOTE, "directory", "A process was ended while it wrote a file, and left half of it.",
        "It takes room, and may hold a secret.",
        "Remove it.",
        "rm -f {path}",
    ),
    "MYC-DOCTOR-006": Kind(
        _ERROR, "directory", "Another process holds the directory, and is no cell that answers.",
        "A cell can not start beside it: two would sign with one key.",
        "If it hangs, end it ({holder}); it loses nothing that was acknowledged.",
    ),
    "MYC-DOCTOR-007": Kind(
        _ERROR, "directory", "The cell was moved to another place.",
        "To run it in both would sign two histories, and the network would remove the key.",
        "Run it where it was moved to. If it never ran there, remove moved.json.",
    ),
    "MYC-DOCTOR-008": Kind(
        _WARNING, "directory", "The directory is on a network file system.",
        "SQLite's write-ahead log and file locks are not safe there: two cells may start on it.",
        "Move the directory to a local disk with `myceld backup` and `myceld restore`.",
    ),
    "MYC-DOCTOR-009": Kind(
        _NOTE, "directory", "A cell starts here, or stops.",
        "It answers once it is ready: that takes seconds, with a long history more.",
        "Ask again in a moment.",
    ),
    "MYC-DOCTOR-010": Kind(
        _ERROR, "key", "The key file can be read or written by others.",
        "Whoever has the key is the cell. The cell does not start with such a file.",
        "Close it for others; if somebody may have read it, give the key up: `myceld key rotate`.",
        "chmod 600 {path}",
    ),
    "MYC-DOCTOR-011": Kind(
        _ERROR, "key", "The key file is damaged, or not one.",
        "Without its key the cell is nobody; a new key is another cell.",
        "Put it back from a backup (`myceld restore`), a copy (`myceld key import`) or shares "
        "(`myceld key recover`).",
    ),
    "MYC-DOCTOR-012": Kind(
        _ERROR, "key", "The key file belongs to another user.",
        "The cell does not take a key that somebody else can change.",
        "Give it to the user who runs the cell.",
        "chown {user} {path}",
    ),
    "MYC-DOCTOR-013": Kind(
        _ERROR, "key", "The passphrase does not open the key.",
        "The cell does not start without its key.",
        "Put the right passphrase into the file that config.yaml names as `passphrase_file`.",
    ),
    "MYC-DOCTOR-014": Kind(
        _ERROR, "key", "The file with the passphrase can not be used.",
        "The cell does not start unattended.",
        "Have the file there, with the passphrase in its first line, readable by its owner only.",
        "chmod 600 {path}",
    ),
    "MYC-DOCTOR-015": Kind(
        _NOTE, "key", "The key has a passphrase, and no file names it.",
        "Somebody has to type it at each start, also after a power cut.",
        "If the cell is to start by itself, put the passphrase into a file of mode 600 and name "
        "it in config.yaml as `passphrase_file`.",
    ),
    "MYC-DOCTOR-020": Kind(
        _ERROR, "network", "The genesis is missing.",
        "It says which network this is and who its first members are.",
        "Fetch it again: from a file that you trust, or by `--bootstrap` from another cell.",
    ),
    "MYC-DOCTOR-021": Kind(
        _ERROR, "network", "The genesis is damaged.",
        "Its hash is the network's id: one changed byte is another network.",
        "Copy genesis.json from another cell of the network.",
    ),
    "MYC-DOCTOR-022": Kind(
        _ERROR, "network", "The genesis is that of another network than the database's.",
        "Everything signed names its network; nothing here would fit together.",
        "Copy genesis.json from another cell of the network that the database is of.",
    ),
    "MYC-DOCTOR-023": Kind(
        _ERROR, "database", "The database belongs to another key.",
        "Its journals are signed by another cell; this key can not go on with them.",
        "Put the key back that the database was made with, or use an empty directory.",
    ),
    "MYC-DOCTOR-030": Kind(
        _ERROR, "config", "config.yaml can not be used.",
        "The cell does not start rather than run with half of what you wanted.",
        "Correct the line that is named; docs/configuration.md has every key.",
    ),
    "MYC-DOCTOR-031": Kind(
        _ERROR, "config", "config.yaml is missing.",
        "The cell would not know where to listen and whom to call.",
        "Have a new one written; then put your changes into it again.",
        "myceld init --home {home}",
    ),
    "MYC-DOCTOR-032": Kind(
        _WARNING, "config", "An environment variable changes what the cell does for tests.",
        "It makes faults on purpose: nothing that a real cell should do.",
        "Unset {variable} where the cell is started.",
    ),
    "MYC-DOCTOR-040": Kind(
        _ERROR, "database", "The database is damaged.",
        "Blocks that others rely on may be wrong or gone.",
        "Stop the cell, keep the file, check the disk, and restore a backup into a new directory "
        "(`myceld restore`): the cell gets what is newer from the others.",
    ),
    "MYC-DOCTOR-041": Kind(
        _ERROR, "database", "The database was written by another version of the program.",
        "This version does not know its layout, and leaves it as it is.",
        "Install the version that wrote it, or let this one begin with an empty directory.",
    ),
    "MYC-DOCTOR-042": Kind(
        _ERROR, "database", "Another program has the database locked.",
        "The cell can not write to it.",
        "Close the program that has it open (a database browser, a backup).",
    ),
    "MYC-DOCTOR-043": Kind(
        _WARNING, "database", "The write-ahead log is large.",
        "Something holds an old view open, such as a backup, so it can not be written back; a "
        "start takes longer.",
        "End long reads (a backup, a database browser); restart the cell if it stays.",
    ),
    "MYC-DOCTOR-050": Kind(
        _ERROR, "disk", "The disk is full.",
        "The cell stops at the first write that finds no room.",
        "Make room: `myceld space` says what takes how much and what can go.",
    ),
    "MYC-DOCTOR-051": Kind(
        _WARNING, "disk", "The disk is nearly full.",
        "The cell stops at the first write that finds no room.",
        "Make room: `myceld space` says what takes how much and what can go.",
    ),
    "MYC-DOCTOR-052": Kind(
        _WARNING, "disk", "Writing to the disk takes long.",
        "Each own event waits for one fsync; transactions take at least as long.",
        "Move the directory to a faster disk, or end what else writes to this one.",
    ),
    "MYC-DOCTOR-060": Kind(
        _ERROR, "ports", "The port of the gateway is in use by somebody else.",
        "The cell does not start: no client could reach it.",
        "End what listens there, or take another port.",
        "myceld init --home {home} --gateway-port {port}",
    ),
    "MYC-DOCTOR-061": Kind(
        _ERROR, "ports", "The port for other cells is in use by somebody else.",
        "The cell does not start: no other cell could reach it.",
        "End what listens there, or take another port.",
        "myceld init --home {home} --listen {address}",
    ),
    "MYC-DOCTOR-062": Kind(
        _ERROR, "ports", "An address to listen on is not one of this machine.",
        "The system refuses to listen there, and the cell does not start.",
        "Listen on an address of this machine, or on 0.0.0.0 for all of them.",
        "myceld init --home {home} --listen {address}",
    ),
    "MYC-DOCTOR-063": Kind(
        _WARNING, "ports", "The cell listens on loopback only, and others are on other machines.",
        "They can not call it; it is reached only while it has called them.",
        "Listen on all addresses, and let the port through the firewall.",
        "myceld init --home {home} --listen {address}",
    ),
    "MYC-DOCTOR-064": Kind(
        _WARNING, "ports", "No cell answers at an address to find the network by.",
        "The cell finds the network by the others, or not at all if there are none.",
        "Start that cell, or name another one in config.yaml as `bootstrap`.",
    ),
    "MYC-DOCTOR-065": Kind(
        _ERROR, "config", "An address to find the network by can not be used.",
        "It does not say where the cell is, or which one.",
        "Write it as /ip4/ADDRESS/tcp/PORT/p2p/CELL_ID in config.yaml under `bootstrap`.",
    ),
    "MYC-DOCTOR-066": Kind(
        _WARNING, "ports", "Nothing says how to find the other cells.",
        "Without an address, seeds or the LAN the cell waits until another one calls it.",
        "Name one of them.",
        "myceld init --home {home} --bootstrap /ip4/ADDRESS/tcp/PORT/p2p/CELL_ID",
    ),
    "MYC-DOCTOR-067": Kind(
        _WARNING, "ports", "An address to find the network by is this cell's own.",
        "A cell does not find others by calling itself.",
        "Name another cell in config.yaml under `bootstrap`.",
    ),
    "MYC-DOCTOR-070": Kind(
        _ERROR, "gateway", "A file with a token can be read by others.",
        "Whoever has the token can do with the cell what its owner can.",
        "Close it; if somebody may have read it, remove it, and the next start makes another.",
        "chmod 600 {path}",
    ),
    "MYC-DOCTOR-071": Kind(
        _ERROR, "gateway", "A file with a token holds none.",
        "Commands can not reach the cell.",
        "Remove it; the next start makes another.",
        "rm -f {path}",
    ),
    "MYC-DOCTOR-072": Kind(
        _ERROR, "gateway", "The cell runs, and its gateway does not answer.",
        "No command reaches it.",
        "Look at the end of its log; if it stays, restart the cell.",
    ),
    "MYC-DOCTOR-073": Kind(
        _ERROR, "gateway", "The TLS certificate is over, or can not be used.",
        "Clients refuse it, as they should.",
        "Put a certificate that is valid, and its key, where config.yaml says.",
    ),
    "MYC-DOCTOR-074": Kind(
        _WARNING, "gateway", "The TLS certificate ends soon.",
        "Clients refuse it from then on.",
        "Renew it, and put it where config.yaml says.",
    ),
    "MYC-DOCTOR-075": Kind(
        _NOTE, "gateway", "Tokens are over.",
        "Who uses one of them is refused.",
        "Make another with `myceld token create`, and revoke those that are over.",
    ),
    "MYC-DOCTOR-076": Kind(
        _WARNING, "gateway", "The TLS key is slow to sign with.",
        "Each new connection costs the cell up to twenty times as much as it has to.",
        "Have the certificate issued for a key on P-256, as docs/security.md says.",
    ),
    "MYC-DOCTOR-080": Kind(
        _ERROR, "clock", "The clock is behind what this cell signed itself.",
        "Its events would have times before their parents'; others see a clock that lies.",
        "Set the clock, and keep it right (chrony, systemd-timesyncd).",
        "timedatectl set-ntp true",
    ),
    "MYC-DOCTOR-081": Kind(
        _WARNING, "clock", "The clock differs from those of the other members.",
        "Expiry of tickets, messages and certificates goes by it, and consensus times lean on it.",
        "Set the clock, and keep it right (chrony, systemd-timesyncd).",
        "timedatectl set-ntp true",
    ),
    "MYC-DOCTOR-090": Kind(
        _ERROR, "limits", "The process may open too few files.",
        "Each connection takes a descriptor; without one the cell refuses peers and clients.",
        "Raise the limit where the cell is started: `ulimit -n 4096`, or LimitNOFILE= in systemd.",
        "ulimit -n 4096",
    ),
    "MYC-DOCTOR-091": Kind(
        _WARNING, "limits", "Little memory is left.",
        "The system may kill the cell; it loses nothing, and is away until it is started again.",
        "End other programs, or give the machine more memory.",
    ),
    "MYC-DOCTOR-100": Kind(
        _ERROR, "network", "There is no quorum.",
        "Nothing new is ordered until members with more than 2/3 of the weight are connected. "
        "Nothing is lost meanwhile.",
        "Start the members that are missing, or see why they can not be reached: `myceld why "
        "CELL`.",
    ),
    "MYC-DOCTOR-101": Kind(
        _WARNING, "network", "Members are missing.",
        "The network goes on; it can stand fewer faults than it was made for.",
        "See why: `myceld why CELL`.",
    ),
    "MYC-DOCTOR-102": Kind(
        _ERROR, "network", "This cell's state is not the one that the network certified.",
        "It applies and signs nothing more, so that the wrong state goes no further.",
        "Take over the certified state.",
        "myceld repair --home {home} --timeout 300",
    ),
    "MYC-DOCTOR-103": Kind(
        _ERROR, "key", "Another process signs with this cell's key.",
        "Two histories of one key: the network removes it at the end of the epoch.",
        "Stop the copy. If it is not yours, the key was stolen: make a new cell.",
    ),
    "MYC-DOCTOR-104": Kind(
        _NOTE, "network", "The cell refuses connections of another one for now.",
        "It sent what breaks the protocol; the ban ends by itself.",
        "`myceld why CELL` says for how long. Ask its owner what it runs.",
    ),
    "MYC-DOCTOR-105": Kind(
        _WARNING, "versions", "Cells of the network run other versions.",
        "That works within one version of the wire; rules change only once all can.",
        "Update the older ones.",
    ),
    "MYC-DOCTOR-106": Kind(
        _ERROR, "versions", "The members decided on an upgrade that this version does not know.",
        "The cell stops before it begins, rather than compute another state.",
        "Install that release, and restart the cell.",
    ),
    "MYC-DOCTOR-107": Kind(
        _WARNING, "database", "The last audit of a journal found something wrong.",
        "What it holds is not what its signed head says.",
        "Stop the cell, keep its files, and restore a backup into a new directory.",
    ),
    "MYC-DOCTOR-108": Kind(
        _WARNING, "services", "A service of the cell is not well.",
        "What it does is slow, or does not happen.",
        "Its reason is shown; `myceld services` follows it.",
    ),
}  # fmt: skip
"""All that can be found, by code."""
