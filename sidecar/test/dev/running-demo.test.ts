import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { interfacesOf, listenersOf, networkOf, processTree } from '../support/listening.ts';
import { startDemo, type RunningDemo } from '../support/running-demo.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const TEMPLATE = `Ready, "it's" $HOME; {url}`;
const PRODUCTION = 'postgres://practice.example/axis';
const PORTAL = `https://portal.axisimaging.example/results?a='b'&c=d`;

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2000 });
    const settle = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', settle(true)).once('error', settle(false)).once('timeout', settle(false));
  });
}

describe('the demo while it runs', () => {
  let demo: RunningDemo;
  let readLine = '';
  before(async () => {
    demo = await startDemo({
      SMS_TEMPLATE: TEMPLATE,
      PORTAL_URL: PORTAL,
      LOG_LEVEL: 'warn',
      METRICS_PORT: '0',
      HL7_PORT: '0',
      HTTP_PORT: '0',
      DEMO_ORTHANC_HTTP_PORT: '0',
      DEMO_ORTHANC_DICOM_PORT: '0',
      HL7_HOST: '0.0.0.0',
      HTTP_HOST: '::',
      DATABASE_URL: PRODUCTION,
      TWILIO_AUTH_TOKEN_FILE: '/nowhere/token',
    });
    readLine = demo.printed.split('\n').find((line) => line.includes('set -a;')) ?? '';
  });
  after(() => demo[Symbol.asyncDispose]());

  /** In a shell that has production's settings, after the line that the demo says. */
  const inShell = (line: string): Promise<{ code: unknown; out: string }> =>
    new Promise((resolve) => {
      const { PATH, HOME } = process.env;
      const env = {
        PATH,
        HOME,
        DATABASE_URL: PRODUCTION,
        DATABASE_URL_FILE: '/nowhere',
        TWILIO_API_URL: 'https://x.example',
      };
      execFile('sh', ['-euc', `${readLine}\n${line}`], { cwd: ROOT, env, timeout: 50_000 }, (error, out, err) => {
        resolve({ code: error?.code ?? 0, out: out + err });
      });
    });

  it('listens on loopback only, with every process of its, and nothing else of this machine leads there', async () => {
    const pids = processTree(demo.pid);
    const network = networkOf(process.pid);
    const listeners = listenersOf(pids);
    const [ours, apart] = [true, false].map((isOurs) =>
      listeners.filter((one) => (one.network === network) === isOurs),
    );
    for (const { address, port } of ours ?? []) expect(address, String(port)).to.be.oneOf(['127.0.0.1', '::1']);
    const named = [
      'Orthanc Explorer',
      'DICOM',
      'HL7 over MLLP',
      'upload',
      'metrics',
      'texts',
      'database',
      'a rendering',
    ];
    const ports = named.map((name) => Number(/127\.0\.0\.1:(\d+)/.exec(demo.place(name))?.[1]));
    expect(ours?.map(({ port }) => port)).to.include.members(ports);
    // Orthanc listens on all interfaces of its own network, which has no other.
    expect(apart?.map(({ port }) => port)).to.have.members(ports.slice(0, 2));
    for (const pid of pids.filter((one) => networkOf(one) !== network)) expect(interfacesOf(pid)).to.deep.equal(['lo']);
    // Link-local addresses need an interface's name to be reached by.
    const outer = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    for (const { address } of outer.filter(({ internal, address }) => !internal && !address.startsWith('fe80'))) {
      for (const port of ports) expect(await answers(address, port), `${address} ${port}`).to.equal(false);
    }
    for (const port of ports) expect(await answers('127.0.0.1', port), String(port)).to.equal(true);
  });

  it('uses what it is given, except for where servers are, which it says', async () => {
    for (const name of ['DATABASE_URL', 'HTTP_HOST', 'HL7_HOST', 'TWILIO_AUTH_TOKEN_FILE']) {
      expect(/^not used.*$/m.exec(demo.printed)?.[0]).to.contain(name);
    }
    expect(demo.printed).to.contain(`delivered to +61491570006: ${TEMPLATE.replace('{url}', PORTAL)}`);
    expect(await (await fetch(demo.place('texts'))).text()).to.contain('+61491570006');
    expect((await fetch(demo.place('metrics'))).status).to.equal(200);
  });

  it('gives an operator a key', async () => {
    const [, url = '', key = ''] = /^(\S+) +\(key (\S+)\)$/.exec(demo.place('operators')) ?? [];
    expect((await fetch(url)).status).to.equal(401);
    expect((await fetch(url, { headers: { 'X-API-Key': key } })).status).to.equal(200);
  });

  it('gives Explorer an account that looks and deletes nothing', async () => {
    const [, url = '', name = '', password = ''] =
      /^(\S+)\/app\/explorer\.html +\((\S+) \/ ([^\s,]+),/.exec(demo.place('Orthanc Explorer')) ?? [];
    const headers = { Authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` };
    expect((await fetch(`${url}/app/explorer.html`, { headers })).status).to.equal(200);
    const studies = await (await fetch(`${url}/studies`, { headers })).text();
    const [, study = ''] = /"([0-9a-f-]{44})"/.exec(studies) ?? [];
    expect((await fetch(`${url}/studies/${study}`, { headers })).status).to.equal(200);
    expect((await fetch(`${url}/studies/${study}`, { headers, method: 'DELETE' })).status).to.equal(403);
    expect((await fetch(`${url}/studies/${study}`)).status).to.equal(401);
  });

  it('gives a shell its settings by one line, in a file that only its owner reads', async () => {
    const [, file = ''] = /^set -a; \. (\S+); set \+a$/.exec(readLine.trim()) ?? [];
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    const { out } = await inShell(
      'printf "%s\\n" "$SMS_TEMPLATE" "$PORTAL_URL" "$TWILIO_API_URL" "${DATABASE_URL_FILE-none}"',
    );
    const [template, portal, twilio, databaseFile] = out.split('\n');
    expect([template, portal, databaseFile]).to.deep.equal([TEMPLATE, PORTAL, 'none']);
    expect(twilio).to.contain('127.0.0.1');
    expect(await inShell('npx axis list')).to.deep.equal({ code: 0, out: 'nothing needs a person\n' });
    const show = /npx axis show \S+/.exec(demo.printed)?.[0] ?? '';
    expect((await inShell(show)).out).to.contain('AX24-0001');
    const doctor = await inShell('npx axis doctor');
    expect(doctor.out).to.contain(' 0 failed');
    expect(doctor.code).to.equal(0);
  });

  it('leaves neither processes nor that file at its end', async () => {
    const [, file = ''] = /\. (\S+); set \+a/.exec(readLine) ?? [];
    const pids = processTree(demo.pid);
    await demo[Symbol.asyncDispose]();
    expect(existsSync(file)).to.equal(false);
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).to.deep.equal([]);
  });
});
