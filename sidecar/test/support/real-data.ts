import { existsSync, globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SHARED = new URL('../../../../shared/', import.meta.url);

export interface RealDicom {
  readonly file: string;
  readonly bytes: Buffer;
}

/** Skips the suite, saying so, where the real test data is not beside the project. */
export function needsRealData(context: Mocha.Context, kind: 'dicom' | 'hl7' | 'cases'): void {
  if (existsSync(new URL(`${kind}/`, SHARED))) return;
  process.stdout.write(`      skipped: ../shared/${kind} with the real test data is not there\n`);
  context.skip();
}

/** Every file of ../shared/dicom, as its INDEX.tsv lists them. */
export function realDicomFiles(): RealDicom[] {
  const [, ...lines] = readFileSync(new URL('dicom/INDEX.tsv', SHARED), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [file = ''] = line.split('\t');
    return { file, bytes: readFileSync(new URL(`dicom/${file.split('/').map(encodeURIComponent).join('/')}`, SHARED)) };
  });
}

/** One message of ../shared/hl7/dcm4che. */
export function realHl7(name: string): Buffer {
  return readFileSync(new URL(`hl7/dcm4che/${name}`, SHARED));
}

/** One message of ../shared/cases, such as `voyager/order.hl7`. */
export function sharedCase(name: string): Buffer {
  return readFileSync(new URL(`cases/${name}`, SHARED));
}

/** Every HL7 message of ../shared/cases and ../shared/hl7, by its path. */
export function caseFiles(): string[] {
  return globSync('{cases,hl7}/**/*.hl7', { cwd: fileURLToPath(SHARED) })
    .sort()
    .map((name) => fileURLToPath(new URL(name, SHARED)));
}

/** The files of one of ../shared/cases/episodes, in the order in which they are played. */
export function sharedEpisode(folder: string): { readonly name: string; readonly text: string }[] {
  const files = globSync(`cases/episodes/${folder}/*`, { cwd: fileURLToPath(SHARED) });
  const number = (file: string): number => Number(/(\d+)\.\w+$/.exec(file)?.[1]);
  return files
    .toSorted((a, b) => number(a) - number(b))
    .map((name) => ({ name, text: readFileSync(new URL(name, SHARED), 'latin1') }));
}
