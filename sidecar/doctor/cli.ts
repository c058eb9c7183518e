import { readFileSync } from 'node:fs';
import type { Config } from '../app/config.ts';
import { parseLine, UsageError } from '../platform/usage.ts';
import type { Result } from './rules/findings.ts';
import { runDoctor, type DoctorOptions } from './doctor.ts';

export const DOCTOR_USAGE = `usage: axis doctor [OPTIONS]

Tries the installation as modality, RIS and patient would use it, and says what to do about each thing that is wrong. A
test image and a test message go all the way and leave nothing but a record; nobody is texted. The sidecar must run.

  --dicom HOST:PORT            Orthanc's DICOM; by default the host of ORTHANC_URL and the port it says
  --called AET, --calling AET  AE titles (AXIS_PORTAL, AXIS-DOCTOR)
  --dicom-ca FILE              that port takes TLS: whom to trust, as PEM
  --dicom-cert FILE --dicom-key FILE   and who this is
  --hl7 HOST:PORT              the HL7 listener; by default HL7_HOST and HL7_PORT, with --hl7-ca HL7_TLS_PORT
  --hl7-ca FILE, --hl7-cert FILE, --hl7-key FILE   as for DICOM; HOST must be a name in the listener's certificate
  --http HOST:PORT             the sidecar's HTTP; by default HTTP_HOST and HTTP_PORT. By TLS with HTTPS_CERTIFICATE
  --disk PATH                  a folder whose disk is looked at; may be given again
  --json                       results as JSON

Exit: 0 nothing failed, 1 something did, 2 not understood.
`;

function place(name: string, text: string | undefined): { host: string; port: number } | undefined {
  if (text === undefined) return undefined;
  const [, host = '', port = ''] = /^([^:]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(text) ?? [];
  if (host === '' || Number(port) > 65_535) throw new UsageError(`--${name} takes HOST:PORT`);
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function pem(name: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new UsageError(`--${name}: cannot be read`);
  }
}

function aeTitle(name: string, text: string): string {
  if (/^[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?$/.test(text)) return text;
  throw new UsageError(`--${name} takes an AE title of 1 to 16 characters`);
}

function readOptions(args: readonly string[]): { options: DoctorOptions; json: boolean } {
  const text = { type: 'string' } as const;
  const { values } = parseLine({
    args: [...args],
    options: {
      dicom: text, hl7: text, http: text,
      'dicom-ca': text, 'dicom-cert': text, 'dicom-key': text, 'hl7-ca': text, 'hl7-cert': text, 'hl7-key': text,
      called: { ...text, default: 'AXIS_PORTAL' },
      calling: { ...text, default: 'AXIS-DOCTOR' },
      disk: { ...text, multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }); // prettier-ignore
  if (values.help) throw new UsageError('');
  const tls = (of: 'dicom' | 'hl7') => {
    const ca = pem(`${of}-ca`, values[`${of}-ca`]);
    const [certificate, key] = [pem(`${of}-cert`, values[`${of}-cert`]), pem(`${of}-key`, values[`${of}-key`])];
    if ((certificate === undefined) !== (key === undefined)) throw new UsageError(`--${of}-cert needs --${of}-key`);
    if (ca === undefined && certificate !== undefined) throw new UsageError(`--${of}-cert needs --${of}-ca`);
    return ca === undefined
      ? undefined
      : { ca, ...(certificate !== undefined && { certificate }), ...(key !== undefined && { key }) };
  };
  const [dicom, hl7, http] = [place('dicom', values.dicom), place('hl7', values.hl7), place('http', values.http)];
  const [dicomTls, hl7Tls] = [tls('dicom'), tls('hl7')];
  const options: DoctorOptions = {
    calledAeTitle: aeTitle('called', values.called),
    callingAeTitle: aeTitle('calling', values.calling),
    disks: values.disk,
    ...(dicom && { dicom }),
    ...(hl7 && { hl7 }),
    ...(http && { http }),
    ...(dicomTls && { dicomTls }),
    ...(hl7Tls && { hl7Tls }),
  };
  return { options, json: values.json };
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

/** `axis doctor`: gives what to print and the exit code. */
export async function doctorCommand(
  args: readonly string[],
  loadConfig: () => Config,
): Promise<{ code: 0 | 1 | 2; out: string; err: string }> {
  try {
    const { options, json } = readOptions(args);
    const results = await runDoctor(loadConfig(), options, () => new Date());
    const code = results.some(({ level }) => level === 'fail') ? 1 : 0;
    return { code, out: json ? `${JSON.stringify(results, null, 2)}\n` : doctorText(results), err: '' };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { code: 2, out: '', err: error.message === '' ? DOCTOR_USAGE : `axis: ${error.message}\n\n${DOCTOR_USAGE}` };
  }
}
