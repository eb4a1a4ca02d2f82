/* What stands before labels: header, metadata, and the chunks of frames. */

const MAX_DIMENSION = 2 ** 31 - 1;
const MAX_TILE_PIXELS = 2 ** 28;
const MAX_TILES = 2 ** 24;
const MAX_METADATA = 2 ** 24;
const MAX_DEPTH = 16;
const MAX_RDO = 2 ** 22;

const tagOf = (letter) => letter.charCodeAt(0);
const INDEX = tagOf("I");
const KNOWN = [..."Iiexdtroa"].map(tagOf);

function readHeader(reader) {
  if (reader.take(8).join() !== "139,75,77,67,13,10,26,10") fail("signature", "this is not a KMC file");
  if (reader.byte() !== 1) fail("version", NEWER);
  const kind = reader.byte();
  const width = reader.varint();
  const height = reader.varint();
  const k = reader.varint() + 1;
  const tiled = kind > 127;
  const tile = tiled ? [reader.varint(), reader.varint()] : [width, height];
  const coded = readCodebook(reader, k);
  reader.check(8);
  const columns = Math.ceil(width / tile[0]);
  const grid = { width, height, tile, columns, count: columns * Math.ceil(height / tile[1]) };
  checkGrid(grid, tiled);
  return { grid, format: kind & 15, own: { k, coding: (kind >> 4) & 7, coded } };
}

function readCodebook(reader, k) {
  const length = reader.varint();
  if (length > 4 * k) fail("codebook-length");
  return reader.take(length);
}

function checkGrid({ width, height, tile, count }, tiled) {
  const [across, down] = tile;
  if (!width || !height || Math.max(width, height) > MAX_DIMENSION) fail("size");
  if (!across || !down || across > width || down > height || tiled !== count > 1) fail("tile-size");
  if (across * down > MAX_TILE_PIXELS) fail("tile-pixels");
  if (count > MAX_TILES) fail("tile-count");
}

/** Reads index and metadata; returns the payloads of those that are known, by tag. */
function readChunks(reader, count) {
  const chunks = new Map();
  while (!(reader.bytes[reader.at] < 32)) {
    const { tag, payload } = reader.chunk((tag, length) => {
      if (tag === INDEX) {
        if (length !== 4 * count) fail("index-length");
      } else if (KNOWN.includes(tag) && length > MAX_METADATA + 4) fail("metadata-length");
    });
    const known = KNOWN.includes(tag);
    if (!known && (tag < 97 || tag > 122)) fail("chunk-unknown", NEWER);
    if (chunks.has(tag)) fail("chunk-duplicate");
    if (chunks.has(INDEX)) fail("chunk-order");
    if (known) chunks.set(tag, payload);
  }
  if (chunks.has(INDEX) !== count > 1) fail("index-presence");
  return chunks;
}

async function parseMetadata(get, mode) {
  const metadata = {};
  const require = (sound) => sound || fail("metadata-value");
  const bytes = async (letter, name) => {
    if (!get(letter)) return;
    const reader = new Reader(get(letter), "metadata-value");
    const length = reader.varint();
    if (length > MAX_METADATA) fail("metadata-length");
    const stored = reader.bytes.slice(reader.at);
    require(stored.length <= length);
    metadata[name] = stored.length < length ? await inflate(stored, length) : stored;
  };
  await bytes("i", "icc");
  await bytes("e", "exif");
  await bytes("x", "xmp");
  const numbers = (letter, array, most) => {
    const payload = get(letter)?.slice().reverse(); // as they are big-endian
    if (!payload) return undefined;
    require(payload.length === array.byteLength);
    new Uint8Array(array.buffer).set(payload);
    require(array.every((one) => one > 0 && one <= most));
    return array;
  };
  const dpi = numbers("d", new Float64Array(2), Number.MAX_VALUE);
  if (dpi) metadata.dpi = [dpi[1], dpi[0]];
  const clear = get("t");
  if (clear) {
    const one = clear[0] === 0 && clear.length === 2;
    require(mode === "P" && (one || (clear[0] === 1 && clear.length < 258)));
    metadata.transparency = one ? clear[1] : clear.slice(1);
  }
  const rdo = numbers("r", new Float32Array(1), MAX_RDO);
  if (rdo) metadata.rdo = rdo[0];
  return metadata;
}

