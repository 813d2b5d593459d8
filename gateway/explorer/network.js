// Which network the reader trusts: the id against which this browser checks every proof.
// It comes with the link of `myceld explorer`, from the genesis in the cell's home, or is pasted.
// Where nobody gave one, the id that the cell names is taken, and every verdict says so.

const KEY = "myceld-network";
const ID = /^[0-9a-f]{64}$/;

/** Return {id, given}: `given` is false while the cell itself is all that vouches for the id. */
export function trusted(info) {
  const id = localStorage.getItem(KEY);
  return id ? { id, given: true } : { id: info.network_id, given: false };
}

/** Trust the network of this id from now on; an empty text forgets it. Return whether it is one. */
export function trust(text) {
  const id = text.trim().toLowerCase();
  if (!id) localStorage.removeItem(KEY);
  else if (ID.test(id)) localStorage.setItem(KEY, id);
  else return false;
  return true;
}
