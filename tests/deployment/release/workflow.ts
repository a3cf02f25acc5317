import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

export interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Record<string, unknown>;
}

export interface Job {
  readonly uses?: string;
  readonly needs?: string;
  readonly environment?: string;
  readonly permissions?: Record<string, string>;
  readonly 'runs-on'?: string;
  readonly 'timeout-minutes'?: number;
  readonly steps?: readonly Step[];
}

export interface Workflow {
  readonly on: string | Record<string, { readonly branches?: string[]; readonly 'paths-ignore'?: string[] }>;
  readonly permissions?: Record<string, string>;
  readonly concurrency?: { readonly group: string };
  readonly jobs: Record<string, Job>;
}

const folder = '.github/workflows';

/** The text of each workflow by its file's name. */
export const workflowTexts: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(folder).map((name) => [name, readFileSync(`${folder}/${name}`, 'utf8')]),
);

export function parseWorkflow(text: string): Workflow {
  return parse(text) as Workflow;
}

export function stepsOf({ jobs }: Workflow): Step[] {
  return Object.values(jobs).flatMap(({ steps }) => steps ?? []);
}
