import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadConfig } from '../../app/config.ts';
import { ConfigError } from '../../platform/settings.ts';

const NEEDED = {
  ORTHANC_URL: 'http://orthanc:8042',
  ORTHANC_USERNAME: 'sidecar',
  ORTHANC_PASSWORD: 'orthanc-password',
  DATABASE_URL: 'postgres://axis:database-password@db/axis',
  AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true',
  PORTAL_URL: 'https://portal.example/view',
};

function problemsOf(environment: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('was taken');
}

describe('settings', () => {
  it('have a value each where only what is needed is set', () => {
    const config = loadConfig(NEEDED);
    expect(config).to.deep.include({
      AZURE_STORAGE_CONTAINER: 'renderings',
      HL7_PORT: 2575,
      HTTP_PORT: 8080,
      PRACTICE_TIME_ZONE: 'Australia/Melbourne',
      PHONE_REGION: 'AU',
      SMS_HOURS: { from: 480, to: 1200 },
      API_KEYS: [],
      HL7_ACCESSION_FIELDS: [
        { segment: 'OBR', field: 18, component: 1 },
        { segment: 'IPC', field: 1, component: 1 },
        { segment: 'OBR', field: 3, component: 1 },
        { segment: 'ORC', field: 3, component: 1 },
      ],
    });
    expect(config.TWILIO_ACCOUNT_SID).to.equal(undefined);
  });

  it('are read as what they mean', () => {
    const config = loadConfig({
      ...NEEDED,
      HTTP_PORT: '0',
      SMS_HOURS: '00:00-24:00',
      HL7_ACCESSION_FIELDS: 'ORC-3, ZDS-1',
    });
    expect(config).to.deep.include({
      HTTP_PORT: 0,
      SMS_HOURS: { from: 0, to: 1440 },
      HL7_ACCESSION_FIELDS: [
        { segment: 'ORC', field: 3, component: 1 },
        { segment: 'ZDS', field: 1, component: 1 },
      ],
    });
  });

  it('that are empty count as not set', () => {
    expect(loadConfig({ ...NEEDED, HTTP_PORT: '', SMS_TEMPLATE: '' })).to.include({ HTTP_PORT: 8080 });
    expect(problemsOf({ ...NEEDED, ORTHANC_PASSWORD: '' })).to.deep.equal(['ORTHANC_PASSWORD: is not set']);
  });

  it('that are needed are all named at once where none is set', () => {
    const named = problemsOf({}).map((problem) => problem.split(':')[0]);
    expect(named.sort()).to.deep.equal(Object.keys(NEEDED).sort());
  });

  it('that are needed are said to be not set, whatever they must be like', () => {
    expect(new Set(problemsOf({}).map((problem) => problem.split(': ')[1]))).to.deep.equal(new Set(['is not set']));
  });

  it('of HL7 senders are read, and every problem of them named at once', () => {
    const config = loadConfig({ ...NEEDED, HL7_SENDERS: 'VOYAGER: accession=OBR-3.1; OTHER|SITE2: modality=ZAX-2' });
    expect(config.HL7_SENDERS).to.deep.equal([
      { application: 'VOYAGER', facility: null, accessionFields: [{ segment: 'OBR', field: 3, component: 1 }] },
      { application: 'OTHER', facility: 'SITE2', modalityFields: [{ segment: 'ZAX', field: 2, component: 1 }] },
    ]);
    expect(config.HL7_PATIENT_ID_TYPES).to.deep.equal(['MR', 'PI', 'PT']);
    expect(
      problemsOf({ ...NEEDED, HL7_SENDERS: 'SECRET; A: accession=SECRET', HL7_MODALITY_FIELDS: 'x' }),
    ).to.deep.equal([
      'HL7_MODALITY_FIELDS: must be a list of fields such as OBR-18,IPC-1,OBR-3.1',
      'HL7_SENDERS: entry 1: must begin with the sender: MSH-3, or MSH-3|MSH-4, and a colon',
      'HL7_SENDERS: entry 2: accession= must be a list of fields such as OBR-18,OBR-3.1',
    ]);
  });

  const BAD: Readonly<Record<string, string>> = {
    ORTHANC_URL: 'ftp://SECRET',
    DATABASE_URL: 'mysql://SECRET',
    DATABASE_POOL_SIZE: 'SECRET',
    AZURE_STORAGE_CONNECTION_STRING: 'SECRET',
    AZURE_STORAGE_CONTAINER: 'SECRET',
    HL7_PORT: '70000',
    HL7_MAX_FRAME_BYTES: '1.5',
    HL7_ACCESSION_FIELDS: 'SECRET',
    HL7_MODALITY_FIELDS: 'OBR-0',
    HL7_PATIENT_ID_TYPES: 'MR,SECRET',
    HL7_SENDERS: 'SECRET',
    HL7_PLAIN: 'SECRET',
    HL7_TLS_PORT: 'SECRET',
    HL7_ALLOWED_ADDRESSES: '10.0.0.1,SECRET',
    HL7_ALLOWED_SENDERS: 'A;SECRET|B|C',
    HTTP_MAX_CONNECTIONS: '1',
    TRUSTED_PROXIES: '10.0.0.0/64',
    HTTP_PORT: '-1',
    API_KEYS: 'SECRET',
    PORTAL_URL: 'SECRET',
    PUBLIC_URL: 'https://axis.example/?SECRET',
    TWILIO_API_URL: 'SECRET',
    SMS_HOURS: 'SECRET',
    SMS_TEMPLATE: 'SECRET',
    PRACTICE_TIME_ZONE: 'SECRET',
    PHONE_REGION: 'secret',
    TWILIO_FROM: 'A-SECRET-OF-18-CHARS',
    POLL_INTERVAL_MS: 'SECRET',
    LOG_LEVEL: 'SECRET',
  };

  it('that cannot be used are all named at once, without the value of any', () => {
    const problems = problemsOf({ ...NEEDED, ...BAD });
    expect(problems.map((problem) => problem.split(':')[0]).sort()).to.deep.equal(Object.keys(BAD).sort());
    expect(problems.join()).not.to.match(/SECRET|secret|70000|1\.5|password/);
    expect(new ConfigError(problems).message.split('\n')).to.have.length(problems.length + 1);
  });

  it('take the public URL without a slash at its end, and nothing that is no part of an address to post to', () => {
    const publicUrl = (PUBLIC_URL: string) => loadConfig({ ...NEEDED, PUBLIC_URL }).PUBLIC_URL;
    expect(publicUrl('https://axis.example/')).to.equal('https://axis.example');
    expect(publicUrl('https://axis.example:8443/sidecar/')).to.equal('https://axis.example:8443/sidecar');
    const bad = [
      'https://axis.example/#a',
      'https://axis.example?',
      'https://u:p@axis.example',
      'ftp://axis.example',
      'x',
    ];
    for (const PUBLIC_URL of bad) {
      expect(problemsOf({ ...NEEDED, PUBLIC_URL }).join(), PUBLIC_URL).to.match(
        /^PUBLIC_URL: must be an http\(s\) URL/,
      );
    }
  });

  it('take a sender that can be one, a region whose numbers are known, and a practice’s name where texts have it', () => {
    expect(problemsOf({ ...NEEDED, TWILIO_FROM: 'AxisImagingMelbourn' })[0]).to.match(/^TWILIO_FROM: must be a number/);
    expect(problemsOf({ ...NEEDED, PHONE_REGION: 'XX' })).to.deep.equal([
      'PHONE_REGION: must be a country code such as AU',
    ]);
    const named = { ...NEEDED, SMS_TEMPLATE: '{practice}: {url}' };
    expect(problemsOf(named)).to.deep.equal(['PRACTICE_NAME: is needed too: SMS_TEMPLATE has {practice}']);
    expect(loadConfig({ ...named, PRACTICE_NAME: 'Axis' }).PRACTICE_NAME).to.equal('Axis');
  });

  it('let no key in both as a device and as an operator', () => {
    const entry = (name: string, byte: string) => `${name}:${byte.repeat(64)}`;
    const keys = { API_KEYS: entry('ct', 'a'), OPERATOR_API_KEYS: `${entry('desk', 'b')},${entry('ct', 'a')}` };
    expect(problemsOf({ ...NEEDED, ...keys })).to.deep.equal([
      'OPERATOR_API_KEYS: has a key that is among API_KEYS too',
    ]);
    expect(loadConfig({ ...NEEDED, ...keys, OPERATOR_API_KEYS: entry('ct', 'b') }).OPERATOR_API_KEYS).to.have.length(1);
  });

  for (const [name, value] of Object.entries(BAD)) {
    it(`name ${name} alone where it alone is wrong`, () => {
      expect(problemsOf({ ...NEEDED, [name]: value }).map((problem) => problem.split(':')[0])).to.deep.equal([name]);
    });
  }

  it('of Twilio need one another', () => {
    expect(problemsOf({ ...NEEDED, TWILIO_ACCOUNT_SID: 'AC1' })).to.deep.equal([
      'TWILIO_AUTH_TOKEN: is needed too',
      'TWILIO_FROM: or TWILIO_MESSAGING_SERVICE_SID is needed too',
    ]);
    expect(problemsOf({ ...NEEDED, TWILIO_AUTH_TOKEN: 't' })).to.deep.equal(['TWILIO_ACCOUNT_SID: is needed too']);
    const account = { ...NEEDED, TWILIO_ACCOUNT_SID: 'AC1', TWILIO_AUTH_TOKEN: 't' };
    expect(loadConfig({ ...account, TWILIO_FROM: '+61400000000' })).to.include({ TWILIO_FROM: '+61400000000' });
    expect(loadConfig({ ...account, TWILIO_MESSAGING_SERVICE_SID: 'MG1' })).to.include({ TWILIO_ACCOUNT_SID: 'AC1' });
  });

  it('take no sender that cannot be, and no country whose numbers nobody knows', () => {
    for (const TWILIO_FROM of ['Axis Radiology Group', 'Ax', '12', '+6140000000000000', 'Axis-Rad']) {
      expect(problemsOf({ ...NEEDED, TWILIO_FROM }).join(), TWILIO_FROM).to.match(/^TWILIO_FROM: must be a number/);
    }
    for (const TWILIO_FROM of ['+61400000000', '0400000000', '12345', 'AxisRad', 'Axis 2']) {
      expect(loadConfig({ ...NEEDED, TWILIO_FROM }).TWILIO_FROM).to.equal(TWILIO_FROM);
    }
    expect(problemsOf({ ...NEEDED, PHONE_REGION: 'UK' }).join()).to.match(/^PHONE_REGION: must be a country/);
  });

  it('of TLS need one another, and leave an HL7 port open', () => {
    const alone = { HL7_TLS_CERTIFICATE: '/a', HL7_TLS_CLIENT_CA: '/ca', HTTPS_KEY: '/b', HL7_PLAIN: 'false' };
    expect(problemsOf({ ...NEEDED, ...alone })).to.deep.equal([
      'HL7_TLS_KEY: is needed too: HL7_TLS_CERTIFICATE is set',
      'HTTPS_CERTIFICATE: is needed too: HTTPS_KEY is set',
    ]);
    expect(problemsOf({ ...NEEDED, HL7_PLAIN: 'false' })).to.deep.equal([
      'HL7_PLAIN: false leaves no HL7 port without HL7_TLS_CERTIFICATE',
    ]);
    const whole = { HL7_TLS_CERTIFICATE: '/a', HL7_TLS_KEY: '/b', HL7_PLAIN: 'false' };
    expect(loadConfig({ ...NEEDED, ...whole })).to.include({ HL7_PLAIN: false, HL7_TLS_PORT: 2576 });
  });

  it('of other problems are named together with Twilio’s', () => {
    const named = problemsOf({ ...NEEDED, HTTP_PORT: 'x', TWILIO_AUTH_TOKEN: 't' }).map(
      (problem) => problem.split(':')[0],
    );
    expect(named).to.have.members(['HTTP_PORT', 'TWILIO_ACCOUNT_SID']);
  });

  describe('from files', () => {
    let folder: string;
    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'settings-'));
      writeFileSync(join(folder, 'password'), 'from-file\n');
    });
    after(() => {
      rmSync(folder, { recursive: true });
    });

    it('are read without the line end behind them', () => {
      const config = loadConfig({
        ...NEEDED,
        ORTHANC_PASSWORD: undefined,
        ORTHANC_PASSWORD_FILE: join(folder, 'password'),
      });
      expect(config.ORTHANC_PASSWORD).to.equal('from-file');
    });

    it('that cannot be read, or that are set twice, are a problem', () => {
      expect(problemsOf({ ...NEEDED, TWILIO_FROM_FILE: join(folder, 'absent') })).to.deep.equal([
        'TWILIO_FROM_FILE: cannot be read',
      ]);
      expect(problemsOf({ ...NEEDED, ORTHANC_PASSWORD_FILE: join(folder, 'password') })).to.deep.equal([
        'ORTHANC_PASSWORD: is set, and ORTHANC_PASSWORD_FILE too',
      ]);
    });
  });
});
