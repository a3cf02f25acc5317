import type { Command } from './owned-process';

/** How to start and probe one kind of server. */
export interface ServerRecipe {
  readonly name: string;
  /** The file for the server's output. */
  readonly log: string;
  readonly stopSignal: NodeJS.Signals;
  /** How to start it on this port of 127.0.0.1. */
  readonly command: (port: number) => Promise<Command>;
  /** Rejects until the server at this port serves clients. */
  readonly ping: (port: number) => Promise<void>;
}
