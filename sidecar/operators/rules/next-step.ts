import { nextStep as nextOfText } from '../../texts/rules/next-step.ts';
import type { WorkItem } from './work.ts';

type Listed = Pick<WorkItem, 'kind' | 'subject' | 'reason' | 'accessionNumber'>;

/**
 * What a person does about a listed thing: in words, and as the commands to type. `''` for the line that only says how many
 * more there are.
 */
export function nextStep({ kind, subject, reason, accessionNumber }: Listed): string {
  if (subject === '') return 'axis list --all';
  switch (kind) {
    case 'review':
      return `axis show ${subject}; then axis link ${subject} ACCESSION, or axis confirm ${subject}`;
    case 'contested':
      return `axis show ${subject}; then axis link ${subject} ACCESSION, or axis confirm ${subject} --despite-patient`;
    case 'provisional':
      return `wait for its order; or axis link ${subject} ACCESSION`;
    case 'images-deleted':
      return `have the images sent again; or axis release ${subject}`;
    case 'image-differs':
      return `compare both in Explorer, delete what is wrong and send what is right; then axis done ${subject}`;
    case 'image-failed':
      return `axis retry study ${subject}; or axis done ${subject}`;
    case 'text-held':
    case 'text-failed':
    case 'text-undelivered':
    case 'text-seen-to':
      return `${nextOfText(reason)}: axis text show ${subject}`;
    case 'held':
      return `axis unhold ${accessionNumber === null ? 'patient' : 'study'} ${subject}`;
    case 'message-refused':
      return `axis hl7 show ${subject}; mend it, then axis replay ${subject}; or axis done ${subject}`;
    case 'report-withheld':
      return `axis show ${subject}; have the RIS correct the order or the report; or axis done ${subject}`;
    case 'accession-clash':
      return `axis show ${subject}; have one of the senders use another number; or axis done ${subject}`;
    case 'failure':
      return `axis doctor; or axis done '${subject}'`;
  }
}
