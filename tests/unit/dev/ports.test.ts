import { chooseFreePort } from '../../../dev/local-stack/ports';

describe('chooseFreePort', () => {
  it('gives no port a second time while the server that got it does not listen yet', async () => {
    const ports: number[] = [];
    // Chosen by chance from 6,000, some of so many would be the same nearly always.
    while (ports.length < 500) ports.push(await chooseFreePort());

    expect(new Set(ports).size).toBe(500);
  });
});
