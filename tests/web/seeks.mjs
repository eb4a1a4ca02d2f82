/* How many frames of a file are decoded for one, in order and at random: node seeks.mjs FILE. Prints the most for a
   frame in order and for any frame, and how many pages the core's memory has then, as JSON. */
import { readFile } from "node:fs/promises";

let decoded = 0;
let pages = 0;
const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (...given) => {
  const instance = await instantiate(...given);
  const { exports } = instance;
  if (!exports?.labels) return instance; // one of Node's own
  const labels = (...given) => {
    decoded++;
    const result = exports.labels(...given);
    pages = Math.max(pages, exports.memory.buffer.byteLength / 65536);
    return result;
  };
  return { exports: { ...exports, labels } };
};

const { open } = await import("../../kmc_format/web/kmc.js");
const picture = await open(await readFile(process.argv[2]));
const count = picture.durations.length;

async function most(numbers) {
  let found = 0;
  for (const number of numbers) {
    decoded = 0;
    await picture.labels(number);
    found = Math.max(found, decoded);
  }
  return found;
}

const numbers = [...Array(count).keys()];
const inOrder = await most(numbers);
const anywhere = await most(numbers.map((n) => (n * 7919 + 5) % count));
console.log(JSON.stringify([inOrder, anywhere, pages]));
