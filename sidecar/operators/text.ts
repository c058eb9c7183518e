import type {
  MessageView,
  OrderView,
  PatientView,
  Preview,
  ReadingView,
  StudyView,
  TextView,
  Trial,
  WorkItem,
} from './rules/work.ts';
import type { ComparedField } from './rules/patient-differs.ts';
import { table } from '../platform/rules/table.ts';

const minute = (iso: string | null): string | null => iso && `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;

const patientText = (patient: PatientView | null): string =>
  patient === null ? '' : [patient.name, patient.id, patient.birthDate].filter((part) => part !== null).join(', ');

/** How many things of which kind need a person, and how many of them are listed. */
function countText(items: readonly WorkItem[]): string {
  const total = (some: readonly WorkItem[]): number =>
    some.reduce((sum, { subject, more }) => sum + (subject === '' ? more : 1), 0);
  const kinds = [...Map.groupBy(items, ({ kind }) => kind)].map(([kind, some]) => `${total(some)} ${kind}`);
  const listed = items.filter(({ subject }) => subject !== '').length;
  const cut = listed < total(items) ? ` The newest ${listed} are listed; axis list --all lists more.` : '';
  return `${total(items)} to see to: ${kinds.join(', ')}.${cut}\n`;
}

/**
 * What needs a person, as a table, with how many there are of each kind before it; what has no subject says how many more of
 * its kind there are.
 */
export function workText(items: readonly WorkItem[]): string {
  if (items.length === 0) return 'nothing needs a person\n';
  const listed = table(
    ['what', 'subject', 'accession', 'patient', 'why', 'since', 'next'],
    items.map(({ kind, subject, accessionNumber, patient, reason, sinceLocal, next }) => [
      kind,
      subject === '' ? '…' : subject,
      accessionNumber,
      patient,
      reason,
      sinceLocal,
      next,
    ]),
  );
  return `${countText(items)}\n${listed}`;
}

/** One DICOM study, as an operator reads it. */
export function studyText(study: StudyView): string {
  const { history, tags, candidates, series } = study;
  const facts = table(
    ['study', study.studyInstanceUid],
    [
      ['status', [study.status ?? 'not decided', study.rule, study.reason].filter((part) => part !== null).join(', ')],
      ['decided', [study.decidedBy, minute(study.decidedAt)].filter((part) => part !== null).join(', ')],
      ['contested', study.contested],
      ['accession', study.accessionNumbers.join(' ') || null],
      ['patient', patientText(study.patient)],
      ['modalities', study.modalities.join(' ')],
      ['first seen', minute(study.firstSeenAt)],
    ],
  );
  const parts = [
    facts,
    table(
      ['tags: accession', 'patient id', 'name', 'birth date', 'study date', 'description'],
      tags.map((one) => [
        one.accessionNumber,
        one.patientId,
        one.patientName,
        one.birthDate,
        one.studyDate,
        one.description,
      ]),
    ),
    table(
      ['candidate', 'patient', 'modality', 'date', 'procedure', 'order'],
      candidates.map((one) => [
        one.accessionNumber,
        patientText(one.patient),
        one.modality,
        one.studyDate,
        one.procedure,
        one.orderStatus,
      ]),
    ),
    table(
      ['history (UTC)', 'by', 'status', 'rule', 'why', 'accession'],
      history.map((one) => [minute(one.at), one.by, one.status, one.rule, one.reason, one.accessionNumber]),
    ),
    table(
      ['series', 'modality', 'description', 'images', 'mirrored', 'pending', 'no pixels', 'failed'],
      series.map((one) => [
        one.seriesInstanceUid,
        one.modality,
        one.description,
        one.images,
        one.mirrored,
        one.pending,
        one.noPixels,
        one.failed,
      ]),
    ),
  ];
  return parts.join('\n');
}

/** What an act would lead to, as an operator reads it. */
export function previewText({ status, accessionNumbers, labels, texts }: Preview): string {
  return [
    table(
      ['dry run', 'nothing is changed'],
      [
        ['status', status],
        ['accession', accessionNumbers.join(' ') || null],
        ['labels', labels.join(' ')],
      ],
    ),
    table(
      ['text of', 'patient', 'state', 'to', 'why'],
      texts.map(({ accessionNumber, patient, state, to, reason }) => [
        ...[accessionNumber, patientText(patient), state, to && `…${to}`, reason],
      ]),
    ),
  ].join('\n');
}

/** Both sides of a link, as an operator reads them. */
export function comparedText(compared: readonly ComparedField[]): string {
  return table(
    ['', 'images', 'order', ''],
    compared.map(({ field, images, order, differs }) => [field, images, order, differs ? 'differs' : null]),
  );
}

/** A study of the RIS, as an operator reads it. */
export function orderText(order: OrderView): string {
  const { text } = order;
  return [
    table(
      ['order', order.accessionNumber],
      [
        ['status', order.orderStatus],
        ['patient', patientText(order.patient)],
        ['modality', order.modality],
        ['procedure', order.procedure],
        ['date', order.studyDate],
        [
          'text',
          text === null ? null : [text.state, text.reason, text.to && `to …${text.to}`].filter(Boolean).join(', '),
        ],
      ],
    ),
    table(
      ['DICOM study', 'status'],
      order.dicomStudies.map(({ studyInstanceUid, status }) => [studyInstanceUid, status]),
    ),
    table(
      ['report (UTC)', 'status', 'withheld', 'message'],
      order.reports.map(({ at, status, withheld, messageId }) => [minute(at), status, withheld, messageId]),
    ),
  ].join('\n');
}

function readingText(reading: ReadingView | null): string {
  if (reading === null) return '';
  const understood = [reading.patient, ...reading.studies].filter((part) => part.length > 0);
  const odd = reading.warnings.map(({ code, field, detail }) => [code, field, detail]);
  return [
    ...understood.map((part) =>
      table(
        ['understood', 'value', 'from'],
        part.map(({ what, value, from }) => [what, value ?? '(deleted)', from]),
      ),
    ),
    ...(odd.length === 0 ? [] : [table(['warning', 'field', 'what'], odd)]),
  ].join('\n');
}

const lastDigits = (digits: string | null): string | null => digits && `…${digits}`;

/** The text of a study, as an operator reads it. */
export function textText(text: TextView): string {
  return table(
    ['text', text.accessionNumber],
    [
      ['state', [text.state, text.reason].filter((part) => part !== null).join(', ')],
      ['next', text.next],
      ['tells of', text.tellsOf.join(' ')],
      ['to', lastDigits(text.to)],
      ['known number', lastDigits(text.known)],
      ['a report said', lastDigits(text.reported)],
      ['not before (UTC)', minute(text.from)],
      ['tries', String(text.attempts)],
      ['sent (UTC)', minute(text.sentAt)],
      ['delivery', text.delivery],
      ['ended', [text.doneBy, minute(text.doneAt)].filter((part) => part !== null).join(', ')],
    ],
  );
}

/** A kept HL7 message, as an operator reads it. */
export function messageText(message: MessageView): string {
  const head = table(
    ['message', message.id],
    [
      ['type', message.messageType],
      ['sender', [message.sendingApplication, message.sendingFacility].filter((part) => part !== '').join(', ')],
      ['MSH-10', message.controlId],
      ['received (UTC)', minute(message.receivedAt)],
      ['answer', message.answer],
      ['why', message.reason],
      ['replayed', [message.replayedBy, minute(message.replayedAt)].filter((part) => part !== null).join(', ')],
    ],
  );
  const lines = message.segments.map((line) => `${line.replace(/\p{Cc}/gu, ' ')}\n`).join('');
  return [head, readingText(message.reading), lines].filter((part) => part !== '').join('\n');
}

/** What would come of a message, as an operator reads it. */
export function trialText(name: string, { answer, reason, reading, orders }: Trial): string {
  const head = table(['message', name], [['answer', answer], ...(reason === null ? [] : [['why', reason]])]);
  return [head, readingText(reading), ...orders.map(orderText)].filter((part) => part !== '').join('\n');
}
