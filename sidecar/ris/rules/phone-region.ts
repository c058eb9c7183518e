import { isSupportedCountry } from 'libphonenumber-js/max';

/** Whether numbers can be read as those of this country (ISO 3166, in capitals). */
export const isPhoneRegion = (text: string): boolean => isSupportedCountry(text);
