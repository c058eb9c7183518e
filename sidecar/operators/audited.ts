import type { Knex } from 'knex';
import { appendAudit } from '../audit/io/rows.ts';
import { uidOrNull, type AuditEntry } from '../audit/rules/entry.ts';
import { asFailure } from '../platform/rules/failure.ts';
import type { By, Viewer } from '../audit/rules/who.ts';

type Subject = Pick<AuditEntry, 'event' | 'what' | 'studyInstanceUid' | 'accessionNumber' | 'hl7MessageId'>;

export interface AuditTx {
  /** Appends to the audit log, in the transaction that it tells of. */
  audit(entry: AuditEntry): Promise<void>;
}

/** A person's acts and views in the audit log: none is done, and nothing shown, without its row. */
export function operatorAudit(db: Knex, now: () => Date) {
  const entry = ({ who, from }: Viewer, subject: Subject): Omit<AuditEntry, 'outcome'> => ({
    ...subject,
    at: now(),
    who,
    source: from,
  });
  return {
    /** What `read` gives, once it is written that this person saw it; what is not there is no view, nor is one for nobody. */
    async view<T>(
      viewer: Viewer | null,
      subject: Omit<Subject, 'event'>,
      read: () => Promise<T>,
      detail: (seen: T) => AuditEntry['detail'] = () => ({}),
    ): Promise<T> {
      const seen = await read();
      if (seen === null || viewer === null) return seen;
      const said = { ...entry(viewer, { ...subject, event: 'operator-view' }), detail: detail(seen) ?? {} };
      await appendAudit(db, [{ ...said, outcome: 'ok' }]);
      return seen;
    },

    /**
     * Does `act`, which calls `audit` last in its transaction. Where it is refused that is written instead, without what
     * was asked for and is not known to be an id.
     */
    async act<T>(
      { who, from = '' }: By,
      subject: Subject,
      act: (audit: (tx: AuditTx, more?: AuditEntry['detail']) => Promise<void>) => Promise<T>,
    ): Promise<T> {
      const by = { who: who.trim(), from };
      try {
        return await act((tx, detail = {}) => tx.audit({ ...entry(by, subject), detail, outcome: 'ok' }));
      } catch (error) {
        const { kind, code } = asFailure(error);
        if (kind === 'permanent') {
          const { event, what, studyInstanceUid } = subject;
          const asked = { event, what, studyInstanceUid: uidOrNull(studyInstanceUid ?? '') };
          await appendAudit(db, [{ ...entry(by, asked), detail: { code }, outcome: 'refused' }]);
        }
        throw error;
      }
    },
  };
}
