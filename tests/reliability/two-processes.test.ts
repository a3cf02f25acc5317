import { buildRegistration, uniqueEmail } from '../support/builders';
import { deadLettersIn, drained } from '../support/kafka-tools';
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

/** One email in upper and lower case, with other names, over both processes at once. */
function race(): Promise<Attempt[]> {
  const email = uniqueEmail();
  const racers = Array.from({ length: RACERS }, (_, index) => {
    const spelling = index % 3 === 0 ? email.toUpperCase() : email;
    const registration = buildRegistration({ email: spelling, firstName: `Racer ${index}` });
    return register(services[index % 2 === 0 ? 0 : 1].url, registration);
  });
  return Promise.all(racers);
}

function withCanonicalEmail({ registration, answer }: Attempt): Attempt {
  return { registration: { ...registration, email: registration.email.toLowerCase() }, answer };
}

async function decidedWithoutRedis(): Promise<number> {
  const series = 'registration_degraded_decisions_total{dependency="redis"}';
  const [one, other] = await Promise.all(services.map((service) => service.metric(series)));
  return (one ?? 0) + (other ?? 0);
}

describe('20 racing POSTs of one email over two processes', () => {
  it('give one 201, and the winner is stored', async () => {
    const accepted: Attempt[] = [];

    for (let round = 0; round < ROUNDS; round += 1) {
      const attempts = await race();
      const won = attempts.filter(({ answer }) => answer.status === 201);
      expect(attempts.filter(({ answer }) => answer.status === 409)).toHaveLength(RACERS - won.length);
      accepted.push(...won.map(withCanonicalEmail));
    }

    await drained(env);
    const rows = await sql(env, 'SELECT email, first_name FROM users');
    const firstNames = new Map(rows.map((row) => [row['email'], row['first_name']]));
    const isStored = ({ registration }: Attempt): boolean =>
      firstNames.get(registration.email) === registration.firstName;
    const losers = accepted.filter((attempt) => !isStored(attempt));
    expect(rows).toHaveLength(ROUNDS);
    expect(accepted).toHaveLength(ROUNDS + losers.length);
    await expectStored(env, accepted.filter(isStored));
    // Two of one round are only accepted where Redis did not answer one of them in time (this machine was too
    // busy). That is counted, and the loser is a dead letter.
    expect(losers.length).toBeLessThanOrEqual(await decidedWithoutRedis());
    expect((await deadLettersIn(env)).map(({ key }) => key).sort()).toEqual(
      losers.map(({ registration }) => registration.email).sort(),
    );
  });

  it('with equal fields are all 201, and one row', async () => {
    const registration = buildRegistration();

    const attempts = await Promise.all(
      Array.from({ length: RACERS }, (_, index) =>
        register(services[index % 2 === 0 ? 0 : 1].url, registration),
      ),
    );

    // A request that comes after the row is a 409.
    const statuses = new Set(attempts.map(({ answer }) => answer.status));
    expect([...statuses].filter((status) => status !== 201 && status !== 409)).toEqual([]);
    expect(statuses).toContain(201);
    await drained(env);
    expect(
      await sql(env, 'SELECT count(*)::int AS n FROM users WHERE email = $1', [registration.email]),
    ).toEqual([{ n: 1 }]);
  });
});
