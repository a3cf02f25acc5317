import { Cluster, Command } from 'ioredis';
import { UnavailableError } from '../../../src/domain/errors';
import { primariesOf } from '../../../src/redis/client';

/** A cluster that is not connected, whose slots all have one owner but for some. */
function clusterOf(others: Readonly<Record<number, string[]>>): Cluster {
  const cluster = new Cluster(['redis://127.0.0.1:1'], { lazyConnect: true });
  cluster.slots = Array.from({ length: 16_384 }, (_, slot) => others[slot] ?? ['many:1']);
  return cluster;
}

describe('primariesOf', () => {
  it.each([0, 1, 8191, 16_383])('has a tag for a primary with slot %i alone', (slot) => {
    const tags = primariesOf(clusterOf({ [slot]: ['one:1'] })).map(({ tag }) => tag);
    const slots = tags.map((tag) => new Command('get', [tag]).getSlot());

    expect(slots.map((each) => each === slot).sort()).toEqual([false, true]);
  });

  it('throws while a slot is nobody’s', () => {
    expect(() => primariesOf(clusterOf({ 5: [] }))).toThrow(UnavailableError);
  });
});
