import type { MessageView, OrderView, PatientView, StudyView, TextView, WorkItem } from './rules/work.ts';
import { table } from '../platform/rules/table.ts';

const minute = (iso: string | null): string | null => iso && `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;

const patientText = (patient: PatientView | null): string =>
  patient === null ? '' : [patient.name, patient.id, patient.birthDate].filter((part) => part !== null).join(', ');

/** What needs a person, as a table. */
export function workText(items: readonly WorkItem[]): string {
  if (items.length === 0) return 'nothing needs a person\n';
  return table(
    ['what', 'subject', 'accession', 'patient', 'why', 'since (UTC)', 'next'],
    items.map(({ kind, subject, accessionNumber, patient, reason, since, next }) => [
      kind,
      subject,
      accessionNumber,
      patient,
      reason,
      minute(since),
      next,
    ]),
  );
}

/** One DICOM study, as an operator reads it. */
export function studyText(study: StudyView): string {
  const { history, tags, candidates, series } = study;
  const facts = table(
    ['study', study.studyInstanceUid],
    [
      ['status', [study.status ?? 'not decided', study.rule, study.reason].filter((part) => part !== null).join(', ')],
      ['decided', [study.decidedBy, minute(study.decidedAt)].filter((part) => part !== null).join(', ')],
      ['accession', study.accessionNumber],
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
  return table(
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
}
