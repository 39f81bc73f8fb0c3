// JsSIP as the user agent under measurement; media is a stub with a fixed SDP. The counterpart of _driver.py.
//   node --expose-gc ua.mjs --url ws://127.0.0.1:PORT --mode uac|uas|register|fleet --count N --width W --warmup N
import JsSIP from 'jssip';
import WebSocket from 'ws';
import { OFFER, ANSWER, argument, calledBy, control, cpuSeconds, lanes, measure, rssKilobytes, sleep } from './common.mjs';

class StubPeerConnection {                         // gathering is over before it began
  iceGatheringState = 'complete'; iceConnectionState = 'new'; connectionState = 'new'; signalingState = 'stable';
  addEventListener() {} removeEventListener() {} addTrack() {} getSenders() { return []; }
  close() { this.signalingState = 'closed'; }
  async createOffer() { return { type: 'offer', sdp: OFFER }; }
  async createAnswer() { return { type: 'answer', sdp: ANSWER }; }
  async setLocalDescription(d) { this.localDescription = d; this.signalingState = d.type === 'offer' ? 'have-local-offer' : 'stable'; }
  async setRemoteDescription(d) { this.remoteDescription = d; this.signalingState = d.type === 'offer' ? 'have-remote-offer' : 'stable'; }
}
class SessionDescription { constructor({ type, sdp }) { Object.assign(this, { type, sdp }); } }
Object.assign(globalThis, { window: globalThis, WebSocket, RTCPeerConnection: StubPeerConnection, RTCSessionDescription: SessionDescription });

const mediaStream = { getTracks: () => [], getAudioTracks: () => [], getVideoTracks: () => [] };
const callOptions = { mediaStream, mediaConstraints: { audio: true, video: false } };
const url = argument('url'), width = +argument('width', 1);
const plan = { url, warmup: +argument('warmup', 500), count: +argument('count', 1000) };

const next = (emitter, event) => new Promise(resolve => emitter.once(event, resolve));
async function started(user, register) {
  const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(url)], uri: `sip:${user}@stub.invalid`, register });
  const ready = next(ua, register ? 'registered' : 'connected');
  ua.start();
  await ready;
  return ua;
}

const modes = {
  async uac() {
    const ua = await started('u1', false);
    const call = () => new Promise((resolve, reject) => {
      const session = ua.call('sip:peer@stub.invalid', { ...callOptions, eventHandlers: {
        confirmed: () => session.terminate(), ended: resolve, failed: e => reject(new Error(e.cause)) } });
    });
    await measure(lanes(call, width), plan);
  },
  async uas() {
    const ua = await started('u1', true);
    ua.on('newRTCSession', ({ session }) => session.answer(callOptions));
    await measure(calledBy(url, width), plan);
  },
  async register() {                               // one piece of work: REGISTER and un-REGISTER
    const free = await Promise.all(Array.from({ length: width }, (_, i) => started(`u${i}`, false)));
    const cycle = async () => {
      const ua = free.pop();
      let over = next(ua, 'registered'); ua.register(); await over;
      over = next(ua, 'unregistered'); ua.unregister(); await over;
      free.push(ua);
    };
    await measure(lanes(cycle, width), plan);
  },
  async fleet() {
    await started('warm', true);                   // so that code is not counted as memory of an agent
    const before = await rssKilobytes(), uas = [];
    const cpu = cpuSeconds(), start = performance.now();
    for (let i = 0; i < plan.count; i += 50)
      uas.push(...await Promise.all(Array.from({ length: Math.min(50, plan.count - i) }, (_, k) => started(`u${i + k}`, true))));
    const start_s = (performance.now() - start) / 1000, start_cpu_s = cpuSeconds() - cpu;
    await sleep(2000);
    const kb_per_ua = (await rssKilobytes() - before) / plan.count, idle = cpuSeconds();
    await sleep(5000);
    const idle_cpu = (cpuSeconds() - idle) / 5, cutAt = performance.now(), cutCpu = cpuSeconds();
    const back = Promise.all(uas.map(ua => next(ua, 'registered').then(() => (performance.now() - cutAt) / 1000)));
    await control(url, '/cut');
    const times = (await back).sort((a, b) => a - b);
    console.log(JSON.stringify({ kb_per_ua, start_s, start_cpu_s, idle_cpu, first_back_s: times[0],
      all_back_s: times.at(-1), back_cpu_s: cpuSeconds() - cutCpu }));
  },
};
await modes[argument('mode')]();
process.exit(0);
