import { z } from 'zod';
import { STUDY, WORK_ITEM } from './work-rows.ts';

const said = (what: string): z.ZodString =>
  z
    .string()
    .trim()
    .min(1)
    .max(400)
    .regex(/^\P{Cc}*$/u, 'must have no control characters')
    .describe(what);

/** What every act needs. */
export const BY_BODY = z.object({
  who: said('The person who acts; kept together with the name of the key'),
  why: said('Why; kept with the decision'),
});

/** Which of all failed images; without a choice every one. */
export const RETRY_BODY = BY_BODY.extend({
  studyInstanceUid: z.string().trim().min(1).max(64).describe('Those of one DICOM study').optional(),
  reason: z.string().trim().min(1).max(100).describe('Those that failed for that, such as render-timeout').optional(),
});

/** The bodies of the acts on a study. */
export const ACT_BODIES = {
  link: BY_BODY.extend({ accessionNumber: z.string().trim().min(1).max(64).describe('Of the study of the RIS') }),
  unlink: BY_BODY,
  confirm: BY_BODY,
  release: BY_BODY,
} as const;

const ACTS: Readonly<Record<keyof typeof ACT_BODIES, string>> = {
  link: 'It belongs to that study of the RIS.',
  unlink: 'It belongs to no study of the RIS: back to a study of its own. Sends no text.',
  confirm: "What stands, or the only candidate of its review, becomes the person's decision.",
  release: 'Let the rules decide again, at once.',
};

export const DAYS = z.object({
  days: z.coerce.number().int().min(0).max(36_500).default(1).describe('Provisional studies from so many days on'),
});

const ERROR = z.object({
  error: z.string().describe('A code that stays'),
  detail: z.string().describe('For a person; without patient data'),
});
const RETRIED = z.object({ images: z.number().describe('How many there are') });
const REPLAYED = z.object({ id: z.string(), answer: z.literal('AA') });

const schemaOf = (schema: z.ZodType): object => z.toJSONSchema(schema, { io: 'input' });
const json = (description: string, schema: object) => ({
  description,
  content: { 'application/json': { schema } },
});
const reference = (name: string): object => ({ $ref: `#/components/schemas/${name}` });
const errors = (...statuses: readonly number[]) =>
  Object.fromEntries(
    [...statuses, 401, 429, 503].map((status) => [status, json(MEANING[status] ?? '', reference('Error'))]),
  );
const MEANING: Readonly<Record<number, string>> = {
  400: 'The request is not as described.',
  401: "No valid operator's key or certificate.",
  404: 'There is no such thing.',
  409: 'It is there, but that cannot be done with it.',
  429: 'Too many requests, or too many without a valid key; Retry-After says when to come again.',
  503: 'Not now; try again later.',
};
const inPath = (name: string, description: string): object => ({
  name, in: 'path', required: true, description, schema: { type: 'string' },
}); // prettier-ignore
const body = (schema: z.ZodType): object => ({
  required: true,
  content: { 'application/json': { schema: schemaOf(schema) } },
});

/** The operators' API as OpenAPI 3.1, made from the schemas that check its requests. */
export function openApi(): object {
  const uid = inPath('uid', 'Study Instance UID (0020,000D)');
  const acts = Object.entries(ACT_BODIES).map(([kind, schema]): [string, object] => [
    `/api/operator/studies/{uid}/${kind}`,
    {
      post: {
        operationId: kind,
        summary: Object.entries(ACTS).find(([name]) => name === kind)?.[1],
        parameters: [uid],
        requestBody: body(schema),
        responses: { 200: json('The study as it is then.', reference('Study')), ...errors(400, 404, 409) },
      },
    },
  ]);
  return {
    openapi: '3.1.0',
    info: { title: 'Axis Portal sidecar: operators', version: '1' },
    security: [{ bearer: [] }, { key: [] }],
    paths: {
      '/api/operator/work': {
        get: {
          operationId: 'work',
          summary: 'What needs a person, the oldest of each kind first.',
          parameters: [{ name: 'days', in: 'query', schema: schemaOf(DAYS.shape.days) }],
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
          parameters: [uid],
          responses: { 200: json('The study.', reference('Study')), ...errors(404) },
        },
      },
      ...Object.fromEntries(acts),
      '/api/operator/messages/{id}/replay': {
        post: {
          operationId: 'replay',
          summary: 'Read a kept HL7 message again and apply it.',
          parameters: [inPath('id', 'Id of the HL7 message')],
          requestBody: body(BY_BODY),
          responses: { 200: json('It is applied.', schemaOf(REPLAYED)), ...errors(400, 404, 409) },
        },
      },
      '/api/operator/images/{id}/retry': {
        post: {
          operationId: 'retryImage',
          summary: 'Mirror one failed image again.',
          parameters: [inPath('id', "SOP Instance UID (0008,0018), or Orthanc's id")],
          requestBody: body(BY_BODY),
          responses: { 200: json('It will be.', schemaOf(RETRIED)), ...errors(400, 409) },
        },
      },
      '/api/operator/images/retry': {
        post: {
          operationId: 'retryImages',
          summary: 'Mirror failed images again: all, those of one study, those that failed for one reason.',
          requestBody: body(RETRY_BODY),
          responses: { 200: json('They will be.', schemaOf(RETRIED)), ...errors(400, 409) },
        },
      },
    },
    components: {
      schemas: { WorkItem: schemaOf(WORK_ITEM), Study: schemaOf(STUDY), Error: schemaOf(ERROR) },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
    },
  };
}
