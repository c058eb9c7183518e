import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { expect } from 'chai';
import { BACKUP_ONLY_NAMES, BACKUP_SETTING_NAMES, loadBackupConfig } from '../../backup/settings.ts';
import { loadConfig, SETTING_NAMES } from '../../app/config.ts';
import { SERVER_SETTINGS } from '../../dev/postgres-process.ts';

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
const BACKUP_FILE_NAMES = ['RESTIC_PASSWORD_FILE', 'AWS_SECRET_ACCESS_KEY_FILE', 'AZURE_ACCOUNT_KEY_FILE'];
const COMPOSE_ONLY = [
  'BACKUP_FOLDER',
  'POSTGRES_PASSWORD',
  'POSTGRES_PASSWORD_FILE',
  'DICOM_PUBLISH',
  'DICOM_TLS_PUBLISH',
  'HL7_PUBLISH',
  'HL7_TLS_PUBLISH',
  'HTTP_PUBLISH',
  'ORTHANC_PUBLISH',
  'PROMETHEUS_PUBLISH',
  'GRAFANA_PUBLISH',
  'GRAFANA_PASSWORD',
];

const ORTHANC_ONLY = [
  'DICOM_ALLOW_LIST',
  'DICOM_TLS',
  'DICOM_TLS_KEY',
  'DICOM_TLS_CLIENT_CA',
  'DICOM_TLS_FRONT_HOST',
  'DICOM_TLS_FRONT_PORT',
  'DICOM_TLS_FRONT_TARGET',
  'ORTHANC_VIEWERS_FILE',
];

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const example = read('.env.example');
const compose = read('docker-compose.yml');

describe('.env.example', () => {
  it('names every setting once, and nothing that is none', () => {
    const named = [...example.matchAll(/^#?(\w+)=/gm)].map(([, name]) => name);
    expect(named.toSorted()).to.deep.equal(
      [
        ...[...SETTING_NAMES, ...FILE_NAMES, ...COMPOSE_ONLY, ...ORTHANC_ONLY],
        ...[...BACKUP_ONLY_NAMES, ...BACKUP_FILE_NAMES],
      ].toSorted(),
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
    const backups = { ...required, RESTIC_REPOSITORY: '/backup/repository', RESTIC_PASSWORD: 'development-only' };
    expect(loadBackupConfig({ ...shown, ...required })).to.deep.equal(loadBackupConfig(backups));
  });
});

describe('the table of settings in README.md', () => {
  const [, section = ''] = /^## Settings\n(.*?)^## /ms.exec(read('README.md')) ?? [];
  const spans = (cell = ''): string[] => [...cell.matchAll(/`([^`]*)`/g)].map(([, span = '']) => span);
  const rows = [...section.matchAll(/^\| (`.*)$/gm)].map(([, row = '']) => {
    const [first, second] = row.split(' | ');
    return { names: spans(first), defaults: spans(second) };
  });

  it('names only settings, each once', () => {
    const named = rows.flatMap(({ names }) => names);
    expect(named).to.have.length.greaterThan(30);
    expect(named.filter((name) => !SETTING_NAMES.includes(name))).to.deep.equal([]);
    expect(new Set(named).size).to.equal(named.length);
  });

  it('has the defaults that .env.example shows', () => {
    const shown = parseEnv(example.replace(/^#(?=\w+=)/gm, ''));
    const told = rows.filter(({ names, defaults }) => names.length === defaults.length);
    expect(told).to.have.length.greaterThan(12);
    for (const { names, defaults } of told) expect(names.map((name) => shown[name])).to.deep.equal(defaults);
  });
});

describe('docker-compose.yml', () => {
  const passedTo = (name: string): string[] => {
    const [, service = ''] = new RegExp(`^ {2}${name}:\\n((?: {4}.*\\n|\\n)*)`, 'm').exec(compose) ?? [];
    const [, environment = ''] = /^ {4}environment:\n((?: {6}.*\n)*)/m.exec(service) ?? [];
    return [...environment.matchAll(/^ {6}(\w+):/gm)].map(([, setting = '']) => setting).toSorted();
  };

  it('passes every setting on to the sidecar', () => {
    expect(passedTo('sidecar')).to.deep.equal([...SETTING_NAMES, ...FILE_NAMES].toSorted());
  });

  it('passes those of Orthanc on to it, where guard.sh reads them, and those of its TLS front to that', () => {
    const [guard, front] = [read('orthanc/guard.sh'), read('sidecar/dicom-tls.ts')];
    const own = [...ORTHANC_ONLY, 'DICOM_TLS_CERTIFICATE'];
    const passed = (service: string): string[] => passedTo(service).filter((name) => own.includes(name));
    // Its host, port and target are fixed inside docker-compose.yml.
    const outside = own.filter((name) => !name.startsWith('DICOM_TLS_FRONT_'));
    expect(passed('orthanc')).to.deep.equal(outside.toSorted());
    expect(outside.filter((name) => !guard.includes(`\${${name}:`))).to.deep.equal([]);
    const ofFront = own.filter((name) => new RegExp(`^ {2}${name}: z`, 'm').test(front));
    expect(passed('dicom-tls')).to.deep.equal(ofFront.filter((name) => outside.includes(name)).toSorted());
    expect(own.filter((name) => !outside.includes(name) && !ofFront.includes(name))).to.deep.equal([]);
  });

  it('passes every setting of backups on to them', () => {
    const files = FILE_NAMES.filter((name) => BACKUP_SETTING_NAMES.includes(name.replace(/_FILE$/, '')));
    expect(passedTo('backup')).to.deep.equal([...BACKUP_SETTING_NAMES, ...files, ...BACKUP_FILE_NAMES].toSorted());
  });

  it('gives Postgres the settings that its speed was measured with', () => {
    const [, command = ''] =
      /^ {4}command: >-\n((?: {6}.*\n)+)/m.exec(compose.slice(compose.indexOf('\n  postgres:'))) ?? [];
    const settings = [...command.matchAll(/-c (\S+)/g)].map(([, setting]) => setting);
    expect(settings).to.deep.equal(SERVER_SETTINGS);
  });

  it('uses what only it knows', () => {
    expect(COMPOSE_ONLY.filter((name) => !compose.includes(`\${${name}`))).to.deep.equal([]);
  });
});
