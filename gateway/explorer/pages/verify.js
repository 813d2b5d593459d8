// Checks any proof in this browser: of transactions, values, rounds and members, or of a journal's block.

import { h, replace } from "../dom.js";
import { announce, button, field, fillWith, form, heading, input, notice, section } from "../parts.js";
import { trust, trusted } from "../network.js";
import { anyVerdict } from "../verdict.js";
import { networkIdIn } from "../verify/proof.js";

export const title = "Verify a proof";

export async function render(root, context) {
  const place = h("div", { "aria-live": "polite" });
  const text = h("textarea", { name: "proof", required: true, spellcheck: "false", autocomplete: "off", placeholder: "-----BEGIN MYCELD PROOF-----" });
  const file = h("input", { type: "file", onchange: async () => { if (file.files[0]) text.value = await file.files[0].text(); } });
  replace(root,
    heading("Verify a proof", "A receipt, a value, a round, a roster, or a journal’s block. It is checked here, in this browser: nothing is sent, and no cell has to be believed."),
    form("Proof to verify", (fields) => fillWith(place, context, () => anyVerdict(fields.proof, context)),
      field("Proof", text, "The text of a file that the explorer or `myceld` wrote."),
      field("Or a file with it", file),
      h("div", { class: "row" }, button("Verify", null, { type: "submit", kind: "primary" }))),
    place, section("What you trust", network(context)));
}

function network(context) {
  const said = h("div", { "aria-live": "polite" });
  const show = () => {
    const { id, given } = trusted(context.info);
    idField.value = id;
    replace(said, given
      ? notice(id === context.info.network_id ? "good" : "warn", id === context.info.network_id
        ? "You gave this network id, and this cell is of that network." : "You gave this network id. This cell is of another network: its proofs will be refused.")
      : notice("warn", "Only this cell has named this id so far. Compare it with a genesis file that you trust, or choose that file here."));
  };
  const idField = input("network", "", { pattern: "\\s*([0-9a-fA-F]{64})?\\s*", title: "64 hex digits", class: "mono" });
  const genesis = h("input", {
    type: "file", accept: ".json,application/json",
    onchange: async () => {
      const id = genesis.files[0] && networkIdIn(await genesis.files[0].text());
      if (id) keep(id);
      else replace(said, notice("bad", "This is no genesis file."));
    },
  });
  const keep = (id) => {
    trust(id);
    show();
    announce("Kept.");
  };
  const shown = form("Trusted network", (fields) => keep(fields.network),
    field("Network id", idField, "The hash of the network’s genesis. It is all that a proof rests on, beside the members themselves."),
    field("Or its genesis file", genesis),
    h("div", { class: "row" }, button("Trust this network", null, { type: "submit" })), said);
  show();
  return shown;
}
