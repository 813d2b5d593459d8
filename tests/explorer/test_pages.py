"""Every page of the explorer against four running cells, and what it verifies in the browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from cli.main import run
from tests.explorer.conftest import OpenWindow
from tests.explorer.window import DARK, DESKTOP, WAIT_S, Screen, Window
from tests.network.devnet import Devnet

VECTORS = Path(__file__).parents[1] / "vectors"
PHONE_DARK = Screen(390, 844, scheme="dark", is_phone=True)
KEY = "garden/bed-1"


@pytest.fixture(scope="module")
def shared(net: Devnet) -> dict[str, str]:
    """What pages are about: a certified transaction, a proposal, a conversation."""
    cell, other = net.client(1), net.client(2).status()
    receipt = cell.put("explorer/json", b'{"a": [1, 2]}', wait="certified", timeout_s=WAIT_S)
    cell.attest(other["name"], 0.75, wait="applied", timeout_s=WAIT_S)
    action = {"action": "text", "hash": "ab" * 32, "url": "https://example.org/"}
    proposal = cell.propose("Paint the door", [action], wait="applied", timeout_s=WAIT_S)
    cell.send_message(to=other["name"], text="Is the garden open?")
    return {"transaction": receipt["id"], "proposal": proposal["id"], "cell": other["cell_id"]}


def routes(shared: dict[str, str]) -> list[tuple[str, str]]:
    """Return each page's address, and its heading."""
    return [
        ("#/", "Overview"),
        ("#/rounds", "Rounds"),
        ("#/rounds/2", "Round 2"),
        ("#/transactions", "Transactions"),
        (f"#/transactions/{shared['transaction']}", "Transaction"),
        ("#/state", "State"),
        ("#/state?prefix=garden/", "State"),
        ("#/state/garden%2Fbed-1", KEY),
        ("#/journals", "Journals"),
        ("#/journals/consensus", "Journal “consensus”"),
        ("#/journals/message/0", "Block 0 of “message”"),
        ("#/trust", "Trust"),
        (f"#/trust/{shared['cell']}", "cell-2"),
        ("#/peers", "Members and peers"),
        ("#/messages", "Messages"),
        (f"#/messages/cell/{shared['cell']}", "cell-2"),
        ("#/governance", "Governance"),
        (f"#/governance/{shared['proposal']}", "Proposal"),
        ("#/accounts", "Accounts"),
        ("#/services", "Services"),
        ("#/logs", "Log"),
        ("#/verify", "Verify a proof"),
    ]


def settled(page: Page, heading: str) -> None:
    """Wait until a page shows what it is for, and asks for nothing any more."""
    expect(page.get_by_role("heading", level=1, name=heading, exact=True)).to_be_visible()
    expect(page.locator("main .loading, main [aria-busy]")).to_have_count(0)
    expect(page.locator("main [role=alert]")).to_have_count(0)


@pytest.mark.parametrize(
    "screen", [pytest.param(DESKTOP, id="light"), pytest.param(PHONE_DARK, id="dark phone")]
)
def test_every_page_has_labels_contrast_and_room(
    open_window: OpenWindow, shared: dict[str, str], screen: Screen
) -> None:
    window = open_window(screen)
    for address, heading in routes(shared):
        settled(window.open(address), heading)
        assert window.breaches() == [], address
        assert window.overflow_px() == 0, address
        window.shoot(f"{re.sub(r'[^a-z]+', '-', address)[:24]}-{screen.width}-{screen.scheme}")


