import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Failure } from '../core/failure.ts';

/** When the first certificate of a PEM file ends. @throws Failure permanent `certificate-unreadable`. */
export async function certificateEnd(file: string): Promise<Date> {
  try {
    return new Date(new X509Certificate(await readFile(file)).validTo);
  } catch (cause) {
    throw new Failure('permanent', 'certificate-unreadable', 'the file cannot be read, or is no certificate', {
      cause,
    });
  }
}
