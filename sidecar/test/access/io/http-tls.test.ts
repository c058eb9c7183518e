import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import type { HttpServer } from '../../../app/http.ts';
import type { HttpGuard } from '../../../access/io/http-guard.ts';
import { startInside } from '../../../dev/orthanc-root.ts';
import { createAuthority, type Authority, type KeyPair } from '../../support/certificates.ts';
import { ask, statusOf } from '../../support/http-client.ts';
import { httpGuard, serveHttp } from '../../support/http-guard.ts';
import { eventually } from '../../support/rig.ts';
import { tlsFolder, type TlsFolder } from '../../support/tls-folder.ts';

describe('the HTTPS port', () => {
  let own: Authority;
  let server: KeyPair;
  before(() => {
    own = createAuthority('Practice CA');
    server = own.issue('axis');
  });
  after(async () => {
    await own[Symbol.asyncDispose]();
  });
  const serve = ({ files }: TlsFolder, guard: Partial<HttpGuard> = {}): Promise<HttpServer> =>
    serveHttp({ closeTimeoutMs: 200, guard: httpGuard({ tls: files, ...guard }) });

  it('speaks TLS 1.3 and 1.2, nothing older, and no plain HTTP', async () => {
    using folder = tlsFolder(server);
    const refused: string[] = [];
    await using http = await serve(folder, { onRefused: ({ what, code }) => void refused.push(`${what} ${code}`) });
    const asked = { port: http.port, path: '/healthz' };
    const tls = { ca: own.certificate };
    for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
      expect(await statusOf({ ...asked, tls: { ...tls, minVersion: version, maxVersion: version } })).to.equal(200);
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    expect(await statusOf({ ...asked, tls: { ...tls, ...old } })).to.equal(0);
    expect(await statusOf(asked)).to.equal(0);
    expect(refused).to.deep.equal(['https ERR_SSL_UNSUPPORTED_PROTOCOL', 'https ERR_SSL_HTTP_REQUEST']);
    const to = ['-connect', `127.0.0.1:${http.port}`, '-brief', '-cipher', 'DEFAULT@SECLEVEL=0', '-tls1_1'];
    const openssl = startInside('openssl', ['s_client', ...to]);
    await openssl.ended;
    expect(openssl.lastOutput()).to.include('alert protocol version');
  });

  it('reads a renewed certificate without a restart', async () => {
    using folder = tlsFolder(server);
    await using http = await serve(folder);
    const shown = async (): Promise<string> => {
      const socket = connectTls({ port: http.port, host: '127.0.0.1', ca: own.certificate });
      await once(socket, 'secureConnect');
      const name = String(socket.getPeerCertificate().subject.CN);
      socket.destroy();
      return name;
    };
    expect(await shown()).to.equal('axis');
    folder.renew(own.issue('renewed'));
    await eventually('the renewed certificate', async () => (await shown()) === 'renewed');
  });

  it('asks for a client certificate but lets keys do, and answers who shows a bad one', async () => {
    using folder = tlsFolder(server, own.certificate);
    await using http = await serve(folder);
    const expired = own.issue('expired', -1);
    const tls = { ca: own.certificate, cert: expired.certificate, key: expired.key };
    const { status, member } = await ask({ port: http.port, path: '/api/operator/work', tls });
    expect([status, member('error')]).to.deep.equal([401, 'unauthorized']);
    expect(await statusOf({ port: http.port, path: '/healthz', tls: { ca: own.certificate } })).to.equal(200);
  });

  it('stops where somebody is in the middle of a handshake', async () => {
    using folder = tlsFolder(server);
    const http = await serve(folder);
    const silent = connect(http.port, '127.0.0.1');
    silent.on('error', () => undefined);
    const closed = once(silent, 'close');
    await once(silent, 'connect');
    await http[Symbol.asyncDispose]();
    await closed;
  });
});
