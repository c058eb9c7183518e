import { z } from 'zod';
import { addressList, count, parsed, port, yesOrNo } from '../platform/settings.ts';
import { parseFieldPlaces, parseIdTypes, parseSenders, type SenderSettings } from './rules/field-settings.ts';
import { parseAllowedSenders, type AllowedSender } from './rules/senders.ts';

const hl7Fields = parsed(parseFieldPlaces, 'a list of fields such as OBR-18,IPC-1,OBR-3.1');
const hl7IdTypes = parsed(parseIdTypes, 'a list of identifier types such as MR,PI,PT');

const hl7Senders = z.string().transform((text, context): readonly SenderSettings[] => {
  const { senders, problems } = parseSenders(text);
  for (const message of problems) context.addIssue({ code: 'custom', message });
  return senders;
});

const allowedSenders = z.string().transform((text, context): readonly AllowedSender[] => {
  const { senders, problems } = parseAllowedSenders(text);
  for (const message of problems) context.addIssue({ code: 'custom', message });
  return senders;
});

export const HL7_SETTINGS = z.object({
  HL7_HOST: z.string().default('0.0.0.0'),
  HL7_PORT: port.default(2575),
  HL7_MAX_FRAME_BYTES: count(1024, 1_073_741_824).default(16 * 1024 * 1024),
  HL7_MAX_CONNECTIONS: count(1, 10_000).default(500),
  HL7_IDLE_TIMEOUT_MS: count(1000, 86_400_000).default(600_000),
  HL7_ACCESSION_FIELDS: hl7Fields.prefault('OBR-18,IPC-1,OBR-3,ORC-3'),
  HL7_MODALITY_FIELDS: hl7Fields.prefault('IPC-5,OBR-24,OBR-21,OBR-22'),
  HL7_PATIENT_ID_FIELDS: hl7Fields.prefault('PID-3,PID-4,PID-2'),
  HL7_PATIENT_ID_TYPES: hl7IdTypes.prefault('MR,PI,PT'),
  HL7_SENDERS: hl7Senders.prefault(''),
  HL7_PLAIN: yesOrNo.prefault('true'),
  HL7_TLS_PORT: port.default(2576),
  HL7_TLS_CERTIFICATE: z.string().optional(),
  HL7_TLS_KEY: z.string().optional(),
  HL7_TLS_CLIENT_CA: z.string().optional(),
  HL7_ALLOWED_ADDRESSES: addressList.prefault(''),
  HL7_ALLOWED_SENDERS: allowedSenders.prefault(''),
});

export type Hl7ListenerSettings = z.output<typeof HL7_SETTINGS>;
