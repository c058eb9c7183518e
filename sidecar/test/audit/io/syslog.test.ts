import { expect } from 'chai';
import { createSyslog, type SyslogOptions } from '../../../audit/io/syslog.ts';
import { parseSyslogTarget } from '../../../audit/rules/syslog-target.ts';
import { Failure } from '../../../platform/rules/failure.ts';
import { createAuthority, type Authority } from '../../support/certificates.ts';
import { eventually } from '../../support/rig.ts';
import { startSyslogServer, startUdpSyslogServer } from '../../support/syslog-server.ts';

const MESSAGES = ['<85>1 first', 'Zoë 12 <é>\n34 not a frame', 'x'.repeat(100_000), '\uFEFF'];

const to = (port: number, changed: Partial<SyslogOptions> = {}) =>
  createSyslog({ protocol: 'tcp', host: '127.0.0.1', port, timeoutMs: 2000, ...changed });

async function failureOf(sending: Promise<void>): Promise<Failure> {
  try {
    await sending;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('did not fail');
}

describe('syslog', () => {
  let authority: Authority;
  before(() => {
    authority = createAuthority('syslog');
  });
  after(async () => {
    await authority[Symbol.asyncDispose]();
  });
  const issued = (name: string) => {
    const { certificate: cert, key } = authority.issue(name);
    return { cert, key };
  };

  it('sends by TCP with octet counting, and knows that all was read', async () => {
    await using server = await startSyslogServer();
    const syslog = to(server.port);
    await syslog.send(MESSAGES);
    expect(server.messages).to.deep.equal(MESSAGES);
    await syslog.send(['more']);
    expect(server.messages).to.have.length(5);
    expect([server.problems, server.connections()]).to.deep.equal([[], 2]);
  });

  it('sends by TLS to whom its authority vouches for, and shows its own certificate where asked', async () => {
    await using server = await startSyslogServer({
      tls: { ...issued('server'), ca: authority.certificate, requestCert: true, rejectUnauthorized: true },
    });
    const client = authority.issue('sidecar');
    const tls = { protocol: 'tls', ca: authority.certificate } as const;
    await to(server.port, { ...tls, certificate: client.certificate, key: client.key }).send(MESSAGES);
    await to(server.port, { ...tls, host: 'localhost', certificate: client.certificate, key: client.key }).send([
      'one',
    ]);
    expect(server.messages).to.deep.equal([...MESSAGES, 'one']);
    expect((await failureOf(to(server.port, tls).send(['without']))).kind).to.equal('transient');
    expect(server.messages).to.have.length(5);
    expect(server.problems).to.deep.equal([]);
  });

  it('sends nothing to a server that the authority does not vouch for, or whose TLS is too old', async () => {
    await using stranger = createAuthority('stranger');
    await using server = await startSyslogServer({ tls: issued('server') });
    const failure = await failureOf(to(server.port, { protocol: 'tls', ca: stranger.certificate }).send(['secret']));
    expect(failure.code).to.match(/^syslog-(UNABLE_TO|SELF_SIGNED|CERT)/);
    await using old = await startSyslogServer({
      tls: { ...issued('server'), minVersion: 'TLSv1', maxVersion: 'TLSv1.1' },
    });
    await failureOf(to(old.port, { protocol: 'tls', ca: authority.certificate }).send(['secret']));
    expect([...server.messages, ...old.messages]).to.deep.equal([]);
  });

  for (const [what, options] of [
    ['resets the connection after a message', { resetAfter: 2 }],
    ['never ends it', { neverEnds: true }],
  ] as const) {
    for (const protocol of ['tcp', 'tls'] as const) {
      it(`does not take messages for sent where the server ${what} (${protocol})`, async () => {
        const tls = protocol === 'tls' ? { tls: issued('server') } : {};
        await using server = await startSyslogServer({ ...options, ...tls });
        const syslog = to(server.port, { protocol, ca: authority.certificate, timeoutMs: 500 });
        const failure = await failureOf(syslog.send(Array.from({ length: 2000 }, () => 'y'.repeat(5000))));
        expect(failure).to.include({ kind: 'transient' });
        expect(failure.code).to.match(/^syslog-/);
      });
    }
  }

  it('says where nobody listens', async () => {
    const server = await startSyslogServer();
    await server[Symbol.asyncDispose]();
    expect(await failureOf(to(server.port).send(['x']))).to.include({ kind: 'transient', code: 'syslog-ECONNREFUSED' });
  });

  it('sends by UDP, a message a datagram', async () => {
    await using server = await startUdpSyslogServer();
    const messages = MESSAGES.filter(({ length }) => length < 60_000);
    await to(server.port, { protocol: 'udp' }).send(messages);
    await eventually('the datagrams', () => Promise.resolve(server.messages.length === messages.length));
    expect(server.messages).to.deep.equal(messages);
  });

  it('is set by a URL', () => {
    expect(parseSyslogTarget('tls://logs.example:6514')).to.deep.equal({
      protocol: 'tls',
      host: 'logs.example',
      port: 6514,
    });
    expect(parseSyslogTarget('UDP://[2001:db8::1]:514/')).to.deep.equal({
      protocol: 'udp',
      host: '2001:db8::1',
      port: 514,
    });
    for (const wrong of [
      '',
      'logs',
      'http://a:1',
      'tcp://a',
      'tcp://a:0',
      'tcp://a:65536',
      'tcp://a b:1',
      'tcp://u@a:1',
    ]) {
      expect(parseSyslogTarget(wrong), wrong).to.equal(null);
    }
  });
});
