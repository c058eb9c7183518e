import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { addressMatcher } from '../../../platform/net/addresses.ts';
import { startInside } from '../../../dev/orthanc-root.ts';
import { mllpFrame } from '../../../hl7/rules/mllp.ts';
import { createAuthority, type Authority, type KeyPair } from '../../support/certificates.ts';
import { listen, verdict, type TestListener } from '../../support/hl7-listener.ts';
import { connectSender, pause } from '../../support/mllp-sender.ts';
import { eventually } from '../../support/rig.ts';
import { tlsFolder, type TlsFolder } from '../../support/tls-folder.ts';

const frame = (controlId: number): Buffer =>
  mllpFrame(Buffer.from(`MSH|^~\\&|RIS|CLINIC|AXIS|AXIS|20260401||ADT^A08|${controlId}|P|2.5.1\rPID|||P1||Doe\r`));

describe('HL7 listener: who may connect', () => {
  let own: Authority;
  let other: Authority;
  let server: KeyPair;
  before(() => {
    [own, other] = [createAuthority('Practice CA'), createAuthority('Another CA')];
    server = own.issue('axis');
  });
  after(async () => {
    await Promise.all([own, other].map((authority) => authority[Symbol.asyncDispose]()));
  });

  const listenTls = (folder: TlsFolder, changed: Parameters<typeof listen>[0] = {}) =>
    listen({ ...changed, guard: { tls: { port: 0, files: folder.files }, ...changed.guard } });
  const client = (pair?: KeyPair): ConnectionOptions => ({
    ca: own.certificate,
    ...(pair && { cert: pair.certificate, key: pair.key }),
  });
  /** The answer to one message by TLS, or why there was none. */
  const send = async ({ listener }: TestListener, tls: ConnectionOptions): Promise<string> => {
    try {
      using sender = await connectSender(listener.tlsPort, '127.0.0.1', tls);
      await sender.write(frame(1));
      return verdict((await sender.answers(1))[0] ?? '');
    } catch {
      return 'no answer';
    }
  };

  it('takes messages by TLS 1.3 and 1.2 beside the plain port, and nothing older', async () => {
    using folder = tlsFolder(server);
    await using both = await listenTls(folder);
    for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
      expect(await send(both, { ...client(), minVersion: version, maxVersion: version })).to.equal('AA 1');
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    expect(await send(both, { ...client(), ...old })).to.equal('no answer');
    using plain = await connectSender(both.port);
    await plain.write(frame(2));
    expect((await plain.answers(1)).map(verdict)).to.deep.equal(['AA 2']);
    expect(both.refused).to.deep.equal(['hl7-tls ERR_SSL_UNSUPPORTED_PROTOCOL']);
  });

  it('is told the same by openssl s_client', async () => {
    using folder = tlsFolder(server);
    await using both = await listenTls(folder);
    const handshake = async (version: string): Promise<string> => {
      const to = ['-connect', `127.0.0.1:${both.listener.tlsPort}`, '-brief', '-cipher', 'DEFAULT@SECLEVEL=0'];
      const child = startInside('openssl', ['s_client', ...to, version]);
      await child.ended;
      return child.lastOutput();
    };
    expect(await handshake('-tls1_3')).to.include('Protocol version: TLSv1.3');
    expect(await handshake('-tls1_2')).to.include('Protocol version: TLSv1.2');
    for (const version of ['-tls1_1', '-tls1']) {
      expect(await handshake(version))
        .to.match(/alert protocol version/)
        .and.not.include('Protocol version:');
    }
  });

  it('with an authority for clients takes only who shows a good certificate of it', async () => {
    using folder = tlsFolder(server, own.certificate);
    await using both = await listenTls(folder);
    expect(await send(both, client(own.issue('ris')))).to.equal('AA 1');
    expect(await send(both, client())).to.equal('no answer');
    expect(await send(both, client(other.issue('ris')))).to.equal('no answer');
    expect(await send(both, client(own.issue('ris', -1)))).to.equal('no answer');
    expect(both.inbound).to.have.length(1);
    expect(both.refused).to.have.length(3);
    expect(both.refused[2]).to.equal('hl7-tls CERT_HAS_EXPIRED');
  });

  it('closes the connection of who speaks plain text to the TLS port, and holds up nobody', async () => {
    using folder = tlsFolder(server);
    await using both = await listenTls(folder);
    using sender = await connectSender(both.listener.tlsPort);
    await sender.write(frame(1));
    await sender.untilClosed();
    expect(sender.received().toString('latin1')).not.to.include('MSA');
    expect(await send(both, client())).to.equal('AA 1');
    expect(both.refused).to.deep.equal(['hl7-tls ERR_SSL_WRONG_VERSION_NUMBER']);
  });

  it('can do without the plain port', async () => {
    using folder = tlsFolder(server);
    await using only = await listenTls(folder, { guard: { plain: false } });
    expect([only.port, only.listener.listening]).to.deep.equal([0, true]);
    expect(await send(only, client())).to.equal('AA 1');
  });

  it('closes the connections of other addresses than those listed before it reads a byte', async () => {
    using folder = tlsFolder(server);
    await using both = await listenTls(folder, { guard: { admits: addressMatcher(['127.0.0.2/31', '::1']) } });
    for (const port of [both.port, both.listener.tlsPort]) {
      using stranger = await connectSender(port);
      await stranger.untilClosed();
      expect(stranger.received()).to.have.length(0);
    }
    const socket = connect({ port: both.port, host: '127.0.0.1', localAddress: '127.0.0.3' });
    socket.write(frame(7));
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    await eventually('the answer', () => Promise.resolve(received.includes('MSA|AA|7')));
    socket.destroy();
    expect(both.refused).to.deep.equal(['hl7 address', 'hl7-tls address']);
    expect(both.inbound).to.have.length(1);
  });

  it('reads a renewed certificate for the connections that come then, once its key is there too', async () => {
    using folder = tlsFolder(server);
    await using both = await listenTls(folder);
    const shown = async (): Promise<string> => {
      const socket: TLSSocket = connectTls({ port: both.listener.tlsPort, host: '127.0.0.1', ca: own.certificate });
      await once(socket, 'secureConnect');
      const name = String(socket.getPeerCertificate().subject.CN);
      socket.destroy();
      return name;
    };
    using before = await connectSender(both.listener.tlsPort, '127.0.0.1', client());
    const { certificate, key } = own.issue('renewed');
    folder.renew({ certificate });
    await eventually('the half renewed files to be looked at', () =>
      Promise.resolve(both.warnings.includes('the certificate was not read again: it is not fit')),
    );
    expect(await shown()).to.equal('axis');
    folder.renew({ key });
    await eventually('the renewed certificate', async () => (await shown()) === 'renewed');
    await before.write(frame(1));
    expect((await before.answers(1)).map(verdict)).to.deep.equal(['AA 1']);
  });

  it('says which of its files cannot be used', async () => {
    using folder = tlsFolder({ ...server, key: own.issue('another').key });
    const why = await listenTls(folder).then(
      () => 'it listens',
      (error: unknown) => String(error),
    );
    expect(why).to.include('server.pem').and.include('are not a certificate');
  });

  it('stops at once where somebody is in the middle of a handshake', async () => {
    using folder = tlsFolder(server);
    await using both = await listenTls(folder);
    using silent = await connectSender(both.listener.tlsPort);
    await pause(20);
    await both[Symbol.asyncDispose]();
    await silent.untilClosed();
  });

  it('takes 1,000 connections as far as it may, and one more message when they are gone', async function () {
    this.timeout(120_000);
    await using server = await listen({ maxConnections: 100 });
    const senders = await Promise.all(Array.from({ length: 1000 }, () => connectSender(server.port)));
    await eventually('those too many to be closed', () =>
      Promise.resolve(senders.filter((sender) => sender.closed).length === 900),
    );
    const [kept] = senders.filter((sender) => !sender.closed);
    await kept!.write(frame(1));
    expect((await kept!.answers(1)).map(verdict)).to.deep.equal(['AA 1']);
    for (const sender of senders) sender[Symbol.dispose]();
    await pause(100);
    using later = await connectSender(server.port);
    await later.write(frame(2));
    expect((await later.answers(1)).map(verdict)).to.deep.equal(['AA 2']);
  });
});
