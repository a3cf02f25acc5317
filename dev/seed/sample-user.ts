import { faker as arabic } from '@faker-js/faker/locale/ar';
import { faker as german } from '@faker-js/faker/locale/de';
import { faker as greek } from '@faker-js/faker/locale/el';
import { faker as english } from '@faker-js/faker/locale/en';
import { faker as spanish } from '@faker-js/faker/locale/es';
import { faker as polish } from '@faker-js/faker/locale/pl';
import { parseRegistration, type Registration } from '../../src/domain/registration';

// Accents, double names, other scripts and right-to-left text: what a page has to display, beside what is common.
const languages = [english, english, english, german, spanish, polish, greek, arabic];

const sexes = [
  { weight: 49, value: 'female' },
  { weight: 49, value: 'male' },
  { weight: 2, value: 'intersex' },
] as const;
const otherGenders = ['non-binary', 'prefer-not-to-say'] as const;

/** The n-th made-up user: valid, always the same, with a unique email in a domain that receives no mail. */
export function sampleUser(nth: number): Registration {
  const faker = languages[nth % languages.length] ?? english;
  faker.seed(nth);
  const sex = faker.helpers.weightedArrayElement(sexes);
  const usualGender = sex === 'intersex' ? 'non-binary' : sex;
  const nameOf = sex === 'intersex' ? undefined : sex;
  const firstName = faker.person.firstName(nameOf);
  const lastName = faker.person.lastName(nameOf);
  return parseRegistration({
    firstName,
    lastName,
    email: `${[firstName, lastName].flatMap(latinCharacters).join('.') || 'user'}.${nth}@example.com`,
    gender: faker.datatype.boolean(0.95) ? usualGender : faker.helpers.arrayElement(otherGenders),
    sex,
    occupation: faker.person.jobTitle(),
  });
}

/** At most 20 of them; none from a name in another script. */
function latinCharacters(name: string): string[] {
  const latin = name.normalize('NFD').replace(/[^A-Za-z]/g, '');
  return latin === '' ? [] : [latin.slice(0, 20)];
}
