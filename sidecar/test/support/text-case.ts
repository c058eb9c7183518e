import { z } from 'zod';
import { startSmsSandbox, type SmsSandbox } from '../../texts/io/sandbox.ts';
import { createTwilio } from '../../texts/io/twilio.ts';
import { sendSms, type SendSmsDeps } from '../../texts/flows/send.ts';
import { sendingBy } from '../../texts/sending.ts';
import { startTextDesk, type TextDesk } from './text-desk.ts';

const BEHAVIOUR = z.enum(['take', 'reset', 'reset-after-taking']).or(z.number());

/** One thing that happens; which one it is, its only key says. */
const STEP = z.union([
  /** The segments of a message, MSH but for its name and delimiters too. */
  z.strictObject({ message: z.array(z.string()) }),
  /** The time from now on. */
  z.strictObject({ clock: z.iso.datetime() }),
  /** How the vendor treats the next texts: a number is the code of a refusal. */
  z.strictObject({ vendor: z.array(BEHAVIOUR) }),
  z.strictObject({
    account: z.strictObject({
      redacted: z.boolean().optional(),
      trial: z.boolean().optional(),
      barred: z.array(z.string()).optional(),
      away: z.boolean().optional(),
    }),
  }),
  /** All texts that are due are sent, or looked for. */
  z.strictObject({ send: z.literal(true) }),
  z.strictObject({ text: z.enum(['send', 'again', 'done']), of: z.string() }),
  z.strictObject({ hold: z.enum(['hold', 'unhold']), study: z.string().optional(), patient: z.string().optional() }),
  /** The message of the step at that place, counted from 0, is applied again. */
  z.strictObject({ replay: z.number() }),
  /** The sidecar starts again, with these settings over those of the case. */
  z.strictObject({ restart: z.record(z.string(), z.string()) }),
]);
type Step = z.output<typeof STEP>;

export const TEXT_CASE = z.strictObject({
  why: z.string(),
  settings: z.record(z.string(), z.string()).optional(),
  steps: z.array(STEP),
  expected: z.strictObject({
    /** As {@link TextDesk.texts} tells them. */
    texts: z.array(z.string()),
    /** What the vendor took: when, for which number, and the words. */
    taken: z.array(z.string()),
    /** What a person is to see: kind, subject, reason. */
    listed: z.array(z.string()),
  }),
});
export type TextCase = z.output<typeof TEXT_CASE>;

const START = new Date('2026-12-01T00:00:00Z'); // 11:00 in Melbourne
const ALWAYS = { SMS_HOURS: '00:00-24:00' };
const BY = { who: 'Ann', why: 'asked the patient' };
const OPEN = `SELECT CAST(id AS text) AS id FROM sms_messages WHERE state IN ('queued', 'sending') ORDER BY id`;
/** Of one text at one time: more would be a text that never rests. */
const MOST_CALLS = 20;

async function sendDue(desk: TextDesk, deps: SendSmsDeps): Promise<void> {
  for (const { id } of await desk.rows(OPEN, z.object({ id: z.string() }))) {
    let calls = 0;
    for (let end = await sendSms(deps, id); end !== null && end.again <= desk.now; end = await sendSms(deps, id)) {
      calls += 1;
      if (calls > MOST_CALLS) throw new Error(`text ${id} never rests`);
    }
  }
}

/** Plays a case through the flows of production and the real SDK; `times`: how often each message comes. */
export async function playTextCase({ settings, steps }: TextCase, times = 1): Promise<TextCase['expected']> {
  await using desk = await startTextDesk({ ...ALWAYS, ...settings }, START);
  await using sandbox = await startSmsSandbox({ host: '127.0.0.1', port: 0, now: () => desk.now });
  const account = { accountSid: `AC${'0'.repeat(32)}`, authToken: 'token', from: '+61400000000' };
  const gateway = createTwilio({ ...account, apiUrl: sandbox.url, timeoutMs: 2000 });
  const start = (): SendSmsDeps =>
    sendingBy(
      { ...desk.config, timeZone: desk.config.PRACTICE_TIME_ZONE },
      { db: desk.db, gateway, settling: desk.operations.settling, now: () => desk.now, random: () => 0.5 },
    );
  let deps = start();
  const messageIds = new Map<number, string>();
  const play = async (step: Step, at: number): Promise<void> => {
    if ('message' in step) {
      for (let time = 0; time < times; time += 1) messageIds.set(at, await desk.receive(step.message));
    } else if ('clock' in step) desk.now = new Date(step.clock);
    else if ('vendor' in step) sandbox.behave(...step.vendor.map(behaviourOf));
    else if ('account' in step) sandbox.set(accountOf(step.account));
    else if ('send' in step) await sendDue(desk, deps);
    else if ('text' in step) {
      const act =
        step.text === 'done' ? ({ kind: 'done' } as const) : { kind: 'send' as const, again: step.text === 'again' };
      await desk.operations.decideText(step.of, act, BY);
    } else if ('hold' in step) {
      const { study, patient = '' } = step;
      const thing =
        study === undefined
          ? ({ kind: 'patient', patientId: patient, issuer: null } as const)
          : ({ kind: 'study', accessionNumber: study } as const);
      await desk.operations.hold(step.hold, thing, BY);
    } else if ('replay' in step) await desk.operations.replay(messageIds.get(step.replay) ?? '', BY);
    else {
      desk.restart({ ...ALWAYS, ...settings, ...step.restart });
      deps = start();
    }
  };
  for (const [at, step] of steps.entries()) await play(step, at);
  const work = await desk.operations.work(0, { who: 'Ann', from: '' });
  return {
    texts: await desk.texts(),
    taken: sandbox.messages.map(({ at, to, body }) => `${at.toISOString().slice(0, 16)} ${to} ${body}`),
    listed: work.map(({ kind, subject, reason }) => [kind, subject, reason].filter((part) => part !== null).join(' ')),
  };
}

type Behaviour = Parameters<SmsSandbox['behave']>[number];

function behaviourOf(how: z.output<typeof BEHAVIOUR>): Behaviour {
  if (typeof how === 'number') return { kind: 'refuse', status: how === 20_003 ? 401 : 400, code: how };
  return how === 'take' ? { kind: 'take' } : { kind: 'reset', afterTaking: how === 'reset-after-taking' };
}

type Account = Parameters<SmsSandbox['set']>[0];

const accountOf = ({ redacted, trial, barred, away }: Extract<Step, { account: unknown }>['account']): Account => ({
  ...(redacted !== undefined && { redacted }),
  ...(trial !== undefined && { trial }),
  ...(barred !== undefined && { barred }),
  ...(away !== undefined && { away }),
});
