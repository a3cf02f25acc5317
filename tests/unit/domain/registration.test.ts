import { isSameRegistration, parseRegistration, type Registration } from '../../../src/domain/registration';
import { BAD_REGISTRATIONS, GOOD_REGISTRATIONS } from '../../support/bad-registrations';
import { buildRegistration } from '../../support/builders';

describe('parseRegistration', () => {
  it.each(BAD_REGISTRATIONS)('refuses %s', (_what, fields, error) => {
    expect(() => parseRegistration({ ...buildRegistration(), ...fields })).toThrow(error);
  });

  it.each(Array.from('\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069'))(
    'refuses the bidirectional control %j',
    (control) => {
      expect(() => parseRegistration(buildRegistration({ firstName: `Jo${control}hn` }))).toThrow(
        'firstName must not contain a bidirectional override character',
      );
    },
  );

  it.each(['\u200b\u2003\u200b', '\ufff9\ufffa\ufffb'])(
    'refuses the name %j: nothing to see',
    (firstName) => {
      expect(() => parseRegistration(buildRegistration({ firstName }))).toThrow(
        'firstName must contain a visible character',
      );
    },
  );

  it.each(GOOD_REGISTRATIONS)('accepts %s', (_what, fields) => {
    const registration = buildRegistration(fields);

    expect(parseRegistration(registration)).toEqual(registration);
  });

  it('trims every field, drops unknown ones and canonicalises the e-mail', () => {
    const registration = buildRegistration({ email: 'john@example.com' });
    const padded = Object.fromEntries(
      Object.entries(registration).map(([field, value]) => [field, `  ${String(value)} `]),
    );

    expect(parseRegistration({ ...padded, email: ' JOHN@Example.com ', role: 'admin', id: 7 })).toEqual(
      registration,
    );
  });

  it('drops __proto__ and leaves Object.prototype alone', () => {
    const registration = buildRegistration();
    const body = JSON.stringify(registration).replace(
      '{',
      '{"__proto__":{"polluted":true},"constructor":{"x":1},',
    );

    const parsed = parseRegistration(JSON.parse(body));

    expect(parsed).toEqual(registration);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
  });

  it.each([
    ['undefined', undefined, 'body is required'],
    ['null', null, 'body must be of type object'],
    ['an array', [buildRegistration()], 'body must be of type object'],
    ['a string', 'text', 'body must be of type object'],
    [
      'a string that holds a registration',
      JSON.stringify(buildRegistration()),
      'body must be of type object',
    ],
    ['a number', 5, 'body must be of type object'],
  ])('refuses %s', (_what, body, error) => {
    expect(() => parseRegistration(body)).toThrow(`Validation error: ${error}`);
  });
});

describe('isSameRegistration', () => {
  const fields: (keyof Registration)[] = ['firstName', 'lastName', 'email', 'gender', 'sex', 'occupation'];
  const registration = buildRegistration();

  it('holds for equal fields', () => {
    expect(isSameRegistration(registration, { ...registration })).toBe(true);
  });

  it.each(fields)('does not hold when %s differs', (field) => {
    expect(isSameRegistration(registration, { ...registration, [field]: 'other' })).toBe(false);
  });
});
