import type { CrashPoint } from '../crash/conductor.ts';

/** One place of the code as it is, and as it must not be. */
export interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A mistake that would lose or double something, and where it must be noticed. */
export interface Break {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** A kill at this point of this scenario shows it each time, as `seen`. */
  readonly scenario: string;
  readonly point: CrashPoint;
  readonly seen: RegExp;
  /** A storm that has a fault at the right time, and so shows it. */
  readonly storm: Storm;
}

export interface Storm {
  readonly FAULTS_SEED: string;
  readonly FAULTS_ORDERS: string;
}

export const BREAKS: readonly Break[] = [
  {
    name: 'the cursor is committed before the rows',
    edits: [
      {
        file: 'sidecar/images/flows/follow.ts',
        find: `    const newImages = await deps.transaction(async (tx) => {
      const now = deps.now();
      const added = await deps.take(tx, read.value, now);
      await tx.saveCursor(serverId, seq, now);
      return added;
    });`,
        replace: `    await deps.transaction((tx) => tx.saveCursor(serverId, seq, deps.now()));
    const newImages = await deps.transaction((tx) => deps.take(tx, read.value, deps.now()));`,
      },
    ],
    scenario: 'an image',
    point: { step: 'postgres: INSERT INTO dicom_studies', nth: 1, when: 'before', from: 'orthanc: GET /changes' },
    seen: /^image \S+ taken 0 times$/m,
    storm: { FAULTS_SEED: '11', FAULTS_ORDERS: '60' },
  },
  {
    name: 'an HL7 message is answered AA before it is committed',
    edits: [
      {
        file: 'sidecar/ris/flows/receive.ts',
        find: `      return await take(deps, all, now);`,
        replace: `      void take(deps, all, now).catch(() => undefined);
      return new Map(all.map((one) => [one, one.answered({ code: 'AA' })]));`,
      },
    ],
    scenario: 'a final report',
    point: { step: 'hl7: ACK', nth: 1, when: 'after' },
    seen: /not so: message R\d+ AA 1/,
    storm: { FAULTS_SEED: '21', FAULTS_ORDERS: '24' },
  },
  {
    name: 'a text is sent without a row that says sending',
    edits: [
      {
        file: 'sidecar/texts/io/text-rows.ts',
        find: `SET state = 'sending', reason = NULL, body = :body, sending_since = :now,`,
        replace: `SET state = 'queued', reason = NULL, body = :body, sending_since = :now,`,
      },
      {
        file: 'sidecar/texts/io/text-rows.ts',
        find: `twilio_sid = :vendorId, sent_at = :now, updated_at = :now
WHERE id = :smsId AND state = 'sending' AND sending_since = :since\``,
        replace: `twilio_sid = :vendorId, sent_at = :now, sending_since = :since, updated_at = :now
WHERE id = :smsId\``,
      },
    ],
    scenario: 'a final report',
    point: { step: 'twilio: POST Messages', nth: 1, when: 'after' },
    seen: /texts Twilio took: 2, not 1/,
    storm: { FAULTS_SEED: '12', FAULTS_ORDERS: '24' },
  },
];
