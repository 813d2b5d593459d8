"""What the consensus and execution tasks are told, through their bounded queues."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TypeAlias

from core.ids import CellId
from gossip.wire import CertificateFrame, Events, Have, SignatureFrame, Want
from node.stages.consensus import Decided


@dataclass(frozen=True, slots=True)
class Connected:
    """A peer finished its handshake."""

    peer: CellId


@dataclass(frozen=True, slots=True)
class Gone:
    """A peer's session ended."""

    peer: CellId


@dataclass(frozen=True, slots=True)
class FrameFrom:
    """A sync frame from a connected peer."""

    peer: CellId
    frame: Have | Want | Events


@dataclass(frozen=True, slots=True)
class Wake:
    """Something came on another way: transactions into the mempool, or the end of the epoch."""


@dataclass(frozen=True, slots=True)
class CheckpointFrom:
    """A checkpoint signature or certificate from a connected peer."""

    peer: CellId
    frame: SignatureFrame | CertificateFrame


ConsensusInput: TypeAlias = Connected | Gone | FrameFrom | Wake
ConsensusInbox: TypeAlias = "asyncio.Queue[ConsensusInput]"
ExecutionInput: TypeAlias = Decided | CheckpointFrom
ExecutionInbox: TypeAlias = "asyncio.Queue[ExecutionInput]"
