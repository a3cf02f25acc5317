import { buildRegistration, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { lag, readAll } from '../support/kafka-tools';
import { ServiceProcess } from '../support/service-process';
import { isolatedServers, sql, type Env } from '../support/test-servers';
import { expectStored, register, type Attempt } from '../support/traffic';

const ROUNDS = 50;
const RACERS = 20;

let env: Env;
let services: [ServiceProcess, ServiceProcess];

beforeAll(async () => {
  env = await isolatedServers();
  services = await Promise.all([ServiceProcess.start(env), ServiceProcess.start(env)]);
});

/** One e-mail, other names and letter cases, over both processes at once. */
function race(): Promise<Attempt[]> {
  const email = uniqueEmail();
  const racers = Array.from({ length: RACERS }, (_, index) => {
    const spelling = index % 3 === 0 ? email.toUpperCase() : email;
    const registration = buildRegistration({ email: spelling, firstName: `Racer ${index}` });
    return register(services[index % 2 === 0 ? 0 : 1].url, registration);
  });
  return Promise.all(racers);
}

describe('20 racing POSTs of one e-mail over two processes', () => {
  it('never give two 201: one wins, and the winner is stored', async () => {
    const winners: Attempt[] = [];

    for (let round = 0; round < ROUNDS; round += 1) {
      const attempts = await race();
      const accepted = attempts.filter(({ answer }) => answer.status === 201);
      expect(accepted).toHaveLength(1);
      expect(attempts.filter(({ answer }) => answer.status === 409)).toHaveLength(RACERS - 1);
      winners.push(...accepted);
    }

    await eventually(async () => expect(await lag(env)).toBe(0));
    const canonical = winners.map(({ registration, answer }) => ({
      answer,
      registration: { ...registration, email: registration.email.toLowerCase() },
    }));
    await expectStored(env, canonical);
    expect(await sql(env, 'SELECT count(*)::int AS n FROM users')).toEqual([{ n: ROUNDS }]);
    expect(await readAll(env, `${env['KAFKA_TOPIC'] ?? ''}.dlq`)).toEqual([]);
  });

  it('with equal fields are all 201, and one row', async () => {
    const registration = buildRegistration();

    const attempts = await Promise.all(
      Array.from({ length: RACERS }, (_, index) =>
        register(services[index % 2 === 0 ? 0 : 1].url, registration),
      ),
    );

    // Whoever comes after the row is there is told so.
    const statuses = new Set(attempts.map(({ answer }) => answer.status));
    expect([...statuses].filter((status) => status !== 201 && status !== 409)).toEqual([]);
    expect(statuses).toContain(201);
    await eventually(async () => expect(await lag(env)).toBe(0));
    expect(
      await sql(env, 'SELECT count(*)::int AS n FROM users WHERE email = $1', [registration.email]),
    ).toEqual([{ n: 1 }]);
  });
});
