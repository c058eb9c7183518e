import { z } from 'zod';
import type { OrthancProcess } from '../../dev/orthanc-process.ts';

/** One request to Orthanc's REST API, as a person's Explorer sends it; fails the test unless it answers 200. */
export async function orthancRest(
  orthanc: OrthancProcess,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const credentials = Buffer.from(`${orthanc.username}:${orthanc.password}`).toString('base64');
  const response = await fetch(`${orthanc.url}${path}`, {
    method,
    headers: { Authorization: `Basic ${credentials}` },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === '' ? null : JSON.parse(text);
}

/** Stores DICOM files over HTTP, one after the other, which is much faster than an association. Gives Orthanc's ids. */
export async function storeByRest(orthanc: OrthancProcess, files: readonly Buffer[]): Promise<string[]> {
  const credentials = Buffer.from(`${orthanc.username}:${orthanc.password}`).toString('base64');
  const ids: string[] = [];
  for (const file of files) {
    const response = await fetch(`${orthanc.url}/instances`, {
      method: 'POST',
      headers: { Authorization: `Basic ${credentials}` },
      body: new Uint8Array(file),
    });
    if (!response.ok) throw new Error(`POST /instances: ${response.status}`);
    ids.push(z.object({ ID: z.string() }).parse(await response.json()).ID);
  }
  return ids;
}
