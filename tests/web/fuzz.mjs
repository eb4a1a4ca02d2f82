/* Compare what kmc.js makes of files with what is expected: node fuzz.mjs MAX_PIXELS MOST_FRAMES. Standard input has,
   for each, the length of a JSON text in four bytes, that text, and the same of the file. Files are read by a
   worker, so that one that takes for ever is found. Prints finds, and in the end a summary, as lines of JSON. */
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

const SECONDS = 60; // that a file may take at the very most, on a busy machine
const SLOW = 1; // second that it should take
const MEMORY = 2 ** 30; // that the whole process may have

async function* records(stream) {
  let buffer = Buffer.alloc(0);
  const chunks = stream[Symbol.asyncIterator]();
  const take = async (count) => {
    while (buffer.length < count) {
      const { done, value } = await chunks.next();
      if (done) return null;
      buffer = Buffer.concat([buffer, value]);
    }
    const taken = buffer.subarray(0, count);
    buffer = buffer.subarray(count);
    return taken;
  };
  for (;;) {
    const length = await take(4);
    if (!length) return;
    const expected = JSON.parse(String(await take(length.readUInt32LE())));
    yield { expected, data: Uint8Array.from(await take((await take(4)).readUInt32LE())) };
  }
}

/** The time that a file takes is that of the processor, so that a busy machine does not count. */
async function work({ maxPixels, most }) {
  const kmc = await import("../../kmc_format/web/kmc.js");
  const { differences, outcome } = await import("./checks.js");
  parentPort.on("message", async ({ expected, data }) => {
    const before = process.cpuUsage();
    const found = await outcome(kmc, data, { maxPixels, most });
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    parentPort.postMessage({ wrong: differences(expected, found), rule: found.rule, seconds });
  });
}

async function main() {
  const [maxPixels, most] = process.argv.slice(2).map(Number);
  const worker = new Worker(new URL(import.meta.url), { workerData: { maxPixels, most } });
  const answer = () =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve({ wrong: [`it takes over ${SECONDS} seconds`], hangs: true }), SECONDS * 1000);
      worker.once("error", reject);
      worker.once("message", (message) => {
        clearTimeout(timer);
        worker.removeListener("error", reject);
        resolve(message);
      });
    });
  const summary = { files: 0, accepted: 0, rules: 0, finds: 0, slowest: 0, memory: 0 };
  const rules = new Set();
  const say = (line) => console.log(JSON.stringify(line));
  for await (const record of records(process.stdin)) {
    worker.postMessage(record);
    const { wrong, rule, seconds, hangs } = await answer();
    const memory = process.memoryUsage().rss;
    if (seconds > SLOW) wrong.push(`it takes ${seconds} seconds`);
    if (memory > MEMORY) wrong.push(`the process has ${memory} bytes`);
    if (wrong.length) say({ number: record.expected.number, wrong });
    if (rule) rules.add(rule);
    summary.files++;
    summary.accepted += !rule;
    summary.finds += wrong.length > 0;
    summary.slowest = Math.max(summary.slowest, seconds ?? 0);
    summary.memory = Math.max(summary.memory, memory);
    if (hangs) break;
  }
  say({ ...summary, rules: rules.size });
  process.exit(summary.finds ? 1 : 0);
}

await (isMainThread ? main() : work(workerData));
