// Audio worklet: passes on every block of samples that it hears.
class Listener extends AudioWorkletProcessor {
  process([input]) {
    if (input.length) this.port.postMessage(input[0].slice());
    return true;
  }
}
registerProcessor('listener', Listener);
