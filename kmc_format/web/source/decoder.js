/* Tiles, pictures, and what is made of them. */

const MAX_LEARNING_TILES = 4;
const MAX_LEARNING_PICTURES = 32; // at once, as each takes megabytes

// Label codings, and options of drawn labels.
const PACKED = 0;
const DRAWN = 1;
const PHOTOGRAPHIC = 2;
const FOLLOWING = 3;
const MATCHES = 2;
const RICH = 4;
const FRAMES = 8;

/** The labels of a tile, and what was learnt in it if others may go on from that. */
class Tile {
  constructor(picture, n) {
    const { grid } = picture.file;
    const [across, down] = grid.tile;
    this.picture = picture;
    this.left = (n % grid.columns) * across;
    this.top = Math.floor(n / grid.columns) * down;
    this.width = Math.min(across, grid.width - this.left);
    this.height = Math.min(down, grid.height - this.top);
    this.learns = picture.animated && grid.count <= MAX_LEARNING_TILES;
    this.frames = 0;
  }

  /** Decodes the next frame: its coding, or none if nothing changed, and the bytes that belong to it. */
  async decode(book, coding, payload) {
    const follows = coding === FOLLOWING && this.picture.animated;
    if (follows || coding === undefined) {
      if (!this.labels) fail("frame-key");
      if (follows) await this.goOn(book, coding, payload);
      return;
    }
    this.forget();
    this.labels = null; // until the new ones are there
    if (coding === DRAWN && payload[0] & FRAMES) return this.goOn(book, coding, payload);
    const labels = (this.labels = book.room(this.width * this.height));
    if (coding === PACKED) await this.unpack(book, payload);
    else this.model(await Core.share(labels.length), book, coding, payload, this.optionsOf(coding, payload));
  }

  async unpack({ k }, payload) {
    const { labels, width, height } = this;
    const bits = [1, 2, 4, 8, 16].find((bits) => k <= 2 ** bits);
    const length = height * Math.ceil((width * bits) / 8);
    if (payload.length > length) fail("labels-length");
    const packed = payload.length < length ? await inflate(payload, length) : payload;
    if (bits === 8) labels.set(packed);
    for (let at = 0, n = 0; bits !== 8 && at < length; at++) {
      if (bits > 8) labels[n++] = packed[at++] * 256 + packed[at];
      const end = n + Math.min(8 / bits, width - (n % width));
      for (let shift = 8 - bits; shift >= 0 && n < end; shift -= bits) {
        labels[n++] = (packed[at] >> shift) & (2 ** bits - 1);
      }
    }
    if (labels.some((label) => label >= k)) fail("label");
  }

  /** Returns the options of modelled labels, if there are such. */
  optionsOf(coding, payload) {
    if (coding > FOLLOWING - !this.picture.animated) fail("label-coding", NEWER);
    const options = payload.length ? payload[0] : 255;
    const lasting = (options & 10) === (FRAMES | MATCHES) && options < 32;
    if (!(lasting ? coding !== PHOTOGRAPHIC : options < [0, 8, 2, 0][coding])) fail("labels-model", NEWER);
    return options;
  }

  /** Decodes labels in the core: those of the next frame, or by themselves. */
  model(core, book, coding, payload, options) {
    const { labels, width, height, frames } = this;
    const { names, colours } = book.order;
    const coded = payload.subarray(1);
    const broken = core.run((calls, put) => {
      const at = put(labels, !frames);
      const step = labels.BYTES_PER_ELEMENT;
      const sizes = [coded.length, at, step, width, height, book.k];
      const broken = calls.labels(coding, options, put(coded), ...sizes, put(names), put(colours), frames);
      if (!broken) labels.set(core.view(at, labels));
      return broken;
    });
    if (!broken) return;
    this.labels = null;
    if (broken > 2) noMemory();
    fail(["label", "labels-length"][broken - 1]);
  }

  async goOn(book, coding, payload) {
    const options = this.optionsOf(coding, payload);
    const core = this.picture.core ?? (await this.picture.learn());
    if (!this.frames) this.begin(core, book, options);
    if ((options ^ this.options) & (FRAMES | MATCHES | RICH)) fail("labels-model", NEWER);
    this.labels ??= book.room(this.width * this.height);
    this.model(core, book, coding, payload, options);
    if (!this.learns) this.forget();
  }

  /** Starts frames, after one of the labels that are there. */
  begin(core, book, options) {
    const { names, colours } = book.order;
    core.run((calls, put) => {
      this.frames = calls.begin(this.width, this.height, book.k, put(colours), options) || noMemory();
      this.options = options;
      if (!this.labels) return;
      const numbers = new Uint16Array(book.k);
      names.forEach((label, number) => (numbers[label] = number));
      calls.after(this.frames, put(Uint16Array.from(this.labels, (label) => numbers[label])));
    });
  }

