import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Real DICOM files lie beside the project, where they lie at all. */
const FOLDER = new URL('../../../../shared/dicom/', import.meta.url);

/** That file of the folder of real DICOM files; skips the test, saying so, where the folder or the file is absent. */
export function dicomFile(context: Mocha.Context, path: string): Buffer {
  const file = fileURLToPath(new URL(path, FOLDER));
  if (existsSync(file)) return readFileSync(file);
  console.log(`      skipped: ../shared/dicom/${path} is absent`);
  return context.skip();
}

function element(group: number, number: number, vr: string, value: Buffer): Buffer {
  const even = value.length % 2 === 0 ? value : Buffer.concat([value, Buffer.of(0)]);
  const head = Buffer.alloc(8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, 'latin1');
  head.writeUInt16LE(even.length, 6);
  return Buffer.concat([head, even]);
}

/** A DICOM file (PS3.10 7.1) of that transfer syntax around `dataset`'s bytes. */
export function part10(transferSyntaxUid: string, dataset: Buffer): Buffer {
  const syntax = element(2, 0x10, 'UI', Buffer.from(transferSyntaxUid));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(syntax.length);
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), element(2, 0, 'UL', length), syntax, dataset]);
}

/**
 * A file whose one attribute has `bytes` empty values, a reference each: it makes a reader run out of memory.
 */
export function memoryBomb(bytes: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16LE(8, 0);
  head.writeUInt16LE(8, 2);
  head.writeUInt32LE(bytes, 4);
  return part10('1.2.840.10008.1.2', Buffer.concat([head, Buffer.alloc(bytes, '\\')]));
}
