import { Socket } from 'node:net';
import dimse from 'dcmjs-dimse';
import { z } from 'zod';
import { Failure } from '../../platform/rules/failure.ts';

/** Whom to call, and as whom. */
export interface DicomPeer {
  readonly host: string;
  readonly port: number;
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
  /** For the whole association. */
  readonly timeoutMs: number;
  /** PEM texts, where the port takes TLS: whom to trust, and who this is. */
  readonly tls?: { readonly ca: string; readonly certificate?: string; readonly key?: string } | undefined;
}

const EXPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';

// Reject reasons of the service user (PS3.8 9.3.4, table 9-21).
const REASONS: Readonly<Record<number, string>> = {
  2: 'application context not supported',
  3: 'calling AE title not recognized',
  7: 'called AE title not recognized',
};
const REJECTED = z.object({ source: z.number(), reason: z.number() });

/** The library only ever asks the other side to close: one that does not answer would keep the process alive. */
function hangUp(client: dimse.Client): void {
  const network: unknown = Reflect.get(client, 'network');
  const socket: unknown = typeof network === 'object' && network !== null ? Reflect.get(network, 'socket') : undefined;
  if (socket instanceof Socket) socket.destroy();
}

const silent = (): void => {
  dimse.log.setLevel('silent');
};

/**
 * One association with one request, to its end. @throws Failure: `dicom-unreachable`, `dicom-rejected` (the association,
 * with the reason), `dicom-timeout`, `dicom-status` (the request, with its status).
 */
async function perform(peer: DicomPeer, request: dimse.requests.Request): Promise<void> {
  silent();
  const { host, port, callingAeTitle, calledAeTitle, timeoutMs, tls } = peer;
  const client = new dimse.Client();
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  let status: number | undefined;
  const fails = (code: string, message: string): void => {
    reject(new Failure('permanent', code, message));
  };
  request.on('response', (response: dimse.responses.Response) => {
    status = response.getStatus();
  });
  client.on('associationRejected', (rejected: unknown) => {
    const { source, reason } = REJECTED.safeParse(rejected).data ?? { source: 0, reason: 0 };
    const why = source === 1 ? REASONS[reason] : undefined;
    fails('dicom-rejected', `the association was rejected: ${why ?? `source ${source}, reason ${reason}`}`);
  });
  // The library waits for the answer to a request that it could not send.
  client.on('associationAccepted', (association: dimse.association.Association) => {
    const accepted = dimse.constants.PresentationContextResult.Accept;
    if (association.getPresentationContexts().some(({ context }) => context.getResult() === accepted)) return;
    fails('dicom-status', 'the association was accepted, but not for this (no presentation context)');
  });
  client.on('networkError', (error: unknown) => {
    const text = error instanceof Error ? error.message.replace(/^.*-> /, '') : 'no connection';
    fails('dicom-unreachable', text);
  });
  client.on('closed', () => {
    if (status === dimse.constants.Status.Success) resolve(undefined);
    else if (status === undefined) fails('dicom-unreachable', 'the connection was closed without an answer');
    else fails('dicom-status', `refused with status 0x${status.toString(16).padStart(4, '0')}`);
  });
  const late = setTimeout(() => {
    fails('dicom-timeout', `no answer within ${timeoutMs} ms`);
  }, timeoutMs);
  try {
    client.addRequest(request);
    client.send(host, port, callingAeTitle, calledAeTitle, {
      connectTimeout: timeoutMs,
      associationTimeout: timeoutMs,
      pduTimeout: timeoutMs,
      ...(tls !== undefined && {
        securityOptions: {
          ca: tls.ca,
          ...(tls.certificate !== undefined && { cert: tls.certificate }),
          ...(tls.key !== undefined && { key: tls.key }),
          rejectUnauthorized: true,
        },
      }),
    });
    await promise;
  } finally {
    clearTimeout(late);
    hangUp(client);
  }
}

/** C-ECHO (PS3.7 9.1.5), as a modality's "verify". */
export function cEcho(peer: DicomPeer): Promise<void> {
  return perform(peer, new dimse.requests.CEchoRequest());
}

/** C-STORE (PS3.7 9.1.1) of one instance given by its elements' keywords, in Explicit VR Little Endian. */
export function cStore(peer: DicomPeer, elements: Readonly<Record<string, unknown>>): Promise<void> {
  const dataset = new dimse.Dataset({ ...elements }, EXPLICIT_VR_LITTLE_ENDIAN);
  return perform(peer, new dimse.requests.CStoreRequest(dataset));
}
