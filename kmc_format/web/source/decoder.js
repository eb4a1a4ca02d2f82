/* Reads KMC files: FORMAT.md, whose terms and rules these are. Everything that is in a file is checked before
   it is believed; labels are decoded by the compiled core, as WebAssembly. */

const CORE = "@CORE@"; // deflated, in base64

const MAX_DIMENSION = 2 ** 31 - 1;
const MAX_TILE_PIXELS = 2 ** 28;
const MAX_TILES = 2 ** 24;
const MAX_LEARNING_TILES = 4;
const MAX_METADATA = 2 ** 24;
const MAX_VARINT = 2 ** 32 - 1;
const MAX_DEPTH = 16;
const MAX_RDO = 2 ** 22;

// By pixel format: mode, channels, bits of a channel, and the most entries.
const KINDS = [
  ["1", 1, 8, 2],
  ["L", 1, 8, 256],
  ["LA", 2, 8, 65536],
  ["RGB", 3, 8, 65536],
  ["RGBA", 4, 8, 65536],
  ["P", 3, 8, 256],
  ["P", 4, 8, 256],
  ["I;16", 1, 16, 65536],
  ["I", 1, 32, 65536],
];

// Flags of frames.
const KEY = 1;
const DURATION = 2;
const CODEBOOK = 4;
const BACK = 8;
const KEPT = 16;

// Label codings, and options of drawn labels.
const PACKED = 0;
const DRAWN = 1;
const PHOTOGRAPHIC = 2;
const FOLLOWING = 3;
const MATCHES = 2;
const RICH = 4;
const FRAMES = 8;

/** A file that cannot be shown; `rule` is a name in FORMAT.md, "What a reader rejects", or "limit". */
export class KMCError extends Error {
  constructor(rule, message) {
    super(`${message} (rule ${rule})`);
    this.name = "KMCError";
    this.rule = rule;
  }
}

const fail = (rule, message) => {
  throw new KMCError(rule, message);
};