  forget() {
    if (this.frames) this.picture.core.calls.end(this.frames);
    this.frames = 0;
  }

  copy() {
    const copy = Object.assign(Object.create(Tile.prototype), this, { labels: this.labels.slice() });
    if (this.frames) copy.frames = this.picture.core.calls.copy(this.frames) || noMemory();
    return copy;
  }
}

/** Ends what was learnt in the tiles of a frame. */
const end = ({ tiles = [] }) => tiles.forEach((tile) => tile.forget());

/** Copies the tiles of a frame, one by one, so that none is lost where there is no memory for all. */
function copy(from, to) {
  to.book = from.book;
  for (const tile of from.tiles) to.tiles.push(tile.copy());
}

const TOO_LARGE = "this file has more pixels than are allowed here";
const bookOf = new WeakMap(); // of the labels that were returned
const learning = new Set(); // weak references to pictures in which something was learnt, in that order

/** A picture whose front was read, and that decodes labels as they are asked for. */
class Picture {
  /** Reads and checks what is before the labels, and around those of frames. */
  async read(bytes, maxPixels) {
    const reader = new Reader(bytes);
    const { grid, format, own } = readHeader(reader);
    const { width, height, tile } = grid;
    if (!(width * height <= maxPixels)) fail("limit", TOO_LARGE);
    const chunks = readChunks(reader, grid.count);
    const get = (letter) => chunks.get(tagOf(letter));
    const kind = KINDS[format] ?? fail("pixel-format", NEWER);
    const metadata = await parseMetadata(get, kind[0]);
    const timing = get("a") ? parseTiming(get("a")) : { loop: null, duration: 0 };
    const book = await Book.read(kind, own, metadata.transparency);
    const animated = !!get("a");
    Object.assign(this, { width, height, tile, mode: kind[0], metadata, loop: timing.loop, animated });
    this.file = { bytes, grid, kind, book, start: reader.at, index: get("I") };
    this.frames = [{ duration: 0, flags: KEY, before: -1 }];
    if (animated) this.frames = readFrames(bytes, this.findEnd(), timing.duration);
    this.durations = this.frames.map((frame) => frame.duration);
    this.now = this.kept = { number: -1, book, tiles: [] };
    this.turn = Promise.resolve();
    this.weak = new WeakRef(this);
    return this;
  }

  /** Finds where the tiles of the first frame end. */
  findEnd() {
    const { bytes, start, index } = this.file;
    const reader = new Reader(bytes, "truncated", start + !index);
    if (!index) return reader.varint() + reader.at + 4;
    const lengths = new Reader(index);
    while (lengths.at < lengths.end) reader.at += lengths.word();
    return reader.at;
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
    return this.queue(() => this.decode(frame));
  }

  queue(job) {
    const done = this.turn.then(job);
    this.turn = done.catch(() => {});
    return done;
  }

  /** Checks all that a reader must. */
  async verify() {
    for (const n of this.durations.keys()) await this.labels(n);
  }

  async decode(number) {
    const { frames } = this;
    if (!Number.isInteger(number) || !frames[number]) throw new RangeError(`there is no frame ${number}`);
    const path = [];
    for (let wanted = number; wanted >= 0 && wanted !== this.now.number; wanted = frames[wanted].before) {
      path.unshift(wanted);
      if (frames[wanted].flags & BACK && frames[wanted].before === this.kept.number) break;
    }
    try {
      for (const needed of path) await this.decodeNext(needed, frames[needed]);
    } catch (error) {
      this.forget();
      throw error;
    }
    const labels = this.plane();
    if (!frames[number + 1]) this.forget(number);
    bookOf.set(labels, this.now.book);
    return labels;
  }

  /** Decodes a frame that goes on from the one before, from what is kept, or from none. */
  async decodeNext(number, { flags, own, coded, returned }) {
    const { grid, book, kind } = this.file;
    if (flags & (KEY | BACK)) end(this.now);
    if (flags & KEY) {
      this.now = { book, tiles: Array.from({ length: grid.count }, (_, n) => new Tile(this, n)) };
      if (own) this.now.book = await Book.read(kind, own, this.metadata.transparency);
    } else if (flags & BACK) {
      this.now = { tiles: [] };
      copy(this.kept, this.now);
    }
    await (number ? this.decodeTiles(new Reader(coded, "frame-length")) : this.decodeFirst());
    if (returned) {
      end(this.kept);
      this.kept = { number, tiles: [] };
      copy(this.now, this.kept);
    }
    this.now.number = number;
  }

  /** Finds a core to learn in. Of many pictures, the one that has learnt for longest forgets. */
  async learn() {
    this.core = await Core.share(this.width * this.height);
    const [oldest] = learning.add(this.weak);
    if (learning.size > MAX_LEARNING_PICTURES) {
      learning.delete(oldest);
      const picture = oldest.deref();
      picture?.queue(() => picture.forget());
    }
    return this.core;
  }

