import type { Registration } from '../../src/domain/registration';

/** What every measure registers; only the email differs. */
export function sampleRegistration(email: string): Registration {
  return {
    firstName: 'John',
    lastName: 'Doe',
    email,
    gender: 'male',
    sex: 'male',
    occupation: 'Software Engineer',
  };
}
