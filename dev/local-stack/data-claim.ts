import { writeFileSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalStackError } from './local-stack-error';
import { commandOf, stopTree } from './process-tree';

const stopTimeoutMs = 15_000;

/** A server that uses a data folder. */
export interface ClaimedServer {
  readonly pid: number;
  /** The environment variables by which the service finds it. */
  readonly env: Readonly<Record<string, string>>;
}

interface Claim {
  readonly owner: number;
  readonly ownerCommand: string;
  readonly servers: readonly ClaimedServer[];
}

/** A lock file in the data folder: two runs never share it, and the servers of a crashed run are found. */
export class DataClaim {
  readonly #servers: ClaimedServer[] = [];

  private constructor(
    private readonly path: string,
    private readonly ownerCommand: string,
  ) {}

  /** Stops the servers that a crashed run left running; rejects while another run is active. */
  static async take(dataDir: string): Promise<DataClaim> {
    await mkdir(dataDir, { recursive: true });
    const path = pathIn(dataDir);
    const last = await readClaim(path);
    if (last !== undefined) await takeOver(last, dataDir);

    const claim = new DataClaim(path, (await commandOf(process.pid)) ?? '');
    claim.#write();
    return claim;
  }

  /** The servers of the active run; none without one. */
  static async serversIn(dataDir: string): Promise<readonly ClaimedServer[]> {
    const claim = await readClaim(pathIn(dataDir));
    return claim !== undefined && (await isHeld(claim)) ? claim.servers : [];
  }

  add(server: ClaimedServer): void {
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

function pathIn(dataDir: string): string {
  return join(dataDir, 'servers.json');
}

async function readClaim(path: string): Promise<Claim | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Claim;
  } catch {
    return undefined; // Missing, or cut short by a crash.
  }
}

/** Process ids are used again, so an id alone proves nothing: the command line must match too. */
async function isHeld({ owner, ownerCommand }: Claim): Promise<boolean> {
  return (await commandOf(owner)) === ownerCommand;
}

async function takeOver(claim: Claim, dataDir: string): Promise<void> {
  const { owner, servers } = claim;
  if (owner !== process.pid && (await isHeld(claim))) {
    throw new LocalStackError(
      `npm run dev is already running in this checkout (process ${owner}): stop it first`,
    );
  }
  const stopIfOurs = async ({ pid }: ClaimedServer): Promise<void> => {
    if ((await commandOf(pid))?.includes(dataDir)) await stopTree(pid, 'SIGINT', stopTimeoutMs);
  };
  await Promise.all(servers.map(stopIfOurs));
}
