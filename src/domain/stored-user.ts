import type { Registration } from './registration';

/** A stored user, exactly as the API returns it; times are ISO 8601 in UTC. */
export interface User {
  readonly id: number;
  readonly first_name: string;
  readonly last_name: string;
  readonly email: string;
  readonly gender: string;
  readonly sex: string;
  readonly occupation: string;
  readonly created_at: string;
  readonly updated_at: string;
}

/** The submission that a stored user came from. */
export function registrationOf(user: User): Registration {
  return {
    firstName: user.first_name,
    lastName: user.last_name,
    email: user.email,
    gender: user.gender,
    sex: user.sex,
    occupation: user.occupation,
  };
}
