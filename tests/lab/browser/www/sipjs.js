// The phone on SIP.js.
import { Inviter, Messager, Registerer, RegistererState, SessionState, UserAgent, Web } from 'sip.js';

import { Phone, RECONNECT_AFTER, pause } from './phone.js';

class SipjsPhone extends Phone {
  connection(call) {
    return call.sessionDescriptionHandler?.peerConnection;
  }

  media({ video = false } = {}) {
    return { sessionDescriptionHandlerOptions: { constraints: { audio: true, video } } };
  }

  target(name) {
    return UserAgent.makeURI(this.uri(name));
  }

  async start() {
    this.ua = new UserAgent({
      uri: this.target(this.user),
      authorizationUsername: this.user,
      authorizationPassword: this.password,
      transportOptions: { server: this.url },
      logBuiltinEnabled: false,
      sipExtensionReplaces: 'Supported',
      sipExtension100rel: 'Supported',
      sessionDescriptionHandlerFactory: Web.defaultSessionDescriptionHandlerFactory(
        async ({ video }) => this.audio.microphone({ video })),
      sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: this.connectionOptions },
      delegate: {
        onConnect: () => this.reconnected?.(),
        onDisconnect: (error) => this.disconnected(error),
        onInvite: (invitation) => this.incoming(invitation),
        onMessage: (message) => {
          const { from, body } = message.request;
          const type = message.request.getHeader('Content-Type');
          message.accept();
          this.tell('message', { from: from.uri.user, body, type });
        },
      },
    });
    await this.ua.start();
    this.registerer = new Registerer(this.ua, { expires: 120, regId: 1 });
    this.registerer.stateChange.addListener((state) => {
      if (state === RegistererState.Unregistered) this.tell('unregistered');
    });
    await this.register();
    this.reconnected = () => this.register().catch((error) => console.log(String(error)));
  }

  // The state of a Registerer says nothing when it is registered once more.
  register() {
    return new Promise((done, failed) => {
      const requestDelegate = {
        onAccept: () => done(this.tell('registered')),
        onReject: ({ message }) => failed(new Error(`not registered: ${message.statusCode}`)),
      };
      this.registerer.register({ requestDelegate }).catch(failed);
    });
  }

  // A lost connection is the application's to make again.
  async disconnected(error) {
    this.tell('disconnected');
    while (error) {
      await pause(RECONNECT_AFTER);
      error = await this.ua.reconnect().then(() => null, (again) => again);
    }
  }

  async stop() {
    const gone = new Promise((done) => this.registerer.stateChange.addListener(done));
    this.registerer.unregister().catch(() => {});
    await Promise.race([gone, pause(2000)]);
    await Promise.race([this.ua.stop(), pause(2000)]);
  }

  incoming(invitation) {
    const { request } = invitation;
    this.follow(invitation);
    if (request.hasHeader('Replaces')) {
      this.tell('replaces');
      invitation.accept(this.media());
      return;
    }
    const { uri, displayName } = request.from;
    this.tell('incoming', { from: uri.user, name: displayName, offer: Boolean(request.body) });
  }

  follow(call) {
    this.began(call);
    call.delegate = {
      onSessionDescriptionHandler: ({ peerConnection }) => this.watch(peerConnection),
      onInvite: (request) => this.reinvited(call, request),
      onInfo: (info) => this.informed(info),
      onRefer: (referral) => this.referred(referral),
      onCancel: () => { call.canceled = true; },
    };
    let confirmed = false;
    call.stateChange.addListener((state) => {
      if (state === SessionState.Established) {
        confirmed = true;
        this.tell('confirmed');
      }
      if (state === SessionState.Terminated) {
        const by = call.ours ? 'local' : 'remote';
        // The response is told only after the state that it leads to.
        if (confirmed) this.over(call, 'ended', { by });
        else setTimeout(() => this.over(call, 'failed', { by, status: call.refusal ?? 0 }));
      }
    });
  }

  reinvited(call, { body }) {
    const held = /^a=(sendonly|inactive)\r?$/m.test(body);
    if (held === Boolean(call.heldByPeer)) return;
    call.heldByPeer = held;
    this.tell(held ? 'hold' : 'unhold', { by: 'remote' });
  }

  informed(info) {
    const { body } = info.request;
    const type = info.request.getHeader('Content-Type');
    const signal = /^Signal\s*=\s*(\S)/im.exec(body);
    if (!/^application\/dtmf-relay/i.test(type)) this.tell('info', { type, body });
    else this.tell('dtmf', { tone: signal?.[1], duration: Number(/^Duration\s*=\s*(\d+)/im.exec(body)?.[1]) });
    info.accept();
  }

  async referred(referral) {
    this.tell('refer', { to: String(referral.referTo.uri) });
    await referral.accept();
    const inviter = referral.makeInviter(this.media());
    this.invite(inviter);
  }

  invite(inviter) {
    this.follow(inviter);
    this.tell('calling');
    const refused = ({ message }) => { inviter.refusal = message.statusCode; };
    const requestDelegate = {
      onProgress: ({ message }) => this.tell('progress', { status: message.statusCode }),
      onReject: refused,
      onRedirect: refused,
    };
    inviter.invite({ requestDelegate }).catch((error) => this.tell('call error', { text: String(error) }));
  }

  async call(target, more) {
    this.invite(new Inviter(this.ua, this.target(target), this.media(more)));
  }

  async answer(more) {
    await this.call_().accept(this.media(more));
  }

  async reject(statusCode) {
    this.call_().ours = true;
    await this.call_().reject({ statusCode });
  }

  async hangup(which) {
    const call = this.call_(which);
    call.ours = true;
    if (call.state === SessionState.Established) await call.bye();
    else if (call instanceof Inviter) await call.cancel();
    else await call.reject();
  }

  hold(which) {
    return this.#hold(this.call_(which), true);
  }

  unhold(which) {
    return this.#hold(this.call_(which), false);
  }

  async #hold(call, hold) {
    // It is also looked at when the other side sends a re-INVITE meanwhile.
    call.sessionDescriptionHandlerOptionsReInvite = { hold };
    const ask = () => answered('re-INVITE', (requestDelegate) => call.invite({ requestDelegate }));
    // While the ACK of the other side's re-INVITE is on the way SIP.js refuses to send one.
    await ask().catch(async (error) => {
      if (!/ongoing re-INVITE/.test(error.message)) throw error;
      await pause(500);
      await ask();
    });
    const media = call.sessionDescriptionHandler;
    media.enableReceiverTracks(!hold);
    media.enableSenderTracks(!hold);
    this.tell(hold ? 'hold' : 'unhold', { by: 'local' });
  }

  // As a page does it on another network.
  async restartIce(which) {
    const call = this.call_(which);
    this.connection(call).restartIce();
    await answered('re-INVITE', (requestDelegate) => call.invite({ requestDelegate }));
  }

  // by: INFO or RFC 4733
  async dtmf(tones, by) {
    const call = this.call_();
    if (by !== 'INFO') {
      call.sessionDescriptionHandler.sendDtmf(tones, { duration: 100, interToneGap: 100 });
      await pause(tones.length * 200);
      return;
    }
    for (const tone of tones) {
      const body = {
        contentDisposition: 'render',
        contentType: 'application/dtmf-relay',
        content: `Signal=${tone}\r\nDuration=100`,
      };
      await answered('INFO', (requestDelegate) => call.info({ requestDelegate, requestOptions: { body } }));
      await pause(100);
    }
  }

  message(target, text) {
    const messager = new Messager(this.ua, this.target(target), text);
    return answered('MESSAGE', (requestDelegate) => messager.message({ requestDelegate }));
  }

  // Done when the transfer has succeeded.
  refer(target) {
    return this.#refer(this.call_(), this.target(target));
  }

  // The peers of the oldest and the newest call are to talk to each other.
  referAttended() {
    return this.#refer(this.call_(0), this.call_());
  }

  #refer(call, target) {
    return new Promise((done, failed) => {
      const onNotify = (notification) => {
        notification.accept();
        const status = Number(/^SIP\/2\.0 (\d+)/.exec(notification.request.body)?.[1]);
        this.tell('notify', { status });
        if (status >= 300) failed(new Error(`transfer: ${status}`));
        else if (status >= 200) done();
      };
      answered('REFER', (requestDelegate) => call.refer(target, { requestDelegate, onNotify })).catch(failed);
    });
  }
}

function answered(what, send) {
  return new Promise((done, failed) => {
    const refused = ({ message }) => failed(new Error(`${what}: ${message.statusCode}`));
    send({ onAccept: () => done(), onReject: refused, onRedirect: refused }).catch(failed);
  });
}

window.newPhone = (options) => new SipjsPhone(options);
