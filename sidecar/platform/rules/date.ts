export const DATE = /^(\d{4})[.-]?(\d{2})[.-]?(\d{2})$/;

/**
 * A DICOM DA (PS3.5 6.2; ACR-NEMA's dotted form too) or the date part of an HL7 DT as `YYYY-MM-DD`; `null` unless it is
 * a full calendar date after 1850, since a year alone or `00000000` says nothing that may be compared.
 */
export function parseDate(value: string): string | null {
  const [, year = '', month = '', day = ''] = DATE.exec(value.trim()) ?? [];
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day) || Number(year) <= 1850) return null;
  return `${year}-${month}-${day}`;
}
