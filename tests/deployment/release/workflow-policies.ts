import { parseWorkflow, stepsOf, type Job, type Workflow } from './workflow';

/** A rule for the text of every workflow. */
interface WorkflowPolicy {
  readonly rule: string;
  /** One line for each violation. */
  readonly check: (text: string) => string[];
  /** Breaks the rule in a workflow that does all there is to do: check() has to find it. */
  readonly plant: (text: string) => string;
}

const named = (problem: (job: Job) => boolean, { jobs }: Workflow): string[] =>
  Object.entries(jobs).flatMap(([name, job]) => (problem(job) ? [name] : []));

/** How the workflows may run: with few rights, for a limited time, with nothing that changes behind our back. */
export const workflowPolicies: readonly WorkflowPolicy[] = [
  {
    rule: 'every action is pinned to a commit, with its version beside it',
    check: (text) =>
      [...text.matchAll(/\buses: (.+)$/gm)]
        .map(([, action]) => action ?? '')
        .filter((action) => !/^(\.\/\S+|[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/.test(action)),
    plant: (text) => text.replace(/actions\/checkout@.*/, 'actions/checkout@v7'),
  },
  {
    rule: 'a workflow has no rights, and each job names its own',
    check: (text) => {
      const workflow = parseWorkflow(text);
      return [
        JSON.stringify(workflow.permissions) === '{}' ? '' : 'the workflow has rights',
        ...named(({ permissions }) => permissions === undefined, workflow),
      ].filter(Boolean);
    },
    plant: (text) => text.replace('permissions: {}', 'permissions: write-all'),
  },
  {
    rule: 'who may take on the role in AWS runs in the environment that only main may use',
    check: (text) =>
      named(
        ({ permissions, environment }) => 'id-token' in (permissions ?? {}) && environment !== 'production',
        parseWorkflow(text),
      ),
    plant: (text) => text.replace('environment: production', 'environment: any'),
  },
  {
    rule: 'every job ends by itself, on a runner of a known version',
    check: (text) =>
      named(
        (job) =>
          job.uses === undefined &&
          (job['timeout-minutes'] === undefined || !/-\d\d\.\d\d$/.test(job['runs-on'] ?? '')),
        parseWorkflow(text),
      ),
    plant: (text) => text.replace(/timeout-minutes: .*/, ''),
  },
  {
    rule: 'what is triggered by an event has a concurrency group',
    check: (text) => {
      const workflow = parseWorkflow(text);
      return workflow.on === 'workflow_call' || workflow.concurrency ? [] : ['no group'];
    },
    plant: (text) => text.replace('concurrency:', 'env:'),
  },
  {
    rule: 'a checkout leaves no token behind',
    check: (text) =>
      stepsOf(parseWorkflow(text))
        .filter(({ uses }) => uses?.startsWith('actions/checkout@'))
        .flatMap((step) => (step.with?.['persist-credentials'] === false ? [] : ['a token stays'])),
    plant: (text) => text.replace('persist-credentials: false', 'persist-credentials: true'),
  },
  {
    rule: 'scripts get values by their environment, never as a part of their text',
    check: (text) =>
      stepsOf(parseWorkflow(text))
        .map(({ run }) => run ?? '')
        .filter((run) => run.includes('${{')),
    plant: (text) => text.replace('"$REFERENCE"', '"${{ github.head_ref }}"'),
  },
  {
    rule: 'a failure in the middle of a pipe fails the step',
    check: (text) => (/^defaults:\n {2}run:\n {4}shell: bash/m.test(text) ? [] : ['no pipefail']),
    plant: (text) => text.replace('shell: bash', 'shell: sh'),
  },
  {
    rule: 'foreign code never runs with our rights',
    check: (text) => (/pull_request_target|workflow_run/.test(text) ? ['a privileged trigger'] : []),
    plant: (text) => text.replace('push:', 'pull_request_target:'),
  },
];
