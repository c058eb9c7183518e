import { parsePhoneNumberFromString } from 'libphonenumber-js/max';

/** Where a number is (ISO 3166), else its calling code with a `+`: what an account may or may not text. */
export function countryOf(number: string): string {
  const parsed = parsePhoneNumberFromString(number);
  return parsed === undefined ? 'unknown' : (parsed.country ?? `+${parsed.countryCallingCode}`);
}
