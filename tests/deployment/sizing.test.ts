import { DOCS } from '../support/readme';
import { configOf, connectionBudget, connectionsAtPeak } from './environment-policies';
import { Manifests } from './manifests';

it('the sizing table of docs/operations.md says what the manifests say', () => {
  const table = /<!-- sizing -->\n.+\n.+\n([^]*)<!-- \/sizing -->/.exec(DOCS)?.[1];

  const rows = Object.entries(connectionBudget).map(([environment, budget]) => {
    const manifests = Manifests.read(environment);
    const { minReplicas, maxReplicas } = manifests.one('HorizontalPodAutoscaler').spec;
    const { partitions } = configOf(manifests).kafka;
    const pods = `${minReplicas} to ${maxReplicas}`;
    return `| \`${environment}\` | ${pods} | ${partitions} | ${connectionsAtPeak(manifests)} | ${budget} |\n`;
  });

  expect(table).toBe(rows.join(''));
});
