import { z } from 'zod';
import type { By } from '../audit/rules/who.ts';
import type { Acts } from './acts.ts';
import { TEXT_VIEW } from './io/show-rows.ts';
import { STUDY } from './io/work-rows.ts';
import { PREVIEW } from './io/preview-rows.ts';
import { previewText, studyText, textText } from './text.ts';
import type { Act as Resolution, HeldThing, TextAct } from './rules/work.ts';

const said = (what: string): z.ZodString =>
  z
    .string()
    .trim()
    .min(1)
    .max(400)
    .regex(/^\P{Cc}*$/u, 'must have no control characters')
    .describe(what);

/** What every act needs. */
export const BY = z.object({
  who: said('The person who acts; kept together with the name of the key'),
  why: said('Why; kept with the decision'),
});

/** What an act is done with: `{uid}`, `{id}` or `{accession}` of its route. */
export interface Subject {
  readonly name: 'uid' | 'id' | 'accession' | 'subject';
  readonly what: string;
}

/** What came of an act: for programs, and for eyes. */
export interface Done {
  readonly json: object;
  readonly text: string;
}

/** One thing that a person may do: command line, HTTP, OpenAPI and tests follow from it. */
export interface Act {
  /** Of the operation in OpenAPI; stays. */
  readonly name: string;
  /** The words of the command line. */
  readonly command: readonly [string, ...string[]];
  /** Below `/api/operator`. */
  readonly route: string;
  readonly subject: Subject | null;
  /** A sentence. */
  readonly summary: string;
  /** What it takes besides who and why: what is required is an argument of the command line, the rest are options. */
  readonly input: z.ZodObject;
  /** The failures that say something of what was asked, and how HTTP answers them. */
  readonly refusals: Readonly<Record<string, 404 | 409>>;
  readonly answer: { readonly description: string; readonly schema: z.ZodType };
  /** `input` is checked here too. @throws ZodError, or the Failures of `refusals`: nothing is done then. */
  readonly perform: (acts: Acts, subject: string, input: unknown, by: By) => Promise<Done>;
}

type Definition<Input extends z.ZodObject> = Omit<Act, 'input' | 'perform'> & {
  readonly input: Input;
  readonly perform: (acts: Acts, subject: string, input: z.output<Input>, by: By) => Promise<Done>;
};

function define<Input extends z.ZodObject>(definition: Definition<Input>): Act {
  const { input, perform } = definition;
  return { ...definition, perform: (acts, subject, given, by) => perform(acts, subject, input.parse(given), by) };
}

const NOTHING = z.object({});
const dryRun = z.boolean().describe('Say what would follow, and change nothing').optional();
const despitePatient = z.boolean().describe('Although the images and the order contradict each other').optional();
const STUDY_SUBJECT: Subject = { name: 'uid', what: 'Study Instance UID (0020,000D)' };
const STUDY_REFUSALS = { 'study-unknown': 404, 'study-not-there': 409 } as const;
const STUDY_ANSWER = {
  description: 'The study as it is then; of a dry run, what would follow.',
  schema: z.union([STUDY, PREVIEW]),
};

async function studyAfter(acts: Acts, studyInstanceUid: string): Promise<Done> {
  const study = await acts.show(studyInstanceUid, null);
  return study === null ? { json: {}, text: '' } : { json: study, text: studyText(study) };
}

/** Does that, or says what would follow of it. */
async function resolved(acts: Acts, uid: string, act: Resolution, by: By, isDry: boolean | undefined): Promise<Done> {
  if (isDry === true) {
    const preview = await acts.preview(uid, act, by);
    return { json: preview, text: previewText(preview) };
  }
  await acts.resolve(uid, act, by);
  return studyAfter(acts, uid);
}

/** An act on one DICOM study that takes nothing else. */
const onStudy = (name: 'unlink' | 'release', summary: string): Act =>
  define({
    ...{ name, summary, command: [name], route: `/studies/{uid}/${name}` },
    subject: STUDY_SUBJECT,
    input: z.object({ dryRun }),
    refusals: STUDY_REFUSALS,
    answer: STUDY_ANSWER,
    perform: (acts, uid, input, by) => resolved(acts, uid, { kind: name }, by, input.dryRun),
  });

const ACCESSION_SUBJECT: Subject = { name: 'accession', what: 'Accession number' };
const HELD_ANSWER = {
  description: 'It is done.',
  schema: z.object({ held: z.boolean().describe('Whether it is held now') }),
};
const HOLD_REFUSALS = { hold: { 'held-already': 409 }, unhold: { 'not-held': 409 } } as const;

async function held(acts: Acts, act: 'hold' | 'unhold', thing: HeldThing, by: By): Promise<Done> {
  await acts.hold(act, thing, by);
  return { json: { held: act === 'hold' }, text: act === 'hold' ? 'it is held\n' : 'it is no longer held\n' };
}

