// Asks the cell. A token is kept for this tab only; refusals come as ApiError, with code and remedy.

const TOKEN = "myceld-token";
const TIMEOUT_MS = 45_000;

/** What the cell, or the way to it, answers instead of what was asked for. */
export class ApiError extends Error {
  constructor(status, { message, code, remedy, retryable }, retryAfterS = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.remedy = remedy;
    this.retryable = Boolean(retryable);
    this.retryAfterS = retryAfterS;
  }
}

/** One cell, as this page may ask it. */
export class Api {
  #onRefusedToken;
  #onNoAnswer;

  constructor(onRefusedToken, onNoAnswer) {
    this.#onRefusedToken = onRefusedToken;
    this.#onNoAnswer = onNoAnswer;
  }

  get token() {
    return sessionStorage.getItem(TOKEN);
  }

  set token(token) {
    if (token) sessionStorage.setItem(TOKEN, token);
    else sessionStorage.removeItem(TOKEN);
  }

  /** GET a path below /api/; parameters that are null are left out. */
  get(path, parameters = {}, signal = undefined) {
    const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
    const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    return this.#ask("GET", given.length ? `${path}?${query}` : path, undefined, signal);
  }

  /** POST JSON to a path below /api/. */
  post(path, fields, signal = undefined) {
    return this.#ask("POST", path, fields, signal);
  }

  async #ask(method, path, fields, signal) {
    const token = this.token;
    const headers = { Accept: "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    if (fields !== undefined) headers["Content-Type"] = "application/json";
    const deadline = AbortSignal.timeout(TIMEOUT_MS);
    let answer, text;
    try {
      answer = await fetch(`/api/${path}`, {
        method,
        headers,
        body: fields === undefined ? undefined : JSON.stringify(fields),
        signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
        cache: "no-store",
        credentials: "omit",
      });
      text = await answer.text();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      this.#onNoAnswer();
      throw new ApiError(0, {
        message: error.name === "TimeoutError" ? "The cell did not answer in time." : "The cell does not answer.",
        code: "",
        remedy: "See whether it runs, with `myceld status`; then try again.",
        retryable: true,
      });
    }
    const content = parse(text, answer.headers.get("Content-Type") ?? "");
    if (answer.ok) return content;
    if (answer.status === 401 && token === this.token) this.#onRefusedToken();
    const retryAfter = Number(answer.headers.get("Retry-After"));
    throw new ApiError(answer.status, content?.error ?? {
      message: `The cell answered with status ${answer.status}.`, code: "", remedy: "",
    }, retryAfter || null);
  }
}

/** Whole numbers that JavaScript would round become BigInt where the browser tells their digits. */
function parse(text, mediaType) {
  if (!mediaType.startsWith("application/json")) return text;
  return JSON.parse(text, (_name, value, context) =>
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source
      ? BigInt(context.source) : value);
}
