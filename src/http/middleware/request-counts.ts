import { MemoryStore, type ClientRateLimitInfo, type Options, type Store } from 'express-rate-limit';
import { UnavailableError } from '../../domain/errors';

// About 20 MB.
const MAX_CLIENTS = 100_000;
const EVERYBODY_ELSE = 'everybody else';

/**
 * Counts requests in the store that replicas share, and in this process while that one is away. Of more clients than
 * `maxClients` those that came last share one count here: memory stays bounded, and nobody is let through uncounted.
 */
export class RequestCounts implements Store {
  private readonly local = new MemoryStore();

  constructor(
    private readonly shared: Store,
    private readonly maxClients = MAX_CLIENTS,
  ) {}

  init(options: Options): void {
    this.local.init(options);
    void this.shared.init?.(options);
  }

  async increment(client: string): Promise<ClientRateLimitInfo> {
    try {
      return await this.shared.increment(client);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      return this.local.increment(this.localNameOf(client));
    }
  }

  /** Part of the interface; the limiter of this service never takes a request back. */
  decrement(client: string): Promise<void> | void {
    return this.shared.decrement(client);
  }

  resetKey(client: string): Promise<void> | void {
    return this.shared.resetKey(client);
  }

  private localNameOf(client: string): string {
    const { current, previous } = this.local;
    const isKnown = current.has(client) || previous.has(client);
    return isKnown || current.size + previous.size < this.maxClients ? client : EVERYBODY_ELSE;
  }
}
