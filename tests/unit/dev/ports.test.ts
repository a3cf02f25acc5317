import { chooseFreePort } from '../../../dev/local-stack/ports';

describe('chooseFreePort', () => {
  it('gives no port a second time while the server that got it does not listen yet', async () => {
    const ports: number[] = [];
    // Of 500 random ones out of 6,000 some would nearly always be the same.
    while (ports.length < 500) ports.push(await chooseFreePort());

    expect(new Set(ports).size).toBe(500);
  });
});
