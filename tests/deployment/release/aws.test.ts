import { readFileSync } from 'node:fs';

interface Statement {
  readonly Action: string | string[];
  readonly Resource?: string;
  readonly Condition?: { readonly StringEquals?: Record<string, string> };
}

const read = (name: string): unknown => JSON.parse(readFileSync(`.github/aws/${name}.json`, 'utf8'));
const statementsOf = (name: string): Statement[] => (read(name) as { Statement: Statement[] }).Statement;

describe('the role of the release', () => {
  it('trusts one environment of one repository, both named by ids that cannot be taken over', () => {
    const conditions = statementsOf('trust-policy').map(({ Condition }) => Condition?.StringEquals);

    expect(conditions).toEqual([
      {
        'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com',
        'token.actions.githubusercontent.com:sub': expect.stringMatching(
          /^repo:[\w-]+@\d+\/[\w.-]+@\d+:environment:production$/,
        ) as string,
      },
    ]);
  });

  it('may push to one repository, delete nothing, and do nothing with a wildcard', () => {
    const statements = statementsOf('push-policy');
    const actions = statements.flatMap(({ Action }) => Action);
    const everywhere = statements
      .filter(({ Resource }) => Resource?.includes('*'))
      .flatMap(({ Action }) => Action);

    expect(actions.filter((action) => /\*|Delete/.test(action))).toEqual([]);
    expect(actions).toContain('ecr:PutImage');
    expect(everywhere).toEqual([
      'ecr:GetAuthorizationToken',
      'inspector2:ListCoverage',
      'inspector2:ListFindings',
    ]);
  });
});

describe('the image repository', () => {
  it('keeps tags as they are and scans on push', () => {
    expect(read('repository')).toMatchObject({
      imageTagMutability: 'IMMUTABLE',
      imageScanningConfiguration: { scanOnPush: true },
    });
    expect(read('scanning')).toMatchObject({
      scanType: 'ENHANCED',
      rules: [{ scanFrequency: 'SCAN_ON_PUSH' }],
    });
  });

  it('expires only releases, by their number', () => {
    expect(read('lifecycle-policy')).toMatchObject({
      rules: [{ selection: { tagPrefixList: ['sha-'], countType: 'imageCountMoreThan' } }],
    });
  });

  it.each(['repository', 'scanning', 'lifecycle-policy', 'trust-policy', 'push-policy'])(
    'is set up with %s.json, as the set-up says',
    (name) => {
      expect(readFileSync('.github/aws/README.md', 'utf8')).toContain(`file://${name}.json`);
    },
  );
});
