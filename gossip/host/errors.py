"""What can go wrong between this cell and the network, one leaf class per case."""

from __future__ import annotations

from core.errors import LocalMisuse, OperationalFault, RemoteViolation


class AddressInUse(OperationalFault):
    """Another program listens on the address and port."""

    code = "MYC-HOST-001"
    remedy = "Stop the other program (`ss -ltnp` names it), or choose another port for `listen`."


class CannotListen(OperationalFault):
    """The operating system refuses the address: not ours, not permitted, no such protocol."""

    code = "MYC-HOST-002"
    remedy = "Listen on an address of this machine (`ip addr`), with a port above 1023."


class NotAMultiaddr(LocalMisuse):
    """Text that is not an address we can dial or listen on."""

    code = "MYC-HOST-003"
    remedy = (
        "Dial /ip4/ADDRESS/tcp/PORT/p2p/CELL-ID; listen on /ip4/ADDRESS/tcp/PORT (or ip6; or /ws)."
    )


class DialFailed(OperationalFault):
    """No connection: refused, unreachable, silent for too long, or not a libp2p cell."""

    code = "MYC-HOST-004"
    remedy = (
        "Check that the other cell runs and its port is reachable; the cell tries again itself."
    )
    retryable = True


class WrongPeer(RemoteViolation):
    """The cell that answered holds another key than the one we dialled."""

    code = "MYC-HOST-005"
    remedy = "Ask the operator for the current address; somebody else answers at this one."


class ProtocolRefused(OperationalFault):
    """The peer is authentic but does not speak the protocol, e.g. it is in another network."""

    code = "MYC-HOST-006"
    remedy = "Check that both cells were made from the same genesis and run compatible versions."


class HostDown(OperationalFault):
    """The network side crashed and is being started again."""

    code = "MYC-HOST-007"
    remedy = "Try again in a moment; if it repeats, report it with the log of the cell."
    retryable = True


class StreamLost(OperationalFault):
    """The connection broke, or the peer reset the stream."""

    code = "MYC-HOST-008"
    remedy = "Dial again."
    retryable = True


class ReadTimedOut(OperationalFault):
    """Nothing arrived in time. The stream is intact."""

    code = "MYC-HOST-009"
    remedy = "Read again, or close the stream if the peer should have answered."
    retryable = True


class WriteTimedOut(OperationalFault):
    """The peer did not take our bytes in time. The connection was closed."""

    code = "MYC-HOST-010"
    remedy = "Dial again; a peer that does not read is overloaded, frozen or gone."


class StreamClosed(LocalMisuse):
    """The stream was used after our own close, abort or stop."""

    code = "MYC-HOST-011"
    remedy = "Dial a new stream."


class PeerOverran(RemoteViolation):
    """The peer sent more than its receive window allows. The connection was closed."""

    code = "MYC-HOST-012"
    remedy = "The peer's software is broken or hostile; lower its score."


class HostMisused(LocalMisuse):
    """A call that makes no sense in the state of the host or stream."""

    code = "MYC-HOST-013"
    remedy = "Set handlers before start, start once, one reader per stream; this is a bug of ours."


class HostFailed(OperationalFault):
    """The network side could not be started at all."""

    code = "MYC-HOST-014"
    remedy = "Reinstall the pinned libp2p version, and report this with the log of the cell."


class TooManyDials(OperationalFault):
    """All places for outbound connections are taken."""

    code = "MYC-HOST-015"
    remedy = "Nothing to do: the cell tries again itself when a connection has ended."
    retryable = True


class NotConnected(OperationalFault):
    """No connection to the peer is open now."""

    code = "MYC-HOST-016"
    remedy = "Dial the peer first."
    retryable = True


class PingFailed(OperationalFault):
    """The peer does not speak libp2p's ping, or did not answer in time."""

    code = "MYC-HOST-017"
    remedy = "Try again; if other peers answer, this one is overloaded or gone."
    retryable = True


class TransportNotSpoken(NotAMultiaddr):
    """A multiaddr of a transport that this software does not speak, such as QUIC."""

    code = "MYC-HOST-018"
    remedy = "Use /tcp/PORT, or /tcp/PORT/ws for WebSocket; QUIC, TLS and relays are not spoken."


class DhtAlone(OperationalFault):
    """No other node of the DHT is known, or none of them answered."""

    code = "MYC-HOST-019"
    remedy = "Add the address of a cell with `dht: true` to `bootstrap`; the cell tries again."
    retryable = True


class DhtViolated(RemoteViolation):
    """A node of the DHT sent something that its protocol does not allow."""

    code = "MYC-HOST-020"
    remedy = "Nothing to do: the node was not believed; others are asked."
