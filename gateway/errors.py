"""Errors of the gateway, and those a cell raises through it.

Which HTTP status an error gets is decided in one table, in `gateway.answers`.
"""

from __future__ import annotations

from core.errors import InvariantBroken, LocalMisuse, OperationalFault


class PortInUse(OperationalFault):
    """Another program listens on the gateway's port."""

    code = "MYC-GATEWAY-001"
    remedy = (
        "Stop the program that uses the port, or choose another one with "
        "`myceld init --gateway-port N` (0 = any free one)."
    )


class NotLoopback(LocalMisuse):
    """The gateway was to listen where others reach it, and everybody between can read along."""

    code = "MYC-GATEWAY-002"
    remedy = (
        "Set gateway.tls_certificate and gateway.tls_key, or listen on 127.0.0.1 and reach it "
        "from elsewhere through an SSH tunnel."
    )


class CannotListen(OperationalFault):
    """The operating system does not let us listen there."""

    code = "MYC-GATEWAY-003"
    remedy = "Choose another port above 1023 with `myceld init --gateway-port N`."


class Unauthorized(LocalMisuse):
    """The request carries no valid token."""

    code = "MYC-GATEWAY-010"
    remedy = "Send `Authorization: Bearer TOKEN`; the token is in gateway.token in the cell's home."


class ForeignHost(LocalMisuse):
    """The Host header names another machine: a web page may be behind the request."""

    code = "MYC-GATEWAY-011"
    remedy = "Use the URL in the cell's run.json, or name the host in `gateway.hosts`."


class Forbidden(LocalMisuse):
    """The token, or the key that signed, is good, but not for this."""

    code = "MYC-GATEWAY-040"
    remedy = (
        "Use a token with the scope that the message names: "
        "`myceld token create NAME --scope SCOPE`."
    )


class TokenOfAnotherCell(Unauthorized):
    """The token was made by another cell."""

    code = "MYC-GATEWAY-041"
    remedy = "Each cell makes its own tokens: `myceld token create` on the machine of this one."


class TokenEnded(Unauthorized):
    """The token or key was revoked, or its time is over."""

    code = "MYC-GATEWAY-042"
    remedy = "Ask the cell's owner for another one: `myceld token create`."


class TooManyRequests(OperationalFault):
    """More requests in a minute than this token or this address may send."""

    code = "MYC-GATEWAY-043"
    remedy = (
        "Wait as long as Retry-After says; `gateway.rate_open` and `rate_token` set the limits."
    )
    retryable = True


class ForeignOrigin(LocalMisuse):
    """A web page of another site is behind the request."""

    code = "MYC-GATEWAY-044"
    remedy = "Name the site in `gateway.origins` if its pages may use this cell."


class BadSignature(Unauthorized):
    """The signature of the request is not what docs/security.md describes, or is wrong."""

    code = "MYC-GATEWAY-045"
    remedy = "Sign as docs/security.md says; tests/vectors/gateway-requests.json has examples."


class NotFresh(Unauthorized):
    """The request was signed too long ago, in the future, or before the cell started."""

    code = "MYC-GATEWAY-046"
    remedy = "Check both clocks, and sign each request when it is sent."
    retryable = True


class Replayed(Unauthorized):
    """A request with this key and nonce was here before."""

    code = "MYC-GATEWAY-047"
    remedy = "Take a new random nonce for each request."


class NotTheSignedBody(Unauthorized):
    """The body is not the one whose hash was signed."""

    code = "MYC-GATEWAY-048"
    remedy = "Sign the SHA-256 of exactly the bytes that are sent."


class KeyNotAllowed(Unauthorized):
    """The owner of the cell allowed this key nothing."""

    code = "MYC-GATEWAY-049"
    remedy = "Ask the owner for `myceld token allow-key PUBLICKEY --scope SCOPE`."


class BadCertificate(LocalMisuse):
    """The TLS certificate or its key can not be used."""

    code = "MYC-GATEWAY-051"
    remedy = (
        "See docs/security.md: both files in PEM, of one pair, in date, the key with mode 0600."
    )


class NoTls(LocalMisuse):
    """A request came without TLS to a port that speaks HTTPS only."""

    code = "MYC-GATEWAY-055"
    remedy = "Ask it with https://."


