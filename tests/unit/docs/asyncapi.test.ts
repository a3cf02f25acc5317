import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import asyncapi from '@asyncapi/specs/schemas/3.0.0.json';
import { GENDERS, SEXES, type Registration } from '../../../src/domain/registration';
import { openapiDocument } from '../../../src/openapi/document';
import { DEAD_LETTER_REASONS } from '../../../src/services/ports/messaging';
import { buildRegistration, buildUser } from '../../support/builders';
import { asyncapiDocument, problemsOf } from '../../support/asyncapi-document';

describe('docs/asyncapi.yaml', () => {
  it('is AsyncAPI 3.0', () => {
    const ajv = new Ajv({ strict: false, meta: false, validateSchema: false });
    addFormats(ajv);

    const isValid = ajv.validate(asyncapi, asyncapiDocument);

    expect(ajv.errors ?? []).toEqual([]);
    expect(isValid).toBe(true);
  });

  it('knows the same users, words and reasons as the service', () => {
    const { schemas, messages } = asyncapiDocument.components;

    expect(schemas['User']?.required).toEqual(openapiDocument.components.schemas.User.required);
    expect(Object.keys(schemas['User']?.properties ?? {})).toEqual(Object.keys(buildUser()));
    expect(schemas['Registration']?.properties?.['gender']?.enum).toEqual(GENDERS);
    expect(schemas['Registration']?.properties?.['sex']?.enum).toEqual(SEXES);
    expect(
      [...(messages['deadLetter']?.headers.properties?.['dead-letter-reason']?.enum ?? [])].sort(),
    ).toEqual([...DEAD_LETTER_REASONS].sort());
  });

  it.each<[keyof Registration, string]>([
    ['firstName', 'x'],
    ['lastName', 'x'.repeat(101)],
    ['gender', 'other'],
    ['occupation', 'x'.repeat(256)],
  ])('takes no registration whose %s is %s', (field, value) => {
    const headers = { 'event-id': 'e', 'accepted-at': '2026-01-02T03:04:05.678Z', 'request-id': 'r' };
    const registration = buildRegistration();
    const record = { key: registration.email, headers };

    expect(problemsOf('registration', { ...record, value: JSON.stringify(registration) })).toEqual([]);
    expect(
      problemsOf('registration', { ...record, value: JSON.stringify({ ...registration, [field]: value }) }),
    ).not.toEqual([]);
  });
});