const onHeldStudy = (act: 'hold' | 'unhold', summary: string): Act =>
  define({
    ...{ name: `${act}Study`, summary, command: [act, 'study'], route: `/orders/{accession}/${act}` },
    subject: ACCESSION_SUBJECT,
    input: NOTHING,
    refusals: { 'order-unknown': 404, ...HOLD_REFUSALS[act] },
    answer: HELD_ANSWER,
    perform: (acts, accessionNumber, _input, by) => held(acts, act, { kind: 'study', accessionNumber }, by),
  });

const onHeldPatient = (act: 'hold' | 'unhold', summary: string): Act =>
  define({
    ...{ name: `${act}Patient`, summary, command: [act, 'patient'], route: `/patients/{id}/${act}` },
    subject: { name: 'id', what: 'Patient ID, as the RIS gives it' },
    input: z.object({
      issuer: z.string().trim().max(200).describe('Its assigning authority, where several gave that number').optional(),
    }),
    refusals: { 'patient-unknown': 404, 'patient-ambiguous': 409, ...HOLD_REFUSALS[act] },
    answer: HELD_ANSWER,
    perform: (acts, patientId, { issuer = null }, by) => held(acts, act, { kind: 'patient', patientId, issuer }, by),
  });

const TEXT_REFUSALS = { 'text-unknown': 404, 'text-under-way': 409 } as const;

async function textAfter(acts: Acts, accessionNumber: string, act: TextAct, by: By): Promise<Done> {
  await acts.decideText(accessionNumber, act, by);
  const text = await acts.showText(accessionNumber, null);
  return text === null ? { json: {}, text: '' } : { json: text, text: textText(text) };
}

const RETRIED = {
  refusals: { 'not-failed': 409 },
  answer: {
    description: 'They will be.',
    schema: z.object({ images: z.number().describe('How many there are') }),
  },
} as const;
const retried = (images: number): Done => ({ json: { images }, text: `images to be tried again: ${images}\n` });
const reason = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .describe('Those that failed for that, such as render-timeout')
  .optional();

