import { isIP, isIPv4 } from 'node:net';
import {
  ipKeyGenerator,
  MemoryStore,
  rateLimit,
  type ClientRateLimitInfo,
  type Options,
  type Store,
} from 'express-rate-limit';
import { UnavailableError } from '../../domain/errors';
import { httpError } from '../error-catalogue';

const IPV6_SUBNET = 56;
const MAPPED_IPV4 = /^::ffff:(?=\d+\.)/i;
// Some proxies name the client's port, too: 203.0.113.7:40001, [2001:db8::1]:443.
const WITH_PORT = /^(?:\[(.*)\]|([\d.]+))(?::\d+)?$/;
// For what is no address: it may be another text each time.
const UNKNOWN_KEY = 'unknown';
// About 20 MB.
const MAX_LOCAL_CLIENTS = 100_000;
const OVERFLOW_KEY = 'overflow';

/**
 * `max` requests per `windowMs` and client address (IPv6: per /56), counted in `shared` for all replicas, or in this
 * process while that is unavailable. More are 429.
 */
export function createRateLimit(limit: { readonly max: number; readonly windowMs: number }, shared: Store) {
  return rateLimit({
    limit: limit.max,
    windowMs: limit.windowMs,
    store: new FallbackRateLimitStore(shared),
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    keyGenerator: ({ ip = '' }) => clientKey(ip),
    skip: (req) => req.method === 'OPTIONS',
    // The package sets Retry-After itself; the body is the error handler's.
    handler: (_req, _res, next) => next(httpError('rateLimited')),
    // Its warnings are about X-Forwarded-For, which TRUST_PROXY settles.
    validate: false,
  });
}

/**
 * What an address counts as: itself without a port, or its network (IPv6). Fast path: the package parses every address,
 * IPv4 needs none.
 */
export function clientKey(ip: string): string {
  const address = ip.replace(MAPPED_IPV4, '');
  if (isIPv4(address)) return address;
  const [, ipv6, ipv4] = WITH_PORT.exec(ip) ?? [];
  const bare = ipv6 ?? ipv4 ?? ip;
  return isIP(bare) === 0 ? UNKNOWN_KEY : ipKeyGenerator(bare, IPV6_SUBNET);
}

/** While it counts in this process, clients beyond `maxClients` share one count: memory stays bounded, none goes uncounted. */
export class FallbackRateLimitStore implements Store {
  private readonly local = new MemoryStore();

  constructor(
    private readonly shared: Store,
    private readonly maxClients = MAX_LOCAL_CLIENTS,
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
      return this.local.increment(this.localKey(client));
    }
  }

  /** Part of the interface; this service never takes a request back. */
  decrement(client: string): Promise<void> | void {
    return this.shared.decrement(client);
  }

  resetKey(client: string): Promise<void> | void {
    return this.shared.resetKey(client);
  }

  private localKey(client: string): string {
    const { current, previous } = this.local;
    const isKnown = current.has(client) || previous.has(client);
    return isKnown || current.size + previous.size < this.maxClients ? client : OVERFLOW_KEY;
  }
}
