import type { Policy } from '../rules/against.ts';
import type { RisStudy, StoredStudy } from '../rules/match.ts';
import { movedBy, type Moved } from '../rules/moved.ts';

export interface TryMatchingDeps {
  /** The ids of at most so many DICOM studies after that one, in their order. */
  readonly studiesAfter: (id: string, limit: number) => Promise<readonly string[]>;
  readonly load: (ids: readonly string[]) => Promise<{
    readonly studies: readonly StoredStudy[];
    readonly risStudies: ReadonlyMap<string, readonly RisStudy[]>;
  }>;
}

/** What a policy would do to the DICOM studies that there are. */
export interface Trial {
  readonly looked: number;
  /** Those that move, counted by the way in which they do; the most first. */
  readonly moved: readonly (Moved & { readonly studies: number })[];
}

const AT_ONCE = 500;

/** Counts which DICOM studies that policy would decide otherwise, on the tables as they are. Changes nothing. */
export async function tryMatching(deps: TryMatchingDeps, policy: Policy): Promise<Trial> {
  const counts = new Map<string, Moved & { studies: number }>();
  let looked = 0;
  for (let ids = await deps.studiesAfter('0', AT_ONCE); ids.length > 0;) {
    const { studies, risStudies } = await deps.load(ids);
    looked += studies.length;
    for (const study of studies) {
      const moved = movedBy(study, risStudies.get(study.id) ?? [], policy);
      if (moved === null) continue;
      const way = JSON.stringify(Object.values(moved));
      counts.set(way, { ...moved, studies: (counts.get(way)?.studies ?? 0) + 1 });
    }
    ids = await deps.studiesAfter(ids.at(-1) ?? '', AT_ONCE);
  }
  const order = ({ from, to, cause, callingAeTitles }: Moved): string => [from, to, cause, callingAeTitles].join(' ');
  const moved = [...counts.values()].sort((a, b) => b.studies - a.studies || (order(a) < order(b) ? -1 : 1));
  return { looked, moved };
}
