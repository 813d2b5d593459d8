"""What a fake cell finds wrong with itself, and why."""

from __future__ import annotations

from core.findings import Finding, find
from gateway.doctor_routes import ClockView, DoctorView, ReasonView, WhyView
from gateway.errors import NoSuchCell, NoSuchReceipt


class FakeDoctor:
    """The part of FakeCell that is about what is wrong."""

    def __init__(self) -> None:
        self.findings: list[Finding] = [find("MYC-DOCTOR-101", "be\x1b[31mta is missing")]

    def doctor(self) -> DoctorView:
        clocks = [ClockView("12D3KooWOther", "beta", -12.5)]
        return DoctorView(self.findings, clocks, 20, 1024, 90 << 20, 1.5, ["state"])

    def why_transaction(self, transaction_id: bytes) -> WhyView:
        if transaction_id == bytes(32):
            raise NoSuchReceipt("no such transaction is known here")
        reasons = [ReasonView("stored", ok=True, detail="in an event"), _QUORUM]
        return WhyView("transaction", transaction_id.hex(), "it waits", reasons, "Start beta.")

    def why_cell(self, cell: str) -> WhyView:
        if cell == "nobody":
            raise NoSuchCell("no member is called that")
        return WhyView("cell", cell, "not connected", [ReasonView("link", None, "down")], "")

    def why_stall(self) -> WhyView:
        return WhyView("stall", "12D3KooWSelf", "the network waits", [_QUORUM], "Start beta.")


_QUORUM = ReasonView("quorum", ok=False, detail="weight 1 of 2 is connected")
