import type { Command } from './owned-process';

/** What differs from one kind of server to the next. */
export interface ServerRecipe {
  readonly name: string;
  /** The file that takes what the server prints. */
  readonly log: string;
  readonly stopSignal: NodeJS.Signals;
  /** How to start it on this port of 127.0.0.1. */
  readonly command: (port: number) => Promise<Command>;
  /** Rejects until the server at this port serves clients. */
  readonly ping: (port: number) => Promise<void>;
}
