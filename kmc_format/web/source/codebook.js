/* The compiled core, which CORE returns deflated, in base64; and codebooks. */

let compiled;
let shared = Promise.resolve();

async function compile() {
  const coded = Uint8Array.from(atob(CORE()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([coded]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return WebAssembly.compile(await new Response(stream).arrayBuffer());
}

/** An instance of the core, with memory of its own. */
class Core {
  static async make() {
    compiled ??= compile().catch((error) => {
      compiled = null; // so that it is tried again
      throw error;
    });
    const core = new Core();
    core.calls = (await WebAssembly.instantiate(await compiled).catch(noMemory)).exports;
    return core;
  }

  /** Returns one for so many pixels: for many one of their own, else the same until it has grown large. */
  static share(pixels) {
    if (pixels > 2 ** 20) return Core.make();
    const core = shared.then((core) => (core?.calls.memory.buffer.byteLength <= 2 ** 26 ? core : Core.make()));
    shared = core.catch(() => {});
    return core;
  }

  /** Calls with a function that puts an array into the memory, until the call ends; if `empty`, room for it. */
  run(call) {
    const { calls } = this;
    const taken = [];
    const put = (array, empty) => {
      const at = calls.take(array.byteLength) || noMemory();
      taken.push(at);
      if (!empty) this.view(at, array).set(array);
      return at;
    };
    try {
      return call(calls, put);
    } finally {
      taken.forEach(calls.drop);
    }
  }

  /** What is in the memory, as such an array. */
  view(at, array) {
    return new array.constructor(this.calls.memory.buffer, at, array.length);
  }
}

const noMemory = () => fail("limit", "there is no memory for this file");

// By pixel format: mode, channels, type of a channel, and the most entries.
const KINDS = [
  ["1", 1, Uint8Array, 2],
  ["L", 1, Uint8Array, 256],
  ["LA", 2, Uint8Array],
  ["RGB", 3, Uint8Array],
  ["RGBA", 4, Uint8Array],
  ["P", 3, Uint8Array, 256],
  ["P", 4, Uint8Array, 256],
  ["I;16", 1, Uint16Array],
  ["I", 1, Int32Array],
];

/** The entries of a codebook, and what labels are to those who code them. */
class Book {
  static async read([mode, channels, type, most = 65536], { k, coding, coded }, transparency) {
    if (k > most) fail("k");
    const words = new Uint32Array(k * channels);
    const step = type.BYTES_PER_ELEMENT;
    if (coding === 0) {
      if (coded.length !== words.length * step) fail("codebook-length");
      coded.forEach((byte, at) => {
        const word = Math.floor(at / step);
        words[word] = words[word] * 256 + byte;
      });
    } else {
      if (coding > 1) fail("codebook-coding", NEWER);
      const core = await Core.share();
      const sound = core.run((calls, put) => {
        const at = put(words, true);
        const sound = calls.codebook(at, k, channels, 8 * step, put(coded), coded.length);
        words.set(core.view(at, words));
        return sound;
      });
      if (!sound) fail("codebook-length");
    }
    if (mode === "1" && words.some((word) => word && word !== 255)) fail("codebook-value");
    return new Book(mode, k, channels, type.from(words), transparency);
  }

  constructor(mode, k, channels, stored, transparency) {
    this.k = k;
    this.stored = stored;
    this.seen = stored.slice(); // as users may change what they see
    this.palette = mode === "P" ? stored.slice() : null;
    this.width = this.channels = channels;
    if (transparency !== undefined) this.addAlpha(transparency);
  }

  /** Joins a palette's transparency to it: one clear entry, or the alpha of the first ones. */
  addAlpha(transparency) {
    const { k, stored, width } = this;
    this.channels = 4;
    this.seen = new Uint8Array(4 * k).fill(255);
    for (let n = 0; n < k; n++) {
      this.seen.set(stored.subarray(n * width, n * width + width), 4 * n);
      if (n === transparency) this.seen[4 * n + 3] = 0;
      if (n < transparency.length) this.seen[4 * n + 3] = transparency[n];
    }
  }

  /** The label of each number, and its colour: FORMAT.md, "Digits of labels". */
  get order() {
    return (this.ordered ??= this.sort());
  }

  sort() {
    const { k, stored, width } = this;
    const narrow = stored instanceof Uint8Array;
    const keys = new Float64Array(k); // the label is in the lowest 16 bits
    for (let n = 0; n < k; n++) {
      let key = narrow ? 0 : stored[n];
      for (let bit = 7; narrow && bit >= 0; bit--) {
        for (let c = 0; c < width; c++) key = key * 2 + ((stored[n * width + c] >> bit) & 1);
      }
      keys[n] = key * 65536 + n;
    }
    const names = Uint16Array.from(keys.sort());
    const colours = new Uint8Array(4 * k);
    names.forEach((label, number) => {
      if (narrow) colours.set(stored.subarray(label * width, label * width + width), 4 * number);
      else colours[4 * number] = (number * 256) / k;
    });
    return { names, colours };
  }

  /** Makes an array for so many labels. */
  room(count) {
    return new (this.k > 256 ? Uint16Array : Uint8Array)(count);
  }
}
