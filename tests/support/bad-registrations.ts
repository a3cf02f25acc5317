import type { Registration } from '../../src/domain/registration';

/** [what it is, the fields that differ from a valid registration, the answer's error]. */
export type BadRegistration = readonly [string, Readonly<Record<string, unknown>>, string];

const GENDERS = '[male, female, non-binary, prefer-not-to-say]';
const SEXES = '[male, female, intersex]';

function badText(field: keyof Registration, max: number): BadRegistration[] {
  const bad = (what: string, value: unknown, problem: string): BadRegistration => [
    `${field}: ${what}`,
    { [field]: value },
    `Validation error: ${field} ${problem}`,
  ];
  const tooShort = 'length must be at least 2 characters long';
  return [
    bad('missing', undefined, 'is required'),
    bad('null', null, 'must be a string'),
    bad('a number', 12345, 'must be a string'),
    bad('an array', ['John'], 'must be a string'),
    bad('an object', { name: 'John' }, 'must be a string'),
    bad('true', true, 'must be a string'),
    bad('empty', '', tooShort),
    bad('only blanks', '    ', tooShort),
    bad('1 character', 'J', tooShort),
    bad('1 character and blanks', '  J  ', tooShort),
    bad('1 emoji', '😀', tooShort),
    bad('1 letter and its accent', 'e\u0301', tooShort),
    bad(
      `${max + 1} characters`,
      'x'.repeat(max + 1),
      `length must be less than or equal to ${max} characters long`,
    ),
    bad(
      `${max + 1} emoji`,
      '😀'.repeat(max + 1),
      `length must be less than or equal to ${max} characters long`,
    ),
    bad('a NUL', 'Jo\0hn', 'must not contain a NUL or control character'),
    bad('a line break', 'Jo\nhn', 'must not contain a NUL or control character'),
    bad('an escape character', 'Jo\u001b[31mhn', 'must not contain a NUL or control character'),
    bad('a lone surrogate', 'Jo\ud800hn', 'must not contain a lone surrogate'),
    bad('a bidi override', 'Jo\u202ehn', 'must not contain a bidirectional override character'),
    bad('a bidi isolate', 'Jo\u2066hn', 'must not contain a bidirectional override character'),
    bad('only zero-width characters', '\u200b\u200d\u2060', 'must contain a visible character'),
    bad('only Braille blanks', '\u2800\u2800', 'must contain a visible character'),
    bad('only soft hyphens and a Hangul filler', '\u00ad\u00ad\u3164', 'must contain a visible character'),
  ];
}

function badChoice(field: keyof Registration, choices: string): BadRegistration[] {
  const problem = `must be one of ${choices}`;
  const values = [null, 5, true, [], {}, '', 'Male', 'unknown', 'male\0', 'constructor'];
  return [
    [`${field}: missing`, { [field]: undefined }, `Validation error: ${field} is required`],
    ...values.map((value): BadRegistration => [
      `${field}: ${JSON.stringify(value)}`,
      { [field]: value },
      `Validation error: ${field} ${problem}`,
    ]),
  ];
}

const badEmails: BadRegistration[] = [
  ['email: missing', { email: undefined }, 'Validation error: email is required'],
  ['email: null', { email: null }, 'Validation error: email must be a string'],
  ['email: a number', { email: 5 }, 'Validation error: email must be a string'],
  ['email: an array', { email: ['a@example.com'] }, 'Validation error: email must be a string'],
  ['email: an object', { email: {} }, 'Validation error: email must be a string'],
  ['email: empty', { email: '' }, 'Validation error: email is not allowed to be empty'],
  [
    'email: a NUL',
    { email: 'a\0@example.com' },
    'Validation error: email must not contain a NUL or control character',
  ],
  [
    'email: a lone surrogate',
    { email: 'a\udc00@example.com' },
    'Validation error: email must not contain a lone surrogate',
  ],
  ...['john.doe', 'john@', '@example.com', 'john@localhost', 'jo hn@example.com', 'a@b@example.com'].map(
    (email): BadRegistration => [
      `email: ${email}`,
      { email },
      'Validation error: email must be a valid email',
    ],
  ),
  [
    'email: too long',
    { email: `${'x'.repeat(250)}@example.com` },
    'Validation error: email must be a valid email',
  ],
];

/** The README's validation rules at their edges: what the service rejects, and in which words. */
export const BAD_REGISTRATIONS: readonly BadRegistration[] = [
  ...badText('firstName', 100),
  ...badText('lastName', 100),
  ...badEmails,
  ...badChoice('gender', GENDERS),
  ...badChoice('sex', SEXES),
  ...badText('occupation', 255),
  [
    'several bad fields: the first in the README order',
    { occupation: '', email: 'x', gender: 'x' },
    'Validation error: email must be a valid email',
  ],
];

/** The same rules from the inside: what is accepted and comes back exactly so. */
export const GOOD_REGISTRATIONS: readonly (readonly [string, Partial<Registration>])[] = [
  ['2 characters', { firstName: 'Jo', lastName: 'Ng', occupation: 'PM' }],
  [
    '100 and 255 characters',
    { firstName: 'x'.repeat(100), lastName: 'y'.repeat(100), occupation: 'z'.repeat(255) },
  ],
  ['100 and 255 emoji', { firstName: '😀'.repeat(100), occupation: '🙂'.repeat(255) }],
  ['2 emoji', { firstName: '😀😀' }],
  ['SQL text', { firstName: "Robert'); DROP TABLE users;--", occupation: '1 OR 1=1; SELECT $1 -- \\' }],
  ['HTML', { lastName: '<script>alert("x")</script>' }],
  [
    'apostrophes, accents and other scripts',
    { firstName: "Zoë O'Brien", lastName: '李小龍', occupation: 'مهندس' },
  ],
  ['a zero-width joiner inside a name', { firstName: 'علی\u200cرضا' }],
  ['backslashes, quotes and braces', { occupation: '{"a":"\\\\"}, {NULL}, "' }],
  ['the words null and undefined', { firstName: 'null', lastName: 'undefined' }],
  ...['male', 'female', 'non-binary', 'prefer-not-to-say'].map(
    (gender) => [`gender ${gender}`, { gender }] as const,
  ),
  ...['male', 'female', 'intersex'].map((sex) => [`sex ${sex}`, { sex }] as const),
];
