import { Pool } from 'pg';
import { loadConfig } from '../../../src/config/config';
import type { Registration } from '../../../src/domain/registration';
import { LogOutput } from '../../../src/observability/log-output';
import { createLogger } from '../../../src/observability/logger';
import { connectionOptions } from '../../../src/postgres/pool';

/** What every baseline has in common with the service: its settings, its log, its database. */
export const config = loadConfig(process.env);
const output = new LogOutput(process.stdout);
export const log = createLogger({ level: config.logLevel, json: true, output });
export const pool = new Pool({ ...connectionOptions(config.postgres), max: config.postgres.poolMax });

export const columns = ({ firstName, lastName, email, gender, sex, occupation }: Registration): string[] => [
  firstName,
  lastName,
  email,
  gender,
  sex,
  occupation,
];

const insertColumns =
  '(first_name, last_name, email, gender, sex, occupation) VALUES ($1, $2, $3, $4, $5, $6)';

/** First write wins: false when the email has a row. */
export async function insert(registration: Registration): Promise<boolean> {
  const text = `INSERT INTO users ${insertColumns} ON CONFLICT (email) DO NOTHING`;
  const { rowCount } = await pool.query({ name: 'insert', text, values: columns(registration) });
  return rowCount === 1;
}

export const upsert = `INSERT INTO users ${insertColumns}
  ON CONFLICT (email) DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name RETURNING *`;

const userColumns = 'id, first_name, last_name, email, gender, sex, occupation, created_at, updated_at';

export async function find(email: string): Promise<object | undefined> {
  const text = `SELECT ${userColumns} FROM users WHERE email = $1`;
  return (await pool.query<object>({ name: 'find', text, values: [email] })).rows[0];
}

export async function list(limit: number): Promise<object[]> {
  const text = `SELECT ${userColumns} FROM users ORDER BY created_at DESC, id DESC LIMIT $1`;
  return (await pool.query<object>({ name: 'list', text, values: [limit] })).rows;
}

export const notFound = { success: false, error: 'User not found' };
export const accepted = (email: string): object => ({
  success: true,
  message: 'User registration submitted successfully',
  data: { email },
});
export const alreadyRegistered = { success: false, error: 'User already registered' };
/** Where a registered user is, as the service's 201 says. */
export const locationOf = (email: string): string => `/api/users/${encodeURIComponent(email)}`;