def tamper(page: Page, path: str, field: str) -> None:
    """Have one character in the middle of a proof changed on its way to the page."""

    def changed(route: Route) -> None:
        answer = route.fetch()
        content = answer.json()
        text = content[field]
        at = next(i for i in range(len(text) // 2, len(text)) if text[i] not in "A\n=")
        content[field] = f"{text[:at]}A{text[at + 1 :]}"
        route.fulfill(response=answer, body=json.dumps(content))

    page.route(re.compile(path), changed)


PROOFS = {
    "value": ("garden/bed-1", "#/state/garden%2Fbed-1", r"/state/proof\?", "proof"),
    "absence": ("garden/nothing", "#/state/garden%2Fnothing", r"/state/proof\?", "proof"),
    "range": ("State", "#/state?prefix=garden/", r"/state/proof\?", "proof"),
    "round": ("Round 2", "#/rounds/2", r"/rounds/proof\?", "proof"),
    "block": ("Block 0 of “state”", "#/journals/state/0", r"/journals/state/proof\?", "file"),
}


def test_proofs_are_verified_in_the_browser_and_tampered_ones_refused(
    open_window: OpenWindow,
) -> None:
    window = open_window(DARK)
    with window.expects("status of 404.*nothing"):  # that there is no value, the cell says so
        for kind, (heading, address, path, field) in PROOFS.items():
            page = window.open(address)
            settled(page, heading)
            verify = page.get_by_role("button", name="Verify in this browser")
            verify.click()
            good = page.locator(".proof-place .notice.good")
            expect(good, kind).to_contain_text("Verified in this browser")
            tamper(page, path, field)
            verify.click()
            expect(page.locator(".proof-place .notice.bad"), kind).to_contain_text("Refused")
            page.unroute_all()


def test_a_receipt_is_downloaded_that_the_command_line_accepts(
    open_window: OpenWindow, shared: dict[str, str], net: Devnet, tmp_path: Path
) -> None:
    window = open_window()
    page = window.open(f"#/transactions/{shared['transaction']}")
    expect(page.get_by_text("explorer/json")).to_be_visible()  # decoded from its own bytes
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the receipt").click()
    file, genesis = tmp_path / "receipt.proof", net.home(1) / "genesis.json"
    download.value.save_as(file)
    assert run(["verify", str(file), "--genesis", str(genesis)]) == 0
    # The same file, checked by the page against another network and against this one.
    page = window.open("#/verify")
    page.get_by_label("Network id").fill("00" * 32)
    page.get_by_role("button", name="Trust this network").click()
    page.get_by_label("Or a file with it").set_input_files(file)
    page.get_by_role("button", name="Verify", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("MYC-LEDGER-552")
    page.get_by_label("Or its genesis file").set_input_files(genesis)
    page.get_by_role("button", name="Verify", exact=True).click()
    expect(page.get_by_text("The transaction was applied")).to_be_visible()
    expect(page.get_by_text("Checked against the network id that you gave.")).to_be_visible()


CHECK_PROOFS = """async ([vectors, text]) => {
  const { verifyProof } = await import('/explorer/verify/proof.js');
  const { toHex } = await import('/explorer/verify/bytes.js');
  const wrong = [];
  for (const one of vectors.valid) {
    const { header, certified, claim } = await verifyProof(one.text, vectors.network_id);
    const told = one.result;
    const same = header.round === told.round && certified.round === told.certified_round
      && claim.about === told.about && claim.outcome === told.outcome
      && (told.about !== 'state' || (claim.value && toHex(claim.value)) === told.value);
    if (!same) wrong.push(one.name);
  }
  for (const one of vectors.refused) {
    const bytes = one.bytes.match(/../g).map((pair) => parseInt(pair, 16));
    const armour = btoa(String.fromCharCode(...bytes));
    const file = text.replace('*', armour.match(/.{1,64}/g).join('\\n'));
    const asked = verifyProof(file, vectors.network_id);
    const code = await asked.then(() => 'accepted', (error) => error.code);
    if (code !== one.code) wrong.push(`${one.name}: ${code}`);
  }
  return wrong;
}"""

CHECK_MAPS = """async ([proofs, refused]) => {
  const { open } = await import('/explorer/verify/trie.js');
  const { fromHex, toHex } = await import('/explorer/verify/bytes.js');
  const wrong = [];
  const hex = (value) => (value === null ? null : toHex(value));
  for (const one of proofs) {
    const map = await open(fromHex(one.proof));
    if (toHex(map.root) !== one.root) wrong.push(one.note);
    for (const [key, value] of one.values ?? []) {
      if (hex(map.get(fromHex(key))) !== value) wrong.push(one.note);
    }
    if (!one.range) continue;
    const [start, end] = one.range;
    const { entries, isComplete } = map.scan(fromHex(start), end === null ? null : fromHex(end));
    const shown = entries.map((entry) => entry.map(toHex));
    const same = JSON.stringify(shown) === JSON.stringify(one.entries);
    if (!same || isComplete !== one.complete) wrong.push(one.note);
  }
  for (const one of refused) {
    const asked = open(fromHex(one.proof)).then((map) => map.get(fromHex(one.key)));
    const name = await asked.then(() => 'accepted', (error) => error.name);
    if (name !== 'Refused') wrong.push(one.note);
  }
  return wrong;
}"""


def test_the_vectors_hold_in_the_browser(open_window: OpenWindow) -> None:
    page = open_window(signed_in=False).open()
    proofs = json.loads((VECTORS / "proofs" / "vectors.json").read_text())
    armour = "-----BEGIN MYCELD PROOF-----\n*\n-----END MYCELD PROOF-----\n"
    assert page.evaluate(CHECK_PROOFS, [proofs, armour]) == []
    state = VECTORS / "state"
    maps = [json.loads((state / name).read_text()) for name in ("proofs.json", "refused.json")]
    assert page.evaluate(CHECK_MAPS, maps) == []


def test_a_token_leaves_the_address_at_once_and_a_wrong_one_is_asked_for_again(
    open_window: OpenWindow, net: Devnet
) -> None:
    window: Window = open_window(signed_in=False)
    with window.expects("status of 401"):  # to each of what was asked for with the wrong one
        page = window.open("#token=wrong&page=rounds")
        expect(page.get_by_role("alert").or_(page.locator(".notice.bad"))).to_be_visible()
        assert "token" not in page.url
        token = (net.home(1) / "gateway.token").read_text().strip()
        page.get_by_label("Token", exact=True).fill(token)
        page.get_by_role("button", name="Open", exact=True).click()
        settled(page, "Rounds")
        page.get_by_role("button", name="Forget token").click()
        expect(page.get_by_role("heading", name="Open this cell")).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0


def test_pages_are_walked_by_the_keyboard_alone(open_window: OpenWindow) -> None:
    page = open_window().open("#/rounds")
    settled(page, "Rounds")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Round", exact=True)).to_be_focused()
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    settled(page, "Round 1")


def test_a_message_is_sent_and_new_transactions_come_by_themselves(
    open_window: OpenWindow, shared: dict[str, str], net: Devnet
) -> None:
    window = open_window()
    frames: list[dict[str, Any]] = []

    def heard(data: str | bytes) -> None:
        frames.append(json.loads(data))

    window.page.on("websocket", lambda socket: socket.on("framereceived", heard))
    page = window.open(f"#/messages/cell/{shared['cell']}")
    page.get_by_label("Message", exact=True).fill("Then I come <b>by</b>.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Then I come <b>by</b>.")).to_be_visible()  # text stays text
    page = window.open("#/transactions")
    settled(page, "Transactions")
    window.until(lambda: any(one.get("subscribed") == "rounds" for one in frames), "no rounds")
    frames.clear()
    receipt = net.client(2).put("explorer/news", b"new", wait="applied", timeout_s=WAIT_S)
    window.until(lambda: any(one.get("kind") == "rounds" for one in frames), "nothing was heard")
    expect(page.get_by_role("link", name=receipt["id"])).to_be_visible()


def test_pages_ask_again_when_the_cell_is_back(open_window: OpenWindow) -> None:
    window = open_window()
    page = window.open("#/rounds")
    settled(page, "Rounds")
    with window.expects("ERR_FAILED"):
        page.route("**/api/**", lambda route: route.abort())
        page.get_by_role("link", name="Transactions").click()
        expect(page.get_by_role("alert")).to_contain_text("The cell does not answer.")
        expect(page.locator("#pulse")).to_have_text("No answer")
        page.unroute("**/api/**")
        expect(page.get_by_role("table")).to_be_visible()
    expect(page.locator("#pulse")).to_contain_text("Round")
    settled(page, "Transactions")


def test_a_refusal_shows_its_code_and_what_to_do(open_window: OpenWindow) -> None:
    window = open_window()
    with window.expects("status of 404"):
        page = window.open(f"#/transactions/{'00' * 32}")
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("MYC-GATEWAY-021")
        expect(alert).to_contain_text("ask the cell that took the transaction")
