import { Failure } from '../../platform/rules/failure.ts';
import { differingFields, PATIENT_FIELDS, type PatientField, type PatientSide } from '../../ris/rules/same-patient.ts';
import type { Shown } from '../../linking/rules/contested.ts';

/** One field of both sides of a link; several values are parted by ` / `. */
export interface ComparedField {
  readonly field: PatientField;
  readonly images: string;
  readonly order: string;
  readonly differs: boolean;
}

const valueOf = (side: PatientSide, field: PatientField): string => {
  if (field === 'patient-id')
    return side.patientIds.map(({ id, issuer }) => (issuer ? `${id}@${issuer}` : id)).join(' ');
  if (field === 'name') return side.patientName;
  return (field === 'birth-date' ? side.birthDate : side.sex) ?? '';
};

const values = (sides: readonly PatientSide[], field: PatientField): string =>
  [...new Set(sides.map((side) => valueOf(side, field)))].filter((value) => value !== '').join(' / ');

/** Both sides of a link, field by field, in one order. */
export function comparedFields({ images, orders }: Shown): readonly ComparedField[] {
  const differing = new Set(images.flatMap((image) => orders.flatMap((order) => differingFields(image, order))));
  return PATIENT_FIELDS.map((field) => ({
    ...{ field, images: values(images, field), order: values(orders, field), differs: differing.has(field) },
  }));
}

/** A link is refused since its two sides are of different patients. `compared` is for the person, not for logs. */
export class PatientDiffers extends Failure {
  readonly compared: readonly ComparedField[];

  constructor(shown: Shown) {
    super(
      'permanent',
      'patient-differs',
      "the images and the order are not one patient's: despite that it must be said",
    );
    this.compared = comparedFields(shown);
  }
}
