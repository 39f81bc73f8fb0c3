// What a phone says and hears: a tone of its own as microphone, and the samples of what the peer sends.

const RATE = 8000; // the telephone band is what tests look at
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export class Audio {
  #context = new AudioContext({ sampleRate: RATE });
  #ready = this.#context.audioWorklet.addModule('listener.js');
  #blocks = new Map(); // remote track: what it brought while somebody listens
  #playing = new Set();
  #kept = []; // what must not be collected as garbage while it sounds

  constructor(frequency) {
    this.frequency = frequency;
  }

  // A new stream each time, since libraries switch the tracks of a call off and on.
  microphone({ video = false } = {}) {
    const tone = new OscillatorNode(this.#context, { frequency: this.frequency });
    const volume = new GainNode(this.#context, { gain: 0.3 });
    const end = new MediaStreamAudioDestinationNode(this.#context);
    tone.connect(volume).connect(end);
    tone.start();
    this.#kept.push(tone);
    if (video) end.stream.addTrack(this.#camera());
    return end.stream;
  }

  #camera() {
    const canvas = document.createElement('canvas');
    const paint = canvas.getContext('2d');
    let n = 0;
    setInterval(() => {
      paint.fillStyle = `hsl(${(n += 9) % 360} 80% 50%)`;
      paint.fillRect(0, 0, canvas.width, canvas.height);
    }, 100);
    return canvas.captureStream(10).getVideoTracks()[0];
  }

  // Chromium decodes only what is played, so the track is played as well as listened to. After a hold it comes again.
  async play(track) {
    if (track.kind !== 'audio' || this.#playing.has(track)) return;
    this.#playing.add(track);
    const stream = new MediaStream([track]);
    const player = document.createElement('audio');
    player.srcObject = stream;
    player.play().catch(() => {}); // the call was over before it began
    await this.#ready;
    const source = new MediaStreamAudioSourceNode(this.#context, { mediaStream: stream });
    const listener = new AudioWorkletNode(this.#context, 'listener', { channelCount: 1, channelCountMode: 'explicit' });
    listener.port.onmessage = ({ data }) => this.#blocks.get(track)?.push(data);
    source.connect(listener).connect(this.#context.destination);
    this.#kept.push(player, source, listener);
  }

  // Keep what a remote track brings from now on; done when something came.
  async listen(track) {
    const blocks = [];
    this.#blocks.set(track, blocks);
    for (let waited = 0; !blocks.length; waited += 10) {
      if (waited > 10000) throw new Error('no sound within 10 s');
      await pause(10);
    }
  }

  // What came since listen: PCM of 16 bits at 8 kHz, in base64.
  heard(track) {
    const blocks = this.#blocks.get(track);
    this.#blocks.delete(track);
    const samples = new Int16Array(blocks.reduce((sum, block) => sum + block.length, 0));
    let at = 0;
    for (const block of blocks) for (const sample of block) samples[at++] = Math.max(-1, Math.min(1, sample)) * 32767;
    return base64(new Uint8Array(samples.buffer));
  }
}

function base64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
