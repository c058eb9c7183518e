import { z } from 'zod';
import { ACTS, BY, type Act, type Subject } from '../definitions.ts';
import { PATIENT_FIELDS } from '../../ris/rules/same-patient.ts';
import { PREVIEW } from './preview-rows.ts';
import { MESSAGE, ORDER, READING, TEXT_VIEW } from './show-rows.ts';
import { STUDY, WORK_ITEM } from './work-rows.ts';

export const DAYS = z.object({
  days: z.coerce.number().int().min(0).max(36_500).default(1).describe('Provisional studies from so many days on'),
});

const ERROR = z.object({
  error: z.string().describe('A code that stays'),
  detail: z.string().describe('For a person; without patient data'),
  compared: z
    .array(z.object({ field: z.enum(PATIENT_FIELDS), images: z.string(), order: z.string(), differs: z.boolean() }))
    .describe('Of patient-differs: both sides, in one order')
    .optional(),
});

const TRIAL = z.object({
  answer: z.string().describe('MSA-1'),
  reason: z.string().nullable(),
  reading: READING.nullable(),
  orders: z.array(ORDER).describe('The studies that it names, as they would then be'),
});

const schemaOf = (schema: z.ZodType): object => z.toJSONSchema(schema, { io: 'input' });
const json = (description: string, schema: object) => ({
  description,
  content: { 'application/json': { schema } },
});
const reference = (name: string): object => ({ $ref: `#/components/schemas/${name}` });
const MEANING: Readonly<Record<number, string>> = {
  400: 'The request is not as described.',
  401: "No valid operator's key or certificate.",
  404: 'There is no such thing.',
  409: 'It is there, but that cannot be done with it.',
  429: 'Too many requests, or too many without a valid key; Retry-After says when to come again.',
  503: 'Not now; try again later.',
};
const errors = (...statuses: readonly number[]) =>
  Object.fromEntries(
    [...statuses, 401, 429, 503].map((status) => [status, json(MEANING[status] ?? '', reference('Error'))]),
  );
const inPath = ({ name, what }: Subject): object => ({
  name, in: 'path', required: true, description: what, schema: { type: 'string' },
}); // prettier-ignore

const answerSchema = (schema: z.ZodType): object =>
  schema instanceof z.ZodUnion && schema.options.includes(STUDY)
    ? { anyOf: [reference('Study'), reference('Preview')] }
    : schemaOf(schema);

const described = ({ name, summary, subject, input, answer, refusals }: Act): object => ({
  post: {
    operationId: name,
    summary,
    ...(subject !== null && { parameters: [inPath(subject)] }),
    requestBody: { required: true, content: { 'application/json': { schema: schemaOf(BY.extend(input.shape)) } } },
    responses: {
      200: json(answer.description, answerSchema(answer.schema)),
      ...errors(400, ...new Set(Object.values(refusals))),
    },
  },
});

/** The operators' API as OpenAPI 3.1, made from the definitions that check its requests. */
export function openApi(): object {
  return {
    openapi: '3.1.0',
    info: { title: 'Axis Portal sidecar: operators', version: '1' },
    security: [{ bearer: [] }, { key: [] }],
    paths: {
      '/api/operator/work': {
        get: {
          operationId: 'work',
          summary: 'What needs a person, the oldest of each kind first.',
          parameters: [{ name: 'days', in: 'query', required: false, schema: schemaOf(DAYS.shape.days) }],
          responses: {
            200: json('At most 500 of each kind.', { type: 'array', items: reference('WorkItem') }),
            ...errors(400),
          },
        },
      },
      '/api/operator/studies/{uid}': {
        get: {
          operationId: 'show',
          summary: 'One DICOM study: its tags, candidates, history and images.',
          parameters: [inPath({ name: 'uid', what: 'Study Instance UID (0020,000D)' })],
          responses: { 200: json('The study.', reference('Study')), ...errors(404) },
        },
      },
      '/api/operator/messages/{id}': {
        get: {
          operationId: 'showMessage',
          summary: 'How a message was taken, and what was understood of it.',
          parameters: [inPath({ name: 'id', what: 'Id of the HL7 message, or its MSH-10: then the newest' })],
          responses: { 200: json('The message.', schemaOf(MESSAGE)), ...errors(404) },
        },
      },
      '/api/operator/messages/try': {
        post: {
          operationId: 'tryMessages',
          summary: 'What would be understood of these messages, and what would follow. Nothing is kept.',
          requestBody: { required: true, content: { 'text/plain': { schema: { type: 'string' } } } },
          responses: { 200: json('One of each message.', schemaOf(z.array(TRIAL))), ...errors(400) },
        },
      },
      '/api/operator/texts/{accession}': {
        get: {
          operationId: 'showText',
          summary: 'The text of one study: whether it went, what it waits for, and what can be done about it.',
          parameters: [inPath({ name: 'accession', what: 'Accession number' })],
          responses: { 200: json('The text.', schemaOf(TEXT_VIEW)), ...errors(404) },
        },
      },
      ...Object.fromEntries(ACTS.map((act) => [`/api/operator${act.route}`, described(act)])),
    },
    components: {
      schemas: {
        WorkItem: schemaOf(WORK_ITEM),
        Study: schemaOf(STUDY),
        Preview: schemaOf(PREVIEW),
        Error: schemaOf(ERROR),
      },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
    },
  };
}
