/* What becomes of animations where memory ends, or where there are very many: node memory.mjs FILE... Prints, as JSON,
   what is wrong, and how many cores and learnt states there were of many animations at once, and in the end. */
import { readFile } from "node:fs/promises";

let failing = ""; // the call that fails once there were so many of it
let left = 0;
let cores = 0;
let states = 0;
let most = 0;

const fails = (name) => name === failing && --left === 0;
const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (...given) => {
  const instance = await instantiate(...given);
  const { exports } = instance;
  if (!exports?.labels) return instance; // one of Node's own
  if (fails("instantiate")) throw new RangeError("Out of memory");
  cores++;
  const watched = (name, change) => (...given) => {
    const result = fails(name) ? 0 : exports[name](...given);
    if (change < 0 || result) states += change;
    most = Math.max(most, states);
    return result;
  };
  const calls = { begin: watched("begin", 1), copy: watched("copy", 1), end: watched("end", -1) };
  return { exports: { ...exports, ...calls, take: watched("take", 0) } };
};

const { open } = await import("../../kmc_format/web/kmc.js");
const files = await Promise.all(process.argv.slice(2).map((name) => readFile(name)));
const text = (labels) => Buffer.from(labels.buffer).toString("base64");
const wrong = new Set();

async function right(file) {
  const picture = await open(file);
  const all = [];
  for (const number of picture.durations.keys()) all.push(text(await picture.labels(number)));
  return all;
}

/** Lets a call fail while frames are decoded in order; whether it did. After that, all frames must be as before. */
async function fail(file, all, name, count) {
  const picture = await open(file);
  const numbers = [...all.keys()];
  let failed = -1;
  [failing, left] = [name, count];
  for (const number of numbers) {
    await picture.labels(number).catch(({ rule }) => {
      if (rule !== "limit") wrong.add(`${name} fails: ${rule}`);
      failed = number;
    });
    if (failed >= 0) break;
  }
  failing = "";
  for (const number of [...numbers.slice(failed + 1), ...numbers]) {
    const found = await picture.labels(number).then(text, String);
    if (failed >= 0 && found !== all[number]) wrong.add(`after ${name} ${count}, frame ${number}`);
  }
  return failed >= 0;
}

let failures = 0;
const expected = await Promise.all(files.map(right));
for (const [n, file] of files.entries()) {
  for (const name of ["instantiate", "begin", "copy", "take"]) {
    for (let count = 1; count < 12 && (await fail(file, expected[n], name, count)); count++) failures++;
  }
}
const lost = states;

cores = most = 0;
const pictures = await Promise.all(Array.from({ length: 200 }, (_, n) => open(files[n % files.length])));
const compare = async (n, number) => {
  const found = await pictures[n].labels(number).then(text, String);
  if (found !== expected[n % files.length][number]) wrong.add(`frame ${number} of one of many`);
};
for (const number of [0, 1, 2]) for (const n of pictures.keys()) await compare(n, number);
const many = [cores, most];
await Promise.all(pictures.map((picture) => picture.verify()));
console.log(JSON.stringify({ wrong: [...wrong], failures, lost, many, left: states }));