class HandshakesWait(OperationalFault):
    """More TLS handshakes are asked for than get their share of the cell's time; they wait."""

    code = "MYC-GATEWAY-056"
    remedy = (
        "Nothing is to be done if it passes. If it stays, keep out with a firewall who opens so "
        "many connections. Addresses from where somebody came with a token wait less."
    )
    retryable = True


class GrantsUnusable(OperationalFault):
    """The file with the hashes of the cell's tokens can not be used, or no cell wrote it."""

    code = "MYC-GATEWAY-052"
    remedy = (
        "See to the disk, or move the file away: all tokens in it are void then, make new ones."
    )


class NoSuchGrant(LocalMisuse):
    """This cell made no token of this id, and allowed no such key."""

    code = "MYC-GATEWAY-053"
    remedy = "`myceld token list` shows the ids."


class TooManyGrants(LocalMisuse):
    """The cell has as many good tokens and keys as it keeps."""

    code = "MYC-GATEWAY-054"
    remedy = "Revoke those that nobody uses: `myceld token list` says when each was used last."


class NoSuchRoute(LocalMisuse):
    """There is nothing at this path."""

    code = "MYC-GATEWAY-012"
    remedy = "See docs/api.md for the paths of this version."


class WrongMethod(LocalMisuse):
    """The path exists, but not with this method."""

    code = "MYC-GATEWAY-013"
    remedy = "See docs/api.md for the method of this path."


class BadRequest(LocalMisuse):
    """The body, a query parameter or a part of the path is not what it should be."""

    code = "MYC-GATEWAY-014"
    remedy = "See docs/api.md for what this path asks for."


class BodyTooLarge(LocalMisuse):
    """The request body is over the limit."""

    code = "MYC-GATEWAY-015"
    remedy = "Send fewer transactions per request."


class BodyTooSlow(LocalMisuse):
    """The request body did not arrive in time."""

    code = "MYC-GATEWAY-016"
    remedy = "Send the whole body at once, with the right Content-Length."


class GatewayBusy(OperationalFault):
    """More requests, or more bytes of them, than the gateway takes at once."""

    code = "MYC-GATEWAY-017"
    remedy = "Try again in a moment, with fewer requests at a time."
    retryable = True


class GatewayStopping(OperationalFault):
    """The cell is being stopped while the request waited."""

    code = "MYC-GATEWAY-018"
    remedy = "Start the cell again with `myceld run`, then ask for the receipt."
    retryable = True


class NoSuchKey(LocalMisuse):
    """The state holds no value at this key."""

    code = "MYC-GATEWAY-020"
    remedy = "Put one with `myceld tx put KEY VALUE`, or wait until a pending put is applied."


class NoSuchReceipt(LocalMisuse):
    """This cell never saw a transaction of this id."""

    code = "MYC-GATEWAY-021"
    remedy = "Check the id, or ask the cell that took the transaction."


class NoSuchJournal(LocalMisuse):
    """This cell has no journal of this name."""

    code = "MYC-GATEWAY-022"
    remedy = "`myceld journal list` shows the names."


class NotReachedInTime(OperationalFault):
    """The transaction did not reach the wanted stage in time; it is still queued."""

    code = "MYC-GATEWAY-023"
    remedy = "Follow it with `myceld receipt ID --follow`; `myceld status` says what is waited for."
    retryable = True


class AnswerTooLate(OperationalFault):
    """The cell did not answer a question in time."""

    code = "MYC-GATEWAY-024"
    remedy = "The cell is overloaded or stuck; see `myceld status` and its log."
    retryable = True


class NoSuchCell(LocalMisuse):
    """No cell goes by this name."""

    code = "MYC-GATEWAY-025"
    remedy = "Give a cell id, or the name of a member as `myceld peers` shows it."


class NoSuchEvent(LocalMisuse):
    """The hashgraph of the present epoch has no event of this id."""

    code = "MYC-GATEWAY-070"
    remedy = (
        "`myceld dag show` lists events. For an older epoch, `myceld dag export FILE --epoch N`, "
        "then `python -m hashgraph explain FILE ID`."
    )


