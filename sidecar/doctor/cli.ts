import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { checked, type CommandLine } from '../platform/command-line.ts';
import type { Config } from '../app/config.ts';
import type { Result } from './rules/findings.ts';
import { runDoctor, type DoctorOptions, type Place } from './doctor.ts';

function place(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^([^:]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(text) ?? [];
  if (host === '' || Number(port) > 65_535) throw new InvalidArgumentError('It takes HOST:PORT.');
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function pem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new InvalidArgumentError('It cannot be read.');
  }
}

const aeTitle = checked(
  /^[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?$/,
  'an AE title of 1 to 16 characters',
);
const also = (path: string, before: readonly string[]): readonly string[] => [...before, path];

interface Options {
  readonly dicom?: Place;
  readonly called: string;
  readonly calling: string;
  readonly dicomCa?: string;
  readonly dicomCert?: string;
  readonly dicomKey?: string;
  readonly hl7?: Place;
  readonly hl7Ca?: string;
  readonly hl7Cert?: string;
  readonly hl7Key?: string;
  readonly http?: Place;
  readonly disk: readonly string[];
  readonly json?: true;
}

/** What a port by TLS needs; `wrong` is called with what does not go together, and does not return. */
function tlsOf(
  of: string,
  ca: string | undefined,
  certificate: string | undefined,
  key: string | undefined,
  wrong: (message: string) => never,
) {
  if ((certificate === undefined) !== (key === undefined)) wrong(`--${of}-cert needs --${of}-key`);
  if (ca === undefined && certificate !== undefined) wrong(`--${of}-cert needs --${of}-ca`);
  return ca === undefined
    ? undefined
    : { ca, ...(certificate !== undefined && { certificate }), ...(key !== undefined && { key }) };
}

/** Results as a person reads them. */
export function doctorText(results: readonly Result[]): string {
  const lines = results.flatMap(({ check, level, seen, todo }) => [
    `${level.padEnd(4)}  ${check.padEnd(12)}  ${seen}`,
    ...(todo === undefined ? [] : [`${' '.repeat(20)}→ ${todo}`]),
  ]);
  const [failed, warned] = ['fail', 'warn'].map((level) => results.filter((one) => one.level === level).length);
  return `${lines.join('\n')}\n\n${results.length} checks, ${failed} failed, ${warned} to look at\n`;
}

const ABOUT = `Tries the installation as modality, RIS and patient would use it, and says what to do about each thing that is wrong. A
test image and a test message go all the way and leave nothing but a record; nobody is texted. The sidecar must run.`;

/** `doctor`: ends with 1 where something failed. */
export function doctorCommands(
  { program, terminal, action }: CommandLine,
  loadConfig: (environment: NodeJS.ProcessEnv) => Config,
): void {
  const doctor = program
    .command('doctor')
    .summary('try the installation, and say what is wrong and what to do')
    .description(ABOUT)
    .option('--dicom <HOST:PORT>', "Orthanc's DICOM; by default the host of ORTHANC_URL and the port it says", place)
    .option('--called <AET>', 'AE title', aeTitle, 'AXIS_PORTAL')
    .option('--calling <AET>', 'AE title', aeTitle, 'AXIS-DOCTOR')
    .option('--dicom-ca <FILE>', 'that port takes TLS: whom to trust, as PEM', pem)
    .option('--dicom-cert <FILE>', 'and who this is', pem)
    .option('--dicom-key <FILE>', 'its key', pem)
    .option(
      '--hl7 <HOST:PORT>',
      'the HL7 listener; by default HL7_HOST and HL7_PORT, with --hl7-ca HL7_TLS_PORT',
      place,
    )
    .option('--hl7-ca <FILE>', "as for DICOM; HOST must be a name in the listener's certificate", pem)
    .option('--hl7-cert <FILE>', 'who this is', pem)
    .option('--hl7-key <FILE>', 'its key', pem)
    .option(
      '--http <HOST:PORT>',
      "the sidecar's HTTP; by default HTTP_HOST and HTTP_PORT. By TLS with HTTPS_CERTIFICATE",
      place,
    )
    .option('--disk <PATH>', 'a folder whose disk is looked at; may be given again', also, [])
    .option('--json', 'print results as JSON');
  const wrong = (message: string): never => doctor.error(`axis: ${message}`);
  doctor.action(
    action(async (given: Options) => {
      const dicomTls = tlsOf('dicom', given.dicomCa, given.dicomCert, given.dicomKey, wrong);
      const hl7Tls = tlsOf('hl7', given.hl7Ca, given.hl7Cert, given.hl7Key, wrong);
      const { dicom, hl7, http } = given;
      const options: DoctorOptions = {
        calledAeTitle: given.called,
        callingAeTitle: given.calling,
        disks: given.disk,
        ...(dicom && { dicom }),
        ...(hl7 && { hl7 }),
        ...(http && { http }),
        ...(dicomTls && { dicomTls }),
        ...(hl7Tls && { hl7Tls }),
      };
      const results = await runDoctor(loadConfig(terminal.environment), options, terminal.now);
      terminal.out(given.json === true ? `${JSON.stringify(results, null, 2)}\n` : doctorText(results));
      return results.some(({ level }) => level === 'fail') ? 1 : 0;
    }),
  );
}
