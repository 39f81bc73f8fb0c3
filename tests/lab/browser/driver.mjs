// node driver.mjs FOLDER: browser phones, told what to do over stdin, one JSON object a line; ends with stdin.
//
//   {"id": 1, "do": "open", "phone": "bob", "library": "jssip" | "sipjs", "options": {...}}   done when it is registered
//   {"id": 2, "do": "close", "phone": "bob"}
//   {"id": 3, "do": "call", "phone": "bob", "values": ["alice"]}                               a command of www/phone.js
//
// On stdout: {"id": 3, "result": ...} or {"id": 3, "error": "..."}; what happens: {"phone": "bob", "event": "ended", ...};
// first of all {"event": "ready", "versions": {...}}. Each phone is a page of its own in one headless Chromium.
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

const folder = path.resolve(process.argv[2]);
const load = createRequire(path.join(folder, 'package.json'));
const { chromium } = load('playwright-core');
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

// The pages come from loopback, which counts as secure, so that WebRTC may be used.
const pages = http.createServer((request, response) => {
  const name = path.basename(new URL(request.url, 'http://localhost').pathname);
  if (name.endsWith('.html')) {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><title>${name}</title><script src="${name.replace('.html', '.js')}"></script>`);
    return;
  }
  fs.readFile(path.join(folder, 'www', name), (error, data) => {
    response.writeHead(error ? 404 : 200, { 'Content-Type': 'text/javascript; charset=utf-8' });
    response.end(data);
  });
});
await new Promise((listening) => pages.listen(0, '127.0.0.1', listening));

const browser = await chromium.launch({
  executablePath: process.env.SIPUA_CHROMIUM ?? '/usr/lib/chromium/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--autoplay-policy=no-user-gesture-required',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  ],
});
// The microphone itself is not used; but without leave to use it, a page gets no local address to offer.
const context = await browser.newContext({ ignoreHTTPSErrors: true, permissions: ['microphone'] });
const phones = new Map();

const orders = {
  async open({ phone, library, options }) {
    const page = await context.newPage();
    phones.set(phone, page);
    page.on('pageerror', (error) => say({ phone, event: 'page error', text: error.message }));
    page.on('console', (line) => console.error(`${phone}: ${line.text()}`));
    await page.exposeFunction('report', (event) => say({ phone, ...event }));
    await page.goto(`http://127.0.0.1:${pages.address().port}/${library}.html`);
    return page.evaluate((wanted) => (window.phone = window.newPhone(wanted)).start(), options);
  },

  async close({ phone }) {
    const page = phones.get(phone);
    phones.delete(phone);
    await page?.evaluate(() => window.phone?.stop()).catch(() => {});
    await page?.close();
  },
};

async function carryOut(order) {
  if (order.do in orders) return orders[order.do](order);
  const page = phones.get(order.phone);
  if (!page) throw new Error(`there is no phone ${order.phone}`);
  return page.evaluate(([name, values]) => window.phone[name](...values), [order.do, order.values ?? []]);
}

// From the packages themselves: the code of SIP.js 0.21.2 says that it is 0.21.1.
const version = (name) => JSON.parse(fs.readFileSync(path.join(folder, 'node_modules', name, 'package.json'))).version;
say({ event: 'ready', versions: { chromium: browser.version(), jssip: version('jssip'), sipjs: version('sip.js') } });

for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  carryOut(order).then(
    (result) => say({ id: order.id, result: result ?? null }),
    (error) => say({ id: order.id, error: error.message.replace(/^page\.evaluate: (Error: )?/, '').split('\n')[0] }));
}
await browser.close();
process.exit(0);
