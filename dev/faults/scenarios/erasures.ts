import { lag, produce } from '../../../tests/support/kafka-tools';
import { dlq } from '../../../tests/support/tool-run';
import { eventually } from '../eventually';
import { inspected, readRows } from '../inspect';
import { readAgain } from '../read-again';
import type { Scenario } from '../scenario';

const people = 100;

/** In the other scenarios people are erased, too; here what was stored before is read again. */
export const erasureScenarios: readonly Scenario[] = [
  {
    name: 'erasures-read-again',
    title:
      'people with conflict dead letters are erased; the dead letters are replayed, and the group reads everything again',
    tolerates: [],
    async run(stage) {
      const { bed, traffic, planted } = stage;
      const env = inspected(bed.env);
      const drained = (): Promise<number> => eventually('lag is 0', 30, async () => (await lag(env)) === 0);
      // A row of less than ten seconds is not erased.
      await bed.hold(11);
      await traffic.pause(30);
      await drained();
      const oldest = (await readRows(env)).sort((a, b) => a.id - b.id).slice(0, people);
      const losers = oldest.map((row) => ({
        key: row.email,
        value: JSON.stringify({ ...row, id: undefined, lastName: 'Loser' }),
      }));
      await produce(env, losers);
      planted.deadLetters.push(...losers.map(({ value }) => value));
      await drained();
      // Without the headers of the service they are told by Kafka's time: more than the clock margin before the erasure.
      await bed.hold(6);
      for (const { email } of oldest) await traffic.erase(email);
      const { code, stderr } = await dlq(env, 'replay');
      if (code !== 0) throw new Error(`dlq replay ended with ${code}: ${stderr}`);
      await readAgain(stage);
    },
  },
];
