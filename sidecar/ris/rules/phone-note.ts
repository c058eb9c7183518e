/** A note is read no further than this, so that a field of any length takes no longer. */
const MAX_NOTE_LENGTH = 500;

const words = (...lists: readonly string[]): RegExp =>
  new RegExp(String.raw`(?<![\p{L}\d])(?:${lists.join(' ').split(' ').join('|')})(?:['’\x60]?s)?(?![\p{L}\d])`, 'iu');

/** Who is somebody else than the patient. */
const SOMEBODY_ELSE = words(
  'wife husband hubby spouse partner mum mummy mom mother dad daddy father parent son daughter child sister brother sibling',
  'aunt auntie aunty uncle niece nephew cousin nan nana nanna gran granny grandma grandpa grandmother grandfather nonna nonno',
  'grandson granddaughter grandchild girlfriend boyfriend gf bf fiance fiancee fiancé fiancée mil fil dil sil bil relative',
  'family kin nok carer caregiver guardian attorney poa trustee friend neighbour neighbor flatmate housemate landlord emergency',
  'boss employer manager supervisor colleague workmate secretary receptionist reception agent lawyer solicitor',
  'doctor dr gp nurse interpreter translator school hospital clinic ward facility hostel',
);
const ELSEWHERE = /\b(?:care\s+of|nursing\s+home|aged\s+care|in[\s-]law)\b/iu;

/** What is not to be used for a text. */
const NOT_TO_BE_USED = [
  /\b(?:do|does|must|please)\s+not\b|\bdon['’]?t\b|\bnever\b|\bdn[cu]\b/iu,
  /\bno(?:t)?\s+(?:more\s+)?(?:sms|texts?|texting|calls?|messages?|contact|longer|current|working|valid|connected|in\s+use|own|for|to)\b/iu,
  /\b(?:not|isn['’]?t)\s+(?:his|hers?|the\s+patient|patient)\b/iu,
  /\b(?:wrong|incorrect|invalid|old|former|previous|disconnected|inactive|cancelled|expired|lost|stolen|deceased)\b/iu,
  /\b(?:work|office|business|landline|calls?|voice|fax|pager)\s+(?:hours\s+)?only\b|\bonly\s+(?:at\s+)?(?:work|office)\b/iu,
];

const HAS_WORDS = /\p{L}{2}/u;
const AT_WORK = /\b(?:work|wk|office|business)\b/iu;

/** Whether words beside a number say that it is somebody else's or not to be used. */
export function isBarring(note: string): boolean {
  const text = note.slice(0, MAX_NOTE_LENGTH);
  return (
    HAS_WORDS.test(text) &&
    (SOMEBODY_ELSE.test(text) || ELSEWHERE.test(text) || NOT_TO_BE_USED.some((one) => one.test(text)))
  );
}

/** A piece of a phone field that holds numbers, with what the words beside them say. */
export interface PhonePiece {
  readonly text: string;
  readonly barred: boolean;
  readonly atWork: boolean;
}

const HAS_NUMBER = /\d/;
const BETWEEN = /[,;/|\\\n]|\b(?:or|and)\b/iu;
/** A bracket with a word in it, as against an area code: `(wife)`, not `(04)`. */
const BRACKET = /\(([^()]*\p{L}[^()]*)\)/u;

/** One piece between separators. Words in brackets are of the number before them, all others of the whole piece. */
function partsOf(piece: string): { parts: PhonePiece[]; barsAll: boolean } {
  const bits = piece.split(BRACKET);
  const loose = bits.filter((_, index) => index % 2 === 0);
  const looseBarred = loose.some(isBarring);
  const parts: PhonePiece[] = [];
  let early = false;
  for (const [index, text] of loose.entries()) {
    const note = bits[index * 2 + 1] ?? '';
    const hasNumber = HAS_NUMBER.test(text);
    if (hasNumber)
      parts.push({ text, barred: looseBarred || isBarring(note), atWork: AT_WORK.test(`${text} ${note}`) });
    else if (isBarring(note)) early = true;
  }
  const barred = early || looseBarred;
  return {
    parts: parts.map((one) => ({ ...one, barred: one.barred || barred })),
    barsAll: barred && parts.length === 0,
  };
}

/**
 * The pieces of a phone field's text, which holds numbers and notes as people write them: `0412 345 678 (wife) / 0398765432`.
 * A note that stands apart from every number bars them all.
 */
export function phonePieces(text: string): PhonePiece[] {
  const plain = text.slice(0, MAX_NOTE_LENGTH).replace(/\bc\/o\b/giu, 'care of');
  const read = plain.split(BETWEEN).map(partsOf);
  const all = read.some(({ barsAll }) => barsAll);
  return read.flatMap(({ parts }) => parts.map((one) => ({ ...one, barred: one.barred || all })));
}

/** Whether any number of a phone field is barred by a note. */
export function hasBarringNote(text: string, ...codes: readonly string[]): boolean {
  return codes.some(isBarring) || phonePieces(text).some(({ barred }) => barred);
}
