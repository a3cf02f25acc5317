import { eventually } from '../support/eventually';
import { startService } from '../support/harness';
import { readHttpFile } from '../support/http-file';

describe('docs/requests.http', () => {
  it('is answered as its titles say', async () => {
    const service = await startService();
    const requests = readHttpFile('docs/requests.http', {
      api: `${service.url}/api`,
      metrics: service.metricsUrl,
    });

    for (const { title, status, method, url, headers, body } of requests) {
      const send = async (): Promise<void> => {
        const answer = await fetch(url, { method, headers, ...(body !== undefined && { body }) });
        expect({ title, status: answer.status }).toEqual({ title, status });
        await answer.arrayBuffer();
      };
      // A read may have to wait for the row; a POST may be sent once.
      await (method === 'POST' ? send() : eventually(send));
    }
  });
});
