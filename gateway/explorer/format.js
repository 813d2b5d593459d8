// How numbers, times, sizes and ids are written. Pure.

const NUMBER = new Intl.NumberFormat("en");
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const DECIMALS = 9;

/** 12345 -> "12,345"; takes BigInt too. */
export function number(value) {
  return value === null || value === undefined ? "–" : NUMBER.format(value);
}

/** Milliseconds as people say them. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** A time in nanoseconds of the Unix epoch, in the reader's zone. */
export function momentNs(ns) {
  return ns ? momentMs(Number(ns) / 1e6) : "–";
}

/** A time in milliseconds of the Unix epoch, in the reader's zone. */
export function momentMs(ms) {
  return ms ? MOMENT.format(new Date(Number(ms))) : "–";
}

/** The time of day of a moment in ISO 8601, to the millisecond, in the reader's zone; with its day, unless that is today. */
export function clock(iso) {
  const moment = new Date(iso);
  if (Number.isNaN(moment.getTime())) return "–";
  const time = CLOCK.format(moment);
  return moment.toDateString() === new Date().toDateString() ? time : `${DAY.format(moment)}, ${time}`;
}

/** How long ago a time in milliseconds was. */
export function ago(ms) {
  if (!ms) return "–";
  const past = Date.now() - Number(ms);
  return past < 1500 ? "now" : `${duration(past)} ago`;
}

/** Bytes in binary units. */
export function bytes(count) {
  if (count === null || count === undefined) return "–";
  const value = Number(count);
  if (value < 1024) return `${value} B`;
  const power = Math.min(4, Math.floor(Math.log2(value) / 10));
  return `${(value / 1024 ** power).toFixed(value / 1024 ** power < 10 ? 1 : 0)} ${" KMGT"[power]}iB`;
}

/** The beginning and end of a long id. */
export function short(id, begin = 8, end = 6) {
  const text = String(id ?? "");
  return text.length > begin + end + 1 ? `${text.slice(0, begin)}…${text.slice(-end)}` : text || "–";
}

/** Base units as an amount: decimal places without trailing zeros. */
export function amount(units, decimals = DECIMALS) {
  const value = BigInt(units);
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, "0");
  const whole = NUMBER.format(BigInt(digits.slice(0, digits.length - decimals)));
  const rest = decimals ? digits.slice(-decimals).replace(/0+$/, "") : "";
  return `${value < 0n ? "−" : ""}${whole}${rest ? `.${rest}` : ""}`;
}

/** Whether a text has no control characters but tabs and ends of lines. */
export function isReadable(text) {
  return !/[^\P{Cc}\t\n\r]/u.test(text);
}

/** A share of 1 as a percentage. */
export function percent(share, digits = 0) {
  return share === null || share === undefined ? "–" : `${(share * 100).toFixed(digits)} %`;
}

const WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/** Small numbers in words. */
export function inWords(value) {
  return WORDS[value] ?? number(value);
}

/** "1 block", "2 blocks". */
export function count(value, one, many = `${one}s`) {
  return `${number(value)} ${Number(value) === 1 ? one : many}`;
}

/** Words with a capital at the beginning. */
export function capital(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}
