// Shared by the scripts of this folder: arguments, process figures, the stub's control door, a call loop, one report line.
import fs from 'node:fs';
import http from 'node:http';

export const OFFER = fs.readFileSync(new URL('../data/offer.sdp', import.meta.url), 'utf8').replaceAll('\n', '\r\n');
export const ANSWER = OFFER.replace('a=setup:actpass', 'a=setup:active');

export function argument(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

export function cpuSeconds() {                     // user + system of the whole process, its collector's threads too
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
export async function rssKilobytes() {             // after what can be collected has been
  global.gc(); await sleep(100); global.gc();
  return process.memoryUsage.rss() / 1024;
}

export const control = (url, path) => new Promise((resolve, reject) => {
  http.get(url.replace(/^ws/, 'http') + path, { agent: false }, response => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', chunk => { body += chunk; });
    response.on('end', () => resolve(JSON.parse(body)));
  }).on('error', reject);
});

// Runs one() until `count` are over, `width` of them at a time.
export const lanes = (one, width) => async count => {
  let left = count;
  const lane = async () => { while (left-- > 0) await one(); };
  await Promise.all(Array.from({ length: width }, lane));
};
// Has the stub place `count` calls to us.
export const calledBy = (url, width) => async count => {
  const answer = await control(url, `/place?count=${count}&width=${width}`);
  if (answer.error || answer.failed) throw new Error(JSON.stringify(answer));
};

// CPU of this process per piece of work, after a warm-up: one JSON line.
export async function measure(work, { url, warmup, count }) {
  await work(warmup);
  global.gc();
  const before = await control(url, '/stats'), cpu = cpuSeconds(), wall = performance.now();
  await work(count);
  const spent = cpuSeconds() - cpu, seconds = (performance.now() - wall) / 1000, after = await control(url, '/stats');
  const received = Object.fromEntries(Object.entries(after.received).map(([k, v]) => [k, v - (before.received[k] ?? 0)]));
  console.log(JSON.stringify({ cpu_ms: spent * 1000 / count, per_s: count / seconds,
    stub_cpu_ms: (after.cpu_s - before.cpu_s) * 1000 / count, received }));
}
