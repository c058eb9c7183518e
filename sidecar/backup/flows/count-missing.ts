import type { Missing } from '../rules/counts.ts';
import { asFailure, Failure } from '../../platform/rules/failure.ts';

export interface CountMissingDeps {
  readonly restoredFrom: () => Promise<Date | null>;
  readonly lastMessages: () => Promise<
    readonly { readonly sender: string; readonly controlId: string; readonly receivedAt: Date }[]
  >;
  /** The next images' Orthanc ids behind `after`, in their own order. */
  readonly imagesAfter: (after: string, limit: number) => Promise<readonly string[]>;
  readonly studiesOf: (orthancIds: readonly string[]) => Promise<readonly { uid: string; images: number }[]>;
  /** Of these instances those that have no row. */
  readonly unknownInstances: (orthancIds: readonly string[]) => Promise<readonly string[]>;
  /** Those of these that never had a row. */
  readonly unheardOf: (orthancIds: readonly string[]) => Promise<readonly string[]>;
  readonly instanceIds: (since: number, limit: number) => Promise<readonly string[]>;
  readonly present: (orthancIds: readonly string[]) => Promise<ReadonlySet<string>>;
  /** The Orthanc ids that there are renderings of, page by page; `null` where Blob storage is not to be asked. */
  readonly rendered: (() => AsyncIterable<readonly string[]>) | null;
}

const PAGE = 500;

/**
 * What is missing after a restore. Reads only. Where Blob storage does not answer the rest is told all the same.
 * @throws Failure permanent `never-restored`.
 */
export async function countMissing(deps: CountMissingDeps): Promise<Omit<Missing, 'toBeDrawn'>> {
  const takenAt = await deps.restoredFrom();
  if (takenAt === null)
    throw new Failure('permanent', 'never-restored', 'this database was not restored from a backup');

  const withoutFile = new Map<string, number>();
  for (let after = ''; ;) {
    const ids = await deps.imagesAfter(after, PAGE);
    const last = ids.at(-1);
    if (last === undefined) break;
    after = last;
    const present = await deps.present(ids);
    const missing = ids.filter((id) => !present.has(id));
    if (missing.length === 0) continue;
    for (const { uid, images } of await deps.studiesOf(missing)) {
      withoutFile.set(uid, (withoutFile.get(uid) ?? 0) + images);
    }
  }

  let toBeTaken = 0;
  for (let since = 0; ;) {
    const ids = await deps.instanceIds(since, PAGE);
    if (ids.length === 0) break;
    since += ids.length;
    toBeTaken += (await deps.unknownInstances(ids)).length;
  }

  const onlyRendered: string[] = [];
  const blobFailures: string[] = [];
  const pages = async function* (rendered: AsyncIterable<readonly string[]>) {
    try {
      yield* rendered;
    } catch (error) {
      blobFailures.push(asFailure(error).code);
    }
  };
  if (deps.rendered !== null) {
    for await (const page of pages(deps.rendered())) {
      for (let start = 0; start < page.length; start += PAGE) {
        const unheardOf = await deps.unheardOf(page.slice(start, start + PAGE));
        const present = await deps.present(unheardOf);
        onlyRendered.push(...unheardOf.filter((id) => !present.has(id)));
      }
    }
  }

  const [blobFailure = null] = blobFailures;
  return {
    takenAt: takenAt.toISOString(),
    lastMessages: (await deps.lastMessages()).map((message) => ({
      ...message,
      receivedAt: message.receivedAt.toISOString(),
    })),
    withoutFile: [...withoutFile].map(([studyInstanceUid, images]) => ({ studyInstanceUid, images })),
    onlyRendered: deps.rendered === null || blobFailure !== null ? null : onlyRendered,
    blobFailure,
    toBeTaken,
  };
}
