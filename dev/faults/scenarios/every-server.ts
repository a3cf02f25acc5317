import type { ServiceName } from '../../local-stack/local-stack';
import type { FaultyServer } from '../faulty-server';
import type { Scenario, Stage, Tolerance } from '../scenario';

const holdSeconds = 10;
const slowMs = 500;
const lostResponsesSeconds = 1;

interface Fault {
  readonly name: string;
  readonly title: string;
  readonly begin: (server: FaultyServer) => void | Promise<void>;
  readonly heal: (server: FaultyServer) => void | Promise<void>;
  readonly seconds?: number;
  readonly fromTheStart?: boolean;
}

const faults: readonly Fault[] = [
  {
    name: 'kill',
    title: 'killed with SIGKILL, started again after 10 s',
    begin: ({ process }) => process.kill(),
    heal: ({ process }) => process.restart(),
  },
  {
    name: 'freeze',
    title: 'frozen with SIGSTOP for 10 s',
    begin: ({ process }) => process.freeze(),
    heal: ({ process }) => process.thaw(),
  },
  {
    name: 'refused',
    title: 'cannot be reached when the service starts, and for 10 s of load',
    begin: (server) => server.refuse(),
    heal: (server) => server.heal(),
    fromTheStart: true,
  },
  {
    name: 'slow',
    title: 'each packet is 500 ms late, in both directions, for 10 s',
    begin: (server) => server.slow(slowMs),
    heal: (server) => server.heal(),
  },
  {
    name: 'half-open',
    title: 'every open connection falls silent without an end; new ones work',
    begin: (server) => server.halfOpen(),
    heal: (server) => server.heal(),
    seconds: 20,
  },
  {
    name: 'lost-answers',
    title: 'requests get through, answers are lost for 1 s, then the connections are cut',
    begin: (server) => server.dropResponses(),
    heal: (server) => server.heal(),
    seconds: lostResponsesSeconds,
  },
];

const titles: Readonly<Record<ServiceName, string>> = {
  postgres: 'PostgreSQL',
  redis: 'Redis',
  kafka: 'Kafka',
};

// Without Kafka nothing is accepted; without Redis or PostgreSQL the other one decides alone.
const tolerances: Readonly<Record<ServiceName, readonly Tolerance[]>> = {
  postgres: ['conflicts'],
  redis: ['conflicts'],
  kafka: [],
};

function scenarioOf(serverName: ServiceName, { name, title, begin, heal, ...fault }: Fault): Scenario {
  return {
    name: `${serverName}-${name}`,
    title: `${titles[serverName]}: ${title}`,
    tolerates: tolerances[serverName],
    async run({ bed }: Stage) {
      const server = bed.server(serverName);
      await begin(server);
      await bed.hold(fault.seconds ?? holdSeconds);
      await heal(server);
    },
    ...(fault.fromTheStart ? { startsWithout: serverName } : { isRepeatable: true }),
  };
}

/** The same faults for each of PostgreSQL, Redis and Kafka. */
export const everyServer: readonly Scenario[] = (['postgres', 'redis', 'kafka'] as const).flatMap((server) =>
  faults.map((fault) => scenarioOf(server, fault)),
);
