import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:tls';
import { Failure } from '../rules/failure.ts';

/**
 * When the first certificate ends of a PEM file, or of `named` itself where that is PEM already.
 * @throws Failure permanent `certificate-unreadable`.
 */
export async function certificateEnd(named: string): Promise<Date> {
  try {
    return new Date(new X509Certificate(named.includes('-----BEGIN') ? named : await readFile(named)).validTo);
  } catch (cause) {
    throw new Failure('permanent', 'certificate-unreadable', 'the file cannot be read, or is no certificate', {
      cause,
    });
  }
}

/**
 * When the certificate ends that a TLS port shows now, which may be an older one than its file holds; neither its end nor
 * its authority is judged here. @throws Failure transient `certificate-not-shown` where no handshake comes about in time.
 */
export async function shownCertificateEnd(
  place: { readonly host: string; readonly port: number },
  own: { readonly certificate?: string; readonly key?: string },
  timeoutMs: number,
): Promise<Date> {
  const { promise, resolve, reject } = Promise.withResolvers<Date>();
  const fails = (why: string): void => {
    reject(new Failure('transient', 'certificate-not-shown', `no TLS handshake: ${why}`));
  };
  const { certificate: cert, key } = own;
  const socket = connect({ ...place, rejectUnauthorized: false, ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) }); // prettier-ignore
  socket.setTimeout(timeoutMs, () => {
    fails('no answer in time');
  });
  socket.on('error', (error: Error) => {
    fails(error.message);
  });
  socket.on('close', () => {
    fails('the connection was closed');
  });
  socket.on('secureConnect', () => {
    const shown = socket.getPeerX509Certificate();
    if (shown === undefined) fails('no certificate');
    else resolve(new Date(shown.validTo));
  });
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