/** All that a person may do. */
export const ACTS: readonly Act[] = [
  define({
    name: 'link',
    command: ['link'],
    route: '/studies/{uid}/link',
    subject: STUDY_SUBJECT,
    summary: 'It belongs to that study of the RIS.',
    input: z.object({
      accessionNumber: z.string().trim().min(1).max(64).describe('Of the study of the RIS'),
      ...{ despitePatient, dryRun },
    }),
    refusals: { ...STUDY_REFUSALS, 'accession-unknown': 409, 'patient-differs': 409 },
    answer: STUDY_ANSWER,
    perform: (acts, uid, { dryRun: isDry, ...input }, by) => resolved(acts, uid, { kind: 'link', ...input }, by, isDry),
  }),
  onStudy('unlink', 'It belongs to no study of the RIS: back to a study of its own. Sends no text.'),
  define({
    name: 'confirm',
    command: ['confirm'],
    route: '/studies/{uid}/confirm',
    subject: STUDY_SUBJECT,
    summary: "What stands, or the only candidate of its review, becomes the person's decision.",
    input: z.object({ despitePatient, dryRun }),
    refusals: { ...STUDY_REFUSALS, 'nothing-to-confirm': 409, 'patient-differs': 409 },
    answer: STUDY_ANSWER,
    perform: (acts, uid, { dryRun: isDry, ...input }, by) =>
      resolved(acts, uid, { kind: 'confirm', ...input }, by, isDry),
  }),
  onStudy('release', 'Let the rules decide again, at once.'),
  onHeldStudy('hold', 'Keep the study from its patient: it is neither shown nor texted until it is let go of.'),
  onHeldStudy('unhold', 'Let go of a study that was held.'),
  onHeldPatient('hold', 'Keep all studies of a patient from being shown and texted.'),
  onHeldPatient('unhold', 'Let go of a patient who was held.'),
  define({
    name: 'sendText',
    command: ['text', 'send'],
    route: '/texts/{accession}/send',
    subject: ACCESSION_SUBJECT,
    summary: 'Send the text of a study that is held or failed, whatever the rules of texts doubt.',
    input: z.object({
      again: z.enum(['yes', 'no']).describe('yes: a second text, though one was sent').optional(),
    }),
    refusals: { ...TEXT_REFUSALS, 'text-sent': 409, 'text-not-possible': 409 },
    answer: { description: 'The text as it is then.', schema: TEXT_VIEW },
    perform: (acts, accession, { again = 'no' }, by) =>
      textAfter(acts, accession, { kind: 'send', again: again === 'yes' }, by),
  }),
  define({
    name: 'endText',
    command: ['text', 'done'],
    route: '/texts/{accession}/done',
    subject: ACCESSION_SUBJECT,
    summary: 'The text of a study is seen to: it needs nobody any more, and one that waits is never sent.',
    input: NOTHING,
    refusals: { ...TEXT_REFUSALS, 'nothing-to-end': 409 },
    answer: { description: 'The text as it is then.', schema: TEXT_VIEW },
    perform: (acts, accession, _input, by) => textAfter(acts, accession, { kind: 'done' }, by),
  }),
  define({
    name: 'replay',
    command: ['replay'],
    route: '/messages/{id}/replay',
    subject: { name: 'id', what: 'Id of the HL7 message' },
    summary: 'Read a kept HL7 message again and apply it.',
    input: NOTHING,
    refusals: { 'message-unknown': 404, 'message-refused': 409, 'message-forgotten': 409, 'message-cut': 409 },
    answer: { description: 'It is applied.', schema: z.object({ id: z.string(), answer: z.literal('AA') }) },
    perform: async (acts, id, _input, by) => {
      await acts.replay(id, by);
      return { json: { id, answer: 'AA' }, text: `message ${id} is applied\n` };
    },
  }),
  define({
    name: 'endWork',
    command: ['done'],
    route: '/work/{subject}/done',
    subject: { name: 'subject', what: 'What is listed, as the list has it' },
    summary: 'What is listed of this subject is seen to. It is listed again once something new comes.',
    input: NOTHING,
    refusals: { 'nothing-to-end': 409 },
    answer: { description: 'It is seen to.', schema: z.object({ subject: z.string(), kinds: z.array(z.string()) }) },
    perform: async (acts, subject, _input, by) => {
      const kinds = await acts.endWork(subject, by);
      return { json: { subject, kinds }, text: `${kinds.join(', ')} of ${subject}: seen to\n` };
    },
  }),
  define({
    name: 'withdrawOrder',
    command: ['order', 'withdraw'],
    route: '/orders/{accession}/withdraw',
    subject: { name: 'accession', what: 'Accession number of the order' },
    summary: 'Take back what orders have said of that accession number. An order that comes later stands again.',
    input: NOTHING,
    refusals: { 'accession-unknown': 409 },
    answer: { description: 'It is taken back.', schema: z.object({ accessionNumber: z.string() }) },
    perform: async (acts, accessionNumber, _input, by) => {
      await acts.withdrawOrder(accessionNumber, by);
      return { json: { accessionNumber }, text: `order ${accessionNumber} is withdrawn\n` };
    },
  }),
  define({
    name: 'withdrawMerge',
    command: ['merge', 'withdraw'],
    route: '/merges/withdraw',
    subject: null,
    summary: 'Take back that two numbers are one patient. A merge that comes later stands again.',
    input: z.object({
      prior: said("The number that was merged, with '@' and its authority where it has one"),
      survivor: said('The number that it was merged into, likewise'),
    }),
    refusals: { 'merge-unknown': 409 },
    answer: { description: 'It is taken back.', schema: z.object({ withdrawn: z.literal(true) }) },
    perform: async (acts, _subject, { prior, survivor }, by) => {
      await acts.withdrawMerge(prior, survivor, by);
      return { json: { withdrawn: true }, text: 'the merge is withdrawn\n' };
    },
  }),
  define({
    name: 'retryImage',
    command: ['retry', 'image'],
    route: '/images/{id}/retry',
    subject: { name: 'id', what: "SOP Instance UID (0008,0018), or Orthanc's id" },
    summary: 'Mirror one failed image again.',
    input: NOTHING,
    ...RETRIED,
    perform: async (acts, image, _input, by) =>
      retried(await acts.retryImages({ image, studyInstanceUid: null, reason: null }, by)),
  }),
  define({
    name: 'retryStudy',
    command: ['retry', 'study'],
    route: '/studies/{uid}/retry',
    subject: STUDY_SUBJECT,
    summary: 'Mirror the failed images of one DICOM study again.',
    input: NOTHING,
    ...RETRIED,
    perform: async (acts, studyInstanceUid, _input, by) =>
      retried(await acts.retryImages({ image: null, studyInstanceUid, reason: null }, by)),
  }),
  define({
    name: 'retryImages',
    command: ['retry', 'images'],
    route: '/images/retry',
    subject: null,
    summary: 'Mirror failed images again: all, those of one study, those that failed for one reason.',
    input: z.object({
      studyInstanceUid: z.string().trim().min(1).max(64).describe('Those of one DICOM study').optional(),
      reason,
    }),
    ...RETRIED,
    perform: async (acts, _subject, { studyInstanceUid = null, reason: why = null }, by) =>
      retried(await acts.retryImages({ image: null, studyInstanceUid, reason: why }, by)),
  }),
];
