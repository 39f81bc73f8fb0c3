// What the phones on the two libraries have in common. A phone lives in a page of its own; the driver calls its methods.
//
// Commands:  call answer reject hangup hold unhold addVideo restartIce dtmf message refer referAttended listen heard
//            picture stats stop
// Events:    registered unregistered disconnected calling incoming progress confirmed ended failed hold unhold dtmf info
//            message refer replaces notify tone
//
// Commands are about the newest call unless they name another one: 0 is the oldest.

import { Audio, pause } from './audio.js';

export { pause };

// In ms. Asterisk takes connections while it starts, but swallows a REGISTER that comes before it is ready.
export const RECONNECT_AFTER = 3000;

const TONES = '0123456789*#ABCD';

export class Phone {
  calls = []; // those that are not over, oldest first

  // options: url user password domain frequency [tones: report RFC 4733 events]
  constructor(options) {
    Object.assign(this, options);
    this.audio = new Audio(options.frequency);
    // Received telephone-events have no API; they pass through the encoded streams of the receiver.
    this.connectionOptions = { iceServers: [], ...(this.tones && { encodedInsertableStreams: true }) };
  }

  // --- for the libraries' halves

  tell(event, data = {}) {
    window.report({ event, ...data });
  }

  call_(which = -1) {
    const call = this.calls.at(which);
    if (!call) throw new Error(`${this.user} has no such call`);
    return call;
  }

  began(call) {
    if (!this.calls.includes(call)) this.calls.push(call);
  }

  over(call, event, data) {
    this.calls = this.calls.filter((other) => other !== call);
    this.tell(event, data);
  }

  uri(target) {
    return /^sips?:/.test(target) ? target : `sip:${target}@${this.domain}`;
  }

  // Every RTCPeerConnection, before anything was negotiated.
  watch(connection) {
    if (connection.watched) return;
    connection.watched = true;
    connection.addEventListener('track', ({ track, receiver, transceiver }) => {
      this.audio.play(track);
      if (this.tones && track.kind === 'audio') this.#readTones(receiver, transceiver.sender);
    });
  }

  #readTones(receiver, sender) {
    const out = sender.createEncodedStreams();
    out.readable.pipeTo(out.writable); // in this mode nothing is sent otherwise
    const { readable, writable } = receiver.createEncodedStreams();
    const seen = new Set(); // the last packet of an event comes three times
    const look = new TransformStream({
      transform: (frame, next) => {
        next.enqueue(frame);
        const { payloadType, rtpTimestamp } = frame.getMetadata();
        const codec = receiver.getParameters().codecs.find((each) => each.payloadType === payloadType);
        if (!/telephone-event/i.test(codec?.mimeType)) return;
        const [event, flags] = new Uint8Array(frame.data);
        if (!(flags & 0x80) || seen.has(rtpTimestamp)) return;
        seen.add(rtpTimestamp);
        this.tell('tone', { tone: TONES[event] ?? String(event) });
      },
    });
    readable.pipeThrough(look).pipeTo(writable);
  }

  // --- commands that need no library

  // From here on what the peer sends is kept until `heard`. The path must be up within 15 s.
  async listen(which) {
    const connection = this.connection(this.call_(which));
    for (let waited = 0; connection.connectionState !== 'connected'; waited += 20) {
      if (waited > 15000) throw new Error(`${this.user}: the path is ${connection.connectionState} after 15 s`);
      await pause(20);
    }
    await this.audio.listen(this.#track(connection));
  }

  // What came since `listen`: see Audio.heard.
  async heard(which) {
    return this.audio.heard(this.#track(this.connection(this.call_(which))));
  }

  #track(connection, wanted = 'audio') {
    return connection.getReceivers().map(({ track }) => track).find(({ kind }) => kind === wanted);
  }

  // The picture that the peer shows, within 15 s: width, height, and the colours (red, green, blue) in eighths of its
  // width, a third from the top.
  async picture(which) {
    const player = document.createElement('video');
    player.muted = true;
    player.srcObject = new MediaStream([this.#track(this.connection(this.call_(which)), 'video')]);
    player.play().catch(() => {}); // taken away before it began
    for (let waited = 0; !player.videoWidth || player.readyState < 2; waited += 50) {
      if (waited > 15000) throw new Error(`${this.user}: no picture within 15 s`);
      await pause(50);
    }
    const { videoWidth: width, videoHeight: height } = player;
    const paint = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d');
    paint.drawImage(player, 0, 0);
    const eighths = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => Math.floor(((n + 0.5) * width) / 8));
    const colours = eighths.map((x) => [...paint.getImageData(x, Math.floor(height / 3), 1, 1).data.slice(0, 3)]);
    player.srcObject = null;
    return { width, height, colours };
  }

  async stats(which) {
    const connection = this.connection(this.call_(which));
    const all = new Map(await connection.getStats());
    const found = {
      state: connection.connectionState,
      local: connection.localDescription?.sdp,
      remote: connection.remoteDescription?.sdp,
    };
    for (const one of all.values()) {
      if (one.kind === 'audio' && one.type === 'outbound-rtp') found.sent = one.packetsSent;
      if (one.kind === 'audio' && one.type === 'inbound-rtp') {
        found.received = one.packetsReceived;
        found.lost = one.packetsLost;
        found.codec = all.get(one.codecId)?.mimeType;
      }
    }
    return found;
  }
}
