import type { Knex } from 'knex';
import { personLinksAfter } from './io/link-rows.ts';
import type { Link, LinkingTx } from './linking.ts';

const AT_ONCE = 500;

/**
 * Looks whether what persons linked before both sides were kept with their decision is contested, so that it is listed.
 * Gives how many there are. Idempotent.
 */
export async function recheckPersonLinks<Tx extends LinkingTx>(parts: {
  readonly db: Knex;
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  readonly link: Link<Tx>;
  readonly now: () => Date;
}): Promise<number> {
  const { db, transaction, link, now } = parts;
  let looked = 0;
  for (let ids = await personLinksAfter(db, '0', AT_ONCE); ids.length > 0;) {
    const page = ids;
    await transaction((tx) => link(tx, page, [], now()));
    looked += page.length;
    ids = await personLinksAfter(db, page.at(-1) ?? '', AT_ONCE);
  }
  return looked;
}
