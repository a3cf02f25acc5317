import { writeFileSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalStackError } from './local-stack-error';
import { commandOf, stopTree } from './process-tree';

const stopTimeoutMs = 15_000;

interface Claim {
  readonly owner: number;
  readonly ownerCommand: string;
  readonly servers: readonly number[];
}

/** Says in the data folder who uses it, so that two runs never share it and a crashed one's servers are found. */
export class DataClaim {
  readonly #servers: number[] = [];

  private constructor(
    private readonly path: string,
    private readonly ownerCommand: string,
  ) {}

  /** Stops the servers that a crashed run left; rejects while another run goes on. */
  static async take(dataDir: string): Promise<DataClaim> {
    await mkdir(dataDir, { recursive: true });
    const path = join(dataDir, 'servers.json');
    const last = await readClaim(path);
    if (last !== undefined) await takeOver(last, dataDir);

    const claim = new DataClaim(path, (await commandOf(process.pid)) ?? '');
    claim.#write();
    return claim;
  }

  add(server: number): void {
    this.#servers.push(server);
    this.#write();
  }

  async release(): Promise<void> {
    await rm(this.path, { force: true });
  }

  /** Synchronous: servers that start at the same time are added at the same time. */
  #write(): void {
    const claim: Claim = { owner: process.pid, ownerCommand: this.ownerCommand, servers: this.#servers };
    writeFileSync(this.path, JSON.stringify(claim));
  }
}

async function readClaim(path: string): Promise<Claim | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Claim;
  } catch {
    return undefined; // Missing, or cut short by a crash.
  }
}

/** Process ids are used again, so an id alone proves nothing: the command line must match too. */
async function takeOver({ owner, ownerCommand, servers }: Claim, dataDir: string): Promise<void> {
  if (owner !== process.pid && (await commandOf(owner)) === ownerCommand) {
    throw new LocalStackError(
      `npm run dev is already running in this checkout (process ${owner}): stop it first`,
    );
  }
  const stopIfOurs = async (pid: number): Promise<void> => {
    if ((await commandOf(pid))?.includes(dataDir)) await stopTree(pid, 'SIGINT', stopTimeoutMs);
  };
  await Promise.all(servers.map(stopIfOurs));
}
