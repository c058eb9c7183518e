import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { choosePorts, environmentFile, readDemoSettings } from '../../dev/demo-settings.ts';
import { SETTING_NAMES } from '../../app/config.ts';
import { ConfigError } from '../../platform/settings.ts';
import { listen } from '../../platform/net/listen.ts';

const DEMO = fileURLToPath(new URL('../../dev/demo.ts', import.meta.url));

describe('the settings of the demo', () => {
  it('take nothing that leads to servers, by name or by file', () => {
    const leads = SETTING_NAMES.filter((name) => /URL|HOST|TWILIO|CONNECTION_STRING|ORTHANC|SYSLOG/.test(name));
    const all = leads.filter((name) => name !== 'PORTAL_URL').flatMap((name) => [name, `${name}_FILE`]);
    const { given, ignored } = readDemoSettings(Object.fromEntries(all.map((name) => [name, 'x'])));
    expect(given).to.deep.equal({});
    expect([...ignored].sort()).to.deep.equal([...all].sort());
  });

  it('say all at once what is wrong, before anything starts', () => {
    const wrong = { HL7_PORT: 'x', SMS_TEMPLATE: 'no link', DEMO_ORTHANC_HTTP_PORT: '70000' };
    expect(() => readDemoSettings(wrong)).to.throw(ConfigError, /DEMO_ORTHANC_HTTP_PORT[^]*HL7_PORT[^]*SMS_TEMPLATE/);
  });

  it('end the demo with the error of settings where one cannot be used', async () => {
    const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], HTTP_PORT: 'eighty' };
    const { code, out } = await new Promise<{ code: unknown; out: string }>((resolve) => {
      execFile(process.execPath, [DEMO, '--once'], { env, timeout: 20_000 }, (error, stdout, stderr) => {
        resolve({ code: error?.code, out: stdout + stderr });
      });
    });
    expect(out).to.equal('settings that cannot be used:\n  HTTP_PORT: must be a whole number from 0 to 65535\n');
    expect(code).to.equal(1);
  });

  it('ask for no port twice, and none that something else listens on', async () => {
    const server = createServer();
    const port = await listen(server, 0, '127.0.0.1');
    try {
      await choosePorts({ HL7_PORT: port }).then(
        () => expect.fail('the port was taken'),
        (error: unknown) => expect(error).to.be.instanceOf(ConfigError),
      );
    } finally {
      server.close();
      await once(server, 'close');
    }
    const { hl7, http } = await choosePorts({ HL7_PORT: port });
    expect(hl7).to.equal(port);
    expect(http).not.to.equal(port);
    await choosePorts({ HL7_PORT: port, HTTP_PORT: port }).then(
      () => expect.fail('one port was given to two'),
      (error: unknown) => expect(String(error)).to.contain(`HTTP_PORT: something else listens on ${port}`),
    );
  });

  it('are written so that a shell reads them as they are', async () => {
    const value = `a 'b' "c"; $HOME \`id\`\n#d`;
    const script = `${environmentFile({ SMS_TEMPLATE: value })}\nprintf %s "$SMS_TEMPLATE"`;
    const out = await new Promise((resolve) => {
      execFile('sh', ['-euc', script], { timeout: 5000 }, (_, stdout) => {
        resolve(stdout);
      });
    });
    expect(out).to.equal(value);
  });
});
