import { BlobSASPermissions, BlobServiceClient } from '@azure/storage-blob';
import pg from 'pg';
import { z } from 'zod';

const TRAIL = `
SELECT s.accession_number AS accession, d.study_instance_uid AS uid, s.modality, coalesce(d.rule, '-') AS rule, coalesce(d.status, '-') AS status,
       count(i.id) AS images, count(i.id) FILTER (WHERE i.mirror_status = 'mirrored') AS mirrored,
       (SELECT r.status FROM reports r WHERE r.study_id = s.id ORDER BY version DESC LIMIT 1) AS report,
       m.state AS sms_state, t.status AS sms_delivery, m.to_number AS sms_to, m.body AS sms_body, min(i.image_url) AS image_url,
       min(i.thumbnail_url) AS thumbnail_url
FROM studies s
LEFT JOIN dicom_studies d ON d.study_id = s.id
LEFT JOIN series e ON e.dicom_study_id = d.id
LEFT JOIN images i ON i.series_id = e.id
LEFT JOIN sms_messages m ON m.study_id = s.id
LEFT JOIN sms_receipts t ON t.twilio_sid = m.twilio_sid
WHERE s.source = 'ris'
GROUP BY s.id, d.id, m.id, t.status
ORDER BY s.accession_number`;

const ROW = z.object({
  accession: z.string(),
  uid: z.string().nullable(),
  modality: z.string().nullable(),
  rule: z.string(),
  status: z.string(),
  images: z.coerce.number(),
  mirrored: z.coerce.number(),
  report: z.string().nullable(),
  sms_state: z.string().nullable(),
  sms_delivery: z.string().nullable(),
  sms_to: z.string().nullable(),
  sms_body: z.string().nullable(),
  image_url: z.string().nullable(),
  thumbnail_url: z.string().nullable(),
});

export type TrailRow = z.output<typeof ROW>;

/** The way of every order, from the tables. */
export async function readTrail(databaseUrl: string): Promise<TrailRow[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(TRAIL);
    return z.array(ROW).parse(rows);
  } finally {
    await client.end();
  }
}

/** Whether nothing is left to come on this order's way. */
export function isComplete(row: TrailRow): boolean {
  const mirrored = row.images > 0 && row.mirrored === row.images;
  return row.status === 'linked' && mirrored && row.report === 'final' && row.sms_delivery === 'delivered';
}

/** The trail as lines of a table. */
export function trailTable(rows: readonly TrailRow[]): string[] {
  const cells = [
    ['ORDER', 'IMAGES', 'LINKED BY', 'BLOBS', 'REPORT', 'SMS'],
    ...rows.map((row) => [
      `${row.accession} ${row.modality ?? ''}`,
      String(row.images),
      row.status === 'linked' ? row.rule : row.status,
      String(2 * row.mirrored),
      row.report ?? '-',
      row.sms_state === null
        ? '-'
        : `${row.sms_delivery ?? row.sms_state} to ${row.sms_to ?? '-'}: ${row.sms_body ?? ''}`,
    ]),
  ];
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  return cells.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** A link that opens one blob of the private container for an hour. */
export async function blobLink(connectionString: string, container: string, url: string, now: Date): Promise<string> {
  const service = BlobServiceClient.fromConnectionString(connectionString);
  const name = decodeURIComponent(new URL(url).pathname.split('/').slice(3).join('/'));
  const blob = service.getContainerClient(container).getBlobClient(name);
  const expiresOn = new Date(now.getTime() + 3_600_000);
  return blob.generateSasUrl({ permissions: BlobSASPermissions.parse('r'), expiresOn });
}
