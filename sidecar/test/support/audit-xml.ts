import { SaxesParser } from 'saxes';

export interface Node {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Node[];
  text: string;
}

/** Parses strictly. @throws Error where the text is not well-formed XML 1.0. */
export function parseXml(text: string): Node {
  const root: Node = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    const node: Node = { name, attributes, children: [], text: '' };
    open.at(-1)?.children.push(node);
    open.push(node);
  });
  parser.on('text', (part) => {
    const node = open.at(-1);
    if (node !== undefined) node.text += part;
  });
  parser.on('closetag', () => {
    open.pop();
  });
  parser.write(text).close();
  const [only, ...more] = root.children;
  if (only === undefined || more.length > 0) throw new Error('not one root element');
  return only;
}

type Attributes = Readonly<Record<string, RegExp | null>>;

interface Rule {
  /** `null`: any text. */
  readonly required: Attributes;
  readonly optional?: Attributes;
  /** In this order; `?` may be missing, `*` may be any number, `+` one or more. */
  readonly children?: readonly string[];
}

const TOKEN = /^\S(.*\S)?$/s;
const CODE: Rule = { required: { 'csd-code': TOKEN, codeSystemName: TOKEN, originalText: TOKEN } };
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** What of the DICOM Audit Message Schema (PS3.15 A.5.1, RELAX NG) is used here, by element. */
const SCHEMA: Readonly<Record<string, Rule>> = {
  AuditMessage: {
    required: {},
    children: [
      'EventIdentification', 'ActiveParticipant+', 'AuditSourceIdentification', 'ParticipantObjectIdentification*',
    ],
  },
  EventIdentification: {
    required: { EventDateTime: DATE_TIME, EventOutcomeIndicator: /^(0|4|8|12)$/ },
    optional: { EventActionCode: /^[CRUDE]$/ },
    children: ['EventID', 'EventTypeCode*', 'EventOutcomeDescription?'],
  },
  EventID: CODE,
  EventTypeCode: CODE,
  ActiveParticipant: {
    required: { UserID: null, UserIsRequestor: /^(true|false)$/ },
    optional: { NetworkAccessPointID: TOKEN, NetworkAccessPointTypeCode: /^[1-5]$/, UserName: null, AlternativeUserID: null },
    children: ['RoleIDCode*', 'MediaIdentifier?'],
  },
  RoleIDCode: CODE,
  MediaIdentifier: { required: {}, children: ['MediaType'] },
  MediaType: CODE,
  AuditSourceIdentification: {
    required: { AuditSourceID: TOKEN },
    optional: { AuditEnterpriseSiteID: TOKEN },
    children: ['AuditSourceTypeCode*'],
  },
  AuditSourceTypeCode: { required: { 'csd-code': /^[1-9]$/ } },
  ParticipantObjectIdentification: {
    required: { ParticipantObjectID: TOKEN },
    optional: { ParticipantObjectTypeCode: /^[1-4]$/, ParticipantObjectTypeCodeRole: /^\d{1,2}$/ },
    children: [
      'ParticipantObjectIDTypeCode', 'ParticipantObjectName', 'ParticipantObjectDetail*', 'ParticipantObjectDescription*',
    ],
  },
  ParticipantObjectIDTypeCode: CODE,
  ParticipantObjectName: { required: {} },
  ParticipantObjectDetail: { required: { type: TOKEN, value: /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/ } },
  ParticipantObjectDescription: { required: {}, children: ['Accession*'] },
  Accession: { required: { Number: TOKEN } },
}; // prettier-ignore

/** What is wrong with a message by the schema; `[]` for nothing. */
export function schemaProblems(node: Node): string[] {
  const rule = SCHEMA[node.name];
  if (rule === undefined) return [`${node.name}: no such element`];
  const { required, optional = {}, children = [] } = rule;
  const allowed: Attributes = { ...required, ...optional };
  const problems = Object.keys(required)
    .filter((name) => node.attributes[name] === undefined)
    .map((name) => `${node.name}: ${name} is missing`);
  for (const [name, value] of Object.entries(node.attributes)) {
    const pattern = allowed[name];
    if (pattern === undefined) problems.push(`${node.name}: ${name} is not known`);
    else if (pattern?.test(value) === false) problems.push(`${node.name}: ${name} is ${value}`);
  }
  const order = new RegExp(
    `^${children.map((child) => `(${child.replace(/[?*+]$/, '')},)${/[?*+]$/.exec(child)?.[0] ?? ''}`).join('')}$`,
  );
  const found = node.children.map(({ name }) => `${name},`).join('');
  if (!order.test(found)) problems.push(`${node.name}: has ${found}`);
  return [...problems, ...node.children.flatMap(schemaProblems)];
}