class NoSuchRound(LocalMisuse):
    """The hashgraph of the present epoch has no such round."""

    code = "MYC-GATEWAY-071"
    remedy = (
        "`myceld dag round` shows the newest; `myceld dag export FILE --epoch N` writes an older "
        "epoch to a file, of which `python -m hashgraph replay FILE` tells the rounds."
    )


class HashgraphMoved(OperationalFault):
    """The hashgraph went on, maybe to another epoch, while a question about it was answered."""

    code = "MYC-GATEWAY-072"
    remedy = "Ask again."
    retryable = True


class NoSuchFile(LocalMisuse):
    """The explorer has no file of this name."""

    code = "MYC-GATEWAY-080"
    remedy = "Open /explorer/; everything else is found from there."


class NotAFileMethod(LocalMisuse):
    """A file of the explorer was asked for with a method that is not for files."""

    code = "MYC-GATEWAY-081"
    remedy = "Use GET; what changes something is below /api/v1/ (docs/api.md)."


class NoSuchInvite(LocalMisuse):
    """This cell made no ticket of this id."""

    code = "MYC-GATEWAY-060"
    remedy = "`myceld invite list` shows the ids of this cell's tickets."


class HistoryGone(LocalMisuse):
    """What follows the place where a subscription is to go on is not kept here."""

    code = "MYC-GATEWAY-061"
    remedy = "Read anew what there is, then subscribe after the place in `resume`."

    def __init__(self, detail: str, resume: str) -> None:
        super().__init__(detail)
        self.resume = resume
        """The cursor behind which history goes on."""


class SubscriberTooSlow(LocalMisuse):
    """A subscriber does not read as fast as there are items for it."""

    code = "MYC-GATEWAY-062"
    remedy = "Connect again, subscribe after the last cursor that you got, and read faster."
    retryable = True


class TooManySubscribers(OperationalFault):
    """More connections with subscriptions than the gateway holds, in all or of one caller."""

    code = "MYC-GATEWAY-063"
    remedy = "Close some: one connection can have several subscriptions."
    retryable = True


class TooManySubscriptions(LocalMisuse):
    """One connection has as many subscriptions as it may have."""

    code = "MYC-GATEWAY-064"
    remedy = "End one with `unsubscribe`, or open another connection."


class SubscriptionNamed(LocalMisuse):
    """The connection has a subscription of this name, or has none to end."""

    code = "MYC-GATEWAY-065"
    remedy = "Give each subscription of a connection a name of its own."


class SubscriberGone(OperationalFault):
    """The other end of a subscription did not answer a ping in time."""

    code = "MYC-GATEWAY-066"
    remedy = "Connect again, and subscribe after the last cursor that you got."
    retryable = True


class NoSuchMessage(LocalMisuse):
    """This cell has no message of this id, or not of this kind."""

    code = "MYC-GATEWAY-301"
    remedy = "`myceld inbox` and `myceld message list` show the ids."


class NoSuchRoom(LocalMisuse):
    """This cell is in no room of this id."""

    code = "MYC-GATEWAY-302"
    remedy = "`myceld room list` shows the rooms."


class NoProposal(LocalMisuse):
    """No proposal of this id was ordered, as far as this cell knows."""

    code = "MYC-GATEWAY-401"
    remedy = "`myceld gov list` shows the ids."


class NoNamespace(LocalMisuse):
    """Nobody claimed this namespace, nor one around it."""

    code = "MYC-GATEWAY-201"
    remedy = "Claim it with `myceld state namespace claim`, or write: anybody may."


class NoSuchContent(LocalMisuse):
    """Nothing of this hash was posted, as far as this cell knows."""

    code = "MYC-GATEWAY-303"
    remedy = "Check the hash; `myceld content list` shows what was posted."


class StopTookTooLong(OperationalFault):
    """The process was told to stop, and something in it did not end in time."""

    code = "MYC-GATEWAY-096"
    remedy = "Nothing is lost: start it again. Report what the log says that it waited for."


class Unexpected(InvariantBroken):
    """An undeclared error reached the gateway; its traceback is in the cell's log."""

    code = "MYC-GATEWAY-099"
    remedy = "Report this with the log of the cell."
