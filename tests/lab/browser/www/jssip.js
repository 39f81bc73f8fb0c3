// The phone on JsSIP.
import JsSIP from 'jssip';

import { Phone, RECONNECT_AFTER, pause } from './phone.js';

class JssipPhone extends Phone {
  connection(call) {
    return call.connection;
  }

  media(more = {}) {
    return { mediaStream: this.audio.microphone(more), pcConfig: this.connectionOptions };
  }

  start() {
    const ua = (this.ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(this.url)],
      uri: this.uri(this.user),
      password: this.password,
      register_expires: 120,
      connection_recovery_min_interval: RECONNECT_AFTER / 1000,
      connection_recovery_max_interval: RECONNECT_AFTER / 1000 + 1,
    }));
    ua.on('unregistered', () => this.tell('unregistered'));
    ua.on('disconnected', () => this.tell('disconnected'));
    ua.on('newRTCSession', ({ session, originator, request }) => this.follow(session, originator, request));
    ua.on('newMessage', ({ originator, message, request }) => {
      if (originator !== 'remote') return;
      message.accept();
      this.tell('message', { from: request.from.uri.user, body: request.body, type: request.getHeader('Content-Type') });
    });
    return new Promise((done, refused) => {
      ua.on('registered', () => {
        this.tell('registered');
        done();
      });
      ua.on('registrationFailed', ({ cause }) => refused(new Error(`not registered: ${cause}`)));
      ua.start();
    });
  }

  async stop() {
    const gone = new Promise((done) => this.ua.on('unregistered', done));
    this.ua.stop();
    await Promise.race([gone, pause(2000)]);
  }

  // Every call, also those that come from a transfer.
  follow(call, originator, request) {
    this.began(call);
    if (originator === 'remote') {
      const from = request.from.uri.user;
      this.tell('incoming', { from, name: request.from.display_name ?? '', offer: Boolean(request.body) });
    } else this.tell('calling');
    if (call.connection) this.watch(call.connection);
    call.on('peerconnection', ({ peerconnection }) => this.watch(peerconnection));
    call.on('progress', ({ originator: by, response }) => by === 'remote' && this.tell('progress', { status: response.status_code }));
    call.on('confirmed', () => this.tell('confirmed'));
    call.on('hold', ({ originator: by }) => this.tell('hold', { by }));
    call.on('unhold', ({ originator: by }) => this.tell('unhold', { by }));
    call.on('newDTMF', ({ originator: by, dtmf }) => {
      if (by === 'remote') this.tell('dtmf', { tone: dtmf.tone, duration: dtmf.duration });
      else dtmf.on('failed', () => this.tell('dtmf refused'));
    });
    call.on('newInfo', ({ originator: by, info }) => {
      if (by === 'remote') this.tell('info', { type: info.contentType, body: info.body });
    });
    call.on('refer', ({ request: refer, accept }) => {
      this.tell('refer', { to: String(refer.refer_to.uri) });
      accept(null, this.media());
    });
    call.on('replaces', ({ accept }) => {
      this.tell('replaces');
      accept((replacing) => replacing.answer(this.media()));
    });
    call.on('ended', ({ originator: by, cause }) => this.over(call, 'ended', { by, cause }));
    call.on('failed', ({ originator: by, cause, message }) =>
      this.over(call, 'failed', { by, cause, status: message?.status_code ?? 0 }));
  }

  async call(target, more) {
    this.ua.call(this.uri(target), this.media(more));
  }

  async answer(more) {
    this.call_().answer(this.media(more));
  }

  async reject(status) {
    this.call_().terminate({ status_code: status });
  }

  async hangup(which) {
    this.call_(which).terminate();
  }

  hold(which) {
    return asked((done) => this.call_(which).hold({}, done));
  }

  unhold(which) {
    return asked((done) => this.call_(which).unhold({}, done));
  }

  // As a page does it: a track more in the connection, then a new offer.
  addVideo(which) {
    const call = this.call_(which);
    const camera = this.audio.microphone({ video: true });
    call.connection.addTrack(camera.getVideoTracks()[0], camera);
    return asked((done) => call.renegotiate({}, done));
  }

  // As a page does it on another network.
  restartIce(which) {
    const call = this.call_(which);
    call.connection.restartIce();
    return asked((done) => call.renegotiate({}, done));
  }

  // by: INFO or RFC 4733
  async dtmf(tones, by) {
    const transportType = by === 'INFO' ? 'INFO' : 'RFC2833';
    this.call_().sendDTMF(tones, { transportType, duration: 100, interToneGap: 100 });
    await pause(tones.length * 200);
  }

  message(target, text) {
    return new Promise((done, failed) => {
      const eventHandlers = { succeeded: () => done(), failed: ({ cause }) => failed(new Error(`MESSAGE: ${cause}`)) };
      this.ua.sendMessage(this.uri(target), text, { eventHandlers });
    });
  }

  // Done when the transfer has succeeded.
  refer(target) {
    return this.#refer(this.call_(), this.uri(target));
  }

  // The peers of the oldest and the newest call are to talk to each other.
  referAttended() {
    const newest = this.call_();
    return this.#refer(this.call_(0), newest.remote_identity.uri.toString(), newest);
  }

  #refer(call, target, replaces) {
    return new Promise((done, failed) => {
      const notified = ({ status_line }) => this.tell('notify', { status: status_line.status_code });
      const eventHandlers = {
        requestFailed: ({ cause }) => failed(new Error(`REFER: ${cause}`)),
        trying: notified,
        progress: notified,
        accepted: (notify) => done(notified(notify)),
        failed: (notify) => failed(new Error(`transfer: ${notify.status_line.status_code}`)),
      };
      call.refer(target, { replaces, eventHandlers });
    });
  }
}

function asked(ask) {
  return new Promise((done, refused) => {
    if (!ask(done)) refused(new Error('JsSIP is not ready for that'));
  });
}

window.newPhone = (options) => new JssipPhone(options);
