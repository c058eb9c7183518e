export type OrderStatus = 'active' | 'held' | 'cancelled' | 'completed';

/**
 * What an order control leaves of the order:
 * - `active`: it stands, and ORC-5 may say more;
 * - `released`: it stands, whatever ORC-5 still says of a hold;
 * - `replaced`: it is cancelled where an `RO` of the same message stands in for it, else it stands changed;
 * - `told`: an answer, a refusal or a question that changes nothing; only an ORC-5 says how the order stands;
 * - `other`: not of an order for this practice to do.
 */
type Meaning = 'active' | 'held' | 'cancelled' | 'released' | 'replaced' | 'told' | 'other';

const all = (meaning: Meaning, controls: string): [string, Meaning][] =>
  controls.split(' ').map((control) => [control, meaning]);

/**
 * Order controls: HL7 table 0119 (v2.5.1 chapter 4.5.1.1; `MC`, `OP` and `PY` of later versions). What was asked of a
 * filler (`CA`) and what it did (`OC`, `CR`) is one: nobody asks this side to do anything.
 */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  // New, number to be assigned or assigned, accepted, changed (asked, done, unasked), status changed, answer to that.
  ...all('active', 'NW SN NA OK XO XR XX SC SR'),
  // Replacement, parent, child, results follow, refill (asked, granted, done, unasked).
  ...all('active', 'RO PA CH RE RF AF OF FU'),
  ...all('released', 'RL OR OE'),
  // Cancel (asked, done, unasked), discontinue likewise, not accepted, replaced (done, unasked).
  ...all('cancelled', 'CA CR OC DC DR OD UA RQ RU'),
  ...all('replaced', 'RP'),
  // Hold (asked, done, unasked), cannot be released.
  ...all('held', 'HD HR OH UR'),
  // Cannot be cancelled, discontinued, refilled, held, replaced, changed; refill denied; request received; data error.
  ...all('told', 'UC UD UF UH UM UX DF RR DE'),
  // Status asked for; earlier or combined results; link to a problem or goal, and its end; charge; outside dispensing.
  ...all('other', 'SS PR CN LI UN MC OP PY'),
]);

// Order status, HL7 table 0038; ER (no such order) says nothing of one.
const BY_ORDER_STATUS: ReadonlyMap<string, OrderStatus> = new Map([
  ['A', 'active'],
  ['IP', 'active'],
  ['SC', 'active'],
  ['HD', 'held'],
  ['CA', 'cancelled'],
  ['DC', 'cancelled'],
  ['RP', 'cancelled'],
  ['CM', 'completed'],
]);

/**
 * How an order stands after ORC-1 `control` with ORC-5 `orderStatus`, both in upper case; `replacedBeside`: another ORC of the message is
 * `RO`. `unchanged` where it says nothing of that, `unknown` where `control` is not one of table 0119.
 */
export function statusByControl(
  control: string,
  orderStatus: string,
  replacedBeside: boolean,
): OrderStatus | 'unchanged' | 'unknown' {
  const meaning = MEANINGS.get(control);
  const said = BY_ORDER_STATUS.get(orderStatus);
  switch (meaning) {
    case undefined:
      return 'unknown';
    case 'cancelled':
    case 'held':
      return meaning;
    case 'replaced':
      return replacedBeside ? 'cancelled' : (said ?? 'active');
    case 'released':
      return said === undefined || said === 'held' ? 'active' : said;
    case 'active':
      return said ?? 'active';
    case 'told':
      return said ?? 'unchanged';
    case 'other':
      return 'unchanged';
  }
}

/** How an order stands by ORC-5 alone, in upper case: some senders leave ORC-1 empty. */
export const statusByOrderStatus = (orderStatus: string): OrderStatus | undefined => BY_ORDER_STATUS.get(orderStatus);
