import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { expect } from 'chai';
import { loadConfig, SETTING_NAMES } from '../config.ts';

const FILE_NAMES = [
  'ORTHANC_PASSWORD_FILE',
  'DATABASE_URL_FILE',
  'AZURE_STORAGE_CONNECTION_STRING_FILE',
  'API_KEYS_FILE',
  'OPERATOR_API_KEYS_FILE',
  'TWILIO_AUTH_TOKEN_FILE',
  'AUDIT_SYSLOG_CA_FILE',
  'AUDIT_SYSLOG_CERTIFICATE_FILE',
  'AUDIT_SYSLOG_KEY_FILE',
];
const COMPOSE_ONLY = [
  'POSTGRES_PASSWORD',
  'POSTGRES_PASSWORD_FILE',
  'DICOM_PUBLISH',
  'DICOM_TLS_PUBLISH',
  'HL7_PUBLISH',
  'HTTP_PUBLISH',
  'ORTHANC_PUBLISH',
  'PROMETHEUS_PUBLISH',
  'GRAFANA_PUBLISH',
  'GRAFANA_PASSWORD',
];

const ORTHANC_ONLY = [
  'DICOM_ALLOW_LIST',
  'DICOM_TLS',
  'DICOM_TLS_CERTIFICATE',
  'DICOM_TLS_KEY',
  'DICOM_TLS_CLIENT_CA',
  'ORTHANC_VIEWERS_FILE',
];

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const example = read('.env.example');
const compose = read('docker-compose.yml');

describe('.env.example', () => {
  it('names every setting once, and nothing that is none', () => {
    const named = [...example.matchAll(/^#?(\w+)=/gm)].map(([, name]) => name);
    expect(named.toSorted()).to.deep.equal(
      [...SETTING_NAMES, ...FILE_NAMES, ...COMPOSE_ONLY, ...ORTHANC_ONLY].toSorted(),
    );
  });

  it('says in a line of its own what each is', () => {
    const unexplained = [...example.matchAll(/^(.*)\n#?(\w+)=/gm)].filter(([, above]) => !above?.startsWith('# '));
    expect(unexplained.map(([, , name]) => name)).to.deep.equal([]);
  });

  it('shows the defaults that hold', () => {
    const required = {
      ORTHANC_URL: 'http://orthanc:8042',
      ORTHANC_USERNAME: 'sidecar',
      ORTHANC_PASSWORD: 'secret',
      DATABASE_URL: 'postgres://axis:secret@postgres:5432/axis',
      AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true',
      PORTAL_URL: 'https://portal.example.com',
    };
    const shown = parseEnv(example.replace(/^#(?=\w+=)/gm, '').replace(/^\w+_FILE=.*$/gm, ''));
    expect(loadConfig({ ...shown, ...required })).to.deep.equal(loadConfig(required));
  });
});

describe('docker-compose.yml', () => {
  it('passes every setting on to the sidecar', () => {
    const [, service = ''] = /^ {2}sidecar:\n((?: {4}.*\n|\n)*)/m.exec(compose) ?? [];
    const [, environment = ''] = /^ {4}environment:\n((?: {6}.*\n)*)/m.exec(service) ?? [];
    const passed = [...environment.matchAll(/^ {6}(\w+):/gm)].map(([, name]) => name);
    expect(passed.toSorted()).to.deep.equal([...SETTING_NAMES, ...FILE_NAMES].toSorted());
  });

  it('uses what only it knows', () => {
    expect(COMPOSE_ONLY.filter((name) => !compose.includes(`\${${name}`))).to.deep.equal([]);
  });
});
