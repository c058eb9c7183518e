import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { expect } from 'chai';
import { startTlsFront, type TlsFront } from '../../../platform/net/tls-front.ts';
import { createAuthority, type Authority } from '../../support/certificates.ts';
import { eventually } from '../../support/rig.ts';
import { tlsFolder } from '../../support/tls-folder.ts';

/** Comes without TLS, sends that, and ends. Over when the front has ended its side too. */
async function comesPlain(front: TlsFront, sends: string): Promise<void> {
  const socket = connect(front.port, '127.0.0.1').on('error', () => undefined);
  const closed = once(socket, 'close');
  socket.resume().end(sends);
  await closed;
}

async function comesByTls(front: TlsFront, options: ConnectionOptions): Promise<void> {
  const socket = connectTls({ port: front.port, host: '127.0.0.1', ...options }).on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume().once('secureConnect', () => socket.end());
  await closed;
}

describe('the front for DICOM by TLS: what it tells of those who do not get in', () => {
  let own: Authority;
  let other: Authority;
  before(() => {
    [own, other] = [createAuthority('Practice CA'), createAuthority('Another CA')];
  });
  after(async () => {
    await Promise.all([own, other].map((authority) => authority[Symbol.asyncDispose]()));
  });

  it('is from where and why, and nothing of a health check, which sends nothing', async () => {
    using folder = tlsFolder(own.issue('front'), own.certificate);
    const refused: string[] = [];
    await using front = await startTlsFront({
      host: '127.0.0.1',
      port: 0,
      // Nobody gets as far.
      target: { host: '127.0.0.1', port: 1 },
      files: folder.files,
      maxConnections: 10,
      idleTimeoutMs: 10_000,
      onRefused: (from, code) => refused.push(`${from} ${code}`),
      log: { info: () => undefined, warn: () => undefined },
    });
    const told = async (...all: string[]): Promise<void> => {
      await eventually('what was told', () => Promise.resolve(refused.length >= all.length), 10_000);
      expect(refused).to.deep.equal(all);
    };

    await comesPlain(front, '');
    await comesPlain(front, 'an association without TLS');
    const plain = '127.0.0.1 ERR_SSL_WRONG_VERSION_NUMBER';
    await told(plain);
    await comesByTls(front, { ca: own.certificate });
    const noCertificate = '127.0.0.1 ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE';
    await told(plain, noCertificate);
    const stranger = other.issue('ct1');
    await comesByTls(front, { ca: own.certificate, cert: stranger.certificate, key: stranger.key });
    const another = '127.0.0.1 UNABLE_TO_VERIFY_LEAF_SIGNATURE';
    await told(plain, noCertificate, another);
    // It does not trust the front's certificate, and goes without a word.
    await comesByTls(front, { ca: [] });
    await told(plain, noCertificate, another, '127.0.0.1 ECONNRESET');
  });
});
