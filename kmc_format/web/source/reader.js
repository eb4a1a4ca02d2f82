/* Reads KMC files: FORMAT.md, whose terms and rules these are. Everything that is in a file is checked before
   it is believed. This part reads bytes. */

/** A file that cannot be shown; `rule` is a name in FORMAT.md, "What a reader rejects", or "limit". */
export class KMCError extends Error {
  constructor(rule, message) {
    super(`${message} (rule ${rule})`);
    this.name = "KMCError";
    this.rule = rule;
  }
}

const NEWER = "this file needs a newer reader";

const fail = (rule, message = "this file is damaged") => {
  throw new KMCError(rule, message);
};

const CRCS = new Uint32Array(256).map((_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** Reads bytes front to back; where they end too early, a rule is broken. */
class Reader {
  constructor(bytes, rule = "truncated", at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.rule = rule;
    this.at = at;
    this.end = end;
  }

  take(count) {
    const start = this.at;
    if (count > this.end - start) fail(this.rule, "this file ends too early");
    this.at += count;
    return this.bytes.subarray(start, this.at);
  }

  byte() {
    return this.take(1)[0];
  }

  word() {
    return this.take(4).reduce((word, byte) => word * 256 + byte, 0);
  }

  varint() {
    let value = 0;
    for (let place = 0; place < 5; place++) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** (7 * place);
      if (byte > 127) continue;
      if (value >= 2 ** 32 || (place && !byte)) break;
      return value;
    }
    return fail("varint");
  }

  /** Checks the CRC of what was read from an offset on. */
  check(from) {
    let crc = -1;
    for (let at = from; at < this.at; at++) crc = CRCS[(crc ^ this.bytes[at]) & 255] ^ (crc >>> 8);
    if (this.word() !== ~crc >>> 0) fail("crc");
  }

  /** Reads a chunk; `check` is called with tag and length before more is read. */
  chunk(check) {
    const from = this.at;
    const tag = this.byte();
    const length = this.varint();
    if (check) check(tag, length);
    const payload = this.take(length);
    this.check(from);
    return { tag, payload };
  }
}

// So much is expanded at once before one looks at how much it became.
const SLICE = 4096;

/** Expands a bare deflate stream; returns nothing if it is not whole, or holds more or less than that. */
async function expand(data, length) {
  const stream = new DecompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  const ignore = () => {};
  const write = async () => {
    for (let at = 0; at < data.length; at += SLICE) await writer.write(data.slice(at, at + SLICE));
    await writer.close();
  };
  const written = write();
  written.catch(ignore);
  const result = new Uint8Array(length);
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      result.set(value, size); // throws where there is more
      size += value.length;
    }
    await written;
  } catch {
    size = -1;
    reader.cancel().catch(ignore);
    writer.abort().catch(ignore);
  }
  return size === length ? result : undefined;
}

let ignoresMore; // whether what comes after the end of a stream goes unnoticed, as it does in Node

async function inflate(data, length) {
  ignoresMore ??= expand(Uint8Array.of(3, 0, 0), 0);
  const result = await expand(data, length);
  // There, a stream that needs all its bytes is one that is not whole without the last.
  if (!result || ((await ignoresMore) && (await expand(data.slice(0, -1), length)))) {
    fail("deflate");
  }
  return result;
}