function parseTiming(payload) {
  const reader = new Reader(payload, "frame-timing");
  const timing = { loop: reader.varint(), duration: reader.varint() };
  if (reader.at < payload.length) fail("frame-timing");
  return timing;
}

// Flags of frames.
const KEY = 1;
const DURATION = 2;
const CODEBOOK = 4;
const BACK = 8;
const KEPT = 16;

/** Finds where the frames after the first begin, and the last ends: by the index, or from chunk to chunk. */
function findFrames(bytes, first) {
  const found = findByIndex(bytes, first);
  if (found) return found;
  const reader = new Reader(bytes, "truncated", first);
  const starts = [];
  for (;;) {
    starts.push(reader.at);
    const tag = reader.byte();
    reader.take(reader.varint() + 4);
    if (tag === tagOf("j")) return starts;
    if (tag !== tagOf("f")) fail("chunk-order");
  }
}

function findByIndex(bytes, first) {
  const end = bytes.length;
  try {
    const at = end - new Reader(bytes, "", end - 8).word();
    if (at < first || at >= end - 8) return null;
    const { tag, payload } = new Reader(bytes, "", at).chunk();
    const lengths = new Reader(payload, "", 0, payload.length - 4);
    const starts = [first];
    while (lengths.at < lengths.end) starts.push((first += lengths.varint()));
    return tag === tagOf("j") && first === at ? starts : null;
  } catch {
    return null;
  }
}

/** Reads a frame whose chunk has these bounds, but for its codebook and tiles. */
function readFrame(bytes, number, start, end) {
  const chunk = new Reader(bytes, "truncated", start);
  const { tag, payload } = chunk.chunk();
  if (tag !== tagOf("f") || chunk.at !== end) fail("index-mismatch");
  const reader = new Reader(payload, "frame-length");
  const flags = reader.byte();
  const lacks = (some, other) => flags & some && !(flags & other);
  const alone = lacks(KEY | BACK, DURATION) || lacks(CODEBOOK, KEY) || lacks(KEPT, BACK);
  if (flags > 31 || alone || (flags & KEY && flags & BACK)) fail("frame-flags", NEWER);
  const duration = flags & DURATION ? reader.varint() : undefined;
  const back = flags & BACK ? reader.varint() : 1;
  if (!(flags & KEY || (back && back <= number))) fail("frame-back");
  let own;
  if (flags & CODEBOOK) {
    own = { k: reader.varint() + 1, coding: reader.byte() };
    own.coded = readCodebook(reader, own.k);
  }
  const before = flags & KEY ? -1 : number - back;
  return { flags, duration, own, before, coded: payload.subarray(reader.at) };
}

/** Reads all frames, and checks that each goes on from one that is there. */
function readFrames(bytes, first, duration) {
  const starts = findFrames(bytes, first);
  const frames = [{ duration, flags: KEY, before: -1, depth: 1 }];
  let kept = 0;
  for (let n = 1; n < starts.length; n++) {
    const frame = readFrame(bytes, n, starts[n - 1], starts[n]);
    const { before, flags } = frame;
    frame.duration ??= frames[n - 1].duration;
    if (flags & BACK) {
      if (before !== kept) fail("frame-back");
      frames[kept].returned = true;
    }
    frame.depth = before < 0 ? 1 : frames[before].depth + 1;
    if (frame.depth > MAX_DEPTH) fail("frame-depth");
    if (flags & (KEY | KEPT)) kept = n;
    frames.push(frame);
  }
  return frames;
}
