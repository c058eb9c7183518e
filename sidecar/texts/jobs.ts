import { z } from 'zod';
import { defineJob, type Job } from '../platform/jobs.ts';
import { sendSms, type SendSmsDeps } from './flows/send.ts';
import { REQUEUE_TEXTS, SEND_SMS } from './io/text-rows.ts';

/** The job that sends one text, at most once. */
export const sendJob = (deps: SendSmsDeps): Job =>
  defineJob({
    name: SEND_SMS,
    payload: z.object({ smsId: z.string() }),
    key: ({ smsId }) => `${SEND_SMS}:${smsId}`,
    requeue: REQUEUE_TEXTS,
    run: ({ smsId }) => sendSms(deps, smsId),
  });
