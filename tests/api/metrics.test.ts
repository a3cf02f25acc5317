import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';

let service: TestService;

beforeAll(async () => {
  service = await startService();
});

async function scrape({ metricsUrl } = service): Promise<string[]> {
  const answer = await fetch(`${metricsUrl}/metrics`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return (await answer.text()).split('\n');
}

describe('GET /metrics', () => {
  it('follows a registration from the request to the row, without personal data', async () => {
    const registration = buildRegistration();
    await service.http.post('/api/users').send(registration).expect(201);
    await service.http.post('/api/users').send('{').set('Content-Type', 'application/json').expect(400);

    await eventually(async () => {
      const lines = await scrape();
      for (const line of [
        'http_request_duration_seconds_count{method="POST",route="/api/users",status="201"} 1',
        'http_request_duration_seconds_count{method="POST",route="/api/users",status="400"} 1',
        'registration_produce_duration_seconds_count{result="confirmed"} 1',
        'registration_batch_records_sum 1',
        'registration_persist_delay_seconds_count 1',
        'registration_send_queue_records 0',
        'registration_dependency_up{dependency="kafka"} 1',
        'registration_ready 1',
      ]) {
        expect(lines).toContain(line);
      }
      for (const value of [registration.email, registration.occupation, registration.gender]) {
        expect(lines.join('\n')).not.toContain(value);
      }
    });
  });

  it('tells how far the group is where nothing is consumed', async () => {
    const apiOnly = await startService({ CONSUMER_ENABLED: 'false' });
    await apiOnly.http.post('/api/users').send(buildRegistration()).expect(201);

    await eventually(async () => {
      const lags = (await scrape(apiOnly)).filter((line) => line.startsWith('registration_consumer_lag_'));
      expect(lags.map((line) => line.split(' ')[1]).sort()).toEqual(['0', '0', '1']);
    });
    expect(await scrape(apiOnly)).toContain('registration_consumer_silence_seconds 0');
  });

  it('never takes a path for a route', async () => {
    await service.http.get('/api/users/unknown@example.com').expect(404);
    await service.http.get('/other@example.com').expect(404);

    await eventually(async () => {
      const lines = (await scrape()).join('\n');
      expect(lines).toContain('route="/api/users/:email",status="404"');
      expect(lines).toContain('route="unmatched",status="404"');
      expect(lines).not.toContain('@example.com');
    });
  });

  it.each(['?', '?format=prometheus', '?name[]=process_cpu_seconds_total&x=/metrics'])(
    'is scraped whatever a scrape job adds: %s',
    async (query) => {
      const answer = await fetch(`${service.metricsUrl}/metrics${query}`);

      expect(answer.status).toBe(200);
      expect(await answer.text()).toContain('registration_ready 1');
      expect((await fetch(`${service.metricsUrl}/other${query}`)).status).toBe(404);
    },
  );

  it('is not on the API’s port, and nothing else is on its own', async () => {
    await service.http.get('/metrics').expect(404);
    expect((await fetch(`${service.metricsUrl}/api/users`)).status).toBe(404);
  });
});