  /** Forgets what was learnt, as something failed; or as nothing goes on from the frame of this number. */
  forget(number = -1) {
    learning.delete(this.weak);
    end(this.now);
    end(this.kept);
    this.core = null;
    this.kept = { number: -1 };
    this.now.number = number;
  }

  async decodeTiles(reader) {
    const { book, tiles } = this.now;
    for (const tile of tiles) {
      const length = tile === tiles.at(-1) ? reader.end - reader.at : reader.varint();
      const coded = reader.take(length);
      await tile.decode(book, coded[0], coded.subarray(1));
    }
  }

  async decodeFirst() {
    const { bytes, start, index } = this.file;
    const reader = new Reader(bytes, "truncated", start);
    const lengths = index && new Reader(index);
    for (const tile of this.now.tiles) {
      let own = reader;
      if (index) own = new Reader(reader.take(lengths.word()), "index-mismatch");
      const { tag, payload } = own.chunk();
      if (tag > 31) fail("chunk-order");
      if (index && own.at < own.end) fail("index-mismatch");
      await tile.decode(this.now.book, tag, payload);
    }
  }

  /** Returns the labels of all tiles as one plane. */
  plane() {
    const { book, tiles } = this.now;
    if (tiles.length === 1) return tiles[0].labels.slice();
    const plane = book.room(this.width * this.height);
    for (const { labels, left, top, width, height } of tiles) {
      for (let y = 0; y < height; y++) {
        plane.set(labels.subarray(y * width, y * width + width), (top + y) * this.width + left);
      }
    }
    return plane;
  }
}

/** Opens a file, of which no labels are decoded yet. */
export async function open(data, { maxPixels = 2 ** 28 } = {}) {
  if (data?.size >= 0 && data.arrayBuffer) data = await data.arrayBuffer(); // a Blob, also of another window
  if (!(data?.byteLength >= 0)) throw new TypeError("a file is given as a Blob, an ArrayBuffer or a Uint8Array");
  return new Picture().read(new Uint8Array(data.buffer ?? data, data.byteOffset, data.byteLength), maxPixels);
}

/** Decodes a whole file, with all its frames. */
export async function decode(data, options = {}) {
  const { maxPixels = 2 ** 28 } = options;
  const picture = await open(data, options);
  const { width, height, mode, channels, metadata, loop, durations } = picture;
  if (!(width * height * durations.length <= maxPixels)) fail("limit", TOO_LARGE);
  const frames = [];
  for (const duration of durations) {
    const labels = await picture.labels(frames.length);
    frames.push({ duration, labels, codebook: picture.codebook });
  }
  const { labels, codebook } = frames[0];
  return { width, height, mode, channels, codebook, labels, frames, metadata, loop };
}

/** The bytes of each label's pixel: red, green, blue, alpha. Integers are black for the least, up to white. */
function tableOf(mode, channels, codebook) {
  const table = new Uint8Array((4 * codebook.length) / channels).fill(255);
  const least = codebook.reduce((a, b) => Math.min(a, b));
  const span = codebook.reduce((a, b) => Math.max(a, b)) - least;
  for (let n = 0; n * channels < codebook.length; n++) {
    const entry = codebook.subarray(n * channels, n * channels + channels);
    const grey = mode[0] === "I" ? ((entry[0] - least) * 255) / (span || 1) : entry[0];
    table.set(channels > 2 ? entry : [grey, grey, grey, channels > 1 ? entry[1] : 255], 4 * n);
  }
  return new Uint32Array(table.buffer);
}

/** The codebook of the frame that labels are of, unless what was decoded was given another one. */
function codebookOf(picture, labels) {
  const { codebook, frames } = picture;
  if (picture instanceof Picture) return bookOf.get(labels)?.seen ?? codebook;
  return (codebook === frames?.[0].codebook && frames.find((frame) => frame.labels === labels)?.codebook) || codebook;
}

/** Makes the pixels of labels. */
export function toImageData(picture, labels) {
  const { width, height, mode, channels } = picture;
  if (labels.length !== width * height) throw new RangeError("there must be a label for each pixel");
  const table = tableOf(mode, channels, codebookOf(picture, labels));
  const data = new Uint8ClampedArray(4 * labels.length);
  const pixels = new Uint32Array(data.buffer);
  for (let n = 0; n < pixels.length; n++) pixels[n] = table[labels[n]];
  return globalThis.ImageData ? new ImageData(data, width, height) : { width, height, data };
}

/** Makes an image file of labels, by default of the first frame. */
export async function toBlob(picture, labels, type = "image/png") {
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  labels ??= await (picture.labels.call ? picture.labels() : picture.labels);
  canvas.getContext("2d").putImageData(toImageData(picture, labels), 0, 0);
  return canvas.convertToBlob({ type });
}