const CRCS = new Uint32Array(256).map((_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crcOf(bytes, from, to) {
  let crc = -1;
  for (let at = from; at < to; at++) crc = CRCS[(crc ^ bytes[at]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Reads bytes front to back; where they end too early, a rule is broken. */
class Reader {
  constructor(bytes, at = 0, end = bytes.length, rule = "truncated") {
    Object.assign(this, { bytes, at, end, rule });
  }

  /** Steps over so many bytes; returns where they begin. */
  skip(count) {
    const start = this.at;
    if (count > this.end - start) fail(this.rule, `it ends at byte ${this.end}, within what is there`);
    this.at += count;
    return start;
  }

  byte() {
    return this.bytes[this.skip(1)];
  }

  take(count) {
    return this.bytes.subarray(this.skip(count), this.at);
  }

  word() {
    return this.take(4).reduce((word, byte) => word * 256 + byte, 0);
  }

  varint() {
    const start = this.at;
    let value = 0;
    for (let place = 0; place < 5; place++) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** (7 * place);
      if (byte > 127) continue;
      if (value > MAX_VARINT || (place && !byte)) break;
      return value;
    }
    return fail("varint", `the number at byte ${start} is over-long`);
  }

  /** Checks the CRC of what was read from an offset on. */
  check(from) {
    const crc = crcOf(this.bytes, from, this.at);
    if (this.word() !== crc) fail("crc", `what begins at byte ${from} is damaged`);
  }

  /** Reads a chunk, whatever it is. */
  chunk() {
    const from = this.at;
    const tag = this.byte();
    const payload = this.take(this.varint());
    this.check(from);
    return { tag, payload };
  }
}

/* --- Deflate --- */

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

async function inflate(data, length, name) {
  ignoresMore ??= expand(Uint8Array.of(3, 0, 0), 0);
  const result = await expand(data, length);
  // There, a stream that needs all its bytes is one that is not whole without the last.
  if (!result || ((await ignoresMore) && (await expand(data.slice(0, -1), length)))) {
    fail("deflate", `${name}: a deflate stream that does not hold exactly ${length} bytes`);
  }
  return result;
}

/* --- The compiled core --- */

let compiled;
let shared;

async function compile() {
  const coded = Uint8Array.from(atob(CORE), (letter) => letter.charCodeAt(0));
  const stream = new Blob([coded]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return WebAssembly.compile(await new Response(stream).arrayBuffer());
}

/** An instance of the core, with memory of its own. */
class Core {
  static async make() {
    compiled ??= compile();
    const core = new Core();
    core.calls = (await WebAssembly.instantiate(await compiled)).exports;
    return core;
  }

  /** Returns one for work that leaves nothing behind; not the same again once it has grown large. */
  static async share() {
    const old = await shared;
    if (!old || old.calls.memory.buffer.byteLength > 2 ** 26) shared = Core.make();
    return shared;
  }

  take(size) {
    return this.calls.take(size) || fail("limit", `no memory for ${size} bytes`);
  }

  view(at, array) {
    return new array.constructor(this.calls.memory.buffer, at, array.length);
  }

  /** Calls with a function that makes room for arrays, until the call ends; returns what it returns. */
  run(call) {
    const taken = [];
    const put = (array, copied = true) => {
      const at = this.take(array.byteLength);
      taken.push(at);
      if (copied) this.view(at, array).set(array);
      return at;
    };
    try {
      return call(this.calls, put);
    } finally {
      taken.forEach(this.calls.drop);
    }
  }

  codebook(words, channels, bits, coded) {
    return this.run((calls, put) => {
      const at = put(words, false);
      const k = words.length / channels;
      if (!calls.codebook(at, k, channels, bits, put(coded), coded.length)) return false;
      words.set(this.view(at, words));
      return true;
    });
  }

  /** Fills an array with labels, by a call that takes what all kinds of them have in common. */
  labels(labels, copied, book, coded, name, call) {
    const result = this.run((calls, put) => {
      const items = put(labels, copied);
      const { names } = book.order;
      const result = call(calls, put(coded), coded.length, items, labels.BYTES_PER_ELEMENT, put(names), put);
      if (!result) labels.set(this.view(items, labels));
      return result;
    });
    if (result === 1) fail("label", `${name}: a label is not below k = ${book.k}`);
    if (result === 2) fail("labels-length", `${name}: these are not the bytes that its labels take`);
    if (result) fail("limit", `${name}: no memory for its tables`);
  }
}

/* --- Codebooks --- */

/** The entries of a codebook, and what labels are to those who code them. */
class Book {
  static async read(kind, k, coding, coded, transparency) {
    const [mode, channels, bits, most] = kind;
    const length = (k * channels * bits) / 8;
    if (k > most) fail("k", `k = ${k} is over ${most}, the most for mode ${mode}`);
    const words = new Uint32Array(k * channels);
    if (coding === 0) {
      if (coded.length !== length) fail("codebook-length", `a codebook of ${coded.length} bytes, not ${length}`);
      const step = bits / 8;
      for (let at = 0; at < length; at++) words[(at / step) | 0] = (words[(at / step) | 0] << 8) | coded[at];
    } else if (coding !== 1) {
      fail("codebook-coding", `codebook coding ${coding} is newer than this reader`);
    } else if (!(await Core.share()).codebook(words, channels, bits, coded)) {
      fail("codebook-length", `a codebook is not what ${coded.length} bytes hold`);
    }
    if (mode === "1" && words.some((word) => word && word !== 255)) {
      fail("codebook-value", "a bilevel codebook holds other values than 0 and 255");
    }
    return new Book(mode, k, (bits < 16 ? Uint8Array : bits < 32 ? Uint16Array : Int32Array).from(words), transparency);
  }

  constructor(mode, k, stored, transparency) {
    this.k = k;
    this.stored = stored;
    this.palette = mode === "P" ? stored : null;
    this.seen = transparency === undefined ? stored : this.withAlpha(transparency);
  }

  get channels() {
    return this.seen.length / this.k;
  }

  /** Joins a palette's transparency to it: one clear entry, or the alpha of the first ones. */
  withAlpha(transparency) {
    const { k, stored } = this;
    const channels = stored.length / k;
    const seen = new Uint8Array(4 * k).fill(255);
    for (let n = 0; n < k; n++) {
      seen.set(stored.subarray(n * channels, n * channels + channels), 4 * n);
      if (n === transparency) seen[4 * n + 3] = 0;
      if (n < transparency.length) seen[4 * n + 3] = transparency[n];
    }
    return seen;
  }

  /** The label of each number, and its colour: FORMAT.md, "Digits of labels". */
  get order() {
    if (this.ordered) return this.ordered;
    const { k, stored } = this;
    const channels = stored.length / k;
    const narrow = stored instanceof Uint8Array;
    const keys = new Float64Array(k); // the label is in the lowest 16 bits
    for (let n = 0; n < k; n++) {
      let key = narrow ? 0 : stored[n];
      for (let bit = 7; narrow && bit >= 0; bit--) {
        for (let c = 0; c < channels; c++) key = key * 2 + ((stored[n * channels + c] >> bit) & 1);
      }
      keys[n] = key * 65536 + n;
    }
    const names = Uint16Array.from(keys.sort());
    const colours = new Uint8Array(4 * k);
    names.forEach((label, number) => {
      if (narrow) colours.set(stored.subarray(label * channels, label * channels + channels), 4 * number);
      else colours[4 * number] = (number * 256) / k;
    });
    return (this.ordered = { names, colours });
  }

  /** Makes an array for so many labels. */
  room(count) {
    return new (this.k > 256 ? Uint16Array : Uint8Array)(count);
  }
}

/* --- Metadata --- */

const tagOf = (letter) => letter.charCodeAt(0);
const INDEX = tagOf("I");
const KNOWN = [..."Iiexdtroa"].map(tagOf);

async function parseBytes(payload, letter) {
  const name = `chunk '${letter}'`;
  const reader = new Reader(payload, 0, payload.length, "metadata-value");
  const length = reader.varint();
  if (length > MAX_METADATA) fail("metadata-length", `${name}: ${length} bytes are over ${MAX_METADATA}`);
  const stored = payload.slice(reader.at);
  if (stored.length > length) fail("metadata-value", `${name} holds ${stored.length} bytes, not ${length}`);
  return stored.length === length ? stored : inflate(stored, length, name);
}

async function parseMetadata(chunks, mode) {
  const metadata = {};
  const get = (letter) => chunks.get(tagOf(letter));
  const wrong = (letter) => fail("metadata-value", `chunk '${letter}' is not as described`);
  for (const [name, letter] of [["icc", "i"], ["exif", "e"], ["xmp", "x"]]) {
    if (get(letter)) metadata[name] = await parseBytes(get(letter), letter);
  }
  const view = (payload) => new DataView(payload.buffer, payload.byteOffset, payload.length);
  const dpi = get("d");
  if (dpi) {
    metadata.dpi = dpi.length === 16 ? [view(dpi).getFloat64(0), view(dpi).getFloat64(8)] : wrong("d");
    if (!metadata.dpi.every((one) => one > 0 && one < Infinity)) wrong("d");
  }
  const clear = get("t");
  if (clear) {
    const [first, entry] = clear;
    const one = first === 0 && clear.length === 2;
    if (mode !== "P" || !(one || (first === 1 && clear.length < 258))) wrong("t");
    metadata.transparency = one ? entry : clear.slice(1);
  }
  const rdo = get("r");
  if (rdo) {
    metadata.rdo = rdo.length === 4 ? view(rdo).getFloat32(0) : wrong("r");
    if (!(metadata.rdo > 0 && metadata.rdo <= MAX_RDO)) wrong("r");
  }
  return metadata;
}

/* --- What stands before the labels --- */

function readHeader(reader) {
  const signature = reader.take(8);
  if (signature.join() !== "139,75,77,67,13,10,26,10") fail("signature", "not a KMC file");
  const version = reader.byte();
  if (version !== 1) fail("version", `this reader knows version 1 of KMC, not ${version}`);
  const kind = reader.byte();
  const tiled = kind > 127;
  const width = reader.varint();
  const height = reader.varint();
  const k = reader.varint() + 1;
  const tile = tiled ? [reader.varint(), reader.varint()] : [width, height];
  const length = reader.varint();
  checkCodebook(length, k);
  const codebook = reader.take(length);
  reader.check(8);
  const grid = { width, height, tile, columns: Math.ceil(width / tile[0]) };
  grid.count = grid.columns * Math.ceil(height / tile[1]);
  checkGrid(grid, tiled);
  return { grid, k, format: kind & 15, coding: (kind >> 4) & 7, codebook };
}

function checkCodebook(length, k) {
  if (length > 4 * k) fail("codebook-length", `${length} bytes are too long for a codebook of ${k} entries`);
}

function checkGrid({ width, height, tile, count }, tiled) {
  if (!(width && height && width <= MAX_DIMENSION && height <= MAX_DIMENSION)) {
    fail("size", `no picture is ${width}x${height}`);
  }
  const [columns, rows] = tile;
  if (!(columns && rows && columns <= width && rows <= height) || tiled !== count > 1) {
    fail("tile-size", `a ${width}x${height} picture has no ${columns}x${rows} tiles`);
  }
  if (columns * rows > MAX_TILE_PIXELS) fail("tile-pixels", `a tile has ${columns}x${rows} pixels`);
  if (count > MAX_TILES) fail("tile-count", `${count} tiles are over ${MAX_TILES}`);
}

/** Reads index and metadata; returns the payloads of those that are known, by tag. */
function readChunks(reader, count) {
  const chunks = new Map();
  for (;;) {
    const start = reader.at;
    const tag = reader.byte();
    reader.at = start;
    if (tag < 32) break;
    const name = `the chunk at byte ${start}`;
    const known = KNOWN.includes(tag);
    reader.skip(1);
    const length = reader.varint();
    if (tag === INDEX && length !== 4 * count) fail("index-length", `${name} is no index of ${count} tiles`);
    if (tag !== INDEX && known && length > MAX_METADATA + 4) fail("metadata-length", `${name} is too long`);
    reader.at = start;
    const { payload } = reader.chunk();
    if (!known && !(tag >= 97 && tag <= 122)) fail("chunk-unknown", `${name} is newer than this reader`);
    if (chunks.has(tag)) fail("chunk-duplicate", `${name} comes a second time`);
    if (chunks.has(INDEX)) fail("chunk-order", `${name} comes after the index`);
    if (known) chunks.set(tag, payload);
  }
  if (chunks.has(INDEX) !== count > 1) {
    fail("index-presence", `a picture of ${count} tiles ${count > 1 ? "lacks its" : "has an"} index`);
  }
  return chunks;
}

function parseTiming(payload) {
  const reader = new Reader(payload, 0, payload.length, "frame-timing");
  const timing = { loop: reader.varint(), duration: reader.varint() };
  if (reader.at < payload.length) fail("frame-timing", "chunk 'a' has more bytes than its numbers take");
  return timing;
}

/* --- Frames --- */

/** Finds where the frames after the first begin, and the last ends: by the index, or from chunk to chunk. */
function findFrames(bytes, first) {
  const starts = findByIndex(bytes, first);
  if (starts) return starts;
  const reader = new Reader(bytes, first);
  const found = [first];
  for (;;) {
    const start = reader.at;
    const tag = reader.byte();
    reader.skip(reader.varint());
    reader.skip(4);
    if (tag === tagOf("j")) return found;
    if (tag !== tagOf("f")) fail("chunk-order", `there is another chunk at byte ${start}, among frames`);
    found.push(reader.at);
  }
}

function findByIndex(bytes, first) {
  try {
    const at = bytes.length - new Reader(bytes, Math.max(bytes.length - 8, 0)).word();
    if (!(first <= at && at < bytes.length - 8)) return null;
    const { tag, payload } = new Reader(bytes, at).chunk();
    const lengths = new Reader(payload, 0, payload.length - 4);
    const starts = [first];
    while (lengths.at < lengths.end) starts.push(starts.at(-1) + lengths.varint());
    return tag === tagOf("j") && starts.at(-1) === at ? starts : null;
  } catch {
    return null;
  }
}

/** Reads frame `number`, whose chunk has these bounds, but for its codebook and tiles. */
function readFrame(bytes, number, start, end) {
  const chunk = new Reader(bytes, start);
  const name = `frame ${number} at byte ${start}`;
  const { tag, payload } = chunk.chunk();
  if (tag !== tagOf("f") || chunk.at !== end) fail("index-mismatch", `${name} is not as the index says`);
  const reader = new Reader(payload, 0, payload.length, "frame-length");
  const flags = reader.byte();
  checkFlags(flags, name);
  const duration = flags & DURATION ? reader.varint() : undefined;
  const back = flags & BACK ? reader.varint() : 1;
  if (!(flags & KEY) && !(back && back <= number)) fail("frame-back", `${name} goes back by ${back} frames`);
  let book;
  if (flags & CODEBOOK) {
    book = { k: reader.varint() + 1, coding: reader.byte() };
    const length = reader.varint();
    checkCodebook(length, book.k);
    book.coded = reader.take(length);
  }
  return { name, flags, duration, before: flags & KEY ? -1 : number - back, book, tiles: payload.subarray(reader.at) };
}

function checkFlags(flags, name) {
  const lacks = (one, other) => flags & one && !(flags & other);
  if (flags > 31 || lacks(KEY | BACK, DURATION) || (flags & KEY && flags & BACK) || lacks(CODEBOOK, KEY) || lacks(KEPT, BACK)) {
    fail("frame-flags", `${name} has flags that are not for one frame, or newer than this reader`);
  }
}

/** Reads all frames, and checks that each goes on from one that is there. */
function readFrames(bytes, first, duration) {
  const starts = findFrames(bytes, first);
  const frames = [{ duration, flags: KEY, before: -1, depth: 1 }];
  let kept = 0;
  for (let n = 1; n < starts.length; n++) {
    const frame = readFrame(bytes, n, starts[n - 1], starts[n]);
    frame.duration ??= frames[n - 1].duration;
    if (frame.flags & BACK) {
      if (frame.before !== kept) fail("frame-back", `${frame.name} goes back to another than was kept last`);
      frames[kept].returned = true;
    }
    frame.depth = frame.before < 0 ? 1 : frames[frame.before].depth + 1;
    if (frame.depth > MAX_DEPTH) fail("frame-depth", `${frame.name} takes more than ${MAX_DEPTH} to be decoded`);
    if (frame.flags & (KEY | KEPT)) kept = n;
    frames.push(frame);
  }
  return frames;
}

/* --- Tiles --- */

function unpack(packed, labels, width, bits) {
  if (bits === 8) return labels.set(packed);
  const mask = (1 << bits) - 1;
  let at = 0;
  for (let n = 0; n < labels.length; at++) {
    if (bits > 8) {
      labels[n++] = (packed[at++] << 8) | packed[at];
      continue;
    }
    const end = Math.min(n + 8 / bits, n + width - (n % width));
    for (let shift = 8 - bits; n < end; shift -= bits) labels[n++] = (packed[at] >> shift) & mask;
  }
}

/** The labels of a tile, and what was learnt in it if others may go on from that. */
class Tile {
  constructor(picture, width, height) {
    const learns = picture.animated && picture.file.grid.count <= MAX_LEARNING_TILES;
    Object.assign(this, { picture, width, height, learns, labels: null, frames: 0, options: 0 });
  }

  /** Decodes the next frame: its coding, or none if nothing changed, and the bytes that belong to it. */
  async decode(book, coding, payload, name) {
    const drawn = coding === DRAWN;
    if (coding === undefined || (coding === FOLLOWING && this.picture.animated)) {
      if (!this.labels) fail("frame-key", `${name} goes on, but nothing comes before`);
      if (coding) await this.goOn(book, coding, payload, name);
    } else if (drawn && payload[0] & FRAMES) {
      this.forget();
      await this.goOn(book, coding, payload, name);
    } else {
      const labels = book.room(this.width * this.height);
      if (coding === PACKED) await this.unpack(book, payload, labels, name);
      else await this.model(book, coding, payload, labels, name);
      this.forget();
      this.labels = labels;
    }
  }

  async unpack(book, payload, labels, name) {
    const bits = [1, 2, 4, 8, 16].find((bits) => book.k <= 2 ** bits);
    const length = this.height * Math.ceil((this.width * bits) / 8);
    if (payload.length > length) fail("labels-length", `${name}: ${payload.length} bytes of labels, not ${length}`);
    unpack(payload.length < length ? await inflate(payload, length, name) : payload, labels, this.width, bits);
    if (book.k < 2 ** bits && labels.some((label) => label >= book.k)) {
      fail("label", `${name}: a label is not below k = ${book.k}`);
    }
  }

  async model(book, coding, payload, labels, name) {
    if (coding > PHOTOGRAPHIC) fail("label-coding", `${name}: label coding ${coding} is newer than this reader`);
    const options = this.check(coding, payload, name);
    const core = await Core.share();
    core.labels(labels, false, book, payload.subarray(1), name, (calls, coded, size, items, step, names, put) =>
      (coding === DRAWN ? calls.drawn : calls.photo)(
        coded, size, items, this.width, this.height, step, names, book.k, put(book.order.colours), options,
      ),
    );
  }

  /** Returns the options of modelled labels, if there are such. */
  check(coding, payload, name) {
    const options = payload.length ? payload[0] : 255;
    const lasting = (options & (FRAMES | MATCHES)) === (FRAMES | MATCHES) && options < 32;
    if (!(lasting ? coding !== PHOTOGRAPHIC : options < [0, 8, 2, 0][coding])) {
      fail("labels-model", `${name}: a model of labels newer than this reader`);
    }
    return options;
  }

  async goOn(book, coding, payload, name) {
    const options = this.check(coding, payload, name);
    const core = (this.picture.core ??= await Core.make());
    const labels = this.labels ?? book.room(this.width * this.height);
    const follows = coding === FOLLOWING;
    if (!this.frames) {
      this.frames = this.begin(core, book, follows ? labels : null, options);
      this.options = options;
    }
    if ((options ^ this.options) & (FRAMES | MATCHES | RICH)) fail("labels-model", `${name} does not go on as it began`);
    this.labels = null; // until the new ones are there
    core.labels(labels, follows, book, payload.subarray(1), name, (calls, coded, size, items, step, names) =>
      calls.follow(coded, size, items, this.width, step, names, options, this.frames),
    );
    this.labels = labels;
    if (!this.learns) this.forget();
  }

  /** Starts frames, after one of these labels if there is one. */
  begin(core, book, before, options) {
    return core.run((calls, put) => {
      const { names, colours } = book.order;
      const frames = calls.begin(this.width, this.height, book.k, put(colours), options);
      if (!frames) fail("limit", "no memory for frames");
      if (before) {
        const numbers = new Uint16Array(book.k);
        names.forEach((label, number) => (numbers[label] = number));
        calls.after(frames, put(Uint16Array.from(before, (label) => numbers[label])));
      }
      return frames;
    });
  }

  forget() {
    if (this.frames) this.picture.core.calls.end(this.frames);
    this.frames = 0;
  }

  copy() {
    const copy = Object.assign(Object.create(Tile.prototype), this, { labels: this.labels.slice() });
    if (this.frames) copy.frames = this.picture.core.calls.copy(this.frames) || fail("limit", "no memory for frames");
    return copy;
  }
}

/* --- Pictures --- */

const bookOf = new WeakMap(); // of the labels that were returned

/** A picture whose front was read, and that decodes labels as they are asked for. */
class Picture {
  /** Reads and checks what is before the labels, and around those of frames. */
  async read(bytes, maxPixels) {
    const reader = new Reader(bytes);
    const header = readHeader(reader);
    const { grid } = header;
    const { width, height, count } = grid;
    if (width * height > maxPixels) fail("limit", `${width}x${height} pixels are over ${maxPixels}`);
    const chunks = readChunks(reader, count);
    const kind = KINDS[header.format];
    if (!kind) fail("pixel-format", `pixel format ${header.format} is newer than this reader`);
    this.metadata = await parseMetadata(chunks, kind[0]);
    const animation = chunks.get(tagOf("a"));
    const timing = animation ? parseTiming(animation) : { loop: null, duration: 0 };
    const book = await Book.read(kind, header.k, header.coding, header.codebook, this.metadata.transparency);
    Object.assign(this, { width, height, tile: grid.tile, mode: kind[0], loop: timing.loop });
    this.animated = !!animation;
    this.file = { bytes, grid, kind, book, start: reader.at, index: chunks.get(INDEX) };
    this.frames = animation ? this.readFrames(timing.duration) : [{ duration: 0, flags: KEY, before: -1 }];
    this.durations = this.frames.map((frame) => frame.duration);
    this.now = { number: -1, book, tiles: [] };
    this.kept = { number: -1, book, tiles: [] };
    this.turn = Promise.resolve();
    return this;
  }

  readFrames(duration) {
    const { bytes, start, index } = this.file;
    let first = start;
    if (index) {
      for (const lengths = new Reader(index); lengths.at < index.length; ) first += lengths.word();
    } else {
      const reader = new Reader(bytes, start + 1);
      const length = reader.varint();
      first = reader.at + length + 4;
    }
    return readFrames(bytes, first, duration);
  }

  /** The codebook of the frame that was decoded last, with a palette's transparency. */
  get codebook() {
    return this.now.book.seen;
  }

  get palette() {
    return this.now.book.palette;
  }

  get channels() {
    return this.now.book.channels;
  }

  get k() {
    return this.now.book.k;
  }

  /** Decodes a frame: width * height labels in rows. In order, each takes least. */
  labels(frame = 0) {
    const done = this.turn.then(() => this.decode(frame));
    this.turn = done.catch(() => {});
    return done;
  }

  /** Checks all that a reader must. */
  async verify() {
    for (let n = 0; n < this.frames.length; n++) await this.labels(n);
  }

  async decode(number) {
    if (!this.frames[number]) throw new RangeError(`there is no frame ${number}`);
    const path = [];
    for (let wanted = number; wanted >= 0 && wanted !== this.now.number; wanted = this.frames[wanted].before) {
      path.unshift(wanted);
      if (this.frames[wanted].flags & BACK && this.frames[wanted].before === this.kept.number) break;
    }
    for (const needed of path) await this.decodeNext(needed, this.frames[needed]);
    const labels = this.plane();
    bookOf.set(labels, this.now.book);
    return labels;
  }

  /** Decodes a frame that goes on from the one before, from what is kept, or from none. */
  async decodeNext(number, frame) {
    const { kept } = this;
    const { grid, book, kind } = this.file;
    const { flags } = frame;
    const forget = (state) => state.tiles.forEach((tile) => tile.forget());
    const copy = ({ book, tiles }) => ({ number: -1, book, tiles: tiles.map((tile) => tile.copy()) });
    if (flags & (KEY | BACK)) forget(this.now);
    this.now.number = -1; // until it is whole
    if (flags & KEY) {
      const own = frame.book;
      this.now = { number: -1, book, tiles: [] };
      if (own) this.now.book = await Book.read(kind, own.k, own.coding, own.coded, this.metadata.transparency);
      for (let n = 0; n < grid.count; n++) this.now.tiles.push(new Tile(this, ...sizeOf(grid, n)));
    } else if (flags & BACK) {
      this.now = copy(kept);
    }
    await this.decodeTiles(number, frame);
    this.now.number = number;
    if (frame.returned) {
      forget(kept);
      this.kept = copy(this.now);
      this.kept.number = number;
    }
  }

  async decodeTiles(number, frame) {
    const { bytes, start, index, grid } = this.file;
    const lengths = index && new Reader(index);
    const reader = number ? new Reader(frame.tiles, 0, frame.tiles.length, "frame-length") : new Reader(bytes, start);
    const { book, tiles } = this.now;
    for (let n = 0; n < tiles.length; n++) {
      const name = `tile ${n} of frame ${number}`;
      if (number) {
        const coded = reader.take(n < tiles.length - 1 ? reader.varint() : reader.end - reader.at);
        await tiles[n].decode(book, coded[0], coded.subarray(1), name);
      } else {
        const { tag, payload } = readTile(reader, lengths, name);
        await tiles[n].decode(book, tag, payload, name);
      }
    }
  }

  /** Returns the labels of all tiles as one plane. */
  plane() {
    const { grid } = this.file;
    const { book, tiles } = this.now;
    if (tiles.length === 1) return tiles[0].labels.slice();
    const plane = book.room(grid.width * grid.height);
    tiles.forEach(({ labels, width, height }, n) => {
      const left = (n % grid.columns) * grid.tile[0];
      const top = Math.floor(n / grid.columns) * grid.tile[1];
      for (let y = 0; y < height; y++) {
        plane.set(labels.subarray(y * width, y * width + width), (top + y) * grid.width + left);
      }
    });
    return plane;
  }
}

/** Width and height of a tile. */
function sizeOf({ width, height, tile, columns }, n) {
  return [
    Math.min(tile[0], width - (n % columns) * tile[0]),
    Math.min(tile[1], height - Math.floor(n / columns) * tile[1]),
  ];
}

/** Reads a tile of the first frame; with an index, as many bytes as that says. */
function readTile(reader, lengths, name) {
  let own = reader;
  if (lengths) {
    const start = reader.skip(lengths.word());
    own = new Reader(reader.bytes, start, reader.at, "index-mismatch");
  }
  const chunk = own.chunk();
  if (chunk.tag > 31) fail("chunk-order", `${name} is another chunk`);
  if (own.at !== reader.at) fail("index-mismatch", `${name} is not as long as the index says`);
  return chunk;
}

/* --- What is exported --- */

async function bytesOf(data) {
  if (data instanceof Blob) data = await data.arrayBuffer();
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
}

/** Opens a file, of which no labels are decoded yet. */
export async function open(data, { maxPixels = 2 ** 28 } = {}) {
  return new Picture().read(await bytesOf(data), maxPixels);
}

/** Decodes a whole file, with all its frames. */
export async function decode(data, options = {}) {
  const picture = await open(data, options);
  const { width, height, mode, metadata, loop, durations } = picture;
  const { maxPixels = 2 ** 28 } = options;
  if (width * height * durations.length > maxPixels) fail("limit", `all frames together are over ${maxPixels} pixels`);
  const frames = [];
  for (const duration of durations) {
    const labels = await picture.labels(frames.length);
    frames.push({ duration, labels, codebook: picture.codebook });
  }
  const { labels, codebook } = frames[0];
  const { channels } = bookOf.get(labels);
  return { width, height, mode, channels, codebook, labels, frames, metadata, loop };
}

/** The bytes of each label's pixel: red, green, blue, alpha. Integers are shown from the least, as black, on. */
function tableOf({ mode, channels, codebook }) {
  const k = codebook.length / channels;
  const table = new Uint8Array(4 * k).fill(255);
  const least = codebook.reduce((a, b) => Math.min(a, b));
  const span = codebook.reduce((a, b) => Math.max(a, b)) - least || 1;
  for (let n = 0; n < k; n++) {
    const entry = codebook.subarray(n * channels, n * channels + channels);
    const grey = mode[0] === "I" ? ((entry[0] - least) * 255) / span : entry[0];
    table.set(channels > 2 ? entry : [grey, grey, grey], 4 * n);
    if (channels === 2) table[4 * n + 3] = entry[1];
  }
  return new Uint32Array(table.buffer);
}

/** Makes the pixels of labels. */
export function toImageData({ width, height, mode, channels, codebook }, labels) {
  const book = bookOf.get(labels);
  const table = tableOf(book ? { mode, channels: book.channels, codebook: book.seen } : { mode, channels, codebook });
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let n = 0; n < pixels.length; n++) pixels[n] = table[labels[n]];
  return image;
}

/** Makes an image file of labels, by default of the first frame. */
export async function toBlob(picture, labels, type = "image/png") {
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const given = labels ?? (await (picture.labels.call ? picture.labels() : picture.labels));
  canvas.getContext("2d").putImageData(toImageData(picture, given), 0, 0);
  return canvas.convertToBlob({ type });
}
