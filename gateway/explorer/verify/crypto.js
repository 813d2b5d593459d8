// SHA-256 and Ed25519, as the browser's WebCrypto has them.

import { concat, equal, fromHex } from "./bytes.js";

/** This browser can not do what a proof needs. Nothing is wrong with the proof. */
export class CryptoMissing extends Error {
  constructor(message, remedy) {
    super(message);
    this.name = "CryptoMissing";
    this.code = "MYC-GATEWAY-082";
    this.remedy = remedy;
  }
}

const UPDATE = "Use a browser with Ed25519 in WebCrypto (Firefox 130, Safari 17, Chrome 137, or newer), or check the proof with `myceld verify`.";

export async function sha256(...parts) {
  return new Uint8Array(await subtle().digest("SHA-256", concat(...parts)));
}

/** Whether `publicKey` signed `message`. Throws CryptoMissing where the browser has no Ed25519. */
export async function isSigned(publicKey, message, signature) {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  if (isNoPoint(publicKey) || isNoPoint(signature.subarray(0, 32))) return false;
  let key;
  try {
    key = await subtle().importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError") throw new CryptoMissing("This browser has no Ed25519 in WebCrypto.", UPDATE);
    if (error instanceof CryptoMissing) throw error;
    return false;
  }
  return subtle().verify({ name: "Ed25519" }, key, signature, message);
}

function subtle() {
  if (!globalThis.crypto?.subtle) {
    throw new CryptoMissing("This page was not opened securely, so the browser gives it no WebCrypto.",
      "Open the explorer on the cell's own machine (127.0.0.1), or over HTTPS.");
  }
  return globalThis.crypto.subtle;
}

// Points of small order by their y, and what is not below the prime: browsers differ in these.
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map(fromHex);

function isNoPoint(encoded) {
  const y = Uint8Array.from(encoded);
  y[31] &= 0x7f;
  const isBeyondPrime = y[31] === 0x7f && y[0] >= 0xed && y.subarray(1, 31).every((byte) => byte === 0xff);
  return isBeyondPrime || SMALL_ORDER.some((point) => equal(point, y));
}
