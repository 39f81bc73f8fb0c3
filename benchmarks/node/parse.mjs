// JsSIP's parser under measurement: the counterpart of _parse_worker.py, with the same commands and answers.
//   node parse.mjs --messages FILE
import fs from 'node:fs';
import readline from 'node:readline';
import Parser from 'jssip/lib/Parser.js';
import { argument, cpuSeconds } from './common.mjs';

const CHECKED = 100;
const messages = JSON.parse(fs.readFileSync(argument('messages'), 'utf8'));
const ua = {};                                     // IncomingRequest keeps it and asks nothing of it here

const each = (message, name) => message.getHeaders(name).map((_, i) => message.parseHeader(name, i));

function read(message) {                           // the fields that read() of _parse_worker.py reads, in its order
  const { via, from, to } = message, cseq = message.parseHeader('cseq');
  return [
    [via.host, via.branch],
    [from.display_name, from.uri.user, from.uri.host, message.from_tag],
    [to.uri.user, to.uri.host],
    [cseq.value, cseq.method],
    each(message, 'contact').map(contact => [contact.uri.user, contact.uri.host]),
    each(message, 'record-route').map(route => [route.uri.host, route.uri.port ?? null]),
    message.parseHeader('content-type'),
  ];
}

for await (const command of readline.createInterface({ input: process.stdin })) {
  let answer;
  if (command.trim() === 'values') answer = messages.slice(0, CHECKED).map(text => read(Parser.parseMessage(text, ua)));
  else {
    const started = cpuSeconds();
    for (const text of messages) read(Parser.parseMessage(text, ua));
    answer = { cpu_s: cpuSeconds() - started, messages: messages.length };
  }
  console.log(JSON.stringify(answer));
}
