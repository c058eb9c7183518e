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
